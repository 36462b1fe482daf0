"""Small experiments for the tests of the store and of the sweep; worker processes import them from here."""

import ctypes
import json
import os
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from notebooks.paper.records.record import Outcome


def fingerprints(name: str) -> str:
    return f"sha256 of {name}"


@dataclass(frozen=True)
class Numbers:
    """Datasets without data."""

    folder: Path | None = None

    def fingerprint(self, name: str) -> str:
        return fingerprints(name)

    def fetch(self, name: str, sha256: str) -> None:
        assert sha256 == fingerprints(name)


@dataclass(frozen=True)
class Small:
    """Writes a line to the file ``log`` at its start, and takes ``seconds``."""

    kind: ClassVar[str] = "small"
    version: ClassVar[int] = 1

    value: float
    log: str = ""
    seconds: float = 0.0
    datasets = ("numbers",)

    @property
    def cost(self) -> float:
        return self.value

    def run(self, context) -> Outcome:
        if self.log:
            with open(self.log, "a") as file:
                file.write(f"{self.value} {os.getpid()}\n")
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            context.report(f"value {self.value}")
            time.sleep(0.01)
        return Outcome({"square": self.value**2}, {"powers": self.value ** np.arange(3.0)})


@dataclass(frozen=True)
class Squares:
    """Adds up the squares of earlier records."""

    kind: ClassVar[str] = "squares"
    version: ClassVar[int] = 1

    of: tuple[Small, ...]

    @property
    def reads(self) -> tuple[Small, ...]:
        return self.of

    def run(self, context) -> Outcome:
        return Outcome({"sum": sum(context.store.get(one).numbers["square"] for one in self.of)})


@dataclass(frozen=True)
class Failing:
    kind: ClassVar[str] = "failing"
    version: ClassVar[int] = 1

    how: str

    def run(self, context) -> Outcome:
        if self.how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "no outcome":
            return {"a": 1}
        raise RuntimeError(f"failed by {self.how}")


@dataclass(frozen=True)
class Silent(Small):
    """Takes its time without a report."""

    def run(self, context) -> Outcome:
        with open(self.log, "a") as file:
            file.write(f"{self.value} {os.getpid()}\n")
        time.sleep(self.seconds)
        return Outcome({})


@dataclass(frozen=True)
class Resuming:
    """Fails at its first run, after leaving a checkpoint; finds it at the second."""

    kind: ClassVar[str] = "resuming"
    version: ClassVar[int] = 1

    def run(self, context) -> Outcome:
        if (state := context.checkpoint.load()) is None:
            end = time.process_time() + 0.1
            while time.process_time() < end:
                pass
            context.checkpoint.save(b"7")
            raise RuntimeError("stopped half-way")
        return Outcome({"resumed_from": int(state)})


@dataclass(frozen=True)
class Counting:
    """Counts to ``end`` with a checkpoint at each step; the mean of pseudo-random numbers that a restart must not change."""

    kind: ClassVar[str] = "counting"
    version: ClassVar[int] = 1

    seed: int
    end: int = 10
    seconds: float = 0.02

    def run(self, context) -> Outcome:
        done, total = json.loads(context.checkpoint.load() or b"[0, 0.0]")
        while done < self.end:
            done, total = done + 1, total + float(np.random.default_rng([self.seed, done]).random())
            time.sleep(self.seconds)
            context.checkpoint.save(json.dumps([done, total]).encode())
        return Outcome({"mean": total / done}, {"values": np.random.default_rng(self.seed).random((3, 50))})


@dataclass(frozen=True)
class Hanging:
    """Never ends; "lock" holds the interpreter's lock meanwhile, "large" grows."""

    kind: ClassVar[str] = "hanging"
    version: ClassVar[int] = 1

    how: str
    log: str = ""

    def run(self, context) -> Outcome:
        if self.log:
            with open(self.log, "a") as file:
                file.write(f"0 {os.getpid()}\n")
        if self.how == "lock":
            ctypes.PyDLL(None).sleep(1000)  # unlike CDLL, PyDLL keeps the lock
        large = []
        while True:
            time.sleep(0.05)
            if self.how == "large":
                large.append(np.ones(8_000_000))


@dataclass(frozen=True)
class Surroundings:
    """What a worker process is set to."""

    kind: ClassVar[str] = "surroundings"
    version: ClassVar[int] = 1

    def run(self, context) -> Outcome:
        import torch

        numbers = {"threads": torch.get_num_threads(), "pid": os.getpid(), "data_dir": str(context.data_dir)}
        return Outcome(numbers | {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY")})


@dataclass(frozen=True)
class Drifting:
    """Gives a slightly different number each time: ``base`` plus what the file holds."""

    kind: ClassVar[str] = "drifting"
    version: ClassVar[int] = 1

    base: float
    file: str

    def run(self, context) -> Outcome:
        return Outcome({"number": self.base + float(Path(self.file).read_text())})


def chain_of_all(first):
    """Stages of runs with checkpoints, of quick ones, and of one that reads records."""
    runs = [Counting(first + i, end=8, seconds=0.05) for i in range(6)]
    yield runs
    yield [replace(one, end=12) for one in runs[:2]]
    parts = tuple(Small(first + i) for i in range(3))
    yield list(parts)
    yield [Squares(parts)]


KINDS = {cls.kind: cls for cls in (Small, Squares, Failing, Resuming, Counting, Surroundings, Drifting)}
