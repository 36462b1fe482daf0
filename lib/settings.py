"""What Algorithm 1 is run with: its hyperparameters, and the tasks to learn on (Section 2.3, Appendix C)."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from .episodes import episode_generator
from .networks import Network
from .splines import smooth_random
from .steps import PRODUCTS
from .training import Optimiser, check_data

OBJECTIVES = ("validation", "training", "given")


@dataclass(frozen=True)
class Settings:
    """The hyperparameters of Algorithm 1 (Appendix C), one restart's worth.

    Args:
        init: psi at the start, "zeros" or "relu" as in the paper, or "random": a smooth random function per seed.
        episodes: outer steps; the inner steps n_tr grow as n_tr_start + n_tr_step * episode, up to n_tr_max.
        unroll: t, the last inner steps that the outer gradient goes back through (typically 5; [1, 50]).
            0 is the first-order variant.
        outer: the optimiser of psi; its lr is eta ([0.01, 0.2] in the paper, for its gradients).
        inner: the optimiser of theta.
        batch: rows per inner step; the outer loss uses at most as many.
        validation: the fraction of an episode's rows that form V; the rest is T'.
        watch: the fraction of the rows that no episode ever sees; early stopping goes by them.
        objective: what the outer loss is measured on: "validation" (V), "training" (T', Table 3's naive variant) or
            "given" (the rows that the task brings, for an out-of-distribution V or Table 3's cheating variant).
        patience: stop after so many episodes per task without a better (smoothed) loss on the watched rows.
        clip: largest norm of the outer gradient.
        deviation, length: of a random start, its standard deviation and its correlation length in units of z.
        products: of the inner steps that are not unrolled, "float32" or "bfloat16" (the factors; sums are float32). A
            processor without instructions for the second computes the first.

    The watched losses of episodes of different lengths are hard to compare on small data: longer inner training may
    raise the loss whatever psi is, and the first psi then looks best. With n_tr_step=0 all episodes are alike.

    NOTE[DIFF]: the paper stops when the performance on V worsens. Every row serves as training in some episode, and
    psi then overfits rows that V can no longer reveal; so here some rows are watched that no episode draws.
    NOTE[DIFF]: the outer gradient is clipped; with RMSprop or Adam inside and psi = 0 its first value is unbounded.
    NOTE[DIFF]: a random start is not in the paper. Where weights or rate are large, the gradient at zeros and at a ReLU
    shows no way to a function that oscillates, and the restarts stay at chance; from a small function that varies
    already, they leave it.
    """

    init: str = "zeros"
    episodes: int = 100
    n_tr_start: int = 50
    n_tr_step: int = 10
    n_tr_max: int = 1000
    unroll: int = 5
    outer: Optimiser = Optimiser("adam", 0.02)
    inner: Optimiser = Optimiser("sgd", 0.05)
    batch: int = 4096
    validation: float = 0.2
    watch: float = 0.1
    objective: str = "validation"
    patience: int = 40
    clip: float = 1.0
    deviation: float = field(default=0.1, metadata={"old": 0.1})
    length: float = field(default=0.1, metadata={"old": 0.1})
    products: str = field(default="float32", metadata={"old": "float32"})

    def __post_init__(self):
        for name, value in (("inner", self.inner), ("outer", self.outer)):
            if not isinstance(value, Optimiser):
                raise ValueError(f"{name} must be an Optimiser, such as Optimiser('adam', 0.01), got {value!r}")
        if self.objective not in OBJECTIVES:
            raise ValueError(f"objective must be one of {OBJECTIVES}, got {self.objective!r}")
        if not 0 < self.validation < 1 or not 0 <= self.watch < 1:
            raise ValueError(f"validation must be in (0, 1) and watch in [0, 1), got {self.validation}, {self.watch}")
        if min(self.episodes, self.n_tr_start, self.batch, self.patience) < 1 or self.unroll < 0:
            raise ValueError(f"episodes, n_tr_start, batch, patience must be at least 1 and unroll at least 0: {self}")
        if self.n_tr_max < self.n_tr_start:
            raise ValueError(f"n_tr_max must be at least n_tr_start, got {self.n_tr_max} and {self.n_tr_start}")
        if self.n_tr_step < 0 or not self.clip > 0:
            raise ValueError(f"n_tr_step must be at least 0 and clip positive, got {self.n_tr_step} and {self.clip}")
        if self.products not in PRODUCTS:
            raise ValueError(f"products must be one of {PRODUCTS}, got {self.products!r}")
        if not self.deviation > 0 or not self.length > 0:
            raise ValueError(f"deviation and length must be positive, got {self.deviation} and {self.length}")

    @property
    def planned_steps(self) -> float:
        """About how many inner steps all episodes take together, if none stops early."""
        last = min(self.n_tr_start + self.n_tr_step * self.episodes, self.n_tr_max)
        return self.episodes * (self.n_tr_start + last) / 2

    def start(self, seed: int) -> str | Callable[[Tensor], Tensor]:
        """What :meth:`lib.networks.Network.init_psi` starts from in the restart with this seed."""
        if self.init != "random":
            return self.init
        generator = episode_generator(seed, 999_979)  # of no episode
        return lambda z: self.deviation * smooth_random(z, self.length, generator)


@dataclass(frozen=True, eq=False)
class Task:
    """What an activation is learned on: a network, training rows and a loss.

    Args:
        network: its activation is a spline, or it has input activations; or a :class:`lib.modules.ModuleNetwork`.
        x, y: the training data T: (n, d_in) (or one-hot pairs) and targets; never test data. float32 to learn on.
        loss: "mse", "sse" (a sum over outputs), "cross_entropy" or "logistic"; for modules also a function of outputs
            and targets.
        given: rows (x, y) for the objective "given".

    Raises:
        ValueError: for data that do not fit the network and the loss; see :func:`lib.training.check_data`.
    """

    network: Network
    x: Tensor
    y: Tensor
    loss: str | Callable[[Tensor, Tensor], Tensor]
    given: tuple[Tensor, Tensor] | None = None

    def __post_init__(self):
        if not hasattr(self.network, "loss_and_gradients"):
            raise ValueError(f"network must be a Network or a ModuleNetwork, got {type(self.network).__name__}")
        own = isinstance(self.network, Network)
        checks = functools.partial(check_data, self.network) if own else self.network.check_data
        checks(self.x, self.y, self.loss)
        if self.given is not None:
            try:
                checks(*self.given, self.loss)
            except ValueError as error:
                raise ValueError(f"given: {error}") from None
        if self.loss in ("cross_entropy", "logistic") and len(self.y) > 1 and bool((self.y == self.y[0]).all()):
            only = self.y.flatten()[0].item()
            raise ValueError(f"y must hold at least 2 classes, all {len(self.y)} labels are {only:g}: nothing to learn")
