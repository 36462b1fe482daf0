# ruff: noqa: E501 (words are easier to read on one line)
"""How the records of the tables decide C5 to C9. They speak of the tables whose comparison is complete."""

from dataclasses import replace

import pandas as pd

from ..figures import looks
from ..records import intervals
from ..records.frames import Collected
from ..records.intervals import interval, paired_interval
from ..verdict import NAN, NOT_RUN, Condition, Finding, Read, above, at_least, judge
from . import tables
from .plan import FROM_RELU, INPUTS, ZEROS

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
    words = "; ".join(
        f"{looks.label(arm)} {looks.plus_minus(row.gain, row.half_width) if row.half_width == row.half_width else f'{100 * row.gain:+.1f}'}"
        for arm, row in average.iterrows() if arm != "ReLU"
    )  # fmt: skip
    ours = (
        f"mean over {len(means)} tables{' (the others are not yet run)' if results.lacking - CONTROL else ''}, in points against ReLU: {words}. From the best learned arm by validation ({looks.label(best)}) to trees: "
        f"{looks.plus_minus(*gap)} points; above trees on {int((gaps < 0).sum())} of {len(gaps)} tables"
    )
    control = tables.ranked(results, table)
    if len(control) == len(means) > 1:
        ours += f". A control, ReLU on columns that are replaced by their ranks, without learning: {looks.plus_minus(*interval(control.gain))}; learned IAFs over it: {looks.plus_minus(*interval(control.beyond))}"
    hidden = [
        looks.label(arm)
        for arm in ("tanh", ZEROS, FROM_RELU)
        if arm in average.index and not average.gain[arm] > average.half_width[arm]
    ]
    learned_arms = table[table.arm.isin(["tanh", ZEROS, FROM_RELU, INPUTS])]
    for row in learned_arms[(learned_arms["mean"] - 0.5).abs() < 0.01].itertuples():  # of two classes of equal size
        rest = table[(table.arm == row.arm) & (table.data != row.data)].gain
        if len(rest) > 1:
            ours += f". On {row.data} {looks.label(row.arm)} is at chance; without that table its mean is {looks.plus_minus(*interval(rest))}"
    if hidden:
        ours += f". Not above ReLU with 95 % confidence, on average over the tables: {', '.join(hidden)}; the claim speaks of them too, the rule does not"
    of_trees, learned = average.gain[tables.TREES], average.loc[best]
    closed = Condition(
        "its gap to trees at most half of ReLU's", looks.label(best), 100 * gap[0], 100 * (gap[0] - gap[1]), 100 * (gap[0] + gap[1]),
        50 * of_trees, bool(of_trees > 0 and gap[0] <= of_trees / 2), "points",
    )  # fmt: skip
    over = above("above ReLU", looks.label(best), learned.gain, learned.half_width, unit="points")
    trees = Condition("trees above ReLU", "", 100 * of_trees, NAN, NAN, 0.0, bool(of_trees > 0), "points")
    return judge(ours, [trees, over, closed])


def another_complexity_for_each_table(read: Read) -> Finding:
    """C6."""
    results = read("tabular")
    table = tables.comparison(results)
    if table.empty or table.data.nunique() < 2:
        return NOT_RUN
    best = tables.best_complexities(results, list(table.data.unique()))
    ratios, alike = best.ratio, best.ratio[best.arm == INPUTS]
    ours = (
        f"over {len(ratios)} tables, the most accurate arm on validation rows has from {ratios.min():.2f} ({ratios.idxmin()}) to "
        f"{ratios.max():.2f} ({ratios.idxmax()}) times the total variation of ReLU"
    )
    if len(alike) > 1:
        ours += f". That does not say that tables differ in what they need: on {len(alike)} of them {looks.label(INPUTS)} is the most accurate, and on these alone it is {alike.min():.1f} to {alike.max():.1f} times"
    apart = ratios.max() / ratios.min()
    return judge(ours, [Condition("differs between tables", "", apart, NAN, NAN, 2.0, bool(apart > 2), "times")])


def panels(results: Collected) -> dict:
    """Per table, the records of Figure 7's panels by arm, where ReLU's and a learned one are there."""
    names = dict.fromkeys(record.config["run_of"]["data"] for record in results.records if record.kind == "panels")
    found = {data: tables.panels(results, data) for data in names}
    return {data: arms for data, arms in found.items() if "ReLU" in arms and (ZEROS in arms or INPUTS in arms)}


def boundaries_along_the_axes(read: Read) -> Finding:
    """C7."""
    conditions, words, tested = [], [], 0
    for data, found in panels(read("tabular")).items():
        fine = tables.fine_structures(found)
        share, size = (fine.pivot(index="slice", columns="arm", values=name) for name in ("share", "size"))
        words.append(f"{data} " + ", ".join(f"{looks.label(arm)} {share[arm].mean():.2f}" for arm in found))
        if not (trees := _over_relu(share, tables.TREES)) or trees.mean <= trees.half_width:
            words[-1] += " (not tested: the measure does not tell trees from ReLU)"
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
    return judge("share of the fine structure along one column, mean over the slices: " + "; ".join(words), conditions)


def _over_relu(values: pd.DataFrame, arm: str) -> intervals.Interval | None:
    """What an arm's column adds to ReLU's, paired by slice; None where it is missing or on one slice only."""
    both = values[[arm, "ReLU"]].dropna() if arm in values else values.iloc[:0]
    return paired_interval(both[arm], both["ReLU"]) if len(both) > 1 else None


def ambient_complexity(read: Read) -> Finding:
    """C8."""
    words, same, first = [], [], 0
    for data, found in panels(read("tabular")).items():
        arms = {arm: record.numbers for arm, record in found.items() if "tv_around" in record.numbers}
        by = {
            key: sorted(arms, key=lambda arm, key=key, arms=arms: arms[arm][key])
            for key in ("tv_around", "test_accuracy")
        }
        order = ", ".join(
            f"{looks.label(arm)} {arms[arm]['tv_around']:.2f} ({100 * arms[arm]['test_accuracy']:.1f} %)"
            for arm in by["tv_around"]
        )
        words.append(f"{data}: {order}")
        pairs = [(a, b) for i, a in enumerate(by["tv_around"]) for b in by["tv_around"][i + 1 :]]
        turned = sum(arms[a]["test_accuracy"] > arms[b]["test_accuracy"] for a, b in pairs)
        same.append(
            Condition(
                "pairs of arms in the other order", data, turned, NAN, NAN, 0.0, by["tv_around"] == by["test_accuracy"]
            )
        )
        first += by["tv_around"][-1] == by["test_accuracy"][-1]
    if not words:
        return NOT_RUN
    ours = f"complexity around the solution (test accuracy), one network per arm, {'; '.join(words)}. The most accurate arm has the highest complexity on {first} of {len(same)} tables, which is what the paper says in words; the exact order of all arms is a strict rule, as arms can differ by less than seeds do"
    return judge(ours, same)


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
        conditions.append(
            Condition(
                "keeps half of its gain",
                f"width {width}, sum of {len(means)} tables",
                gain,
                NAN,
                NAN,
                gains[reference] / 2,
                kept,
                "points",
            )
        )
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
    ours = (
        f"{looks.label(best)} over ReLU, summed over {len(means)} tables, in points: "
        + ", ".join(f"{gain:+.1f} at width {width}" for width, gain in gains.items())
        + f". With fewer layers than ReLU's best it is at least as accurate on {suffice} of {len(fewer)} tables; its own best depth is less on {less} of {len(depths)} tables, more on {more}"
    )
    return judge(ours, conditions)
