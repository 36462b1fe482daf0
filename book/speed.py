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
# The bi-level loop is the cost of everything here: what one machine can reproduce in a night is set by it. This page says what it costs, where the time goes,
# and what you would pay elsewhere. Ratios carry over to other machines roughly, seconds do not: each ratio comes from one interleaved run, on one thread.

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
import statistics

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.ticker import LogLocator, NullFormatter

from notebooks.paper.figures.display import provenance, say, show, table
from notebooks.paper.records.store import ROOT


def read(name):
    path = ROOT / name
    return json.loads(path.read_text()) if path.exists() else None


record, gpu, paired = read("speed.json"), read("speed_gpu.json"), read("speed_products.json")
if record is None:
    say("**Not measured yet**: `make bench` measures everything and writes the record that this page is made of.")
else:
    source = record["provenance"]
    say(
        f"Measured on {source['hardware']['cpu']} ({source['hardware']['cores']} cores, spline kernels: `{record['activation']['backend']}`), "
        f"{source['start'][:10]}, {record['activation']['repeats']} turns. `make bench` repeats it. "
        "One turn times every row once, one after the other; ratios are taken within a turn, and points and bars are their median and quartiles over the turns."
    )
    if record["activation"]["repeats"] < 10:
        say("This is a **preliminary** measurement: few turns. The quartiles show how far it can be off.")

LABELS = {
    "copy": "copy and multiply",
    "torch": "this library, no compiler",
    "deepsplines": "B-splines as in DeepSplines",
    "indexing": "tensor indexing, autograd",
    "gelu": "nn.GELU",
    "cpp": "this library, portable C++",
    "cpp-avx2": "this library, AVX2",
    "cpp-avx512": "this library, AVX-512",
    "products": "matrix products alone",
    "ours": "this library",
    "ours, bfloat16": "this library, bfloat16 products",
    "ours, torch": "this library, no compiler",
    "readable": "the readable version",
    "autograd": "autograd, torch.optim",
    "plain": "autograd for every step",
}


def ratio(row):
    return f"{row['ratio']:.2f} ({row['low']:.2f} to {row['high']:.2f})"


def dots(rows, reference, xlabel):
    """A dot with its quartiles for each row, on a logarithmic axis."""
    figure, axes = plt.subplots(figsize=(7, 0.9 + 0.26 * len(rows)))
    for i, (name, row) in enumerate(rows.items()):
        own = name.startswith(("cpp", "ours")) or name == "torch"
        colour = "C0" if name == reference else "C2" if own else "C1"
        axes.plot([row["low"], row["high"]], [-i, -i], color=colour, linewidth=3, alpha=0.4, solid_capstyle="butt")
        axes.plot(row["ratio"], -i, "o", color=colour)
    axes.set_yticks([-i for i in range(len(rows))], [LABELS.get(name, name) for name in rows])
    axes.set(xscale="log", xlabel=xlabel)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.axvline(1, color="C0", linewidth=1, linestyle=":")
    axes.grid(axis="x")
    return figure


# %% [markdown]
# ## What it costs
#
# A linear spline is a table look-up and a multiplication. The compiled kernels keep the table in registers, save nothing but the inputs, and find the pieces
# again in the backward pass. Where there is no compiler, the same four operations are made of tensor operations.

# %% tags=["remove-input"]
if record:
    tables = record["activation"]["tables"]
    both = {(t["batch"], t["width"], t["points"]): t["rows"] for t in tables if t["work"] == "forward + backward"}
    rows = both[4096, 256, 50]
    best = next(name for name in rows if name.startswith("cpp") or name == "torch")
    own = LABELS[best].removeprefix("this library, ")
    small, many = (both[size][best]["ratio"] for size in ((4096, 32, 50), (4096, 256, 400)))
    show(
        lambda: dots(rows, "gelu", "time, forward + backward,\nas a multiple of nn.GELU"),
        alt=f"Dots on a logarithmic axis: forward and backward time as a multiple of GELU. This library {rows[best]['ratio']:.2f}, without a compiler {rows['torch']['ratio']:.1f}, tensor indexing {rows['indexing']['ratio']:.1f}.",
        caption=f"With {own} kernels the learned activation costs {rows[best]['ratio']:.2f} times a GELU, with both gradients; tensor indexing {rows['indexing']['ratio']:.1f} times (4,096 × 256 values, 50 control points). At 4,096 × 32 values it is {small:.2f} times, with 400 control points {many:.2f} times.",
        name="fig-speed-activation",
    )
    short = record["complexity"]["short cut"]
    say(
        f"The total variation of a network with one hidden layer, over 200 paths of 100 points, takes {short['ms']:.1f} ms, {short['ratio']:.0f} times less than one forward over "
        "all points with tensor indexing: a path is straight and the first layer affine, so only the ends of the paths go through it, and the rest is one compiled pass."
    )

