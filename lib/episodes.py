"""What Algorithm 1 is run with, its hyperparameters and tasks; and one of its episodes (Section 2.3, Appendix C).

An episode draws rows, trains fresh weights (the inner loop) and has an outer loss; the outer loop is in
:mod:`lib.metalearning`.
"""

import functools
import math
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from .networks import Data, Network, Params, Psi
from .splines import smooth_random
from .steps import PRODUCTS, Steps, products
from .training import Batches, Optimiser, check_data, take

Report = Callable[[str], None]  # is given a line of progress
OBJECTIVES = ("validation", "training", "given")
LARGEST_SEED = 2**43  # times the 1,000,003 of an episode's randomness it is still a seed of torch


def silent(message: str) -> None:
    """Report nothing."""


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
    given: Data | None = None

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


@contextmanager
def ordinary_torch(device: torch.device):
    """Gradients on, no autocast, the CPU as default device: whatever the caller's modes, the numbers are the same."""
    elsewhere = torch.get_default_device().type != "cpu"  # the mode below costs time at each operation
    with torch.inference_mode(False), torch.enable_grad(), torch.device("cpu") if elsewhere else nullcontext():
        with torch.autocast(device.type, enabled=False), products("float32"):
            yield


def episode_generator(seed: int, episode: int) -> torch.Generator:
    """The randomness of an episode, on the CPU."""
    return torch.Generator().manual_seed(seed * 1_000_003 + episode)


def watch_split(n: int, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Rows that the episodes draw from, and rows that they never see."""
    order = torch.randperm(n, generator=episode_generator(seed, 999_983))  # of no episode
    count = round(fraction * n)
    return order[count:], order[:count]


def draw_episode(task: Task, settings: Settings, pool: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The episode's training rows T', and the rows of outer_source that the outer loss is on (at most a batch)."""
    order = pool[torch.randperm(len(pool), generator=generator)]
    count = min(max(1, round(settings.validation * len(order))), len(order) - 1)
    train_rows, rows = order[count:], order[:count]
    if settings.objective == "given":
        rows = torch.randperm(len(task.given[0]), generator=generator)
    elif settings.objective == "training":
        rows = train_rows
    return train_rows, rows[: settings.batch]


def outer_source(task: Task, settings: Settings) -> Data:
    """The data (x, y) that the outer loss is measured on rows of."""
    return task.given if settings.objective == "given" else (task.x, task.y)


def inner_loop(
    task: Task, psi: Psi, theta: Params, rows: Tensor, n_tr: int, settings: Settings, generator: torch.Generator
) -> Params:
    """n_tr gradient steps on theta with psi fixed; the graph of the last t leads from the result back to psi."""
    network, unroll, among, (x, y) = task.network, min(settings.unroll, n_tr), None, (task.x, task.y)
    fast = isinstance(network, Network)
    if fast and network.input_activation is None and len(rows) > settings.batch:
        among = rows  # the batches are taken from all of the data
    else:
        x, y = take((x, y), rows)
    batches, state = Batches(len(rows), settings.batch, generator, among), settings.inner.init(theta)

    def step(theta, state, psi, embedded):
        batch = take((embedded, y), batches.next())
        _, grads = network.loss_and_gradients(theta, psi, *batch, task.loss)
        return settings.inner.step(theta, grads, state)

    with torch.no_grad():
        fixed = {name: values.detach() for name, values in psi.items()}
        embedded = network.embed(fixed, x)
        if fast:
            steps = Steps(network, fixed, theta, (embedded, y), task.loss, settings.inner, batches)
            with products(settings.products):
                for _ in range(n_tr - unroll):
                    steps.step()
            theta, state = steps.unflatten(steps.flat), steps.state()
        else:
            for _ in range(n_tr - unroll):
                theta, state = step(theta, state, fixed, embedded)
    if unroll:
        embedded = network.embed(psi, x)
        for _ in range(unroll):
            theta, state = step(theta, state, psi, embedded)
    return theta


def outer_loss(task: Task, psi: Psi, theta: Params, data: Data) -> Tensor:
    """The loss on V after training, a scalar that depends on psi directly and through theta."""
    return task.network.loss(theta, psi, *data, task.loss)


def unrolled(
    task: Task, psi: Psi, rows: Tensor, held: Data, n_tr: int, settings: Settings, generator: torch.Generator
) -> tuple[float, Psi, Params]:
    """An episode's outer loss and its gradient in psi, back through the last t inner steps; and the trained weights.

    Args:
        rows: T'. held: the data (x, y) of the outer loss. n_tr: inner steps. generator: of the weights and batches.
    """
    leaves = {name: values.detach().requires_grad_() for name, values in psi.items()}
    theta = [w.to(task.x.device) for w in task.network.init(generator)]  # fresh theta
    theta = inner_loop(task, leaves, theta, rows, n_tr, settings, generator)  # n_tr steps on theta
    loss = outer_loss(task, leaves, theta, held)  # L on V after training
    names = sorted(leaves)
    gradient = torch.autograd.grad(loss, [leaves[name] for name in names])
    return loss.item(), dict(zip(names, gradient, strict=True)), theta


@torch.no_grad()
def watch_loss(task: Task, psi: Psi, theta: Params, watched: Tensor, otherwise: float) -> float:
    """Loss on the rows that no episode sees; the outer loss where none are watched."""
    if not len(watched):
        return otherwise
    return outer_loss(task, psi, theta, (task.x[watched], task.y[watched])).item()


def from_scratch(
    task: Task, psi: Psi, rows: Tensor, held: Tensor, steps: int, settings: Settings, generator: torch.Generator
) -> tuple[Params, float]:
    """Train fresh weights with psi fixed: they, and their loss on held-out rows, infinite where it is NaN."""
    theta = [w.to(task.x.device) for w in task.network.init(generator)]
    theta = inner_loop(task, psi, theta, rows, steps, replace(settings, unroll=0), generator)
    loss = watch_loss(task, psi, theta, held, 0.0)
    return theta, math.inf if math.isnan(loss) else loss
