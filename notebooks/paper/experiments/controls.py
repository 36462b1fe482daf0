"""Activations that are not learned, as controls: drawn at random, and columns by rank."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch

from lib import splines

from ..records.store import Outcome
from .parts import load_parts, ranks


@dataclass(frozen=True, kw_only=True)
class Draw:
    """Draw a smooth spline at random: the control for what learning adds to a search among activations.

    The values are a stationary Gaussian process over the control points.

    Args:
        section, arm: what it is for. points, low, high: n_c and [a, b].
        length: correlation length, in units of z. seed: of the draw. deviation: standard deviation.
    """

    kind: ClassVar[str] = "draw"
    version: ClassVar[int] = 1

    section: str
    arm: str
    points: int
    low: float
    high: float
    length: float
    seed: int
    deviation: float = field(default=1.0, metadata={"old": 1.0})

    datasets: ClassVar[tuple[str, ...]] = ()
    cost: ClassVar[float] = 1.0

    def run(self, context) -> Outcome:
        z = splines.grid(self.points, self.low, self.high)
        psi = splines.smooth_random(z, self.length, torch.Generator().manual_seed(self.seed))
        return Outcome({}, {"psi_hidden": (self.deviation * psi).float().numpy()})


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """Input activations that map each control point to twice its mean rank among the column's training rows, minus 1.

    Args:
        section, arm: what it is for. data, split: the training rows, as in :class:`.experiments.train.Train`.
        points, low, high: n_c and [a, b], the same for all columns.
    """

    kind: ClassVar[str] = "ranks"
    version: ClassVar[int] = 1

    section: str
    arm: str
    data: str
    split: int
    points: int
    low: float
    high: float

    cost: ClassVar[float] = 1.0

    @property
    def datasets(self) -> tuple[str, ...]:
        return (self.data,)

    def run(self, context) -> Outcome:
        x = load_parts(self.data, "binary", self.split, 0.1, context.data_dir).train.x
        columns = x.double().T.contiguous().sort().values  # (d, n)
        grid = splines.grid(self.points, self.low, self.high).expand(len(columns), -1).contiguous()
        return Outcome({}, {"psi_input": ranks(columns, grid).numpy()})
