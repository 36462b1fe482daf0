"""Bayesian search over functions made by hand, an alternative to a race of them (see :mod:`.race`).

NOTE[DIFF]: not in the paper. Expected improvement with a Gaussian process, as Snoek et al., "Practical Bayesian
optimization of machine learning algorithms", NeurIPS 2012.
"""

import warnings
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from scipy.special import ndtr
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from torch.nn import functional as F

from lib.episodes import episode_generator, from_scratch, watch_split
from lib.learner import Function
from lib.metalearning import Settings

from ..records.store import Outcome
from .race import Race

SHAPES = {"sine": torch.sin, "tanh": torch.tanh, "GELU": F.gelu, "SiLU": F.silu}
SLOPES, AMPLITUDES = (-1.0, 4.5), (-1.5, 1.5)  # powers of 2, in units of the pre-activations; the range of the races
FIRST, CANDIDATES = 10, 500  # random points to begin with; random ones of which the most promising is tried


def function(point: np.ndarray, scale: float) -> Function:
    """The function at a point: the place of its shape, then slope and amplitude as powers of 2.

    Those of other shapes than a sine have their slope far out whatever k is, so the amplitude is without effect.
    """
    name, k, a = list(SHAPES)[int(point[0])], 2 ** point[1], 2 ** point[2]
    size = a * scale if name == "sine" else scale / k
    return lambda z: size * SHAPES[name](k * z / scale)


def sample(count: int, rng: np.random.Generator) -> np.ndarray:
    """Random points, (count, 3)."""
    shapes = rng.integers(len(SHAPES), size=count)
    return np.column_stack([shapes, rng.uniform(*SLOPES, count), rng.uniform(*AMPLITUDES, count)])


def features(points: np.ndarray) -> np.ndarray:
    """What the model of the losses sees: which shape it is, slope, and for a sine its amplitude."""
    which = np.eye(len(SHAPES))[points[:, 0].astype(int)]
    return np.column_stack([which, points[:, 1], points[:, 2] * which[:, 0]])


def promising(points: np.ndarray, losses: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The candidate with the largest expected improvement of the logarithm of the loss, by a Gaussian process."""
    candidates, finite = sample(CANDIDATES, rng), np.isfinite(losses)
    if not finite.any():
        return candidates[0]
    y = np.log(np.clip(losses, None, 10 * losses[finite].min()))
    kernel = ConstantKernel() * Matern(np.ones(features(points).shape[1]), (0.1, 30.0), nu=2.5) + WhiteKernel(0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of the kernel's sizes, which need not be exact
        model = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0).fit(features(points), y)
    mean, deviation = model.predict(features(candidates), return_std=True)
    gain = y.min() - mean
    score = gain / np.maximum(deviation, 1e-12)
    expected = gain * ndtr(score) + deviation * np.exp(-(score**2) / 2) / np.sqrt(2 * np.pi)
    return candidates[np.argmax(expected)]


@dataclass(frozen=True, kw_only=True)
class Search(Race):
    """Try functions one after the other, each where a model of the losses so far expects most; psi is the best one's.

    Args:
        race: key of a Race record, for scale and range. trainings: how many functions are tried, each by one training
            of ``steps``. The others as in :class:`.race.Race`.
    """

    kind: ClassVar[str] = "search"
    version: ClassVar[int] = 1

    race: str
    trainings: int

    @property
    def reads(self) -> tuple[str, ...]:
        """The records that a run reads."""
        return (self.race,)

    @property
    def cost(self) -> float:
        return float(self.steps * self.trainings)

    def run(self, context) -> Outcome:
        record = context.store.read(self.race)
        if record is None:
            raise ValueError(f"the store has no record {self.race!r}; compute it first")
        low, high, scale = (record.numbers[name] for name in ("low", "high", "scale"))
        task = self.problem(context)
        network = replace(task.network, activation=replace(self.network.activation, low=low, high=high))
        task = replace(task, network=network)
        settings, rng = Settings(inner=self.optimiser, batch=self.batch), np.random.default_rng(self.seed)
        rows, held = watch_split(len(task.x), 0.2, self.seed)
        points, losses = sample(min(FIRST, self.trainings), rng), []
        for i in range(self.trainings):
            if i >= len(points):
                points = np.vstack([points, promising(points, np.array(losses), rng)])
            psi = network.init_psi(function(points[i], scale))
            generator = episode_generator(self.seed, 900_000 + i)  # of no episode
            losses.append(from_scratch(task, psi, rows, held, self.steps, settings, generator)[1])
        best = network.init_psi(function(points[int(np.argmin(losses))], scale))["hidden"]
        numbers = {"low": low, "high": high, "inner_steps": float(self.steps * self.trainings)}
        return Outcome(numbers, {"points": points, "losses": np.array(losses), "psi_hidden": best.numpy()})
