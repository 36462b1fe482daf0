"""Networks that are no MLPs, as experiments: a one-layer transformer and a small convolutional network.

A :class:`TrainModule` trains one with a fixed function, a :class:`LearnModule` learns the function, through
:mod:`lib.modules`. All have cross-entropy as their loss.
"""

import functools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lib import datasets, learner, metrics
from lib.episodes import episode_generator, inner_loop
from lib.metalearning import Settings, Task
from lib.modules import ModuleNetwork
from lib.networks import Activation, Params, Psi
from lib.training import Batches, Optimiser, take

from ..records.store import Outcome
from . import scores
from .learn import algorithm_1
from .parts import Rows, schedule
from .race import RACE, auto_settings, best_of, units

LOSS = "cross_entropy"
MOST_HELD = 1000  # validation rows, and training rows that the training accuracy is measured on
FIXED = {"ReLU": torch.relu, "GELU": F.gelu}
FOUND = ("hidden", "by_hand", "sine")  # of a learning: what it returns, and the best of its race of two families


class Transformer(nn.Module):
    """One layer on the sequence a b =, without normalisation. Only = is read, so only its place is computed.

    Attention is written out: fused kernels have no second derivative.
    """

    def __init__(self, g: nn.Module, shape: tuple[int, ...], classes: int, width: int, heads: int = 4):
        super().__init__()
        self.heads, self.equals = heads, classes
        self.tokens = nn.Parameter(torch.randn(classes + 1, width) / width**0.5)
        self.places = nn.Parameter(torch.randn(3, width) / width**0.5)
        self.query, self.key, self.value, self.mix = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), g, nn.Linear(4 * width, width))
        self.read = nn.Linear(width, classes)

    def forward(self, pairs: Tensor) -> Tensor:
        """Scores (n, classes) of pairs (n, 2)."""
        words = F.pad(pairs, (0, 1), value=self.equals)  # (n, 3)
        x = self.tokens[words] + self.places
        last, split = x[:, 2], (self.heads, -1)
        query, key, value = self.query(last), self.key(x), self.value(x)
        query, key, value = (part.unflatten(-1, split) for part in (query, key, value))  # (n[, 3], heads, d)
        weights = ((query[:, None] * key).sum(-1) / query.shape[-1] ** 0.5).softmax(1)  # (n, 3, heads)
        last = last + self.mix((weights[..., None] * value).sum(1).flatten(1))
        return self.read(last + self.mlp(last))


