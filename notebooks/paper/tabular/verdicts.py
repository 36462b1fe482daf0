# ruff: noqa: E501 (words are easier to read on one line)
"""How the records of the tables decide C5 to C9. They speak of the tables whose comparison is complete."""

from ..figures import looks
from ..records import intervals
from ..records.frames import Collected
from ..records.intervals import interval
from ..verdict import NAN, NOT_RUN, Condition, Finding, Read, above, judge
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
    words, larger = [], []
    for data, found in panels(read("tabular")).items():
        shares = tables.alignment(found).set_index("arm")
        for arm in (ZEROS, INPUTS):
            if arm in shares.index:
                gain = shares.loc[arm, ["gain", "gain_half_width"]]
                words.append(f"{data}, {looks.label(arm)} {gain.iloc[0]:+.2f} ± {gain.iloc[1]:.2f}")
                larger.append(above("share along an axis, over ReLU", f"{data}, {looks.label(arm)}", *gain))
        if tables.TREES in shares.index:
            words[-1] += f" (trees {shares.gain[tables.TREES]:+.2f})"
    if not words:
        return NOT_RUN
    ours = "share of the gradient along an axis, over ReLU: " + "; ".join(words)
    ours += ". The share is taken on slices that are smoothed a little, so it does not register ridges finer than that, which the figures show for IAFs: a small share is weak evidence against them"
    return judge(ours, larger)


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
    best, words, over = tables.best_learned(table), [], []
    for data in [data for data in table.data.unique() if (widths.data == data).any()]:
        gains = intervals.summary(tables.width_runs(results, data), "test_accuracy", ["network.width"])
        gains = gains[gains.arm == best].sort_values("network.width")
        if len(gains):
            each = zip(gains["network.width"], gains.gain, gains.gain_half_width, strict=True)
            words.append(
                f"{data} " + ", ".join(f"{looks.plus_minus(gain, half)} at width {width}" for width, gain, half in each)
            )
            over += [
                Condition("above ReLU", f"{data}, width {row[1]}", 100 * row.gain, 100 * (row.gain - row.gain_half_width),
                          100 * (row.gain + row.gain_half_width), 0.0, bool(row.gain > 0), "points")
                for row in gains[["network.width", "gain", "gain_half_width"]].itertuples()
            ]  # fmt: skip
    depths = table.pivot(index="data", columns="arm", values="depth")[["ReLU", best]].dropna()
    fewer, tried = (depths[best] <= depths["ReLU"]).sum(), results.frame(role="final")["network.depth"].nunique()
    ours = (
        f"{looks.label(best)} over ReLU: {'; '.join(words)} points. Best depth at most ReLU's on {fewer} of {len(depths)} tables, "
        f"less on {int((depths[best] < depths['ReLU']).sum())}, more on {int((depths[best] > depths['ReLU']).sum())} (of two depths drawn at random from {tried}, one is at most the other in {100 * (tried + 1) / (2 * tried):.1f} % of the cases)"
    )
    most = Condition(
        "best depth at most ReLU's", "", fewer, NAN, NAN, len(depths) / 2, bool(fewer > len(depths) / 2), "tables"
    )
    return judge(ours, [*over, most])
