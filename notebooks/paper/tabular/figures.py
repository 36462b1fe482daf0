"""The figures of Section 3.3, from the tables of :mod:`.tabular.tables`; those with `narrow` also for phones."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from ..figures import looks, plots
from ..figures.looks import label
from ..records.intervals import mean_of
from .plan import ARMS, INPUTS, RANKED
from .tables import ORDER

SHORT = {"tanh": "tanh", "learned from ReLU": "AF (ReLU)", "learned from zeros": "AF (zeros)"}
SHORT |= {"learned inputs": "input activations", "boosted trees": "trees"}
SIZES = {"*": 11, "P": 8}
FULL = 10  # points of accuracy at which a cell of the map has its full colour
SMALL = 8.5  # points; below this a phone's text is too small to read


def gains(table: pd.DataFrame, ranked: pd.DataFrame, narrow: bool = False) -> Figure:
    """The difference to ReLU of each model type, the best on top: a thin mark per table, the mean with its interval.

    Args:
        table: from :func:`.tabular.tables.comparison`. ranked: from :func:`.tabular.tables.ranked`; a row of its own.
    """
    rows = {arm: part.gain for arm, part in table[table.arm != "ReLU"].groupby("arm")}
    if len(ranked) == table.data.nunique():
        rows[RANKED] = ranked.gain
    rows = dict(sorted(rows.items(), key=lambda row: row[1].mean()))
    figure, ax = plt.subplots(figsize=(3.75 if narrow else 7, 0.42 * len(rows) + 0.8))
    for y, (arm, values) in enumerate(rows.items()):
        colour, marker, _ = looks.ARMS["ReLU" if arm == RANKED else arm]
        mean, half = mean_of(100 * values)
        ax.plot(100 * values, np.full(len(values), y), "|", color=colour, alpha=0.8, markersize=8)
        look = {"color": colour, "marker": marker, "capsize": 4, "markersize": SIZES.get(marker, 7)}
        ax.errorbar(mean, y, xerr=0 if np.isnan(half) else half, **look)
        ax.text(1.02, y, f"{mean:+.1f}", transform=ax.get_yaxis_transform(), va="center", color=colour)
    ax.axvline(0, color=plt.rcParams["text.color"], linewidth=1.2)
    names = [label(arm).replace(", ", ",\n") if narrow else label(arm) for arm in rows]
    ax.set_yticks(range(len(rows)), names, fontsize=9 if narrow else None)
    ax.set(xlabel="points of test accuracy over ReLU", ylim=(-0.5, len(rows) - 0.3))
    ax.grid(axis="x")
    return figure


def per_table(table: pd.DataFrame, narrow: bool = False) -> Figure:
    """ReLU's accuracy on every table, and the difference of every other model type as a number on a colour.

    The best model of a table is bold. Tables with the largest differences are on top.
    """
    others = [arm for arm in ORDER if arm != "ReLU"]
    gain, relu = (table.pivot(index="data", columns="arm", values=of) for of in ("gain", "mean"))
    gain = 100 * gain.reindex(columns=others)
    order = gain[others[-1]].sort_values(ascending=False).index
    gain, relu = gain.loc[order], 100 * relu.loc[order, "ReLU"]
    colours = np.zeros((len(gain), len(others) + 1, 4))
    for i, j in np.ndindex(gain.shape):
        value = gain.iloc[i, j]
        if np.isfinite(value):
            colours[i, j + 1] = to_rgba("C0" if value > 0 else "C1", 0.65 * min(abs(value) / FULL, 1))
    figure, ax = plt.subplots(figsize=(3.75 if narrow else 7, 0.27 * len(gain) + (0.9 if narrow else 0.6)))
    ax.imshow(colours, aspect="auto")
    for i, row in enumerate(gain.to_numpy()):
        best = np.nanmax([0, *row])
        ax.text(0, i, f"{relu.iloc[i]:.1f}", ha="center", va="center", fontsize=SMALL,
                weight="bold" if best == 0 else None)  # fmt: skip
        for j, value in enumerate(row):
            digits = 0 if narrow and abs(value) >= FULL else 1
            text = f"{value:+z.{digits}f}" if np.isfinite(value) else "—"
            ax.text(j + 1, i, text, ha="center", va="center", fontsize=SMALL, weight="bold" if value == best else None)
    ax.set_yticks(range(len(gain)), [_short(name, narrow) for name in order], fontsize=SMALL)
    heads = ["ReLU (%)", *(SHORT.get(arm, arm) for arm in others)]
    heads = heads if narrow else [head.replace(" ", "\n") for head in heads]
    ax.set_xticks(range(len(heads)), heads, fontsize=SMALL, rotation=90 if narrow else 0)
    ax.tick_params(length=0, top=False, bottom=False, labeltop=True, labelbottom=False)
    ax.spines[:].set_visible(False)
    return figure


def _short(data: str, narrow: bool) -> str:
    """The name of a table, cut where a phone has no room for it."""
    return data[:13] + "…" if narrow and len(data) > 14 else data


def complexities(table: pd.DataFrame, narrow: bool = False) -> Figure:
    """The total variation of each arm relative to ReLU's, a row per table; the most accurate arm is filled and large.

    Args:
        table: from :func:`.tabular.tables.complexities`.
    """
    order = table[table.best].sort_values("ratio").data.tolist()
    figure, ax = plt.subplots(figsize=(3.75 if narrow else 7, 0.22 * len(order) + 1.4))
    for arm in ARMS:
        colour, marker, _ = looks.ARMS[arm]
        own = table[table.arm == arm]
        for best, style in ((False, {"fillstyle": "none", "markersize": 5, "alpha": 0.8}), (True, {"markersize": 9})):
            part = own[own.best == best]
            name = label(arm) if not best else None
            ax.plot(part.ratio, [order.index(d) for d in part.data], marker, color=colour, label=name, **style)
    ax.axvline(1, color=plt.rcParams["text.color"], linewidth=1.2)
    ax.set_yticks(range(len(order)), [_short(name, narrow) for name in order], fontsize=9)
    ax.set(xscale="log", xlabel="total variation relative to ReLU's")
    _plain_log(ax)
    ax.grid()
    figure.legend(loc="outside lower center", ncols=2 if narrow else 5, fontsize=SMALL, handletextpad=0.2)
    return figure


def _plain_log(ax: Axes) -> None:
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())


def courses(tables: Mapping[str, pd.DataFrame], narrow: bool = False) -> Figure:
    """Accuracy against total variation during training, a line per arm; the large mark is the best step.

    Args:
        tables: by dataset, from :func:`.tabular.tables.course`.
    """
    figure, axes = plots.panels(len(tables), narrow, (3.75, 2.6 * len(tables) + 0.8), (7, 3.2))
    for ax, (data, table) in zip(axes, tables.items(), strict=True):
        for arm, own in table.groupby("arm", sort=False):
            colour, marker, line = looks.ARMS[arm]
            ax.plot(own.tv, 100 * own.test_accuracy, line, color=colour, linewidth=1.6, label=label(arm))
            best = own.loc[own.validation_accuracy.idxmax()]
            ax.plot(best.tv, 100 * best.test_accuracy, marker, color=colour, markersize=8)
        ax.set(title=data, xscale="log", xlabel="total variation (logits)")
        _plain_log(ax)
        ax.grid()
    axes[0].set_ylabel("test accuracy (%)")
    _legend_below(figure, axes[0], narrow)
    return figure


def _legend_below(figure: Figure, ax: Axes, narrow: bool) -> None:
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2 if narrow else 3, fontsize=9)


def average_by_depth(table: pd.DataFrame, narrow: bool = False) -> Figure:
    """What each arm gains at each depth over ReLU with one hidden layer: a panel per arm, ReLU's line in each.

    Args:
        table: from :func:`.tabular.tables.average_by_depth`.
    """
    arms = [arm for arm in ARMS if (table.arm == arm).any()]
    shape = (2, 3.75, 1.7, 0.4) if narrow else (len(arms), 7, 2.5, 0.0)
    figure, axes = plots.grid(len(arms), *shape, sharey=True, sharex=True)
    for ax, arm in zip(axes.flat, arms, strict=False):
        relu, own = table[table.arm == "ReLU"], table[table.arm == arm]
        ax.plot(relu.depth, 100 * relu["mean"], ":", color=looks.ARMS["ReLU"][0], linewidth=1.2)
        ax.errorbar(own.depth, 100 * own["mean"], 100 * own.half_width, **looks.look(arm), capsize=3, markersize=5)
        ax.axhline(0, color=plt.rcParams["text.color"], linewidth=0.8)
        ax.set_title(looks.two_lines(arm), fontsize=9)
        ax.set_xticks(sorted(table.depth.unique()))
        ax.grid()
    figure.supxlabel("hidden layers", fontsize=10)
    figure.supylabel("points over ReLU with one layer", fontsize=10)
    return figure


def widths(tables: Mapping[str, pd.DataFrame], narrow: bool = False) -> Figure:
    """Points over ReLU against the width, a panel per table: the mean as a line, each seed as a dot.

    Args:
        tables: by dataset, from :func:`.tabular.tables.width_gains`.
    """
    figure, axes = plots.panels(len(tables), narrow, (3.75, 2.3 * len(tables) + 0.8), (7, 2.9), sharey=True)
    for ax, (data, table) in zip(axes, tables.items(), strict=True):
        for arm, own in table.groupby("arm"):
            colour, marker, line = looks.ARMS[arm]
            ax.plot(own.width, 100 * own.gain, ".", color=colour, alpha=0.7)
            mean = own.groupby("width").gain.mean()
            ax.plot(mean.index, 100 * mean, color=colour, marker=marker, linestyle=line, markersize=5, label=label(arm))
        ax.axhline(0, color=plt.rcParams["text.color"], linewidth=1.2)
        ax.set(title=data, xlabel="width")
        ax.set_xscale("log", base=2)
        ax.set_xticks(sorted(table.width.unique()), [f"{width:.0f}" for width in sorted(table.width.unique())])
        ax.minorticks_off()
        ax.grid()
    axes[0].set_ylabel("points over ReLU")
    _legend_below(figure, axes[0], narrow)
    return figure


def control(table: pd.DataFrame, narrow: bool = False) -> Figure:
    """Each table's accuracy with ReLU, ReLU on columns by rank, and input activations, as differences.

    Args:
        table: from :func:`.tabular.tables.ranked`.
    """
    order = table.assign(learned=table.gain + table.beyond).sort_values("learned")
    figure, ax = plt.subplots(figsize=(3.75 if narrow else 7, 0.22 * len(order) + 1.2))
    ax.axvline(0, color=plt.rcParams["text.color"], linewidth=1.2)
    for i, row in enumerate(order.itertuples()):
        ax.plot([100 * row.gain, 100 * row.learned], [i, i], color="C4", linewidth=1.5, alpha=0.6)
    ax.plot(100 * order.gain, range(len(order)), "o", color="C0", label=RANKED)
    ax.plot(100 * order.learned, range(len(order)), "P", color="C4", markersize=8, label=label(INPUTS))
    ax.set_yticks(range(len(order)), [_short(name, narrow) for name in order.index], fontsize=9)
    ax.set_xlabel("points of test accuracy over ReLU")
    ax.grid(axis="x")
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    return figure


def pictured(table: pd.DataFrame, narrow: bool = False) -> Figure:
    """Three numbers of the pictured models, a row per model and a mark per table.

    Args:
        table: from :func:`.tabular.tables.pictured`.
    """
    arms, panels = list(dict.fromkeys(table.arm))[::-1], _numbers(table)
    figure, axes = plots.panels(len(panels), narrow, (3.75, 1.9 * len(panels) + 0.4), (7, 2.7), sharey=True)
    for ax, (column, title) in zip(axes, panels, strict=True):
        for i, (data, own) in enumerate(table.groupby("data", sort=False)):
            at = [arms.index(arm) for arm in own.arm]
            ax.plot(own[column], at, "os^D"[i % 4], color=f"C{i}", alpha=0.85, label=data)
        ax.set_yticks(range(len(arms)), [label(arm) for arm in arms], fontsize=9)
        ax.set_title(title, fontsize=9.5)
        ax.grid()
        if column == "around":
            ax.set_xscale("log")
            _plain_log(ax)
    _legend_below(figure, axes[0], narrow)
    return figure


def _numbers(table: pd.DataFrame) -> Iterable[tuple[str, str]]:
    names = {"share": "fine structure:\nshare along one column", "size": "fine structure:\nits size"}
    names["around"] = "complexity around\nthe solution"
    return [(name, title) for name, title in names.items() if table[name].notna().any()]
