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
# # Speed
#
# The bi-level loop is the cost of everything here: what one machine can reproduce in a night is set by it. This page says
# what an activation, an episode of Algorithm 1 and a measure of complexity cost, against other ways to compute the same.
# Ratios carry over to other machines roughly, seconds do not: each ratio comes from one interleaved run, on one thread.

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
import json

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.ticker import LogLocator, NullFormatter

from notebooks.paper.figures.display import provenance, say, show, table
from notebooks.paper.records.store import ROOT

path = ROOT / "speed.json"
record = json.loads(path.read_text()) if path.exists() else None
if record is None:
    say("**Not measured yet**: `make bench` measures everything and writes the record that this page is made of.")
else:
    source = record["provenance"]
    say(
        f"Measured on {source['hardware']['cpu']} ({source['hardware']['cores']} cores, spline kernels: `{record['activation']['backend']}`), "
        f"{source['start'][:10]}, {record['activation']['repeats']} turns. `make bench` repeats it. "
        "One turn times every row of a table once, one after the other; ratios are taken within a turn, and their median and quartiles over the turns."
    )
    if record["activation"]["repeats"] < 10:
        say(
            "This is a **preliminary** measurement: few turns, and other work on the machine at the same time. The quartiles show how far it can be off."
        )

# %% [markdown]
# ## The activation
#
# A linear spline is a table look-up and a multiplication. Written with tensor indexing it costs an order of magnitude more than a
# GELU; the compiled kernels keep the table in registers, save nothing but the inputs, and find the pieces again in the backward pass.
# Where there is no compiler, the same four operations are made of tensor operations.

# %% tags=["remove-input"]
LABELS = {
    "copy": "copy and multiply (the least that moves the data)",
    "torch": "this library, no compiler",
    "deepsplines": "B-splines as in DeepSplines",
    "indexing": "tensor indexing, autograd",
    "gelu": "nn.GELU",
}


def label(name):
    kernels = {"cpp": "portable C++", "cpp-avx2": "AVX2", "cpp-avx512": "AVX-512"}
    return LABELS.get(name) or f"this library, {kernels.get(name, name)}"


def ratio(row):
    return f"{row['ratio']:.2f} ({row['low']:.2f} to {row['high']:.2f})"


if record:
    tables = record["activation"]["tables"]
    first = [t for t in tables if (t["batch"], t["width"], t["points"]) == (4096, 256, 50)]
    names = list(first[0]["rows"])
    frame = pd.DataFrame(
        [[label(name), *(ratio(t["rows"][name]) if name in t["rows"] else "—" for t in first)] for name in names],
        columns=["multiple of nn.GELU", *(t["work"] for t in first)],
    )
    table(
        frame,
        caption="Cost at 4,096 × 256 values, 50 control points, as a multiple of nn.GELU doing the same work: median, and quartiles over the turns.",
    )
    both = [t for t in tables if t["work"] == "forward + backward"]
    frame = pd.DataFrame(
        [[label(name), *(f"{t['rows'][name]['ratio']:.2f}" for t in both)] for name in names],
        columns=["forward + backward", *(f"{t['batch']:,} × {t['width']}, n_c = {t['points']}" for t in both)],
    )
    table(
        frame,
        caption="Forward and backward with both gradients, by size. Above 128 control points the table no longer fits the registers.",
    )


# %% tags=["remove-input"]
def activation_bars():
    rows = next(t for t in first if t["work"] == "forward + backward")["rows"]
    figure, axes = plt.subplots(figsize=(7, 2.9))
    for i, (name, row) in enumerate(rows.items()):
        colour = "C0" if name == "gelu" else "C2" if name.startswith("cpp") or name == "torch" else "C1"
        axes.plot([row["low"], row["high"]], [-i, -i], color=colour, linewidth=3, alpha=0.4, solid_capstyle="butt")
        axes.plot(row["ratio"], -i, "o", color=colour)
    axes.set_yticks([-i for i in range(len(rows))], [label(name) for name in rows])
    axes.set(xscale="log", xlabel="time, forward + backward,\nas a multiple of nn.GELU")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.axvline(1, color="C0", linewidth=1, linestyle=":")
    axes.grid(axis="x")
    return figure


