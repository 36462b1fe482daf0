"""Compute what is missing of a section, in this process or in workers.

A plan is a chain, or a list of chains. A chain is a generator of stages, each a list of experiments: when all of a
stage have a record, the generator goes on and reads them to decide what comes next. Chains do not wait for each other.
Every record is on disk as soon as it is computed: a sweep that was stopped in any way goes on where it was, and several
at once share the work.
"""

import itertools
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from lib.files import remove_parts

from . import checkpoint
from .cluster import Cluster, Event
from .compute import compute, task_of
from .store import Store

Stages = Iterable[list[Any]]
Plan = Stages | list[Iterator[list[Any]]]
# What a task may take: 15 minutes, and five times as long per unit of cost as the slowest of the first 4,274 records.
SLACK_S, SLOWEST_S = 900.0, 2.0


@dataclass(frozen=True)
class Summary:
    """The keys of what was computed and of what had a record before, and why each failure failed."""

    done: tuple[str, ...]
    skipped: tuple[str, ...]
    failed: dict[str, str]


class Work:
    """What there is to compute: of each chain the present stage.

    ``open`` are the experiments without a record, by key: the first chain's first, and of a stage those of the largest
    ``cost`` (1 if they have none) first. A chain ends after a stage in which one has failed.
    """

    def __init__(self, plan: Plan, store: Store):
        self.store = store
        self.chains = chains_of(plan)
        self.stages: list[set[str]] = [set() for _ in self.chains]  # what each chain waits for
        self.open: dict[str, Any] = {}
        self.found: dict[str, None] = {}  # had a record before
        self.failed: dict[str, str] = {}
        self.known = 0  # how many were open at any time
        self.refresh()

    def refresh(self) -> None:
        """Let the chains go on whose stage is complete."""
        for number, names in enumerate(self.stages):
            while not names & self.open.keys() and not names & self.failed.keys():
                if (stage := next(self.chains[number], None)) is None:
                    break
                missing = missing_of(stage, self.store)
                self.found |= {name: None for name in map(self.store.key, stage) if name not in missing}
                self.known += len(missing.keys() - self.open.keys())
                self.open |= missing
                names = self.stages[number] = set(missing)
        rank = {name: number for number, names in reversed([*enumerate(self.stages)]) for name in names}
        self.open = dict(sorted(self.open.items(), key=lambda item: (rank[item[0]], -cost(item[1]))))

    def settle(self, name: str, problem: str = "") -> None:
        """Take note that an experiment has its record now, or has failed."""
        del self.open[name]
        if problem:
            self.failed[name] = problem
        self.refresh()


def chains_of(plan: Plan) -> list[Iterator[list[Any]]]:
    """The chains of a plan."""
    several = isinstance(plan, list) and all(isinstance(chain, Iterator) for chain in plan)
    return list(plan) if several else [iter(plan)]


def stages_of(plan: Plan) -> Iterator[list[Any]]:
    """The stages of a plan, chain by chain."""
    return itertools.chain.from_iterable(chains_of(plan))


def missing_of(stage: list[Any], store: Store) -> dict[str, Any]:
    """Return the experiments of a stage that have no record, by key, the largest ``cost`` first."""
    missing = {store.key(experiment): experiment for experiment in stage}
    missing = {name: experiment for name, experiment in missing.items() if store.read(name) is None}
    return dict(sorted(missing.items(), key=lambda item: -cost(item[1])))


def run_here(plan: Plan, store: Store, report: Callable[[str], None] = lambda text: None) -> Summary:
    """Compute what is missing in this process, one after the other; exceptions are not caught."""
    work, done = Work(plan, store), []
    while work.open:
        name, experiment = next(iter(work.open.items()))
        while (give_back := store.claim(name)) is None:  # another process computes it
            time.sleep(0.5)
        try:
            if store.read(name) is None:
                keep(store, name, compute(task_of(name, experiment, store, folder=store.checkpoints), report))
                done.append(name)
        finally:
            give_back()
        work.settle(name)
    return Summary(tuple(done), tuple(name for name in work.found if name not in done), {})


