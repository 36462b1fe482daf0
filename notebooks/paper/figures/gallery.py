"""The page of learned activations: what it shows of their index, and their small plots."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import nn

from lib import activations

from .explore import pretty
from .looks import name_of, optimiser
from .plots import grid
from .similarity import turning_points

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
MARK = "†"


def groups(index: Mapping[str, dict]) -> dict[str, dict[str, dict]]:
    """The entries of the index by group, in the order of TITLES."""

    def group(entry):
        return "inputs" if entry["kind"] == "input" else entry["section"]

    found = {title: {name: entry for name, entry in index.items() if group(entry) == title} for title in TITLES}
    return {title: entries for title, entries in found.items() if entries}


def unclear(entry: dict) -> bool:
    """Whether its gain is not above 0, by its interval where there is one, and it is not sooner than ReLU either."""
    above = entry["gain"] is not None and entry["gain"] > (entry["half_width"] or 0)
    steps = entry["steps"]
    return not above and not (steps and steps["own"] and steps["own"] < (steps["relu"] or np.inf))


def gain(entry: dict) -> str:
    """In percentage points."""
    mark = f" {MARK}" * unclear(entry)
    if entry["gain"] is None:
        return f"—{mark}"
    spread = "(one seed)" if entry["half_width"] is None else f"± {100 * entry['half_width']:.1f}"
    return f"{100 * entry['gain']:+.1f} {spread}{mark}".replace("-", "−")


def reached(entry: dict) -> str:
    """Steps to 95 % test accuracy with the function and with ReLU."""
    if (steps := entry["steps"]) is None:
        return "—"
    own, relu = (f"{steps[arm]:,}" if steps[arm] else f"not in {steps['last']:,}" for arm in ("own", "relu"))
    return f"{own}; ReLU: {relu}"


def start(name: str) -> str:
    """What the learning started from, the last part of a name."""
    return name.split("-")[-1]


def escaped(data: str) -> str:
    return data.replace("^", chr(92) + "^")


def title(name: str, entry: dict) -> str:
    """Two lines: the data, and the start with the optimiser."""
    data = pretty(name_of(entry["data"]))
    data = data.replace(" if b odd else ", " or ")  # two tasks, which would be cut to the same title
    data = data if len(data) < 25 else data[:23] + "…"
    return f"{data}\n{STARTS[start(name)]}, {optimiser(entry['optimiser'])}{f' {MARK}' * unclear(entry)}"


def table(entries: Mapping[str, dict], files: str) -> pd.DataFrame:
    """A row for each function: its name as a link below `files`, its words, gain, and steps where there are some."""
    rows = {
        "name and file": [f"[`{name}`]({files}/{entry['file']})" for name, entry in entries.items()],
        "in words": [escaped(activations.words(name, entry)) for name, entry in entries.items()],
        "gain over ReLU (points)": [gain(entry) for entry in entries.values()],
    }
    if any(entry["steps"] for entry in entries.values()):
        rows["steps to 95 % test accuracy"] = [reached(entry) for entry in entries.values()]
    return pd.DataFrame(rows)


def about(entries: Mapping[str, dict]) -> dict[str, str | int]:
    """The values of the words on a group: how many functions, their ranges, seeds and numbers of turning points."""
    ranges = sorted({f"[{entry['low']:g}, {entry['high']:g}]" for entry in entries.values()})
    seeds = sorted({entry["seeds"] for entry in entries.values()})
    turns = {}
    for name in entries:
        values = activations.load(name).values
        found = [turning_points(one) for one in values.reshape(-1, values.shape[-1])]
        turns.setdefault(STARTS[start(name)], []).extend(found)
    said = [f"{words} {min(n)} to {max(n)}, half of them at most {np.median(n):.0f}" for words, n in turns.items()]
    return {
        "count": len(entries),
        "ranges": " and ".join(ranges),
        "seeds": " or ".join(map(str, seeds)) + " seed" + "s" * (seeds != [1]),
        "turns": "; ".join(said),
    }


def gallery(entries: Mapping[str, dict], narrow: bool = False) -> Figure:
    """Small plots of the activations of an index, in its order."""
    shown = [(title(name, entry), activations.load(name), COLOURS[start(name)]) for name, entry in entries.items()]
    return plots(shown, 2 if narrow else 4)


def plots(entries: Sequence[tuple[str, nn.Module, str]], columns: int) -> Figure:
    """Small multiples of activations, each over its range; input activations as one thin line per column.

    Args:
        entries: titles (at most 2 lines of 26 characters), splines and colours.
    """
    figure, axes = grid(len(entries), columns, 1.86 * columns, 1.45, 0.1)
    for ax, (title, g, colour) in zip(axes.flat, entries, strict=False):
        z = np.linspace(g.low, g.high, g.values.shape[-1])
        look = {"linewidth": 0.8, "alpha": 0.7} if g.values.ndim == 2 else {"linewidth": 1.2}
        ax.axhline(0, color=plt.rcParams["axes.edgecolor"], linewidth=0.6)
        ax.plot(z, g.values.reshape(-1, len(z)).T.numpy(), color=colour, **look)
        ax.set_title(title, fontsize=8.5)
        ax.set_xticks([g.low, 0, g.high])
        ax.tick_params(labelsize=8.5, length=2)
        ax.locator_params(axis="y", nbins=3)
    return figure
