"""How classification at the depth that suits each activation decides C1."""

import numpy as np
import pandas as pd
from scipy.special import ndtr

from lib import splines

from ..figures.looks import name_of, plus_minus
from ..figures.words import words
from ..records.frames import Collected, at_best_depth
from ..verdict import NAN, NOT_RUN, Condition, Finding, Read, below, judge, lost
from . import tables
from .by_convergence import FROM_RELU, RELU, ZEROS, over

say = words("images", "findings").fill
FEWER = "cifar10"  # its first images, in place of which there are all
LENGTHS, DRAWS, FARTHER = (0.5, 1.0), 1000, 0.95  # of the random functions: z, how many, which part must be farther


def compared(first: Collected, full: Collected) -> pd.DataFrame:
    """The final runs with the tuned optimiser at all depths; empty while some are missing.

    Args:
        first: of the section "images". full: of "full", the same on all images of CIFAR-10.
    """
    runs, more = tables.depth_runs(first), full.frame()
    if runs.empty or more.empty or full.missing:
        return pd.DataFrame()
    runs = pd.concat([runs[runs.data != FEWER], more[more.role.isin(["final", "depth"])]], ignore_index=True)
    return runs[runs.arm.isin([RELU, FROM_RELU, ZEROS])]


def distances(grid: np.ndarray, values: np.ndarray, density: np.ndarray) -> tuple[float, float, float]:
    """Distances from GELU: of a function, of ReLU, and the one that 95 % of perturbed ReLUs are beyond.

    A distance is that at the best scale and offset, weighted by the density; so it is the sine of an angle between
    functions. The perturbed ones are as far from ReLU as the function is. All are NaN where the function or ReLU is
    straight on what is used.

    Args:
        grid, values, density: the control points, the function there, how often the network is there, (n_c,).

    Example:
        >>> z = np.linspace(-3, 3, 50)
        >>> own, relu, random = distances(z, 2 * z * ndtr(z) - 1, np.ones(50))
        >>> round(own, 6), own < random < relu
        (0.0, True)
    """
    weights = density / density.sum()

    def unit(f):  # of functions along the last axis: centred, of norm 1
        f = np.sqrt(weights) * (f - (f @ weights)[..., None])
        return f / np.linalg.norm(f, axis=-1, keepdims=True)

    used = grid[density > 0]
    if used.min() >= 0 or used.max() <= 0 or np.ptp(values[density > 0]) == 0:
        return NAN, NAN, NAN
    own, relu, gelu = unit(values.astype(float)), unit(np.maximum(grid, 0)), unit(grid * ndtr(grid))

    def apart(one, other):
        return np.sqrt(np.clip(1 - (one @ other) ** 2, 0, 1))

    angle, rng, beyond = np.arcsin(apart(own, relu)), np.random.default_rng(0), []
    for length in LENGTHS:
        covariance = np.exp(-(((grid[:, None] - grid) / length) ** 2) / 2)
        drawn = unit(rng.multivariate_normal(np.zeros(len(grid)), covariance, DRAWS, method="eigh"))
        across = drawn - (drawn @ relu)[:, None] * relu
        across /= np.linalg.norm(across, axis=1, keepdims=True)
        beyond.append(np.quantile(apart(np.cos(angle) * relu + np.sin(angle) * across, gelu), 1 - FARTHER))
    return float(apart(own, gelu)), float(apart(relu, gelu)), float(min(beyond))


def classification_is_equal(read: Read) -> Finding:
    """C1."""
    first, full = read("images"), read("full")
    runs = compared(first, full)
    if runs.empty:
        return NOT_RUN
    records, conditions, gains, near = first.by_key | full.by_key, [], [], []
    for data, part in at_best_depth(runs).groupby("data", sort=False):
        arms, name = {arm: own for arm, own in part.groupby("arm")}, name_of(data)
        for title, arm in (("from ReLU as accurate", FROM_RELU), ("from zeros as accurate", ZEROS)):
            if arm not in arms:
                conditions.append(lost(title, name))
                continue
            mean, half = over(arms[arm], arms[RELU])
            points = [100 * end for end in (mean, mean - half, mean + half)]
            conditions.append(Condition(title, name, *points, 1.0, abs(mean) <= 0.01, "points"))
            depth, relu = (int(arms[a]["network.depth"].iloc[0]) for a in (arm, RELU))
            gains.append(say("depth-gain", data=name, arm=arm, depth=depth, relu=relu, gain=plus_minus(mean, half)))
        if FROM_RELU not in arms:
            conditions.append(lost("nearer to GELU than ReLU is", name))
            continue
        learned, density = records[arms[FROM_RELU].learned.iloc[0]], _density(arms[FROM_RELU])
        g = learned.config["network"]["activation"]
        values = learned.arrays["psi_hidden"]
        own, relu, random = distances(splines.grid(len(values), g["low"], g["high"]).numpy(), values, density)
        conditions.append(below("nearer to GELU than ReLU is", name, own, min(relu, random)))
        near.append(say("near-gelu", data=name, own=f"{own:.3f}", relu=f"{relu:.3f}", random=f"{random:.3f}"))
    ours = [say("depths", gains="; ".join(gains))] * bool(gains)
    ours += [say("nearness", distances=", ".join(near))] * bool(near)
    return judge(". ".join(ours), conditions)


def _density(runs: pd.DataFrame) -> np.ndarray:
    """How often the pre-activations of these networks are near each control point, a mean over them."""
    return np.mean([record.arrays["pre_activations"] for record in runs.record], axis=0)