class Convolutional(nn.Module):
    """Two convolutions of 3 x 3, each of stride 2 and followed by g, and a linear layer."""

    def __init__(self, g: nn.Module, shape: tuple[int, ...], classes: int, width: int):
        super().__init__()
        self.height, self.wide, self.colours = (*shape, 1)[:3]
        places = -(-self.height // 4) * -(-self.wide // 4)
        about = {"kernel_size": 3, "stride": 2, "padding": 1}
        first, second = nn.Conv2d(self.colours, width, **about), nn.Conv2d(width, 2 * width, **about)
        self.layers = nn.Sequential(first, g, second, g, nn.Flatten(), nn.Linear(2 * width * places, classes))

    def forward(self, x: Tensor) -> Tensor:
        """Scores (n, classes) of flat images (n, height * width * colours)."""
        return self.layers(x.unflatten(1, (self.height, self.wide, self.colours)).movedim(3, 1))


MODELS = {"transformer": Transformer, "cnn": Convolutional}


@dataclass(frozen=True, eq=False)
class Loaded:
    """The rows of a :class:`Subject`, the shape of an example and the number of classes."""

    train: Rows
    validation: Rows
    test: Rows
    shape: tuple[int, ...]
    classes: int


@functools.lru_cache(maxsize=2)  # few: runs that follow each other mostly share their rows
def load(name: str, rows: int, held: float, split: int, data_dir=None) -> Loaded:
    """The rows of a subject: see there. Pairs of an algorithmic task are integers, images are flat."""
    data = datasets.load(name, data_dir, seed=split)
    pairs = data.pairs_train is not None
    x, x_test = (data.pairs_train, data.pairs_test) if pairs else (data.x_train, data.x_test)
    kept, rest = datasets.split(len(x), held, seed=split)
    kept, rest = kept[: rows or None], rest[:MOST_HELD]
    train, validation = (Rows(x[part], data.y_train[part], data.y_train[part]) for part in (kept, rest))
    return Loaded(train, validation, Rows(x_test, data.y_test, data.y_test), data.shape, data.classes)


@dataclass(frozen=True)
class Subject:
    """What is trained, on what.

    Args:
        model: a key of MODELS. width: of a token, or the channels of the first convolution.
        data: pairs for the transformer, images for the convolutional network.
        rows: the first so many of the rows that are left to train on; 0 for all.
        held: fraction of the training rows for all choices (of which at most MOST_HELD count).
    """

    model: str
    width: int
    data: str
    rows: int
    held: float

    def __post_init__(self):
        if self.model not in MODELS:
            raise ValueError(f"model must be one of {tuple(MODELS)}, got {self.model!r}")

    def load(self, split: int, data_dir) -> Loaded:
        """Its rows; the split is of the validation rows, and of test rows where the data have none of their own."""
        return load(self.data, self.rows, self.held, split, data_dir)

    def network(self, data: Loaded, activation: Activation) -> ModuleNetwork:
        """Its network, with the spline as g."""
        about = {"shape": data.shape, "classes": data.classes, "width": self.width}
        return ModuleNetwork(functools.partial(MODELS[self.model], **about), activation)


@dataclass(frozen=True, kw_only=True)
class TrainModule:
    """Train a network from scratch with its function fixed.

    Args:
        section, role, arm: what the run is for; the tables select by them.
        subject: what is trained. function: a key of FIXED, or one of FOUND, of the record ``learned``.
        optimiser, batch, steps: of the training. seed: of weights and batches. split: see :meth:`Subject.load`.
        evaluations: how often to evaluate, evenly over the steps, or in equal ratios if log_spaced.
        patience: end after so many evaluations without a better validation accuracy, so that ``steps`` is a cap, and
            test the best step only. 0: all steps, test rows at each evaluation; the last step counts.
    """

    kind: ClassVar[str] = "train-module"
    version: ClassVar[int] = 1

    section: str
    role: str
    arm: str
    subject: Subject
    function: str
    optimiser: Optimiser
    batch: int
    steps: int
    seed: int
    split: int
    evaluations: int
    log_spaced: bool = False
    patience: int = 0
    learned: str = ""

    def __post_init__(self):
        if self.function not in (FOUND if self.learned else FIXED):
            raise ValueError(f"function must be one of {tuple(FIXED)}, or of {FOUND} of a learning: {self}")

    @property
    def datasets(self) -> tuple[str, ...]:
        return (self.subject.data,)

    @property
    def reads(self) -> tuple[str, ...]:
        """The records that a run reads."""
        return (self.learned,) if self.learned else ()

    @property
    def cost(self) -> float:
        return float(self.steps)

    @property
    def label(self) -> str:
        return f"{self.role}, {self.arm}, {self.subject.data}, rate {self.optimiser.lr:g}, seed {self.seed}"

    def run(self, context) -> Outcome:
        data = self.subject.load(self.split, context.data_dir)
        network, psi = self.prepared(data, context.store)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            return self.follow(network, psi, data)

    def prepared(self, data: Loaded, store) -> tuple[ModuleNetwork, Psi]:
        """The network with its function, and psi where that is a spline."""
        if not self.learned:
            network = self.subject.network(data, Activation("spline"))
            network.g.function = FIXED[self.function]
            return network, {}
        record = store.read(self.learned)
        if record is None:
            raise ValueError(f"the store has no record {self.learned!r}; compute it first")
        values = torch.from_numpy(record.arrays[f"psi_{self.function}"])
        low, high = record.numbers["low"], record.numbers["high"]
        activation = Activation("spline", points=len(values), low=low, high=high)
        return self.subject.network(data, activation), {"hidden": values}

    def follow(self, network: ModuleNetwork, psi: Psi, data: Loaded) -> Outcome:
        """Train, and measure at the evaluations."""
        generator = torch.Generator().manual_seed(self.seed)
        theta = network.init(generator)
        state, batches = self.optimiser.init(theta), Batches(len(data.train), self.batch, generator)
        seen = {"train": data.train[:MOST_HELD], "validation": data.validation}
        seen |= {} if self.patience else {"test": data.test}
        evaluate_at, history = schedule(self.steps, self.evaluations, self.log_spaced), {"step": []}
        best, best_step, kept, waited, stopped = -1.0, 0, theta, 0, "cap"
        for step in range(self.steps + 1):
            if step:
                batch = take((data.train.x, data.train.y), batches.next())
                loss, grads = network.loss_and_gradients(theta, psi, *batch, LOSS)
                theta, state = self.optimiser.step(theta, grads, state)
                if not bool(torch.isfinite(loss)):
                    stopped = "diverged"
                    break
            if step not in evaluate_at:
                continue
            history["step"].append(step)
            for part, rows in seen.items():
                history.setdefault(f"{part}_accuracy", []).append(accuracy(network, theta, psi, rows))
            waited += 1
            if not self.patience or history["validation_accuracy"][-1] > best:
                best, best_step, kept, waited = history["validation_accuracy"][-1], step, theta, 0
            if self.patience and waited >= self.patience:
                stopped = "patience"
                break
        arrays = {name: np.array(values) for name, values in history.items()}
        numbers = {"best_step": best_step, "diverged": stopped == "diverged", "stopped": stopped}
        for part in ("train", "validation", "test"):
            rows = seen.get(part, data.test)
            numbers[f"{part}_accuracy"] = accuracy(network, kept, psi, rows)
            if not self.patience:
                numbers[f"{part}_steps_to_95"] = scores.steps_to(arrays["step"], arrays[f"{part}_accuracy"])
        return Outcome(numbers, arrays)


@torch.no_grad()
def accuracy(network: ModuleNetwork, theta: Params, psi: Psi, rows: Rows) -> float:
    """Fraction of rows whose class has the highest score."""
    outputs = [network.forward(theta, psi, x) for x in rows.x.split(1000)]
    return metrics.accuracy(torch.cat(outputs), rows.labels)


@dataclass(frozen=True, kw_only=True)
class LearnModule:
    """Learn the function: one restart, a race of functions (:mod:`lib.learner`) and Algorithm 1 from its best.

    NOTE[DIFF]: the paper learns in MLPs alone, and starts from zeros or a ReLU.

    Args:
        section, arm: what it is for. subject, optimiser, batch: as in :class:`TrainModule`; no validation rows used.
        steps: of the race's last heat, of episodes, and of the ReLU network whose pre-activations set the range.
        episodes: of Algorithm 1. points: control points. seed: of all that is random.
    """

    kind: ClassVar[str] = "learn-module"
    version: ClassVar[int] = 1

    section: str
    arm: str
    subject: Subject
    optimiser: Optimiser
    batch: int
    steps: int
    episodes: int
    points: int
    seed: int
    split: int = 0

    @property
    def datasets(self) -> tuple[str, ...]:
        return (self.subject.data,)

    @property
    def cost(self) -> float:
        return float(self.steps * (RACE + 1 + self.episodes))

    @property
    def label(self) -> str:
        return f"{self.arm}, {self.subject.data}, seed {self.seed}"

    def run(self, context) -> Outcome:
        data = self.subject.load(self.split, context.data_dir)
        with torch.random.fork_rng(devices=[]):
            return self.learn(data, context)

    def learn(self, data: Loaded, context) -> Outcome:
        """Range, race, Algorithm 1."""
        about = {"inner": self.optimiser, "batch": self.batch, "steps": self.steps}
        scale, bound = self.units(data)
        activation = Activation("spline", points=self.points, low=-bound, high=bound)
        task = Task(self.subject.network(data, activation), data.train.x, data.train.y, LOSS)
        starts = learner.race(task, learner.family(scale, self.seed), **about, seed=self.seed, report=context.report)
        settings = auto_settings(**about, start=starts[0].psi, episodes=self.episodes)
        outcome = algorithm_1([task], settings, self.seed, context, starts[0].psi)
        by_hand, sine = best_of(starts, "by hand"), best_of(starts, "sine")
        names = {"start": starts[0].name, "by_hand": by_hand.name, "sine": sine.name}
        outcome.numbers.update({"low": -bound, "high": bound, "scale": scale} | names)
        found = {"start": starts[0], "by_hand": by_hand, "sine": sine}
        outcome.arrays.update({f"psi_{name}": start.psi["hidden"].numpy() for name, start in found.items()})
        return outcome

    def units(self, data: Loaded) -> tuple[float, float]:
        """Scale and range of the functions: of what g is given in a ReLU network, before and after training."""
        task = Task(self.subject.network(data, Activation("spline")), data.train.x, data.train.y, LOSS)
        network, rows = task.network, torch.arange(len(data.train))
        network.g.function, generator = torch.relu, episode_generator(self.seed, 0)
        settings = Settings(inner=self.optimiser, batch=self.batch, unroll=0)
        first = network.init(generator)
        last, seen = inner_loop(task, {}, first, rows, self.steps, settings, generator), []
        for theta in (first, last):
            network.g.seen = []
            accuracy(network, theta, {}, data.train[:500])
            seen.append(torch.cat(network.g.seen))
        return units(*seen)
