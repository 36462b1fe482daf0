"""The figures and tables of the page on speed, from what `make bench` recorded; for :func:`.figures.display.show`."""

import json
import statistics
from collections.abc import Mapping

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from ..records.store import ROOT

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
    "products, default": "the same, PyTorch's default",
    "ours": "this library",
    "ours, bfloat16": "this library, bfloat16 products",
    "ours, torch": "this library, no compiler",
    "readable": "the readable version",
    "autograd": "autograd, torch.optim",
    "plain": "autograd for every step",
}
MARKS = {"ours": ("C2", "o"), "ours, torch": ("C4", "s"), "readable": ("C3", "^"), "autograd": ("C1", "D")}
RESTARTS = 4  # of each domain that the comparison of products is planned with


def read(name: str) -> dict | None:
    """A record of measurements, or None if there is none."""
    path = ROOT / name
    return json.loads(path.read_text()) if path.exists() else None


def activation(record: dict) -> tuple[dict, dict]:
    """The times of the activation for 4,096 x 256 values and 50 points, and the values of the words on them."""
    tables = record["activation"]["tables"]
    both = {(t["batch"], t["width"], t["points"]): t["rows"] for t in tables if t["work"] == "forward + backward"}
    rows = both[4096, 256, 50]
    best = next(name for name in rows if name.startswith("cpp") or name == "torch")
    small, many = (both[size][best]["ratio"] for size in ((4096, 32, 50), (4096, 256, 400)))
    kernels, found = LABELS[best].removeprefix("this library, "), {"best": rows[best]["ratio"], "small": small}
    return rows, found | {
        "kernels": kernels,
        "many": many,
        **{one: rows[one]["ratio"] for one in ("torch", "indexing")},
    }


def steps(record: dict) -> dict[str, float]:
    """The values of the words on inner steps."""
    own = [rows["ours"]["ratio"] for rows in record["steps"].values()]
    saved = statistics.median(rows["readable"]["ratio"] / rows["ours"]["ratio"] for rows in record["steps"].values())
    return {"low": min(own), "high": max(own), "saved": saved, "networks": len(own)}


def growth(record: dict) -> pd.DataFrame:
    """How the cost of an episode grows with each size."""
    names = {"steps": "inner steps", "unroll": "unrolled steps", "points": "control points"}
    growths = record["episode"]["growth"]
    found = {names.get(name, name): f"{row['exponent']:z.2f}" for name, row in growths.items()}
    if "scaling" in record:
        found["tasks"] = f"{record['scaling']['exponent']:.2f}"
    return pd.DataFrame(found.items(), columns=["size", "exponent"])


def batches(record: dict) -> dict:
    """The values of the words on batches of networks."""
    networks = [row[name]["ratio"] for row in record["landscape"] for name in row if name.startswith("batch")]
    largest = str(max(record["replicas"]["counts"]))
    replicas = [row[largest]["ratio"] for row in record["replicas"]["tasks"].values()]
    ends = {name: (min(values), max(values)) for name, values in (("networks", networks), ("replicas", replicas))}
    return {"largest": largest, **ends}


def on_gpu(record: dict) -> dict[str, str]:
    """The values of the words on replicas on a GPU."""
    most, source = str(max(record["counts"])), record["provenance"]
    times = "; ".join(f"{name}: {row[most]['ratio']:.0f}" for name, row in record["tasks"].items())
    return {"device": record["device"], "most": most, "times": times, "torch": source["packages"]["torch"],
            "date": source["start"][:10]}  # fmt: skip


def of_products(record: dict) -> tuple[pd.DataFrame, bool]:
    """By domain, in points: accuracy with bfloat16 less that with float32, paired by restart, and how far apart those
    with float32 are; and whether all restarts are there."""
    rows, complete = [], True
    for name, runs in record["domains"].items():

        def mean(kind, seed, runs=runs):
            return 100 * statistics.fmean(runs[f"{kind} {seed}"]["accuracies"])

        seeds = [key.split()[1] for key in runs if key.startswith("bfloat16") and f"float32 {key.split()[1]}" in runs]
        complete &= len(seeds) >= RESTARTS
        if seeds:
            gains = [mean("bfloat16", seed) - mean("float32", seed) for seed in seeds]
            alone = [mean("float32", seed) for seed in seeds]
            rows.append((name, ", ".join(map("{:+.1f}".format, gains)), f"{max(alone) - min(alone):.1f}"))
    columns = ["data", "bfloat16 less float32, by restart (points)", "restarts with float32, least to best (points)"]
    return pd.DataFrame(rows, columns=columns), complete


def elsewhere(record: dict) -> pd.DataFrame:
    """What an episode and a whole process cost in each implementation."""
    lines = []
    for entry in record["episode"]["tables"]:
        own, work = entry["rows"]["ours"]["ratio"], f"an episode, {entry['size']['inputs']} inputs"
        for name, row in entry["rows"].items():
            ratio = f"{row['ratio']:.2f} ({row['low']:.2f} to {row['high']:.2f})"
            lines.append([work, LABELS.get(name, name), ratio, f"{row['ratio'] / own:.2f}"])
    for goal, found in record.get("whole", {}).items():
        own = found["tools"]["ours"]["seconds"]
        for name, run in found["tools"].items():
            spent = f"{run['seconds']:.1f} s, {run['episodes']} episodes"
            lines.append([f"{goal}, whole process", LABELS.get(name, name), spent, f"{run['seconds'] / own:.2f}"])
    return pd.DataFrame(
        lines, columns=["work", "implementation", "multiple of the products, or time", "times this library"]
    )


def dots(rows: Mapping[str, dict], reference: str, xlabel: str, narrow: bool = False) -> Figure:
    """A dot with its quartiles for each row, on a logarithmic axis."""
    figure, axes = plt.subplots(figsize=(3.7 if narrow else 7, 0.9 + 0.26 * len(rows)))
    for i, (name, row) in enumerate(rows.items()):
        own = name.startswith(("cpp", "ours")) or name == "torch"
        colour = "C0" if name == reference else "C2" if own else "C1"
        axes.plot([row["low"], row["high"]], [-i, -i], color=colour, linewidth=3, alpha=0.4, solid_capstyle="butt")
        axes.plot(row["ratio"], -i, "o", color=colour)
    axes.set_yticks(
        [-i for i in range(len(rows))], [LABELS.get(name, name) for name in rows], fontsize=9 if narrow else 10.5
    )
    _logarithmic(axes, xlabel, narrow)
    return figure


def step_dots(steps: Mapping[str, dict], narrow: bool = False) -> Figure:
    """A mark per implementation for each network, on a logarithmic axis."""
    figure, axes = plt.subplots(figsize=(3.7 if narrow else 7, 1.1 + 0.34 * len(steps)))
    for name, (colour, mark) in MARKS.items():
        values = [rows[name]["ratio"] for rows in steps.values()]
        axes.plot(values, [-i for i in range(len(steps))], mark, color=colour, label=LABELS[name], linestyle="none")
    axes.set_yticks([-i for i in range(len(steps))], list(steps), fontsize=9 if narrow else 10.5)
    _logarithmic(axes, "time of one inner step,\nas a multiple of its float32 matrix products", narrow)
    figure.legend(loc="outside upper center", ncols=1 if narrow else 2)
    return figure


def _logarithmic(axes: Axes, xlabel: str, narrow: bool) -> None:
    axes.set_xscale("log")
    axes.set_xlabel(xlabel, loc="right" if narrow else "center", fontsize=9 if narrow else 10.5)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 3) if narrow else (1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.axvline(1, color="C0", linewidth=1, linestyle=":")
    axes.grid(axis="x")
