"""Worker processes, here or on any Dask cluster, that compute tasks and send the records back.

Two processes with one thread each are faster here than one process with two, so a sweep is parallel over processes.
A task whose worker died, grew too large or passed its deadline is run again, `AGAIN` times, and then given up.
"""

import functools
import logging
import os
import queue
import signal
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .compute import Task, attempt

AGAIN = 2
STARTING_S = 60.0  # after which a task counts as begun, though its worker has not said so
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
}
LOCAL = {
    "distributed.scheduler.allowed-failures": 0,  # it is counted here
    "distributed.scheduler.worker-ttl": None,  # a kernel may hold the interpreter's lock for long; tasks have deadlines
    "distributed.worker.memory.target": False,  # nothing is kept in workers that could be written to disk instead
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,  # a paused worker would wait for ever for memory that is not Dask's
    "distributed.worker.memory.terminate": 0.95,
    "distributed.deploy.lost-worker-timeout": "60s",  # on a busy machine a process needs long to start again
    "distributed.nanny.pre-spawn-environ": ENVIRONMENT,
    "distributed.admin.large-graph-warning-threshold": "1GB",
}


@dataclass(frozen=True)
class Event:
    """What happened to the task ``name``.

    ``status`` is "started", "report" (``detail`` is the text), "lost" (why it is run again), "done" (the file of the
    record), "failed" (the traceback, or why it was given up).
    """

    name: str
    status: str
    detail: Any = None


@dataclass
class _Run:
    """A task; ``left``: how often it may run again. ``future``: once sent; ``worker``, ``deadline``: once it runs."""

    function: Callable
    task: Task
    limit: float
    left: int = AGAIN
    future: Any = None
    worker: str = ""
    deadline: float = float("inf")


