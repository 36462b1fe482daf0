"""Experiments with collages: which tile does a network rely on, and can its activation decide? (Section 3.4)

A :class:`TrainCollage` trains one network on ambiguous collages and follows its accuracy on both tiles; a
:class:`LearnCollage` learns an activation for one of the tiles. The embedded pair of datasets needs no files.
"""

import functools
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from lib import metrics
from lib.metalearning import Settings, Task
from lib.networks import Activation, Network
from lib.training import Optimiser, train

from ..records.store import Outcome
from .learn import algorithm_1
from .parts import learned_psi, planned_steps, schedule
from .race import Race
from .tiles import Collages, collage

TILES = ("first", "second")
MONITORED = 10_000  # training collages that the training accuracy is measured on


@functools.lru_cache(maxsize=1)  # in colour they are 2 GB; experiments that follow each other mostly share them
def load(first: str, second: str, half: bool, split: int, data_dir=None) -> Collages:
    """The collages of an experiment, see :func:`.experiments.tiles.collage`; `split` is its seed."""
    return collage(first, second, seed=split, half=half, data_dir=data_dir)


def unambiguous(x: Tensor, tile: str, *, generator: torch.Generator) -> Tensor:
    """Training collages in which only one tile predicts the class: the other is taken from a random collage.

    Args:
        x: collages (n, d), first tile first.
        tile: "first" or "second", the one that stays.

    Raises:
        ValueError: if the tile is neither.

    Example:
        >>> x = torch.arange(8.0).reshape(4, 2)
        >>> unambiguous(x, "first", generator=torch.Generator().manual_seed(0))[:, 0].tolist()
        [0.0, 2.0, 4.0, 6.0]
    """
    check_tile(tile)
    middle, rows = x.shape[1] // 2, torch.randperm(len(x), generator=generator)
    other = slice(middle, None) if tile == "first" else slice(None, middle)
    mixed = x.clone()
    mixed[:, other] = x[rows, other]
    return mixed


