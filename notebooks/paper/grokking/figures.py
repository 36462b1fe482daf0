"""The figures and tables of the grokking notebook (Section 3.5), from its records."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib import splines
from lib.datasets import algorithmic

from ..figures import looks, plots
from ..figures.explore import pretty
from ..records.store import Record
from .plan import LEARNED
from .tables import median_steps

ENLARGED = 0.15  # half width of the middle of a function that is shown enlarged, in units of z


def targets(tasks: Sequence[str], narrow: bool = False) -> Figure:
    """Figure 27: the results of operations as images, one operand per axis, brightness by the result."""
    columns = min(len(tasks), 3 if narrow else 6)
    figure, axes = plots.grid(len(tasks), columns, 3.6 if narrow else 7, 1.6, 0.2)
    for ax, task in zip(axes.flat, tasks, strict=False):
        operation, _, _ = algorithmic.check(task)
        _, results, size = algorithmic.examples(task)
        ax.imshow(results.reshape(size, size).T, origin="lower", cmap="viridis", interpolation="nearest")
        title = pretty(operation).replace(" else", "\nelse") + "\n" + task.removeprefix(operation).strip()
        ax.set_title(title, fontsize=8.5)
        ax.set(xticks=[], yticks=[])
    axes[0, 0].set_ylabel("$b$", rotation=0)
    axes[0, 0].set_xlabel("$a$")
    return figure


def training_curves(finals: pd.DataFrame, narrow: bool = False) -> Figure:
    """Figure 11: accuracy over training steps, ReLU beside learned; mean over seeds with 95 % band.

    A vertical line marks the median step to 95 % test accuracy, where most seeds reach it.

    Args:
        finals: the runs with role "final" of one task that did not diverge.
    """
    figure, axes = plots.panels(2, narrow, (3.6, 5.4), (7, 3.3), sharex=not narrow, sharey=True)
    for ax, arm in zip(axes, ("ReLU", LEARNED), strict=True):
        runs = finals[finals.arm == arm]
        ax.set(title=arm, xscale="log", xlabel="training steps", ylim=(-2, 104))
        ax.grid()
        if not len(runs):
            continue
        arrays = [record.arrays for record in runs.record]
        late = arrays[0]["step"] > 0
        for part, line in (("train", ":"), ("test", "-")):
            curves = [run[f"{part}_accuracy"][late] for run in arrays]
            plots.curves(ax, arrays[0]["step"][late], curves, arm, f"{part}ing" if part == "train" else part, line)
        middle = median_steps(runs.test_steps_to_95)
        if np.isfinite(middle):
            ax.axvline(middle, color="C3", linestyle="--", linewidth=1.3, label=f"95 % test: {middle:,.0f} steps")
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.22), "ncols": 2 if narrow else 3}
        ax.legend(fontsize=8.5, columnspacing=1, handlelength=1.6, **below)
    for ax in axes if narrow else axes[:1]:
        ax.set_ylabel("accuracy (%)")
    return figure


def each_seed(finals: pd.DataFrame, narrow: bool = False) -> Figure:
    """Test accuracy over steps, one line per seed, both arms, from where the first run reaches 10 %."""
    figure, axes = plt.subplots(figsize=(3.6, 3.3) if narrow else (7, 3))
    for arm in ("ReLU", LEARNED):
        for i, record in enumerate(finals[finals.arm == arm].record):
            step, accuracy = record.arrays["step"], record.arrays["test_accuracy"]
            label = f"{arm}, one line per seed" if i == 0 else None
            axes.plot(
                step[step > 0],
                100 * accuracy[step > 0],
                color=looks.ARMS[arm][0],
                alpha=0.75,
                linewidth=1.2,
                label=label,
            )
    axes.set(xscale="log", xlabel="training steps", ylabel="test accuracy (%)", ylim=(-2, 104))
    axes.grid()
    figure.legend(loc="outside lower center", ncols=1 if narrow else 2)
    return figure


def functions(panels: Sequence[tuple[str, np.ndarray, bool]], low: float, high: float, narrow: bool = False) -> Figure:
    """Learned functions, one row each: the whole range at the left, the middle enlarged at the right.

    Args:
        panels: (title, control values (n_c,), whether it is the selected one) of each.
    """
    size = (3.7, 1.6 * len(panels) + 0.5) if narrow else (7, 1.35 * len(panels) + 0.6)
    ratios = [1.3 if narrow else 2.2, 1]
    figure, axes = plt.subplots(len(panels), 2, figsize=size, width_ratios=ratios, squeeze=False, sharex="col")
    for (wide, near), (title, values, selected) in zip(axes, panels, strict=True):
        grid = splines.grid(len(values), low, high).numpy()
        inside = np.abs(grid) <= ENLARGED
        colour = looks.ARMS[LEARNED][0] if selected else "C6"
        wide.plot(grid, values, color=colour, linewidth=1.0)
        near.plot(grid[inside], values[inside], color=colour, marker=".", markersize=4, linewidth=1.2)
        wide.set_title(title.replace(": ", ":\n") if narrow else title, fontsize=8.5 if narrow else 9.5, loc="left")
        wide.set_ylabel("$g(z)$")
        for ax in (wide, near):
            ax.grid()
        near.set_xticks([-0.1, 0.1] if narrow else [-0.1, 0, 0.1])
    axes[-1, 0].set_xlabel("pre-activation $z$")
    axes[-1, 1].set_xlabel("$z$, enlarged")
    return figure


def live(values: np.ndarray, runs: dict[str, dict[str, list[float]]], narrow: bool = False) -> Figure:
    """A learned function, and the accuracies of networks with it and with ReLU.

    Args:
        values: control values (n_c,) on [-1, 1]. runs: per arm a history with step, train_accuracy, test_accuracy.
    """
    figure, (left, right) = plots.panels(2, narrow, (3.6, 5.2), (7, 3.1))
    left.plot(splines.grid(len(values), -1.0, 1.0), values, color=looks.ARMS[LEARNED][0], linewidth=1.3)
    left.set(xlabel="pre-activation $z$", ylabel="$g(z)$", title="the learned function")
    for arm, history in runs.items():
        _accuracies(right, history, arm)
    right.set(
        xlabel="training steps", ylabel="accuracy (%)", title="used in a fresh network", xscale="log", ylim=(-2, 104)
    )
    for ax in (left, right):
        ax.grid()
    figure.legend(loc="outside lower center", ncols=2 if narrow else 4, fontsize=8.5)
    return figure


def _accuracies(ax: Axes, history: dict[str, list[float]], arm: str) -> None:
    step = np.array(history["step"])
    for part, line in (("train", ":"), ("test", "-")):
        accuracy = 100 * np.array(history[f"{part}_accuracy"])
        short = "ReLU" if arm == "ReLU" else "learned"
        ax.plot(step[step > 0], accuracy[step > 0], color=looks.ARMS[arm][0], linestyle=line, label=f"{short}, {part}")


def learned(records: Sequence[Record], titles: Sequence[str], selected: Sequence[bool], narrow: bool = False) -> Figure:
    """The functions of Learn records, one row each; see :func:`functions`."""
    psis = [record.arrays["psi_hidden"] for record in records]
    spline = records[0].config["network"]["activation"]
    return functions(list(zip(titles, psis, selected, strict=True)), spline["low"], spline["high"], narrow)
