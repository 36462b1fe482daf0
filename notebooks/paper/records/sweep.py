"""Compute what is missing, ``python -m lib.sweep SECTION``, or check what is there, ``... verify``.

A section is a generator of stages, each a list of experiments. A stage ends when all of its experiments have
a record, so that the next one can read them. Every record is on disk as soon as it is computed: a sweep that
was stopped in any way goes on where it was, and several sweeps at once share the work.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib import estimates, verification
from lib.results import Store
from lib.workers import Event, Pool, compute

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


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


# --- command line -------------------------------------------------------------------------------------


def print_missing(stages: Stages, store: Store) -> None:
    """Print what is missing of each stage, up to the first that is not complete: later ones depend on it."""
    for number, stage in enumerate(stages, 1):
        missing = missing_of(stage, store)
        print(f"stage {number}: {len(missing)} of {len(set(map(store.key, stage)))} missing")
        for name, experiment in missing.items():
            print(f"  {describe(name, experiment)}")
        if missing:
            print("stages after this one depend on its results")
            return


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status: 0 if all is well, 1 after failures, 130 after Ctrl-C."""
    from lib.sections import KINDS, SECTIONS

    parser = argparse.ArgumentParser(prog="python -m lib.sweep", description=__doc__.split("\n\n")[0])
    commands = parser.add_subparsers(dest="section", required=True, metavar="SECTION|verify")
    for name in [*SECTIONS, "verify"]:
        command = commands.add_parser(name)
        command.add_argument("--processes", type=_positive, default=2, help="worker processes (default 2)")
        command.add_argument("--data-dir", type=Path, help="datasets (default: $SIMPLICITY_DATA or data)")
        command.add_argument("--results", type=Path, help="the store (default: data/results)")
    for name in SECTIONS:
        command = commands.choices[name]
        command.add_argument("--profile", choices=("paper", "smoke"), default="paper")
        command.add_argument("--list", action="store_true", help="only print what is missing")
        command.add_argument("--dry", action="store_true", help="only print what is missing, and its cost")
    command = commands.choices["verify"]
    command.add_argument("--sample", type=_positive, default=20, help="how many records (default 20)")
    command.add_argument("--seed", type=int, default=0, help="of the choice (default 0)")
    command.add_argument("--at-most-minutes", type=_positive, help="as the records tell, for all together")
    options = parser.parse_args(arguments)

    store = Store(options.results, data_dir=options.data_dir)
    try:
        if options.section == "verify":
            minutes = options.at_most_minutes or float("inf")
            chosen = verification.choose(store, KINDS, options.sample, seed=options.seed, minutes=minutes)
            checks = verification.verify(chosen, store, KINDS, options.processes)
            return 0 if checks and all(check.agrees for check in checks) else 1
        if options.dry:
            pretending = estimates.Pretending(options.results, data_dir=options.data_dir)
            durations = estimates.Durations(store.records(), KINDS)
            estimates.print_estimate(SECTIONS[options.section](options.profile, pretending), store, durations)
            return 0
        stages = SECTIONS[options.section](options.profile, store)
        if options.list:
            print_missing(stages, store)
            return 0
        summary = run(stages, store, processes=options.processes)
    except KeyboardInterrupt:
        print("\nstopped; what was computed is kept, and the same command goes on from there")
        return 130
    print(f"{len(summary.done)} computed, {len(summary.skipped)} there before, {len(summary.failed)} failed")
    if summary.failed:
        print("the stages after this one were not started; failed: " + ", ".join(summary.failed))
    return 1 if summary.failed else 0


if __name__ == "__main__":
    sys.exit(main())
