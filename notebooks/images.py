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
# # Image classification
#
# Which activation function does image classification want, and does it matter?

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

# %% tags=["remove-input"]
from notebooks.paper import claims, sections
from notebooks.paper.figures import explore, limits, samples
from notebooks.paper.figures import words as page_words
from notebooks.paper.figures.display import folded, provenance, say
from notebooks.paper.figures.looks import name_of
from notebooks.paper.images import by_depth, figures, shown, tables
from notebooks.paper.images.plan import PLANS

words = page_words.words("images")
read = sections.reader(profile, data_dir)
results = read("images")
finals, tuning = tables.finals(results), results.frame(role="tuning")
summaries = tables.summaries(finals, tuning)
tuned = summaries["the tuned optimiser"]
at_depths = by_depth.compared(results, read("full"))  # CIFAR-10 with all of its images, once that is complete
at_depths = at_depths if len(at_depths) else tables.depth_runs(results)
deep, seeds = tables.at_best_depth(at_depths), finals.seed.nunique()

# %% [markdown]
# ## In short

# %% tags=["remove-input"]
near = tuned[tuned.gain.abs() <= 0.01]
words.say("answer", headline=words.headline(shown.headline(tuned)), near=len(near), total=int(tuned.gain.count()),
          others=shown.in_words(tuned.drop(near.index)) or "none")  # fmt: skip
c1 = claims.finding(claims.by_name("C1"), read)
nearer = [one for one in c1.conditions if one.name == "nearer to GELU than ReLU is"]
if nearer:
    distances = ", ".join(f"{one.where} {one.value:.2f}" for one in nearer)
    words.say("answer-shape", nearer=sum(one.holds for one in nearer), data=len(nearer), distances=distances)
if len(deep):
    words.say(
        "answer-deep", better=shown.briefly(shown.sorted_out(deep)[0]), worse=shown.briefly(shown.sorted_out(deep)[1])
    )
words.say("sure", seeds=seeds)
say(claims.badges("images", read))

# %% tags=["hide-input"]
words.figure("fig-gains-images", lambda narrow=False: figures.gains(summaries, (-1, 1), narrow),
             seeds=seeds, near=len(near), total=int(tuned.gain.count()), tuned=shown.in_words(tuned))  # fmt: skip

# %% tags=["remove-input"]
words.say("scale-full" if profile == "paper" else "scale-smoke", data=shown.sizes(finals), seeds=seeds,
          width=finals["network.width"].iloc[0], restarts=results.frame("learn").seed.nunique())  # fmt: skip
if results.missing:
    words.say("missing", missing=results.missing_in_words())
lacking = [name_of(data) for data in PLANS[profile].more if data not in set(finals.data)]
if lacking:
    words.say("not-run", data=", ".join(lacking))

# %% [markdown]
# ## What the paper says
#
# For image classification all activations do about equally well
# ([C1](../book/claims.ipynb#c1)): starting from a ReLU, [Algorithm 1](../book/method.ipynb) ends at a smooth variant that resembles a GELU; starting from zeros it finds a
# wavelet-like function that performs as well. In the paper accuracy does not go with complexity
# ([C3](../book/claims.ipynb#c3)). The [simplicity bias](../book/glossary.md#simplicity-bias) of ReLU networks suits this domain ([Teney et al., 2025](../book/bibliography.md#teney2025simplicity)).
#
# ## The data

# %% tags=["hide-input"]
images = {data: samples.images(data) for data in finals.data.unique()}
words.figure("fig-data-images", lambda narrow=False: samples.grid(images, narrow),
             names=", ".join(map(name_of, images)))  # fmt: skip

# %% [markdown]
# ## Live: learn an activation in a few seconds
#
# A small run on scikit-learn's 8×8 digits, computed on this page. Each of the [episodes](../book/glossary.md#episode) of [Algorithm 1](../book/method.ipynb) draws fresh weights
# and a fresh split, trains a network of 32 hidden units for a growing number of steps, and moves the 50 control
# values of the activation along the gradient of the held-out loss.

