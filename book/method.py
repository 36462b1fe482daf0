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
# # Method
#
# Three tools: a family of activation functions that can take any shape, an algorithm that finds a good one, and a measure of how complex the function of a
# trained network is ([Teney et al., 2025](bibliography.md#teney2025simplicity)). This page explains them beside the code that implements them; what is quoted is read from the library when the page is
# built. Everything plotted here is small and computed on the page.

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
profile = "paper"
seed = 0
data_dir = None

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
import torch

from lib import activations, episodes, metalearning, metrics, splines, training
from lib.metalearning import Settings, Task
from lib.networks import Activation, Network
from lib.training import Optimiser, take, train
from notebooks.paper.experiments.parts import LOSS_OF, load_parts
from notebooks.paper.figures import dial, method
from notebooks.paper.figures import words as page_words
from notebooks.paper.figures.display import provenance, say
from notebooks.paper.records.intervals import spearman

words = page_words.words("figures", "method")


# %% [markdown]
# ## The activation is the dial
#
# A network with random weights already is a function. How complex it is depends on the activation more than on anything else: with ReLU it stays nearly as simple
# whatever the size of the weights, with a function that goes up and down it does not. This is what a learned activation changes. Drag a point of the activation, or take another one.

# %% tags=["hide-input"]
learned = {on: activations.load(name) for on, name in dial.LEARNED.items()}
g = learned["learned on a+b mod 27"]
shown = {
    "ReLU": (Activation("relu"), None),
    "tanh 3z": (Activation("tanh", alpha=3), None),
    "sin 3z": (Activation("sine", alpha=3), None),
    "learned on a+b": (Activation("spline", points=len(g.values), low=g.low, high=g.high), g.values.detach()),
}
drawn, scale = dial.draw(), 3.0
variations = {name: dial.picture(drawn, 0, *of, scale)[1] for name, of in shown.items()}
words.figure("fig-dial", lambda narrow=False: dial.figure(drawn, shown, scale, narrow), explore=("dial", dial.data(drawn, learned)),
             relu=variations["ReLU"], learned=variations["learned on a+b"], width=dial.WIDTH, scale=scale,
             variations="; ".join(f"{name} {value:.2f}" for name, value in variations.items()))  # fmt: skip


# %% [markdown]
# ## The activation is a spline
#
# An activation function $g$ is described by its values $\psi$ at $n_c$ [control points](glossary.md#control-point), evenly spaced in $[a, b]$. Between two of them $g$ is a
# straight line; outside $[a, b]$ it keeps its end values $g(a)$ and $g(b)$. Nothing asks $g$ to be smooth or monotonic. That freedom is the point: a
# family with a simplicity built in could not show where simplicity hurts.
#
# One $g$ is shared by all units of a network. Two variants have one per layer, or one per input column, applied to the raw input before the first
# layer (*input activation functions*, which start as the identity).


# %% tags=["hide-input"]
def target(z):
    return torch.sin(20 * z)


counts, fine = (15, 50, 200), torch.linspace(-1, 1, 4001, dtype=torch.float64)
held = {n: splines.interpolate(fine, target(splines.grid(n, -1, 1)), -1, 1) for n in counts}
errors = {n: float((values - target(fine)).abs().max()) for n, values in held.items()}
control = np.array([0.1, -0.3, 0.5, 0.9, -0.2, 0.3, 0.6])
words.figure("fig-splines", lambda narrow=False: method.interpolations(control, target, counts, narrow), counts=counts,
             errors=", ".join(f"{error:.2g} with $n_c$ = {n}" for n, error in errors.items()))  # fmt: skip


