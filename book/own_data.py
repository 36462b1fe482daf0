# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: -papermill,-execution
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Your own data
#
# This page learns an activation for a small dataset of its own, from raw numbers to a file that plain PyTorch reads, in less than a minute. Replace the first
# cell of code by your data and keep the rest. It asks one question: does a network of this size do better on *your* task with another activation than ReLU? The answer may well be no.
#
# Run it from the repository's root, in the environment that `make book` made (`.venv/bin/python`); from elsewhere, set `PYTHONPATH` to the root so that Python finds `lib`.

# %% tags=["set-up"] cellView="form" jupyter={"source_hidden": true}
# @title Set-up: finds the files of this companion or, in Colab, fetches them
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = "https://github.com/simplicity-bias-companion/companion"


def is_whole(folder):
    return (folder / "lib" / "splines.py").is_file() and (folder / "notebooks" / "paper" / "claims.toml").is_file()


here, clone = Path.cwd(), Path.cwd() / "companion"
places = [here, *here.parents, *map(Path, filter(None, sys.path)), clone]
root = next(filter(is_whole, places), None)
if root is None:
    with tempfile.TemporaryDirectory(prefix="companion-", dir=here) as scratch:  # one that is cut short is never used
        command = ["git", "clone", "--quiet", "--depth", "1", REPOSITORY, f"{scratch}/new"]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            reason = getattr(error, "stderr", None) or error
            raise RuntimeError(f"{REPOSITORY} is not here and could not be fetched: {reason}") from None
        if clone.exists():  # half of one, or something else
            clone.rename(tempfile.mkdtemp(prefix="companion-old-", dir=here))
        Path(scratch, "new").rename(clone)
    root = clone
if "google.colab" in sys.modules:
    needed = ("openml", "safetensors", "scikit-learn>=1.7")  # installs what is lacking or older
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *needed], check=True)
root = str(root.resolve())
sys.path[:] = [root, *(place for place in sys.path if place != root)]  # before any other folder that has a `lib`
if not str(getattr(sys.modules.get("lib"), "__file__", None)).startswith(root):
    for name in [name for name in sys.modules if name.partition(".")[0] == "lib"]:
        del sys.modules[name]  # another one, imported before

# %% tags=["parameters"]
profile = "smoke"
seed = 0
data_dir = None

# %% tags=["hide-input"]
import json

import numpy as np
import torch
from safetensors import safe_open

from lib import metrics, splines
from lib.metalearning import Settings, Task, learn
from lib.metrics.similarity import turning_points
from lib.networks import Activation, Network
from lib.training import Optimiser, train
from notebooks.paper.figures import gallery
from notebooks.paper.figures.display import provenance, say, show
from notebooks.paper.records.intervals import interval, paired_interval

# %% [markdown]
# ## Data
#
# Here: 1,000 noisy measurements of a quantity that rises and falls several times along two directions of three inputs, as in an interference pattern.
#
# The library wants tensors: inputs `x` in float32, (n, inputs), scaled to about $[-1, 1]$; for regression, targets `y` in float32, (n, outputs), standardised. All scaling uses the
# training rows only. The rows are in three parts. Training rows are what weights and activations are learned from, validation rows what every choice is made on, and test rows are looked at once, at the end.

# %%
rng = np.random.default_rng(seed)
raw = rng.uniform(0, 10, (1000, 3))  # your inputs (n, d)
a, b, c = raw.T
target = np.cos(1.8 * a + 0.9 * b) + np.cos(1.8 * c - 1.3 * b)
target += 0.05 * rng.normal(size=len(raw))  # your targets (n,)

order = rng.permutation(len(raw))
rows = order[:500], order[500:600], order[600:]  # training, validation, test
train_rows = rows[0]
low, high = raw[train_rows].min(0), raw[train_rows].max(0)
x = torch.as_tensor(2 * (raw - low) / (high - low) - 1, dtype=torch.float32)
mean, deviation = target[train_rows].mean(), target[train_rows].std()
y = torch.as_tensor((target - mean) / deviation, dtype=torch.float32)
y = y[:, None]  # (n, 1), not (n,)