# %% [markdown]
# ## Where the time goes
#
# An inner step needs no autograd. What no implementation avoids are its matrix products; between them, the steps here work in place, on buffers that are made once,
# and what can be one pass is one: from the last hidden layer's pre-activation through a single output, the loss and back; the one-hot layer as a
# look-up and a sum; all weights as one vector for the optimiser. The readable version of the same
# ([method](../book/method.ipynb)) is what autograd records for the last $t$ steps, and what the tests compare with.

# %% tags=["remove-input"]
if record and "steps" in record:
    steps = record["steps"]
    shown = {case: rows["ours"] for case, rows in steps.items()}

    def step_dots():
        figure, axes = plt.subplots(figsize=(7, 0.9 + 0.34 * len(steps)))
        marks = {"ours": ("C2", "o"), "ours, torch": ("C4", "s"), "readable": ("C3", "^"), "autograd": ("C1", "D")}
        for name, (colour, mark) in marks.items():
            values = [rows[name]["ratio"] for rows in steps.values()]
            axes.plot(values, [-i for i in range(len(steps))], mark, color=colour, label=LABELS[name], linestyle="none")
        axes.set_yticks([-i for i in range(len(steps))], list(steps))
        axes.set(xscale="log", xlabel="time of one inner step,\nas a multiple of its float32 matrix products")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.axvline(1, color="C0", linewidth=1, linestyle=":")
        axes.grid(axis="x")
        figure.legend(loc="outside upper center", ncols=2)
        return figure

    low, high = (f(row["ratio"] for row in shown.values()) for f in (min, max))
    saved = statistics.median(rows["readable"]["ratio"] / rows["ours"]["ratio"] for rows in steps.values())
    show(
        step_dots,
        alt=f"Marks on a logarithmic axis for {len(steps)} networks: time of an inner step as a multiple of its products. This library between {low:.2f} and {high:.2f}; the readable version, PyTorch alone and autograd above it.",
        caption=f"An inner step takes {low:.2f} to {high:.2f} times its matrix products, each of them in its fastest layout; the readable version of the same step takes {saved:.1f} times as long in the median. The names are the layers' sizes.",
        name="fig-speed-steps",
    )
elif record:
    say("**Not measured yet**: inner steps as multiples of their products.")

# %% tags=["remove-input"]
if record:
    growth = {name: f"{row['exponent']:.2f}" for name, row in record["episode"]["growth"].items()}
    if "scaling" in record:
        growth["tasks"] = f"{record['scaling']['exponent']:.2f}"
    table(
        pd.DataFrame([growth]),
        caption="How an episode's cost grows with each size alone: the exponent between half of it and twice of it; 1 means proportional. Tasks: a round of episodes, one of each.",
    )
    if "scaling" in record:
        say(
            f"Two processes with one thread each do {record['scaling']['processes']:.2f} times the work of one. One process with two threads is slower than with one here: the elementwise work is bound by memory."
        )
    landscape = [row[name]["ratio"] for row in record["landscape"] for name in row if name.startswith("batch")]
    batch = record["replicas"]
    largest = str(max(batch["counts"]))
    replica = [row[largest]["ratio"] for row in batch["tasks"].values()]
    say(
        f"Batches through `torch.func.vmap` gain nothing on a CPU: the networks of a landscape go {min(landscape):.2f} to {max(landscape):.2f} times as fast as one by one, {largest} replicas of Algorithm 1 {min(replica):.2f} to {max(replica):.2f} times."
    )
    if gpu:
        most = str(max(gpu["counts"]))
        words = "; ".join(f"{name}: {row[most]['ratio']:.0f}" for name, row in gpu["tasks"].items())
        say(
            f"A GPU ({gpu['device']}) needs them: how many times faster than alone a replica is in a batch of {most}: {words} (torch {gpu['provenance']['packages']['torch']}, {gpu['provenance']['start'][:10]})."
        )

