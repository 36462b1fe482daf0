"""How the records of image classification and regression decide C1 to C4."""

import numpy as np
import pandas as pd

from ..experiments import committed
from ..figures import looks
from ..figures.words import words
from ..records import intervals
from ..records.frames import Collected
from ..verdict import NOT_RUN, Condition, Finding, Read, above, at_least, below, judge, lost
from . import plan, tables

say = words("images", "findings").fill
LEARNS_SVHN = 0.25  # test accuracy; the most frequent digit has 0.2


def _gains(summary: pd.DataFrame) -> str:
    """Differences to ReLU in words."""
    rows = summary.dropna().itertuples()
    gains = (f"{looks.name_of(r.data)}, {r.arm}: {looks.plus_minus(r.gain, r.gain_half_width)}" for r in rows)
    return say("gains", gains="; ".join(gains))


def _at_best_depth(results: Collected) -> list[str]:
    """The differences with the depth that suits each activation, as a sentence; none without other depths."""
    deep = tables.at_best_depth(tables.depth_runs(results))
    if deep.empty:
        return []
    of_relu = deep[deep.arm == "ReLU"].drop_duplicates("data").set_index("data").depth
    gains = (
        say("depth-gain", data=looks.name_of(row.data), arm=row.arm, depth=row.depth, relu=of_relu[row.data],
            gain=looks.plus_minus(row.gain, row.gain_half_width))
        for row in deep.dropna().itertuples()
    )  # fmt: skip
    return [say("depths", gains="; ".join(gains))]


def _incomplete(results: Collected, summary: pd.DataFrame) -> list[Condition]:
    """A failed condition for each activation that diverged on a dataset, and one if datasets or runs are missing."""
    there = set(zip(summary.data, summary.arm, strict=True))
    diverged = [(data, arm) for data in summary.data.unique() for arm in plan.ARMS if (data, arm) not in there]
    return [lost("was learned", f"{looks.name_of(data)}, {arm}") for data, arm in diverged] + _missing(results)


def _missing(results: Collected) -> list[Condition]:
    return [lost("complete", "datasets or runs are missing")] * bool(results.lacking & {*tables.MAIN, "learn"})


def regression_gains(read: Read) -> Finding:
    """C2."""
    results = read("regression")
    if tables.finals(results).empty:
        return NOT_RUN
    summary = intervals.summary(tables.tuned(results), "test_accuracy", ["data"])
    better = [
        above("above ReLU", f"{looks.name_of(row.data)}, {row.arm}", row.gain, row.gain_half_width, unit="points")
        for row in summary.dropna().itertuples()
    ]
    means = summary.pivot(index="data", columns="arm", values="mean")
    means = means.reindex(columns=plan.ARMS)
    ahead = 100 * (means["learned from zeros"] - means["learned from ReLU"])  # NaN where one diverged
    best = [
        at_least("zeros against the ReLU start", looks.name_of(data), gain, 0.0, unit="points")
        for data, gain in ahead.items()
    ]
    finals = tables.finals(results)
    plain = intervals.summary(finals[finals["optimiser.name"] == "sgd"], "test_accuracy", ["data"])
    over = [
        say("control", data=looks.name_of(row.data), learned=row.learned, control=row.control,
            gain=looks.plus_minus(row.gain, row.half_width))
        for row in tables.over_controls(tables.with_controls(results)).itertuples()
    ]  # fmt: skip
    ours = [say("regression", tuned=_gains(summary), plain=_gains(plain)), *_at_best_depth(results)]
    if over:
        ours.append(say("controls", gains="; ".join(over)))
    for data, row in means.iterrows():
        if row.max() < 0.15:  # of ten classes
            ours.append(say("chance", data=looks.name_of(data), low=100 * row.min(), high=100 * row.max()))
    return judge(". ".join(ours), better + best + _incomplete(results, summary))


def complexity_goes_with_regression(read: Read) -> Finding:
    """C3."""
    results = {section: read(section) for section in ("regression", "images")}
    if any(tables.finals(found).empty for found in results.values()):
        return NOT_RUN
    points = {section: tables.points_of_all_depths(found) for section, found in results.items()}
    conditions, found = [], []
    for data in dict.fromkeys(points["regression"].data):
        name, parts = looks.name_of(data), {section: part[part.data == data] for section, part in points.items()}
        if parts["images"].empty:
            continue
        drawn = {
            section: intervals.spearman_draws(part.tv, part.test_accuracy, part.cluster, seed=seed)
            for seed, (section, part) in enumerate(parts.items())
        }
        value = {section: intervals.spearman(part.tv, part.test_accuracy).value for section, part in parts.items()}
        ends = {section: np.quantile(draws, [0.025, 0.975]) for section, draws in drawn.items()}
        low, high = np.quantile(drawn["regression"] - drawn["images"], [0.025, 0.975])
        size, apart = abs(value["images"]), value["regression"] - value["images"]
        conditions += [
            Condition(
                "regression", name, value["regression"], *ends["regression"], 0.0, bool(ends["regression"][0] > 0)
            ),
            below("classification, in size", name, size, 0.3),
            Condition("regression above classification", name, apart, low, high, 0.0, bool(low > 0)),
        ]
        found.append(f"{name} {value['regression']:+.2f} and {value['images']:+.2f}")
    for data, log in tables.complexity_over_relu(results["regression"], "learned from zeros").items():
        ratio = [float(np.exp(end)) for end in (log.mean, log.mean - log.half_width, log.mean + log.half_width)]
        conditions.append(
            Condition("learned from zeros more complex", looks.name_of(data), *ratio, 1.0, ratio[1] > 1, "times")
        )
    markers = {section: len(part) for section, part in points.items()}
    ours = say("correlations", **markers, found="; ".join(found))
    return judge(ours, conditions + _missing(results["regression"]) + _missing(results["images"]))


def different_accuracy_at_equal_complexity(read: Read) -> Finding:
    """C4."""
    results = read("regression")
    runs = results.frame()
    if results.missing or runs.empty or not (runs.data == "svhn").any():
        return Finding(
            "not run yet" if committed.known("svhn") else "not run: data not available here (SVHN)", NOT_RUN.verdict
        )
    pairs = tables.at_equal_complexity(results, "svhn", "learned from zeros", LEARNS_SVHN)
    if len(pairs) < 5:
        return judge(say("few-pairs", pairs=len(pairs)), [lost("learned above ReLU", "SVHN")])
    gain = intervals.paired_interval(pairs.accuracy, pairs.relu_accuracy)
    condition = above("learned above ReLU", f"SVHN, {len(pairs)} pairs", *gain, unit="points")
    verdict = "reproduced" if condition.holds else "in part" if condition.high < 0 else "not reproduced"
    return Finding(say("pairs", gain=looks.plus_minus(*gain), pairs=len(pairs)), verdict, (condition,))
