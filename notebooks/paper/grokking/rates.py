"""Grokking under each convention: steps to 95 % test accuracy, how many times sooner, what becomes of the runs."""

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from lib.networks import INITIALISATIONS

from ..figures import looks, plots
from ..figures.looks import WEIGHTS, span
from ..figures.words import words
from ..records.frames import Collected
from . import by_convention
from .by_convention import SOONER, runs_of
from .conventions import NOT_LEARNED, RELU, SINE, STARTS, TUNED
from .tables import median_in_words

say = words("grokking", "findings").fill
BOUND, NEVER = r"$\uparrow$", r"$\rightarrow$"  # the markers of runs that have not arrived, at their last step
TITLES = WEIGHTS | {"default": "PyTorch's default"}
LOOKS = {
    RELU: looks.look("ReLU"),
    STARTS["zeros"]: looks.look("learned from zeros"),
    STARTS["relu"]: looks.look("learned from ReLU"),
    STARTS["random"]: {"color": "C3", "marker": "D", "linestyle": "-."},
    SINE: {"color": "C4", "marker": "v", "linestyle": ":"},
    NOT_LEARNED: {"color": "C5", "marker": "P", "linestyle": ":"},
}


def rate_table(*results: Collected) -> pd.DataFrame:
    """What the final runs, and ReLU's trials of rates, reach under each convention that has some.

    Args:
        results: of the section "conventions", and of "sines".

    Returns:
        Columns initialisation, rate, arm, trials (whether these are trials, which go without a tenth of the training
        pairs), runs, arrived (how many reach 95 %), median (of their steps to it; infinite where it is a run that does
        not), first, latest (of those that arrive; NaN if none), last (the last step), end (median test accuracy there).
    """
    runs = pd.concat([runs_of(found, "final", "rate trial") for found in results], ignore_index=True)
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
    figure, axes = plots.panels(len(present), narrow, (3.6, 2.2 * len(present) + 1.2), (7, 3.2), sharey=True)
    for ax, init in zip(axes, present, strict=True):
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
    for ax in axes if narrow else axes[:1]:
        ax.set_ylabel("steps to 95 %\ntest accuracy" if narrow else "steps to 95 % test accuracy")
    labels = {}
    for ax in axes:
        labels |= dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    figure.legend(labels.values(), labels.keys(), loc="outside lower center", ncols=2 if narrow else 3, fontsize=8.5)
    return figure


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


def how_sure(table: pd.DataFrame) -> str:
    """Under how many conventions the learned activation is much sooner, and by how much where ReLU arrives too.

    Args:
        table: from :func:`.by_convention.table`.
    """
    tested = table[table.tested.astype(bool)]
    known = [f"{by_convention.ratio_in_words(row)} ({called(row)})" for row in tested.itertuples() if not row.bound]
    relu = say("sure-relu", known=", ".join(known)) if known else say("sure-never")
    return say("sure", times=SOONER, of=len(tested), holds=int((tested.ratio >= SOONER).sum()), relu=relu)


def called(row) -> str:
    """A convention as it is written beside a number, from a row of :func:`.by_convention.table`."""
    return f"{WEIGHTS[row.initialisation]}, {by_convention.at_rate(row)}"


def starts(table: pd.DataFrame) -> str:
    """The starts of the learned activations in rows of :func:`.by_convention.table`.

    Example:
        >>> starts(pd.DataFrame({"arm": ["learned from zeros", "learned from random, at its best rate"]}))
        'zeros or random functions'
    """
    names = table.arm.str.removesuffix(TUNED).str.removeprefix("learned from ").replace("random", "random functions")
    return " or ".join(names.unique())


def ratios(table: pd.DataFrame, narrow: bool = False) -> Figure:
    """A row per convention: the median steps of ReLU and of the learned activation, and how many times sooner it is.

    The greatest ratio is at the top. An arrow stands at the last step of runs that do not arrive.

    Args:
        table: from :func:`.by_convention.table`, where at least one of the two gets there.
    """
    figure, ax = plt.subplots(figsize=(3.7 if narrow else 7, 0.42 * len(table) + (1.5 if narrow else 1.1)))
    rows = list(table.sort_values("ratio", ascending=False).itertuples())
    neutral = plt.rcParams["text.color"]
    styles = {"ReLU": LOOKS[RELU], "learned": LOOKS[STARTS["random"]]}
    for y, row in enumerate(reversed(rows)):
        ends = {"ReLU": row.relu, "learned": row.learned}
        ax.plot([min(end, row.last) for end in ends.values()], [y, y], color=neutral, linewidth=1.2, zorder=1)
        for arm, steps in ends.items():
            there = np.isfinite(steps)
            mark = styles[arm] | {"linestyle": "none"} | ({} if there else {"marker": NEVER, "markersize": 11})
            ax.plot(steps if there else row.last, y, **mark)
        words = by_convention.ratio_in_words(row).replace("at least ", "≥ ")
        bold = "bold" if row.ratio >= SOONER else "normal"
        ax.annotate(f"{words} ×" if row.ratio else words, (1.02, y), xycoords=("axes fraction", "data"), va="center",
                    fontsize=9, fontweight=bold)  # fmt: skip
    names = [called(row) for row in rows]
    ax.set_yticks(range(len(rows)), [name.replace(", ", ",\n") if narrow else name for name in reversed(names)])
    ax.set(xscale="log", xlabel="steps to 95 % test accuracy", ylim=(-0.6, len(rows) - 0.4))
    ax.grid(axis="x")
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.annotate("times sooner", (1.02, 1), xycoords="axes fraction", fontsize=9, va="bottom")
    handles = [plt.Line2D([], [], **style | {"linestyle": "none"}, label=arm) for arm, style in styles.items()]
    handles.append(
        plt.Line2D([], [], color=neutral, marker=NEVER, markersize=11, linestyle="none", label="not within the runs")
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=8.5)
    return figure


