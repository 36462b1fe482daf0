"""The figures of Section 3.3, from the tables of :mod:`.tabular.tables`."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from ..figures import looks
from ..figures.looks import label
from .plan import ARMS, INPUTS, RANKED
from .tables import ORDER

SIZES = {"*": 11, "P": 8}
LOWEST = 0.05  # the share of a panel's marks that the frame of a scatter plot leaves out below
OUT_OF_FRAME = 0.1  # a mean of this much below the best of its panel is written at the panel's foot


def gains(table: pd.DataFrame, average: pd.DataFrame) -> Figure:
    """The difference to ReLU of each model type: one small mark per dataset, the mean with its interval."""
    figure, axes = plt.subplots(figsize=(7, 3.4))
    for y, row in enumerate(average.itertuples()):
        colour, marker, _ = looks.ARMS[row.arm]
        points = 100 * table[table.arm == row.arm].gain
        axes.plot(points, np.full(len(points), y), "|", color=colour, alpha=0.7, markersize=9)
        half = 0 if np.isnan(row.half_width) else 100 * row.half_width
        axes.errorbar(
            100 * row.gain, y, xerr=half, color=colour, marker=marker, capsize=4, markersize=SIZES.get(marker, 7)
        )
    axes.axvline(0, color="C0", linewidth=1, linestyle=":")
    axes.set_yticks(range(len(average)), [label(arm) for arm in average.arm])
    axes.set(xlabel="test accuracy minus ReLU's (percentage points)", ylim=(-0.6, len(average) - 0.4))
    axes.grid(axis="x")
    return figure


def per_dataset(table: pd.DataFrame) -> Figure:
    """The accuracy of every model type on every dataset: one row per dataset, in it one line per model type."""
    names = list(table.groupby("data")["mean"].max().sort_values().index)
    figure, axes = plt.subplots(figsize=(7, 1.3 + 0.45 * len(names)))
    for i, arm in enumerate(ORDER):
        own = table[table.arm == arm].set_index("data").reindex(names)
        colour, marker, _ = looks.ARMS[arm]
        y = np.arange(len(names)) - 0.09 * (i - (len(ORDER) - 1) / 2)  # so that they do not hide each other
        size = SIZES.get(marker, 5.5)
        axes.plot(100 * own["mean"], y, marker, color=colour, label=label(arm), markersize=size, alpha=0.85)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="test accuracy (%)", ylim=(-0.6, len(names) - 0.4))
    axes.grid()
    figure.legend(loc="outside lower center", ncols=4, fontsize=9)
    return figure


def scatter(
    points: pd.DataFrame,
    x: str,
    datasets: Sequence[str],
    extra: pd.DataFrame | None = None,
    best: pd.DataFrame | None = None,
) -> Figure:
    """Test accuracy against total variation ("tv") or training accuracy, one panel per dataset.

    Args:
        points: from :func:`.tabular.tables.evaluations`.
        extra: baselines to mark: columns data, arm, train_accuracy, test_accuracy.
        best: per dataset the arm to mark with a line and its total variation: columns arm, tv.
    """
    columns = min(4, len(datasets))
    rows = -(-len(datasets) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(7, 2.1 * rows + 0.8), squeeze=False)
    for ax in grid.flat[len(datasets) :]:
        ax.set_axis_off()
    scale = 1 if x == "tv" else 100
    for ax, data in zip(grid.flat, datasets, strict=False):
        for arm in ARMS:
            part = points[(points.data == data) & (points.arm == arm)]
            colour, marker, _ = looks.ARMS[arm]
            dots = {
                "s": 9,
                "alpha": 0.4,
                "linewidths": 0,
                "color": colour,
                "marker": marker,
                "rasterized": True,
            }
            ax.scatter(scale * part[x], 100 * part.test_accuracy, label=label(arm), **dots)
        for row in (extra[extra.data == data] if extra is not None else pd.DataFrame()).itertuples():
            colour, marker, _ = looks.ARMS[row.arm]
            ax.plot(scale * getattr(row, x), 100 * row.test_accuracy, marker, color=colour, label=label(row.arm))
        own = points[points.data == data]
        if extra is not None:
            own = pd.concat([own, extra[extra.data == data]])
        floor = points[points.data == data].test_accuracy.quantile(LOWEST)
        ax.set_ylim(100 * floor, 100 * own.test_accuracy.max() + 0.5)
        ax.set_title(data if len(data) < 20 else data[:16] + "…", fontsize=9.5)
        ax.grid()
        if x == "tv":
            ax.set_xscale("log")
            low, high = _least(own), 1.2 * own.tv.max()
            ax.set_xlim(low, high)
            ax.xaxis.set_major_locator(LogLocator(subs=(1,) if high > 200 * low else (1, 3)))
            ax.xaxis.set_major_formatter("{x:g}")
            ax.xaxis.set_minor_formatter(NullFormatter())
        else:
            inside = own[x][own.test_accuracy >= floor]
            ax.set_xlim(100 * inside.min() - 0.5, 100 * inside.max() + 0.5)
            style = {"linestyle": ":", "color": "gray", "linewidth": 1.2, "label": "test = training"}
            ax.axline((100 * floor, 100 * floor), slope=1, **style)
        if best is not None:
            ax.axvline(best.tv[data], color=looks.ARMS[best.arm[data]][0], linestyle="--", linewidth=1.5)
    for ax in grid[-1]:
        ax.set_xlabel("total variation (logits)" if x == "tv" else "training accuracy (%)", fontsize=9)
    for ax in grid[:, 0]:
        ax.set_ylabel("test accuracy (%)", fontsize=9)
    handles = dict(zip(*grid[0, 0].get_legend_handles_labels()[::-1], strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, markerscale=1.7, fontsize=9)
    return figure


def _least(points: pd.DataFrame) -> float:
    """The left end of a panel's axis of total variation, which nearly constant networks would stretch over decades."""
    return points.tv[(points.tv > 0) & (points.test_accuracy >= points.test_accuracy.median())].min() / 1.2


