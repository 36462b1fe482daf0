"""The figures and tables of transfer across image datasets (Table 4 and Figure 19), from the records."""

from itertools import combinations

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lib.figures import name_of, plus_minus
from lib.intervals import Correlation, spearman
from lib.sections.transfer import Images
from lib.sections.transfer_matrix import ALL, RELU, learned_on

PAPER_TABLE = {  # Table 4: accuracy in % on mnist, fashion_mnist, svhn, cifar10; mean change and its spread
    RELU: (76.7, 73.9, 42.9, 16.1, 0.0, 0.0),
    "learned on mnist": (79.7, 73.0, 41.0, 18.2, 0.6, 2.3),
    "learned on fashion_mnist": (64.3, 75.1, 39.7, 23.7, -1.7, 8.4),
    "learned on svhn": (61.0, 73.2, 54.1, 19.2, -0.5, 11.3),
    "learned on cifar10": (57.6, 74.5, 41.0, 22.6, -3.5, 11.0),
    ALL: (76.2, 72.8, 45.0, 17.4, 0.4, 1.5),
}
PAPER_DATASETS = ("mnist", "fashion_mnist", "svhn", "cifar10")


def mean_changes(table: pd.DataFrame) -> pd.DataFrame:
    """Per arm: the mean over datasets of the change against ReLU, and its standard deviation over them, as in Table 4.

    Args:
        table: from :func:`lib.figures.summary`, by dataset.
    """
    gains = table[table.arm != RELU].groupby("arm", sort=False).gain
    return pd.DataFrame({"mean": gains.mean(), "deviation": gains.std(ddof=1)})


def image_table(table: pd.DataFrame) -> pd.DataFrame:
    """Table 4 with ours: accuracy in % per arm and dataset, the paper's in brackets where it has the cell."""
    datasets, average, rows = list(dict.fromkeys(table.data)), mean_changes(table), []
    for arm, part in table.groupby("arm", sort=False):
        cells, paper, part = [arm_name(arm)], PAPER_TABLE.get(arm), part.set_index("data")
        for data in datasets:
            cell = plus_minus(part["mean"][data], part.half_width[data])
            if paper and data in PAPER_DATASETS:
                cell += f" ({paper[PAPER_DATASETS.index(data)]})"
            own = arm == learned_on(data)
            cells.append(f"**{cell}**" if own else cell)
        mean, deviation = average.loc[arm] if arm in average.index else (0.0, 0.0)
        of_paper = f" ({paper[4]:+.1f} ± {paper[5]})" if paper and set(datasets) & set(PAPER_DATASETS) else ""
        rows.append([*cells, f"{100 * mean:+.1f} ± {100 * deviation:.1f}{of_paper}"])
    return pd.DataFrame(rows, columns=["activation", *map(name_of, datasets), "mean change"])


def image_changes(table: pd.DataFrame) -> Figure:
    """Change of accuracy against ReLU: one panel per dataset, one marker per activation, with 95 % intervals."""
    datasets = list(dict.fromkeys(table.data))
    arms = [arm for arm in dict.fromkeys(table.arm) if arm != RELU]
    size = (7, 1.5 + 0.4 * len(arms))
    figure, axes = plt.subplots(1, len(datasets), figsize=size, sharex=True, sharey=True, squeeze=False)
    for ax, data in zip(axes[0], datasets, strict=True):
        ax.axvline(0, color="C0", linewidth=1.5)
        for i, arm in enumerate(arms):
            cell = table[(table.arm == arm) & (table.data == data)].iloc[0]
            colour, marker = ("C1", "s") if arm == learned_on(data) else ("C3", "D") if arm == ALL else ("C2", "^")
            ax.errorbar(
                100 * cell.gain,
                i,
                xerr=100 * cell.gain_half_width,
                color=colour,
                marker=marker,
                capsize=4,
                markersize=7,
            )
        ax.set_title(f"on {name_of(data)}")
        ax.grid(axis="x")
        ax.margins(x=0.1, y=0.2)
        ax.xaxis.set_major_locator(MaxNLocator(5))
    axes[0, 0].set_yticks(range(len(arms)), [arm_name(arm) for arm in arms])
    axes[0, 0].invert_yaxis()
    figure.supxlabel("change of test accuracy against ReLU (points)", fontsize=10.5)
    return figure


