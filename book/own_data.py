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
# Put any table into the first visible cell of code and run the rest: it learns an activation function for the table, compares it with ReLU on rows that had no part in any choice, draws it, and saves it for PyTorch.
# It asks one question: does a network do better on *your* task with another activation than ReLU? The answer may well be no, and then the result is "keep ReLU". Below: the same by hand, any other model, and [what to expect](#what-to-expect).

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
import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import safe_open
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from lib.activations import find
from lib.estimators import LearnedActivationClassifier, LearnedActivationRegressor
from lib.metalearning import Settings, Task, learn
from lib.modules import learn_activation
from lib.networks import Activation, Network
from lib.splines import Spline
from lib.training import Optimiser, train
from notebooks.paper.figures import own_data
from notebooks.paper.figures import words as page_words
from notebooks.paper.figures.display import provenance

# %% [markdown]
# ## A table
#
# A pandas DataFrame `X` as it comes (numbers, booleans, categories, texts, gaps) and a target `y`. Here: 1,000 noisy measurements of a quantity that rises and falls several times along two directions, as in an interference pattern; at one site it is higher, and
# some values are missing.

# %%
rng = np.random.default_rng(seed)
X = pd.DataFrame(rng.uniform(0, 10, (1000, 3)), columns=["angle", "depth", "speed"])
y = np.cos(1.8 * X["angle"] + 0.9 * X["depth"])
y += np.cos(1.8 * X["speed"] - 1.3 * X["depth"])
X["site"] = rng.choice(["north", "south"], len(X))
y += 0.5 * (X["site"] == "south") + 0.05 * rng.normal(size=len(X))
X.loc[rng.random(len(X)) < 0.02, "speed"] = np.nan

# %% [markdown]
# ## Learn and compare
#
# The estimators are scikit-learn's in all respects (pipelines, grid search, cross-validation). `fit` first tunes the learning rate of ReLU and tanh; then it learns functions by [Algorithm 1](method.ipynb) in narrow networks, from the best starts of a race among simple and random functions, trains full networks with each from scratch, and takes what does best on a fifth of the rows that
# it set aside. Where no function beats the baselines there, it keeps the best of these (`fallback=True`). `verbosity=1` shows the progress with the remaining time.

# %%
classes = y.nunique() <= 20
Estimator = LearnedActivationClassifier if classes else LearnedActivationRegressor
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.4, random_state=seed)
model = Estimator(restarts=2, episodes=40, episode_steps=100, steps=1500, random_state=seed)
model.fit(X_train, y_train)
print("chosen:", model.chosen_)
print("scores on validation rows:", {arm: round(score, 3) for arm, score in model.baseline_scores_.items()})
print("gain there:", round(model.gain_, 3), *model.problems_, sep="\n")

# %% [markdown]
# The gain on validation rows is flattered, since the best of several functions was chosen there. `compare` trains each arm anew with other seeds, and scores it on the test rows. Its intervals are over initial weights; for other samples of your data, use cross-validation.

# %%
scores = model.compare(X_test, y_test, seeds=5)
scores.round(3).transpose()

# %% tags=["hide-input"]
words = page_words.words("figures", "own_data")
gain, half_width = scores.loc["learned", ["gain", "gain_half_width"]]
words.figure("fig-own-data", lambda narrow=False: own_data.learned(model, narrow), seeds=5, low=model.activation_.low, high=model.activation_.high, outside=100 * model.coverage_["hidden"],
             side=own_data.side(gain, half_width), gain=own_data.gain_in_words(gain, half_width),
             score="accuracy" if classes else "$R^2$")  # fmt: skip

