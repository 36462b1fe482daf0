"""The figures and tables of the shortcuts notebook (Section 3.4), from its records."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lib import splines

from ..figures import plots
from ..figures.looks import plus_minus
from ..records.frames import Collected
from ..records.intervals import interval
from .plan import BY_HAND, LEARNED, RELU
from .tables import CHANCE, SETS, arm_name, bounds, names, normalisation, runs

CIFAR = "airplane automobile bird cat deer dog frog horse ship truck".split()
# Where a pair, by its second dataset, comes from: the name of the words that say it.
SOURCES = {"cifar10-full": "source-paper", "cifar10": "source-paper", "fashion_mnist": "source-added"}
SOURCES |= {"noisy_digits": "source-live"}
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
        setting = [" / ".join(names(pair).values()), "yes" if spectral else "no"]
        for arm in (arm for arm in ARMS if (part.arm == arm).any()):
            chosen, numbers = part[part.arm == arm], ("by_first_first", "last_first", "by_second_second", "last_second")
            cells = [plus_minus(*interval(chosen[number])) for number in numbers]
            rows.append([*setting, arm_name(arm, pair), *cells, len(chosen)])
        limits = {tile: plus_minus(*limit) for tile, limit in bounds(upper, pair, spectral).items()}
        if len(limits) == 2:
            cells = ["ReLU trained on unambiguous collages", limits["first"], "", limits["second"], ""]
            rows.append([*setting, *cells, upper.seed.nunique()])
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


def trajectories(final: pd.DataFrame, pair: tuple[str, str], narrow: bool = False) -> Figure:
    """Training in the plane of the two accuracies: ReLU and both learned activations.

    A thin line per seed, a thick one for their mean; a dot at the initial weights, a large marker at the last
    step; a panel per kind of weights.
    """
    settings = sorted(final[final.pair == pair].spectral.unique())
    size = (3.75, 2.9 * len(settings) + 0.6), (7, 3.5)
    figure, axes = plots.panels(len(settings), narrow, *size, sharex=True, sharey=True)
    tile = names(pair)
    for ax, spectral in zip(axes, settings, strict=True):
        part = final[(final.pair == pair) & (final.spectral == spectral)]
        for arm in (arm for arm in (RELU, LEARNED["first"], LEARNED["second"]) if (part.arm == arm).any()):
            colour, marker, line = ARMS[arm]
            records = part[part.arm == arm].record
            paths = 100 * np.array([[r.arrays["test_first"], r.arrays["test_second"]] for r in records])
            for x, y in paths:
                ax.plot(x, y, color=colour, linewidth=1.5, alpha=0.7, zorder=1.5)
            x, y = paths.mean(axis=0)
            end = {"marker": marker, "markevery": [-1], "markersize": 7, "fillstyle": "none", "markeredgewidth": 2}
            ax.plot(x, y, color=plt.rcParams["figure.facecolor"], linewidth=5, zorder=1.8)  # sets the mean off
            ax.plot(x, y, color=colour, linewidth=3, linestyle=line, label=arm_name(arm, pair), **end)
            ax.plot(x[0], y[0], "o", color=colour, markersize=4)
        ax.axhline(100 * CHANCE, color="gray", linewidth=1, linestyle=":", label="chance", zorder=0)
        ax.set_title(normalisation(spectral), fontsize=9.5)
        ax.grid()
    _below(axes, narrow, f"accuracy on {tile['first']} (%)")
    figure.supylabel(f"accuracy on {tile['second']} (%)", fontsize=10)
    handles = axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=1 if narrow else 2, fontsize=9)
    return figure


def reliance(final: pd.DataFrame, upper: pd.DataFrame, pair: tuple[str, str], narrow: bool = False) -> Figure:
    """Accuracy on the second tile, a row per activation: stopped early for it (filled) and at the last step (open)."""
    settings = sorted(final[final.pair == pair].spectral.unique())
    arms = [arm for arm in ARMS if (final[final.pair == pair].arm == arm).any()][::-1]
    height = 0.36 * len(arms) + 0.75
    size = (3.75, height * len(settings) + 0.6), (7, height + 0.6)
    figure, axes = plots.panels(len(settings), narrow, *size, sharex=True, sharey=True)
    for ax, spectral in zip(axes, settings, strict=True):
        part = final[(final.pair == pair) & (final.spectral == spectral)]
        for i, arm in enumerate(arms):
            if not (part.arm == arm).any():
                continue
            colour, marker, _ = ARMS[arm]
            for shift, number, face in ((0.12, "by_second_second", colour), (-0.12, "last_second", "none")):
                mean, half = interval(part[part.arm == arm][number])
                style = {"color": colour, "marker": marker, "markerfacecolor": face, "capsize": 3, "markersize": 5}
                ax.errorbar(100 * mean, i + shift, xerr=100 * half, linestyle="", **style)
        limits = bounds(upper, pair, spectral)
        lines = [(100 * CHANCE, ":", "chance")]
        lines += [(100 * limits["second"].mean, "--", "upper bound")] if "second" in limits else []
        for value, line, name in lines:
            ax.axvline(value, color="gray", linewidth=1.2, linestyle=line, zorder=0, label=name)
        ax.set_yticks(range(len(arms)), [arm_name(arm, pair) for arm in arms], fontsize=9)
        ax.set_title(normalisation(spectral), fontsize=9.5)
        ax.set_xlim(0, None)
        ax.set_ylim(-0.5, len(arms) - 0.5)
        ax.margins(x=0.06)
        ax.grid(axis="x")
    _below(axes, narrow, f"accuracy on {names(pair)['second']} (%)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9)
    return figure


def _below(axes: Sequence[Axes], narrow: bool, label: str) -> None:
    """Label the horizontal axis of panels side by side or, on a phone, of the lowest."""
    for ax in axes[-1:] if narrow else axes:
        ax.set_xlabel(label, fontsize=9)


def steering(table: pd.DataFrame, narrow: bool = False) -> Figure:
    """What activations made for a tile add to its accuracy, in points over ReLU: a row per tile and kind of weights.

    Args:
        table: from :func:`.shortcuts.tables.steering`.
    """
    pairs = list(dict.fromkeys(table.pair))
    count = len(table[["spectral", "tile"]].drop_duplicates())
    size = (3.75 if narrow else 6, (0.36 * count + 0.45) * len(pairs) + 0.7)
    figure, axes = plt.subplots(len(pairs), 1, figsize=size, squeeze=False, sharex=True)
    kinds = {"learned": ("C1", "s", "full", 0.0), "by hand": ("C4", "v", "none", 0.34)}
    for ax, pair in zip(axes.flat, pairs, strict=True):
        settings = list(table[table.pair == pair].groupby(["spectral", "tile"], sort=False))
        for i, (_, own) in enumerate(settings):
            for row in own.itertuples():
                color, marker, fill, below = kinds[row.made]
                y, mean, half = i + below, 100 * row.mean, 100 * row.half_width
                ax.errorbar(mean, y, xerr=half, capsize=3, markersize=6, color=color, marker=marker, fillstyle=fill)
                beside = {"xytext": (6, 0), "textcoords": "offset points", "va": "center", "fontsize": 9}
                ax.annotate(plots.signed(mean), (mean + half, y), **beside, color=color)
        between = "\n" if narrow else ", "
        kind = [between + ("normalised" if spectral else "plain") for (spectral, _), _ in settings]
        labels = [names(pair)[tile] + own for ((_, tile), _), own in zip(settings, kind, strict=True)]
        ax.set_yticks([i + 0.17 for i in range(len(labels))], labels, fontsize=9)
        ax.axvline(0, color=plt.rcParams["text.color"], linewidth=1.2)
        ax.set_ylim(len(labels) - 0.35, -0.35)
        ax.set_title(" above ".join(names(pair).values()), fontsize=10, loc="left")
        ax.grid(axis="x")
    axes[-1, 0].set_xlabel("points over ReLU on its tile", fontsize=9)
    handles = [
        Line2D([], [], color=color, marker=marker, fillstyle=fill, label={"by hand": "best by hand"}.get(made, made))
        for made, (color, marker, fill, _) in kinds.items()
        if made in set(table.made)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=9)
    plots.make_room(axes[:, 0])
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


def activations(panels: Sequence[tuple], narrow: bool = False) -> Figure:
    """The activations learned for either tile, one panel per setting, with ReLU dotted."""
    shape = (1, 3.75, 1.9, 0.6) if narrow else (min(2, len(panels)), 7, 1.9, 0.4)
    figure, axes = plots.grid(len(panels), *shape, sharex=True)
    for ax, (pair, spectral, curves, low, high) in zip(axes.flat, panels, strict=False):
        for arm, values in curves:
            grid = splines.grid(len(values), low, high).numpy()
            colour, _, line = ARMS[arm]
            ax.plot(grid, values, color=colour, linestyle=line, label=arm)
        ax.plot(grid, np.maximum(grid, 0), color=ARMS[RELU][0], linestyle=":", linewidth=1.2, label=RELU)
        ax.set_title(f"{' / '.join(names(pair).values())},\n{normalisation(spectral)}", fontsize=9.5)
        ax.grid()
    for ax in axes[-1]:
        ax.set_xlabel("pre-activation $z$")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=1 if narrow else 3, fontsize=9)
    return figure


def collages(images: np.ndarray, labels: np.ndarray, pair: tuple[str, str], narrow: bool = False) -> Figure:
    """A few collages of each set, with the class that their label says; on a phone a row for each set.

    Args:
        images: (sets, n, height, width[, 3]) in [0, 1]; labels: (sets, n); the sets are those of `tables.SETS`.
    """
    images, labels = (images[:, :3], labels[:, :3]) if narrow else (images, labels)
    heads = {
        "train": "training:\nboth show it",
        **{f"test_{t}": f"only {name}\nshows it" for t, name in names(pair).items()},
    }
    sets, each = images.shape[:2]
    shape, size = ((sets, each), (3.75, 1.75 * sets + 0.3)) if narrow else ((1, sets * each), (7, 2.1))
    figure, axes = plt.subplots(*shape, figsize=size)
    for i, (ax, image, label) in enumerate(
        zip(axes.flat, images.reshape(-1, *images.shape[2:]), labels.flat, strict=True)
    ):
        ax.imshow(image, cmap="gray", vmin=0, vmax=1)
        ax.set_xlabel(str(label), fontsize=9)
        ax.set(xticks=[], yticks=[])
        if i % each == each // 2:
            head = heads[SETS[i // each]]
            ax.set_title(head.replace("\n", " ") if narrow else head, fontsize=9.5)
    if pair[1].startswith("cifar10"):
        shown = ", ".join(f"{label} {CIFAR[label]}" for label in sorted(set(labels.flat)))
        figure.supxlabel(shown, fontsize=8.5, wrap=True)
    return figure


def live(
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    histories: Mapping[str, dict],
    pair: tuple[str, str],
    narrow: bool = False,
) -> Figure:
    """Activations and the paths of training with them.

    Args:
        curves: per arm z and g(z). histories: per arm the accuracies "first" and "second".
    """
    figure, (left, right) = plots.panels(2, narrow, (3.6, 6.2), (7, 3.4))
    for arm, history in histories.items():
        colour, marker, line = ARMS[arm]
        left.plot(*curves[arm], color=colour, linestyle=line, label=arm_name(arm, pair))
        x, y = 100 * np.array(history["first"]), 100 * np.array(history["second"])
        right.plot(x, y, color=colour, linestyle=line)
        right.plot(x[-1], y[-1], marker, color=colour, markersize=7, fillstyle="none", markeredgewidth=2)
    left.set(xlabel="pre-activation $z$", ylabel="$g(z)$", title="activation")
    right.axhline(100 * CHANCE, color="gray", linestyle=":", linewidth=1, label="chance")
    first, second = names(pair).values()
    right.set(xlabel=f"accuracy on {first} (%)", ylabel=f"accuracy on {second} (%)", title="training", ylim=(0, 35))
    for ax in (left, right):
        ax.grid()
    figure.legend(loc="outside lower center", ncols=1 if narrow else 2, fontsize=9)
    return figure
