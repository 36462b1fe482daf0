"""The figures of the page beyond the paper: differences to ReLU, curves, functions."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from lib import splines

from ..figures import plots
from ..figures.looks import ARMS as LOOKS
from ..figures.similarity import turning_points
from ..records.frames import Collected
from .plan import ARMS, HAND, LEARNED
from .tables import Result

TURNS = 20  # of a function in a panel, at most about


def differences(rows: pd.DataFrame, narrow: bool = False) -> Figure:
    """Each function over ReLU, a panel per study: how many times sooner, or points (images share the axis).

    Args:
        rows: from :func:`.tables.differences`. narrow: for a phone.
    """
    studies = list(rows.groupby("study", sort=False))
    figure, axes = plots.panels(len(studies), narrow, (3.6, 1.9 * len(studies)), (7, 2.3))
    for ax, (name, part) in zip(axes, studies, strict=True):
        timed = bool(part.timed.iloc[0])
        for i, row in enumerate(part.itertuples()):
            colour, marker, _ = LOOKS[row.arm]
            reach = [[row.value - row.low], [row.high - row.value]]
            ax.errorbar(row.value, i, xerr=reach, color=colour, marker=marker, capsize=3)
            sign = {"at least ": "≥ ", "at most ": "≤ "}.get(row.bound, "")
            text = f"{sign}×{2**row.value:.2g}" if timed else plots.signed(row.value)
            above = {"xytext": (0, 5), "textcoords": "offset points", "ha": "center", "bbox": plots.patch()}
            ax.annotate(text, (row.value, i), **above, fontsize=9, color=colour)
        ax.axvline(0, linewidth=1.2, color=plt.rcParams["text.color"])
        labelled = narrow or ax is axes[0]
        ax.set_yticks(range(len(part)), part.arm if labelled else [""] * len(part), fontsize=9)
        ax.set_ylim(len(part) - 0.6, -0.7)
        ax.set_title(name, loc="left", fontsize=10, fontweight="bold")
        if timed:
            ticks = np.arange(np.floor(min(0, part.low.min())), np.ceil(max(1, part.high.max())) + 1)
            ax.set_xticks(ticks, [f"{2.0**tick:g}" for tick in ticks])
        else:
            ends = rows[rows.pairs == part.pairs.iloc[0]]
            low, high = min(0, ends.low.min()), max(0, ends.high.max())
            ax.set_xlim(low - 0.12 * (high - low), high + 0.12 * (high - low))
        ax.set_xlabel("times sooner than ReLU" if timed else "points over ReLU", fontsize=9.5)
        ax.grid(axis="x")
    return figure


def curves(result: Result, narrow: bool = False) -> Figure:
    """Test accuracy over the course of training, the mean over seeds and its interval."""
    figure, ax = plt.subplots(figsize=(3.6 if narrow else 7, 3.0))
    for arm in ARMS:
        records = list(result.finals[arm].record)
        steps = records[0].arrays["step"][1:]
        whole = [record for record in records if len(record.arrays["step"]) == len(steps) + 1]
        if len(whole) == len(records):
            plots.curves(ax, steps, [record.arrays["test_accuracy"][1:] for record in records], arm, arm)
    ax.axhline(95, color="gray", linewidth=0.8, linestyle=":")
    ax.set(xscale="log", xlabel="step", ylabel="test accuracy (%)", ylim=(0, 101))
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2 if narrow else 4, fontsize=8.5)
    ax.grid()
    return figure


def functions(found: Mapping[str, Result], results: Collected, narrow: bool = False) -> Figure:
    """The learned function of each study and the best one by hand; of those that turn too often, the middle."""
    figure, axes = plots.panels(len(found), narrow, (3.6, 2.2 * len(found) + 0.5), (7, 2.3))
    for ax, (name, result) in zip(axes, found.items(), strict=True):
        for arm in (HAND, LEARNED):
            run = result.finals[arm].iloc[0]
            record = results.by_key[run.learned]
            values, (low, high) = record.arrays[f"psi_{run.function}"], (record.numbers["low"], record.numbers["high"])
            z, (colour, _, line) = splines.grid(len(values), low, high), LOOKS[arm]
            ax.plot(z, values, color=colour, linestyle=line, linewidth=1.4, label=arm)
            if arm == HAND and (turns := turning_points(torch.from_numpy(values))) > TURNS:
                ax.set_xlim(low * TURNS / turns, high * TURNS / turns)
        ax.set_title(name, fontsize=9.5)
        ax.set_xlabel("pre-activation $z$")
        ax.grid()
    for ax in axes if narrow else axes[:1]:
        ax.set_ylabel("$g(z)$")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8.5)
    return figure