# %% [markdown]
# The range matters as much as the number: control points that no [pre-activation](glossary.md#pre-activation) reaches are never trained, and a steep function needs points
# dense enough to hold it. Restarts of the algorithm try several $n_c$.
#
# ## Algorithm 1
#
# A good activation is one with which a network, *once trained*, does well on data it has not seen. So there are two
# problems, one inside the other:
#
# $$
# \begin{aligned}
# \min_\psi \;& \mathcal{L}_V\big(\theta_{n_{tr}}(\psi), \psi\big) \\
# \text{where}\;\; & \theta_{k+1} = \theta_k - \text{lr} \; \nabla_\theta\, \mathcal{L}_{T'}(\theta_k, \psi)
# \end{aligned}
# $$
#
# The [inner loop](glossary.md#inner-loop) trains the weights $\theta$ on $T'$ with $\psi$ fixed. The [outer loop](glossary.md#outer-loop) moves $\psi$ along the gradient of the loss on
# held-out data $V$. Each [episode](glossary.md#episode) draws a new split and new weights, so that $\psi$ cannot lean on either.
#
# ### The paper's steps beside our lines

# %% tags=["remove-input"]
functions = (metalearning._learn, episodes.unrolled, episodes.inner_loop)
loop, once, inner = (method.Source(function) for function in functions)
words.say(
    "algorithm", start=loop.lines("init_psi"), length=loop.lines("n_tr = min("), split=loop.lines("draw_episode"),
    weights=once.lines("network.init(generator)"), loss=once.lines("loss = outer_loss"),
    training=once.lines("inner_loop(", more=inner.between("with torch.no_grad()", "return theta")),
    step=loop.lines("= gradient(task", "settings.outer.step("), stop=loop.lines("settings.patience * len(tasks)"),
)  # fmt: skip


# %% tags=["remove-input"]
defaults, shape = Settings(), Activation()
words.say("symbols", validation=100 * defaults.validation, unroll=defaults.unroll, points=shape.points, low=shape.low,
          high=shape.high)  # fmt: skip


# %% tags=["remove-input"] fold="The loop as it runs, one restart of the algorithm"
say(
    f"```python\n{loop.rest('for episode')}\n```\n\nThe gradient of an episode:\n\n```python\n{once.rest('leaves')}\n```"
)

# %% tags=["remove-input"]
words.say("worsens", watch=100 * defaults.watch)


# %% [markdown]
# ### The gradient through the last steps
#
# $\mathcal{L}_V$ depends on $\psi$ in two ways: directly, because the trained network evaluates $g$; and through the weights, because every inner step used $g$. Following the
# second way back through *all* steps would need the memory of all of them. The algorithm follows it through the last $t$ and treats $\theta_{n_{tr}-t}$ as a constant. Through these
# steps it is exact: it differentiates the gradients themselves, so it needs second derivatives.

# %% tags=["hide-input"]
words.figure("fig-outer-gradient", method.outer_gradient)


# %% [markdown]
# How much does the truncation lose? For episodes on digits, the gradient through the last $t$ steps beside the one through all steps, computed exactly:

# %% tags=["hide-input"]
parts = load_parts("digits", "regression", split=0, validation=0.1)
spline = Activation("spline", points=50, low=-5, high=5)
small = Network(parts.inputs, parts.outputs, width=16, depth=1, activation=spline)
task = Task(small, parts.train.x, parts.train.y, LOSS_OF["regression"])
n_tr, tails, rates, repeats = 100, (0, 1, 5, 20, 50, 100), (0.05, 0.2), 3


def outer_gradient(t, rate, episode):
    """The outer gradient of one episode through the last t of its steps."""
    settings = Settings(unroll=t, inner=Optimiser("sgd", rate))
    generator = torch.Generator().manual_seed(1000 * seed + episode)
    rows, held_out = episodes.draw_episode(task, settings, torch.arange(len(task.x)), generator)
    held, psi = take((task.x, task.y), held_out), small.init_psi("relu")
    return episodes.unrolled(task, psi, rows, held, n_tr, settings, generator)[1]["hidden"]


# %% tags=["hide-input"]
cosines, said, five = {}, [], tails.index(5)
for rate in rates:
    found = torch.stack([torch.stack([outer_gradient(t, rate, e) for t in tails]) for e in range(repeats)])
    whole = found[:, -1:]  # (episodes, 1, n_c), as cosines and lengths are (episodes, tails)
    cosines[rate] = torch.cosine_similarity(found, whole, dim=2).numpy()
    lengths = (found.norm(dim=2) / whole.norm(dim=2)).numpy()
    cosine, length = cosines[rate][:, five].mean(), lengths[:, five].mean()
    said.append(words.fill("truncated", rate=rate, cosine=cosine, length=length))
