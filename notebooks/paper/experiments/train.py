"""The experiments: frozen configurations that compute one record each (Sections 3 and 4, Appendices D and E).

A :class:`Train` trains one network with its activation fixed; a :class:`Learn` runs Algorithm 1 once. Which of them
make up a section of the paper is in :mod:`lib.sections`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from lib import datasets, metalearning, metrics, splines
from lib.metalearning import Settings, Task
from lib.networks import Network, Params, Psi, loss_and_delta
from lib.results import Outcome
from lib.training import Optimiser, Trained, train

MONITORED_ROWS = 10_000  # training rows that the training accuracy is measured on
SCALINGS = ("default", "standard", "quantile")
LOSS_OF = {"classification": "cross_entropy", "binary": "logistic", "regression": "mse", "one-hot": "mse"}


@dataclass(frozen=True, eq=False)
class Rows:
    """One part of a dataset: inputs x, targets y for the loss, class ids."""

    x: Tensor
    y: Tensor
    labels: Tensor

    def __getitem__(self, index) -> "Rows":
        return Rows(self.x[index], self.y[index], self.labels[index])

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Parts:
    """A dataset cut for one run. `inputs`, `outputs`: sizes of the network; `validation` may be None."""

    train: Rows
    validation: Rows | None
    test: Rows
    classes: int
    inputs: int
    outputs: int


def load_parts(
    name: str, task: str, split: int, validation: float, data_dir=None, scaling: str = "default"
) -> Parts:
    """Load a dataset, split it and scale its inputs.

    Args:
        name: see :func:`lib.datasets.load`.
        task: a key of LOSS_OF.
        split: seed of the split; images have a test set of their own, so there it moves the validation rows only.
        validation: fraction of the training rows to hold out; 0 for none.
        scaling: "default": as loaded, images in [0, 1], tables in [-1, 1]; "standard": each column with mean 0 and
            standard deviation 1; "quantile": each value as its rank, in [-1, 1]. By the rows that are left to train on.
    """
    if scaling not in SCALINGS:
        raise ValueError(f"scaling must be one of {SCALINGS}, got {scaling!r}")
    data = datasets.load(name, data_dir, seed=split)

    def rows(x, labels):
        if task == "binary":
            return Rows(x, labels.float()[:, None], labels)
        return Rows(x, datasets.targets(labels, data.classes, task), labels)

    x, x_test = data.x_train, data.x_test
    if data.pairs_train is not None:  # one-hot operands as the indices of their ones
        x, x_test = (pairs + torch.tensor([0, data.classes]) for pairs in (data.pairs_train, data.pairs_test))
    everything, held_out = rows(x, data.y_train), None
    if validation:
        kept, rest = datasets.split(len(everything), validation, seed=split)
        everything, held_out = everything[kept], everything[rest]
    outputs = {"binary": 1, "regression": 1}.get(task, data.classes)
    parts = Parts(everything, held_out, rows(x_test, data.y_test), data.classes, data.x_train.shape[1], outputs)
    return parts if scaling == "default" else scaled(parts, scaling)


def scaled(parts: Parts, scaling: str) -> Parts:
    """The parts with inputs that are "standard" or "quantile", see :func:`load_parts`."""
    x = parts.train.x
    if not x.is_floating_point():
        raise ValueError(f"scaling must be 'default' for one-hot operands, got {scaling!r}")
    mean, deviation = x.mean(dim=0), x.std(dim=0)
    columns = x.T.contiguous().sort().values  # (d, n)
    varied = columns[:, 0] < columns[:, -1]

    def scale(rows: Rows | None) -> Rows | None:
        if rows is None:
            return None
        if scaling == "quantile":
            return replace(rows, x=ranks(columns, rows.x.T.contiguous()).T.contiguous())
        return replace(rows, x=torch.where(varied, (rows.x - mean) / deviation, 0.0))

    return replace(parts, train=scale(parts.train), validation=scale(parts.validation), test=scale(parts.test))


def ranks(columns: Tensor, values: Tensor) -> Tensor:
    """Twice the mean rank of values among a sorted column, minus 1: half of those that are equal count as below.

    Args:
        columns: sorted, (d, n). values: (d, m), contiguous.

    Shape: (d, m), float32, in [-1, 1].
    """
    below, up_to = (torch.searchsorted(columns, values, right=right) for right in (False, True))
    return ((below + up_to) / columns.shape[1] - 1).float()


def accuracy(outputs: Tensor, rows: Rows, task: str, classes: int) -> float:
    """Fraction of correct predictions: argmax, sign (binary), or nearest class id (regression, Section 3.2)."""
    if task == "regression":
        return metrics.nearest_class_accuracy(outputs, classes, rows.labels)
    return metrics.accuracy(outputs, rows.labels)


@dataclass(frozen=True)
class Train:
    """Train one network from scratch with its activation fixed (Appendix E.1).

    Args:
        section, role, arm: what the run is for; the tables select by them.
        data, task: dataset and a key of LOSS_OF.
        network: its inputs and outputs are set from the data.
        optimiser, batch, steps: as in :func:`lib.training.train`.
        seed: of the initial weights and batches. split: of the validation rows (and of the test rows where the
            dataset has no test set of its own).
        learned: key of the Learn record whose activation to use, or "".
        validation: fraction of the training rows for early stopping; 0 keeps the last step.
        evaluations: how often to evaluate, evenly over the steps, or in equal ratios if log_spaced.
        complexity: whether to measure the total variation at each evaluation.
        patience: end after so many evaluations without a better validation accuracy, so that ``steps`` is a cap; 0 for
            never. The record then has ``stopped``: "patience", or "cap" for what might not have converged.
        scaling: of the inputs, see :func:`load_parts`.
    """

    kind: ClassVar[str] = "train"
    version: ClassVar[int] = 1

    section: str
    role: str
    arm: str
    data: str
    task: str
    network: Network
    optimiser: Optimiser
    steps: int
    seed: int
    split: int
    learned: str = ""
    batch: int = 4096
    validation: float = 0.1
    evaluations: int = 20
    log_spaced: bool = False
    complexity: bool = True
    patience: int = field(default=0, metadata={"old": 0})
    scaling: str = field(default="default", metadata={"old": "default"})

    @property
    def datasets(self) -> tuple[str, ...]:
        return (self.data,)

    @property
    def cost(self) -> float:
        return float(self.steps)

    @property
    def label(self) -> str:
        return f"{self.role}, {self.arm}, {self.data}, depth {self.network.depth}, seed {self.seed}"

    def trained(self, context, snapshots: bool = False) -> tuple[Network, Psi, Parts, Trained]:
        """The network, its activation, the data and the training; with snapshots, the weights at each evaluation."""
        parts = load_parts(self.data, self.task, self.split, self.validation, context.data_dir, self.scaling)
        network = replace(self.network, inputs=parts.inputs, outputs=parts.outputs)
        psi = learned_psi(context.store, self.learned) if self.learned else {}
        done = train(
            network,
            psi,
            (parts.train.x, parts.train.y),
            loss=LOSS_OF[self.task],
            optimiser=self.optimiser,
            evaluate_at=schedule(self.steps, self.evaluations, self.log_spaced),
            monitor=self.monitor(network, psi, parts),
            generator=torch.Generator().manual_seed(self.seed),
            batch=self.batch,
            snapshots=snapshots,
            best="validation_accuracy" if self.validation else None,
            patience=self.patience,
        )
        return network, psi, parts, done

    def run(self, context) -> Outcome:
        network, psi, parts, done = self.trained(context)
        history = {name: np.array(values) for name, values in done.history.items()}
        at = int(np.flatnonzero(history["step"] == done.best_step)[0])
        numbers = {name: float(values[at]) for name, values in history.items() if name != "step"}
        numbers |= {"best_step": done.best_step, "diverged": done.diverged}
        if self.patience:
            numbers["stopped"] = "diverged" if done.diverged else "patience" if done.stopped else "cap"
        for part in ("train", "test"):
            curve = history[f"{part}_accuracy"]
            numbers |= {
                f"{part}_steps_to_95": metrics.steps_to(history["step"], curve),
                f"{part}_accuracy_max": float(curve.max()),
                f"{part}_accuracy_last": float(curve[-1]),
            }
        if self.learned and "hidden" in psi:
            history["pre_activations"] = self.density(network, done.params, psi, parts.train[:MONITORED_ROWS])
        return Outcome(numbers, history)

    def density(self, network: Network, params: Params, psi: Psi, rows: Rows) -> np.ndarray:
        """Fraction of the first hidden layer's pre-activations nearest to each control point, (n_c,)."""
        g = network.activation
        z = network.first(params, network.embed(psi, rows.x)).clamp(g.low, g.high)
        half = (g.high - g.low) / (2 * (g.points - 1))  # of the distance between control points
        counts = torch.histc(z, g.points, g.low - half, g.high + half)
        return (counts / counts.sum()).numpy()

    def monitor(self, network: Network, psi: Psi, parts: Parts) -> Callable[[Params], dict[str, float]]:
        """What :func:`lib.training.train` measures at each evaluation."""
        seen = {"train": parts.train[:MONITORED_ROWS], "validation": parts.validation, "test": parts.test}

        def measure(params: Params) -> dict[str, float]:
            numbers = {}
            for name, rows in seen.items():
                if rows is not None:
                    outputs = network.forward(params, psi, rows.x)
                    loss, _ = loss_and_delta(outputs, rows.y, LOSS_OF[self.task])
                    numbers[f"{name}_loss"] = float(loss)
                    numbers[f"{name}_accuracy"] = accuracy(outputs, rows, self.task, parts.classes)
            if self.complexity:
                paths = torch.Generator().manual_seed(self.split)  # the same paths for every model of a split
                tv = metrics.network_total_variation(
                    network, params, psi, parts.train.x, parts.train.labels, generator=paths
                )
                numbers |= {"tv": tv.mean, "tv_standard_error": tv.standard_error}
            return numbers

        return measure


