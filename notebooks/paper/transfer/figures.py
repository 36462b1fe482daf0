"""The figures of transfer across algorithmic tasks and across image datasets (Section 4)."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..figures.explore import pretty
from ..figures.looks import name_of
from ..figures.plots import differences, forest
from .matrix import ALL, RELU, learned_on
from .tables import PAPER_SCORES, Scores, arm_name, column_means

LABELS = {
    "ReLU": ("ReLU", "C0"),
    "task-specific": ("learned\non one task", "C2"),
    "all tasks": ("learned\non all tasks", "C3"),
}


def means(scores: Scores, narrow: bool = False) -> Figure:
    """The mean scores with intervals over the tasks, a stroke per activation learned on one task, and the paper's."""
    found = column_means(scores)
    figure, ax = plt.subplots(figsize=(3.6 if narrow else 7, 0.75 * len(found) + 0.9))
    for i, (name, mean) in enumerate(found.items()):
        label, colour = LABELS[name]
        if name == "task-specific":
            each = 100 * scores.specific.mean()
            ax.plot(each, np.full(len(each), i + 0.28), "|", color=colour, markersize=9, alpha=0.7)
        bar = {"color": colour, "marker": "o", "markersize": 8, "capsize": 4}
        ax.errorbar(100 * mean.mean, i, xerr=100 * mean.half_width, **bar, label="here" if i == 0 else None)
        above = {"xytext": (0, 8), "textcoords": "offset points", "ha": "center"}
        ax.annotate(f"{100 * mean.mean:.0f} %", (100 * mean.mean, i), **above)
        ink = {"color": plt.rcParams["text.color"], "fillstyle": "none", "markersize": 8}
        ax.plot(PAPER_SCORES[name], i, "D", **ink, label="the paper, another measure" if i == 0 else None)
    ax.set_yticks(range(len(found)), [LABELS[name][0] for name in found])
    ax.set(ylim=(len(found) - 0.4, -0.6), xlim=(0, 100), xlabel="mean score (% of each task's best)")
    ax.grid(axis="x")
    figure.legend(loc="outside upper center", ncols=1 if narrow else 2, fontsize=9.5)
    return figure


def own_gains(gains: pd.DataFrame, narrow: bool = False) -> Figure:
    """What each task's own activation gains over ReLU in test accuracy at the end, sorted, in points.

    Args:
        gains: from :func:`.tables.own_gains`.
    """
    rows = gains.sort_values("gain", ascending=False)
    figure, ax = plt.subplots(figsize=(3.6 if narrow else 7, 0.21 * len(rows) + 0.7))
    ax.axvline(0, linewidth=1.2, color=plt.rcParams["text.color"])
    for i, row in enumerate(rows.itertuples()):
        bar = {"color": "C2" if abs(row.gain) > row.half_width else "gray", "marker": "o", "markersize": 5}
        ax.errorbar(100 * row.gain, i, xerr=100 * np.nan_to_num(row.half_width), capsize=2, **bar)
    ax.set_yticks(range(len(rows)), [pretty(task) for task in rows.index], fontsize=8.5)
    ax.set(ylim=(len(rows) - 0.4, -0.6), xlabel="points over ReLU" if narrow else "points of test accuracy over ReLU")
    ax.grid(axis="x")
    return figure


def heat_map(scores: Scores, narrow: bool = False) -> Figure:
    """Figure 14: tasks as rows, activations as columns, brightness by score; ReLU and "all tasks" at the right.

    On a phone the columns have no names: they are in the order of the rows. Long names of rows are shortened there.
    """
    specific = list(scores.specific)
    extra = [arm for arm in (RELU, ALL) if arm in scores.score]
    n, k = len(scores.score), len(specific)
    widths = [max(k, 1), *[max(1, k / (7 if narrow else 12))] * len(extra)]
    size = (3.6, 1.8 + 0.2 * n) if narrow else (7, 2.4 + 0.22 * n)
    figure, axes = plt.subplots(1, 1 + len(extra), figsize=size, width_ratios=widths, sharey=True, squeeze=False)
    for ax, columns in zip(axes[0], [specific, *[[arm] for arm in extra]], strict=True):
        look = {"vmin": 0, "vmax": 100, "cmap": "viridis", "aspect": "auto"}
        image = ax.imshow(100 * scores.score[columns], **look)
        ax.tick_params(length=0)
        ax.set_xticks([])
        hard = int(scores.easy.sum())
        if 0 < hard < n:
            ax.axhline(hard - 0.5, color="C1", linewidth=2)
        for spine in ax.spines.values():
            spine.set_visible(False)
    labels = [pretty(arm.removeprefix("learned on ")) for arm in specific]
    if not narrow:
        axes[0, 0].set_xticks(range(k), labels, rotation=90, fontsize=8.5)
    rows = [pretty(task) for task in scores.score.index]
    rows = [row.replace(" if b odd else ", " or ") for row in rows] if narrow else rows
    axes[0, 0].set_yticks(range(n), rows, fontsize=8.5)
    axes[0, 0].set_xlabel("learned on,\nsame order" if narrow else "activation learned on this task")
    axes[0, 0].set_ylabel("" if narrow else "evaluated on this task")
    for ax, arm in zip(axes[0, 1:], extra, strict=True):
        ax.set_xticks([0], ["all tasks" if arm == ALL else arm], rotation=90, fontsize=9.5, fontweight="bold")
    label = "score (% of the task's best)"
    figure.colorbar(image, ax=list(axes[0]), label=label, location="top", aspect=30 if narrow else 50, pad=0.01)
    return figure


def image_changes(table: pd.DataFrame, narrow: bool = False) -> Figure:
    """Change of accuracy against ReLU, a panel per dataset: its own activation, the others, the one for all.

    Args:
        table: from :func:`.records.intervals.summary`, by dataset.
    """
    panels = {}
    for data, part in table.groupby("data", sort=False):
        rows = differences(part.assign(name=part.arm.map(arm_name)), "name").assign(arm=part.arm)
        rows["colour"] = ["C1" if arm == learned_on(data) else "C3" if arm == ALL else "gray" for arm in rows.arm]
        rows["order"] = [["C1", "gray", "C3"].index(colour) for colour in rows.colour]
        relu = 100 * part[part.arm == RELU]["mean"].iloc[0]
        title = f"used on {name_of(data)}" + ("" if narrow else f": ReLU {relu:.1f} %")
        panels[title] = rows.sort_values("order", kind="stable")
    return forest(panels, "points of test accuracy over ReLU", narrow=narrow)
