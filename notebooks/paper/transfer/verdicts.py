# ruff: noqa: E501 (words are easier to read on one line)
"""How the records of transfer decide C17 and C18."""

from ..figures import looks
from ..records import intervals
from ..records.intervals import paired_interval
from ..verdict import NAN, NOT_RUN, Condition, Finding, Read, at_least, judge
from . import tables
from .matrix import ALL, learned_on

LATER = {"own", "depth", "control trial", "control"}  # roles of runs that the matrix does without


def transfer_across_tasks(read: Read) -> Finding:
    """C17."""
    results = read("transfer")
    if results.missing and not (results.lacking and results.lacking <= LATER):
        return NOT_RUN
    scores = tables.matrix_scores(results.frame(role="matrix"))
    means = tables.column_means(scores)
    ours = tables.means_in_words(scores)
    if len(means) < 3:
        return Finding(f"{ours}; nothing was learned by the others, or their learning diverged", "not reproduced")
    relu, specific, every = (means[name].mean for name in ("ReLU", "task-specific", "all tasks"))
    ahead = paired_interval(scores.score[ALL], scores.specific.mean(axis=1))
    ours += (
        f". All tasks against task-specific, paired by task: {looks.plus_minus(*ahead)} points; {int((scores.specific.mean() > every).sum())} of the {scores.specific.shape[1]} "
        "task-specific activations score higher than the one for all tasks"
    )
    n, easy = len(scores.easy), int(scores.easy.sum())
    ours += f". Not the paper's measure: {easy} of our {n} tasks are easy, so {'all' if easy == 0 else n - easy} are scored by accuracy, where a network at chance scores above 0; the paper scores the tasks that ReLU solves by speed"
    tried, control = results.frame(role="control trial"), results.frame(role="control")
    if len(control) and not results.missing:
        compared, _ = tables.against_sines(results.frame(role="matrix"), tried, control)
        ours += f". A control, sines made by hand: {tables.sines_in_words(compared)}"
    names = ("task-specific above ReLU", "all tasks above task-specific")
    gains = 100 * (specific - relu), 100 * (every - specific)
    return judge(
        ours,
        [
            Condition(name, "", gain, NAN, NAN, 0.0, bool(gain > 0), "points")
            for name, gain in zip(names, gains, strict=True)
        ],
    )


def transfer_across_images(read: Read) -> Finding:
    """C18."""
    results = read("transfer")
    finals = results.frame(role="final")
    if results.missing and (finals.empty or not results.lacking or "final" in results.lacking):
        return NOT_RUN
    table = intervals.summary(finals, "test_accuracy", ["data"])
    best = table.loc[table.groupby("data")["mean"].idxmax()].set_index("data").arm
    means = table.pivot(index="data", columns="arm", values="mean")
    own = []
    for data, arm in best.items():
        mine = learned_on(data)
        rest = means.loc[data].drop(mine, errors="ignore").max()
        ahead = 100 * (means[mine][data] - rest) if mine in means else NAN
        own.append(Condition("best with its own", looks.name_of(data), ahead, NAN, NAN, 0.0, arm == mine, "points"))
    average = tables.mean_changes(table)
    words = "; ".join(
        f"{tables.arm_name(arm)} {100 * mean:+.1f} (SD over the datasets {100 * deviation:.1f})"
        for arm, mean, deviation in average.itertuples()
    )
    chance = [looks.name_of(data) for data, best in table.groupby("data")["mean"].max().items() if best < 0.2]
    if chance:
        words += f". On {', '.join(chance)} every activation is within 10 points of chance, so that its condition and its part in the means say little"
    paper = tables.paper_own_best()
    words += f". The paper's own table meets the first condition on {sum(paper.values())} of {len(paper)} datasets"
    every = at_least(
        "all not below ReLU", "", 100 * average["mean"][ALL] if ALL in average.index else NAN, 0.0, unit="points"
    )
    return judge(
        f"{sum(one.holds for one in own)} of {len(own)} datasets do best with their own; mean change in points: {words}",
        [*own, every],
    )
