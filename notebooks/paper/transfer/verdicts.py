"""How the records of transfer decide C17 and C18."""

from ..figures import looks
from ..figures.words import words
from ..records import intervals
from ..records.intervals import paired_interval
from ..verdict import NAN, NOT_RUN, Condition, Finding, Read, at_least, judge
from . import tables
from .matrix import ALL, learned_on

say = words("transfer", "findings").fill
LATER = {"own", "depth", "control trial", "control"}  # roles of runs that the matrix does without


def transfer_across_tasks(read: Read) -> Finding:
    """C17."""
    results = read("transfer")
    if results.missing and not (results.lacking and results.lacking <= LATER):
        return NOT_RUN
    scores = tables.matrix_scores(results.frame(role="matrix"))
    means = tables.column_means(scores)
    ours = [tables.means_in_words(scores)]
    if len(means) < 3:
        return Finding(say("diverged", means=ours[0]), "not reproduced")
    relu, specific, every = (means[name].mean for name in ("ReLU", "task-specific", "all tasks"))
    ahead = paired_interval(scores.score[ALL], scores.specific.mean(axis=1))
    higher = (scores.specific.mean() > every).sum()
    ours.append(say("paired", gain=looks.plus_minus(*ahead), higher=higher, of=scores.specific.shape[1]))
    n, easy = len(scores.easy), int(scores.easy.sum())
    ours.append(say("measure", easy=easy, tasks=n, rest=n - easy if easy else "all"))
    tried, control = results.frame(role="control trial"), results.frame(role="control")
    if len(control) and not results.missing:
        compared, _ = tables.against_sines(results.frame(role="matrix"), tried, control)
        ours.append(say("sines", compared=tables.sines_in_words(compared)))
    names = ("task-specific above ReLU", "all tasks above task-specific")
    gains = 100 * (specific - relu), 100 * (every - specific)
    conditions = [
        Condition(name, "", gain, NAN, NAN, 0.0, bool(gain > 0), "points")
        for name, gain in zip(names, gains, strict=True)
    ]
    return judge(". ".join(ours), conditions)


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
    changes = (
        say("mean-change", arm=tables.arm_name(arm), mean=f"{100 * mean:+.1f}", deviation=f"{100 * deviation:.1f}")
        for arm, mean, deviation in average.itertuples()
    )
    best_so = sum(one.holds for one in own)
    ours = [say("own-best", best=best_so, of=len(own), changes="; ".join(changes))]
    chance = [looks.name_of(data) for data, best in table.groupby("data")["mean"].max().items() if best < 0.2]
    if chance:
        ours.append(say("chance", datasets=", ".join(chance)))
    paper = tables.paper_own_best()
    ours.append(say("paper", meets=sum(paper.values()), of=len(paper)))
    gain = 100 * average["mean"][ALL] if ALL in average.index else NAN
    return judge(". ".join(ours), [*own, at_least("all not below ReLU", "", gain, 0.0, unit="points")])