# %% [markdown]
# - `model.problems_` is empty if all is well. It names columns that were left out, inputs that are not scaled, ranges that are too narrow, trainings that were still improving, and says "keep relu" where that is the result.
# - The range comes from the pre-activations of a trained ReLU network (`low="auto"`), the scaling of columns from their ranks (`scaling="quantile"`), which also tames skewed ones.
# - More `restarts` and `episodes` cost time and help: runs differ much. `n_jobs` makes restarts in parallel, `time_limit` ends the search after so many seconds.
#
# ## Use it
#
# `model.predict` takes further rows of the table. The function itself is a `torch.nn.Module` with fixed values, for networks of any width, and a file keeps it with its range and what it was learned on.

# %%
g = model.activation_
network = nn.Sequential(nn.Linear(3, 256), g, nn.Linear(256, 1))
g.save("mine.safetensors", learned_on="waves, regression")
again = Spline.load("mine.safetensors")
trained = model.to_torch()  # takes model.inputs(X)

# %% [markdown]
# Elsewhere these lines read the file without this library:

# %%
with safe_open("mine.safetensors", "pt") as file:
    psi = file.get_tensor("hidden")
    text = json.loads(file.metadata()["activation"])["functions"]
about = json.loads(text)["hidden"]
low, step = about["low"], (about["high"] - about["low"]) / (len(psi) - 1)


def plain(z):
    u = ((z - low) / step).clamp(0, len(psi) - 1)
    k = u.long().clamp(max=len(psi) - 2)  # the control point on the left
    return torch.lerp(psi[k], psi[k + 1], u - k)


z = torch.linspace(-4, 4, 1001)
torch.testing.assert_close(plain(z), g(z), rtol=0, atol=1e-4)  # rounding, times the slope of a steep function
torch.testing.assert_close(again(z), g(z))

# %% [markdown]
# ## Input activations
#
# If single columns act in an irregular way, as in many tables, learn an [input activation](glossary.md#input-activation-function) for each numeric column instead, a function that is applied to the scaled input: `where="input"` (or `"both"`). They start as the identity, and the hidden units keep their ReLU. Each knows the name and the scaling of its column, in a file too: `lib.columns.columns_for(g, table)` makes what it takes from another copy of the table.

# %%
columns = Estimator(
    where="input", baselines=(), restarts=1, episodes=20,
    episode_steps=100, steps=1000, random_state=seed,
)  # fmt: skip
columns.fit(X_train, y_train)
print(columns.chosen_, round(columns.gain_, 3), *columns.input_activations_)

# %% [markdown]
# ## By hand
#
# What `fit` does, without the estimator. The library wants tensors: inputs in float32, (n, inputs), scaled; for regression, standardised targets (n, outputs); for classes, int64 labels (n,) and the loss `"cross_entropy"`. Training rows are what weights and functions are learned from,
# validation rows what every choice is made on.

# %%
x = model.inputs(X_train)
if classes:
    codes = pd.factorize(y_train, sort=True)[0]
    target, loss = torch.as_tensor(codes), "cross_entropy"
else:
    scaled = (y_train - y_train.mean()) / y_train.std()
    target = torch.tensor(scaled.to_numpy(), dtype=torch.float32)[:, None]
    loss = "mse"
held = len(x) // 5  # rows for validation; train_test_split has shuffled them

# %%
outputs = int(target.max()) + 1 if classes else 1
spline = Activation("spline", points=50, low=g.low, high=g.high)
narrow = Network(inputs=x.shape[1], outputs=outputs, width=32, activation=spline)
task = Task(narrow, x[held:], target[held:], loss)
settings = Settings(
    init="relu", episodes=30,
    n_tr_start=100, n_tr_step=0,  # all episodes equally long
    inner=Optimiser("adam", model.learning_rate_["relu"]),
    outer=Optimiser("adam", 0.05),
)  # fmt: skip
said = []
learned = learn([task], settings, seed=seed, report=said.append)
print(*said[::10], *learned.problems, sep="\n")