if record:
    rows = next(t for t in first if t["work"] == "forward + backward")["rows"]
    best = next(name for name in rows if name.startswith("cpp") or name == "torch")
    show(
        activation_bars,
        alt=f"Dots on a logarithmic axis: forward and backward time as a multiple of GELU. This library {rows[best]['ratio']:.2f}, without a compiler {rows['torch']['ratio']:.1f}, tensor indexing {rows['indexing']['ratio']:.1f}.",
        caption=f"With {label(best).removeprefix('this library, ')} kernels the learned activation costs {rows[best]['ratio']:.2f} times a GELU (quartiles {rows[best]['low']:.2f} to {rows[best]['high']:.2f}), tensor indexing {rows['indexing']['ratio']:.1f} times (4,096 × 256 values, 50 control points; bars are quartiles; other sizes in the table above).",
        name="fig-speed-activation",
    )

# %% [markdown]
# ## An episode of Algorithm 1
#
# The inner steps do not need autograd: the gradient of an MLP is a dozen lines ([method](../book/method.ipynb)). The same lines, recorded by autograd for the last
# $t$ steps, are the second-order term. What is left are the matrix products, which no implementation avoids.

# %% tags=["remove-input"]
EPISODE = {
    "products": "matrix products alone",
    "ours": "this library",
    "ours, torch": "this library, no compiler",
    "plain": "autograd for every step",
    "higher": "higher",
    "torchopt": "torchopt",
}
if record:
    say(
        "[higher](https://github.com/facebookresearch/higher) and [torchopt](https://github.com/metaopt/torchopt) are libraries that differentiate through the steps of an optimiser in PyTorch."
    )
    for entry in record["episode"]["tables"]:
        rows, size = entry["rows"], entry["size"]
        own = rows["ours"]["ratio"]
        medians = rows["ours"]["ms"] / rows["products"]["ms"]
        frame = pd.DataFrame(
            [[EPISODE[name], ratio(row), f"{row['ratio'] / own:.2f}"] for name, row in rows.items()],
            columns=["implementation", "multiple of the products", "multiple of this library"],
        )
        table(
            frame,
            caption=f"One episode: {size['inputs']} inputs, {size['width']} hidden units, batch {size['batch']:,}, {size['steps']} steps, the last {size['unroll']} unrolled. "
            f"The last column is the one beside it, divided by this library's {own:.2f}. (Of the median times alone, this library's is {medians:.2f} times that of the products: the machine was not equally fast in all turns, and a median may come from any of them.) All implementations give the same gradient in psi (largest relative difference {entry['largest_relative_difference']:.0e}, float32).",
        )
    growth = record["episode"]["growth"]
    table(
        pd.DataFrame([[name, f"{row['half_ms']:.0f}", f"{row['twice_ms']:.0f}", f"{row['exponent']:.2f}"] for name, row in growth.items()],
                     columns=["size", "half of it (ms)", "twice of it (ms)", "exponent"]),
        caption="How an episode's cost grows: each size halved and doubled alone; 1 means proportional.",
    )  # fmt: skip

# %% [markdown]
# ## The experiments, before and after

# %% tags=["remove-input"]
if record:
    table(
        pd.DataFrame([[name, f"{row['before']:.0f}", f"{row['after']:.0f}", ratio(row)] for name, row in record["sweeps"].items()],
                     columns=["piece of a sweep", "before (ms)", "after (ms)", "times faster"]),
        caption="Pieces of the grokking and image sweeps: plain PyTorch (autograd for every step, spline by indexing, dense one-hot inputs) and this library, in the same run.",
    )  # fmt: skip

# %% [markdown]
# ## Total variation
#
# 200 paths of 100 points are 20,000 forward passes. A path is a straight line and the first layer is affine, so only the two ends of
# each path go through the first layer; its outputs are interpolated.

