"""The plots that several notebooks share. Each draws and returns a figure, for :func:`.figures.display.show`."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..records.intervals import interval
from .looks import ARMS


def panels(
    count: int, narrow: bool, phone: tuple[float, float], wide: tuple[float, float], **shared
) -> tuple[Figure, list[Axes]]:
    """Panels side by side or, on a phone, one below the other; phone, wide: the figure's size in inches."""
    shape, size = ((count, 1), phone) if narrow else ((1, count), wide)
    figure, axes = plt.subplots(*shape, figsize=size, squeeze=False, **shared)
    return figure, list(axes.flat)


def grid(count: int, columns: int, width: float, height: float, more: float, **shared) -> tuple[Figure, np.ndarray]:
    """Rows of panels, each so high and the figure by ``more`` higher; axes beyond ``count`` are off."""
    rows = -(-count // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(width, height * rows + more), squeeze=False, **shared)
    for ax in axes.flat[count:]:
        ax.set_axis_off()
    return figure, axes


def forest(
    panels: Mapping[str, pd.DataFrame], xlabel: str, band: tuple[float, float] | None = None, narrow: bool = False
) -> Figure:
    """Differences with their intervals, one below the other on one axis that has a line at zero.

    Args:
        panels: by title, the rows of each, from the top: columns label, value, low, high (NaN without interval),
            colour, hollow. band: a range to shade. narrow: for a phone.
    """
    counts = [len(rows) for rows in panels.values()]
    size = (3.6 if narrow else 7, 0.27 * sum(counts) + 0.36 * len(panels) + 0.5)
    figure, axes = plt.subplots(len(panels), 1, figsize=size, sharex=True, squeeze=False, height_ratios=counts)
    for ax, (title, rows) in zip(axes[:, 0], panels.items(), strict=True):
        if band:
            ax.axvspan(*band, color="gray", alpha=0.2, linewidth=0)
        ax.axvline(0, linewidth=1.2, color=plt.rcParams["text.color"])
        for i, row in enumerate(rows.itertuples()):
            look = {"color": row.colour, "markerfacecolor": "none" if row.hollow else row.colour}
            ends = [[row.value - row.low], [row.high - row.value]] if row.low == row.low else None
            ax.errorbar(row.value, i, xerr=ends, marker="o", markersize=6, capsize=3, **look)
            side = 1 if row.value >= 0 else -1  # away from the line at zero
            end = (side * np.nanmax([side * row.value, side * (row.high if side > 0 else row.low)]), i)
            where = {"xytext": (7 * side, 0), "textcoords": "offset points", "ha": "left" if side > 0 else "right"}
            ax.annotate(signed(row.value, rows.value), end, **where, va="center", fontsize=9)
        labels = rows.label.str.removeprefix("learned ") if narrow else rows.label
        ax.set_yticks(range(len(rows)), labels, fontsize=9 if narrow else 10)
        ax.set_title(title, loc="left", fontsize=9 if narrow else 10, fontweight="bold")
        ax.set(ylim=(len(rows) - 0.4, -0.6))
        ax.grid(axis="x")
    axes[-1, 0].set_xlabel(xlabel, fontsize=9 if narrow else 10.5)
    make_room(axes[:, 0])
    return figure


def make_room(axes: Sequence[Axes]) -> None:
    """Widen the horizontal axis, which the axes share, until the labels beside their marks are inside."""
    figure = axes[0].figure
    figure.draw_without_rendering()
    beside = []  # a mark's place, and the pixels that its label needs to the left and to the right of it
    for ax in axes:
        for text in ax.texts:
            at, box = ax.transData.transform((text.xy[0], 0))[0], text.get_window_extent()
            beside.append((text.xy[0], at - box.x0 + 8, box.x1 + 8 - at))
    low, high = axes[0].get_xlim()
    for _ in range(30):  # each adds less than the one before
        unit = (high - low) / axes[0].bbox.width
        low = min(low, *(place - left * unit for place, left, _ in beside))
        high = max(high, *(place + right * unit for place, _, right in beside))
    axes[0].set_xlim(low, high)


def patch() -> dict:
    """The ground below a text that lines would run through, for its ``bbox``."""
    return {"facecolor": plt.rcParams["figure.facecolor"], "edgecolor": "none", "pad": 0.5}


def signed(value: float, beside: Sequence[float] = ()) -> str:
    """A number with its sign and one digit, or two where the largest beside it is below 1.

    >>> signed(1.26), signed(0.131, [0.131, -0.2]), signed(-0.02)
    ('+1.3', '+0.13', '+0.0')
    """
    digits = 2 if len(beside) and np.nanmax(np.abs(beside)) < 1.0 else 1
    return f"{value:+z.{digits}f}"


def differences(summary: pd.DataFrame, label: str = "arm", hollow: bool = False) -> pd.DataFrame:
    """The differences to ReLU of a :func:`.records.intervals.summary`, in points, as rows of :func:`forest`."""
    rows = summary.dropna(subset="gain")
    half = 100 * rows.gain_half_width
    return pd.DataFrame(
        {
            "label": rows[label],
            "value": 100 * rows.gain,
            "low": 100 * rows.gain - half,
            "high": 100 * rows.gain + half,
            "colour": [ARMS[arm][0] if arm in ARMS else "gray" for arm in rows.arm],
            "hollow": hollow,
        }
    )


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
