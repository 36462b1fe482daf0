"""How the records of transfer decide C18."""

from ..figures import looks
from ..figures.words import words
from ..records import intervals
from ..verdict import NAN, NOT_RUN, Condition, Finding, Read, at_least, judge
from . import tables
from .matrix import ALL, learned_on

say = words("transfer", "findings").fill
LATER = {"own", "depth", "control trial", "control"}  # roles of runs that the matrix does without


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
