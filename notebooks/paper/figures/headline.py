"""The figure that opens the book and the README, with its words; :mod:`..headline` has its numbers."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator, NullFormatter, ScalarFormatter

from .explore import pretty

LEARNED, LEARNER, BY_HAND, TREES = "learned", "learner", "by hand", "trees"
KINDS = {  # label, colour, marker, size; drawn from the last to the first
    LEARNED: ("learned, Algorithm 1 of the paper", "C2", "o", 5.5),
    LEARNER: ("learner that picks its start", "C4", "D", 4.0),
    BY_HAND: ("best function by hand", "C1", "^", 5.5),
    TREES: ("boosted trees", "C7", "s", 4.5),
}
ACCURACY, SPEED = "accuracy", "speed"


@dataclass(frozen=True, eq=False)
class Headline:
    """The figure with its words.

    table: from :func:`..headline.gains`. others: how the tasks were run that do not say it. layers: from
    :func:`..headline.layers`.
    """

    table: pd.DataFrame
    others: str = ""
    layers: str = ""

    def rows(self, panel: str) -> pd.DataFrame:
        """The learned activations of a panel, the largest last."""
        own = self.table[(self.table.panel == panel) & (self.table.kind == LEARNED)]
        return own.sort_values("value", kind="stable")

    def beside(self, panel: str, kind: str) -> pd.DataFrame:
        """The learned activations of a panel that have another kind beside them: columns value_x and value_y."""
        other = self.table[(self.table.panel == panel) & (self.table.kind == kind)]
        return self.rows(panel).merge(other, on="name")

    def better(self, panel: str, kind: str) -> tuple[int, int]:
        """How often another kind is above the learned activations of a panel, and of how many."""
        both = self.beside(panel, kind)
        return int((both.value_y > both.value_x).sum()), len(both)

    def counts(self) -> dict[str, int]:
        """On how many datasets learned activations are above ReLU, of how many, and in how many tasks sooner."""
        points = self.rows(ACCURACY)
        return {"above": int((points.low > 0).sum()), "datasets": len(points), "tasks": len(self.rows(SPEED))}

    def ahead(self) -> list[str]:
        """What is mostly better still than the learned activations."""
        rivals = {"boosted trees on tables": (ACCURACY, TREES), "sines on algorithmic tasks": (SPEED, BY_HAND)}
        found = {name: self.better(*rival) for name, rival in rivals.items()}
        return [name for name, (more, of) in found.items() if 2 * more > of]

    def sentence(self) -> str:
        """The message of the figure with its numbers."""
        points, times, words = self.rows(ACCURACY), self.rows(SPEED), []
        if len(points):
            (trees, tables), (hand, others) = (self.better(ACCURACY, kind) for kind in (TREES, BY_HAND))
            words.append(
                f"Learned activations are above ReLU on {(points.low > 0).sum()} of {len(points)} datasets, below on "
                f"{(points.high < 0).sum()}; trees are above them on {trees} of {tables} tables, functions made by "
                f"hand on {hand} of {others}."
            )
        if len(times):
            sines, tasks = self.better(SPEED, BY_HAND)
            words.append(
                f"In {len(times)} algorithmic cases they generalise {times.value.min():.0f} to {times.value.max():.0f} "
                f"times sooner or more; sines sooner still in {sines} of {tasks}."
            )
        return " ".join(words)

    def scale(self) -> str:
        """How to read the marks: bounds, where ReLU had not converged, and under what setting all was run."""
        many = int(self.rows(ACCURACY).improving.sum())
        words = ["Bars: 95 % intervals over seeds."]
        words += [f"Images: networks with {self.layers}."] * bool(self.layers)
        learners = pd.concat([self.beside(panel, LEARNER) for panel in (ACCURACY, SPEED)])
        if len(learners):
            own = "; accuracies of it are over the ReLU of its own runs" * bool(len(self.beside(ACCURACY, LEARNER)))
            words.append(f"Diamonds ({len(learners)}): a learner that picks its start in a race of short runs{own}.")
        words += [f"Hollow ({many}): most ReLU runs were still improving when they ended."] * bool(many)
        bounds = int(np.isinf(self.rows(SPEED).high).sum())
        words += [f"Arrows ({bounds}): lower bounds, as ReLU did not get there."] * bool(bounds)
        return " ".join([*words, self.others]).strip()

    def alt(self) -> str:
        """The figure in words, for who cannot see it."""
        points, times = self.rows(ACCURACY), self.rows(SPEED)
        parts = (
            ("Largest gains", "points", points[::-1]),
            ("Least", "points", points),
            ("Soonest", "times", times[::-1]),
        )
        ends = [
            f"{title}: {', '.join(f'{row.name} {row.value:.1f} {unit}' for row in rows[:3].itertuples())}."
            for title, unit, rows in parts
            if len(rows)
        ]
        return f"Dots on a line per dataset, beside a line for ReLU. {self.sentence()} {' '.join(ends)}"

    def draw(self, narrow: bool = False) -> Figure:
        """Points over ReLU, and times sooner than ReLU."""
        panels = [panel for panel in (ACCURACY, SPEED) if len(self.rows(panel))]
        counts = [len(self.rows(panel)) for panel in panels]
        size = (3.7, 0.9 + 0.8 * len(panels) + 0.19 * sum(counts)) if narrow else (7.4, 1.3 + 0.185 * max(counts))
        shape = (len(panels), 1) if narrow else (1, len(panels))
        ratios = {"height_ratios": counts} if narrow else {}
        figure, axes = plt.subplots(*shape, figsize=size, squeeze=False, gridspec_kw=ratios)
        for ax, panel in zip(axes.flat, panels, strict=True):
            self._panel(ax, panel, 8.5 if narrow else 8)
            # beside long names a label is wider than its axes, so it ends where they end
            ax.set_xlabel(ax.get_xlabel(), loc="right" if narrow else "center")
        handles = {}
        for ax in axes.flat:
            handles |= dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
        names = [name for name, *_ in KINDS.values() if name in handles]
        figure.legend([handles[name] for name in names], names, loc="outside lower center", ncols=1 if narrow else 2)
        return figure

    def _panel(self, ax, panel: str, fontsize: float) -> None:
        learned, speed = self.rows(panel), panel == SPEED
        places = {name: i for i, name in enumerate(learned["name"])}
        ax.axvline(1 if speed else 0, color="C0", linewidth=1.2)
        for kind, (label, colour, marker, size) in reversed(KINDS.items()):
            own = self.table[(self.table.panel == panel) & (self.table.kind == kind) & self.table["name"].isin(places)]
            for row in own.itertuples():
                y, filled = places[row.name], "none" if row.improving else colour
                ax.plot(row.value, y, marker, color=colour, markersize=size, markerfacecolor=filled, label=label)
                label = None  # once in the legend
                if kind == LEARNED and speed and np.isinf(row.high):
                    arrow = {"arrowstyle": "->", "color": colour}
                    ax.annotate("", (row.value * 1.6, y), (row.value, y), arrowprops=arrow)
                elif kind == LEARNED and np.isfinite(row.low):
                    ax.plot([row.low, row.high], [y, y], color=colour, linewidth=1.3)
        ax.set_yticks(range(len(places)), [_written(name) for name in places], fontsize=fontsize)
        ax.set_ylim(-0.7, len(places) - 0.3)
        ax.grid(axis="x")
        if speed:
            ax.set(xscale="log", xlabel="times sooner than ReLU", title="Steps to generalise")
            ax.set_xlim(right=max(ax.get_xlim()[1], 2 * learned.value.max()))  # an arrow has room
            ax.set_xticks([1, 3, 10, 30, 100])
            ax.xaxis.set_major_formatter(ScalarFormatter())
            ax.xaxis.set_minor_formatter(NullFormatter())
        else:
            ax.set(xlabel="points over ReLU", title="Test accuracy")
            ax.xaxis.set_major_locator(MultipleLocator(5))


def _written(name: str) -> str:
    task, comma, convention = name.partition(",")
    return pretty(task) + comma + convention