# %% [markdown]
# A report has the episode; `n_tr`, the steps for which its network was trained; `V`, its loss after that on rows that this episode held out; and `watched`, the loss on the tenth of the rows that no episode draws. The function is kept at which `watched`, averaged over five episodes, is lowest. Where learning works
# both fall, with much noise: each episode has other weights and other rows. On a GPU, `lib.replicas.learn_replicas([task], settings, seeds=range(8))` runs restarts as one batch, on the device of the task's data.
#
# `train` then fits a network of the final size from scratch. It calls `monitor` at the steps `evaluate_at` with the weights averaged over the last 50 steps, and keeps the step at which the number named by `best` is highest. Choose between restarts by it, not by the losses inside Algorithm 1, which are those of other networks.

# %%
wide = Network(inputs=x.shape[1], outputs=outputs, width=128, activation=spline)


def monitor(params):
    value = wide.loss(params, learned.psi, x[:held], target[:held], loss)
    return {"minus loss": -float(value)}


done = train(
    wide, learned.psi, (x[held:], target[held:]), loss=loss,
    optimiser=settings.inner, evaluate_at=range(0, 1001, 50),
    generator=torch.Generator().manual_seed(seed),
    monitor=monitor, best="minus loss",
)  # fmt: skip
print("best step:", done.best_step)

# %% [markdown]
# ## Any module
#
# `learn_activation` does the same for any `torch.nn.Module`: give it a function that makes a fresh model with the activation `g` in it, wherever that is, and as often as you like. Here, a small convolutional network with batch normalisation on 8×8 digits; a GRU or a transformer layer works as well
# (attention runs by the kernel that has a second derivative, recurrent layers without cuDNN). `channels=8` would learn one function per channel. Data on a GPU are learned on there (not tested here, where there is none).

# %%
digits = load_digits()
images = torch.as_tensor(digits.images[:600, None] / 16, dtype=torch.float32)
labels = torch.as_tensor(digits.target[:600])


def make_model(g):
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), g, nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(72, 10),
    )  # fmt: skip


# %%
small = Settings(
    episodes=5, n_tr_start=20, n_tr_step=0, batch=128,
    inner=Optimiser("adam", 0.01), outer=Optimiser("adam", 0.05),
)  # fmt: skip
learned = learn_activation(make_model, images, labels, loss="cross_entropy", settings=small, restarts=1)
for arm, losses in learned.losses.items():
    print(f"{arm}: loss {np.mean(losses):.3f} on held-out rows")
print(learned.module(), *learned.problems, sep="\n")

# %% [markdown]
# Five episodes only show that it runs. Without `settings` the rate is tuned with ReLU first and 60 episodes are made. `losses` are of three models each, trained from scratch, on a fifth of the rows that learning never sees: where ReLU is no worse, `problems` says so.
#
# ## What to expect
#
# Small budgets on the tables of this companion and those that come with scikit-learn: what learned activations, hidden or input, are worth beside ReLU and tanh, and what boosted trees or a linear model do instead. Test scores (accuracy in %; $R^2$ for diabetes), 3 seeds. Intervals are over these seeds alone: where test rows are few, as for wine, a single row can make a gain. `python -m benchmarks.tables` measures all of it anew.

# %% tags=["remove-input"]
if measured := own_data.measured():
    words.table("tab-what-to-expect", own_data.scores(measured))
    words.say("in-sum", **own_data.in_sum(measured))

# %% [markdown]
# ## When it does not help
#
# Where a smooth or monotonic function fits the data, ReLU already does well and a learned function adds little: on [image classification](../notebooks/images.ipynb) all activations are about equal. It does little too where you have too few rows to
# learn anything, or so many rows that a wider network or longer training does the same. And where you know the form of the target, build it in.
#
# Functions that were learned for the experiments of this companion are [on the next page](activations.ipynb); `find()` lists them, the largest gains in test accuracy over ReLU first (1 is all of it):

# %%
find(kind="hidden", min_gain=0.5)[["data", "depth", "width", "gain"]].round(2).head(3)

# %% tags=["remove-input"]
Path("mine.safetensors").unlink()
provenance(profile)
