"""How the records of the tables decide C5 to C9. They speak of the tables whose comparison is complete."""

from dataclasses import replace

import pandas as pd

from ..figures import looks
from ..figures.words import words
from ..records import intervals
from ..records.frames import Collected
from ..records.intervals import interval, paired_interval
from ..verdict import NAN, NOT_RUN, Condition, Finding, Read, above, at_least, judge
from . import tables
from .plan import FROM_RELU, INPUTS, ZEROS

say = words("tabular", "findings").fill
CONTROL = {"control", "ranks"}  # roles and kinds of what comes after all tables


def gap_to_trees(read: Read) -> Finding:
    """C5."""
    results = read("tabular")
    table = tables.comparison(results)
    if not len(table):
        return NOT_RUN
    average, best = tables.averages(table).set_index("arm"), tables.best_learned(table)
    means = table.pivot(index="data", columns="arm", values="mean")
    gaps = (means[tables.TREES] - means[best]).dropna()
    gap = interval(gaps) if len(gaps) > 1 else (gaps.iloc[0], 0.0)
    arms = (
        f"{looks.label(arm)} "
        + (f"{100 * row.gain:+.1f}" if pd.isna(row.half_width) else looks.plus_minus(row.gain, row.half_width))
        for arm, row in average.drop(index="ReLU", errors="ignore").iterrows()
    )
    rest = " (the others are not yet run)" * bool(results.lacking - CONTROL)
    ours = [
        say("trees", tables=len(means), rest=rest, arms="; ".join(arms), best=looks.label(best),
            gap=looks.plus_minus(*gap), over=(gaps < 0).sum(), of=len(gaps))
    ]  # fmt: skip
    control = tables.ranked(results, table)
    if len(control) == len(means) > 1:
        gain, beyond = (looks.plus_minus(*interval(control[column])) for column in ("gain", "beyond"))
        ours.append(say("trees-control", gain=gain, beyond=beyond))
    hidden = [
        looks.label(arm)
        for arm in ("tanh", ZEROS, FROM_RELU)
        if arm in average.index and not average.gain[arm] > average.half_width[arm]
    ]
    learned_arms = table[table.arm.isin(["tanh", ZEROS, FROM_RELU, INPUTS])]
    for row in learned_arms[(learned_arms["mean"] - 0.5).abs() < 0.01].itertuples():  # of two classes of equal size
        rest = table[(table.arm == row.arm) & (table.data != row.data)].gain
        if len(rest) > 1:
            mean = looks.plus_minus(*interval(rest))
            ours.append(say("trees-chance", table=row.data, arm=looks.label(row.arm), mean=mean))
    if hidden:
        ours.append(say("trees-hidden", arms=", ".join(hidden)))
    of_trees, learned = average.gain[tables.TREES], average.loc[best]
    closed = Condition(
        "its gap to trees at most half of ReLU's", looks.label(best), 100 * gap[0], 100 * (gap[0] - gap[1]),
        100 * (gap[0] + gap[1]), 50 * of_trees, bool(of_trees > 0 and gap[0] <= of_trees / 2), "points",
    )  # fmt: skip
    over = above("above ReLU", looks.label(best), learned.gain, learned.half_width, unit="points")
    trees = Condition("trees above ReLU", "", 100 * of_trees, NAN, NAN, 0.0, bool(of_trees > 0), "points")
    return judge(". ".join(ours), [trees, over, closed])


def another_complexity_for_each_table(read: Read) -> Finding:
    """C6."""
    results = read("tabular")
    table = tables.comparison(results)
    if table.empty or table.data.nunique() < 2:
        return NOT_RUN
    best = tables.best_complexities(results, list(table.data.unique()))
    ratios, alike = best.ratio, best.ratio[best.arm == INPUTS]
    low, high = ratios.min(), ratios.max()
    ours = say("complexity", tables=len(ratios), low=low, of_low=ratios.idxmin(), high=high, of_high=ratios.idxmax())
    if len(alike) > 1:
        arm = looks.label(INPUTS)
        ours += ". " + say("complexity-alike", tables=len(alike), arm=arm, low=alike.min(), high=alike.max())
    apart = high / low
    return judge(ours, [Condition("differs between tables", "", apart, NAN, NAN, 2.0, bool(apart > 2), "times")])


