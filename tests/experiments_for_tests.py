"""Small experiments for the tests of the store and of the sweep; worker processes import them from here."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from notebooks.paper.records.store import Outcome


def fingerprints(name: str) -> str:
    return f"sha256 of {name}"


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
        checkpoint = context.checkpoint_dir / "half"
        if not checkpoint.exists():
            checkpoint.write_text("7")
            raise RuntimeError("stopped half-way")
        return Outcome({"resumed_from": int(checkpoint.read_text())})


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


KINDS = {cls.kind: cls for cls in (Small, Squares, Failing, Resuming, Surroundings, Drifting)}
