"""The figures of the pages "Your own data" and "Learned activations"; for :func:`.figures.display.show`."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import nn

from ..records.intervals import interval

COLUMNS = 2  # of the gallery, in a figure that a phone shows at nearly its full size


def comparison(g: nn.Module, density: np.ndarray, scores: Mapping[str, Sequence[float]]) -> Figure:
    """Above: a learned function and how often its inputs are used. Below: scores per seed, with mean and interval.

    Args:
        g: a spline with one function. density: fractions of the pre-activations in equal bins from g.low to g.high.
        scores: per arm one number per seed, at least 2.
    """
    figure, (above, below) = plt.subplots(2, 1, figsize=(4.4, 4.9), height_ratios=(3, 2))
    z = torch.linspace(g.low, g.high, 801)
    edges = np.linspace(g.low, g.high, len(density) + 1)
    values = g(z).numpy()
    height = np.ptp(values)
    floor = values.min() - 0.05 * height
    bars = floor + 0.35 * height * density / density.max()  # the lower third
    above.stairs(bars, edges, baseline=floor, fill=True, alpha=0.3, color="C2", label="use")
    above.plot(z, values, color="C1", label="learned")
    above.plot(z, torch.relu(z).clamp(max=float(values.max())), color="C0", linestyle="--", linewidth=1.2, label="ReLU")
    above.set(xlabel="pre-activation $z$", ylabel="$g(z)$")
    above.legend()
    for row, numbers in enumerate(scores.values()):
        mean, half_width = interval(numbers)
        colour = f"C{row}"
        below.plot(numbers, np.full(len(numbers), row) + 0.18, "o", color=colour, markersize=4, alpha=0.6)
        below.errorbar(mean, row, xerr=half_width, fmt="D", color=colour, markersize=5, capsize=4)
    below.set_yticks(range(len(scores)), scores)
    below.set(xlabel="$R^2$ on test rows", ylim=(len(scores) - 0.5, -0.5))
    below.grid(axis="x")
    return figure


def gallery(entries: Sequence[tuple[str, nn.Module, str]]) -> Figure:
    """Small multiples of activations, each over its range; input activations as one thin line per column.

    Args:
        entries: titles (at most 2 lines of 26 characters), splines and colours.
    """
    rows = -(-len(entries) // COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(4.3, 1.45 * rows + 0.1), squeeze=False)
    for ax, (title, g, colour) in zip(axes.flat, entries, strict=False):
        z = np.linspace(g.low, g.high, g.values.shape[-1])
        look = {"linewidth": 0.6, "alpha": 0.5} if g.values.ndim == 2 else {"linewidth": 0.8}
        ax.axhline(0, color=plt.rcParams["axes.edgecolor"], linewidth=0.6)
        ax.plot(z, g.values.reshape(-1, len(z)).T.numpy(), color=colour, **look)
        ax.set_title(title, fontsize=9.5)
        ax.set_xticks([g.low, 0, g.high])
        ax.tick_params(labelsize=9, length=2)
        ax.locator_params(axis="y", nbins=3)
    for ax in axes.flat[len(entries) :]:
        ax.set_axis_off()
    return figure
