"""Compute what is missing, in worker processes or in this one.

A section is a generator of stages, each a list of experiments. A stage ends when all of its experiments have
a record, so that the next one can read them. Every record is on disk as soon as it is computed: a sweep that
was stopped in any way goes on where it was, and several sweeps at once share the work.
"""

import shutil
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .store import Store
from .workers import Event, Pool, compute

Stages = Iterable[list[Any]]


@dataclass(frozen=True)
class Summary:
    """The keys of what was computed and of what had a record before, and the traceback of each failure."""

    done: tuple[str, ...]
    skipped: tuple[str, ...]
    failed: dict[str, str]


def run_here(
    stages: Stages,
    store: Store,
    report: Callable[[str], None] = lambda message: None,
) -> Summary:
    """Compute what is missing in this process, one after the other; exceptions are not caught."""
    done, skipped = {}, {}
    for stage in stages:
        for experiment in stage:
            name = store.key(experiment)
            if not store.has(experiment) and compute(experiment, store, report) == "done":
                done[name] = None
            elif name not in done:
                skipped[name] = None
    return Summary(tuple(done), tuple(skipped), {})


def run(
    stages: Stages,
    store: Store,
    *,
    processes: int = 2,
    progress: bool = True,
) -> Summary:
    """Compute what is missing in worker processes, those of the largest ``cost`` (1 if they have none) first.

    An experiment that fails does not stop the others of its stage, but the stages after it are not started.
    """
    done, skipped, failed = [], [], {}
    with Pool(processes) as pool:
        for number, stage in enumerate(stages, 1):
            missing = missing_of(stage, store)
            skipped += [name for name in dict.fromkeys(map(store.key, stage)) if name not in missing]
            lines = Progress(number, missing, processes, visible=progress)
            for event in pool.run(missing, store):
                lines.show(event)
                if event.status == "failed":
                    failed[event.name] = event.detail
                elif event.status in ("done", "skipped"):
                    (done if event.status == "done" else skipped).append(event.name)
            if failed:
                break
    return Summary(tuple(done), tuple(skipped), failed)


def missing_of(stage: list[Any], store: Store) -> dict[str, Any]:
    """Return the experiments of a stage that have no record, by key, the largest ``cost`` first."""
    missing = {store.key(experiment): experiment for experiment in stage}
    missing = {name: experiment for name, experiment in missing.items() if not store.has(experiment)}
    return dict(sorted(missing.items(), key=lambda item: -_cost(item[1])))


class Progress:
    """A line for each experiment that ends, with the time that is left; on a terminal also a live line."""

    def __init__(self, stage: int, experiments: dict[str, Any], processes: int, *, visible: bool = True):
        self.experiments, self.processes = experiments, processes
        self.title, self.visible = f"stage {stage}", visible
        self.live = visible and sys.stdout.isatty()
        self.open = dict.fromkeys(experiments)
        self.running: dict[str, list] = {}  # name -> [start, last report]
        self.measured: list[tuple[float, float]] = []  # (cost, seconds) of those done
        if visible and experiments:
            print(f"{self.title}: {len(experiments)} to compute", flush=True)

    def show(self, event: Event) -> None:
        """Take note of an event of the pool, and print what it changes."""
        name, now = event.name, time.monotonic()
        if event.status == "started":
            self.running[name] = [now, ""]
        elif event.status == "report":
            self.running[name][1] = event.detail
        elif event.status in ("done", "skipped", "failed", "busy"):
            self.running.pop(name)
            if event.status == "done":
                self.measured.append((_cost(self.experiments[name]), event.detail))
            if event.status != "busy":
                del self.open[name]
                count = f"{len(self.experiments) - len(self.open)}/{len(self.experiments)}"
                words = {"skipped": "done elsewhere", "failed": "FAILED"}
                took = words.get(event.status) or duration(event.detail)
                label = describe(name, self.experiments[name])
                self._print(f"{self.title} [{count}] {label}: {took}{self.remaining()}")
                if event.status == "failed":
                    self._print(event.detail.rstrip())
        if self.live:
            self._refresh()

    def remaining(self) -> str:
        """Return the estimate of the time left for this stage as a text; empty if there is none."""
        if not self.open or not self.measured:
            return ""
        rate = sum(seconds for _, seconds in self.measured) / sum(cost for cost, _ in self.measured)
        left = [rate * _cost(self.experiments[name]) for name in self.open]
        for i, name in enumerate(self.open):
            if name in self.running:
                left[i] = max(0.0, left[i] - (time.monotonic() - self.running[name][0]))
        return f", about {duration(max(sum(left) / self.processes, max(left)))} left"

    def _print(self, line: str) -> None:
        if self.visible:
            print(f"\r\x1b[K{line}" if self.live else line, flush=True)

    def _refresh(self) -> None:
        now = time.monotonic()
        parts = [f"{name} {duration(now - start)} {text}" for name, (start, text) in self.running.items()]
        line = f"{len(self.open)} to go{self.remaining()} | " + " | ".join(parts)
        width = shutil.get_terminal_size().columns - 1
        print(f"\r\x1b[K{line[:width]}" if self.open else "\r\x1b[K", end="", flush=True)


def describe(name: str, experiment: Any) -> str:
    """Return the key of an experiment and its ``label``, if it has one."""
    label = getattr(experiment, "label", None)
    return f"{name} ({label})" if label else name


def duration(seconds: float) -> str:
    """Return a time in words.

    >>> duration(7), duration(200), duration(9000)
    ('7 s', '3 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def _cost(experiment: Any) -> float:
    return float(getattr(experiment, "cost", 1.0))
