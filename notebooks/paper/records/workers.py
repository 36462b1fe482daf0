"""Compute one experiment, here or in a worker process of its own thread.

Two processes with one thread each are faster here than one process with two, so a sweep is parallel over
processes.
"""

import multiprocessing
import os
import pickle
import shutil
import signal
import tempfile
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import numpy as np

from lib.files import locked

from .configuration import plain
from .provenance import code, reset_peak_memory
from .store import Outcome, Store

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
}
RETRY_S = 2.0  # how long to leave an experiment alone that another sweep is computing
REPORT_S = 0.25  # reports closer than this are dropped


@dataclass(frozen=True)
class Context:
    """What an experiment's ``run`` is given.

    Args:
        store: to read earlier results from, and the folder of the datasets.
        checkpoint_dir: an existing folder of this experiment alone. What it leaves there is found again when
            a stopped run is started anew; it is deleted here once the record is written.
        report: call it with a short text, such as the current losses, as often as you like.
    """

    store: Store
    checkpoint_dir: Path
    report: Callable[[str], None]

    @property
    def data_dir(self) -> Path | None:
        """Where the prepared datasets are; None for the default of :mod:`lib.datasets`."""
        return self.store.data_dir


def compute(
    experiment: Any,
    store: Store,
    report: Callable[[str], None] = lambda message: None,
    *,
    wait: bool = True,
) -> str:
    """Run an experiment and write its record, unless another process does or did.

    Returns "done"; "skipped" if there is a record by now; or "busy", if another process is at it and
    ``wait`` is False.
    """
    path = store.path(experiment)
    with locked(path.with_suffix(".lock"), wait=wait) as mine:
        if not mine:
            return "busy"
        if store.has(experiment):
            return "skipped"
        store.get_data(experiment)
        checkpoints = store.root.parent / "checkpoints" / path.stem
        checkpoints.mkdir(parents=True, exist_ok=True)
        try:
            started, outcome, duration = _timed(experiment, Context(store, checkpoints, report))
            store.put(experiment, outcome, started, duration)
            shutil.rmtree(checkpoints, ignore_errors=True)
        finally:
            with suppress(OSError):  # keeps what a failed run has left, and nothing else
                checkpoints.rmdir()
    return "done"


def compute_again(experiment: Any, store: Store, report: Callable[[str], None]) -> Outcome:
    """Run an experiment from its start and return its outcome as a record would have it; write none."""
    store.get_data(experiment)
    with tempfile.TemporaryDirectory() as folder:
        _, outcome, _ = _timed(experiment, Context(store, Path(folder), report))
    arrays = {name: np.asarray(array) for name, array in outcome.arrays.items()}
    return Outcome(plain(outcome.numbers, "numbers", finite=False), arrays)


def _timed(experiment: Any, context: Context) -> tuple[datetime, Outcome, float]:
    reset_peak_memory()
    started, clock = datetime.now(UTC), time.process_time()  # whatever else the machine does
    outcome = experiment.run(context)
    return started, outcome, time.process_time() - clock


# --- worker processes ---------------------------------------------------------------------------------


def _work(connection: Connection) -> None:
    """The main function of a worker: receive experiments, send ("report", text) and then (status, detail)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the parent ends the others
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    import torch

    torch.set_num_threads(1)
    code()  # the commit as of now: what is committed later is not what this process runs
    last = 0.0

    def report(message: str) -> None:
        nonlocal last
        if time.monotonic() - last >= REPORT_S:
            last = time.monotonic()
            connection.send(("report", str(message)))

    while True:
        try:
            task = connection.recv_bytes()
        except EOFError:
            return
        try:
            experiment, store, again = pickle.loads(task)
            if again:
                answer = ("again", compute_again(experiment, store, report))
            else:
                start = time.monotonic()
                status = compute(experiment, store, report, wait=False)
                answer = (status, time.monotonic() - start)
        except (Exception, SystemExit):
            answer = ("failed", traceback.format_exc())
        connection.send(answer)


def _exit_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


@dataclass(frozen=True)
class Event:
    """What happened to the experiment ``name``.

    ``status`` is "started", "report", "done", "skipped", "busy" (to be tried again), "again" or "failed";
    ``detail`` is the report's text, the outcome computed again, the traceback, or for the other answers the
    seconds. Once a second there is also a "tick".
    """

    name: str
    status: str
    detail: Any = None


class Pool:
    """Worker processes; leaving the ``with`` block ends them, whatever they are doing.

    Args:
        processes: how many at most; they are started when they are needed.
    """

    def __init__(self, processes: int):
        if processes < 1:
            raise ValueError(f"processes must be at least 1, got {processes}")
        self.processes = processes
        self._workers: dict[Connection, multiprocessing.Process] = {}

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._workers.values():
            process.terminate()
        for process in self._workers.values():
            process.join(5)
            process.kill()
            process.join()
        self._workers.clear()

    def run(self, experiments: dict[str, Any], store: Store, *, again: bool = False) -> Iterator[Event]:
        """Compute experiments in the order given and yield what happens.

        Args:
            experiments: by name.
            again: compute all anew and yield their outcomes, rather than writing the records that are missing.
        """
        queue, running, busy = deque(experiments), {}, []
        while queue or running or busy:
            while busy and time.monotonic() - busy[0][0] >= RETRY_S:
                queue.append(busy.pop(0)[1])
            while queue and len(running) < self.processes:
                name = queue.popleft()
                yield Event(name, "started")
                try:
                    task = pickle.dumps((experiments[name], store, again))
                except Exception:
                    yield Event(name, "failed", traceback.format_exc())
                    continue
                connection = next((one for one in self._workers if one not in running), None) or self._start()
                running[connection] = name
                with suppress(OSError):  # the worker has died; the answer below says so
                    connection.send_bytes(task)
            ready = wait(list(running), timeout=1.0) if running else time.sleep(RETRY_S / 4)
            yield Event("", "tick")
            for connection in ready or ():
                name = running[connection]
                try:
                    status, detail = connection.recv()
                except (EOFError, OSError):
                    status, detail = "failed", self._bury(connection)
                yield Event(name, status, detail)
                if status == "busy":
                    busy.append((time.monotonic(), name))
                if status != "report":
                    del running[connection]

    def _start(self) -> Connection:
        spawn = multiprocessing.get_context("spawn")
        ours, theirs = spawn.Pipe()
        before = {name: os.environ.get(name) for name in ENVIRONMENT}
        os.environ.update(ENVIRONMENT)  # is read when the worker imports torch
        try:
            process = spawn.Process(target=_work, args=(theirs,), daemon=True)
            process.start()
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
            theirs.close()
        self._workers[ours] = process
        return ours

    def _bury(self, connection: Connection) -> str:
        process = self._workers.pop(connection)
        process.join()
        connection.close()
        hint = " (killed, perhaps for lack of memory)" if process.exitcode == -9 else ""
        return f"the worker process died with exit code {process.exitcode}{hint}\n"
