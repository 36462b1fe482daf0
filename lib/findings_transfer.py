# ruff: noqa: E501 (words are easier to read on one line)
"""How the records of transfer decide C17 and C18."""

from lib import figures, figures_transfer, figures_transfer_images
from lib.findings import NOT_RUN, Finding, Read, verdict
from lib.sections.transfer import ALL, learned_on


def transfer_across_tasks(read: Read) -> Finding:
    """C17."""
    results = read("transfer")
    if results.missing and results.lacking != {"depth"}:
        return NOT_RUN
    means = figures_transfer.column_means(figures_transfer.matrix_scores(results.frame(role="matrix")))
    ours = "; ".join(f"{name} {figures.plus_minus(*mean)} %" for name, mean in means.items())
    if len(means) < 3:
        return Finding(f"{ours}; the learning of the others diverged", "not reproduced")
    relu, specific, every = (means[name].mean for name in ("ReLU", "task-specific", "all tasks"))
    return Finding(ours, verdict([specific > relu, every > specific]))


def transfer_across_images(read: Read) -> Finding:
    """C18."""
    results = read("transfer")
    finals = results.frame(role="final")
    if results.missing and (finals.empty or not results.lacking or "final" in results.lacking):
        return NOT_RUN
    table = figures_transfer_images.changes(finals)
    best = table.loc[table.groupby("data")["mean"].idxmax()].set_index("data").arm
    own = [arm == learned_on(data) for data, arm in best.items()]
    average = figures_transfer_images.mean_changes(table)
    words = "; ".join(f"{arm}: {figures.plus_minus(*row)} points" for arm, *row in average.itertuples())
    every = bool(ALL in average.index and average["mean"][ALL] >= 0)
    return Finding(f"{sum(own)} of {len(own)} datasets do best with their own; mean change {words}", verdict([*own, every]))
