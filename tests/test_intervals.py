"""Intervals against scipy and against their own promise: coverage."""

import math

import numpy as np
import pytest
from scipy import stats

from notebooks.paper.records.intervals import Interval, clustered_spearman, interval, paired_interval, spearman


def draws(n=10, seed=0):
    return np.random.default_rng(seed).normal(3, 2, n)


@pytest.mark.parametrize("level", [0.5, 0.95])
@pytest.mark.parametrize("n", [2, 5, 10])
def test_interval_is_student_s(n, level):
    values = draws(n)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(level)
    mean, half_width = interval(values, level)
    assert (mean - half_width, mean + half_width) == pytest.approx((low, high))


def test_paired_interval_is_that_of_the_paired_test():
    a, b = draws(seed=1), draws(seed=2)
    low, high = stats.ttest_rel(a, b).confidence_interval(0.95)
    mean, half_width = paired_interval(a, b)
    assert (mean - half_width, mean + half_width) == pytest.approx((low, high))


def test_equal_values_have_no_width():
    assert interval([0.5, 0.5, 0.5]) == Interval(0.5, 0.0)


def test_spearman_is_scipy_s_and_ignores_monotone_changes():
    a, b = draws(30, seed=3), draws(30, seed=4) + draws(30, seed=3)
    found = spearman(a, b)
    assert found.value == pytest.approx(stats.spearmanr(a, b).statistic)
    assert found.low < found.value < found.high
    assert spearman(np.exp(a), b**3) == pytest.approx(found)
    assert spearman(a, -b) == pytest.approx((-found.value, -found.high, -found.low))


def test_spearman_s_interval_covers_the_truth():
    rng, rho = np.random.default_rng(5), 0.7
    truth = 6 / math.pi * math.asin(rho / 2)  # of a bivariate normal
    covered = 0
    for _ in range(400):
        a = rng.normal(size=40)
        b = rho * a + math.sqrt(1 - rho**2) * rng.normal(size=40)
        _, low, high = spearman(a, b)
        covered += low < truth < high
    assert 0.92 < covered / 400 < 0.985


def test_a_perfect_order_has_a_degenerate_interval():
    assert spearman([1, 2, 3, 4], [1, 10, 100, 1000]) == (1.0, 1.0, 1.0)
    assert spearman([1, 2, 3, 4], [4, 3, 2, 1]) == (-1.0, -1.0, -1.0)


def test_clusters_of_one_give_about_the_interval_of_fisher_s_z():
    a, b = np.random.default_rng(3).multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 80).T
    plain, found = spearman(a, b), clustered_spearman(a, b, range(80))
    assert found.value == plain.value
    assert found.low == pytest.approx(plain.low, abs=0.05) and found.high == pytest.approx(plain.high, abs=0.05)
    assert found == clustered_spearman(a, b, range(80))  # the same draws


def test_the_interval_of_clusters_covers_the_truth_where_that_of_single_values_does_not():
    rng, covered = np.random.default_rng(4), {"clustered": 0, "plain": 0}
    for _ in range(120):
        centre = np.repeat(rng.normal(size=(2, 15)), 8, axis=1)  # no correlation, but eight values share each centre
        a, b = centre + 0.2 * rng.normal(size=centre.shape)
        plain, clustered = spearman(a, b), clustered_spearman(a, b, np.repeat(range(15), 8), resamples=300)
        covered["plain"] += plain.low < 0 < plain.high
        covered["clustered"] += clustered.low < 0 < clustered.high
    assert covered["plain"] < 0.65 * 120 < 0.85 * 120 < covered["clustered"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: interval([1.0]), r"values must hold at least 2 values, got shape \(1,\)"),
        (lambda: interval([[1.0, 2.0]]), r"got shape \(1, 2\)"),
        (lambda: interval([1.0, math.nan]), r"values must be finite, got \[1.0, nan\]"),
        (lambda: interval([1.0, 2.0], 95), "level must lie between 0 and 1, got 95"),
        (lambda: interval([1.0, 2.0], 0.0), "level must lie between 0 and 1, got 0.0"),
        (lambda: paired_interval([1, 2], [1, 2, 3]), "a and b must be paired, got 2 and 3 values"),
        (lambda: paired_interval([1, 2], [1, math.inf]), r"b must be finite, got \[1.0, inf\]"),
        (lambda: spearman([1, 2, 3], [1, 2, 3]), r"a must hold at least 4 values, got shape \(3,\)"),
        (lambda: spearman([1, 2, 3, 4], [1, 2, 3, 4, 5]), "a and b must be paired, got 4 and 5 values"),
        (lambda: spearman([1, 2, 3, 4], [2, 2, 2, 2]), "b must hold different values, got the constant 2.0"),
        (lambda: spearman([1, 1, 1, 1], [1, 2, 3, 4]), "a must hold different values, got the constant 1.0"),
        (
            lambda: clustered_spearman([1, 2, 3, 4], [1, 2, 4, 3], [0, 0, 1, 1]),
            "at least 3 for 4 values, got 4 values in 2",
        ),
        (
            lambda: clustered_spearman([1, 2, 3, 4], [1, 2, 4, 3], [0, 1, 2]),
            "at least 3 for 4 values, got 3 values in 3",
        ),
        (lambda: spearman([1, 2, 3, 4], [1, 2, 3, 5], 1.0), "level must lie between 0 and 1, got 1.0"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
