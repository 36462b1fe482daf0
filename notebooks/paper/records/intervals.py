"""Uncertainty over repetitions: what tables and claims say about values per seed."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special


class Interval(NamedTuple):
    """A mean and the half width of its confidence interval."""

    mean: float
    half_width: float


class Correlation(NamedTuple):
    """A correlation coefficient and the ends of its confidence interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"


def interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Mean and half width of the Student-t confidence interval over repetitions (seeds).

    >>> mean, half_width = interval([1.0, 2.0, 3.0])
    >>> mean, round(half_width, 3)
    (2.0, 2.484)
    """
    values = _finite(values, "values", 2)
    _check_level(level)
    n = len(values)
    half_width = special.stdtrit(n - 1, (1 + level) / 2) * values.std(ddof=1) / math.sqrt(n)
    return Interval(float(values.mean()), float(half_width))


def mean_of(values: Sequence[float]) -> Interval:
    """:func:`interval`, also of one value, whose half width is NaN.

    >>> mean_of([0.5])
    Interval(mean=0.5, half_width=nan)
    """
    values = _finite(values, "values", 1)
    return interval(values) if len(values) > 1 else Interval(float(values[0]), math.nan)


def paired_interval(a: Sequence[float], b: Sequence[float], level: float = 0.95) -> Interval:
    """``interval`` of a - b for two arms paired by seed: the same seeds in the same order."""
    a, b = _finite(a, "a", 2), _finite(b, "b", 2)
    if a.shape != b.shape:
        raise ValueError(f"a and b must be paired, got {len(a)} and {len(b)} values")
    return interval(a - b, level)


def paired_by_seed(one: pd.Series, other: pd.Series, level: float = 0.95) -> Interval:
    """:func:`paired_interval` of two arms over the seeds, their index, that both have."""
    seeds = one.index.intersection(other.index)
    return paired_interval(one[seeds], other[seeds], level)


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
    rho = float(np.clip(_rank_correlation(_places(a, b), np.ones(len(a))), -1, 1))
    if abs(rho) > 1 - 1e-12:
        return Correlation(rho, rho, rho)
    reach = special.ndtri((1 + level) / 2) * math.sqrt((1 + rho**2 / 2) / (len(a) - 3))
    return Correlation(rho, math.tanh(math.atanh(rho) - reach), math.tanh(math.atanh(rho) + reach))


def clustered_spearman(
    a: Sequence[float], b: Sequence[float], clusters: Sequence, level: float = 0.95, resamples: int = 2000
) -> Correlation:
    """Rank correlation of values that come in clusters, such as seeds of one activation, with a bootstrap interval.

    Whole clusters are drawn with replacement, always the same draws; the interval is that of the percentiles.

    Args:
        clusters: per value, which cluster it belongs to; at least 3 different ones.

    >>> a, b = [1, 2, 5, 6, 3, 4, 8, 9], [1, 2, 6, 5, 4, 3, 8, 9]
    >>> clustered_spearman(a, b, [0, 0, 1, 1, 2, 2, 3, 3]).value == spearman(a, b).value
    True
    """
    value, drawn = spearman(a, b, level).value, spearman_draws(a, b, clusters, resamples)
    return Correlation(value, *(float(end) for end in np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])))


def spearman_draws(
    a: Sequence[float], b: Sequence[float], clusters: Sequence, resamples: int = 2000, seed: int = 0
) -> np.ndarray:
    """Rank correlations of bootstrap draws of whole clusters, (resamples,) at most: see :func:`clustered_spearman`."""
    a, b = (np.asarray(values, dtype=float) for values in (a, b))
    codes = np.unique(np.asarray(clusters), return_inverse=True)[1]
    count = codes.max() + 1
    if len(codes) != len(a) or count < 3:
        raise ValueError(f"clusters must name at least 3 for {len(a)} values, got {len(codes)} values in {count}")
    places, rng = _places(a, b), np.random.default_rng(seed)
    draws = (np.bincount(rng.integers(count, size=count), minlength=count) for _ in range(resamples))
    drawn = np.array([_rank_correlation(places, times[codes].astype(float)) for times in draws])
    return drawn[np.isfinite(drawn)]  # a draw of equal values has no correlation


def _places(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each value its place among the different ones, in increasing order."""
    return np.unique(a, return_inverse=True)[1], np.unique(b, return_inverse=True)[1]


def _rank_correlation(places: tuple[np.ndarray, np.ndarray], times: np.ndarray) -> float:
    """Correlation of the ranks of values that count several times each, equal ones with their mean rank."""

    def centred(places: np.ndarray) -> np.ndarray:
        among = np.bincount(places, times)
        ranks = (np.cumsum(among) - among / 2)[places]  # up to a constant
        return ranks - times @ ranks / times.sum()

    x, y = map(centred, places)
    squares = (times @ x**2) * (times @ y**2)
    return times @ (x * y) / math.sqrt(squares) if squares > 0 else math.nan


def share_of_shuffles(values: Sequence[float], groups: Sequence, shuffles: int = 10_000, seed: int = 0) -> float:
    """How often shuffled groups lie less far apart than the real ones: a permutation test of a one-way layout.

    What is compared is the variance between groups relative to that within. The shuffles are always the same.

    Args:
        values: at least 4 of them. groups: per value, which group it belongs to; at least 2, fewer than the values.

    Returns:
        Part of the shuffles, in [0, 1]; above 0.95 the groups differ at the level of 5 %.

    >>> share_of_shuffles([1.0, 1.1, 1.2, 5.0, 5.1, 5.2], "aaabbb")  # 2 of 20 ways are as far apart
    0.8981
    """
    values, codes = _finite(values, "values", 4), np.unique(list(groups), return_inverse=True)[1]
    counts = np.bincount(codes)
    if len(codes) != len(values) or not 2 <= len(counts) < len(values):
        raise ValueError(
            f"groups must be at least 2 and fewer than the {len(values)} values, got {len(codes)} in {len(counts)}"
        )
    values, rng = values - values.mean(), np.random.default_rng(seed)

    def between(drawn):  # the sum of squares; the total stays, so it rises with the ratio of the variances
        return float((np.bincount(codes, drawn) ** 2 / counts).sum())

    real = between(values)
    drawn = np.array([between(rng.permutation(values)) for _ in range(shuffles)])
    return float((drawn < real - 1e-12 * (values**2).sum()).mean())


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


def summary(frame: pd.DataFrame, value: str, by: Sequence[str]) -> pd.DataFrame:
    """Mean and 95 % interval over seeds of a column, and the paired difference to the ReLU arm, per group and arm.

    Args:
        frame: one row per run, with the columns of ``by``, "arm", "seed" and ``value``.

    Returns:
        Columns: by..., arm, n, mean, half_width, gain, gain_half_width (NaN for ReLU itself).
    """
    rows = []
    for group, part in frame.groupby(list(by), sort=False):
        reference = part[part.arm == "ReLU"].set_index("seed")[value]
        for arm, runs in part.groupby("arm", sort=False):
            values = runs.set_index("seed")[value]
            gain = paired_by_seed(values, reference) if arm != "ReLU" else (np.nan, np.nan)
            rows.append([*group, arm, len(values), *interval(values), *gain])
    return pd.DataFrame(rows, columns=[*by, "arm", "n", "mean", "half_width", "gain", "gain_half_width"])
