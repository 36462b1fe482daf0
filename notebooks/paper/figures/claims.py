"""The claims at a glance: each condition of a rule against its threshold."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

HOLDS, FAILS = "C2", "C7"
TITLES = {  # of the sections that have claims
    "images": "Image classification",
    "regression": "Image regression",
    "tabular": "Tabular data",
    "shortcuts": "Shortcuts",
    "grokking": "Grokking",
    "transfer": "Transfer of activation functions",
}


def conditions(claims: Sequence, findings: Mapping, narrow: bool) -> Figure:
    """A row per claim: its conditions one below the other, with their intervals, filled where they hold.

    Conditions of one name share an axis, whose middle is the threshold. What holds is at its right, whether the rule
    asks for more or for less; what could not be measured is a cross at the left edge, and what is infinite, as a ratio
    to runs that never get there, an arrow at the other one.
    """
    heights = [max(len(findings[claim.name].conditions), 2) for claim in claims]
    figure, axes = plt.subplots(
        len(claims),
        1,
        figsize=(3.75 if narrow else 7, 0.092 * sum(heights) + 0.06 * len(claims) + 0.6),
        height_ratios=heights,
        squeeze=False,
    )
    for ax, claim in zip(axes[:, 0], claims, strict=True):
        finding = findings[claim.name]
        if finding.conditions:
            ax.axvline(0, color=plt.rcParams["axes.edgecolor"], linewidth=1)
        else:
            ax.text(0, 0.5, "nothing was measured", ha="center", va="center", fontsize=8.5)
        for row, one in enumerate(finding.conditions):
            _condition(ax, row, one, [other for other in finding.conditions if other.name == one.name])
        ax.set(xlim=(-1.08, 1.08), ylim=(max(len(finding.conditions), 2) - 0.3, -0.7), xticks=[], yticks=[])
        ax.spines[["left", "bottom"]].set_visible(False)
        words = f"{claim.name}\n{finding.verdict}" if narrow else f"{claim.name}: {finding.label}"
        ax.set_ylabel(words, rotation=0, ha="right", va="center", fontsize=8.5)
    handles = [
        Line2D([], [], marker="o", color=HOLDS, linestyle="none", label="holds"),
        Line2D([], [], marker="o", color=FAILS, fillstyle="none", linestyle="none", label="does not hold"),
        Line2D([], [], color=plt.rcParams["axes.edgecolor"], linewidth=1, label="threshold"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=8.5)
    return figure


def _condition(ax, row: int, one, alike: Sequence) -> None:
    ends = [end - other.threshold for other in alike for end in (other.value, other.low, other.high)]
    far = max((abs(end) for end in ends if np.isfinite(end)), default=0.0) or 1.0
    colour = HOLDS if one.holds else FAILS
    if np.isnan(one.value):
        ax.plot([-1], [row], "x", color=colour, markersize=4)
        return
    side = 1 if (one.value >= one.threshold) == one.holds else -1
    low, value, high = (np.clip(side * (end - one.threshold) / far, -1, 1) for end in (one.low, one.value, one.high))
    if np.isfinite(one.low) and np.isfinite(one.high):
        ax.plot([low, high], [row, row], color=colour, linewidth=1.4)
    elif np.inf in (one.high, one.value):
        ax.annotate("", (side * 1.06, row), (value, row), arrowprops={"arrowstyle": "->", "color": colour})
    ax.plot([value], [row], "o", color=colour, markersize=4, fillstyle="full" if one.holds else "none")