def architectures(finals: pd.DataFrame, deep: pd.DataFrame) -> pd.DataFrame:
    """Mean test accuracy of each architecture (an activation and a depth), over the seeds that all depths have.

    The activation that was learned on all datasets is left out, as in the paper.

    Args:
        finals, deep: the runs of Table 4 and those with role "depth".

    Returns:
        One column per dataset (fractions); index (arm, depth). Architectures that lack a dataset are left out.
    """
    runs = pd.concat([finals[finals.seed.isin(deep.seed)], deep])
    runs = runs[runs.arm != ALL].rename(columns={"network.depth": "depth"})
    means = runs.pivot_table(index=["arm", "depth"], columns="data", values="test_accuracy", sort=False)
    return means[list(dict.fromkeys(finals.data))].dropna().rename_axis(columns=None)


def pair_correlations(table: pd.DataFrame) -> dict[tuple[str, str], tuple[Correlation, Correlation]]:
    """Per pair of datasets, two rank correlations over the architectures with a learned activation.

    Of their accuracies, and of their changes against ReLU at the same depth: the first is high already if one depth
    is better than another on both datasets.

    Args:
        table: from :func:`architectures`.
    """
    gains = (table - table.loc[RELU].reindex(table.index.get_level_values("depth")).to_numpy()).drop(RELU)
    return {
        (a, b): tuple(spearman(values[a], values[b]) for values in (table.drop(RELU), gains))
        for a, b in combinations(table.columns, 2)
    }


def pairs(table: pd.DataFrame) -> Figure:
    """Figure 19: the accuracy of each architecture on two datasets, one panel per pair.

    A line joins the depths of an activation; the number is beside the greatest.

    Args:
        table: from :func:`architectures`.
    """
    shown = list(combinations(table.columns, 2))
    figure, axes = plt.subplots(1, len(shown), figsize=(7, 3.2), squeeze=False)
    for ax, (a, b) in zip(axes[0], shown, strict=True):
        learned = 100 * table.drop(RELU)
        slope, offset = np.polyfit(learned[a], learned[b], 1)
        ends = np.array([learned[a].min(), learned[a].max()])
        ax.plot(ends, offset + slope * ends, color="0.5", linewidth=1)
        for i, (arm, part) in enumerate(table.groupby(level="arm", sort=False)):
            look = {"color": f"C{i}", "marker": "osD^v"[i], "s": 22}
            part = part.sort_index()  # from the least depth to the greatest
            ax.plot(100 * part[a], 100 * part[b], color=f"C{i}", linewidth=0.7, alpha=0.5)
            ax.scatter(100 * part[a], 100 * part[b], label=arm_name(arm), **look)
            depth, end = part.index[-1][1], (100 * part[a].iloc[-1], 100 * part[b].iloc[-1])
            ax.annotate(str(depth), end, xytext=(4, 3), textcoords="offset points", fontsize=8, color=f"C{i}")
        ax.set(xlabel=f"acc. on {name_of(a)} (%)", ylabel=f"acc. on {name_of(b)} (%)")
        ax.grid()
        ax.margins(0.12)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8.5)
    return figure


def table_complete(finals: pd.DataFrame, plan: Images) -> bool:
    """Whether the final runs of Table 4 are all there: every activation on every dataset with all seeds, and ReLU."""
    if not len(finals) or RELU not in set(finals.arm):
        return False
    seeds = finals.groupby(["arm", "data"]).seed.nunique()
    return len(seeds) == finals.arm.nunique() * len(plan.datasets) and bool((seeds == len(plan.seeds)).all())


def paper_own_best() -> dict[str, bool]:
    """Per dataset of the paper's Table 4: whether the activation learned on it is the best there (the rule of C18).

    Example:
        >>> paper_own_best()["mnist"]
        True
    """
    best = {data: max(PAPER_TABLE, key=lambda arm: PAPER_TABLE[arm][i]) for i, data in enumerate(PAPER_DATASETS)}
    return {data: arm == learned_on(data) for data, arm in best.items()}


def arm_name(arm: str) -> str:
    """The name of an activation for readers."""
    return f"learned on {name_of(arm.removeprefix('learned on '))}" if arm not in (RELU, ALL) else arm
