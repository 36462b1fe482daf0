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
# # Do we always need the simplicity bias?
#
# A companion to the paper *Do We Always Need the Simplicity Bias? Looking for Optimal Inductive Biases in the Wild* ([Teney et al., 2025](bibliography.md#teney2025simplicity)): its method as a small
# library, its experiments as notebooks that run, and its claims tested one by one. You need not have read the paper.

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
import pandas as pd

from book.press import readme
from lib.datasets import catalogue
from notebooks.paper import claims
from notebooks.paper import sections as reading
from notebooks.paper.experiments import committed
from notebooks.paper.figures import words as page_words
from notebooks.paper.figures.claims import TITLES
from notebooks.paper.figures.display import provenance, say, show
from notebooks.paper.figures.looks import name_of
from notebooks.paper.headline import headline
from notebooks.paper.verdict import NOT_RUN

words = page_words.words("figures", "introduction")
read = reading.reader("paper", data_dir)
opening = headline(read)
more = readme.CONVENTIONS.format(page="../notebooks/grokking.ipynb#under-which-conventions")
findings = claims.settled(read)
found = {verdict: number for verdict, number in claims.counts(findings.values()).items() if number}
few = sum(2 * sum(finding.holds) < len(finding.holds) for finding in findings.values() if finding.held)
ahead = " " + words.fill("ahead", names=" and ".join(names)) if (names := opening.ahead()) else ""
layers = " " + words.fill("layers", layers=opening.layers) if opening.layers else ""
words.say("answer", **opening.counts(), layers=layers, ahead=ahead, claims=len(claims.CLAIMS),
          verdicts=", ".join(f"**{number} {verdict}**" for verdict, number in found.items()),
          before=sum(claim.written == "before" for claim in claims.CLAIMS))  # fmt: skip
show(opening.draw, alt=opening.alt(), caption=opening.sentence(), name="fig-headline", data=opening.table)
say(f"{opening.scale()} {more}")

# %% [markdown]
# ## The idea
#
# ### Networks prefer simple functions
#
# Between the training points, a network must guess. Out of all functions that fit the data, ReLU networks tend to a simple one: it varies slowly and
# bends little. This is the [simplicity bias](glossary.md#simplicity-bias) ([Shah et al., 2020](bibliography.md#shah2020pitfalls)) ([Rahaman et al., 2019](bibliography.md#rahaman2019spectral)), and it is often given as the reason why they generalise at all. A good guess
# for photographs, where a small change of the input rarely changes the answer.
#
# But it is a guess. On some tasks networks memorise the training data first and get other data right much later, if ever; adding two numbers modulo 27, at the top of the steps to generalise above, is one of them. This is
# [grokking](glossary.md#grokking) ([Power et al., 2022](bibliography.md#power2022grokking)). The paper's hypothesis is that the delay comes from a mismatch between the task and the network's simplicity bias: drawn with the numbers in their usual
# order, such a task is a pattern that is far from smooth. (The network itself is given no order: each number is an input of its own.)
#
# ### The activation function is the dial
#
# Where does the bias come from? Not from the optimiser alone: networks with random weights have it already, and it changes
# with the [activation function](glossary.md#activation-function) ([Teney et al., 2024](bibliography.md#teney2024redshift)). ReLU gives simple functions; a sine of high frequency gives complex ones. So the activation is a
# dial for the prior, and instead of asking whether simplicity is good, one can turn the dial and see.
#
# ### Learn it for the task
#
# The paper does not choose from a list. It makes the activation a free curve, a [spline](glossary.md#spline), and learns it with two nested loops. The inner loop trains
# a network from scratch with the activation fixed; the outer loop changes the activation so that the trained network does better on held-out data. This is
# bi-level learning, in the family of [Finn et al., 2017](bibliography.md#finn2017maml); the [method page](method.ipynb) has it line by line. The
# result is a fixed function that can replace ReLU in networks of any width. Then two things can be compared with ReLU: how well the network does, and how complex its function is, measured by
# how much it goes up and down between training points ([TV complexity](glossary.md#tv-complexity)).
#
# ### Four domains where simplicity may hurt, and one where it should not
#
# - **[Image classification](../notebooks/images.ipynb)** is the control. In the paper, learning from a ReLU ends near its relative GELU, and learning from
#   zeros at another function, like a wavelet, that does as well: ReLU's bias fits.
# - **[Regression](../notebooks/regression.ipynb)** on the same images, with the class number as a target: neighbouring images must give distant
#   values.
# - **[Tabular data](../notebooks/tabular.ipynb)**, where trees with their sharp steps often beat networks ([Grinsztajn et al., 2022](bibliography.md#grinsztajn2022trees)).
# - **[Shortcuts](../notebooks/shortcuts.ipynb)** ([Geirhos et al., 2020](bibliography.md#geirhos2020shortcut)): of two features that predict equally well, a network takes the simpler one.
# - **[Algorithmic tasks](../notebooks/grokking.ipynb)**, the steps to generalise above.
#
# Three more notebooks ask whether a learned activation [transfers](../notebooks/transfer.ipynb) to other tasks, which parts of the method [matter](../notebooks/ablations.ipynb), and, beyond the paper, whether
# it is about [MLPs](../notebooks/architectures.ipynb).
#
# ## The claims at a glance

