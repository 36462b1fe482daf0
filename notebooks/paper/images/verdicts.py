# ruff: noqa: E501 (words are easier to read on one line)
"""How the records of image classification and regression decide C1 to C4."""

import pandas as pd

from lib.datasets import catalogue

from ..figures import looks
from ..records import intervals
from ..records.frames import Collected
from ..verdict import NAN, NOT_RUN, Condition, Finding, Read, above, at_least, below, judge, lost
from . import plan, tables


def _gains(summary: pd.DataFrame) -> str:
    """Differences to ReLU in words."""
    rows = summary.dropna().itertuples()
    words = (f"{looks.name_of(r.data)}, {r.arm}: {looks.plus_minus(r.gain, r.gain_half_width)}" for r in rows)
    return "points over ReLU: " + "; ".join(words)


def _at_best_depth(results: Collected) -> str:
    """The differences with the depth that suits each activation, as a sentence to append; empty without other depths."""
    deep = tables.at_best_depth(results)
    if deep.empty:
        return ""
    words = (
        f"{looks.name_of(row.data)}, {row.arm}: {looks.plus_minus(row.gain, row.gain_half_width)} points (hidden layers: {row.depth}, ReLU {deep[(deep.data == row.data) & (deep.arm == 'ReLU')].depth.iloc[0]})"
        for row in deep.dropna().itertuples()
    )
    return f". Each at the depth that validation rows choose: {'; '.join(words)}"


def _incomplete(results: Collected, summary: pd.DataFrame) -> list[Condition]:
    """A failed condition for each activation that diverged on a dataset, and one if datasets or runs are missing."""
    there = set(zip(summary.data, summary.arm, strict=True))
    diverged = [(data, arm) for data in summary.data.unique() for arm in plan.ARMS if (data, arm) not in there]
    return [lost("was learned", f"{looks.name_of(data)}, {arm}") for data, arm in diverged] + _missing(results)


def _missing(results: Collected) -> list[Condition]:
    return [lost("complete", "datasets or runs are missing")] * bool(results.lacking & {*tables.MAIN, "learn"})


def classification_is_equal(read: Read) -> Finding:
    """C1."""
    results = read("images")
    if tables.finals(results).empty:
        return NOT_RUN
    runs = tables.tuned(results)
    summary = intervals.summary(runs, "test_accuracy", ["data"])
    equal = [
        Condition(
            "within a point of ReLU",
            f"{looks.name_of(row.data)}, {row.arm}",
            100 * row.gain,
            100 * (row.gain - row.gain_half_width),
            100 * (row.gain + row.gain_half_width),
            1.0,
            abs(row.gain) <= 0.01,
            "points",
        )  # fmt: skip
        for row in summary.dropna().itertuples()
    ]
    near = {}
    for row in runs[runs.arm == "learned from ReLU"].drop_duplicates("learned").itertuples():
        near[looks.name_of(row.data)] = tables.distances(results.by_key[row.learned], row.record)
    distances = ", ".join(
        f"{name} {gelu:.3f} (from ReLU {relu:.3f}; ReLU itself {own:.3f})" for name, (gelu, relu, own) in near.items()
    )
    like = [
        Condition("like GELU", name, gelu, NAN, NAN, min(0.15, relu), gelu <= 0.15 and gelu < relu)
        for name, (gelu, relu, _) in near.items()
    ]
    deep = _at_best_depth(results)
    ours = f"{_gains(summary)}{deep}. Distance from GELU: {distances}. To be nearer to GELU than to ReLU is nearly automatic, as the page on the section says, so these conditions are weak"
    return judge(ours, equal + like + _incomplete(results, summary))


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
    ours = f"With the tuned optimiser: {_gains(summary)}. With plain gradient descent: {_gains(plain)}"
    over = [
        f"{looks.name_of(row.data)}, {row.learned} over {row.control}: {looks.plus_minus(row.gain, row.half_width)} points"
        for row in tables.over_controls(tables.with_controls(results)).itertuples()
    ]
    ours += _at_best_depth(results)
    if over:
        ours += f". Against the best control, with the tuned optimiser: {'; '.join(over)}"
    for data, row in means.iterrows():
        if row.max() < 0.15:  # of ten classes
            ours += f". On {looks.name_of(data)} the accuracies are {100 * row.min():.1f} to {100 * row.max():.1f} %, chance is 10 %, so differences there say little"
    return judge(ours, better + best + _incomplete(results, summary))


def complexity_goes_with_regression(read: Read) -> Finding:
    """C3."""
    correlations, chosen, missing = {}, {}, []
    for section in ("regression", "images"):
        results = read(section)
        if tables.finals(results).empty:
            return NOT_RUN
        missing += _missing(results)
        for found, runs in ((correlations, tables.main_runs(results)), (chosen, tables.tuned_runs(results))):
            found |= {(section, data): c for data, c in tables.correlations(runs).items()}
    words, without = (
        "; ".join(f"{section}, {looks.name_of(data)}: {c}" for (section, data), c in found.items())
        for found in (correlations, chosen)
    )
    of_regression = {data: c for (section, data), c in correlations.items() if section == "regression"}
    both = {
        data: (c, correlations["images", data]) for data, c in of_regression.items() if ("images", data) in correlations
    }
    lower = sum(c.value < other.value for c, other in both.values())
    words += f". On {lower} of {len(both)} datasets the correlation is lower for regression than for classification, the reverse of the paper's"
    if chosen:
        words += f". Only ReLU has runs with optimisers and rates that were tried and not chosen, and regression has runs with plain gradient descent too. Over the selecting and the final runs with the tuned optimiser alone: {without}"
    goes = [
        Condition(
            "regression, above 0 and above classification",
            looks.name_of(data),
            c.value,
            c.low,
            c.high,
            max(0.0, other.value),
            c.low > 0 and c.value > other.value,
        )  # fmt: skip
        for data, (c, other) in both.items()
    ]
    flat = [
        below("classification, in size", looks.name_of(data), abs(c.value), 0.3)
        for (section, data), c in correlations.items()
        if section == "images"
    ]
    return judge(
        f"rank correlation, with intervals over activations and optimisers (bootstrap): {words}", goes + flat + missing
    )


def different_accuracy_at_equal_complexity(read: Read) -> Finding:
    """C4."""
    equal = tables.at_equal_complexity(read("regression"), "svhn")
    if equal.empty:
        return Finding(
            "not run yet" if catalogue.known("svhn") else "not run: data not available here (SVHN)", NOT_RUN.verdict
        )
    summary = intervals.summary(equal, "test_accuracy", ["data"])
    apart = any(abs(row.gain) > row.gain_half_width for row in summary.dropna().itertuples())
    return judge(f"at equal total variation: {_gains(summary)}", [apart])
