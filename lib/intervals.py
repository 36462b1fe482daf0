"""Uncertainty over repetitions: what tables and claims say about values per seed."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats


class Interval(NamedTuple):
    """A mean and the half width of its confidence interval."""

    mean: float
    half_width: float


class Correlation(NamedTuple):
    """A correlation coefficient and the ends of its confidence interval."""

    value: float
    low: float
    high: float


def interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Mean and half width of the Student-t confidence interval over repetitions (seeds).

    >>> mean, half_width = interval([1.0, 2.0, 3.0])
    >>> mean, round(half_width, 3)
    (2.0, 2.484)
    """
    values = _finite(values, "values", 2)
    _check_level(level)
    n = len(values)
    half_width = stats.t.ppf((1 + level) / 2, n - 1) * values.std(ddof=1) / math.sqrt(n)
    return Interval(float(values.mean()), float(half_width))


def paired_interval(a: Sequence[float], b: Sequence[float], level: float = 0.95) -> Interval:
    """``interval`` of a - b for two arms paired by seed: the same seeds in the same order."""
    a, b = _finite(a, "a", 2), _finite(b, "b", 2)
    if a.shape != b.shape:
        raise ValueError(f"a and b must be paired, got {len(a)} and {len(b)} values")
    return interval(a - b, level)


def spearman(a: Sequence[float], b: Sequence[float], level: float = 0.95) -> Correlation:
    """Rank correlation with its confidence interval: Fisher's z, variance of Bonett and Wright (2000).

    >>> round(spearman([1, 2, 3, 4, 5], [1, 2, 4, 3, 5]).value, 3)
    0.9
    """
    a, b = _finite(a, "a", 4), _finite(b, "b", 4)
    _check_level(level)
    if a.shape != b.shape:
        raise ValueError(f"a and b must be paired, got {len(a)} and {len(b)} values")
    for name, values in (("a", a), ("b", b)):
        if np.ptp(values) == 0:
            raise ValueError(f"{name} must hold different values, got the constant {values[0]}")
    rho = float(np.clip(stats.spearmanr(a, b).statistic, -1, 1))
    if abs(rho) > 1 - 1e-12:
        return Correlation(rho, rho, rho)
    reach = stats.norm.ppf((1 + level) / 2) * math.sqrt((1 + rho**2 / 2) / (len(a) - 3))
    return Correlation(rho, math.tanh(math.atanh(rho) - reach), math.tanh(math.atanh(rho) + reach))


def _finite(values: Sequence[float], name: str, least: int) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or len(values) < least:
        raise ValueError(f"{name} must hold at least {least} values, got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"{name} must be finite, got {values.tolist()}")
    return values


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
