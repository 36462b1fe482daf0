"""The figures of the pages "Your own data" and "Learned activations"; for :func:`lib.display.show`."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import nn

from lib.intervals import interval

COLUMNS = 3  # of the gallery: what a phone can show


def comparison(g: nn.Module, density: np.ndarray, scores: Mapping[str, Sequence[float]]) -> Figure:
    """Left: a learned function and how often its inputs are used. Right: scores per seed, with mean and interval.

    Args:
        g: a spline with one function. density: fractions of the pre-activations in equal bins from g.low to g.high.
        scores: per arm one number per seed, at least 2.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.1))
    z = torch.linspace(g.low, g.high, 801)
    edges = np.linspace(g.low, g.high, len(density) + 1)
    values = g(z).numpy()
    height = np.ptp(values)
    floor = values.min() - 0.05 * height
    bars = floor + 0.35 * height * density / density.max()  # the lower third
    left.stairs(bars, edges, baseline=floor, fill=True, alpha=0.3, color="C2", label="use")
    left.plot(z, values, color="C1", label="learned")
    left.plot(z, torch.relu(z).clamp(max=float(values.max())), color="C0", linestyle="--", linewidth=1.2, label="ReLU")
    left.set(xlabel="pre-activation $z$", ylabel="$g(z)$")
    left.legend(fontsize=8.5)
    for row, numbers in enumerate(scores.values()):
        mean, half_width = interval(numbers)
        colour = f"C{row}"
        right.plot(numbers, np.full(len(numbers), row) + 0.18, "o", color=colour, markersize=4, alpha=0.6)
        right.errorbar(mean, row, xerr=half_width, fmt="D", color=colour, markersize=5, capsize=4)
    right.set_yticks(range(len(scores)), scores)
    right.set(xlabel="$R^2$ on test rows", ylim=(len(scores) - 0.5, -0.5))
    right.grid(axis="x")
    return figure


def gallery(entries: Sequence[tuple[str, nn.Module]]) -> Figure:
    """Small multiples of activations, each over its range; input activations as one thin line per column.

    Args:
        entries: titles (at most 2 lines) and splines.
    """
    rows = -(-len(entries) // COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(4.6, 1.25 * rows + 0.1), squeeze=False)
    for ax, (title, g) in zip(axes.flat, entries, strict=False):
        z = np.linspace(g.low, g.high, g.values.shape[-1])
        look = {"linewidth": 0.6, "alpha": 0.5} if g.values.ndim == 2 else {"linewidth": 1.1}
        ax.axhline(0, color=plt.rcParams["axes.edgecolor"], linewidth=0.6)
        ax.plot(z, g.values.reshape(-1, len(z)).T.numpy(), color="C1", **look)
        ax.set_title(title, fontsize=8)
        ax.set_xticks([g.low, 0, g.high])
        ax.tick_params(labelsize=7, length=2)
        ax.locator_params(axis="y", nbins=3)
    for ax in axes.flat[len(entries) :]:
        ax.set_axis_off()
    return figure
