"""How training until nothing improves (plans "shallow" and "deep") decides C2 and C18, by the rules to come."""

import pandas as pd

from ..figures.looks import name_of
from ..records.frames import at_best_depth
from ..records.intervals import Interval, paired_by_seed
from ..verdict import NAN, NOT_RUN, Condition, Finding, Read, above, judge, lost
from .converged import ALL, RELU, STARTS

ZEROS, FROM_RELU = STARTS["zeros"], STARTS["relu"]
CORRECTED = 0.99  # level of an interval where the best of several pairs counts


def compared(read: Read) -> pd.DataFrame:
    """The final runs with the adaptive optimiser at all depths; empty while a plan is not complete."""
    parts = [read(section) for section in ("shallow", "deep")]
    if any(part.missing or not part.records for part in parts):
        return pd.DataFrame()
    runs = pd.concat([part.frame(role="final") for part in parts], ignore_index=True)
    return runs[runs["optimiser.name"] == "adam"]


def over(one: pd.DataFrame, other: pd.DataFrame, level: float = 0.95) -> Interval:
    """What one arm's test accuracy is above another's, paired by the seeds of both."""
    return paired_by_seed(*(runs.set_index("seed").test_accuracy for runs in (one, other)), level)


def regression_gains(read: Read) -> Finding:
    """C2."""
    runs = compared(read)
    if runs.empty:
        return NOT_RUN
    conditions, words = [], []
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
            found = above(title, name, *over(arms[arm], arms[other]), unit="points")
            if other == FROM_RELU:  # the mean decides
                found = Condition(title, name, found.value, found.low, found.high, 0.0, found.value > 0, "points")
            conditions.append(found)
        depths = ", ".join(f"{arm} {own['network.depth'].iloc[0]}" for arm, own in arms.items())
        words.append(f"{name}: hidden layers {depths}")
    shallow = runs[(runs.data == "fashion_mnist") & (runs["network.depth"] == 1)]
    learned = shallow[shallow.arm != RELU]
    if learned.empty:
        conditions.append(lost("Table 1", "Fashion-MNIST"))
    else:
        best = learned.groupby("arm").validation_accuracy.mean().idxmax()
        gain = over(shallow[shallow.arm == best], shallow[shallow.arm == RELU])
        conditions.append(above("Table 1", f"Fashion-MNIST, one layer, {best}", *gain, unit="points"))
    return judge("; ".join(words), conditions)


def transfer_across_images(read: Read) -> Finding:
    """C18."""
    results = read("deep")
    if results.missing or not results.records:
        return NOT_RUN
    finals, moved = results.frame(role="final"), results.frame(role="transfer")
    depth = moved["network.depth"].iloc[0]
    finals = finals[(finals["network.depth"] == depth) & (finals["optimiser.name"] == "adam")]
    relu = {data: own for data, own in finals[finals.arm == RELU].groupby("data", sort=False)}
    source_of = {row.learned: row.arm.removeprefix("learned on ") for row in moved[moved.arm != ALL].itertuples()}
    conditions, own_gains = [], []
    for key, data in source_of.items():
        gain = over(finals[finals.learned == key], relu[data])
        own_gains.append(gain.mean)
        conditions.append(above("own above ReLU", name_of(data), *gain, unit="points"))
    conditions += [lost("own above ReLU", name_of(data)) for data in relu if data not in source_of.values()]
    pairs = {
        f"{name_of(source_of[key])} on {name_of(data)}": over(part, relu[data], CORRECTED)
        for (key, data), part in moved[moved.arm != ALL].groupby(["learned", "data"], sort=False)
    }
    best = max(pairs, key=lambda pair: pairs[pair].mean - pairs[pair].half_width, default="")
    conditions.append(above("transfer", best, *pairs[best], unit="points") if best else lost("transfer", ""))
    joint = [over(part, relu[data]).mean for data, part in moved[moved.arm == ALL].groupby("data", sort=False)]
    if joint and own_gains:
        mean, most = 100 * sum(joint) / len(joint), 100 * sum(own_gains) / len(own_gains)
        conditions.append(Condition("all helps slightly", "", mean, NAN, NAN, most, 0 <= mean < most, "points"))
    else:
        conditions.append(lost("all helps slightly", ""))
    words = "; ".join(f"{pair} {100 * gain.mean:+.1f} points" for pair, gain in pairs.items())
    return judge(f"over ReLU with {depth} hidden layers: {words}", conditions)