def not_shown(points: pd.DataFrame, x: str, datasets: Sequence[str], extra: pd.DataFrame | None = None) -> str:
    """What a caption of `scatter` says of the marks that its panels do not show, if there are any.

    They are below the frame or, nearly constant, left of it. Arguments as of :func:`scatter`.
    """
    points = points[points.data.isin(datasets)]
    floors = points.groupby("data").test_accuracy.quantile(LOWEST)
    inside = points.test_accuracy >= points.data.map(floors)
    if x == "tv":
        inside &= points.tv >= points.data.map({data: _least(part) for data, part in points.groupby("data")})
    words = [f"{(~inside).sum():,} of {len(points):,} marks"] if not inside.all() else []
    if extra is not None:
        extra = extra[extra.data.isin(datasets)]
        below = int((extra.test_accuracy < extra.data.map(floors)).sum())
        words += [f"{below:,} of {len(extra):,} baselines"] if below else []
    return f" Outside the frames: {' and '.join(words)}." if words else ""


def example_paths(outputs: dict[float, np.ndarray]) -> Figure:
    """Figure 30: outputs of networks with tanh of several slopes along paths between training rows.

    Args:
        outputs: per slope, (paths, points) in logits; the same paths.
    """
    count = len(next(iter(outputs.values())))
    figure, axes = plt.subplots(1, count, figsize=(7, 2.4), sharex=True)
    looks = zip(("C0", "C1", "C3"), (":", "--", "-"), strict=False)
    for (alpha, values), (colour, line) in zip(outputs.items(), looks, strict=False):
        for ax, path in zip(axes, values, strict=True):
            position = np.linspace(0, 1, len(path))
            ax.plot(position, path, color=colour, linestyle=line, label=rf"$\alpha = {alpha:g}$")
            ax.set_xlabel("position")
            ax.grid()
    axes[0].set_ylabel("output (logits)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def lines(tables: dict[str, pd.DataFrame], xlabel: str) -> Figure:
    """Test accuracy of each arm against depth or width, one panel per dataset.

    With runs that stayed at chance, a mean that is out of frame or a wide interval would flatten all others: the mean
    is written at the foot, and a wide interval is left out, which an open mark tells.

    Args:
        tables: by dataset, from :func:`.tabular.tables.by`. xlabel: "width" has a logarithmic axis.
    """
    figure, axes = plt.subplots(1, len(tables), figsize=(7, 3.3), squeeze=False)
    for ax, (data, table) in zip(axes[0], tables.items(), strict=True):
        floor = table["mean"].max() - OUT_OF_FRAME
        shown = table[table["mean"] >= floor]
        least, most = ((shown["mean"] + sign * shown.half_width.fillna(0).clip(upper=0.05)) for sign in (-1, 1))
        margin = 0.05 * (most.max() - least.min()) + 0.001
        bottom, top = least.min() - (2 if len(shown) < len(table) else 1) * margin, most.max() + margin
        at_foot = Counter()
        for i, arm in enumerate(arm for arm in ARMS if (table.arm == arm).any()):
            own, (colour, marker, line) = table[table.arm == arm], looks.ARMS[arm]
            aside = 2 ** (0.06 * (i - 2)) if xlabel == "width" else 1  # so that intervals do not hide each other
            at = own.value * aside + (0 if xlabel == "width" else 0.06 * (i - 2))
            outside = (own["mean"] < floor) | (own.half_width > OUT_OF_FRAME / 2)
            half = 100 * own.half_width.fillna(0).mask(outside, 0)
            style = {"color": colour, "marker": marker, "linestyle": line, "capsize": 3, "markersize": 5}
            ax.errorbar(at, 100 * own["mean"], half, label=label(arm), **style)
            wide = outside & (own["mean"] >= floor)
            ax.plot(at[wide], 100 * own["mean"][wide], marker, color=colour, markersize=5, markerfacecolor="white")
            for x, value, mean in own.assign(x=at)[own["mean"] < floor][["x", "value", "mean"]].itertuples(index=False):
                at_foot[value] += 1
                above = {"xytext": (0, 9 * at_foot[value] - 7), "textcoords": "offset points", "annotation_clip": False}
                ax.annotate(f"▾ {100 * mean:.0f}", (x, 100 * bottom), color=colour, ha="center", fontsize=8, **above)
        values = sorted(table.value.unique())
        if xlabel == "width":
            ax.set_xscale("log", base=2)
        ax.set_xticks(values, [f"{value:.0f}" for value in values])
        ax.minorticks_off()
        ax.set(title=data, xlabel=xlabel, ylim=(100 * bottom, 100 * top))
        ax.grid()
    axes[0, 0].set_ylabel("test accuracy (%)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def average_by_depth(table: pd.DataFrame) -> Figure:
    """What each arm gains at each depth over ReLU with one hidden layer, from :func:`.tables.average_by_depth`."""
    figure, ax = plt.subplots(figsize=(7, 3.6))
    for i, arm in enumerate(arm for arm in ARMS if (table.arm == arm).any()):
        own, (colour, marker, line) = table[table.arm == arm], looks.ARMS[arm]
        style = {"color": colour, "marker": marker, "linestyle": line, "capsize": 3, "markersize": 6}
        ax.errorbar(own.depth + 0.06 * (i - 2), 100 * own["mean"], 100 * own.half_width, label=label(arm), **style)
    ax.axhline(0, color="C0", linewidth=1, linestyle=":")
    ax.set(xlabel="hidden layers", ylabel="test accuracy minus that of ReLU\nwith one hidden layer (points)")
    ax.set_xticks(sorted(table.depth.unique()))
    ax.minorticks_off()
    ax.grid()
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def out_of_frame(tables: dict[str, pd.DataFrame]) -> str:
    """What a caption of `lines` says of the numbers at the foot of its panels and of open marks, if there are any."""
    below = [table["mean"] < table["mean"].max() - OUT_OF_FRAME for table in tables.values()]
    wide = [table.half_width > OUT_OF_FRAME / 2 for table in tables.values()]
    words = ""
    if any(map(any, below)):
        words += " A number at the foot is a mean outside the frame, with runs that stayed at chance."
    if any((w & ~b).any() for w, b in zip(wide, below, strict=True)):
        words += f" An open mark has an interval of more than ± {50 * OUT_OF_FRAME:.0f} points, which is not drawn."
    return words


def control(table: pd.DataFrame) -> Figure:
    """Each table's accuracy with ReLU, with ReLU on columns by rank, and with learned inputs, as differences to ReLU.

    Args:
        table: from :func:`.tabular.tables.ranked`.
    """
    order = table.assign(learned=table.gain + table.beyond).sort_values("learned")
    figure, ax = plt.subplots(figsize=(7, 0.28 * len(order) + 1.2))
    ax.axvline(0, color="C0", linestyle=":", label="ReLU")
    for i, row in enumerate(order.itertuples()):
        ax.plot([100 * row.gain, 100 * row.learned], [i, i], color="C4", linewidth=1.5, alpha=0.6)
    ax.plot(100 * order.gain, range(len(order)), "o", color="C0", label=RANKED)
    ax.plot(100 * order.learned, range(len(order)), "P", color="C4", markersize=8, label=label(INPUTS))
    ax.set_yticks(range(len(order)), order.index)
    ax.set_xlabel("test accuracy minus ReLU's (percentage points)")
    ax.grid(axis="x")
    figure.legend(loc="outside lower center", ncols=3)
    return figure
