# ruff: noqa: E501 (words are easier to read on one line)
"""How the records of transfer decide C17 and C18."""

from ..figures import looks
from ..records import intervals
from ..records.intervals import paired_interval
from ..verdict import NOT_RUN, Finding, Read, judge
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
    return judge(ours, [specific > relu, every > specific])


def transfer_across_images(read: Read) -> Finding:
    """C18."""
    results = read("transfer")
    finals = results.frame(role="final")
    if results.missing and (finals.empty or not results.lacking or "final" in results.lacking):
        return NOT_RUN
    table = intervals.summary(finals, "test_accuracy", ["data"])
    best = table.loc[table.groupby("data")["mean"].idxmax()].set_index("data").arm
    own = [arm == learned_on(data) for data, arm in best.items()]
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
    every = bool(ALL in average.index and average["mean"][ALL] >= 0)
    return judge(
        f"{sum(own)} of {len(own)} datasets do best with their own; mean change in points: {words}", [*own, every]
    )
