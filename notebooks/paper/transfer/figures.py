"""The scores, figures and tables of transfer across algorithmic tasks (Figures 14 and 28), from the records."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from lib.figures import curves, plus_minus
from lib.intervals import Interval, interval
from lib.sections.transfer_matrix import ALL, RELU, learned_on

PAPER_SCORES = {"ReLU": 19.9, "task-specific": 54.0, "all tasks": 61.5}  # Figure 14, mean per column in %
PAPER_SPREAD = (22.2, 80.5)  # least and greatest of the task-specific columns


@dataclass(frozen=True, eq=False)
class Scores:
    """The matrix of Figure 14.

    Args:
        score: tasks x activations, in [0, 1]: 1 is the best activation of that task.
        easy: per task, whether the ReLU network solves it.
        best: per task, the best test accuracy at the end, a fraction.
    """

    score: pd.DataFrame
    easy: pd.Series
    best: pd.Series

    def of(self, tasks: list[str]) -> "Scores":
        """The rows of these tasks, in this order."""
        return Scores(self.score.loc[tasks], self.easy[tasks], self.best[tasks])

    @property
    def noise(self) -> list[str]:
        """The tasks on which no network is above 10 % test accuracy: their scores compare noise."""
        return list(self.best.index[self.best < 0.1])

    @property
    def specific(self) -> pd.DataFrame:
        """The columns of the activations that were learned on one task each."""
        return self.score.drop(columns=[RELU, ALL], errors="ignore")


def transfer_scores(steps: pd.DataFrame, accuracy: pd.DataFrame, reference: str = RELU) -> Scores:
    """Score each activation on each task as in Figure 14.

    Easy tasks, solved with the reference: fraction of the best convergence speed, where the speed is 1 / steps and 0 if
    never. Hard tasks: fraction of the best accuracy.

    Args:
        steps: tasks x activations, steps to 95 % test accuracy, NaN if never.
        accuracy: tasks x activations, test accuracy at the end, fractions.
        reference: the column that decides which tasks are easy.

    Raises:
        ValueError: tables that disagree, no reference, steps below 1, accuracies outside [0, 1] or missing.

    Example:
        >>> steps = pd.DataFrame({"ReLU": [100.0, np.nan], "g": [50.0, np.nan]}, ["easy", "hard"])
        >>> accuracy = pd.DataFrame({"ReLU": [1.0, 0.1], "g": [1.0, 0.4]}, ["easy", "hard"])
        >>> transfer_scores(steps, accuracy).score.to_numpy().tolist()
        [[0.5, 1.0], [0.25, 1.0]]
    """
    if not (steps.index.equals(accuracy.index) and steps.columns.equals(accuracy.columns)):
        raise ValueError(
            f"steps and accuracy must have the same rows and columns, got {steps.shape} and {accuracy.shape}"
        )
    if reference not in steps:
        raise ValueError(f"the reference must be a column, got {reference!r}")
    if (steps < 1).any(axis=None):
        raise ValueError(f"steps must be at least 1, got {steps.min(axis=None)}")
    if not accuracy.ge(0).all(axis=None) or not accuracy.le(1).all(axis=None):
        raise ValueError(f"accuracies must lie in [0, 1], got {accuracy.min(axis=None)} to {accuracy.max(axis=None)}")
    easy = steps[reference].notna()
    merit = (1 / steps).fillna(0.0).where(easy, accuracy)
    best = merit.max(axis=1)
    return Scores(merit.div(best.where(best > 0, 1.0), axis=0), easy, accuracy.max(axis=1))


def matrix_scores(runs: pd.DataFrame) -> Scores:
    """Scores from the runs with role "matrix": easy tasks first, the columns in the order of the rows."""
    order = list(dict.fromkeys(runs.data))
    columns = [arm for arm in [RELU, *map(learned_on, order), ALL] if (runs.arm == arm).any()]
    runs = runs.assign(steps=pd.to_numeric(runs.test_steps_to_95))
    steps, accuracy = (
        runs.pivot(index="data", columns="arm", values=value).loc[order, columns].astype(float)
        for value in ("steps", "test_accuracy_last")
    )
    scores = transfer_scores(steps, accuracy)
    rows = sorted(order, key=lambda task: not scores.easy[task])
    columns = [arm for arm in [RELU, *map(learned_on, rows), ALL] if arm in columns]
    return replace(scores, score=scores.score[columns]).of(rows)


def column_means(scores: Scores) -> dict[str, Interval]:
    """Mean score over the tasks, with its 95 % interval over them: of ReLU, task-specific and all-tasks activations.

    The mean of the task-specific ones is over all their columns and all tasks, as in the paper.
    """
    specific = scores.specific
    means = {"ReLU": interval(scores.score[RELU])}
    if specific.shape[1]:
        means["task-specific"] = interval(specific.mean(axis=1))
    if ALL in scores.score:
        means["all tasks"] = interval(scores.score[ALL])
    return means


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


def own_gains(runs: pd.DataFrame) -> pd.DataFrame:
    """What a task's own activation gains over ReLU in test accuracy at the last step, paired by seed (Figure 28).

    Returns:
        The task as index, columns gain, half_width (NaN for one seed): fractions; tasks without own activation are left
        out.
    """
    rows = {}
    for task, part in runs.groupby("data", sort=False):
        own, relu = (
            part[part.arm == arm].set_index("seed").test_accuracy_last.astype(float) for arm in (learned_on(task), RELU)
        )
        if len(own):
            difference = (own - relu[own.index]).to_numpy()
            rows[task] = interval(difference) if len(own) > 1 else (difference[0], np.nan)
    return pd.DataFrame.from_dict(rows, orient="index", columns=["gain", "half_width"])


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


def means_in_words(scores: Scores) -> str:
    """The :func:`column_means`, and those without the tasks whose scores compare noise, if there are some."""

    def words(means: dict[str, Interval]) -> str:
        return "; ".join(f"{name} {plus_minus(*mean)} %" for name, mean in means.items())

    rest = [task for task in scores.score.index if task not in scores.noise]
    if not scores.noise or len(rest) < 2:
        return words(column_means(scores))
    without = f"without the {len(scores.noise)} tasks on which no network is above 10 %"
    return f"{words(column_means(scores))} ({without}: {words(column_means(scores.of(rest)))})"


def score_table(scores: Scores) -> pd.DataFrame:
    """Mean scores per column, the paper's beside ours."""
    specific = scores.specific.mean()
    rows = []
    for name, found in column_means(scores).items():
        spread = (
            f" (columns from {100 * specific.min():.1f} to {100 * specific.max():.1f})"
            if name == "task-specific"
            else ""
        )
        paper = f"{PAPER_SCORES[name]}" + (f" (columns from {PAPER_SPREAD[0]} to {PAPER_SPREAD[1]})" if spread else "")
        rows.append([name, paper, plus_minus(*found) + spread])
    return pd.DataFrame(rows, columns=["activation", "mean score in the paper (%)", "ours (%)"])