def split(x, y):
    """Three pairs (x, y): training, validation, test."""
    return [(x[part], y[part]) for part in rows]


parts = split(x, y)

# %% [markdown]
# ## Tune the optimiser with ReLU
#
# First give ReLU its best learning rate, or you will measure the optimiser. Where the best is at an end of the rates you tried, try further ones. `train` fits a network once. It calls `monitor` at the steps `evaluate_at`, with the weights averaged over the last 50 steps, and keeps the
# step at which the number named by `best` is highest: so that must be a score of which **more is better**, such as $R^2$, an accuracy, or minus a loss. Let `evaluate_at` begin with step 0: then there is a score even if training diverges early.
# All randomness comes from a `torch.Generator`.


# %%
def r2(outputs, y):
    error = (outputs - y).square().mean()
    return float(1 - error / (y - y.mean()).square().mean())


def fit(
    network,
    psi,
    seed,
    optimiser,
    parts=parts,
    loss="mse",
    score=r2,
    steps=1500,
):
    """Weights and scores (validation, test) at the best step."""
    data, *others = parts

    def monitor(params):
        both = [score(network.forward(params, psi, x), y) for x, y in others]
        return {"validation": both[0], "test": both[1]}

    done = train(
        network,
        psi,
        data,
        loss=loss,
        optimiser=optimiser,
        evaluate_at=range(0, steps + 1, 50),
        monitor=monitor,
        generator=torch.Generator().manual_seed(seed),
        best="validation",
    )
    history, at = done.history, done.history["step"].index(done.best_step)
    return done.params, history["validation"][at], history["test"][at]


def tune(network, rates=(0.003, 0.01, 0.03), **asked):
    """Adam with the learning rate that is best on the validation rows."""
    found = {}
    for lr in rates:
        optimiser = Optimiser("adam", lr)
        _, found[lr], _ = fit(network, {}, seed, optimiser, **asked)
        print(f"learning rate {lr:g}: validation score {found[lr]:.2f}")
    return Optimiser("adam", max(found, key=found.get))


def wide(activation):
    return Network(inputs=3, outputs=1, width=128, depth=1, activation=activation)


relu = wide(Activation("relu"))
optimiser = tune(relu)

# %% [markdown]
# ## Learn activations
#
# {term}`Algorithm 1` on a narrow network, which is cheap; the function is used in a wider one later. Runs differ much, so make several: other seeds, starts (`"zeros"` and `"relu"`), numbers of control points.
# The range must hold the {term}`pre-activations <pre-activation>`. For inputs in $[-1, 1]$, $\pm 3$ is a wide start; the figure below shows how much of it is used.
#
# `n_tr_step=0` makes all {term}`episodes <episode>` equally long. The default lets them grow, as the paper does; on small data a longer training may raise the loss on the {term}`watched rows` whatever the activation is, and then the first
# activation looks best.

# %%
spline = Activation("spline", points=30, low=-3, high=3)
narrow = Network(inputs=3, outputs=1, width=32, depth=1, activation=spline)
task = Task(narrow, *parts[0], loss="mse")  # training rows only


def settings(init, inner=optimiser):
    return Settings(
        init=init,
        episodes=50,
        n_tr_start=150,
        n_tr_step=0,
        inner=inner,
        outer=Optimiser("adam", 0.1),
    )


restarts, reports = {}, {}  # reports: what each run said
for init in ("zeros", "relu"):
    for s in (seed, seed + 1):
        said = reports[init, s] = []
        restarts[init, s] = learn([task], settings(init), seed=s, report=said.append)
print(*said[::10], sep="\n")  # with report=print, you see it live

# %% [markdown]
# A report has the episode; `n_tr`, the steps for which its network was trained; `V`, its loss after that on rows that this episode held out; and `watched`, the loss on the rows that no episode draws (`watch=0.1`: a tenth). The activation is kept
# at which `watched`, averaged over five episodes, is lowest. Where learning works both fall, with much noise: each episode has other weights and other rows. If a run diverged, or its first activation stayed the best, its last reports say so, and `learned.problems` lists it.
#
# On a GPU, `lib.replicas.learn_replicas([task], settings("zeros"), seeds=range(8))` runs restarts as one batch, on the device of the task's data.
#
# ## Choose one
#
# By validation, after training a network of the final size from scratch: the loss inside Algorithm 1 is that of another network, and does not tell restarts apart well.