# %% tags=["remove-input"]
VERSIONS = {
    "plain": "one forward over all points, spline by indexing",
    "kernels": "the same with the kernels",
    "chunks": "in chunks that fit the cache",
    "short cut": "ends of the paths through the first layer, the rest in one kernel",
}
if record:
    table(
        pd.DataFrame([[VERSIONS.get(name, name), f"{row['ms']:.1f}", f"{row['ratio']:.1f}"] for name, row in record["complexity"].items()],
                     columns=["version", "ms", "times faster than the first"]),
        caption="Total variation of a 324-128-1 network; all versions give the same number.",
    )  # fmt: skip

# %% [markdown]
# ## Landscapes
#
# A landscape in weight space has 2,500 networks, on the same rows. They can be computed one after the other, or as batches through `torch.func.vmap`. One
# network's activations fit the cache, those of many do not, and a batched matrix product is slower on a CPU than several plain ones.

# %% tags=["remove-input"]
if record and "landscape" in record:
    batches = [name for name in record["landscape"][0] if name.startswith("batch")]
    table(
        pd.DataFrame([[f"{row['width']} × {row['depth']}", f"{row['ms']:.2f}", *(ratio(row[name]) for name in batches)] for row in record["landscape"]],
                     columns=["width × hidden layers", "ms per network", *(f"{name}: times faster" for name in batches)]),
        caption="One network at a time against batches of networks: 2,000 rows, 7 columns, learned activation. Below 1, a batch is slower.",
    )  # fmt: skip
    best = max(row[name]["ratio"] for row in record["landscape"] for name in batches)
    worst = min(row[name]["ratio"] for row in record["landscape"] for name in batches)
    say(
        f"On one core a batch is between {worst:.2f} and {best:.2f} times as fast as its networks one by one. The landscapes of this book go network by network."
    )

# %% [markdown]
# ## Replicas as one batch
#
# The kernels use one thread, and a sweep runs one process per core: two threads in one process are slower than one here, because
# the elementwise work is bound by memory. A GPU needs the opposite: restarts, seeds and functions whose networks have equal shapes, stacked
# to one batch with `torch.func.vmap`. `lib.replicas` does that, with the same random numbers and the same results as one by one.

# %% tags=["remove-input"]
path = ROOT / "speed_gpu.json"
gpu = json.loads(path.read_text()) if path.exists() else None


def batches_of(measured, cell):
    """The table of one device."""
    head = ["an episode of 20 steps", "alone (ms)", *(f"batch of {n}" for n in measured["counts"])]
    return pd.DataFrame(
        [
            [name, f"{row['ms']:.0f}", *(cell(row[str(n)]) for n in measured["counts"])]
            for name, row in measured["tasks"].items()
        ],
        columns=head,
    )


if record:
    batch = record["replicas"]
    table(
        batches_of(batch, ratio),
        caption="Replicas of Algorithm 1 as one batch, on a CPU, one thread: how many times faster than alone a replica is. Below 1, the batch is slower.",
    )
    largest = str(max(batch["counts"]))
    worst, best = (f(row[largest]["ratio"] for row in batch["tasks"].values()) for f in (min, max))
    say(f"On a CPU a batch of {largest} is {worst:.2f} to {best:.2f} times as fast as its replicas one by one.")
if gpu:
    of = gpu["provenance"]
    table(
        batches_of(gpu, lambda row: f"{row['ratio']:.2f}"),
        caption=f"The same on one {gpu['device']}, where alone is a batch of one: medians of {gpu['repeats']} turns (torch {of['packages']['torch']}, {of['start'][:10]}).",
    )
    largest = str(max(gpu["counts"]))
    per_replica = {name: row["ms"] / row[largest]["ratio"] for name, row in gpu["tasks"].items()}
    on_cpu = record["replicas"]["tasks"] if record else {}
    cores = [f"{on_cpu[name]['ms'] / ms:.0f} ({name})" for name, ms in per_replica.items() if name in on_cpu]
    say(
        f"On the GPU a replica in a batch of {largest} takes {min(per_replica.values()):.1f} to {max(per_replica.values()):.1f} ms. "
        + (
            f"Against the time per replica on the core above (another run, with another version of PyTorch) that is the work of so many cores: {'; '.join(cores)}."
            if cores
            else ""
        )
    )
else:
    say("**Not measured on a GPU**: `make bench` measures it where there is one.")

# %% tags=["remove-input"]
provenance(profile)
