"""The experiments: frozen configurations that compute one record each (Sections 3 and 4, Appendices D and E).

A :class:`Train` trains one network with its activation fixed; a :class:`Learn` runs Algorithm 1 once. Which of them
make up a section of the paper is in :mod:`.sections`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from lib import metrics
from lib.networks import Network, Params, Psi, loss_and_delta
from lib.training import Optimiser, Trained, train

from ..records.store import Outcome
from . import scores
from .parts import LOSS_OF, MONITORED_ROWS, Parts, Rows, accuracy, learned_psi, load_parts, schedule


@dataclass(frozen=True, kw_only=True)
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
    def reads(self) -> tuple[str, ...]:
        """The records that a run reads."""
        return (self.learned,) if self.learned else ()

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
                f"{part}_steps_to_95": scores.steps_to(history["step"], curve),
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

    def measured(self, model: Callable[[Tensor], Tensor], parts: Parts) -> dict[str, float]:
        """Loss and accuracy of a model on each part."""
        seen = {"train": parts.train[:MONITORED_ROWS], "validation": parts.validation, "test": parts.test}
        numbers = {}
        for name, rows in seen.items():
            if rows is not None:
                outputs = model(rows.x)
                loss, _ = loss_and_delta(outputs, rows.y, LOSS_OF[self.task])
                numbers[f"{name}_loss"] = float(loss)
                numbers[f"{name}_accuracy"] = accuracy(outputs, rows, self.task, parts.classes)
        return numbers

    def monitor(self, network: Network, psi: Psi, parts: Parts) -> Callable[[Params], dict[str, float]]:
        """What :func:`lib.training.train` measures at each evaluation."""

        def measure(params: Params) -> dict[str, float]:
            numbers = self.measured(partial(network.predict, params, psi), parts)
            if self.complexity:
                paths = torch.Generator().manual_seed(self.split)  # the same paths for every model of a split
                tv = metrics.network_total_variation(
                    network, params, psi, parts.train.x, parts.train.labels, generator=paths
                )
                numbers |= {"tv": tv.mean, "tv_standard_error": tv.standard_error}
            return numbers

        return measure
