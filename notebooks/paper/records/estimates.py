"""What a plan would cost before it is run: its missing runs per stage, and their core-hours by like records.

A section decides by records what comes next. Where there is none yet, the estimate goes on with a made-up one, which is
middling, did not diverge and never arrived at 95 %. So the later stages are about as large as they will be at most.
Runs with patience count with a part of their cap until there are records of such.
"""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from .configuration import config, rebuild
from .store import Record, Store
from .sweep import Plan, stages_of

PATIENT = 0.4  # of the cap; the first such runs ended at 0.24 to 0.43 of it


class _Numbers(dict):
    """Numbers of a run that was not made: middling, and nothing is odd about it."""

    def __missing__(self, name: str) -> float | bool | None:
        if name.endswith("_steps_to_95"):
            return None
        return {"diverged": False, "low": -0.5}.get(name, 0.5)


class _Arrays(dict):
    """Arrays of a run that was not made: some values that differ, a learned function among them."""

    def __init__(self):
        super().__init__(psi_hidden=self["psi_hidden"])

    def __missing__(self, name: str) -> np.ndarray:
        return np.linspace(0.0, 1.0, 5, dtype=np.float32)


class Pretending(Store):
    """A store in which every experiment has a record: the true one, or one made up."""

    def get(self, experiment: Any) -> Record | SimpleNamespace:
        made_up = SimpleNamespace(key=self.key(experiment), kind=type(experiment).kind, config=config(experiment),
                                  numbers=_Numbers(), arrays=_Arrays())  # fmt: skip
        return super().read(made_up.key) or made_up

    def read(self, name: str) -> Record | SimpleNamespace:
        return super().read(name) or SimpleNamespace(key=name, numbers=_Numbers(), arrays=_Arrays())


class Durations:
    """How long experiments take, by the records of those most like them, in proportion to their work."""

    def __init__(self, records: Iterable[Record], kinds: dict[str, type]):
        self.found: dict[tuple, list[float]] = defaultdict(list)
        for record in records:
            experiment = rebuild(record.config, kinds)
            for like in _likeness(experiment):
                self.found[like].append(record.provenance["duration_s"] / _work(experiment))

    def seconds(self, experiment: Any) -> float:
        """The expected duration; NaN without a record of its kind."""
        patient, likeness = getattr(experiment, "patience", 0) > 0, _likeness(experiment)
        like = next((like for like in likeness if like in self.found), None)
        if like is None:
            return math.nan
        part = PATIENT if patient and like != likeness[0] else 1.0
        return part * statistics.median(self.found[like]) * _work(experiment)


def print_estimate(plan: Plan, store: Store, durations: Durations) -> None:
    """Print what is missing of each stage and about what it costs; the plan comes from a :class:`Pretending` store."""
    total, runs = 0.0, 0
    for number, stage in enumerate(stages_of(plan), 1):
        missing = list({store.key(one): one for one in stage if not store.has(one)}.values())
        if missing:
            hours = sum(map(durations.seconds, missing)) / 3600
            total, runs = total + hours, runs + len(missing)
            names = ", ".join(dict.fromkeys(getattr(one, "role", one.kind) for one in missing))
            print(f"stage {number}: {len(missing)} of {len(stage)} missing ({names}), about {hours:.2f} core-hours")
    print(f"{runs} runs are missing, about {total:.1f} core-hours on an idle core")


def _work(experiment: Any) -> float:
    """What the duration is about proportional to: steps, the rows of each, the width, the pixels of collages."""
    network = getattr(experiment, "network", None)
    width = network.width if network is not None and network.depth else 1
    batch = getattr(experiment, "batch", None) or getattr(getattr(experiment, "settings", None), "batch", 1)
    pixels = 1 if getattr(experiment, "half", True) else 12  # in colour, of twice the height and width
    return float(getattr(experiment, "cost", 1.0)) * width * batch * pixels


def _images_of(data: str | tuple[str, ...]) -> str | tuple[str, ...]:
    """The data, of whatever copy: a step takes as long on all images as on the first of them."""
    return tuple(map(_images_of, data)) if isinstance(data, tuple) else data.removesuffix("-full")


def _likeness(experiment: Any) -> list[tuple]:
    """What experiments may have in common, the most first."""
    kind, network = experiment.kind, getattr(experiment, "network", None)
    data, complexity = _images_of(getattr(experiment, "data", "")), getattr(experiment, "complexity", False)
    depth, width = (network.depth, network.width) if network is not None else (0, 0)
    patient = getattr(experiment, "patience", 0) > 0  # such runs end before their cap
    shape = (kind, data, complexity, depth)
    return [(*shape, width, patient), shape, (kind, data), (kind,)]
