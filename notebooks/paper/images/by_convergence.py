"""How training until nothing improves (plans "shallow" and "deep") decides C2 and C18."""

import pandas as pd

from ..figures.looks import name_of, plus_minus
from ..figures.words import words
from ..records.frames import Collected, at_best_depth
from ..records.intervals import Interval, paired_interval, summary
from ..verdict import NAN, NOT_RUN, Condition, Finding, Read, above, judge, lost
from .converged import ALL, RELU, STARTS

say = words("images", "findings").fill
ZEROS, FROM_RELU = STARTS["zeros"], STARTS["relu"]
CORRECTED = 0.99  # level of an interval where the best of several pairs counts


def compared(read: Read) -> pd.DataFrame:
    """The final runs with the adaptive optimiser at all depths; empty while a plan is not complete."""
    parts = [read(section) for section in ("shallow", "deep")]
    if any(part.missing or not part.records for part in parts):
        return pd.DataFrame()
    runs = pd.concat([part.frame(role="final") for part in parts], ignore_index=True)
    return runs[runs["optimiser.name"] == "adam"]


def gains_by_depth(runs: pd.DataFrame) -> pd.DataFrame:
    """The differences to ReLU with as many hidden layers (:func:`.intervals.summary`), by data and depth."""
    return summary(runs.rename(columns={"network.depth": "depth"}), "test_accuracy", ["data", "depth"])


def table_4(deep: Collected) -> pd.DataFrame:
    """The runs of Table 4: ReLU, each dataset's own function, by the better start, and the one learned on all, on each.

    Returns:
        Final runs and those elsewhere, their arms "ReLU", "learned on" a dataset or on all; empty while some are
        missing.
    """
    finals, moved = deep.frame(role="final"), deep.frame(role="transfer")
    if deep.missing or moved.empty:
        return pd.DataFrame()
    depth = moved["network.depth"].iloc[0]
    finals = finals[(finals["network.depth"] == depth) & (finals["optimiser.name"] == "adam")]
    arm_of = moved[moved.arm != ALL].drop_duplicates("learned").set_index("learned").arm
    own = finals[finals.learned.isin(arm_of.index)]
    own = own.assign(arm=own.learned.map(arm_of))
    return pd.concat([finals[finals.arm == RELU], own, moved], ignore_index=True)


def over(one: pd.DataFrame, other: pd.DataFrame, level: float = 0.95) -> Interval:
    """What one arm's test accuracy is above another's, paired by the seeds of both."""
    one, other = (runs.set_index("seed").test_accuracy for runs in (one, other))
    seeds = one.index.intersection(other.index)
    return paired_interval(one[seeds], other[seeds], level)


def regression_gains(read: Read) -> Finding:
    """C2."""
    runs = compared(read)
    if runs.empty:
        return NOT_RUN
    conditions, gains = [], []
    for data, part in at_best_depth(runs).groupby("data", sort=False):
        arms, name = {arm: own for arm, own in part.groupby("arm")}, name_of(data)
        for title, arm, other in (
            ("from zeros above ReLU", ZEROS, RELU),
            ("from ReLU above ReLU", FROM_RELU, RELU),
            ("zeros above the ReLU start", ZEROS, FROM_RELU),
        ):
            if not {arm, other} <= set(arms):
                conditions.append(lost(title, name))
                continue
            gain = over(arms[arm], arms[other])
            found = above(title, name, *gain, unit="points")
            if other == FROM_RELU:  # the mean decides
                found = Condition(title, name, found.value, found.low, found.high, 0.0, found.value > 0, "points")
            else:
                depth, relu = (int(arms[a]["network.depth"].iloc[0]) for a in (arm, RELU))
                gains.append(say("depth-gain", data=name, arm=arm, depth=depth, relu=relu, gain=plus_minus(*gain)))
            conditions.append(found)
    shallow = runs[(runs.data == "fashion_mnist") & (runs["network.depth"] == 1)]
    learned = shallow[shallow.arm != RELU]
    if learned.empty:
        conditions.append(lost("Table 1", "Fashion-MNIST"))
    else:
        best = learned.groupby("arm").validation_accuracy.mean().idxmax()
        gain = over(shallow[shallow.arm == best], shallow[shallow.arm == RELU])
        conditions.append(above("Table 1", f"Fashion-MNIST, one layer, {best}", *gain, unit="points"))
    return judge(say("depths", gains="; ".join(gains)) if gains else "", conditions)


def transfer_across_images(read: Read) -> Finding:
    """C18."""
    runs = table_4(read("deep"))
    if runs.empty:
        return NOT_RUN
    relu = {data: own for data, own in runs[runs.arm == RELU].groupby("data", sort=False)}
    cells = {cell: part for cell, part in runs[runs.arm != RELU].groupby(["arm", "data"], sort=False)}
    conditions, own_gains, pairs = [], [], {}
    for data in relu:
        mine = cells.get((f"learned on {data}", data))
        if mine is None:
            conditions.append(lost("own above ReLU", name_of(data)))
            continue
        gain = over(mine, relu[data])
        own_gains.append(gain.mean)
        conditions.append(above("own above ReLU", name_of(data), *gain, unit="points"))
    for (arm, data), part in cells.items():
        source = arm.removeprefix("learned on ")
        if arm != ALL and source != data:
            pairs[f"{name_of(source)} on {name_of(data)}"] = over(part, relu[data], CORRECTED)
    best = max(pairs, key=lambda pair: pairs[pair].mean - pairs[pair].half_width, default="")
    conditions.append(above("transfer", best, *pairs[best], unit="points") if best else lost("transfer", ""))
    joint = [over(cells[ALL, data], relu[data]).mean for data in relu if (ALL, data) in cells]
    if joint and own_gains:
        mean, most = 100 * sum(joint) / len(joint), 100 * sum(own_gains) / len(own_gains)
        conditions.append(Condition("all helps slightly", "", mean, NAN, NAN, most, 0 <= mean < most, "points"))
    else:
        conditions.append(lost("all helps slightly", ""))
    moved = "; ".join(f"{pair} {100 * gain.mean:+.1f}" for pair, gain in pairs.items())
    own = "; ".join(f"{one.where} {one.value:+.1f}" for one in conditions if one.name == "own above ReLU")
    depth = runs["network.depth"].iloc[0]
    return judge(say("across", depth=depth, own=own, moved=moved or "none"), conditions)