def run(plan: Plan, store: Store, cluster: Cluster, *, progress: bool = True) -> Summary:
    """Compute what is missing in workers."""
    work, done, claims = Work(plan, store), [], {}
    folder = store.checkpoints if cluster.address is None else None  # on other machines in their own stores
    with Progress(work, visible=progress) as lines:
        if work.open:
            lines.say(f"{len(work.open)} to compute so far; what the workers do: {cluster.dashboard}")

        def settle(event: Event) -> None:
            claims.pop(event.name)()
            lines.show(event)
            work.settle(event.name, event.detail if event.status == "failed" else "")

        while work.open:
            free = cluster.free()
            for name in [name for name in work.open if name not in claims]:
                if free < 1:
                    break
                if (give_back := store.claim(name)) is None:  # another sweep computes it: later, again
                    continue
                claims[name] = give_back
                if store.read(name) is not None:
                    settle(Event(name, "elsewhere"))
                    continue
                task = task_of(name, work.open[name], store, folder=folder)
                cluster.submit(compute, task, limit_of(work.open[name]))
                free -= 1
            for event in cluster.wait():
                if event.status == "done":
                    try:
                        keep(store, event.name, event.detail)
                        done.append(event.name)
                    except ValueError as error:
                        event = Event(event.name, "failed", str(error))
                (settle if event.status in ("done", "failed") else lines.show)(event)
    found = [name for name in work.found if name not in done]
    return Summary(tuple(done), tuple(found), work.failed)


def keep(store: Store, name: str, file: bytes) -> None:
    """Write a record and delete its checkpoint, and what processes that were killed have left of both."""
    store.write(name, file)
    remove_parts(store.path(name))
    checkpoint.remove(store.checkpoints / f"{name}.checkpoint")


def limit_of(experiment: Any) -> float:
    """How many seconds an experiment may take."""
    return SLACK_S + SLOWEST_S * cost(experiment)


def cost(experiment: Any) -> float:
    """How much work an experiment is compared with others."""
    return float(getattr(experiment, "cost", 1.0))


# --- progress ---------------------------------------------------------------------------------------------------------


class Progress:
    """A line for each experiment that ends, with the time that is left; on a terminal also a live line."""

    def __init__(self, work: Work, *, visible: bool = True):
        self.work, self.visible = work, visible
        self.live = visible and sys.stdout.isatty()
        self.running: dict[str, list] = {}  # name -> [start, last report]
        self.start, self.finished, self.ended = time.monotonic(), 0.0, 0  # cost of those done, number of those ended

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        if self.live:
            print("\r\x1b[K", end="", flush=True)

    def show(self, event: Event) -> None:
        """Print what an event changes."""
        if event.status == "started":
            self.running[event.name] = [time.monotonic(), ""]
        elif event.status == "report":
            self.running.get(event.name, [0, ""])[1] = event.detail
        else:
            started, _ = self.running.pop(event.name, (time.monotonic(), ""))
            took = duration(time.monotonic() - started)
            experiment = self.work.open[event.name]
            if event.status == "lost":
                self.say(f"{describe(event.name, experiment)}: {event.detail}; it is run again")
            else:
                self.ended += 1
                self.finished += cost(experiment) if event.status == "done" else 0
                words = {"elsewhere": "done elsewhere", "failed": "FAILED"}.get(event.status, took)
                left = self.remaining(without=event.name)
                self.say(f"[{self.ended}/{self.work.known}] {describe(event.name, experiment)}: {words}{left}")
                if event.status == "failed":
                    self.say(event.detail.rstrip())
        if self.live:
            now = time.monotonic()
            parts = [f"{name} {duration(now - start)} {text}" for name, (start, text) in self.running.items()]
            line = " | ".join([f"{self.work.known - self.ended} to go{self.remaining()}", *parts])
            print(f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}", end="", flush=True)

    def remaining(self, without: str = "") -> str:
        """The time left for what is known so far, by cost, as a text; empty if nothing was computed yet."""
        left = sum(cost(experiment) for name, experiment in self.work.open.items() if name != without)
        if not self.finished or not left:
            return ""
        return f", about {duration(left * (time.monotonic() - self.start) / self.finished)} left"

    def say(self, line: str) -> None:
        """Print a line."""
        if self.visible:
            print(f"\r\x1b[K{line}" if self.live else line, flush=True)


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