# %%
validated = {}
for (init, s), learned in restarts.items():
    about = f"from {init}, seed {s}, best episode {learned.best_episode}:"
    if learned.problems:
        print(about, *learned.problems)
        continue
    _, found, _ = fit(wide(spline), learned.psi, seed, optimiser)
    validated[init, s] = found
    print(about, f"R2 on validation rows {found:.2f}")
best = restarts[max(validated, key=validated.get)]

# %% [markdown]
# ## Compare
#
# The same optimiser and five seeds that no choice was made with, for ReLU, for the learned function, and for tanh, which any comparison should include: it costs nothing to try.

# %%
seeds = range(seed + 10, seed + 15)
arms = {
    "ReLU": (relu, {}),
    "learned": (wide(spline), best.psi),
    "tanh": (wide(Activation("tanh")), {}),
}
runs, scores = {}, {}
for arm, (network, psi) in arms.items():
    runs[arm] = [fit(network, psi, s, optimiser) for s in seeds]
    scores[arm] = [test for _, _, test in runs[arm]]

# %% tags=["hide-input"]
means = {arm: interval(numbers) for arm, numbers in scores.items()}
words = ", ".join(f"{arm} {m.mean:.2f} ± {m.half_width:.2f}" for arm, m in means.items())


def verdict(arm):
    """How the learned function compares, paired by seed."""
    gain = paired_interval(scores["learned"], scores[arm])
    side = (
        "above"
        if gain.mean > gain.half_width
        else "below"
        if gain.mean < -gain.half_width
        else "not clearly different from"
    )
    return f"{side} {arm} ({gain.mean:+.2f} ± {gain.half_width:.2f} per seed)".replace("-", "−")


z = wide(spline).first(runs["learned"][0][0], parts[2][0])
density = torch.histc(z.clamp(-3, 3), 40, -3, 3).numpy() / z.numel()
g = best.module()
turns = turning_points(g.values)
within = float(z.abs().quantile(0.95))
busy = int((splines.grid(spline.points, spline.low, spline.high).abs() <= within).sum())
show(
    lambda: gallery.comparison(g, density, scores),
    alt=f"Above: the learned function from -3 to 3, with {turns} turning points, beside ReLU; 95 % of the pre-activations lie within ±{within:.1f}. Below: test scores of {len(seeds)} seeds per "
    f"activation with their means and intervals: {words}.",
    caption=f"Above: the chosen function; shaded: how often it is used where, after training. Below: $R^2$ on test rows, {len(seeds)} seeds, means and 95 % intervals: {words}. The learned function is {verdict('ReLU')} and {verdict('tanh')}.",
    name="fig-own-data",
)
say(
    f"Look at the shaded part: 95 % of the pre-activations lie within ±{within:.1f}, and only {busy} of the {spline.points} control points do. "
    "If so few do the work that the function looks coarse there, make more restarts with `low` and `high` closer to the shaded part. They need not be better: the points are then closer together, and the function may get noisier. Let the validation rows choose."
)

# %% [markdown]
# The interval is over the initial weights. It says nothing of other restarts, or of other samples of your data; where that matters, repeat all of this page with other splits.
#
# ## Use it
#
# The learned function is a `torch.nn.Module` with fixed values, for networks of any width. It works under `torch.autocast` and in half-precision models, and can be exported and compiled.

# %%
g = best.module()
model = torch.nn.Sequential(torch.nn.Linear(3, 256), g, torch.nn.Linear(256, 1))
splines.save(
    "mine.safetensors",
    best.psi,
    low=g.low,
    high=g.high,
    method=g.method,
    learned_on="waves, regression",
    record="",  # of an experiment of this companion
)
again = splines.load_activation("mine.safetensors")

# %% [markdown]
# The file holds the values at the control points and, in its metadata, their range. Elsewhere these lines do without this library:

# %%
with safe_open("mine.safetensors", "pt") as file:
    psi = file.get_tensor("hidden")
    about = json.loads(file.metadata()["spline"])
