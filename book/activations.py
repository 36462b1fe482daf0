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
# The functions that the experiments on images, tables, grokking and transfer learned and then used, each over the range of its [control points](glossary.md#control-point); outside it keeps its end values. They come with the
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
found = activations.find(task="regression", min_gain=0.02)
found[["picture", "gain", "half_width"]].round(3)

# %% [markdown]
# `find` lists what there is by words, kind and gain, with the shape, and the depth, width, optimiser and rate of the networks that it was learned in. A hidden activation takes tensors of any shape. Input activations are one function per column of the table they were learned on, for inputs (..., columns); `g.info` has the columns' names in their order and
# the smallest and largest value of each, which become $-1$ and $1$: `lib.columns.columns_for(g, table)` takes them, scaled, from your own copy of the table.
#
# Expect most from a function on the task it was learned for, and on [related ones](../notebooks/transfer.ipynb). The optimiser belongs to it: functions learned with another can differ much, and the names say which it was.
#
# Not every function is of use. The tables give the **gain**: test accuracy above that of ReLU with the same optimiser, in the runs of this companion that use the function on the data it was learned on, paired by seed, with its 95 % interval. For
# algorithmic tasks it is the highest accuracy of a run, and the steps to 95 % stand beside it; the runs differ in how many steps they have.

# %% tags=["remove-input"]
from notebooks.paper.figures import gallery
from notebooks.paper.figures import words as page_words
from notebooks.paper.figures.display import folded, provenance, say
from notebooks.paper.figures.explore import pretty

words = page_words.words("figures", "activations")
index, files = activations.index(), f"{REPOSITORY}/raw/main/data/activations"
words.say("marked", marked=sum(map(gallery.unclear, index.values())), total=len(index), mark=gallery.MARK)
if lost := activations.constants():
    names = (f"{pretty(entry['data'])} ({entry['section']})" for entry in lost)
    words.say("constants", names=", ".join(names))

# %% tags=["remove-input"]
for group, entries in gallery.groups(index).items():
    say(f"## {gallery.TITLES[group]}")
    about, kind = gallery.about(entries), words.fill("inputs" if group == "inputs" else "hidden")
    seeds, both = about.pop("seeds"), {"title": gallery.TITLES[group], "mark": gallery.MARK}
    words.figure("fig-gallery", lambda narrow=False, entries=entries: gallery.gallery(entries, narrow), label=f"fig-gallery-{group}", kind=kind,
                 **about, **both)  # fmt: skip
    folded(words.fill("names", seeds=seeds, mark=gallery.MARK), gallery.table(entries, files))

# %% tags=["remove-input"]
provenance(profile)
