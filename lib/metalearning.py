"""Algorithm 1: meta-learn an activation function by bi-level optimisation (Section 2.3, Appendix C)."""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from .episodes import (
    check_seed,
    draw_episode,
    episode_generator,
    inner_loop,
    ordinary_torch,
    outer_loss,
    outer_source,
    watch_loss,
    watch_split,
)
from .networks import Activation, Network, Psi
from .splines import Spline, smooth_random
from .steps import PRODUCTS
from .training import Optimiser, check_data, check_precision, take

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


@dataclass(eq=False)
class Learned:
    """The outcome of :func:`learn`; also its state between episodes.

    psi: the activation with the lowest smoothed loss on the watched rows, found at ``best_episode``.
    history: per episode the outer loss, the watched loss, n_tr and the norm of the outer gradient (before clipping).
    diverged: whether a loss was not finite, which ends the run.
    functions: what psi's values belong to, with range and interpolation. settings: those of the run.
    losses: of :func:`lib.modules.learn_activation`, on held-out rows, with what was learned and with ReLU.
    dim: which dimension has the columns (or channels) of a function per column; see :class:`lib.splines.Spline`.
    outside: per function, the share of what it was given at the end that is outside its range. largest: size of inputs.
    """

    psi: Psi
    best_episode: int = 0
    history: dict[str, list[float]] = field(default_factory=lambda: {k: [] for k in ("outer", "watch", "n_tr", "norm")})
    diverged: bool = False
    functions: dict[str, Activation] = field(default_factory=dict)
    settings: Settings | None = None
    losses: dict[str, list[float]] = field(default_factory=dict)
    dim: int = -1
    outside: dict[str, float] = field(default_factory=dict)
    largest: float = 0.0

    @property
    def changed(self) -> bool:
        """Whether psi is another than at the start."""
        return any(self.history["norm"][: self.best_episode])  # a step before it, with a gradient

    @property
    def problems(self) -> list[str]:
        """What to know before psi is used, a sentence each; empty if all is well."""
        found = []
        if self.diverged:
            where = f"diverged in episode {len(self.history['outer']) + 1}: a loss or gradient was not finite"
            found.append(f"{where}; try lower rates of the inner and the outer optimiser")
        if not self.changed:
            found.append(f"nothing was learned: psi is the initial one; try {', '.join(self._other_settings())}")
        if self.largest > 10:
            found.append(f"inputs are as large as {self.largest:.3g}: scale them to about [-1, 1]")
        for name, share in self.outside.items():
            if share > 0.1:
                g, what = self.functions[name], "pre-activations" if name == "hidden" else "inputs"
                found.append(f"{share:.0%} of the {what} are outside [{g.low:g}, {g.high:g}]: widen the range")
        if self.losses:
            relu, own = (sum(self.losses[arm]) / len(self.losses[arm]) for arm in ("relu", "learned"))
            if relu <= own:
                found.append(f"keep ReLU: the loss on held-out rows is {relu:.4g} with it and {own:.4g} without")
        return found

    def _other_settings(self) -> list[str]:
        """What to change about the settings that were used."""
        s = self.settings
        if s is None:
            return ["other settings"]
        others = [f"episodes of one length (n_tr_step=0, not {s.n_tr_step})"] if s.n_tr_step else []
        others += ["an unroll of about 5, not 0"] if s.unroll == 0 else []
        others += [f"another start than {s.init!r}"]
        others += [f"other rates (inner {s.inner.lr:g}, outer {s.outer.lr:g})"]
        return others + (["a range that holds the pre-activations, or more control points"] if self.functions else [])

    def splines(self) -> dict[str, Spline]:
        """All learned functions as modules, by name; one per layer are "hidden.0", "hidden.1", ..."""
        found = {}
        for name, values in self.psi.items():
            g = self.functions[name]
            rows = {f"{name}.{i}": row for i, row in enumerate(values)} if g.layerwise else {name: values}
            found |= {key: g.module(own, dim=self.dim) for key, own in rows.items()}
        return found

    def module(self, name: str = "hidden") -> Spline:
        """The learned function as a module, with the range and the interpolation that it was learned with.

        Args:
            name: "hidden", or "input" for the input activations: one per column, for inputs (..., d).

        Raises:
            ValueError: if there is none of that name, or one per layer.

        Example:
            >>> psi = {"hidden": torch.tensor([0.0, 0.0, 1.0])}
            >>> learned = Learned(psi, functions={"hidden": Activation("spline", points=3, low=-1, high=1)})
            >>> learned.module()(torch.tensor([-0.5, 0.5]))
            tensor([0.0000, 0.5000])
        """
        if name not in self.psi:
            raise ValueError(f"name must be one of {sorted(self.psi)}, got {name!r}")
        if self.functions[name].layerwise:
            raise ValueError(f"there are {len(self.psi[name])} hidden activations, one per layer: use psi['hidden']")
        return self.functions[name].module(self.psi[name], dim=self.dim)


@dataclass(frozen=True, eq=False)
class State:
    """All that the next episode needs: its number, psi, the state of the outer optimiser, and the best so far."""

    episode: int
    psi: Psi
    outer: dict
    best: Learned


def learn(
    tasks: Sequence[Task],
    settings: Settings,
    *,
    seed: int,
    state: State | None = None,
    after: Callable[[State], None] = lambda state: None,
    report: Callable[[str], None] = lambda message: None,
) -> Learned:
    """Run Algorithm 1 once (one restart).

    With several tasks, the episodes take them in turn (Section 4). An episode's randomness depends on (seed, episode)
    alone, so a run that was stopped goes on from a ``state`` to the identical result.

    Args:
        tasks: at least one; all share psi.
        state: where to go on, of a run with the same tasks, settings and seed.
        after: called after each episode with the state, which the next episode changes: copy or write what is kept.
        report: called once per episode with n_tr and the losses on V and on the watched rows, and at the end with each
            of the result's problems.

    Raises:
        ValueError: without a task or a learned activation, for a task of fewer than 2 rows, without given rows for the
            objective "given", or for data that are not float32.
    """
    check(tasks, settings)
    seed, device = check_seed(seed), tasks[0].x.device
    with ordinary_torch(device):
        return _learn(tasks, settings, seed, device, state, after, report)


