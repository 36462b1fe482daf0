"""Compute one experiment, in this process or in that of a worker on another machine: all it needs comes with it."""

import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from . import store as stores
from .checkpoint import Checkpoint
from .configuration import datasets, key
from .provenance import provenance, reset_peak_memory, version
from .record import Record, decode, encode

REPORT_S = 0.25  # reports closer than this are dropped


@dataclass(frozen=True)
class Earlier:
    """The records that an experiment reads: those of its ``reads``, which are keys or experiments."""

    files: dict[str, bytes]
    data: dict[str, str] = field(repr=False)

    def get(self, experiment: Any) -> Record:
        """The record of an experiment."""
        return self.read(key(experiment, self.data.__getitem__))

    def read(self, name: str) -> Record:
        """The record with this key. Raises a ValueError if the experiment has not declared it."""
        if name not in self.files:
            raise ValueError(f"an experiment's reads must name the records that it reads, got {name!r}")
        return decode(self.files[name], name)


@dataclass(frozen=True)
class Context:
    """What an experiment's ``run`` is given.

    Args:
        store: the earlier records that it reads.
        checkpoint: for its state, to go on from where a stopped run was.
        report: call it with a short text, such as the current losses, as often as you like.
        data_dir: where the prepared datasets are; None for the default of :mod:`lib.datasets`.
    """

    store: Earlier
    checkpoint: Checkpoint
    report: Callable[[str], None]
    data_dir: Path | None


@dataclass(frozen=True)
class Task:
    """An experiment with what a worker needs to compute it: no disk is shared.

    ``datasets`` is the store's :class:`~.store.Data`; ``sha256`` are the fingerprints of all that the records need.
    ``folder`` is for the checkpoint; None for that of the worker's own store.
    """

    name: str
    experiment: Any
    sha256: dict[str, str]
    earlier: dict[str, bytes]
    datasets: Any
    folder: Path | None
    code: str = field(default_factory=version)


def task_of(name: str, experiment: Any, store: "stores.Store", *, folder: Path | None) -> Task:
    """The task of an experiment whose key is ``name``.

    Raises:
        ValueError: if a record that it reads is missing.
    """
    sha256, earlier = {}, {}
    for other in (experiment, *getattr(experiment, "reads", ())):
        if not isinstance(other, str):
            sha256 |= {data: store.data.fingerprint(data) for data in datasets(other)}
    for other in getattr(experiment, "reads", ()):
        other = other if isinstance(other, str) else store.key(other)
        if (record := store.read(other)) is None:
            raise ValueError(f"the store has no record {other!r}, which {name} reads; compute it first")
        earlier[other] = encode(record.content(), record.arrays)
    return Task(name, experiment, sha256, earlier, store.data, folder)


def compute(task: Task, report: Callable[[str], None] = lambda text: None) -> bytes:
    """Run the experiment and return the file of its record.

    Raises:
        ValueError: if the code or the data here are others than where the task comes from.
    """
    if task.code != version():
        raise ValueError("the code (lib, notebooks/paper) and packages of a worker must be those of the sweep")
    for name in datasets(task.experiment):
        task.datasets.fetch(name, task.sha256[name])
    folder = task.folder or stores.ROOT / "checkpoints"
    checkpoint = Checkpoint(folder / f"{task.name}.checkpoint", task.code)
    context = Context(Earlier(task.earlier, task.sha256), checkpoint, report, task.datasets.folder)
    reset_peak_memory()
    outcome = task.experiment.run(context)
    data = {name: task.sha256[name] for name in datasets(task.experiment)}
    file = stores.new(task.experiment, data, outcome, provenance(checkpoint.started, checkpoint.seconds))
    if task.folder is None:  # otherwise whoever writes the record removes it then
        checkpoint.remove()
    return file


def compute_again(task: Task, report: Callable[[str], None] = lambda text: None) -> bytes:
    """Run the experiment from its start."""
    with tempfile.TemporaryDirectory() as folder:
        return compute(replace(task, folder=Path(folder)), report)


def attempt(function: Callable, task: Task, report: Callable[[str], None]) -> bytes | str:
    """Call one of the above with few reports; the traceback if that fails."""
    last = 0.0

    def seldom(text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= REPORT_S:
            last = time.monotonic()
            report(str(text))

    try:
        return function(task, seldom)
    except (Exception, SystemExit):
        return traceback.format_exc()
