"""Algorithmic tasks (Section 3.5, Figure 27): every pair of operands of a finite operation, computed exactly.

Two families: polynomials modulo a number, and products in a symmetric group. The names are plain text, such
as ``"a+b mod 27"`` or ``"a.b.a^-1 S5"``. `TASKS` lists the paper's 22 tasks; any other modulus works too.
"""

import functools
import itertools
import re

import numpy as np

POLYNOMIALS = {
    "a+b": lambda a, b: a + b,
    "a-b": lambda a, b: a - b,
    "ab": lambda a, b: a * b,
    "ab if b odd else a+b": lambda a, b: np.where(b % 2 == 1, a * b, a + b),
    "a^2+b^2": lambda a, b: a**2 + b**2,
    "a^2+ab+b^2": lambda a, b: a**2 + a * b + b**2,
    "a^2+ab+b^2+a": lambda a, b: a**2 + a * b + b**2 + a,
    "a^3+ab": lambda a, b: a**3 + a * b,
}
PRODUCTS = ("a.b", "a.b.a", "a.b.a^-1")

# The order of Figure 27: one row with modulus 27 and S4, one with modulus 53 and S5.
_ROWS = (("mod 27", POLYNOMIALS), ("S4", PRODUCTS), ("mod 53", POLYNOMIALS), ("S5", PRODUCTS))
TASKS = tuple(f"{operation} {domain}" for domain, operations in _ROWS for operation in operations)

_NAME = re.compile(r"(?P<operation>\S.*) (?:mod (?P<modulus>[0-9]{1,4})|S(?P<degree>[0-9]))")


def is_task(name: str) -> bool:
    """Whether `name` looks like an algorithmic task: an operation, then ``mod K`` or ``Sn``."""
    return _NAME.fullmatch(name) is not None


def check(name: str) -> tuple[str, str, int]:
    """Take a task's name apart: operation, "mod" or "S", and the modulus or degree; ValueError if one is unknown."""
    match = _NAME.fullmatch(name)
    if not match:
        raise ValueError(f"an algorithmic task is named like 'a+b mod 27' or 'a.b S4', got {name!r}")
    operation, modulus, degree = match.groups()
    known = POLYNOMIALS if modulus else PRODUCTS
    if operation not in known:
        raise ValueError(f"unknown operation {operation!r} in {name!r}: choose one of {', '.join(known)}")
    if modulus and not 2 <= int(modulus) <= 200:
        raise ValueError(f"the modulus must be from 2 to 200, got {modulus} in {name!r}")
    if degree and degree not in "345":
        raise ValueError(f"the group must be S3, S4 or S5, got S{degree} in {name!r}")
    return operation, "mod" if modulus else "S", int(modulus or degree)


@functools.cache
def composition(degree: int) -> np.ndarray:
    """Composition table of the symmetric group S_n for degree n, 1 to 6: entry [a, b] is the number of a.b.

    Elements are numbered in the lexicographic order of their permutations, so 0 is the identity. The product ``a.b``
    applies b first: ``(a.b)(i) = a(b(i))``.

    Shape: (n!, n!) int64; read-only, since it is shared. ValueError if the degree is out of range.

    >>> composition(2).tolist()
    [[0, 1], [1, 0]]
    """
    if not 1 <= degree <= 6:
        raise ValueError(f"the degree of a symmetric group must be from 1 to 6, got {degree}")
    elements = np.array(list(itertools.permutations(range(degree))))  # (n!, n)
    products = elements[:, elements]  # (n!, n!, n): [a, b, i] = a(b(i))
    weights = degree ** np.arange(degree)[::-1]
    codes = elements @ weights  # ascending, because the order is lexicographic
    table = np.searchsorted(codes, products @ weights)  # (n!, n!)
    table.flags.writeable = False
    return table


def examples(name: str) -> tuple[np.ndarray, np.ndarray, int]:
    """All pairs of operands of a task and the results (Appendix E.6).

    Returns:
        pairs (K^2, 2) int64 in the order (0, 0), (0, 1), ...; results (K^2,) int64 in 0 ... K - 1; and K.
        ValueError if the operation, the modulus or the group is not one of those known.

    >>> pairs, results, size = examples("a+b mod 13")
    >>> pairs[14].tolist(), int(results[14]), size
    ([1, 1], 2, 13)
    """
    operation, kind, number = check(name)
    size = number if kind == "mod" else len(composition(number))
    a, b = np.divmod(np.arange(size * size), size)
    if kind == "mod":
        results = POLYNOMIALS[operation](a, b) % size
    else:
        table = composition(number)
        results = table[a, b]
        if operation != "a.b":
            inverses = np.argmax(table == 0, axis=1)  # (n!,)
            results = table[results, a if operation == "a.b.a" else inverses[a]]
    return np.stack([a, b], axis=1), results, size
