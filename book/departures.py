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
# # Departures from the paper
#
# A reproduction is a sequence of choices. This page lists ours: first the larger ones, with their reasons, then every place in the library where the
# code does something else than the paper, or something that the paper leaves open. No code of the authors is public, so all of it was written from the text.

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
from dataclasses import replace

import pandas as pd

from book.press import departures
from lib.datasets import catalogue
from notebooks.paper import sections
from notebooks.paper.experiments import committed
from notebooks.paper.figures import words as page_words
from notebooks.paper.figures.display import provenance, say
from notebooks.paper.figures.looks import name_of, optimiser
from notebooks.paper.grokking.plan import PLANS as GROKKING
from notebooks.paper.images.plan import CLASSIFICATION_EPISODES, longer_regression
from notebooks.paper.images.plan import PLANS as IMAGES
from notebooks.paper.sections import SECTIONS

words = page_words.words("figures", "departures")


# %% [markdown]
# ## Data
#
# ### Which copies
#
# Some datasets are reduced copies of the official ones: fewer rows, with the official test set kept apart in the same way. Every
# record carries the hash of the data that it saw, and a run on another copy makes another record.

# %% tags=["remove-input"]
names = [*catalogue.IMAGES, *catalogue.TABLES]
rows = {name: found for name in sorted(names, key=str.lower) if (found := committed.rows(name))}
kind = {name: "training images" if name in catalogue.IMAGES else "rows" for name in rows}
reduced = {name: words.fill("one-reduced", name=name_of(name), here=here, official=official, of=kind[name])
           for name, (here, official) in rows.items() if here != official}  # fmt: skip
lists = {"whole": [name for name in rows if name not in reduced]}
lists["other-rows"] = [name for name in ("covertype", "Higgs") if name in reduced]
lists["absent"] = [name for name in names if name not in rows]
if reduced:
    words.say("reduced", rows="\n".join(reduced.values()))
for part, found in lists.items():
    if found:
        words.say(part, names=", ".join(map(name_of, found)))
if "cifar10" in reduced:
    words.say("cifar")


# %% [markdown]
# ### One split per algorithmic task
#
# The paper trains on a random 80 % of all pairs of operands and tests on the rest. Here that split is *one and the same* when the activation is learned and when the
# final networks are trained. With a new split per run, pairs that are test pairs of a final run could have been seen by
# Algorithm 1. So $\psi$ never saw a test pair, and the seeds of the final runs change the initial weights only.
#
# ### Test data
#
# Images keep their official test sets, and $\psi$ never sees a test row. The one exception is deliberate: the ablation that the paper calls cheating.
#
# Rows for validation are held out of the training set before anything is learned, and the choice among restarts is made on them. The final runs on images, however, hold out other
# rows, a new tenth for each seed, to choose the step at which they stop: $\psi$ was learned from most of those. So do the final runs on collages.

# %% tags=["remove-input"]
leads = []
for section in ("images", "regression"):
    runs = sections.results(section, "paper", data_dir).frame(role="final")
    if len(runs):
        lead = runs.validation_accuracy - runs.test_accuracy
        lead = lead.groupby([runs.data, runs["optimiser.name"], runs.arm]).mean().unstack()
        leads.append(lead.drop(columns="ReLU").sub(lead["ReLU"], axis=0).stack())
if leads:
    leads = 100 * pd.concat(leads)
    words.say("lead", low=leads.min(), high=leads.max(), count=len(leads))


# %% [markdown]
# ## Algorithm 1
#
# ### The outer optimiser is Adam
#
# The paper takes plain gradient steps on $\psi$, with restarts over $\eta$ in $[0.01, 0.2]$, and found no optimiser to be consistently better. Our $\psi$ is moved by
# Adam, at smaller rates: its steps do not depend on the size of the gradients, which differs by orders of magnitude between tasks and
# between the first episode and the last. The [ablations](../notebooks/ablations.ipynb) compare: what the choice changes there is of the size of what restarts differ by.
#
# ### Watched rows
#
# The paper stops when the loss on the episodes' validation set worsens. That set is drawn afresh in each episode, so every row serves as training in some episode, and
# $\psi$ can [overfit rows](glossary.md#meta-overfitting) in a way that this loss does not show. Here a fraction of the rows is
# [watched](glossary.md#watched-rows): no episode draws them, and the run stops, and keeps its best $\psi$, by them.
#
# ### Length of the learning
#
# The paper does not say how many episodes and inner steps it takes. Ours are set by what a few hours on two processor cores allow:


# %% tags=["remove-input"]
images = IMAGES["paper"]
fewer = replace(images.learning, episodes=CLASSIFICATION_EPISODES["paper"])
plans = {
    "Images, classification": replace(images, learning=fewer),
    "Images, regression": images,
    "Images, regression on CIFAR-10": longer_regression(images),
    "Grokking": GROKKING["paper"],
}
lines = []
for name, plan in plans.items():
    s = plan.learning
    last = min(s.n_tr_start + s.n_tr_step * (s.episodes - 1), s.n_tr_max)
    numbers = {"last": last, "restarts": len(plan.restarts), "seeds": len(plan.seeds)}
    lines.append(words.fill("learning", name=name, plan=plan, **numbers))
say("\n".join(lines))


# %% [markdown]
# ## Training
#
# ### The optimiser is tuned over a stated grid
#
# The paper tunes optimiser, batch and learning rate with ReLU, once per dataset, and reuses them for every activation; it does not give the grid or what was chosen. On images
# the choice of the optimiser moves the accuracy more than the activation does. So the grid is stated, every candidate's accuracy is shown, and where plain gradient descent is not
# the best choice, the comparison is made with both for regression on MNIST and Fashion-MNIST. The batch is the paper's typical 4096 unless a notebook says otherwise.

# %% tags=["remove-input"]
grid = {}
for one in IMAGES["paper"].optimisers:
    grid.setdefault(optimiser(one.name), []).append(f"{one.lr:g}")
words.say("grid", rates="; ".join(f"{name} at {', '.join(rates)}" for name, rates in grid.items()))


# %% [markdown]
# ### Seeds and uncertainty
#
# The paper gives standard deviations where it gives any uncertainty. Here ± is the half width of a 95 % [interval](glossary.md#interval) of the mean over seeds, and activations that
# share seeds are compared by their differences, seed by seed.
#
# ## Scale
#
# Each notebook says beside its numbers what was scaled down: depths, widths, datasets, tasks. What has no record says *not yet run*, on
# [the claims page](claims.ipynb) too.

# %% tags=["remove-input"]
missing = [section for section in sorted(SECTIONS) if sections.results(section, "paper", data_dir).missing]
links = [sections.link(section) for section in missing]
if links:
    words.say("incomplete", names=", ".join(links))
else:
    words.say("all-there")


# %% [markdown]
# ## Marked in the code
#
# Where the library departs from the paper or settles what the paper leaves open, a comment begins with `NOTE[DIFF]`. This list is made from the sources
# when the page is built; each entry leads to its line.

# %% tags=["remove-input"]
found = departures.collect()
say(departures.listed(found))
words.say("marked", count=len(found), files=len({departure.path for departure in found}))


# %% tags=["remove-input"]
provenance(profile)