words.figure(
    "fig-truncation",
    lambda narrow=False: method.truncation(tails, cosines, narrow),
    episodes=repeats,
    steps=n_tr,
    words="; ".join(said),
)


# %% [markdown]
# With large inner steps the whole gradient is another: it is much longer, because going back through
# many steps of a lively training multiplies many matrices, and the earliest steps come to dominate it. There the truncation does more than save memory: it is not clear that the whole gradient would be the better guide. The
# paper found $t = 5$ to do well, and the first-order variant, $t = 0$, to do worse; the [ablations](../notebooks/ablations.ipynb) try several and do not confirm the latter.
#
# ### What "learned from zeros" means
#
# At $\psi = 0$ the network is a constant: every hidden unit outputs 0, whatever its weights. The inner loop can then train the last bias only. But the
# loss on $V$ still has a gradient in $\psi$, since a bump in $g$ would move the outputs, by the random output weights; the first steps on $\psi$ are made from that. Nothing of a ReLU, or of any other
# known function, is in the start. When such a run ends near a known function, it has found it; when it ends elsewhere, the ReLU start may have
# been a local optimum.

# %% tags=["hide-input"]
inner = Optimiser("sgd", 0.2)
narrow = Network(parts.inputs, parts.outputs, width=32, depth=1, activation=spline)
task = Task(narrow, parts.train.x, parts.train.y, LOSS_OF["regression"])
learned = {}
for count in (5, 15, 40):
    settings = Settings(episodes=count, n_tr_start=20, n_tr_step=5, inner=inner)
    learned[count] = metalearning.learn([task], settings, seed=seed)
psi, watched = learned[40].psi, learned[40].history["watch"]
stages = {count: found.psi["hidden"].numpy() for count, found in learned.items()}
words.figure("fig-from-zeros", lambda narrow=False: method.growth(stages, -5, 5, narrow), last=max(learned),
             stages=", ".join(map(str, learned)), first=watched[0], best=watched[learned[40].best_episode])  # fmt: skip


# %% [markdown]
# ## How complex is a trained network?
#
# ### Total variation along paths
#
# Take two training points of different classes, walk from one to the other in a straight line, and watch the output: how much does it go up and down
# on the way? The [TV complexity](glossary.md#tv-complexity) of a model is this, averaged over paths. From the outputs along a path, the straight line between the two ends is subtracted, because
# the two predictions differ and some change is needed; what is summed is what goes beyond. So a linear model scores exactly 0.
#
# $$
# \begin{aligned}
# \operatorname{TV}(f, T) &= \mathbb{E}_{x_a, x_z} \sum_i |d(x_{i+1}) - d(x_i)| \\
# d(x_i) &= f(x_i) - \ell(x_i)
# \end{aligned}
# $$
#
# where $\ell$ is the line from $f(x_a)$ to $f(x_z)$.


# %% tags=["hide-input"]
def trained(activation, psi, optimiser=inner, steps=400):
    network = Network(parts.inputs, parts.outputs, width=64, depth=1, activation=activation)
    done = train(network, psi, (parts.train.x, parts.train.y), loss="mse", optimiser=optimiser, evaluate_at=[steps],
                 monitor=lambda params: {}, generator=torch.Generator().manual_seed(seed), best=None)  # fmt: skip
    return lambda x: network.forward(done.params, psi, x)


def measured(measure, f):
    return measure(f, parts.train.x, None, generator=torch.Generator().manual_seed(seed), paths=pairs)


models = {"ReLU": trained(Activation("relu"), {}), "learned": trained(spline, psi)}
pairs = metrics.sample_paths(
    parts.train.x, parts.train.labels, generator=torch.Generator().manual_seed(seed), paths=200
)
complexity = {name: measured(metrics.total_variation, f) for name, f in models.items()}