# %%
from dataclasses import replace

from lib import metalearning
from lib.metalearning import Settings, Task
from lib.networks import Activation, Network
from lib.training import Optimiser
from notebooks.paper.experiments.parts import LOSS_OF, load_parts, use

task, inner = "classification", Optimiser("sgd", 0.2)
parts = load_parts("digits", task, split=0, validation=0.1)
spline = Activation("spline", points=50, low=-5, high=5)
network = Network(parts.inputs, parts.outputs, width=32, activation=spline)
data = Task(network, parts.train.x, parts.train.y, LOSS_OF[task])
learned = {}
for start in ("relu", "zeros"):
    settings = Settings(init=start, episodes=40, n_tr_start=20, n_tr_step=5, inner=inner)
    learned[start] = metalearning.learn([data], settings, seed=seed)

# %% [markdown]
# Used as fixed activations in a fresh, wider network:


# %% tags=["hide-input"]
def tested(activation, psi):
    """Train a fresh network; its test accuracy in % at the step that is best on validation rows."""
    wide, evaluate_at = replace(network, width=64, activation=activation), range(0, 301, 20)
    best = "validation_accuracy"
    done = use(wide, psi, parts, task, optimiser=inner, evaluate_at=evaluate_at, seed=seed, best=best)
    return 100 * done.history["test_accuracy"][done.history["step"].index(done.best_step)]


scores = {"ReLU": tested(Activation("relu"), {})} | {start: tested(spline, run.psi) for start, run in learned.items()}

# %% tags=["hide-input"]
names = {"relu": "learned from ReLU", "zeros": "learned from zeros"}
curves = {names[start]: (run.psi["hidden"], run.history["outer"]) for start, run in learned.items()}
losses = learned["zeros"].history["outer"]
words.figure("fig-live-images", lambda narrow=False: figures.live(curves, narrow), first=losses[0], last=losses[-1],
             scores=", ".join(f"{names.get(arm, arm)} {score:.1f} %" for arm, score in scores.items()))  # fmt: skip

# %% [markdown]
# ## Results in detail
#
# ### Accuracy
#
# As in the paper (Appendix E.1), optimiser and learning rate are tuned with ReLU, on [validation data](../book/glossary.md#validation-data), once per dataset,
# and then used for every activation, inside Algorithm 1 too. The choice of the optimiser moves the accuracy more than the activation does; for
# [regression](regression.ipynb) the comparison is made with plain gradient descent as well.

# %% tags=["hide-input"]
folded(
    "Test accuracy in %, one hidden layer, and in brackets points over ReLU", shown.accuracy_table(summaries, tuning)
)
if at_limit := limits.of_fixed_steps(results):
    say(at_limit)
folded("How far training accuracy is ahead of test accuracy at the best steps, in points", shown.gaps_table(results))
folded("The optimiser, tuned with ReLU: validation accuracy in %, one seed", tables.tuning_table(tuning))

# %% [markdown]
# ### The learned functions

# %% tags=["hide-input"]
functions, distances = tables.functions(results)
if len(functions):
    drawn = shown.as_grid(functions, tables.tuned(results))
    words.figure("fig-functions-images", lambda narrow=False: figures.functions(drawn, narrow),
                 distances=shown.from_gelu(distances))  # fmt: skip
if names := shown.constant(functions):
    words.say("constant", names=names)
folded("Distance of each function from GELU and ReLU: 0 is equality, 1 no better than a constant", distances)

# %% [markdown]
# To be nearer to GELU than to ReLU is weak evidence for a resemblance: a large input scale makes a GELU as sharp as a ReLU, so the scaled GELUs contain ReLU as their limit.


# %% [markdown]
# ### Accuracy against complexity
#
# Complexity is the [total variation](../book/method.ipynb) along paths between training points of different classes.

