"""Learn an activation: one restart of Algorithm 1 (Section 2.3)."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from lib.metalearning import Settings, Task
from lib.networks import Network, Psi

from ..records.store import Outcome
from .checkpoints import learn_resumably
from .parts import LOSS_OF, learned_psi, load_parts, planned_steps
from .ways import TRAININGS, WAYS


@dataclass(frozen=True, kw_only=True)
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
        scaling: of the inputs, see :func:`load_parts`; or one for each of several datasets.
        start: key of a record whose activation psi starts from, or "" to start as the settings say.
        way: how the outer gradient is estimated, one of WAYS; "unrolled" is Algorithm 1.
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
    scaling: str | tuple[str, ...] = field(default="default", metadata={"old": "default"})
    start: str = field(default="", metadata={"old": ""})
    way: str = field(default="unrolled", metadata={"old": "unrolled"})

    @property
    def datasets(self) -> tuple[str, ...]:
        return self.data

    @property
    def reads(self) -> tuple[str, ...]:
        """The records that a learning reads."""
        return (self.start,) if self.start else ()

    @property
    def cost(self) -> float:
        return planned_steps(self.settings) * TRAININGS.get(self.way, 1)

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
        scalings = (self.scaling,) * len(self.data) if isinstance(self.scaling, str) else self.scaling
        for name, scaling in zip(self.data, scalings, strict=True):
            parts = load_parts(name, self.task, self.split, self.validation, context.data_dir, scaling)
            network = replace(self.network, inputs=parts.inputs, outputs=parts.outputs)
            given = (parts.test.x, parts.test.y) if self.given == "test" else None
            tasks.append(Task(network, parts.train.x, parts.train.y, self.loss, given))
        start = learned_psi(context.store, self.start) if self.start else None
        outcome = algorithm_1(tasks, self.settings, self.seed, context, start, self.way)
        outcome.numbers["inner_steps"] *= TRAININGS.get(self.way, 1)
        if len(watch := outcome.arrays["history_watch"]):
            outcome.numbers["watch_loss"] = float(watch[outcome.numbers["best_episode"]])
        return outcome


def algorithm_1(
    tasks: list[Task], settings: Settings, seed: int, context, start: Psi | None = None, way: str = "unrolled"
) -> Outcome:
    """Run Algorithm 1 as an experiment; the outcome has psi and the history, and says how far it went."""
    about = {"seed": seed, "start": start, "checkpoint": context.checkpoint, "report": context.report}
    about["gradient"] = WAYS[way]
    learned = learn_resumably(tasks, settings, **about)
    arrays = {f"history_{name}": np.array(values) for name, values in learned.history.items()}
    numbers = {
        "episodes": len(learned.history["outer"]),
        "best_episode": learned.best_episode,
        "diverged": learned.diverged,
        "inner_steps": float(sum(learned.history["n_tr"])),
    }
    return Outcome(numbers, arrays | {f"psi_{name}": values.numpy() for name, values in learned.psi.items()})
