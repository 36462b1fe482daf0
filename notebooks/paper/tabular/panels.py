"""Pictures of the models of Section 3.3 in weight space and in input space (Figures 7 and 24)."""

from collections.abc import Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from ..figures.looks import ARMS as LOOKS
from ..figures.looks import label
from ..records.store import Record
from .plan import INPUTS


def weight_space(found: dict[str, Record]) -> Figure:
    """Landscapes of Figures 7a and 7b: a column per network, rows for the loss and for the complexity.

    Args:
        found: from :func:`.tabular.tables.panels`. The colours of a row mean the same in every column; the two
            rows of complexity share theirs.
    """
    networks = {arm: record.arrays for arm, record in found.items() if "plane_loss" in record.arrays}
    rows = (
        ("plane", "loss", "loss,\nPCA plane"),
        ("plane", "tv", "complexity,\nPCA plane"),
        ("zoom", "tv", "complexity,\nrandom plane"),
    )
    limits = {
        name: Normalize(*np.percentile(np.log10(_stack(networks.values(), wanted)), (1, 99)))
        for name, wanted in (("loss", ["plane_loss"]), ("tv", ["plane_tv", "zoom_tv"]))
    }
    figure, grid = plt.subplots(3, len(networks), figsize=(7, 5.3), squeeze=False)
    for column, (arm, arrays) in zip(grid.T, networks.items(), strict=True):
        column[0].set_title(label(arm), fontsize=9.5)
        for ax, (plane, measure, name) in zip(column, rows, strict=True):
            s, t = arrays[f"{plane}_s"], arrays[f"{plane}_t"]
            values = np.log10(np.maximum(arrays[f"{plane}_{measure}"], 1e-12))
            image = ax.pcolormesh(s, t, values, norm=limits[measure], cmap="cividis", rasterized=True)
            if plane == "plane":
                way = arrays["trajectory"]
                ax.plot(way[:, 0], way[:, 1], ".-", color="C1", linewidth=1, markersize=3)
            ax.plot(0, 0, "*", color="C1", markersize=9)
            ax.set_xticks([])
            ax.set_yticks([])
            if ax in grid[:, 0]:
                ax.set_ylabel(name, fontsize=9)
            if ax in grid[:, -1]:
                bar = figure.colorbar(image, ax=ax, aspect=12)
                bar.set_label("log$_{10}$ " + ("loss" if measure == "loss" else "TV"), fontsize=8.5)
    return figure


def _stack(arrays, names: Sequence[str]) -> np.ndarray:
    return np.concatenate([np.maximum(a[name], 1e-12).ravel() for a in arrays for name in names])


def input_space(found: dict[str, Record]) -> Figure:
    """Slices of Figure 7c: a column per model, a row per slice; each scaled to its own range.

    Args:
        found: from :func:`.tabular.tables.panels`.
    """
    count = min(len(record.arrays["slices"]) for record in found.values())
    figure, grid = plt.subplots(count, len(found), figsize=(7, 1.22 * count + 0.5), squeeze=False)
    for column, (arm, record) in zip(grid.T, found.items(), strict=True):
        column[0].set_title(label(arm).replace(" (", "\n(").replace(", ", ",\n"), fontsize=9)
        for ax, image, point in zip(column, record.arrays["slices"], record.arrays["slice_points"], strict=False):
            ax.imshow(image, cmap="cividis", origin="lower", extent=(-1, 1, -1, 1), interpolation="nearest")
            ax.plot(*np.clip(point, -1, 1), "o", color="C1", markersize=4)
            ax.set_xticks([])
            ax.set_yticks([])
    for ax, (m, n) in zip(grid[:, 0], next(iter(found.values())).arrays["slice_columns"], strict=False):
        ax.set_ylabel(f"columns {m}, {n}", fontsize=8.5)
    return figure


def input_functions(values: np.ndarray, names: Sequence[str], most: int = 8) -> Figure:
    """Learned input activations, one panel per column of the data, beside the identity.

    Args:
        values: control values (d, n_c) on [-1, 1]. names: of the columns. most: how many to draw.
    """
    count = min(most, len(values))
    columns = min(4, count)
    rows = -(-count // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(7, 1.75 * rows + 0.3), squeeze=False, sharex=True)
    for ax in grid.flat[count:]:
        ax.set_axis_off()
    at = np.linspace(-1, 1, values.shape[1])
    for ax, own, name in zip(grid.flat, values, names, strict=False):
        ax.plot(at, at, color=plt.rcParams["text.color"], linestyle=":", linewidth=1.2, zorder=3)
        ax.plot(at, own, color=LOOKS[INPUTS][0], linewidth=1.4)
        ax.set_title(name, fontsize=9)
        ax.grid()
    for ax in grid.flat[count - columns : count]:  # the last one of each column
        ax.set_xlabel("scaled input", fontsize=9)
        ax.tick_params(labelbottom=True)
    for ax in grid[:, 0]:
        ax.set_ylabel("$h(x)$", fontsize=9)
    return figure