class Cluster:
    """Workers, started when they are needed; leaving the ``with`` block ends those of this machine, whatever they do.

    Args:
        processes: how many on this machine.
        address: of the scheduler of another cluster to use instead, such as "tcp://10.0.0.1:8786".
        memory: what a process on this machine may use before it is ended, such as "4GB"; by default its share.
    """

    def __init__(self, processes: int = 2, address: str | None = None, memory: str = "auto"):
        if processes < 1:
            raise ValueError(f"processes must be at least 1, got {processes}")
        self.processes, self.address, self.memory = processes, address, memory
        self.runs: dict[str, _Run] = {}
        self.events: queue.SimpleQueue = queue.SimpleQueue()
        self.topic = f"sweep-{uuid.uuid4().hex[:12]}"
        self.local: Any = None

    @functools.cached_property
    def client(self) -> Any:
        """The connection to the scheduler; workers are started when it is first asked for."""
        import dask
        import distributed

        if self.address is None:
            dask.config.set(LOCAL)
            options = {"n_workers": self.processes, "threads_per_worker": 1, "memory_limit": self.memory}
            options |= {"dashboard_address": "127.0.0.1:0", "preload": [f"{__package__}.guard"]}
            for again in range(AGAIN, -1, -1):
                try:  # what happens is told here, not in logs
                    self.local = distributed.LocalCluster(**options, silence_logs=logging.CRITICAL)
                    break
                except RuntimeError:  # a process died before it was ready
                    if not again:
                        raise
        try:
            client = distributed.Client(self.local or self.address, timeout=20, set_as_default=False)
        except OSError as error:
            raise ConnectionError(f"no scheduler answers at {self.address} ({error})") from None
        client.subscribe_topic(self.topic, lambda event: self.events.put(event[1]))
        return client

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *error: object) -> None:
        if "client" in vars(self):
            for run in self.runs.values():
                if run.future is not None:
                    run.future.cancel(force=True)
        if self.local is not None:
            for nanny in self.local.workers.values():
                nanny.auto_restart = False
                _kill(nanny)  # or a busy one would be waited for
        if "client" in vars(self):
            self.client.close(timeout=5)
        if self.local is not None:
            self.local.close(timeout=10)

    @property
    def dashboard(self) -> str:
        """The address of a page that shows what the workers do."""
        return self.client.dashboard_link

    def free(self) -> int:
        """How many more tasks there are workers for."""
        return max(sum(self.client.nthreads().values()), 1) - len(self.runs)

    def submit(self, function: Callable, task: Task, limit: float) -> None:
        """Call ``compute`` or ``compute_again`` in a worker, which may take ``limit`` seconds."""
        self.runs[task.name] = _Run(function, task, limit)

    def wait(self, seconds: float = 1.0) -> list[Event]:
        """What happened since the last call; waits a while if it is nothing."""
        waiting = [run for run in self.runs.values() if run.future is None]
        if self.local is not None and len(self.local.workers) < self.processes:
            self.local.scale(self.processes)  # in place of one that Dask has given up
        threads = sum(self.client.nthreads().values()) if waiting else 0
        for run in waiting[: max(threads - (len(self.runs) - len(waiting)), 0)]:  # none waits behind what may hang
            self._start(run)
        found, end = [], time.monotonic() + seconds
        while not found and (left := end - time.monotonic()) > 0:
            try:
                happened = [self.events.get(timeout=left)]
            except queue.Empty:
                break
            while not self.events.empty():
                happened.append(self.events.get())
            found = [event for one in happened if (event := self._understand(one)) is not None]
        for name, run in list(self.runs.items()):
            if run.future is not None and time.monotonic() > run.deadline:
                worker = run.worker or self._where(run.future.key)
                run.future.cancel(force=True)
                self._restart(worker)
                found.append(self._again(name, f"it took more than {run.limit:.0f} s"))
        return found

    def _start(self, run: _Run) -> None:
        run.worker, run.deadline = "", time.monotonic() + STARTING_S + run.limit
        key = f"{run.task.name}-{uuid.uuid4().hex[:8]}"
        run.future = self.client.submit(_work, run.function, run.task, self.topic, key, key=key, pure=False)
        run.future.add_done_callback(self.events.put)

    def _where(self, key: str) -> str:
        """The address of the worker that has a task; empty if none has."""
        return next((address for address, keys in self.client.processing().items() if key in keys), "")

    def _restart(self, address: str) -> None:
        if self.local is None and address:
            self.client.restart_workers([address], timeout=60, raise_for_error=False)
        for nanny in self.local.workers.values() if self.local else ():
            if nanny.worker_address == address:
                _kill(nanny)  # and the nanny starts another
                end = time.monotonic() + STARTING_S
                while address in self.client.nthreads() and time.monotonic() < end:
                    time.sleep(0.05)  # or the scheduler sends the next task to the dead

    def _understand(self, happened: Any) -> Event | None:
        """The event that a message of a worker or the end of a future is; None if it is of an earlier attempt."""
        key = happened["key"] if isinstance(happened, dict) else happened.key
        name = key.rpartition("-")[0]
        run = self.runs.get(name)
        if run is None or run.future is None or run.future.key != key:
            return None
        if isinstance(happened, dict):
            if "report" in happened:
                return Event(name, "report", happened["report"])
            run.worker, run.deadline = happened["worker"], time.monotonic() + run.limit
            return Event(name, "started")
        if happened.status == "finished":
            try:
                answer = happened.result(timeout=60)
            except Exception:  # its worker died with the answer
                return self._again(name, "its answer was lost")
            del self.runs[name]
            return Event(name, "done" if isinstance(answer, bytes) else "failed", answer)
        from distributed import KilledWorker

        if happened.status == "error" and not isinstance(error := happened.exception(), KilledWorker):
            del self.runs[name]
            return Event(name, "failed", f"{type(error).__name__}: {error}")
        if happened.status != "error" and self.client.status != "running":
            raise ConnectionError("the connection to the scheduler is lost; what was computed is kept")
        return self._again(name, "its worker process died, perhaps for lack of memory")

    def _again(self, name: str, why: str) -> Event:
        run = self.runs[name]
        run.left -= 1
        if run.left < 0:
            del self.runs[name]
            return Event(name, "failed", f"{why}; given up after {AGAIN + 1} tries")
        run.future = None
        return Event(name, "lost", why)


def _kill(nanny: Any) -> None:
    """End a worker process of this machine, whatever it is doing."""
    process = nanny.process and nanny.process.process
    if process and process.pid:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def _work(function: Callable, task: Task, topic: str, key: str) -> bytes | str:
    """What runs in a worker."""
    from distributed import get_worker

    if "torch" in sys.modules:  # it came with the experiment, before the time of the task begins
        sys.modules["torch"].set_num_threads(1)
    worker = get_worker()
    worker.log_event(topic, {"key": key, "worker": worker.address})
    time.sleep(0.05)  # a task that holds the interpreter's lock from its start would keep the message back
    return attempt(function, task, lambda text: worker.log_event(topic, {"key": key, "report": text}))