# %% tags=["hide-input"]
runs = tables.main_runs(results)
correlations = tables.correlations(runs)
dots = runs[~tables.nearly_constant(runs)]
moving = ("complexity", explore.complexity(runs, results.records, explore.training_run))
words.figure(
    "fig-tv-images", lambda narrow=False: figures.best_steps(dots, correlations, narrow), explore=moving,
    correlations="; ".join(f"{name_of(data)} {found}" for data, found in correlations.items()),
    above=sum(one.low > 0 for one in correlations.values()), total=len(correlations),
)  # fmt: skip

# %% [markdown]
# [Regression](regression.ipynb#accuracy-against-complexity) has the correlations of both over all steps and depths, by which [C3](../book/claims.ipynb#c3) is decided.

# %% [markdown]
# ### Other depths
#
# The same activations, learned with one hidden layer, in deeper, residual networks; and, with two hidden layers, one activation learned for each layer.

# %% tags=["hide-input"]
deeper, at_depth = tables.gains_by_depth(results), tables.by_depth(results)
if len(deeper):
    words.figure("fig-depth-images", lambda narrow=False: figures.by_depth(deeper, at_depth, narrow),
                 data=deeper, seeds=int(deeper.n.min()), words=shown.in_words(deep), **shown.counts(deeper))  # fmt: skip
    folded(
        "Each activation at the depth that validation rows choose for it, against ReLU at its own, in %",
        shown.depth_table(deep),
    )

# %% [markdown]
# ## Against the paper
#
# The paper's Figure 2a is a plot without numbers. The text says (Section 3.1): “Differences are small. The learned activations only improve slightly on svhn and cifar.”

# %% tags=["remove-input"]
say(claims.section("images", read))

# %% [markdown]
# ## The deciding numbers, straight from the records
#
# Those of C1 again, without the code of the verdicts: a few lines of pandas over the configurations and numbers of the records.

# %% tags=["hide-input"]
import pandas as pd

from notebooks.paper.figures.display import table

runs = pd.concat([results.frame(), read("full").frame()])
runs = runs[runs.role.isin(["final", "depth"]) & (runs.data != "cifar10")]  # of CIFAR-10 all images count
several = runs.groupby(["data", "arm", "seed"])["network.depth"].transform("nunique") > 1
scores = runs[several].groupby(["data", "arm", "network.depth"]).validation_accuracy.mean().unstack()
runs = runs[
    runs["network.depth"] == scores.idxmax(axis=1).reindex(pd.MultiIndex.from_frame(runs[["data", "arm"]])).array
]
wide = runs.pivot_table(index=["data", "seed"], columns="arm", values="test_accuracy")
gain = 100 * wide.drop(columns="ReLU").sub(wide["ReLU"], axis=0)
found = gain.groupby("data").agg(lambda part: f"{part.mean():.2f} ± {part.sem():.2f}")
table(
    found.rename(index=name_of).reset_index(),
    caption="Points of test accuracy over ReLU, each at its best depth, paired by seed: mean and standard error.",
)

# %% [markdown]
# ## What differs from the paper, and why
#
# - CIFAR-10 is its first 20,000 training images in the figures; C1 and “the depth that validation rows choose” take all 50,000, with a patience in place of a fixed number of steps.
# - The paper's base is a network with three layers, and its main results take the depth that is best for each activation. Here most figures of this page are about **one
#   hidden layer**; C1 is about the best depth of each activation, which has a section of its own above.
# - CIFAR-10 has batches of 1,024 and five of the ten candidates for the optimiser.
# - Deeper networks use the activations learned with one hidden layer; the layer-specific ones are learned with two, from a ReLU.
# - SVHN is not run: the data were not at hand. With `svhn.npz` or a download in the data directory, `make results SECTION=images` runs it.
# - Only the tuned optimiser is used, and the learning takes fewer episodes than for regression: scaled down to afford both.
# - Width, number of steps and the grid of learning rates are not in the paper; ours are at [the top](#in-short).
# - The outer optimiser is Adam, and some rows are watched that no episode draws, to stop in time. See [departures](../book/departures.ipynb).
#
# ## Recompute
#
# `make results SECTION=images` computes what is missing.

# %% tags=["remove-input"]
provenance(profile, records=results.records)