low, step = about["low"], (about["high"] - about["low"]) / (len(psi) - 1)


def plain(z):
    u = ((z - low) / step).clamp(0, len(psi) - 1)
    k = u.long().clamp(max=len(psi) - 2)  # the control point on the left
    return torch.lerp(psi[k], psi[k + 1], u - k)


z = torch.linspace(-4, 4, 1001)
torch.testing.assert_close(plain(z), g(z))
torch.testing.assert_close(again(z), g(z))

# %% [markdown]
# ## Classification
#
# Targets are then int64 labels, (n,), from 0 to outputs − 1, with the loss `"cross_entropy"`. (For two classes there is also `"logistic"`, with one output and float32 targets 0 and 1, (n, 1).) Another loss needs another learning rate, so
# it is tuned again.

# %%
labels = (y[:, 0] > 0).long()
asked = {
    "parts": split(x, labels),
    "loss": "cross_entropy",
    "score": metrics.accuracy,
    "steps": 500,
}


def classifier(width, activation):
    return Network(inputs=3, outputs=2, width=width, depth=1, activation=activation)


relu = classifier(128, Activation("relu"))
optimiser = tune(relu, **asked)
task = Task(classifier(32, spline), *asked["parts"][0], loss=asked["loss"])
learned = learn([task], settings("relu", optimiser), seed=seed)

arms = {"ReLU": (relu, {}), "learned": (classifier(128, spline), learned.psi)}
accuracies = {"ReLU": [], "learned": []}
for s in seeds[:3]:
    for arm, (network, psi) in arms.items():
        *_, test = fit(network, psi, s, optimiser, **asked)
        accuracies[arm].append(100 * test)

# %% tags=["remove-input"]
words = ", ".join("{} {:.0f} ± {:.0f} %".format(arm, *interval(values)) for arm, values in accuracies.items())
say(f"Is the quantity above its mean? Test accuracy, {len(accuracies['ReLU'])} seeds, one restart: {words}.")

# %% [markdown]
# ## Input activations
#
# If you suspect that single columns act in an irregular way (as in tables), learn a function for each column instead, applied to the raw input. They start as the identity; the hidden layers keep their ReLU.
# Here the target is a wave of the first column and a product of the others, with a learning rate of its own.

# %%
column_target = torch.cos(12 * x[:, :1]) + x[:, 1:2] * x[:, 2:]
asked = {"parts": split(x, column_target), "steps": 500}
columns = Activation("spline", points=40, low=-1, high=1)  # the inputs' range


def with_inputs(width, h):
    return Network(inputs=3, outputs=1, width=width, depth=1, input_activation=h)


relu = with_inputs(128, None)
optimiser = tune(relu, rates=(0.01, 0.03, 0.1), **asked)
narrow = with_inputs(32, columns)
task = Task(narrow, *asked["parts"][0], loss="mse")
learned = learn([task], settings("zeros", optimiser), seed=seed)

arms = {
    "ReLU": (relu, {}),
    "input activations and ReLU": (with_inputs(128, columns), learned.psi),
}
found = {arm: [] for arm in arms}
for s in seeds[:3]:
    for arm, (network, psi) in arms.items():
        *_, test = fit(network, psi, s, optimiser, **asked)
        found[arm].append(test)
h = learned.module("input")  # for inputs (..., 3)

# %% tags=["remove-input"]
words = ", ".join("{} {:.2f} ± {:.2f}".format(arm, *interval(values)) for arm, values in found.items())
say(f"$R^2$ on test rows, {len(found['ReLU'])} seeds, one restart: {words}.")

# %% [markdown]
# ## When it does not help
#
# Where a smooth or monotonic function fits the data, ReLU already does well and a learned function adds little: on [image classification](../notebooks/images.ipynb) all activations are about equal. It does little too where you have too few rows to
# learn anything, or so many rows that a wider network or longer training does the same. And where you know the form of the target, build it in.
#
# The functions that this companion learned for its own experiments are [on the next page](activations.ipynb).

# %% tags=["remove-input"]
Path("mine.safetensors").unlink()
provenance(profile)
