"""The figures of the two pages on images (Sections 3.1 and 3.2)."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from torch import Tensor
from torch.nn import functional

from lib import splines

from ..figures.looks import ARMS, look, name_of
from ..figures.plots import differences, forest, panels
from ..records.intervals import Correlation
from ..verdict import Condition
from .plan import ARMS as COMPARED
from .tables import NEAR_CHANCE

PLAIN = "plain gradient descent"


def live(learned: Mapping[str, tuple[Tensor, Sequence[float]]], narrow: bool = False) -> Figure:
    """Functions that were learned on the page, and the held-out loss of their episodes, by arm."""
    figure, (left, right) = panels(2, narrow, (3.6, 4.7), (7, 2.6))
    for arm, (psi, losses) in learned.items():
        colour, _, line = ARMS[arm]
        left.plot(splines.grid(len(psi), -5, 5), psi, color=colour, linestyle=line, label=arm)
        right.plot(losses, color=colour, linestyle=line)
    left.set(xlabel="pre-activation $z$", ylabel="$g(z)$", title="the learned functions")
    right.set(xlabel="episode", title="held-out loss", yscale="log")
    left.legend(fontsize=9)
    for ax in (left, right):
        ax.grid()
    return figure


def gains(summaries: Mapping[str, pd.DataFrame], band: tuple[float, float] | None = None, narrow=False) -> Figure:
    """Points over ReLU of each learned activation, a panel per dataset.

    Args:
        summaries: from :func:`.tables.summaries`; those of plain gradient descent are hollow.
    """
    panels = {}
    for data in next(iter(summaries.values())).data.unique():
        parts = {title: summary[summary.data == data] for title, summary in summaries.items()}
        rows = [differences(part, hollow=title == PLAIN) for title, part in parts.items()]
        shown = pd.concat(rows, ignore_index=True)
        shown["label"] += [", plain SGD" if hollow else "" for hollow in shown.hollow]
        relu = [part.set_index("arm")["mean"]["ReLU"] for part in parts.values() if len(part)]
        more = f" (plain SGD {100 * relu[1]:.1f} %)" if len(relu) > 1 and not narrow else ""
        chance = ", near chance" if relu[0] < NEAR_CHANCE and not narrow else ""
        panels[f"{name_of(data)}: ReLU {100 * relu[0]:.1f} %{more}{chance}"] = shown
    return forest(panels, "points of test accuracy over ReLU", band, narrow)


def controls(summary: pd.DataFrame, narrow: bool = False) -> Figure:
    """Points over ReLU of what was learned and of the controls, which are grey, a panel per dataset."""
    panels = {name_of(data): differences(part) for data, part in summary.groupby("data", sort=False)}
    return forest(panels, "points of test accuracy over ReLU", narrow=narrow)


def correlations(conditions: Iterable[Condition], narrow: bool = False) -> Figure:
    """The rank correlations that decide C3, a panel per dataset."""
    rows = pd.DataFrame([vars(one) for one in conditions if one.unit == ""]).rename(columns={"name": "label"})
    looks = {"regression": "C1", "classification, in size": "C0"}
    rows = rows.assign(colour=rows.label.map(looks).fillna("gray"), hollow=False)
    if narrow:
        rows["label"] = rows.label.replace("regression above classification", "difference")
    panels = dict(iter(rows.groupby("where", sort=False)))
    return forest(panels, "rank correlation with total variation", narrow=narrow)


def by_depth(gains: pd.DataFrame, accuracies: pd.DataFrame, narrow: bool = False) -> Figure:
    """Figure 17 as differences to ReLU with as many hidden layers, one panel per dataset, all on one axis.

    Args:
        gains: from :func:`.tables.gains_by_depth`. accuracies: from :func:`.tables.by_depth`; ReLU's are written.
    """
    names = list(gains.data.unique())
    figure, axes = panels(len(names), narrow, (3.6, 1.9 * len(names) + 0.9), (7, 2.9), sharey=True)
    for ax, data in zip(axes, names, strict=True):
        ax.axhline(0, linewidth=1.2, color=plt.rcParams["text.color"])
        part, relu = gains[gains.data == data], accuracies[(accuracies.data == data) & (accuracies.arm == "ReLU")]
        for i, (arm, rows) in enumerate(part.dropna(subset="gain").groupby("arm", sort=False)):
            rows = rows.sort_values("depth")
            x = rows.depth + 0.08 * (i - 1)  # so that intervals do not hide each other
            ax.errorbar(x, 100 * rows.gain, 100 * rows.gain_half_width, **look(arm), capsize=3, label=arm)
        relu = relu.sort_values("depth")
        ax.set_xticks(relu.depth, [f"{row.depth}\n{100 * row.mean:.0f}" for row in relu.itertuples()])
        ax.set_title(name_of(data))
        ax.grid()
    figure.supxlabel("hidden layers, and ReLU's accuracy (%)", fontsize=10.5)
    figure.supylabel("points over ReLU", fontsize=10.5)
    shown = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    columns = 1 if narrow else 4
    figure.legend(shown.values(), shown.keys(), loc="outside upper center", ncols=columns, fontsize=9.5)
    return figure


def functions(rows: pd.DataFrame, narrow: bool = False) -> Figure:
    """Learned functions, a column per dataset, a row per start and optimiser, all scaled to the same spread.

    GELU, scaled in the same way, is dotted beside those learned from a ReLU.

    Args:
        rows: from :func:`.shown.as_grid`.
    """
    rows = rows.assign(row=rows.arm + ", " + rows.kind)
    names, lines = list(rows.data.unique()), list(rows.row.unique())
    width = 7 if len(names) > 1 and not narrow else 3.6
    size = (width, 1.05 * len(lines) + 0.7)
    figure, axes = plt.subplots(len(lines), len(names), figsize=size, sharex=True, sharey=True, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for row in rows.itertuples():
        ax = axes[lines.index(row.row), names.index(row.data)]
        ax.set_axis_on()
        z = splines.grid(len(row.psi), row.low, row.high)
        grid = z.numpy()
        low, high = row.used or (row.low, row.high)
        if row.used:
            ax.axvspan(low, high, color="gray", alpha=0.18, linewidth=0)
        if row.arm == COMPARED[1]:
            ink = plt.rcParams["text.color"]
            gelu = functional.gelu(z).numpy()
            ax.plot(grid, _scaled(gelu, grid, low, high), color=ink, linestyle=":", linewidth=1.2, zorder=3)
        ax.plot(grid, _scaled(row.psi, grid, low, high), color=ARMS[row.arm][0], linewidth=1.5)
        ax.set(yticks=[], xticks=[-4, 0, 4], ylim=(-3.5, 3.5))
        ax.grid(axis="x")
    for ax, name in zip(axes[0], names, strict=True):
        look = {"ha": "center", "fontweight": "bold", "fontsize": 8.5 if narrow else 10.5}
        ax.annotate(name_of(name), (0.5, 1.4), xycoords="axes fraction", **look)
    for ax, line in zip(axes[:, 0], lines, strict=True):
        ax.set_title(line, loc="left", fontsize=9, color=ARMS[line.split(",")[0]][0])
    for ax in axes[-1]:
        ax.set_xlabel("$z$")
    return figure


def _scaled(values: np.ndarray, grid: np.ndarray, low: float, high: float) -> np.ndarray:
    """Values with mean 0 and variance 1 between low and high; a constant is 0."""
    used = values[(grid >= low) & (grid <= high)]
    return (values - used.mean()) / (used.std() or 1.0)


def best_steps(runs: pd.DataFrame, found: Mapping[str, Correlation], narrow: bool = False) -> Figure:
    """Test accuracy against total variation, one marker per run at its best step, one panel per dataset.

    Args:
        runs: columns data, arm, tv, test_accuracy. found: the rank correlation of each dataset.
    """
    figure, axes = panels(len(found), narrow, (3.6, 1.9 * len(found) + 0.9), (7, 3.0))
    for ax, (data, correlation) in zip(axes, found.items(), strict=True):
        for arm in COMPARED:
            part = runs[(runs.data == data) & (runs.arm == arm) & (runs.tv > 0)]
            colour, marker, _ = ARMS[arm]
            dots = {"s": 18, "alpha": 0.7, "linewidths": 0, "color": colour, "marker": marker}
            ax.scatter(part.tv, 100 * part.test_accuracy, label=arm, **dots)
        ax.set_title(f"{name_of(data)}\nrank correlation {correlation.value:+.2f}", fontsize=10)
        ax.set_xscale("log")
        few = (1,) if np.ptp(np.log10(runs[(runs.data == data) & (runs.tv > 0)].tv)) > 1.5 else (1, 2, 5)
        ax.xaxis.set_major_locator(LogLocator(subs=few))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.grid()
    figure.supxlabel("total variation (output units)", fontsize=10.5)
    figure.supylabel("test accuracy (%)", fontsize=10.5)
    columns = 1 if narrow else 3
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=columns, markerscale=1.6)
    return figure