# %% [markdown]
# ### Products of bfloat16
#
# Processors with instructions for bfloat16 multiply such matrices several times faster. `Settings(products="bfloat16")` rounds the factors of the products of those inner steps that
# are not unrolled; weights, sums, activations and the unrolled steps stay float32. Whether the functions are as good is a matter of measurement, by domain.

# %% tags=["remove-input"]
if paired:
    lines, complete = [], True
    for name, runs in paired["domains"].items():
        seeds = [key.split()[1] for key in runs if key.startswith("bfloat16") and f"float32 {key.split()[1]}" in runs]
        complete &= len(seeds) >= 4
        differences = [
            100
            * (
                statistics.fmean(runs[f"bfloat16 {s}"]["accuracies"])
                - statistics.fmean(runs[f"float32 {s}"]["accuracies"])
            )
            for s in seeds
        ]
        if differences:
            each = ", ".join(f"{d:+.2f}" for d in differences)
            lines.append(f"{name}: {each}")
    if lines:
        say(
            f"Test accuracy with the function learned with bfloat16, minus that with float32, in points, by restart (each the mean of two networks): {'; '.join(lines)}."
        )
    if not complete:
        say(
            "This comparison is **not complete**: it is planned with four restarts in each of three domains, images, a table and a + b mod 27. Until it is, all plans use float32."
        )
else:
    say("**Not measured yet**: whether the functions are as good. Until it is, all plans use float32.")

# %% [markdown]
# ## What you would pay elsewhere

# %% tags=["remove-input"]
if record:
    say(
        "[higher](https://github.com/facebookresearch/higher) and [torchopt](https://github.com/metaopt/torchopt) are libraries that differentiate through the steps of an optimiser in PyTorch."
    )
    wide, narrow = record["episode"]["tables"]
    size = wide["size"]
    show(
        lambda: dots(wide["rows"], "products", "time of one episode,\nas a multiple of its float32 matrix products"),
        alt=f"Dots on a logarithmic axis: time of an episode as a multiple of its products. This library {wide['rows']['ours']['ratio']:.2f}, and up to {max(row['ratio'] for row in wide['rows'].values()):.2f}.",
        caption=f"An episode of {size['steps']} steps, the last {size['unroll']} unrolled, with {size['inputs']} inputs, {size['width']} hidden units and batches of {size['batch']:,}: this library takes {wide['rows']['ours']['ratio']:.2f} times the products. In float32 all give the same gradient in psi (largest relative difference {wide['largest_relative_difference']:.0e}).",
        name="fig-speed-episode",
    )
    lines = []
    for entry in (wide, narrow):
        own = entry["rows"]["ours"]["ratio"]
        lines += [
            [
                f"an episode, {entry['size']['inputs']} inputs",
                LABELS.get(name, name),
                ratio(row),
                f"{row['ratio'] / own:.2f}",
            ]
            for name, row in entry["rows"].items()
        ]
    for goal, found in record.get("whole", {}).items():
        own = found["tools"]["ours"]["seconds"]
        lines += [
            [
                f"{goal}, whole process",
                LABELS.get(name, name),
                f"{run['seconds']:.1f} s, {run['episodes']} episodes",
                f"{run['seconds'] / own:.2f}",
            ]
            for name, run in found["tools"].items()
        ]
    table(
        pd.DataFrame(
            lines, columns=["work", "implementation", "multiple of the products, or time", "times this library"]
        ),
        caption="What an episode costs, and what a user waits for: a whole process, from starting Python to the loss on V that 10 episodes of this library reach, on Fashion-MNIST as regression and on electricity.",
    )
    if "whole" not in record:
        say("**Not measured yet**: whole processes.")

# %% tags=["remove-input"]
provenance(profile)
