"""How tables with training until nothing improves (plan "tables") decide C5 and C6, by the rules to come."""

from math import log

import numpy as np
import pandas as pd

from ..records.frames import Collected
from ..records.intervals import Interval, clustered_spearman, mean_of, paired_interval, share_of_shuffles
from ..verdict import NAN, NOT_RUN, Condition, Finding, Read, above, at_least, judge, lost
from .converged import HIDDEN, INPUTS, RANGE, RANK, RELU, TANH
from .tables import TREES

ANY_TABLE = 0.997  # level of an interval where one of 16 tables is enough
LOW, HIGH = log(1.25), log(2)
HIDDEN_ARM = "learned hidden"  # from zeros or from ReLU, by validation


def finals(results: Collected, scaling: str = RANGE) -> pd.DataFrame:
    """The final runs with one scaling, and the trees: columns data, arm, seed, validation_accuracy, test_accuracy, tv.

    Of the hidden activations those with the start that validation rows choose per table, as HIDDEN_ARM.
    """
    runs, trees = results.frame(role="final"), results.frame("baseline", role="final", arm=TREES)
    runs = runs[runs.scaling == scaling]
    merit = runs[runs.arm.isin(HIDDEN.values())].groupby(["data", "arm"]).validation_accuracy.mean()
    best = {data: part.idxmax()[1] for data, part in merit.groupby(level="data")}
    chosen = runs.arm == runs.data.map(best)
    runs = runs[chosen | ~runs.arm.isin(HIDDEN.values())].assign(start=runs.arm)
    runs["arm"] = runs.arm.where(~chosen[runs.index], HIDDEN_ARM)
    columns = ["data", "arm", "seed", "validation_accuracy", "test_accuracy"]
    return pd.concat([runs[[*columns, "tv"]], trees.reindex(columns=columns)], ignore_index=True)


def differences(runs: pd.DataFrame, one: str, other: str) -> pd.Series:
    """Per table, the mean over paired seeds of one arm's test accuracy less another's."""
    table = runs[runs.arm.isin([one, other])].pivot_table(index=["data", "seed"], columns="arm", values="test_accuracy")
    return (table[one] - table[other]).dropna().groupby("data").mean() if {one, other} <= set(table) else pd.Series()


def gap_to_trees(read: Read) -> Finding:
    """C5."""
    results = read("tables")
    if results.missing or not results.records:
        return NOT_RUN
    runs = finals(results)
    trees = differences(runs, TREES, RELU)
    ahead = 2 * int((trees > 0).sum()) > len(trees)
    mean = mean_of(trees)
    where = f"on {(trees > 0).sum()} of {len(trees)} tables"
    first = above("trees above ReLU", where, *mean, unit="points")
    conditions = [Condition(**vars(first) | {"holds": first.holds and ahead})]
    words = []
    for name, arm in (("tanh", TANH), ("hidden activations", HIDDEN_ARM), ("input activations", INPUTS)):
        left, gain = differences(runs, TREES, arm), differences(runs, arm, RELU)
        if left.empty:
            conditions.append(lost(f"{name} close the gap", ""))
            continue
        share, over = float(left.mean() / trees.mean()), mean_of(gain)
        closes = trees.mean() > 0 and share <= 0.5
        if arm != TANH:
            closes = closes and over.mean - over.half_width > 0
        conditions.append(Condition(f"{name} close the gap", "part left", share, NAN, NAN, 0.5, bool(closes)))
        words.append(f"{name} {_points(over)}")
    best = _over_the_best_network(runs)
    conditions.append(above("input activations are best", "", *mean_of(best), unit="points"))
    conditions.append(_sometimes_above_trees(runs))
    ours = f"mean over {len(trees)} tables over ReLU, in points: {'; '.join(words)}; trees {_points(mean)}"
    ranks = read("ranks")
    if ranks.records and not ranks.missing:
        added = mean_of(differences(finals(ranks, RANK), INPUTS, RELU))
        ours += f". With columns by rank for both, input activations add {_points(added)} to ReLU"
    return judge(ours, conditions)


def _points(gain: Interval) -> str:
    return f"{100 * gain.mean:+.1f} ± {100 * gain.half_width:.1f}"


def _over_the_best_network(runs: pd.DataFrame) -> pd.Series:
    """Per table: input activations less the best of the other networks by validation."""
    gains = {}
    for data, part in runs[runs.arm != TREES].groupby("data"):
        others = part[part.arm != INPUTS].groupby("arm").validation_accuracy.mean()
        gains[data] = differences(part, INPUTS, others.idxmax()).get(data, NAN)
    return pd.Series(gains).dropna()


def _sometimes_above_trees(runs: pd.DataFrame) -> Condition:
    """The table with the highest lower end of the corrected interval."""
    found = {}
    for data, part in runs.groupby("data"):
        table = part.pivot_table(index="seed", columns="arm", values="test_accuracy")
        pair = table[[INPUTS, TREES]].dropna() if {INPUTS, TREES} <= set(table) else table.iloc[:0]
        if len(pair) > 1:
            found[data] = paired_interval(pair[INPUTS], pair[TREES], ANY_TABLE)
    if not found:
        return lost("sometimes above trees", "")
    best = max(found, key=lambda data: found[data].mean - found[data].half_width)
    return above("sometimes above trees", best, *found[best], unit="points")


def complexities(results: Collected) -> pd.DataFrame:
    """Per table and seed the network that is best on validation rows: columns data, q, gain.

    q: the logarithm of its total variation over that of ReLU at its own best step. gain: in test accuracy over ReLU.
    Only final runs are measured, so of an activation's restarts the chosen one stands for all.
    """
    runs, rows = finals(results).dropna(subset="tv"), []
    for (data, _), part in runs.groupby(["data", "seed"], sort=False):
        relu = part[part.arm == RELU]
        if len(relu):
            best, relu = part.loc[part.validation_accuracy.idxmax()], relu.iloc[0]
            rows.append((data, log(best.tv / relu.tv), best.test_accuracy - relu.test_accuracy))
    return pd.DataFrame(rows, columns=["data", "q", "gain"])


def another_complexity_for_each_table(read: Read) -> Finding:
    """C6."""
    results = read("tables")
    if results.missing or not results.records:
        return NOT_RUN
    found = complexities(results)
    means = found.groupby("data", sort=False)[["q", "gain"]].mean()
    if len(means) < 4:
        return Finding(f"{len(means)} tables, too few to compare", NOT_RUN.verdict)
    share = share_of_shuffles(found.q, found.data)
    low, high = means.q.min(), means.q.max()
    highest = f"{means.q.idxmin()}; on {means.q.idxmax()} {np.exp(high):.2f} times"
    both = bool(low < LOW and high > HIGH)
    conditions = [
        at_least("differs between tables", "share of shuffles", share, 0.95),
        Condition("low is best on some", highest, np.exp(low), NAN, NAN, np.exp(LOW), both, "times"),
    ]
    last, told = "larger gains where higher is best", ""
    if np.ptp(means.q) > 0 and np.ptp(means.gain) > 0:
        rho = clustered_spearman(means.q, means.gain, means.index)
        conditions.append(Condition(last, f"{len(means)} tables", *rho, 0.0, bool(rho.low > 0)))
        told = f"; rank correlation with the gain {rho}"
    else:
        conditions.append(lost(last, "all tables are alike"))
    return judge(
        f"total variation of the best network over ReLU's: {np.exp(low):.2f} to {np.exp(high):.2f} times, mean over "
        f"{len(means)} tables {np.exp(means.q).mean():.2f}{told}",
        conditions,
    )
