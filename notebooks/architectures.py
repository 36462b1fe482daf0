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
# # Beyond the paper: is it about MLPs?
#
# The paper learns activations for MLPs only, and leaves other architectures open. Does a transformer gain from a learned activation on a task where MLPs do, and a convolutional network on images?

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
from notebooks.paper import sections
from notebooks.paper.architectures import figures, tables
from notebooks.paper.architectures.plan import ARMS, PLANS
from notebooks.paper.figures import words as page_words
from notebooks.paper.figures.display import provenance, say

words = page_words.words("architectures")
results = sections.results("architectures", profile, data_dir)
found = tables.collect(results, profile)
studies = list(PLANS[profile].values())
seeds, pairs = len(studies[0].seeds), next((result for result in found.values() if result.study.pairs), None)

# %% [markdown]
# ## In short

# %% tags=["remove-input"]
if found:
    say(tables.answer(found))
    words.say("sure", seeds=seeds)
else:
    words.say("not-yet")

# %% tags=["hide-input"]
if found:
    rows = tables.differences(found)
    each = "; ".join(f"{name} {result.difference('ReLU')}" for name, result in found.items())
    words.figure(
        "fig-differences",
        lambda narrow=False: figures.differences(rows, narrow),
        data=rows,
        seeds=seeds,
        differences=each,
        better=[result.verdict("ReLU") for result in found.values()].count("better"),
        total=len(found),
    )

# %% tags=["remove-input"]
about = {"seeds": seeds, "restarts": studies[0].restarts}
if profile == "paper":
    words.say("scale", **about, width=studies[0].subject.width, images=studies[1].subject.rows, channels=studies[1].subject.width,
              more=2 * studies[1].subject.width, records=len(results.records), hours=tables.hours(results))  # fmt: skip
else:
    words.say("scale-smoke", **about)
if results.missing:
    words.say("missing", missing=results.missing_in_words())

# %% [markdown]
# ## What is compared
#
# **A transformer** of one layer reads the sequence $a\ b\ {=}$ and answers at $=$; the activation is that of its MLP block. It trains on half of the pairs of $a+b \bmod 27$, all in a step; 30 % of the pairs are for all choices, 20 % are for the test.
# **A small convolutional network** has two convolutions, each followed by the activation, and a linear layer. Both train with cross-entropy and Adam, without weight decay.
#
# The activation is learned as `learn_activation` does it ([Your own data](../book/own_data.ipynb)): functions race in short trainings, and Algorithm 1 begins at the best of them. Against it: ReLU, GELU, and the best function made by hand that the same races find (for the
# transformer the best sine). Each has its own rate, of a grid that is widened until the best is inside. Algorithm 1 and not the race alone gives the learned function, also where its start did better.
#
# The rule was written before any run (`notebooks/paper/architectures/rule.toml`): better means that the mean difference over seeds and the lower end of its 95 % interval are above zero; for the transformer of the logarithm of the steps to 95 % test accuracy, where a run that does not get there
# counts with its last step, which makes a ratio a bound. Sizes and the grid of the transformer's rates were changed later; the same file says when, and what had been seen.
#
# ## The transformer

# %% tags=["hide-input"]
if pairs:
    arrived = ", ".join(f"{arm} {pairs.arrived(arm)} of {seeds}" for arm in ARMS)
    words.figure(
        "fig-transformer",
        lambda narrow=False: figures.curves(pairs, narrow),
        task=pairs.study.subject.data,
        last=pairs.study.steps,
        seeds=seeds,
        arrived=arrived,
    )

# %% tags=["remove-input"]
if pairs and not pairs.timed:
    fitted = float(pairs.finals["ReLU"].train_steps_to_95.median())
    about = {"last": pairs.study.steps, "steps": 60_000, "runs": len(ARMS) * seeds}
    if fitted > 0:  # NaN where ReLU does not fit the training pairs
        words.say("needed", fitted=fitted, hours=tables.hours_of(pairs, 60_000), **about)

# %% [markdown]
# ## All numbers

# %% tags=["hide-input"]
if found:
    words.table("tab-architectures", tables.comparison(found), seeds=seeds)

# %% tags=["hide-input"] fold="Rates, and accuracy in training and test"
if found:
    words.table("tab-architecture-details", tables.details(found), seeds=seeds)

# %% tags=["remove-input"]
if found and (limits := tables.limits(found)):
    words.say("limits", limits="; ".join(limits))

# %% [markdown]
# ## What was learned

# %% tags=["hide-input"]
if found:
    better, total = tables.gains_of_learning(found)
    words.figure(
        "fig-architecture-functions",
        lambda narrow=False: figures.functions(found, results, narrow),
        better=better,
        total=total,
    )

# %% tags=["hide-input"] fold="All restarts"
if found:
    words.table("tab-architecture-restarts", tables.restarts(found))

# %% [markdown]
# ## What this is not
#
# - One layer and few images: these networks are far from those in use, and none has normalisation, dropout or weight decay. Weight decay is known to bring transformers to generalise sooner on such tasks.
# - Intervals are over seeds of one learned function; learning again may give another. Rates and restarts are chosen by one training each.
# - The seeds of the transformer share their pairs; those of the images have other training and validation images each.
#
# ## Recompute
#
# `make results SECTION=architectures` computes what is missing.

# %% tags=["remove-input"]
provenance(profile, records=results.records)