# %% tags=["hide-input"]
# the path on which the two models are, together, nearest to their means
typical = sum((c.per_path / c.mean - 1).abs() for c in complexity.values()).argmin()
ends, own = parts.train.x[pairs[typical]], {name: float(c.per_path[typical]) for name, c in complexity.items()}
walk = torch.lerp(ends[:1], ends[1:], torch.linspace(0, 1, 100)[:, None])
panels = [(name, f(walk)[:, 0].detach().numpy(), own[name]) for name, f in models.items()]
start, end = parts.train.labels[pairs[typical]].tolist()
words.figure("fig-paths", lambda narrow=False: method.paths(panels, narrow), start=start, end=end, paths=len(pairs),
             means=", ".join(f"{name} {c.mean:.2f} ± {c.standard_error:.2f}" for name, c in complexity.items()),
             own=", ".join(f"{name} {variation:.2f}" for name, variation in own.items()))  # fmt: skip


# %% [markdown]
# The defaults are the paper's: 200 paths, 100 points each, and, for models with several outputs, one output drawn at random per path. Values of different datasets
# cannot be compared, because the distances between their points differ.
#
# #### Against a known answer
#
# A sine of $m$ whole periods along a path starts and ends at 0, so nothing is subtracted; each period goes up by 1, down by 2 and up by 1. Its total variation is $4m$.

# %% tags=["remove-input"] fold="The total variation of sines, measured and exact"
x, y = torch.tensor([[0.0], [1.0]], dtype=torch.float64), torch.tensor([0, 1])
rows = []
for m in (1, 3, 10, 25):

    def sine(x, m=m):
        return torch.sin(2 * torch.pi * m * x)

    few, many = (metrics.total_variation(sine, x, y, generator=torch.Generator(), points=n).mean for n in (100, 1000))
    rows.append((m, 4 * m, f"{few:.2f}", f"{many:.2f}"))
columns = ["periods $m$", "exact, $4m$", "100 points", "1,000 points"]
words.table("tab-sines-known", pd.DataFrame(rows, columns=columns))


# %% [markdown]
# ### The Fourier measure
#
# The paper validates total variation against a measure from *Neural Redshift* ([Teney et al., 2024](bibliography.md#teney2024redshift)): the mean frequency of the function, weighted by amplitude. There it is computed on a grid over
# the input space, which cannot be had beyond a few dimensions. Here it is taken along the same paths. The outputs $f_0, \dots, f_{n-1}$ of a path are extended by their mirror image, so that they close a
# period without a jump; the mean is subtracted; and with $F_k$ the discrete Fourier transform of that, it is
#
# $$
# \frac{\sum_k |k| \, |F_k|}{\sum_k |F_k|}
# $$
#
# in cycles per path, averaged over paths.
#
# We should say how this definition came about: there are several ways to carry the measure over to paths (with or without the mirror image, with the straight line or the mean subtracted), and
# we took the one that agreed with total variation on tanh networks of growing slope. Its agreement with total variation on such networks is therefore no independent evidence. The reasons for not
# taking the others are in the docstring of `fourier_complexity`, in `lib/metrics.py`.

# %% tags=["hide-input"]
slopes = 2.0 ** np.arange(-3, 3.5, 0.5)
models = [trained(Activation("tanh", alpha=float(a)), {}, Optimiser("sgd", 0.1 / float(a)), steps=200) for a in slopes]
variation, frequency = (
    [measured(measure, f).mean for f in models] for measure in (metrics.total_variation, metrics.fourier_complexity)
)
agreement = spearman(variation, frequency)
words.figure("fig-measures", lambda narrow=False: method.measures(slopes, variation, frequency, narrow), models=len(models),
             value=agreement.value, low=agreement.low, high=agreement.high)  # fmt: skip


# %% [markdown]
# ## Training, once the activation is fixed

# %% tags=["remove-input"]
words.say("once-fixed", averaged=training.AVERAGED_STEPS)


# %% tags=["remove-input"]
provenance(profile)