def panels(results: Collected) -> dict:
    """Per table, the records of Figure 7's panels by arm, where ReLU's and a learned one are there."""
    names = dict.fromkeys(record.config["run_of"]["data"] for record in results.records if record.kind == "panels")
    found = {data: tables.panels(results, data) for data in names}
    return {data: arms for data, arms in found.items() if "ReLU" in arms and (ZEROS in arms or INPUTS in arms)}


def boundaries_along_the_axes(read: Read) -> Finding:
    """C7."""
    conditions, shares, tested = [], [], 0
    for data, found in panels(read("tabular")).items():
        fine = tables.fine_structures(found)
        share, size = (fine.pivot(index="slice", columns="arm", values=name) for name in ("share", "size"))
        shares.append(f"{data} " + ", ".join(f"{looks.label(arm)} {share[arm].mean():.2f}" for arm in found))
        if not (trees := _over_relu(share, tables.TREES)) or trees.mean <= trees.half_width:
            shares[-1] = say("axes-untested", shares=shares[-1])
            continue
        tested += 1
        if over := _over_relu(share, INPUTS):
            half = trees.mean / 2
            condition = above("input activations along the axes, over ReLU", data, *over)
            holds = condition.holds and over.mean > half
            conditions.append(replace(condition, threshold=half, holds=bool(holds)))
        for arm in (ZEROS, INPUTS):
            if over := _over_relu(size, arm):
                conditions.append(above("sharper than ReLU", f"{data}, {looks.label(arm)}", *over))
    if tested < 2:
        return NOT_RUN
    return judge(say("axes", tables="; ".join(shares)), conditions)


def _over_relu(values: pd.DataFrame, arm: str) -> intervals.Interval | None:
    """What an arm's column adds to ReLU's, paired by slice; None where it is missing or on one slice only."""
    both = values[[arm, "ReLU"]].dropna() if arm in values else values.iloc[:0]
    return paired_interval(both[arm], both["ReLU"]) if len(both) > 1 else None


def other_widths_and_depths(read: Read) -> Finding:
    """C9."""
    results = read("tabular")
    table, widths = tables.comparison(results), results.frame(role="width")
    if table.empty or widths.empty or "width" in results.lacking:
        return NOT_RUN
    best, conditions = tables.best_learned(table), []
    means = {
        data: tables.width_runs(results, data).groupby(["arm", "network.width"]).test_accuracy.mean().unstack()
        for data in table.data.unique()
        if (widths.data == data).any()
    }
    means = {data: found for data, found in means.items() if best in found.index}
    gains = 100 * pd.DataFrame({data: found.loc[best] - found.loc["ReLU"] for data, found in means.items()}).sum(axis=1)
    reference = int(results.frame(role="final")["network.width"].iloc[0])
    for width, gain in gains.drop(reference).items():
        kept = bool(gains[reference] > 0 and gain >= gains[reference] / 2)
        where, half = f"width {width}, sum of {len(means)} tables", gains[reference] / 2
        conditions.append(Condition("keeps half of its gain", where, gain, NAN, NAN, half, kept, "points"))
    for data, found in means.items():
        conditions.append(
            at_least("varies with the width as ReLU", data, found.T[[best, "ReLU"]].corr("spearman").iloc[0, 1], 0.5)
        )
    fewer = tables.fewer_layers(results, table, best)
    suffice = int((fewer.gain >= 0).sum())
    conditions.append(
        at_least("fewer layers suffice", f"of {len(fewer)} tables", suffice, len(fewer) / 2, unit="tables")
    )
    depths = table.pivot(index="data", columns="arm", values="depth")[["ReLU", best]].dropna()
    less, more = (int(found.sum()) for found in (depths[best] < depths["ReLU"], depths[best] > depths["ReLU"]))
    conditions.append(
        Condition(
            "its best depth is less", "against tables where it is more", less, NAN, NAN, more, less > more, "tables"
        )
    )
    by_width = ", ".join(f"{gain:+.1f} at width {width}" for width, gain in gains.items())
    ours = say("widths", arm=looks.label(best), tables=len(means), gains=by_width, suffice=suffice, fewer=len(fewer),
               less=less, depths=len(depths), more=more)  # fmt: skip
    return judge(ours, conditions)