# %% tags=["remove-input"]
words.say("tested", few=" " + words.fill("few", few=few) if few else "")
rows = []
for section in dict.fromkeys(claim.section for claim in claims.CLAIMS):
    named = {claim.name: findings[claim.name] for claim in claims.for_section(section)}
    held = {
        name: f"{name} ({finding.held})".replace(" ", "\xa0") if finding.held else name
        for name, finding in named.items()
    }
    cells = [", ".join(held[name] for name in named if named[name].verdict == verdict) for verdict in found]
    rows.append((f"[{TITLES[section]}](../notebooks/{section}.ipynb)", *(cell or "–" for cell in cells)))
words.table("tab-verdicts", pd.DataFrame(rows, columns=["notebook", *found]))
say(claims.WHEN)


# %% [markdown]
# ## How to read this book
#
# Begin with the [method](method.ipynb), or with the notebook of the domain you know best. To try it on a task of yours, go to [Your own data](own_data.ipynb). Each notebook has the same course: the question; what
# the paper says; a *live* run of seconds that really learns an activation, on data that come with the packages; the *stored* results at [full scale](glossary.md#full-scale); the comparison
# with the paper; what differs; and what it costs to compute again. The button at the top opens it in Colab.
#
# Our results are never typed by hand: sentences, tables and figures are computed from [records](glossary.md#record) when the book is built, and each page ends with its
# [provenance](glossary.md#provenance). Typed are settings, trials that were made beforehand, and the paper's numbers. ± is the half width of a 95 % [interval](glossary.md#interval), unless the place says otherwise.
#
# ## What is run, and what is not

# %% tags=["remove-input"]
planned = {section: read(section) for section in reading.SECTIONS}
done = [section for section, results in planned.items() if not results.missing]
partly = [section for section, results in planned.items() if results.missing and results.records]
every = dict.fromkeys([*(claim.section for claim in claims.CLAIMS), *reading.SECTIONS])
others = [section for section in every if section not in done and section not in partly]
names = {
    name: [reading.link(section) for section in sections]
    for name, sections in (("complete", done), ("partly", partly), ("others", others))
}
data = [*catalogue.IMAGES, *catalogue.TABLES]
names["absent"] = [name_of(name) for name in data if committed.sha256(name) is None]
names["waiting"] = [name for name, finding in findings.items() if finding.verdict == NOT_RUN.verdict]
say("\n".join(words.fill(name, names=", ".join(listed)) for name, listed in names.items() if listed))

# %% tags=["remove-input"]
records = {record.key: record for results in planned.values() for record in results.records}
if records:
    hours = sum(record.provenance["duration_s"] for record in records.values()) / 3600
    words.say("hours", records=len(records), hours=hours)
words.say("full-scale")
if profile != "paper":
    words.say("smoke")


# %% tags=["remove-input"]
provenance(profile, records=records.values())
