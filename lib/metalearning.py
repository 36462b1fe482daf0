"""Algorithm 1: meta-learn an activation function by bi-level optimisation (Section 2.3, Appendix C)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch

from .episodes import (
    LARGEST_SEED,
    Report,
    Settings,
    Task,
    draw_episode,
    episode_generator,
    ordinary_torch,
    outer_source,
    silent,
    unrolled,
    watch_loss,
    watch_split,
)
from .networks import Activation, Network, Params, Psi, integer
from .splines import Spline
from .training import check_precision, take


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
    raced: what psi began as where that is the winner of a race (:mod:`lib.learner`), such as "sine, k = 20".
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
    raced: str = ""

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
        if not self.changed and self.raced:
            found.append(f"nothing was learned beyond the best of the race, {self.raced}: it is kept as it is")
        elif not self.changed:
            found.append(f"nothing was learned: psi is the initial one; try {', '.join(self._other_settings())}")
        if self.largest > 10:
            found.append(f"inputs are as large as {self.largest:.3g}: scale them to about [-1, 1]")
        elif (g := self.functions.get("hidden")) and max(-g.low, g.high) > 20:
            wide = f"the range [{g.low:g}, {g.high:g}] is wide"
            found.append(f"{wide}: scale the inputs, or normalise what the function is given")
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
            name: "hidden", or with one per layer "hidden.0", ...; or "input" for the input activations: one per column,
                for inputs (..., d). ValueError if there is none of that name.
        """
        found = self.splines()
        if name not in found:
            raise ValueError(f"name must be one of {sorted(found)}, got {name!r}")
        return found[name]


@dataclass(frozen=True, eq=False)
class State:
    """All that the next episode needs: its number, psi, the state of the outer optimiser, and the best so far."""

    episode: int
    psi: Psi
    outer: dict
    best: Learned


def at(start: Psi, network, settings: Settings) -> State:
    """The state before the first episode, with psi at a start."""
    best = Learned(dict(start), functions=network.functions, settings=settings, dim=getattr(network, "dim", -1))
    return State(0, dict(start), settings.outer.init([start[name] for name in sorted(start)]), best)


def learn(
    tasks: Sequence[Task],
    settings: Settings,
    *,
    seed: int,
    state: State | None = None,
    gradient: Callable[..., tuple[float, Psi, Params]] = unrolled,
    after: Callable[[State], None] = lambda state: None,
    report: Report = silent,
) -> Learned:
    """Run Algorithm 1 once (one restart).

    With several tasks, the episodes take them in turn (Section 4). An episode's randomness depends on (seed, episode)
    alone, so a run that was stopped goes on from a ``state`` to the identical result.

    Args:
        tasks: at least one; all share psi.
        state: where to go on, of a run with the same tasks, settings and seed.
        gradient: what estimates the outer gradient in an episode, with the signature of :func:`.episodes.unrolled`.
        after: called after each episode with the state, which the next episode changes: copy or write what is kept.
        report: called once per episode with n_tr and the losses on V and on the watched rows, and at the end with each
            of the result's problems.

    Raises:
        ValueError: without a task or a learned activation, for a task of fewer than 2 rows, without given rows for the
            objective "given", or for data that are not float32.
    """
    check(tasks, settings)
    seed, device = integer("seed", seed), tasks[0].x.device
    if abs(seed) > LARGEST_SEED:
        raise ValueError(f"seed must be at most {LARGEST_SEED} in size, got {seed}")
    with ordinary_torch(device):
        return _learn(tasks, settings, seed, device, state, gradient, after, report)


def _learn(tasks, settings, seed, device, state, gradient, after, report) -> Learned:
    network = tasks[0].network
    psi = {name: values.to(device) for name, values in network.init_psi(settings.start(seed)).items()}  # psi := zeros
    start, names = at(psi, network, settings), sorted(psi)
    state = state or start
    first, psi, outer_state, best = state.episode, state.psi, state.outer, state.best
    best = replace(start.best, psi=best.psi, best_episode=best.best_episode, history=best.history)
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
        held = take(outer_source(task, settings), outer_rows)
        outer, slopes, theta = gradient(task, psi, train_rows, held, n_tr, settings, generator)

        norm = math.sqrt(sum(float(slopes[name].square().sum()) for name in names))
        watch = watch_loss(task, psi, theta, watched, outer)
        note(best, dict(psi), episode, len(tasks), outer=outer, watch=watch, n_tr=n_tr, norm=norm)
        if best.diverged:
            break
        with torch.no_grad():  # one gradient step on psi
            clipped = [slopes[name] * min(1.0, settings.clip / (norm + 1e-12)) for name in names]
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
    """Add an episode's numbers to the history, or mark the run as diverged; keep the best psi so far: that with the
    lowest mean watched loss over the last 5 rounds. A round has one episode of each task."""
    if not all(math.isfinite(number) for number in numbers.values()):
        best.diverged = True
        return
    for name, number in numbers.items():
        best.history[name].append(number)

    def smooth(end):
        window = n_tasks * min(5, end // n_tasks)
        return sum(best.history["watch"][end - window : end]) / window

    # before the end of the first round, there is nothing to compare with
    if episode < n_tasks or smooth(episode + 1) < smooth(best.best_episode + 1):
        best.psi, best.best_episode = psi, episode
