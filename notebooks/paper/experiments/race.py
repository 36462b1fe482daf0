"""Where Algorithm 1 starts: a race of functions, as an experiment (see :mod:`lib.learner`)."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from lib import learner, splines
from lib.episodes import episode_generator, inner_loop
from lib.metalearning import Settings, Task
from lib.networks import Activation, Network, Params, Psi
from lib.training import Optimiser

from ..records.store import Outcome
from .parts import LOSS_OF, load_parts

GROUPS = ("by hand", "random")
PLACES = ("second", "third")  # in the last heat, behind the best one
RACE = 14  # about how many full trainings a race takes
EPISODES = 24  # of a learning, each as long as a training of the race's last heat


@torch.no_grad()
def pre_activations(network: Network, params: Params, psi: Psi, x: Tensor) -> Tensor:
    """What the hidden units' function is given, over all layers, flat."""
    cut = [replace(network, depth=k, outputs=network.width) for k in range(network.depth)]  # their outputs are z
    return torch.cat([part.forward(params[: 2 * k + 2], psi, x).flatten() for k, part in enumerate(cut)])


def scale_and_range(z: Tensor) -> tuple[float, float]:
    """The standard deviation s of pre-activations, and b so that [-b, b] is 1.5 times what holds 99.9 % of them.

    Example:
        >>> scale_and_range(torch.tensor([-1.0, 1.0]))
        (1.0, 1.5)
    """
    z = z[z.isfinite()].float()
    if not len(z) or not float(z.std(correction=0)) > 0:
        return 1.0, 5.0
    size = z.abs().kthvalue(max(1, round(0.999 * len(z)))).values
    return float(f"{z.std(correction=0):.3g}"), float(f"{1.5 * size:.3g}")


def units(before: Tensor, after: Tensor) -> tuple[float, float]:
    """The scale of a race's functions and the bound of their range, from the pre-activations of a ReLU network before
    and after training: the scale of the latter, the wider of the two ranges."""
    return scale_and_range(after)[0], max(scale_and_range(z)[1] for z in (before, after))


def best_of(starts: list[learner.Start], group: str) -> learner.Start:
    """The best start of a race whose name begins with a word, or "by hand": that is not random."""
    if group == "by hand":
        return next(start for start in starts if not start.name.startswith("random"))
    return next(start for start in starts if start.name.startswith(group))


def auto_settings(inner: Optimiser, batch: int, steps: int, start: Psi, episodes: int = EPISODES) -> Settings:
    """Settings of Algorithm 1 from a start, in quantities without units.

    Episodes are all alike and as long as the race's last heat, about a quarter of a whole training: what is learned in
    shorter ones is good at the start of a training only (Wu et al., "Understanding short-horizon bias in stochastic
    meta-optimization", ICLR 2018).

    Args:
        inner, batch: how the task's networks are trained. steps: of the race's last heat.
        start: psi; see :func:`lib.learner.outer_rate`.
    """
    outer, unroll = Optimiser("adam", learner.outer_rate(start)), min(20, max(5, steps // 100))
    about = {"episodes": episodes, "n_tr_start": steps, "n_tr_step": 0, "n_tr_max": steps, "patience": 12}
    return Settings(inner=inner, outer=outer, batch=batch, unroll=unroll, **about)


@dataclass(frozen=True, kw_only=True)
class Race:
    """Try functions by short trainings; psi is the best one's.

    Args:
        section, arm: what it is for.
        data, task, network, optimiser, batch: as in :class:`.experiments.train.Train`. The hidden activation is a
            spline; its range is found here.
        steps: of the last heat, and of the ReLU network whose pre-activations set the scale and the range.
        seed: of the functions, of weights, of the rows that they are compared on.
        split, validation, scaling: as in :class:`.experiments.learn.Learn`.
    """

    kind: ClassVar[str] = "race"
    version: ClassVar[int] = 1

    section: str
    arm: str
    data: str
    task: str
    network: Network
    optimiser: Optimiser
    batch: int
    steps: int
    seed: int
    split: int = 0
    validation: float = 0.1
    scaling: str = field(default="default", metadata={"old": "default"})

    @property
    def datasets(self) -> tuple[str, ...]:
        return (self.data,)

    @property
    def cost(self) -> float:
        return float(self.steps * (RACE + 1))

    @property
    def label(self) -> str:
        return f"{self.arm}, {self.data}, depth {self.network.depth}, seed {self.seed}"

    def problem(self, context) -> Task:
        """The task with a ReLU network."""
        parts = load_parts(self.data, self.task, self.split, self.validation, context.data_dir, self.scaling)
        relu = replace(self.network, activation=Activation(), inputs=parts.inputs, outputs=parts.outputs)
        return Task(relu, parts.train.x, parts.train.y, LOSS_OF[self.task])

    def run(self, context) -> Outcome:
        task, generator = self.problem(context), episode_generator(self.seed, 0)
        relu, x, rows = task.network, task.x[:2000], torch.arange(len(task.x))
        settings, first = Settings(inner=self.optimiser, batch=self.batch, unroll=0), relu.init(generator)
        last = inner_loop(task, {}, first, rows, self.steps, settings, generator)
        before, after = (pre_activations(relu, theta, {}, x) for theta in (first, last))
        scale, bound = units(before, after)

        activation = replace(self.network.activation, low=-bound, high=bound)
        task = replace(task, network=replace(relu, activation=activation))
        about = {"inner": self.optimiser, "batch": self.batch, "steps": self.steps, "seed": self.seed}
        starts = learner.race(task, learner.family(scale, self.seed), **about, report=context.report)
        heats = len(learner.HEATS)
        losses = np.array([[*start.losses, *[np.nan] * (heats - len(start.losses))] for start in starts])
        lengths = [max(1, self.steps // divisor) for divisor, _ in learner.HEATS]
        counts = (~np.isnan(losses)).sum(0)  # trainings of each heat
        numbers = {"low": -bound, "high": bound, "scale": scale, "names": [start.name for start in starts]}
        numbers |= {"inner_steps": self.steps + float(np.dot(lengths, counts))}
        arrays = {"losses": losses, "psi_hidden": starts[0].psi["hidden"].numpy()}
        for group in GROUPS:
            arrays[group.replace(" ", "_")] = best_of(starts, group).psi["hidden"].numpy()
        return Outcome(numbers, arrays)


@dataclass(frozen=True, kw_only=True)
class Pick:
    """A function of a race: the best of those made by hand, the best random one, or one by its place in the last heat.

    Args:
        section, arm: what it is for. race: key of a Race record. group: one of GROUPS or PLACES.
    """

    kind: ClassVar[str] = "pick"
    version: ClassVar[int] = 1

    section: str
    arm: str
    race: str
    group: str

    datasets: ClassVar[tuple[str, ...]] = ()
    cost: ClassVar[float] = 1.0

    def __post_init__(self):
        if self.group not in GROUPS + PLACES:
            raise ValueError(f"group must be one of {GROUPS + PLACES}, got {self.group!r}")

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.race,)

    def run(self, context) -> Outcome:
        record = context.store.read(self.race)
        if record is None:
            raise ValueError(f"the store has no record {self.race!r}; compute it first")
        if self.group in GROUPS:
            return Outcome({}, {"psi_hidden": record.arrays[self.group.replace(" ", "_")]})
        found = record.numbers
        function = learner.family(found["scale"], record.config["seed"])[found["names"][1 + PLACES.index(self.group)]]
        points = record.config["network"]["activation"]["points"]
        psi = splines.initial_values(function, points, found["low"], found["high"])
        return Outcome({}, {"psi_hidden": psi.numpy()})
