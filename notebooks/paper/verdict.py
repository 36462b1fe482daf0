"""What a section's records say about a claim: the words with the numbers, and the verdict."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .records.frames import Collected

Read = Callable[[str], Collected]  # from a section's name to its records


@dataclass(frozen=True)
class Finding:
    """What our records say about a claim: the numbers in words, the verdict, and which conditions of the rule hold."""

    ours: str
    verdict: str
    conditions: tuple[bool, ...] = ()

    @property
    def held(self) -> str:
        """How many conditions hold of a rule that holds in part, such as "1 of 3"; else empty."""
        some = self.verdict == "in part" and self.conditions
        return f"{sum(self.conditions)} of {len(self.conditions)}" if some else ""

    @property
    def label(self) -> str:
        """The verdict; for one in part, with how many conditions hold.

        Example:
            >>> judge("", [True, False, False]).label
            'in part (1 of 3 conditions)'
        """
        return f"{self.verdict} ({self.held} conditions)" if self.held else self.verdict


NOT_RUN = Finding("—", "not yet run")


def judge(ours: str, passed: Iterable[bool]) -> Finding:
    """The finding of a rule that consists of conditions."""
    conditions = tuple(map(bool, passed))
    return Finding(ours, verdict(conditions), conditions)


def verdict(passed: Iterable[bool]) -> str:
    """All conditions: reproduced; some: in part; none, or no condition could be tested: not reproduced.

    Example:
        >>> verdict([True, False])
        'in part'
    """
    passed = list(passed)
    return "reproduced" if passed and all(passed) else "in part" if any(passed) else "not reproduced"
