"""How collages in colour with one long horizon (plan "colour") decide C10 to C12."""

import pandas as pd

from ..figures.looks import plus_minus
from ..figures.words import words
from ..records.intervals import interval, paired_interval
from ..verdict import NOT_RUN, Condition, Finding, Read, above, judge, lost
from . import tables
from .plan import LEARNED, RELU
from .tables import names, normalisation

say = words("shortcuts", "findings").fill
OTHER = {"first": "second", "second": "first"}


def settings(read: Read) -> dict[bool, tuple[pd.DataFrame, pd.DataFrame]]:
    """Without and with spectral normalisation, the final runs and those where only the second tile predicts."""
    results = read("colour")
    final, upper = (tables.runs(results, role) for role in ("final", "upper bound"))
    if results.missing or final.empty:
        return {}
    return {spectral: (part, upper[upper.spectral == spectral]) for spectral, part in final.groupby("spectral")}


def relu_takes_the_shortcut(read: Read) -> Finding:
    """C10."""
    conditions, told = [], []
    for spectral, (final, _) in settings(read).items():
        relu, where = final[final.arm == RELU], normalisation(spectral)
        first, second = names(final.pair.iloc[0]).values()
        on_first, on_second = interval(relu.last_first), interval(relu.last_second)
        told.append(
            say("relu", normalisation=where, on_first=plus_minus(*on_first), first=first,
                on_second=plus_minus(*on_second), second=second)
        )  # fmt: skip
        mean, half = 100 * on_second.mean, 100 * on_second.half_width
        chance = Condition(f"{second} at chance", where, mean, mean - half, mean + half, 10.0, abs(mean - 10) <= 2, "%")
        mean, half = 100 * on_first.mean, 100 * on_first.half_width
        used = Condition(f"{first} is used", where, mean, mean - half, mean + half, 80.0, mean > 80, "%")
        conditions += [chance, used]
    return judge("; ".join(told), conditions) if conditions else NOT_RUN


def activations_steer(read: Read) -> Finding:
    """C11."""
    conditions = []
    for spectral, (final, _) in settings(read).items():
        for tile, arm in LEARNED.items():
            where = f"{names(final.pair.iloc[0])[tile]} {normalisation(spectral)}"
            for name, other in (("above ReLU", RELU), ("above the one for the other tile", LEARNED[OTHER[tile]])):
                if {arm, other} <= set(final.arm):
                    gain = tables.gain(final, arm, f"by_{tile}_{tile}", other)
                    conditions.append(above(name, where, *gain, unit="points"))
                else:
                    conditions.append(lost(name, where))
    told = "; ".join(f"{one.where}, {one.name}: {one.value:+.1f} points" for one in conditions)
    return judge(told, conditions) if conditions else NOT_RUN


def ends_on_the_simple_tile(read: Read) -> Finding:
    """C12."""
    conditions, told = [], []
    for spectral, (final, upper) in settings(read).items():
        where, (first, second) = normalisation(spectral), names(final.pair.iloc[0]).values()
        titles = (f"below unambiguous {second}", f"ends on {first}", f"leaves {second}")
        own = final[final.arm == LEARNED["second"]].sort_values("seed")
        if own.empty:
            conditions += [lost(title, where) for title in titles]
            continue
        bounds = {arm: part.sort_values("seed").by_second_second for arm, part in upper.groupby("arm")}
        highest = max(bounds, key=lambda arm: bounds[arm].mean())
        top = [record.arrays["test_second"].max() for record in own.record]
        gains = (
            paired_interval(bounds[highest], own.by_second_second),
            paired_interval(own.last_first, own.last_second),
            paired_interval(top, own.last_second),
        )
        conditions += [above(title, where, *gain, unit="points") for title, gain in zip(titles, gains, strict=True)]
        below, ahead, left = (plus_minus(*gain) for gain in gains)
        told.append(
            say("course", normalisation=where, below=below, bound=tables.arm_name(highest, final.pair.iloc[0]),
                first=first, second=second, ahead=ahead, left=left)
        )  # fmt: skip
    return judge("; ".join(told), conditions) if conditions else NOT_RUN
