"""A control for learned input activations (Section 3.3): columns by rank, without any learning.

What an input activation brings may be no more than a better scaling of its column. So the same spline, with the same
control points, is set to the column's distribution function. That is exact at the control points; rows between two of
them keep their linear spacing. A column so skewed that one piece holds nearly all rows is therefore hardly spread by
rank: see :func:`lib.tabular.crowded`.
"""

from dataclasses import dataclass
from typing import ClassVar

from lib import splines
from lib.experiments import load_parts, ranks
from lib.results import Outcome


@dataclass(frozen=True)
class Ranks:
    """Input activations that map each control point to twice its mean rank among the column's training rows, minus 1.

    Args:
        section, arm: what it is for. data, split: the training rows, as in :class:`lib.experiments.Train`.
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