def settings(table: pd.DataFrame, narrow: bool = False) -> Figure:
    """Figure 13 under each convention: how many times sooner, against the width and the part of the pairs.

    An arrow is a bound: one of the two does not arrive. Where neither does, there is nothing to show.

    Args:
        table: from :func:`.by_convention.settings`.
    """
    figure, axes = plots.panels(2, narrow, (3.6, 5.8), (7, 3.3), sharey=True)
    up, down = np.isinf(table.relu) & np.isfinite(table.learned), np.isfinite(table.relu) & np.isinf(table.learned)
    ratio = table[["relu", "last"]].min(axis=1) / table[["learned", "last"]].min(axis=1)
    table = table.assign(ratio=ratio.where(np.isfinite(table[["relu", "learned"]]).any(axis=1)), up=up, down=down)
    main_width, all_pairs = table.width[table.pairs < table.pairs.max()].iloc[0], table.pairs.max()
    panels = {
        "width": (table[np.isclose(table.pairs, all_pairs)], 1, "width of the network"),
        "pairs": (table[table.width == main_width], 100, "pairs for training (% of all)"),
    }
    for ax, (column, (shown, scale, label)) in zip(axes, panels.items(), strict=True):
        for i, (convention, part) in enumerate(shown.groupby("convention", sort=False)):
            part = part.sort_values(column)
            style = {"color": f"C{(0, 1, 3)[i % 3]}", "markersize": 6}
            ax.plot(scale * part[column], part.ratio, linestyle=("-", "--", ":")[i % 3], linewidth=1.2, **style)
            for kind, marker in (("up", BOUND), ("down", r"$\downarrow$"), ("", "osD"[i % 3])):
                here = part[part[kind]] if kind else part[~part.up & ~part.down]
                more = {"markersize": 11} if kind else {"label": by_convention.pretty(convention)}
                ax.plot(scale * here[column], here.ratio, **style | {"marker": marker, "linestyle": "none"} | more)
        ax.axhline(1, color=plt.rcParams["text.color"], linewidth=1.2)
        ax.set(xlabel=label, yscale="log")
        ax.grid()
    for ax in axes if narrow else axes[:1]:
        ax.set_ylabel("times sooner than ReLU")
    widths = sorted(table.width.unique())
    axes[0].set(xscale="log")
    axes[0].set_xticks(widths, [f"{width:g}" for width in widths])
    axes[0].minorticks_off()
    axes[1].set_xticks(sorted(100 * panels["pairs"][0].pairs.unique().round(3)))
    for ax in axes:
        ax.set_yticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.annotate(
            "as soon as ReLU", (0.98, 1), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=8.5
        )
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=1 if narrow else 3, fontsize=8.5
    )
    return figure


def settings_table(table: pd.DataFrame) -> pd.DataFrame:
    """The medians behind :func:`settings`, in words."""
    cells = {
        arm: [median_in_words(pd.Series([value]), last) for value, last in zip(table[arm], table["last"], strict=True)]
        for arm in ("relu", "learned")
    }
    return pd.DataFrame({
        "convention": table.convention.map(by_convention.pretty), "width": table.width.astype(int),
        "pairs (%)": (100 * table.pairs).round().astype(int), "ReLU": cells["relu"], "learned": cells["learned"],
    })  # fmt: skip


def ratio_table(table: pd.DataFrame) -> pd.DataFrame:
    """Median steps of ReLU and of the learned activation under each convention that has both, and their ratio."""
    rows = []
    for row in table.itertuples():
        relu, learned = (median_in_words(pd.Series([value]), row.last) for value in (row.relu, row.learned))
        ratio = by_convention.ratio_in_words(row) if row.tested else "—"
        rows.append([called(row), row.convention, relu, f"{learned}, {row.arm}", ratio])
    return pd.DataFrame(rows, columns=["convention", "where the rate is from", "ReLU", "learned", "times sooner"])


def falls_table(falls: pd.DataFrame) -> pd.DataFrame:
    """What becomes of the runs under each convention: how many arrive, the largest fall, where they end.

    Args:
        falls: from :func:`.by_convention.falls`.
    """
    falls = falls[falls.main & ~falls.arm.isin([SINE, SINE + TUNED, NOT_LEARNED])]
    rows = []
    for (convention, arm), part in falls.groupby(["convention", "arm"]):
        there, fall = np.isfinite(part.arrived), part.fall.max()
        largest = f"{fall:.1f} points" if there.any() else "—"
        ends = span(100 * part.end, 0) + " %"
        rows.append([by_convention.pretty(convention), arm, f"{there.sum()} of {len(part)}", largest, ends])
    return pd.DataFrame(
        rows, columns=["convention", "arm", "runs that reach 95 %", "largest fall since", "accuracy at the end"]
    )
