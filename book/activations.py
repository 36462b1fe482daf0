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
# # Learned activations
#
# The functions that the experiments on images, tables, grokking and transfer learned and then used, each over the range of its {term}`control points <control point>`; outside it keeps its end values. They come with the
# repository, in `data/activations/`. Left out are those of the [shortcuts](../notebooks/shortcuts.ipynb) and the [ablations](../notebooks/ablations.ipynb), restarts that were not chosen, and functions that came out constant.
# To learn one for your data, see [Your own data](own_data.ipynb).

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

# %%
from lib import activations

g = activations.load("transfer-aplusb-mod-53-sgd-zeros")
print(g, g.info)  # a torch.nn.Module, and what it was learned on

# %%
activations.find(task="regression", min_gain=0.02)[["gain", "half_width"]]

# %% [markdown]
# `find` lists what there is by words, kind and gain. A hidden activation takes tensors of any shape. Input activations are one function per column of the table they were learned on, for inputs (..., columns); `g.info` has the columns' names in their order and
# the smallest and largest value of each, which become $-1$ and $1$.
#
# Expect most from a function on the task it was learned for, and on [related ones](../notebooks/transfer.ipynb). The optimiser belongs to it: functions learned with another can differ much, and the names say which it was.
#
# Not every function is of use. The tables give the **gain**: test accuracy above that of ReLU with the same optimiser, in the runs of this companion that use the function on the data it was learned on, paired by seed, with its 95 % interval. For
# algorithmic tasks it is the highest accuracy of a run, and the steps to 95 % stand beside it; the runs differ in how many steps they have.

# %% tags=["remove-input"]
import re

import numpy as np
import pandas as pd

from lib.metrics.similarity import turning_points
from notebooks.paper.figures import gallery
from notebooks.paper.figures.display import provenance, say, show, table

TITLES = {
    "grokking": "Grokking",
    "images": "Image classification",
    "regression": "Image regression",
    "tabular": "Tabular data, hidden",
    "inputs": "Tabular data, inputs",
    "transfer": "Several tasks, and single ones for transfer",
}
STARTS = {"zeros": "from zeros", "relu": "from ReLU", "inputs": "inputs"}
COLOURS = {"zeros": "C2", "relu": "C1", "inputs": "C4"}  # as on the other pages
MARK, STEPS = "†", "steps to 95 % test accuracy"
FILES = f"{REPOSITORY}/raw/main/data/activations"
index = activations.index()
groups = {group: [] for group in TITLES}
for name, entry in index.items():
    groups["inputs" if entry["kind"] == "input" else entry["section"]].append(name)


def sooner(name):
    """Whether networks reach 95 % test accuracy with it, and with ReLU do not, or later."""
    steps = index[name]["steps"]
    return bool(steps and steps["own"] and steps["own"] < (steps["relu"] or np.inf))


def mark(name):
    """For a function whose gain is not above 0, by its interval where there is one, and that is not sooner either."""
    entry = index[name]
    above = entry["gain"] is not None and entry["gain"] > (entry["half_width"] or 0)
    return "" if above or sooner(name) else f" {MARK}"


def gain(name):
    """In percentage points."""
    entry = index[name]
    if entry["gain"] is None:
        return f"—{mark(name)}"
    spread = "(one seed)" if entry["half_width"] is None else f"± {100 * entry['half_width']:.1f}"
    return f"{100 * entry['gain']:+.1f} {spread}{mark(name)}".replace("-", "−")


def reached(name):
    """Steps to 95 % test accuracy with the function and with ReLU."""
    if (steps := index[name]["steps"]) is None:
        return "—"
    own, relu = (f"{steps[arm]:,}" if steps[arm] else f"not in {steps['last']:,}" for arm in ("own", "relu"))
    return f"{own}; ReLU: {relu}"


def start(name):
    """What the learning started from, the last part of a name."""
    return name.split("-")[-1]


def title(name):
    """Two lines: the data, and the start with the optimiser."""
    entry, data = index[name], index[name]["data"]
    data = data.replace(" if b odd else ", " or ")  # two tasks, which would be cut to the same title
    data = data if len(data.replace("^", "")) < 25 else data[:23] + "…"
    data = re.sub(r"\^(-?\d)", r"$^{\1}$", data)
    return f"{data}\n{STARTS[start(name)]}, {entry['optimiser']}{mark(name)}"


def escaped(data):
    return data.replace("^", chr(92) + "^")


marked = sum(map(bool, map(mark, index)))
say(
    f"{marked} of the {len(index)} functions are marked with {MARK}: their gain is not above 0, or its interval holds 0, and networks do not reach 95 % test accuracy sooner with them."
)
if lost := activations.constants():
    words = ", ".join(f"{escaped(entry['data'])} ({entry['section']})" for entry in lost)
    say(f"Only a constant was learned, so that there is nothing to load, on {words}.")

for group, names in groups.items():
    if not names:
        continue
    entries = [(title(name), activations.load(name), COLOURS[start(name)]) for name in names]
    ranges = sorted({f"[{index[name]['low']:g}, {index[name]['high']:g}]" for name in names})
    ranges = " and ".join(ranges)
    say(f"## {TITLES[group]}")
    kind = (
        "input activations, one thin line per column, that start as the identity"
        if group == "inputs"
        else "functions for hidden layers"
    )
    turns = {}
    for name, (_, g, _) in zip(names, entries, strict=True):
        found = turns.setdefault(STARTS[start(name)], [])
        found += [turning_points(values) for values in g.values.reshape(-1, g.values.shape[-1])]
    shapes = "; ".join(
        f"{words}: {min(found)} to {max(found)}, half of them at most {np.median(found):.0f}"
        for words, found in turns.items()
    )
    show(
        lambda entries=entries: gallery.gallery(entries),
        alt=f"{TITLES[group]}: {len(names)} small plots of learned {kind}, over {ranges}, titled with the data, the start and the optimiser. Turning points of a function, {shapes}.",
        caption=f"{TITLES[group]}: learned {kind}; horizontal: the pre-activation or input, over {ranges}; vertical: the value, each panel with its own scale. {MARK}: no clear gain over ReLU.",
        name=f"fig-gallery-{group}",
    )
    rows = [
        (
            f"[`{name}`]({FILES}/{index[name]['file']})",
            escaped(activations.words(name, index[name])),
            gain(name),
            reached(name),
        )
        for name in names
    ]
    algorithmic = any(index[name]["steps"] for name in names)
    seeds = " or ".join(str(count) for count in sorted({index[name]["seeds"] for name in names}))
    table(
        pd.DataFrame(rows, columns=["name and file", "in words", "gain over ReLU (points)", STEPS]).drop(
            columns=[] if algorithmic else [STEPS]
        ),
        caption=f"{TITLES[group]}: the names to load, each a link to its file, in the order of the plots. Gains are of {seeds} seed{'' if seeds == '1' else 's'}. {MARK}: not clearly above 0.",
        name=f"tab-gallery-{group}",
    )

# %% tags=["remove-input"]
provenance(profile)
