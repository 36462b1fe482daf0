"""What the experiments share: a dataset cut for one run, its accuracies, a learned activation and its use."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from lib import datasets, metrics
from lib.metalearning import Settings
from lib.networks import Network, Params, Psi
from lib.training import Optimiser, Trained, train

from . import scores

MONITORED_ROWS = 10_000  # training rows that the training accuracy is measured on
SCALINGS = ("default", "standard", "quantile")
LOSS_OF = {"classification": "cross_entropy", "binary": "logistic", "regression": "mse", "one-hot": "mse"}


def planned_steps(settings: Settings) -> float:
    """About how many inner steps all episodes of Algorithm 1 take together, if none stops early."""
    last = min(settings.n_tr_start + settings.n_tr_step * settings.episodes, settings.n_tr_max)
    return settings.episodes * (settings.n_tr_start + last) / 2


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


def load_parts(name: str, task: str, split: int, validation: float, data_dir=None, scaling: str = "default") -> Parts:
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
        return scores.nearest_class_accuracy(outputs, classes, rows.labels)
    return metrics.accuracy(outputs, rows.labels)


def use(
    network: Network,
    psi: Psi,
    parts: Parts,
    task: str,
    *,
    optimiser: Optimiser,
    evaluate_at: Sequence[int],
    seed: int,
    best: str | None = None,
) -> Trained:
    """Train a fresh network with its activation fixed, and follow its accuracy on each part; see :func:`train`."""
    seen = {"train": parts.train, "validation": parts.validation, "test": parts.test}

    def monitor(params: Params) -> dict[str, float]:
        return {
            f"{name}_accuracy": accuracy(network.predict(params, psi, rows.x), rows, task, parts.classes)
            for name, rows in seen.items()
            if rows is not None
        }

    return train(
        network,
        psi,
        (parts.train.x, parts.train.y),
        loss=LOSS_OF[task],
        optimiser=optimiser,
        evaluate_at=evaluate_at,
        monitor=monitor,
        generator=torch.Generator().manual_seed(seed),
        best=best,
    )


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
