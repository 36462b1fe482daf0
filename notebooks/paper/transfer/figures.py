"""The scores, figures and tables of transfer across algorithmic tasks (Figures 14 and 28), from the records."""

from itertools import combinations

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..figures.looks import name_of
from ..figures.plots import curves
from .matrix import ALL, RELU, learned_on
from .tables import Scores, arm_name


def own_activations(runs: pd.DataFrame, functions: dict[str, np.ndarray | None]) -> Figure:
    """Accuracy over steps on each task, with ReLU and with its own activation, which stands below.

    Means over seeds with 95 % bands; test accuracy is the thick line, training accuracy the dotted one.

    Args:
        runs: those of ReLU and of each task's own activation. functions: per task the control values of its activation,
            on [-1, 1]; None where nothing was learned.
    """
    columns = min(len(functions), 4)
    rows = -(-len(functions) // columns)
    figure, axes = plt.subplots(
        2 * rows, columns, figsize=(7, 2.5 * rows + 0.4), height_ratios=[2, 1] * rows, squeeze=False
    )
    for ax in axes.flat:
        ax.set_axis_off()
    for i, (task, psi) in enumerate(functions.items()):
        row, column = divmod(i, columns)
        above, below = axes[2 * row, column], axes[2 * row + 1, column]
        for arm, look, line, label in (
            (RELU, "ReLU", "--", "ReLU"),
            (learned_on(task), "learned from zeros", "-", "learned on the task"),
        ):
            arrays = [record.arrays for record in runs[(runs.data == task) & (runs.arm == arm)].record]
            for part, style, words in (("test", line, label), ("train", ":", f"{label}, training pairs")):
                if arrays:
                    accuracies = [run[f"{part}_accuracy"][1:] for run in arrays]
                    curves(above, arrays[0]["step"][1:], accuracies, look, words, style)
        for line in above.lines:
            line.set_linewidth(1 if line.get_linestyle() == ":" else 2)
        above.set_title(task.replace(" else", "\nelse"), fontsize=8.5)
        above.set(xscale="log", ylim=(-3, 104), xticks=[1, 100])
        above.set_axis_on()
        if psi is not None:
            below.plot(np.linspace(-1, 1, len(psi)), psi, color="C2", linewidth=0.8)
            below.set(xticks=[-1, 0, 1], yticks=[0])
            below.set_axis_on()
        else:
            below.text(0.5, 0.5, "nothing was learned", ha="center", fontsize=8.5, transform=below.transAxes)
        for ax in (above, below):
            ax.tick_params(labelsize=7.5)
            ax.minorticks_off()
        if row == rows - 1:
            above.set_xlabel("training steps", fontsize=8.5)
            below.set_xlabel("pre-activation $z$", fontsize=8.5)
        if column == 0:
            above.set_ylabel("accuracy (%)", fontsize=8.5)
            below.set_ylabel("$g(z)$", fontsize=8.5)
    labels = {label: handle for ax in axes.flat for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(labels.values(), labels.keys(), loc="outside lower center", ncols=2, fontsize=8.5)
    return figure


def heat_map(scores: Scores) -> Figure:
    """Figure 14: tasks as rows, activations as columns, brightness by score; ReLU and "all tasks" at the right."""
    specific = list(scores.specific)
    extra = [arm for arm in (RELU, ALL) if arm in scores.score]
    n, k = len(scores.score), len(specific)
    small = 10.5 if n <= 8 else 7.5
    figure, axes = plt.subplots(
        1,
        1 + len(extra),
        figsize=(7, min(6.6, 2.4 + 0.45 * n)),
        width_ratios=[max(k, 1), *[max(1, k / 12)] * len(extra)],
        sharey=True,
        squeeze=False,
    )
    for ax, columns in zip(axes[0], [specific, *[[arm] for arm in extra]], strict=True):
        image = ax.imshow(
            100 * scores.score[columns], vmin=0, vmax=100, cmap="viridis", aspect="auto", interpolation="nearest"
        )
        ax.tick_params(length=0)
        ax.set_xticks([])
        hard = int(scores.easy.sum())
        if 0 < hard < n:
            ax.axhline(hard - 0.5, color="C1", linewidth=2)
        for spine in ax.spines.values():
            spine.set_visible(False)
    labels = [arm.removeprefix("learned on ") for arm in specific]
    axes[0, 0].set_xticks(range(k), labels, rotation=90, fontsize=small)
    axes[0, 0].set_yticks(range(n), list(scores.score.index), fontsize=small)
    axes[0, 0].set(xlabel="activation learned on this task", ylabel="evaluated on this task")
    for ax, arm in zip(axes[0, 1:], extra, strict=True):
        ax.set_xticks([0], ["all tasks" if arm == ALL else arm], rotation=90, fontsize=small)
    figure.colorbar(
        image, ax=list(axes[0]), label="score (% of the task's best)", location="right", aspect=30, pad=0.02
    )
    return figure


def image_changes(table: pd.DataFrame) -> Figure:
    """Change of accuracy against ReLU: one panel per dataset, one marker per activation, with 95 % intervals."""
    datasets = list(dict.fromkeys(table.data))
    arms = [arm for arm in dict.fromkeys(table.arm) if arm != RELU]
    size = (7, 1.5 + 0.4 * len(arms))
    figure, axes = plt.subplots(1, len(datasets), figsize=size, sharex=True, sharey=True, squeeze=False)
    for ax, data in zip(axes[0], datasets, strict=True):
        ax.axvline(0, color="C0", linewidth=1.5)
        for i, arm in enumerate(arms):
            cell = table[(table.arm == arm) & (table.data == data)].iloc[0]
            colour, marker = ("C1", "s") if arm == learned_on(data) else ("C3", "D") if arm == ALL else ("C2", "^")
            ax.errorbar(
                100 * cell.gain,
                i,
                xerr=100 * cell.gain_half_width,
                color=colour,
                marker=marker,
                capsize=4,
                markersize=7,
            )
        ax.set_title(f"on {name_of(data)}")
        ax.grid(axis="x")
        ax.margins(x=0.1, y=0.2)
        ax.xaxis.set_major_locator(MaxNLocator(5))
    axes[0, 0].set_yticks(range(len(arms)), [arm_name(arm) for arm in arms])
    axes[0, 0].invert_yaxis()
    figure.supxlabel("change of test accuracy against ReLU (points)", fontsize=10.5)
    return figure


def pairs(table: pd.DataFrame) -> Figure:
    """Figure 19: the accuracy of each architecture on two datasets, one panel per pair.

    A line joins the depths of an activation; the number is beside the greatest.

    Args:
        table: from :func:`architectures`.
    """
    shown = list(combinations(table.columns, 2))
    figure, axes = plt.subplots(1, len(shown), figsize=(7, 3.2), squeeze=False)
    for ax, (a, b) in zip(axes[0], shown, strict=True):
        learned = 100 * table.drop(RELU)
        slope, offset = np.polyfit(learned[a], learned[b], 1)
        ends = np.array([learned[a].min(), learned[a].max()])
        ax.plot(ends, offset + slope * ends, color="0.5", linewidth=1)
        for i, (arm, part) in enumerate(table.groupby(level="arm", sort=False)):
            look = {"color": f"C{i}", "marker": "osD^v"[i], "s": 22}
            part = part.sort_index()  # from the least depth to the greatest
            ax.plot(100 * part[a], 100 * part[b], color=f"C{i}", linewidth=0.7, alpha=0.5)
            ax.scatter(100 * part[a], 100 * part[b], label=arm_name(arm), **look)
            depth, end = part.index[-1][1], (100 * part[a].iloc[-1], 100 * part[b].iloc[-1])
            ax.annotate(str(depth), end, xytext=(4, 3), textcoords="offset points", fontsize=8, color=f"C{i}")
        ax.set(xlabel=f"acc. on {name_of(a)} (%)", ylabel=f"acc. on {name_of(b)} (%)")
        ax.grid()
        ax.margins(0.12)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8.5)
    return figure