def _learn(tasks, settings, seed, device, state, after, report) -> Learned:
    network = tasks[0].network
    psi = {name: values.to(device) for name, values in network.init_psi(settings.start(seed)).items()}  # psi := zeros
    names = sorted(psi)
    best = Learned(dict(psi), functions=network.functions, settings=settings, dim=getattr(network, "dim", -1))
    outer_state, first = settings.outer.init([psi[k] for k in names]), 0
    if state is not None:
        first, psi, outer_state = state.episode, state.psi, state.outer
        best = replace(best, psi=state.best.psi, best_episode=state.best.best_episode, history=state.best.history)
    pools = [watch_split(len(task.x), settings.watch, seed) for task in tasks]

    theta = None
    for episode in range(first, settings.episodes):
        if episode - 1 - best.best_episode >= settings.patience * len(tasks):  # performance worsens: stop
            break
        generator = episode_generator(seed, episode)
        k = episode % len(tasks)
        task, (pool, watched) = tasks[k], pools[k]
        n_tr = min(settings.n_tr_start + settings.n_tr_step * episode, settings.n_tr_max)  # grow n_tr
        train_rows, outer_rows = draw_episode(task, settings, pool, generator)  # T', V from T
        theta = [w.to(device) for w in task.network.init(generator)]  # fresh theta
        leaves = {name: values.detach().requires_grad_() for name, values in psi.items()}
        theta = inner_loop(task, leaves, theta, train_rows, n_tr, settings, generator)  # n_tr steps on theta
        loss = outer_loss(task, leaves, theta, take(outer_source(task, settings), outer_rows))  # L on V after training
        gradient = torch.autograd.grad(loss, [leaves[name] for name in names])

        outer = loss.item()
        norm = math.sqrt(sum(float(g.square().sum()) for g in gradient))
        watch = watch_loss(task, psi, theta, watched, outer)
        note(best, dict(psi), episode, len(tasks), outer=outer, watch=watch, n_tr=n_tr, norm=norm)
        if best.diverged:
            break
        with torch.no_grad():  # one gradient step on psi
            clipped = [g * min(1.0, settings.clip / (norm + 1e-12)) for g in gradient]
            values, outer_state = settings.outer.step([psi[name] for name in names], clipped, outer_state)
            psi = dict(zip(names, values, strict=True))
        report(f"episode {episode + 1}/{settings.episodes}, n_tr {n_tr}, V {outer:.4f}, watched {watch:.4f}")
        after(State(episode + 1, psi, outer_state, best))
    if theta is not None and not best.diverged:
        best.outside = task.network.outside(theta, psi, task.x[watched] if len(watched) else task.x[:1000])
    own = [task.x for task in tasks if isinstance(task.network, Network) and task.x.is_floating_point()]
    best.largest = max((float(x.abs().max()) for x in own), default=0.0)
    for problem in best.problems:
        report(problem)
    return best


def check(tasks: Sequence[Task], settings: Settings) -> None:
    """Raise ValueError if there is nothing to learn, or nothing to learn it on."""
    if isinstance(tasks, Task):
        raise ValueError("tasks must be a list of tasks, got one Task: write [task]")
    if not tasks:
        raise ValueError("tasks must hold at least 1 task, got none")
    for task in tasks:
        if settings.objective == "given" and task.given is None:
            raise ValueError("the objective 'given' needs a task with given rows")
        drawn = len(task.x) - round(settings.watch * len(task.x))
        if drawn < 2:
            got = f"got {drawn} of {len(task.x)} (watch={settings.watch})"
            raise ValueError(f"a task needs at least 2 rows, to train and to validate on, {got}")
    psi = tasks[0].network.init_psi(settings.start(0))
    if not tasks[0].network.functions:
        raise ValueError("nothing to learn: the network has neither a spline in a hidden layer nor input activations")
    for task in tasks:
        if task.network.functions != tasks[0].network.functions:
            got = f"{tasks[0].network.functions} and {task.network.functions}"
            raise ValueError(f"tasks must share the range, points and kind of what is learned, got {got}")
        if task.x.device != tasks[0].x.device:
            raise ValueError(f"tasks must be on one device, got {tasks[0].x.device} and {task.x.device}")
        for data in ((task.x, task.y), task.given):
            if data is not None and isinstance(task.network, Network):
                check_precision(data, next(iter(psi.values())).dtype)


def note(best: Learned, psi: Psi, episode: int, n_tasks: int, **numbers: float) -> None:
    """Add an episode's numbers to the history and keep its psi if it is the best; or mark the run as diverged."""
    if not all(math.isfinite(number) for number in numbers.values()):
        best.diverged = True
        return
    for name, number in numbers.items():
        best.history[name].append(number)
    if is_best(best, episode, n_tasks):
        best.psi, best.best_episode = psi, episode


def is_best(learned: Learned, episode: int, n_tasks: int) -> bool:
    """Whether the mean watched loss of the last 5 rounds is the lowest so far. A round has one episode of each task."""
    if episode < n_tasks:  # no whole round but the first: nothing to compare with
        return True
    watch = learned.history["watch"]

    def smooth(end):
        window = n_tasks * min(5, end // n_tasks)
        return sum(watch[end - window : end]) / window

    return smooth(episode + 1) < smooth(learned.best_episode + 1)
