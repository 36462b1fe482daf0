"""The plots that several notebooks share. Each draws and returns a figure, for :func:`.figures.display.show`."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from lib import splines

from ..records.intervals import interval
from .looks import ARMS, look, name_of


def accuracies(table: pd.DataFrame, panels: Sequence[str]) -> Figure:
    """One panel per dataset: the mean accuracy of each arm with its interval.

    Args:
        table: from :func:`summary`, with the column "data"; the accuracies are fractions.
        panels: the datasets, in order.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(7, 2.7), squeeze=False)
    for ax, data in zip(axes[0], panels, strict=True):
        part = table[table.data == data]
        for i, row in enumerate(part.itertuples()):
            colour, marker, _ = ARMS[row.arm]
            ax.errorbar(i, 100 * row.mean, 100 * row.half_width, color=colour, marker=marker, capsize=4, markersize=7)
            top, above = (i, 100 * (row.mean + row.half_width)), {"xytext": (0, 5), "textcoords": "offset points"}
            ax.annotate(f"{100 * row.mean:.1f}", top, **above, ha="center", color=colour)
        breaks = "learned\nfrom\n" if len(panels) > 2 else "learned\nfrom "
        ax.set_xticks(range(len(part)), [arm.replace("learned from ", breaks) for arm in part.arm])
        ax.set(title=name_of(data), xlim=(-0.5, len(part) - 0.5))
        ax.margins(y=0.25)
        ax.grid(axis="y")
    axes[0, 0].set_ylabel("test accuracy (%)")
    return figure


def by_depth(table: pd.DataFrame, panels: Sequence[str]) -> Figure:
    """Figure 17: test accuracy against the number of hidden layers, one panel per dataset.

    Args:
        table: columns data, arm, depth, mean, half_width (fractions).
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(7, 3.0), squeeze=False)
    for ax, data in zip(axes[0], panels, strict=True):
        for i, (arm, part) in enumerate(table[table.data == data].groupby("arm", sort=False)):
            part = part.sort_values("depth")
            x = part.depth + 0.06 * (i - 1.5)  # so that intervals do not hide each other
            ax.errorbar(x, 100 * part["mean"], 100 * part.half_width, **look(arm), capsize=3, label=arm)
        ax.set(title=name_of(data), xlabel="hidden layers", xticks=sorted(table.depth.unique()))
        ax.grid()
    axes[0, 0].set_ylabel("test accuracy (%)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8.5)
    return figure


def learned_functions(
    panels: Sequence[tuple[str, str, np.ndarray, float, float]],
    reference: str = "relu",
    used: Mapping[str, tuple[float, float]] | None = None,
) -> Figure:
    """Learned activations as small multiples, each with a thin reference.

    Args:
        panels: (title, arm, values (n_c,), low, high) of each.
        reference: "relu" or "gelu": drawn dotted where the function was learned from a ReLU.
        used: by title, the range of pre-activations to shade.
    """
    columns = min(len(panels), 4)
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(7, 1.9 * rows + 0.3), squeeze=False, sharex="row")
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    for ax, (title, arm, values, low, high) in zip(axes.flat, panels, strict=False):
        grid = splines.grid(len(values), low, high).numpy()
        if arm == "learned from ReLU":
            curve = np.maximum(grid, 0) if reference == "relu" else gelu(grid)
            name, ink = reference.upper().replace("RELU", "ReLU"), plt.rcParams["text.color"]
            ax.plot(grid, curve, color=ink, linestyle=":", linewidth=1.2, label=name, zorder=3)
        ax.plot(grid, values, color=ARMS[arm][0], linewidth=1.5)
        if used and title in used:
            ax.axvspan(*used[title], color="gray", alpha=0.18, linewidth=0)
        ax.set_title(title, fontsize=9.5 if columns < 4 else 8.5)
        ax.grid()
    for ax in axes.flat[len(panels) - columns : len(panels)]:  # the last one of each column
        ax.set_xlabel("pre-activation $z$")
    for ax in axes[:, 0]:
        ax.set_ylabel("$g(z)$")
    for ax in axes.flat:
        if ax.get_legend_handles_labels()[0]:
            ax.legend(fontsize=8)
            break
    return figure


def gelu(z: np.ndarray) -> np.ndarray:
    """GELU, z Phi(z), by its exact definition."""
    from scipy.special import ndtr

    return z * ndtr(z)


def scatter(points: pd.DataFrame, x: str, panels: Sequence[str]) -> Figure:
    """Test accuracy against total variation ("tv") or training accuracy, one marker per evaluated model.

    Args:
        points: columns data, arm, x, test_accuracy (fractions). panels: the datasets.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(7, 3.1), squeeze=False)
    for ax, data in zip(axes[0], panels, strict=True):
        for arm, (colour, marker, _) in ARMS.items():
            part = points[(points.data == data) & (points.arm == arm)]
            if len(part):
                dots = {"s": 14, "alpha": 0.55, "linewidths": 0, "color": colour, "marker": marker}
                ax.scatter((1 if x == "tv" else 100) * part[x], 100 * part.test_accuracy, label=arm, **dots)
        ax.set_title(name_of(data))
        low, high = points[points.data == data][x].agg(["min", "max"])
        if x == "tv":
            _logarithmic(ax, low, high, len(panels))
        else:
            ax.set_xlabel("training accuracy (%)")
            frame = ax.axis()  # that of the markers
            style = {"linestyle": ":", "color": "gray", "linewidth": 1.5, "label": "test = training"}
            ax.axline((100 * low, 100 * low), slope=1, **style)
            ax.axis(frame)
        ax.grid()
    axes[0, 0].set_ylabel("test accuracy (%)")
    columns = 3 if x == "tv" else 2
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=columns, markerscale=1.8)
    return figure


def _logarithmic(ax: Axes, low: float, high: float, panels: int) -> None:
    ax.set(xscale="log", xlabel="total variation\n(output units)" if panels > 2 else "total variation (output units)")
    few = (1,) if high > 100 * low else (1, 3)
    ax.xaxis.set_major_locator(LogLocator(subs=few if panels > 2 else (1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())


def curves(
    ax: Axes, steps: np.ndarray, runs: Sequence[np.ndarray], arm: str, label: str, line: str | None = None
) -> None:
    """Accuracy over steps: the mean of runs (fractions) with its 95 % interval as a band."""
    values = 100 * np.array(runs)  # (seeds, evaluations)
    mean, half = np.array([interval(column) if len(column) > 1 else (column[0], 0.0) for column in values.T]).T
    colour, _, own_line = ARMS[arm]
    ax.plot(steps, mean, color=colour, linestyle=line or own_line, label=label)
    ax.fill_between(
        steps, np.maximum(mean - half, 0), np.minimum(mean + half, 100), color=colour, alpha=0.2, linewidth=0
    )
