"""The figures of the page on ablations (Appendix D)."""

import textwrap
from collections.abc import Mapping

import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from lib import splines

from ..figures import plots
from .learner import LEARNED
from .learner_tables import SEARCHES, TaskResults
from .tables import Compared


def differences(compared: Compared, narrow: bool = False) -> Figure:
    """Each arm's difference to the default with as many restarts, in points, sorted, with 95 % intervals.

    Squares are the default: at zero with as many restarts as the others, and with all that it has.
    """
    table: pd.DataFrame = compared.shown()
    table.loc[table.arm == compared.equal, ["gain", "gain_half_width"]] = 0.0
    table = table.dropna().sort_values("gain", ignore_index=True)
    figure, ax = plt.subplots(figsize=(3.7 if narrow else 7, 0.33 * len(table) + 1.0))
    for i, row in enumerate(table.itertuples()):
        if row.arm == compared.equal:
            ax.plot(0, i, "s", color="C2")
            continue
        apart, default = abs(row.gain) > row.gain_half_width, row.arm.startswith("default")
        colour = "C0" if row.arm == "ReLU" else "C2" if default else "C3" if apart else "gray"
        marker = "s" if default else "o" if apart else "."
        ax.errorbar(row.gain, i, xerr=row.gain_half_width, color=colour, marker=marker, capsize=3)
        side = 1 if row.gain >= 0 else -1  # away from the line at zero
        beside = {"xytext": (7 * side, 0), "textcoords": "offset points", "ha": "left" if side > 0 else "right"}
        end = row.gain + side * row.gain_half_width
        ax.annotate(plots.signed(row.gain), (end, i), **beside, va="center", fontsize=9, color=colour)
    ax.axvline(0, linewidth=1.2, color=plt.rcParams["text.color"])
    names = [textwrap.fill(name, 20) if narrow else name for name in table.arm]
    ax.set_yticks(range(len(table)), names, fontsize=8.5 if narrow else 10.5)
    over = f"points of test accuracy{chr(10) if narrow else ' '}over the {compared.equal}"
    ax.set_xlabel(over, loc="right" if narrow else "center", fontsize=9 if narrow else 10.5)
    ax.margins(y=0.05)
    ax.grid(axis="x")
    plots.make_room([ax])
    return figure


def interpolations(
    of_method: Mapping[str, Tensor], end: float, narrow: bool = False, low: float = -5.0, high: float = 5.0
) -> Figure:
    """Functions between -end and end, by the method of interpolation, and their control points on [low, high]."""
    size = (3.6, 1.9 * len(of_method)), (7, 2.5)
    figure, axes = plots.panels(len(of_method), narrow, *size, sharex=True, sharey=True)
    z = torch.linspace(-end, end, 1200)
    for i, (ax, (method, psi)) in enumerate(zip(axes, of_method.items(), strict=True)):
        ax.plot(z, splines.interpolate(z, psi, low, high, method), color=f"C{i}", linewidth=1.2)
        knots = splines.grid(len(psi), low, high)
        near = knots.abs() <= end
        ax.plot(knots[near], psi[near], "o", color=f"C{i}", markersize=3)
        ax.set_title(method)
        ax.grid()
    for ax in axes[-1:] if narrow else axes:
        ax.set_xlabel("pre-activation $z$")
    for ax in axes if narrow else axes[:1]:
        ax.set_ylabel("$g(z)$")
    return figure


def searches(tasks: Mapping[str, TaskResults], narrow: bool = False) -> Figure:
    """Result of the best function so far against inner steps, per search and task; crosses are single restarts.

    What never reaches 95 % is drawn at the last step.
    """
    columns = 1 if narrow else min(3, len(tasks))
    figure, axes = plots.grid(len(tasks), columns, 3.6 if narrow else 7, 2.5, 0.4)
    for ax, task in zip(axes.flat, tasks.values(), strict=False):
        for i, (search, marker) in enumerate(zip(SEARCHES, "so^", strict=True)):
            progress = task.progress(search)
            if len(progress):
                reached = progress.result.clip(upper=task.horizon)
                ax.plot(progress.inner_steps / 1000, reached, f"C{i + 1}-", marker=marker, ms=4, label=search)
        own = task.restarts().sort_values("restart")
        reached = own.result.clip(upper=task.horizon)
        ax.plot(task.progress(LEARNED).inner_steps / 1000, reached, "C1x", label="restarts of the learner")
        ax.axhline(task.relu, color="C0", linestyle="--", label="ReLU")
        ax.set_title(task.title if narrow else task.title.replace(", ", ",\n", 1), fontsize=9)
        if task.steps:
            ax.set_yscale("log")
        ax.set_ylabel("steps to 95 %" if task.steps else "test accuracy (%)")
        ax.set_xlabel("inner steps (thousand)")
        ax.grid()
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2 if narrow else 3, fontsize=8.5)
    return figure
