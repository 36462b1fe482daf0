"""Pictures of the models of Section 3.3 in weight space and in input space (Figures 7 and 24)."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from scipy.special import expit

from ..figures import plots
from ..figures.looks import ARMS as LOOKS
from ..figures.looks import label, two_lines
from ..records.store import Record
from .plan import INPUTS, ZEROS
from .tables import TREES, columns_of

SHOWN = ("ReLU", ZEROS, INPUTS, TREES)  # models with slices on the page


def weight_space(found: Mapping[str, Record], narrow: bool = False) -> Figure:
    """Landscapes of Figures 7a and 7b in the plane of the training: a column per network, loss above, complexity below.

    Args:
        found: from :func:`.tabular.tables.panels`. The colours of a row mean the same in every column.
    """
    networks = {arm: record.arrays for arm, record in found.items() if "plane_loss" in record.arrays}
    figure, grid = plt.subplots(2, len(networks), figsize=(3.75, 2.9) if narrow else (7, 3.7), squeeze=False)
    for row, (measure, name) in zip(grid, (("loss", "loss"), ("tv", "complexity")), strict=True):
        values = {arm: np.log10(np.maximum(arrays[f"plane_{measure}"], 1e-12)) for arm, arrays in networks.items()}
        norm = Normalize(*np.percentile(np.stack(list(values.values())), (1, 99)))
        for ax, (arm, arrays) in zip(row, networks.items(), strict=True):
            image = ax.pcolormesh(
                arrays["plane_s"], arrays["plane_t"], values[arm], norm=norm, cmap="cividis", rasterized=True
            )
            ax.plot(*arrays["trajectory"].T, ".-", color="C1", linewidth=1, markersize=3)
            ax.plot(0, 0, "*", color="C1", markersize=9)
            ax.set(xticks=[], yticks=[])
        row[0].set_ylabel(name, fontsize=9)
        bar = figure.colorbar(image, ax=row[-1], aspect=12)
        bar.set_label("log$_{10}$ " + ("loss" if measure == "loss" else "TV"), fontsize=8.5)
    for ax, arm in zip(grid[0], networks, strict=True):
        ax.set_title(two_lines(arm, narrow), fontsize=8.5 if narrow else 9.5)
    return figure


def shown(pictured: Mapping[str, Mapping[str, Record]]) -> list[str]:
    """The models with slices in :func:`input_space`: those that all tables have."""
    return [arm for arm in SHOWN if all(arm in found for found in pictured.values())]


def input_space(pictured: Mapping[str, Mapping[str, Record]], narrow: bool = False) -> Figure:
    """Slices of Figure 7c as probabilities: a row per table, a column per model; one scale for all.

    Args:
        pictured: by table, from :func:`.tabular.tables.panels`. Shown is the slice that trees vary most on.
    """
    arms = shown(pictured)
    height = (1.0 if narrow else 1.65) * len(pictured) + 0.9
    size = (3.75 if narrow else 7, height)
    figure, grid = plt.subplots(len(pictured), len(arms), figsize=size, squeeze=False)
    for row, (data, found) in zip(grid, pictured.items(), strict=True):
        place = int(np.argmax([np.ptp(probabilities(found[arms[-1]], i)) for i in range(_count(found))]))
        for ax, arm in zip(row, arms, strict=True):
            values = probabilities(found[arm], place)
            image = ax.imshow(values, cmap="RdBu_r", vmin=0, vmax=1, origin="lower", extent=(-1, 1, -1, 1))
            ax.set(xticks=[], yticks=[])
        across, up = (columns_of(data)[c] for c in found[arms[0]].arrays["slice_columns"][place])
        row[0].set_ylabel(f"{data}\n{up} →" if not narrow else f"{up} →", fontsize=8.5)
        row[0].set_xlabel(f"{across} →" + (f"  ({data})" if narrow else ""), fontsize=8.5, loc="left")
    for ax, arm in zip(grid[0], arms, strict=True):
        ax.set_title(two_lines(arm, narrow), fontsize=8.5 if narrow else 9.5)
    bar = figure.colorbar(image, ax=grid, location="bottom", shrink=0.5, aspect=30, ticks=[0, 0.5, 1])
    bar.set_label("probability of the second class", fontsize=9)
    return figure


def probabilities(record: Record, place: int) -> np.ndarray:
    """A stored slice, of 0 to 255 over its range of logits, as probabilities (r, r)."""
    low, high = record.arrays["slice_ends"][place]
    return expit(low + (high - low) * record.arrays["slices"][place] / 255)


def _count(found: Mapping[str, Record]) -> int:
    return min(len(record.arrays["slices"]) for record in found.values())


def functions(values: np.ndarray, names: Sequence[str], hidden: tuple | None = None, narrow: bool = False) -> Figure:
    """Learned input activations, a panel per column of the data, beside the identity; a hidden one in the last panel.

    Args:
        values: control values (d, n_c) on [-1, 1]. names: of the columns. hidden: control values (n_c,), low, high.
    """
    count = len(values) + (hidden is not None)
    figure, grid = plots.grid(count, *((2, 3.75, 1.4, 0.3) if narrow else (min(4, count), 7, 1.6, 0.2)))
    at = np.linspace(-1, 1, values.shape[1])
    for ax, own, name in zip(grid.flat, values, names, strict=False):
        ax.plot(at, at, color=plt.rcParams["text.color"], linestyle=":", linewidth=1.2, zorder=3)
        ax.plot(at, own, color=LOOKS[INPUTS][0], linewidth=1.4)
        ax.set_title(name, fontsize=9)
    if hidden is not None:
        own, low, high = hidden
        ax = grid.flat[count - 1]
        ax.plot(np.linspace(low, high, len(own)), own, color=LOOKS[ZEROS][0], linewidth=1.4)
        ax.set_title("hidden, from zeros", fontsize=9)
    for ax in grid.flat[:count]:
        ax.tick_params(labelsize=8.5)
        ax.grid()
    return figure


def outputs(
    slices: Mapping[str, np.ndarray], point: tuple[float, float], names: tuple[str, str], narrow: bool = False
) -> Figure:
    """Slices of networks trained on the page, as probabilities (r, r), around a training row (dot)."""
    figure, axes = plots.panels(len(slices), narrow, (3.6, 2.6 * len(slices)), (7, 3.1), sharey=True)
    for ax, (arm, values) in zip(axes, slices.items(), strict=True):
        image = ax.imshow(values, cmap="RdBu_r", vmin=0, vmax=1, origin="lower", extent=(-1, 1, -1, 1))
        ax.plot(*np.clip(point, -1, 1), "o", color="C1", markeredgecolor="white")
        ax.set(title=label(arm), xlabel=names[0])
    for ax in axes if narrow else axes[:1]:
        ax.set_ylabel(names[1])
    figure.colorbar(image, ax=axes, label="probability of class 1", shrink=0.9)
    return figure


def watched(histories: Mapping[str, tuple[Sequence[float], Sequence[float], int]], narrow: bool = False) -> Figure:
    """Loss on an episode's validation rows and on watched rows, a panel per table, and the episode that is kept."""
    figure, axes = plots.panels(len(histories), narrow, (3.6, 2.5 * len(histories)), (7, 2.8), sharex=not narrow)
    for ax, (data, (outer, watch, best)) in zip(axes, histories.items(), strict=True):
        ax.plot(outer, color="C0", label="on the episode's $\\mathcal{V}$")
        ax.plot(watch, color="C1", linestyle="--", label="on watched rows")
        ax.axvline(best, color="C2", linestyle=":", label="kept")
        ax.set(title=data, xlabel="episode", ylim=(0, None))
        ax.grid()
    for ax in axes if narrow else axes[:1]:
        ax.set_ylabel("loss after training (nats)")
    columns = 1 if narrow else 3
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=columns)
    return figure
