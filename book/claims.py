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
# # Claims
#
# Does what the paper says hold here? Each claim has a rule that turns our [records](glossary.md#record) into a verdict; this page is computed from them.

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

from notebooks.paper import claims, sections
from notebooks.paper.figures import claims as claims_figure
from notebooks.paper.figures import explore
from notebooks.paper.figures import words as page_words
from notebooks.paper.figures.display import provenance, say

words = page_words.words("figures", "claims")
read = sections.reader("paper", data_dir)
findings = claims.settled(read)
found = {verdict: number for verdict, number in claims.counts(findings.values()).items() if number}
words.say("verdicts", claims=len(claims.CLAIMS), verdicts=", ".join(f"**{n} {name}**" for name, n in found.items()))
words.say("written", written=f"{claims.WHEN[0].lower()}{claims.WHEN[1:]}")
if profile != "paper":
    words.say("smoke")


# %% [markdown]
# ## At a glance

# %% tags=["remove-input"]
rows = [{"claim": name} | vars(condition) for name, finding in findings.items() for condition in finding.conditions]
words.figure("fig-claims", lambda narrow=False: claims_figure.conditions(claims.CLAIMS, findings, narrow),
             data=pd.DataFrame(rows), explore=("claims", explore.claims(claims.CLAIMS, findings, claims_figure.TITLES)),
             holding=sum(row["holds"] for row in rows), conditions=len(rows), claims=len(findings),
             verdicts=", ".join(f"{n} {name}" for name, n in found.items()))  # fmt: skip


# %% [markdown]
# ## How a verdict is made
#
# **Reproduced**: every condition of the claim's rule holds. **In part**: some hold. **Not reproduced**: none does, and the notebook shows by how much. A rule that speaks of every
# dataset, every setting or every activation is one condition for each, and a verdict in part says how many hold. Two rules, those of [C13](#c13) and [C14](#c14), ask for more than half of the conventions instead, and the last condition of [C17](#c17) is a control that does not count.
# **Not yet run**: records are missing. No verdict is typed by hand: the rules are in [`notebooks/paper/claims.toml`](https://github.com/simplicity-bias-companion/companion/blob/main/notebooks/paper/claims.toml), and the arithmetic is called from
# [`notebooks/paper/claims.py`](https://github.com/simplicity-bias-companion/companion/blob/main/notebooks/paper/claims.py). Each claim has the history of its rule, and some a rule to come, which asks for all of what the paper says and for runs that are not all there yet; until they are,
# the verdict is by the rule in force.
#
# An interval over
# seeds is for the one learned function that was chosen, not for learning it again, which [changes more](../notebooks/ablations.ipynb#in-short).
#
# *The paper*'s numbers are quoted from [Teney et al., 2025](bibliography.md#teney2025simplicity). Where the paper shows a plot without numbers, the figure is named instead of
# reading values off it. What was measured is computed from all [seeds](glossary.md#seed) of the runs that the notebook shows: ± is the half width of a 95 % [interval](glossary.md#interval), over seeds unless it
# speaks of a mean over tables or tasks, or of slices of one network ([C7](#c7)), and differences between activations are paired by seed. Choices (the optimiser, the restart, when to stop) were made on
# [validation data](glossary.md#validation-data); test data play no part in them.
#
# A verdict is about this reproduction at its scale, with its data. [Departures](departures.ipynb) lists what differs from the paper.

# %% tags=["remove-input"]
for section in dict.fromkeys(claim.section for claim in claims.CLAIMS):
    title = claims_figure.TITLES[section]
    lines = [f"## {title}"]
    for claim in claims.for_section(section):
        evidence = f"{title}, {claim.heading[0].lower()}{claim.heading[1:].rstrip('?')}"
        lines.append(claims.card(claim, findings[claim.name], evidence))
    say("\n\n".join(lines))


# %% tags=["remove-input"]
records = [record for section in sections.SECTIONS for record in read(section).records]
provenance("paper", records=records)