def validation_halves(data: Collages, tile: str) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Two halves (x, y) of the validation set of a tile: for learning (V), and for stopping and selection.

    NOTE[DIFF]: the paper does not say that the rows which psi is fitted to and the rows which choose differ; here they
    do.
    """
    x, y = getattr(data, f"validation_{check_tile(tile)}")
    middle = len(y) // 2
    return (x[:middle], y[:middle]), (x[middle:], y[middle:])


def check_tile(tile: str) -> str:
    """Return the tile, or raise a ValueError."""
    if tile not in TILES:
        raise ValueError(f"tile must be one of {TILES}, got {tile!r}")
    return tile


@dataclass(frozen=True, kw_only=True)
class TrainCollage:
    """Train a network on ambiguous collages with its activation fixed, and follow both accuracies (Figure 9).

    Args:
        section, role, arm: what the run is for; the figures select by them.
        first, second: the datasets of the tiles.
        network: its inputs and outputs are set from the data.
        optimiser, steps, batch: as in :func:`lib.training.train`.
        seed: of the initial weights and batches. split: of the collages.
        learned: key of the LearnCollage record whose activation to use, or "".
        unambiguous: "first" or "second" to train on collages in which only this tile predicts the class (the
            upper bound of C12); "" for ambiguous ones.
        half: see :func:`.experiments.tiles.collage`.
        evaluations: how often to evaluate, in equal ratios of steps.
    """

    kind: ClassVar[str] = "train_collage"
    version: ClassVar[int] = 1

    section: str
    role: str
    arm: str
    first: str
    second: str
    network: Network
    optimiser: Optimiser
    steps: int
    seed: int
    split: int
    learned: str = ""
    unambiguous: str = ""
    half: bool = True
    batch: int = 4096
    evaluations: int = 40

    @property
    def datasets(self) -> tuple[str, ...]:
        return (self.first, self.second)

    @property
    def reads(self) -> tuple[str, ...]:
        """The records that a run reads."""
        return (self.learned,) if self.learned else ()

    @property
    def cost(self) -> float:
        return float(self.steps)

    def run(self, context) -> Outcome:
        data = load(self.first, self.second, self.half, self.split, context.data_dir)
        network = replace(self.network, inputs=data.x_train.shape[1], outputs=data.classes)
        psi = learned_psi(context.store, self.learned) if self.learned else {}
        x = data.x_train
        if self.unambiguous:
            x = unambiguous(x, self.unambiguous, generator=torch.Generator().manual_seed(self.split))
        sets = {f"test_{tile}": getattr(data, f"test_{tile}") for tile in TILES}
        sets |= {f"validation_{tile}": validation_halves(data, tile)[1] for tile in TILES}
        sets["train"] = (x[:MONITORED], data.y_train[:MONITORED])

        def monitor(params):
            return {name: metrics.accuracy(network.predict(params, psi, x), y) for name, (x, y) in sets.items()}

        done = train(
            network,
            psi,
            (x, data.y_train),
            loss="cross_entropy",
            optimiser=self.optimiser,
            evaluate_at=schedule(self.steps, self.evaluations, True),
            monitor=monitor,
            generator=torch.Generator().manual_seed(self.seed),
            batch=self.batch,
            best=None,
        )
        history = {name: np.array(values) for name, values in done.history.items()}
        return Outcome(stops(history) | {"diverged": done.diverged}, history)


def stops(history: dict[str, np.ndarray]) -> dict[str, float]:
    """Test accuracy on each tile at the last step, and where early stopping for either tile ends.

    Args:
        history: "step" and the accuracies "test_first", "validation_first" and so on, each (evaluations,).

    Returns:
        ``last_first``, ``last_second``; and for each tile that decides when to stop ``by_first_step``,
        ``by_first_first`` (accuracy on the first tile), ``by_first_second``, and so on.

    Example:
        >>> rising, falling = np.array([0.1, 0.9]), np.array([0.2, 0.1])
        >>> history = {"step": np.array([0, 5])}
        >>> for part in ("test", "validation"):
        ...     history |= {f"{part}_first": rising, f"{part}_second": falling}
        >>> numbers = stops(history)
        >>> numbers["last_second"], numbers["by_second_second"], numbers["by_second_step"]
        (0.1, 0.2, 0)
    """
    numbers = {f"last_{tile}": float(history[f"test_{tile}"][-1]) for tile in TILES}
    for tile in TILES:
        at = int(np.argmax(history[f"validation_{tile}"]))
        numbers[f"by_{tile}_step"] = int(history["step"][at])
        numbers[f"by_{tile}_validation"] = float(history[f"validation_{tile}"][at])
        numbers |= {f"by_{tile}_{other}": float(history[f"test_{other}"][at]) for other in TILES}
    return numbers


@dataclass(frozen=True, kw_only=True)
class LearnCollage:
    """Learn an activation for one tile: Algorithm 1 with V = unambiguous collages of that tile (Section 3.4).

    Args:
        section, arm: what the run is for.
        first, second, half, split: the collages, as in :class:`TrainCollage`.
        tile: "first" or "second", the one that predicts the class in V.
        network, settings, seed: of Algorithm 1; the objective of the settings is "given".
        start: key of a record whose activation psi starts from, or "" to start as the settings say.
    """

    kind: ClassVar[str] = "learn_collage"
    version: ClassVar[int] = 1

    section: str
    arm: str
    first: str
    second: str
    tile: str
    network: Network
    settings: Settings
    seed: int
    split: int = 0
    half: bool = True
    start: str = field(default="", metadata={"old": ""})

    def __post_init__(self):
        check_tile(self.tile)
        if self.settings.objective != "given" or self.settings.watch:
            got = f"{self.settings.objective!r} and watch={self.settings.watch}"
            raise ValueError(f"V is given and no ambiguous collages are watched, got the objective {got}")

    @property
    def datasets(self) -> tuple[str, ...]:
        return (self.first, self.second)

    @property
    def reads(self) -> tuple[str, ...]:
        """The records that a learning reads."""
        return (self.start,) if self.start else ()

    @property
    def cost(self) -> float:
        return planned_steps(self.settings)

    def run(self, context) -> Outcome:
        start = learned_psi(context.store, self.start) if self.start else None
        return algorithm_1([problem(self, context)], self.settings, self.seed, context, start)


@dataclass(frozen=True, kw_only=True)
class RaceCollage(Race):
    """A race on collages: all of them train, and functions are judged by the loss on V.

    Args:
        data: the datasets of both tiles, "first + second". task: "collage". tile, half: as in :class:`LearnCollage`.
            The others as in :class:`.race.Race`.
    """

    kind: ClassVar[str] = "race_collage"
    version: ClassVar[int] = 1

    tile: str
    half: bool = True

    @property
    def datasets(self) -> tuple[str, ...]:
        return (self.first, self.second)

    @property
    def first(self) -> str:
        """The dataset of the first tile."""
        return self.data.split(" + ")[0]

    @property
    def second(self) -> str:
        """The dataset of the second tile."""
        return self.data.split(" + ")[1]

    def problem(self, context) -> Task:
        return problem(replace(self, network=replace(self.network, activation=Activation())), context)


def problem(of: LearnCollage | RaceCollage, context) -> Task:
    """What is learned on: ambiguous collages, with V for a tile."""
    data = load(of.first, of.second, of.half, of.split, context.data_dir)
    network = replace(of.network, inputs=data.x_train.shape[1], outputs=data.classes)
    given, _ = validation_halves(data, of.tile)
    return Task(network, data.x_train, data.y_train, "cross_entropy", given)
