import itertools

import numpy as np
import pytest

from lib.datasets import algorithmic
from lib.datasets.algorithmic import TASKS, composition, examples


def test_the_papers_22_tasks():
    assert len(set(TASKS)) == len(TASKS) == 22
    assert TASKS[0] == "a+b mod 27" and TASKS[10] == "a.b.a^-1 S4" and TASKS[11] == "a+b mod 53"
    assert sum(name.endswith("mod 27") for name in TASKS) == 8
    assert sum(name.endswith("S5") for name in TASKS) == 3


# Written out again, in plain integers, as the paper words them.
ORACLES = {
    "a+b": lambda a, b: a + b,
    "a-b": lambda a, b: a - b,
    "ab": lambda a, b: a * b,
    "ab if b odd else a+b": lambda a, b: a * b if b in range(1, 300, 2) else a + b,
    "a^2+b^2": lambda a, b: pow(a, 2) + pow(b, 2),
    "a^2+ab+b^2": lambda a, b: a * (a + b) + b * b,
    "a^2+ab+b^2+a": lambda a, b: a * (a + b + 1) + b * b,
    "a^3+ab": lambda a, b: a * (a * a + b),
}


@pytest.mark.parametrize("modulus", [2, 13, 27, 29, 41, 53])
@pytest.mark.parametrize("operation", ORACLES)
def test_polynomials_match_plain_integers(operation, modulus):
    pairs, results, size = examples(f"{operation} mod {modulus}")
    assert size == modulus and pairs.dtype == results.dtype == np.int64
    assert pairs.tolist() == [[a, b] for a in range(modulus) for b in range(modulus)]
    assert results.tolist() == [ORACLES[operation](a, b) % modulus for a in range(modulus) for b in range(modulus)]


@pytest.mark.parametrize("degree", [3, 4, 5])
def test_composition_tables_satisfy_the_group_axioms(degree):
    table = composition(degree)
    size = len(table)
    everything = np.arange(size)
    assert table.shape == (size, size) == (len(list(itertools.permutations(range(degree)))),) * 2
    assert table.min() == 0 and table.max() == size - 1  # closure
    assert (table[0] == everything).all() and (table[:, 0] == everything).all()  # identity
    inverses = (table == 0).argmax(1)
    assert (table[everything, inverses] == 0).all() and (table[inverses, everything] == 0).all()
    for a in everything:  # associativity, all triples: (a.b).c against a.(b.c)
        assert (table[table[a]] == table[a][table]).all()
    assert (table != table.T).any()  # not commutative


@pytest.mark.parametrize("degree", [4, 5])
def test_products_permute_as_the_permutations_do(degree):
    elements = list(itertools.permutations(range(degree)))
    number = {element: index for index, element in enumerate(elements)}

    def after(left, right):
        return tuple(left[i] for i in right)

    products = {name: examples(f"{name} S{degree}") for name in algorithmic.PRODUCTS}
    for row in np.random.default_rng(0).integers(len(elements) ** 2, size=200):
        a, b = (elements[i] for i in products["a.b"][0][row])
        inverse = tuple(sorted(range(degree), key=lambda i: a[i]))
        assert products["a.b"][1][row] == number[after(a, b)]
        assert products["a.b.a"][1][row] == number[after(after(a, b), a)]
        assert products["a.b.a^-1"][1][row] == number[after(after(a, b), inverse)]


def test_conjugation_keeps_the_type_of_a_permutation():
    _, results, size = examples("a.b.a^-1 S4")
    conjugates = results.reshape(size, size)  # [a, b]
    elements = np.array(list(itertools.permutations(range(4))))
    fixed_points = (elements == np.arange(4)).sum(axis=1)
    assert (fixed_points[conjugates] == fixed_points[None, :]).all()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a*b mod 27", "unknown operation 'a\\*b' in 'a\\*b mod 27'"),
        ("a.b mod 27", "unknown operation 'a.b'"),
        ("a+b S4", "unknown operation 'a\\+b'"),
        ("a+b mod 1", "modulus must be from 2 to 200, got 1 in"),
        ("a+b mod 0", "got 0"),
        ("a+b mod 999", "got 999"),
        ("a.b S9", "must be S3, S4 or S5, got S9"),
        ("a+b modulo 27", "is named like"),
        ("mnist", "is named like 'a\\+b mod 27' or 'a.b S4', got 'mnist'"),
    ],
)
def test_wrong_names_are_refused(name, message):
    with pytest.raises(ValueError, match=message):
        examples(name)


@pytest.mark.parametrize("degree", [0, 7])
def test_degrees_out_of_range_are_refused(degree):
    with pytest.raises(ValueError, match=f"from 1 to 6, got {degree}"):
        composition(degree)


def test_tables_are_shared_and_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        composition(3)[0, 0] = 1
