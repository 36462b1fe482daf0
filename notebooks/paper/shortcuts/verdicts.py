"""How the records of shortcut learning decide C10 to C12."""

import pandas as pd

from ..figures import looks
from ..figures.words import words
from ..records.intervals import interval, paired_interval
from ..verdict import NOT_RUN, Condition, Finding, Read, above, judge, lost
from . import tables
from .plan import BY_HAND, LEARNED, RELU
from .tables import names, normalisation

say = words("shortcuts", "findings").fill


def of_collages(read: Read) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame] | None:
    """Final and upper-bound runs on collages with CIFAR-10 (without it, on the first pair), and other final runs."""
    results = read("shortcuts")
    if results.missing:
        return None
    final, upper = tables.runs(results, "final"), tables.runs(results, "upper bound")
    pair = next((pair for pair in final.pair if pair[1] == "cifar10"), final.pair.iloc[0])
    return final[final.pair == pair], upper[upper.pair == pair], final[final.pair != pair]


def relu_takes_the_shortcut(read: Read) -> Finding:
    """C10."""
    if (runs := of_collages(read)) is None:
        return NOT_RUN
    ours, near = [], []
    for spectral, part in runs[0][runs[0].arm == RELU].groupby("spectral"):
        first, second = names(part.pair.iloc[0]).values()
        on_second = interval(part.last_second)
        ours.append(
            say("relu", normalisation=normalisation(spectral), on_first=looks.plus_minus(*interval(part.last_first)),
                first=first, on_second=looks.plus_minus(*on_second), second=second)
        )  # fmt: skip
        mean, half = 100 * on_second.mean, 100 * on_second.half_width
        at_chance = abs(on_second.mean - 0.1) <= 0.02
        name, where = f"{second} within 2 points of 10 %", normalisation(spectral)
        near.append(Condition(name, where, mean, mean - half, mean + half, 10.0, at_chance, "%"))
    return judge("; ".join(ours), near)


def steering(final: pd.DataFrame) -> tuple[list[str], list[Condition], list[bool], list[bool]]:
    """For each learned activation: what it adds to the accuracy on its tile, in words; the condition that this is above
    0; whether it is above the activation learned for the other tile, and whether it is above the best hand-made one.

    Args:
        final: the final runs of one pair of datasets.
    """
    changes, better, apart, by_hand = [], [], [], []
    for spectral, part in final.groupby("spectral"):
        for tile, arm in LEARNED.items():
            where = f"{names(part.pair.iloc[0])[tile]} {normalisation(spectral)}"
            if not (part.arm == arm).any():
                changes.append(say("diverged", where=where))
                better.append(lost("above ReLU", where))
                continue
            gain = tables.gain(part, arm, f"by_{tile}_{tile}")
            beside = []
            if (part.arm == BY_HAND[tile]).any():
                hand = tables.gain(part, BY_HAND[tile], f"by_{tile}_{tile}")
                beside.append(say("by-hand", gain=looks.plus_minus(*hand)))
                over = tables.gain(part, arm, f"by_{tile}_{tile}", BY_HAND[tile])
                by_hand.append(over.mean - over.half_width > 0)
            other = next(name for name in LEARNED.values() if name != arm)
            if (part.arm == other).any():  # does it steer, or raise both?
                over = tables.gain(part, arm, f"by_{tile}_{tile}", other)
                beside.append(say("against-other", gain=looks.plus_minus(*over)))
                apart.append(over.mean - over.half_width > 0)
            changes.append(f"{where} {looks.plus_minus(*gain)} points" + (f" ({', '.join(beside)})" if beside else ""))
            better.append(above("above ReLU", where, *gain, unit="points"))
    return changes, better, apart, by_hand


def activations_steer(read: Read) -> Finding:
    """C11."""
    if (runs := of_collages(read)) is None:
        return NOT_RUN
    changes, better, apart, by_hand = steering(runs[0])
    ours = [say("changes", changes="; ".join(changes))]
    if not all(apart):
        ours.append(say("not-apart", cases=apart.count(False), of=len(apart)))
    if by_hand:
        ours.append(say("not-above-by-hand", cases=by_hand.count(False), of=len(by_hand)))
    for pair, part in runs[2].groupby("pair"):
        others = steering(part)[1]
        holds = sum(other.holds for other in others)
        ours.append(say("other-pair", pair=" / ".join(names(pair).values()), holds=holds, of=len(others)))
    return judge(". ".join(ours), better)


def ends_on_the_simple_tile(read: Read) -> Finding:
    """C12."""
    if (runs := of_collages(read)) is None:
        return NOT_RUN
    ours, passed, conditions = [], [], ("below where only its tile predicts", "ends on the simple tile")
    for spectral, part in runs[0].groupby("spectral"):
        first, second = names(part.pair.iloc[0]).values()
        part = part[part.arm == LEARNED["second"]].sort_values("seed")
        if part.empty:
            ours.append(say("diverged", where=normalisation(spectral)))
            passed += [lost(name, normalisation(spectral)) for name in conditions]
            continue
        bound = runs[1][(runs[1].spectral == spectral) & (runs[1].unambiguous == "second")].sort_values("seed")
        below = paired_interval(bound.by_second_second, part.by_second_second)
        ahead = paired_interval(part.last_first, part.last_second)
        ours.append(
            say("bound", normalisation=normalisation(spectral), below=looks.plus_minus(*below),
                ahead=looks.plus_minus(*ahead), first=first, second=second)
        )  # fmt: skip
        passed += [
            above(name, normalisation(spectral), *gain, unit="points")
            for name, gain in zip(conditions, (below, ahead), strict=True)
        ]
    return judge("; ".join(ours), passed)
