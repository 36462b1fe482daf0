"""The figures and tables of the shortcuts notebook (Section 3.4), from its records."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from lib import splines

from ..figures.looks import plus_minus
from ..records.frames import Collected
from ..records.intervals import interval
from .plan import BY_HAND, LEARNED, RELU
from .tables import CHANCE, arm_name, bounds, names, normalisation, runs

# Colour, marker and line of each arm.
ARMS = {
    RELU: ("C0", "o", "-"),
    LEARNED["first"]: ("C3", "D", "-."),
    LEARNED["second"]: ("C1", "s", "--"),
    BY_HAND["first"]: ("C4", "v", ":"),
    BY_HAND["second"]: ("C6", "P", ":"),
}


def comparison(final: pd.DataFrame, upper: pd.DataFrame) -> pd.DataFrame:
    """Table of accuracies in %: each setting and arm, with early stopping for either tile and at the end."""
    rows = []
    for (pair, spectral), part in final.groupby(["pair", "spectral"], sort=False):
        tile = names(pair)
        for arm in (arm for arm in ARMS if (part.arm == arm).any()):
            chosen = part[part.arm == arm]
            cells = [f"{tile['first']} / {tile['second']}", "yes" if spectral else "no", arm_name(arm, pair)]
            for number in ("by_first_first", "last_first", "by_second_second", "last_second"):
                cells.append(plus_minus(*interval(chosen[number])))
            rows.append([*cells, len(chosen)])
        limits = bounds(upper, pair, spectral)
        if len(limits) == 2:
            cells = [
                "ReLU trained on unambiguous collages",
                plus_minus(*limits["first"]),
                "",
                plus_minus(*limits["second"]),
                "",
            ]
            rows.append(
                [
                    f"{tile['first']} / {tile['second']}",
                    "yes" if spectral else "no",
                    *cells,
                    len(upper.seed.unique()),
                ]
            )
    columns = [
        "tiles (first / second)",
        "normalised",
        "arm",
        "first tile, stopped for it",
        "first tile, last step",
        "second tile, stopped for it",
        "second tile, last step",
        "seeds",
    ]
    return pd.DataFrame(rows, columns=columns)


def trajectories(final: pd.DataFrame, upper: pd.DataFrame, pair: tuple[str, str]) -> Figure:
    """Training in the plane of the two accuracies: ReLU and both learned activations.

    A thin line per seed, a thick one for their mean; a dot at the initial weights, a large marker at the last
    step; a panel per normalisation. Dashed: chance, and what training on unambiguous collages reaches.
    """
    settings = sorted(final[final.pair == pair].spectral.unique())
    figure, axes = plt.subplots(1, len(settings), figsize=(7, 3.9), squeeze=False, sharex=True, sharey=True)
    tile = names(pair)
    for ax, spectral in zip(axes[0], settings, strict=True):
        part = final[(final.pair == pair) & (final.spectral == spectral)]
        for arm in (RELU, LEARNED["first"], LEARNED["second"]):
            chosen = part[part.arm == arm]
            if not len(chosen):
                continue
            colour, marker, line = ARMS[arm]
            paths = 100 * np.array([[r.arrays["test_first"], r.arrays["test_second"]] for r in chosen.record])
            for x, y in paths:
                ax.plot(x, y, color=colour, linewidth=0.6, alpha=0.35)
            x, y = paths.mean(axis=0)
            end = {"marker": marker, "markevery": [-1], "markersize": 7, "fillstyle": "none", "markeredgewidth": 2}
            ax.plot(x, y, color=colour, linestyle=line, label=arm_name(arm, pair), **end)
            ax.plot(x[0], y[0], "o", color=colour, markersize=4)
        limits = bounds(upper, pair, spectral)
        rule = {"color": "gray", "linewidth": 1, "linestyle": (0, (4, 3)), "zorder": 0}
        if "first" in limits:
            ax.axvline(100 * limits["first"].mean, **rule)
        if "second" in limits:
            ax.axhline(100 * limits["second"].mean, label="trained on unambiguous collages", **rule)
        ax.axhline(100 * CHANCE, color="gray", linewidth=1, linestyle=":", label="chance", zorder=0)
        ax.set(title=normalisation(spectral), xlabel=f"accuracy on {tile['first']} (%)")
        ax.grid()
    axes[0, 0].set_ylabel(f"accuracy on {tile['second']} (%)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def reliance(final: pd.DataFrame, upper: pd.DataFrame, pair: tuple[str, str], tile: str = "second") -> Figure:
    """Accuracy on one tile, stopped early for it (filled) and at the last step (open)."""
    settings = sorted(final[final.pair == pair].spectral.unique())
    figure, axes = plt.subplots(1, len(settings), figsize=(7, 3.4), squeeze=False, sharey=True)
    for ax, spectral in zip(axes[0], settings, strict=True):
        part = final[(final.pair == pair) & (final.spectral == spectral)]
        arms = [arm for arm in ARMS if (part.arm == arm).any()]
        for i, arm in enumerate(arms):
            colour, marker, _ = ARMS[arm]
            for shift, number, face in ((-0.13, f"by_{tile}_{tile}", colour), (0.13, f"last_{tile}", "none")):
                mean, half = interval(part[part.arm == arm][number])
                look = {
                    "color": colour,
                    "marker": marker,
                    "markerfacecolor": face,
                    "capsize": 3,
                    "markersize": 4.5,
                }
                ax.errorbar(i + shift, 100 * mean, 100 * half, linestyle="", **look)
        limits = bounds(upper, pair, spectral)
        if tile in limits:
            ax.axhline(100 * limits[tile].mean, color="gray", linewidth=1, linestyle=(0, (4, 3)), zorder=0)
            ax.text(len(arms) - 0.5, 100 * limits[tile].mean, "upper bound", ha="right", va="bottom", fontsize=8.5)
        ax.axhline(100 * CHANCE, color="gray", linewidth=1, linestyle=":", zorder=0)
        ax.text(len(arms) - 0.5, 100 * CHANCE, "chance", ha="right", va="top", fontsize=8.5)
        labels = [arm_name(arm, pair).replace(" for ", " for\n") for arm in arms]
        ax.set_xticks(range(len(arms)), labels, rotation=45, ha="right", fontsize=8.5)
        ax.set(title=normalisation(spectral), xlim=(-0.5, len(arms) - 0.5))
        ax.set_ylim(bottom=0)
        ax.grid(axis="y")
    axes[0, 0].set_ylabel(f"accuracy on {names(pair)[tile]} (%)")
    return figure


def functions(results: Collected) -> list[tuple]:
    """The learned activations that the final runs use, for :func:`activations`, setting by setting."""
    panels = []
    for (pair, spectral), part in runs(results, "final").groupby(["pair", "spectral"], sort=False):
        splined = part[part.learned != ""].drop_duplicates("learned")
        curves = [(row.arm, results.by_key[row.learned].arrays["psi_hidden"]) for row in splined.itertuples()]
        if curves:
            low, high = (splined.iloc[0][f"network.activation.{end}"] for end in ("low", "high"))
            panels.append((pair, spectral, curves, low, high))
    return panels


def activations(panels: Sequence[tuple]) -> Figure:
    """The activations learned for either tile, one panel per setting, with ReLU dotted."""
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(7, 2.4 * rows + 0.4), squeeze=False)
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    for ax, (pair, spectral, curves, low, high) in zip(axes.flat, panels, strict=False):
        for arm, values in curves:
            grid = splines.grid(len(values), low, high).numpy()
            colour, _, line = ARMS[arm]
            ax.plot(grid, values, color=colour, linestyle=line, label=arm)
        ax.plot(grid, np.maximum(grid, 0), color=ARMS[RELU][0], linestyle=":", linewidth=1.2, label=RELU)
        ax.set_title(f"{' / '.join(names(pair).values())},\n{normalisation(spectral)}", fontsize=9.5)
        ax.set(xlabel="pre-activation $z$", ylabel="$g(z)$")
        ax.grid()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def examples(collages: np.ndarray, labels: Sequence[str], rows: int = 1) -> Figure:
    """Collages (n, height, width[, 3]) with values in [0, 1], each above its label."""
    columns = -(-len(collages) // rows)
    figure, axes = plt.subplots(rows, columns, figsize=(7, 2.0 * rows), squeeze=False)
    for ax, image, label in zip(axes.flat, collages, labels, strict=False):
        ax.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        ax.set_title(label, fontsize=9)
        ax.set_axis_off()
    return figure