@dataclass(frozen=True)
class Learn:
    """Run Algorithm 1 once: one restart of learning an activation (Section 2.3).

    Args:
        section, arm: what the run is for.
        data: one dataset, or several that the episodes take in turn (Section 4).
        task, network: as in :class:`Train`; the network is narrow.
        settings: of Algorithm 1. seed: of its randomness.
        split, validation: the rows that this split holds out for validation are not learned from, so that the
            selection among restarts can use them; nor are test rows, except with the objective "given" on "test".
        given: for the objective "given": "test" (Table 3's cheating variant), else "".
        scaling: of the inputs, see :func:`load_parts`.
    """

    kind: ClassVar[str] = "learn"
    version: ClassVar[int] = 1

    section: str
    arm: str
    data: tuple[str, ...]
    task: str
    network: Network
    settings: Settings
    seed: int
    split: int = 0
    validation: float = 0.1
    given: str = ""
    scaling: str = field(default="default", metadata={"old": "default"})

    @property
    def datasets(self) -> tuple[str, ...]:
        return self.data

    @property
    def cost(self) -> float:
        return self.settings.planned_steps

    @property
    def label(self) -> str:
        data = self.data[0] if len(self.data) == 1 else f"{len(self.data)} datasets"
        return f"{self.arm}, {data}, seed {self.seed}"

    @property
    def loss(self) -> str:
        """A sum over outputs where the tasks differ in how many they have, so that each counts as much."""
        return "sse" if self.task == "one-hot" and len(self.data) > 1 else LOSS_OF[self.task]

    def run(self, context) -> Outcome:
        tasks = []
        for name in self.data:
            parts = load_parts(name, self.task, self.split, self.validation, context.data_dir, self.scaling)
            network = replace(self.network, inputs=parts.inputs, outputs=parts.outputs)
            given = (parts.test.x, parts.test.y) if self.given == "test" else None
            tasks.append(Task(network, parts.train.x, parts.train.y, self.loss, given))
        learned = metalearning.learn(
            tasks,
            self.settings,
            seed=self.seed,
            checkpoint=context.checkpoint_dir / "algorithm-1.safetensors",
            report=context.report,
        )
        history = {f"history_{name}": np.array(values) for name, values in learned.history.items()}
        numbers = {
            "episodes": len(learned.history["outer"]),
            "best_episode": learned.best_episode,
            "diverged": learned.diverged,
            "inner_steps": float(sum(learned.history["n_tr"])),
        }
        if learned.history["watch"]:
            numbers["watch_loss"] = learned.history["watch"][learned.best_episode]
        return Outcome(numbers, history | {f"psi_{name}": values.numpy() for name, values in learned.psi.items()})


@dataclass(frozen=True)
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


KINDS = {"train": Train, "learn": Learn, "draw": Draw}


def learned_psi(store, key: str) -> Psi:
    """The activation of a Learn record. Raises ValueError if the store has no such record."""
    record = store.read(key)
    if record is None:
        raise ValueError(f"the store has no record {key!r}; compute it first")
    names = [name for name in record.arrays if name.startswith("psi_")]
    return {name.removeprefix("psi_"): torch.from_numpy(record.arrays[name]) for name in names}


def schedule(steps: int, evaluations: int, log_spaced: bool) -> list[int]:
    """Steps to evaluate at, from 0 to ``steps``.

    Example:
        >>> schedule(100, 4, False)
        [0, 25, 50, 75, 100]
    """
    if not 1 <= evaluations <= steps:
        raise ValueError(f"evaluations must be from 1 to steps ({steps}), got {evaluations}")
    points = np.linspace(0, steps, evaluations + 1)[1:]
    if log_spaced and evaluations > 1:
        points = np.geomspace(1, steps, evaluations)
    return [0] + sorted({round(p) for p in points})
