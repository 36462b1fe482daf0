"""Steps to 95 % test accuracy against the learning rate, per initialisation: what decides whether ReLU groks."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from lib.networks import INITIALISATIONS

from ..figures import looks
from ..figures.words import words
from ..records.frames import Collected
from . import by_convention
from .by_convention import runs_of
from .conventions import NOT_LEARNED, PLANS, RELU, SINE, STARTS, TUNED
from .tables import bound_in_words, median_in_words

say = words("grokking", "findings").fill
BOUND = r"$\uparrow$"  # the marker of runs that have not arrived, at their last step
TITLES = looks.WEIGHTS | {"default": "PyTorch's default"}
LOOKS = {
    RELU: looks.look("ReLU"),
    STARTS["zeros"]: looks.look("learned from zeros"),
    STARTS["relu"]: looks.look("learned from ReLU"),
    STARTS["random"]: {"color": "C3", "marker": "D", "linestyle": "-."},
    SINE: {"color": "C4", "marker": "v", "linestyle": ":"},
    NOT_LEARNED: {"color": "C5", "marker": "P", "linestyle": ":"},
}


def rate_table(results: Collected) -> pd.DataFrame:
    """What the final runs, and ReLU's trials of rates, reach under each convention that has some.

    Args:
        results: of the section "conventions".

    Returns:
        Columns initialisation, rate, arm, trials (whether these are trials, which go without a tenth of the training
        pairs), runs, arrived (how many reach 95 %), median (of their steps to it; infinite where it is a run that does
        not), first, latest (of those that arrive; NaN if none), last (the last step), end (median test accuracy there).
    """
    runs = runs_of(results, "final", "rate trial")
    rows = []
    if len(runs):
        runs = runs.assign(arm=runs.arm.str.removesuffix(TUNED))
        runs = runs[(runs.role == "final") | (runs.arm == RELU)]
        for (init, rate, arm, role), part in runs.groupby(["initialisation", "rate", "arm", "role"], sort=False):
            steps = part.steps_to_95
            there = steps[np.isfinite(steps)]
            end = float(part.test_accuracy_last.median())
            rows.append((init, rate, arm, role != "final", len(part), len(there), float(steps.median()),
                         there.min(), there.max(), int(part.steps.max()), end))  # fmt: skip
    columns = "initialisation rate arm trials runs arrived median first latest last end".split()
    table = pd.DataFrame(rows, columns=columns)
    order = table.initialisation.map(list(INITIALISATIONS).index) if rows else table.initialisation
    return table.assign(order=order).sort_values(["order", "arm", "trials", "rate"]).drop(columns="order")


def steps_against_rate(table: pd.DataFrame, narrow: bool = False) -> Figure:
    """One panel per initialisation: median steps, the range of the runs that arrive; an arrow up where it is a bound.

    Beside the arrow of final runs: the median test accuracy that they end with.

    Args:
        table: from :func:`rate_table`.
    """
    present = [init for init in INITIALISATIONS if init in set(table.initialisation)]
    low, high = min(0.3, table.rate.min() / 1.5), max(40.0, table.rate.max() * 1.5)
    shape, size = ((len(present), 1), (3.6, 2.2 * len(present) + 1.2)) if narrow else ((1, len(present)), (7, 3.2))
    figure, axes = plt.subplots(*shape, figsize=size, sharey=True, squeeze=False)
    for ax, init in zip(axes.flat, present, strict=True):
        for (arm, trials), part in table[table.initialisation == init].groupby(["arm", "trials"], sort=False):
            style = LOOKS[arm] | {"linestyle": ":" if trials else "none", "markerfacecolor": "none" if trials else None}
            there, never = part[np.isfinite(part["median"])], part[~np.isfinite(part["median"])]
            label = f"{arm}, trials" if trials else arm
            reach = [there["median"] - there["first"], there.latest - there["median"]]
            ax.errorbar(there.rate, there["median"], reach, capsize=3, label=label, **style)
            ax.plot(never.rate, never["last"], **style | {"marker": BOUND, "markersize": 11, "linestyle": "none"})
            for row in never.itertuples() if not trials else ():
                end, beside = f"{100 * row.end:.0f} %", {"xytext": (5, 0), "textcoords": "offset points"}
                ax.annotate(end, (row.rate, row.last), **beside, va="center", fontsize=8.5, color=style["color"])
        ax.set(title=TITLES[init], xscale="log", yscale="log", xlabel="learning rate", xlim=(low, high))
        ax.set_xticks([0.5, 1, 2, 4, 8, 16], ["0.5", "1", "2", "4", "8", "16"])
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.margins(y=0.18)
        ax.grid()
    for ax in axes[:, 0]:
        ax.set_ylabel("steps to 95 %\ntest accuracy" if narrow else "steps to 95 % test accuracy")
    labels = {}
    for ax in axes.flat:
        labels |= dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    figure.legend(labels.values(), labels.keys(), loc="outside lower center", ncols=2 if narrow else 3, fontsize=8.5)
    return figure


def soon(table: pd.DataFrame) -> dict[str, int]:
    """Under how many conventions the median seed with ReLU reaches 95 %, of those with final runs."""
    relu = table[(table.arm == RELU) & ~table.trials.astype(bool)]
    return {"soon": int(np.isfinite(relu["median"]).sum()), "conventions": len(relu)}


def in_words(table: pd.DataFrame) -> list[str]:
    """A sentence per convention about the final runs with ReLU, and each other arm that has some there.

    Example:
        >>> row = ("he", 13.5, "ReLU", False, 5, 0, np.inf, np.nan, np.nan, 60_000, 0.06)
        >>> columns = "initialisation rate arm trials runs arrived median first latest last end".split()
        >>> in_words(pd.DataFrame([row], columns=columns))
        ['He weights, rate 13.5: ReLU 0 of 5 runs within 60,000 steps (median test accuracy 6 % at the end).']
    """
    sentences = []
    finals = table[~table.trials.astype(bool)]
    for (init, rate), part in finals.groupby(["initialisation", "rate"], sort=False):
        arms = []
        for row in part.sort_values("arm", key=lambda arms: arms != RELU, kind="stable").itertuples():
            there = np.isfinite(row.median)
            how = say("rate-median", steps=row.median) if there else say("rate-end", accuracy=100 * row.end)
            arms.append(say("rate", arm=row.arm, arrived=row.arrived, runs=row.runs, last=row.last, how=how))
        weights = TITLES[init] if init == "default" else f"{TITLES[init]} weights"
        sentences.append(f"{weights}, rate {rate:g}: {'; '.join(arms)}.")
    return sentences


def how_sure(results: Collected) -> str:
    """Under which convention the page's first figure holds, and what is known of the other reading of the loss.

    Args:
        results: of the section "conventions".
    """
    rate = PLANS["paper"].half_sum
    known = [
        f"{TITLES[row.initialisation]} {bound_in_words(row.ratio, row.bound)}"
        for row in by_convention.table(results).itertuples()
        if row.rate == rate and np.isfinite(row.ratio)
    ]
    soon = say("sure-known", known=", ".join(known)) if known else say("sure-trial")
    ends = say("sure-open") if results.missing or not results.records else say("sure-measured")
    return say("sure", rate=rate, soon=soon, ends=ends)


def ratio_table(results: Collected) -> pd.DataFrame:
    """Median steps of ReLU and of the learned activation under each convention that has both, and their ratio."""
    rows = []
    for row in by_convention.table(results).itertuples():
        ratio = bound_in_words(row.ratio, row.bound) if np.isfinite(row.ratio) else "—"
        relu, learned = (median_in_words(pd.Series(value), row.last) for value in (row.relu, row.learned))
        rows.append(
            [
                f"{TITLES[row.initialisation]}, {row.convention} (rate {row.rate:g})",
                relu,
                f"{learned}, {row.arm}",
                ratio,
            ]
        )
    return pd.DataFrame(rows, columns=["convention", "ReLU", "learned", "times sooner"])
