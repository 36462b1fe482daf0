"""What a section's records say about a claim: conditions with what was measured, the words, and the verdict."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .records.frames import Collected

Read = Callable[[str], Collected]  # from a section's name to its records
NAN = float("nan")


@dataclass(frozen=True)
class Condition:
    """One condition of a rule in one case: what was measured, and whether that is what the rule asks.

    Args:
        name: of the condition, as short as a label. where: the case (dataset, convention, setting); empty if one.
        value: what was measured; NaN where there was nothing to measure, which holds never.
        low, high: ends of its 95 % interval; NaN without one. high is infinite for a value that is a lower bound.
        threshold: what the rule compares with. unit: of these four, such as "points", "times"; empty for numbers.
        holds: whether it does.
    """

    name: str
    where: str
    value: float
    low: float
    high: float
    threshold: float
    holds: bool
    unit: str = ""


@dataclass(frozen=True)
class Finding:
    """What our records say about a claim: the numbers in words, the verdict, and the conditions of the rule."""

    ours: str
    verdict: str
    conditions: tuple[Condition, ...] = ()

    @property
    def holds(self) -> tuple[bool, ...]:
        """Of each condition, whether it holds."""
        return tuple(condition.holds for condition in self.conditions)

    @property
    def held(self) -> str:
        """How many conditions hold of a rule that holds in part, such as "1 of 3"; else empty."""
        some = self.verdict == "in part" and self.conditions
        return f"{sum(self.holds)} of {len(self.conditions)}" if some else ""

    @property
    def label(self) -> str:
        """The verdict; for one in part, with how many conditions hold.

        Example:
            >>> judge("", [at_least("", "", value, 0) for value in (1, -1, -2)]).label
            'in part (1 of 3 conditions)'
        """
        return f"{self.verdict} ({self.held} conditions)" if self.held else self.verdict


NOT_RUN = Finding("—", "not yet run")


def judge(ours: str, conditions: Iterable[Condition]) -> Finding:
    """The finding of a rule of which all conditions have to hold."""
    conditions = tuple(conditions)
    return Finding(ours, verdict(condition.holds for condition in conditions), conditions)


def verdict(passed: Iterable[bool]) -> str:
    """All conditions: reproduced; some: in part; none, or no condition could be tested: not reproduced.

    Example:
        >>> verdict([True, False])
        'in part'
    """
    passed = list(passed)
    return "reproduced" if passed and all(passed) else "in part" if any(passed) else "not reproduced"


def above(name: str, where: str, mean: float, half_width: float, threshold: float = 0.0, unit: str = "") -> Condition:
    """Holds if the whole interval is above the threshold. With the unit "points", fractions are turned into points.

    Example:
        >>> above("", "", 0.02, 0.01, unit="points").low, above("", "", 0.02, 0.03).holds
        (1.0, False)
    """
    scale = 100 if unit == "points" else 1
    value, low, high = (scale * end for end in (mean, mean - half_width, mean + half_width))
    return Condition(name, where, value, low, high, scale * threshold, bool(low > scale * threshold), unit)


def at_least(name: str, where: str, value: float, threshold: float, *, high: float = NAN, unit: str = "") -> Condition:
    """Holds if the value is the threshold or more.

    Example:
        >>> at_least("", "", 2.0, 2.0).holds, at_least("", "", NAN, 2.0).holds
        (True, False)
    """
    return Condition(name, where, float(value), NAN, high, threshold, bool(value >= threshold), unit)


def below(name: str, where: str, value: float, threshold: float) -> Condition:
    """Holds if the value is less than the threshold.

    Example:
        >>> below("", "", 1.9, 2.0).holds, below("", "", 2.0, 2.0).holds
        (True, False)
    """
    return Condition(name, where, float(value), NAN, NAN, threshold, bool(value < threshold))


def lost(name: str, where: str) -> Condition:
    """A condition that fails because there is nothing to measure: its learning diverged, or records are missing."""
    return Condition(name, where, NAN, NAN, NAN, NAN, False)
