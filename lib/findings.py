"""What a section's records say about a claim: the words with the numbers, and the verdict."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lib.reading import Collected

Read = Callable[[str], Collected]  # from a section's name to its records


@dataclass(frozen=True)
class Finding:
    """What our records say about a claim: the numbers in words, and the verdict."""

    ours: str
    verdict: str


NOT_RUN = Finding("—", "not yet run")


def verdict(passed: Iterable[bool]) -> str:
    """All conditions: reproduced; some: in part; none, or no condition could be tested: not reproduced.

    Example:
        >>> verdict([True, False])
        'in part'
    """
    passed = list(passed)
    return "reproduced" if passed and all(passed) else "in part" if any(passed) else "not reproduced"
