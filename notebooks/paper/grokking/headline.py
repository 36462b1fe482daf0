"""The figure that opens the book and the README: a delay that a learned activation shortens (Section 3.5)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from lib import splines

from ..figures import looks
from ..records.frames import Collected
from . import tables

TASK = "a+b mod 27"
ARMS = ("ReLU", "learned from zeros")


@dataclass(frozen=True, eq=False)
class Headline:
    """Final runs of one algorithmic task, and the learned activation that they use.

    Args:
        task: its name. runs: one row per run, see :meth:`.records.frames.Collected.frame`.
        values: psi, (n_c,). low, high: its range.
        full_scale: whether the runs are the committed ones or small ones made on the spot.
    """

    task: str
    runs: pd.DataFrame
    values: np.ndarray
    low: float
    high: float
    full_scale: bool

    def arm(self, name: str) -> pd.DataFrame:
        """The runs of one arm."""
        return self.runs[self.runs.arm == name]

    def reached(self, name: str) -> str:
        """When an arm reaches 95 % test accuracy, in words."""
        steps = pd.to_numeric(self.arm(name).test_steps_to_95)
        last = f"{int(self.arm(name).steps.max()):,} steps"
        if steps.isna().all():
            end = 100 * self.arm(name).test_accuracy_last.mean()
            return f"in none of {len(steps)} runs within {last} ({end:.0f} % on average at the end)"
        some = f" in the {int(steps.notna().sum())} of {len(steps)} runs that get there within {last}"
        return f"after a median of {steps.median():,.0f} steps{'' if steps.notna().all() else some}"

    def memorised(self, name: str) -> str:
        """When an arm reaches 95 % training accuracy, in words."""
        steps = tables.steps_to(self.arm(name), tables.LEVEL, "train")
        middle = tables.median_steps(steps)
        return f"after a median of {middle:,.0f} steps" if np.isfinite(middle) else "in less than half of the runs"

    def sentence(self) -> str:
        """The message of the figure with its numbers."""
        relu, learned = (self.reached(name) for name in ARMS)
        if pd.to_numeric(self.runs.test_steps_to_95).isna().all():
            relu, learned = (f"{100 * self.arm(name).test_accuracy_max.mean():.0f} %" for name in ARMS)
            return f"The highest test accuracy is {learned} with the learned activation, and {relu} with ReLU."
        return f"With the learned activation, 95 % test accuracy is reached {learned}; with ReLU, {relu}."

    def scale(self) -> str:
        """What kind of runs these are."""
        seeds, width = self.arm("ReLU").seed.nunique(), int(self.runs["network.width"].iloc[0])
        what = "the committed records" if self.full_scale else "a small run made on the spot"
        return f"{self.task}, {seeds} seeds, {width} hidden units, {what}"

    def alt(self) -> str:
        """The figure in words, for who cannot see it."""
        return (
            f"Left: accuracy against training steps (logarithmic), on {self.task}. {self.sentence()} "
            f"Dotted lines, the training accuracy, reach 95 % {self.memorised(ARMS[1])} with the learned activation, "
            f"and {self.memorised(ARMS[0])} with ReLU. Right: the two activation functions; "
            "ReLU is a hinge, the learned one goes up and down many times."
        )

    def draw(self) -> Figure:
        """Accuracies over steps beside the two activation functions."""
        figure = plt.figure(figsize=(7, 3.5))
        cells = figure.add_gridspec(2, 2, width_ratios=(2.4, 1))
        ax = figure.add_subplot(cells[:, 0])
        for name in ARMS:
            records = list(self.arm(name).record)
            steps = records[0].arrays["step"]
            seen = steps >= 10
            colour = looks.ARMS[name][0]
            for part, line in (("train", ":"), ("test", "-")):
                runs = 100 * np.array([record.arrays[f"{part}_accuracy"][seen] for record in records])
                ax.plot(steps[seen], runs.mean(axis=0), line, color=colour, label=f"{name}, {part}")
            for run in runs:
                ax.plot(steps[seen], run, color=colour, linewidth=0.8, alpha=0.45)
        ax.set(xscale="log", xlabel="training steps", ylabel="accuracy (%)", ylim=(-3, 103))
        ax.set_title(self.task.replace("a+b mod", "learning a + b mod"))
        ax.grid()
        handles, labels = ax.get_legend_handles_labels()
        small = {"ncols": 4, "fontsize": 8.5, "columnspacing": 1.2, "handlelength": 1.6}
        figure.legend(handles, labels, loc="outside lower center", **small)
        grid = splines.grid(len(self.values), self.low, self.high).numpy()
        for row, (name, values) in enumerate(zip(ARMS, (np.maximum(grid, 0), self.values), strict=True)):
            small = figure.add_subplot(cells[row, 1])
            small.plot(grid, values, color=looks.ARMS[name][0], linewidth=1.4)
            small.set(title=name, ylabel="$g(z)$", xlim=(self.low, self.high))
            small.grid()
        small.set_xlabel("pre-activation $z$")
        return figure


def headline(results: Collected, full_scale: bool) -> Headline | None:
    """The headline of the grokking section; None while one of its two arms has fewer than two final runs."""
    runs = results.frame(role="final")
    if runs.empty:
        return None
    task = TASK if (runs.data == TASK).any() else runs.data.iloc[0]
    runs = runs[(runs.data == task) & runs.arm.isin(ARMS)]
    if runs.empty:
        return None
    runs = runs[runs["network.width"] == runs["network.width"].mode()[0]]
    learned = runs[runs.learned != ""]
    if min((runs.arm == arm).sum() for arm in ARMS) < 2:
        return None
    source = next(record for record in results.records if record.key == learned.learned.iloc[0])
    g = source.config["network"]["activation"]
    return Headline(task, runs, source.arrays["psi_hidden"], g["low"], g["high"], full_scale)
