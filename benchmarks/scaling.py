"""How episodes grow with tasks and processes: ``python -m benchmarks.scaling [repeats]``, from the repository's root.

Tasks: a round of episodes, one of each of 1, 2 or 4 tasks. Processes: episodes per second of 1 and 2 processes with one
thread each, by the clock. Sweep: what it spends itself on each run, with empty runs on 64 threads of one worker behind
a real scheduler.
"""

import math
import multiprocessing
import statistics
import sys
import time

import distributed

from benchmarks.metastep import DEFAULT, ours
from benchmarks.timing import one_thread
from lib import episodes
from lib.metalearning import Settings, Task, learn
from lib.networks import Activation, Network
from lib.training import Optimiser
from notebooks.paper.records.cluster import Cluster
from notebooks.paper.records.compute import Task as Run

SIZE = {**DEFAULT, "inputs": 32}


def rounds(count: int) -> float:
    """Processor seconds of a round of episodes on so many tasks."""
    import torch

    generator, network = (
        torch.Generator().manual_seed(0),
        Network(32, 1, width=64, depth=1, activation=Activation("spline", points=50)),
    )
    data = [(torch.rand(2000, 32, generator=generator), torch.rand(2000, 1, generator=generator)) for _ in range(count)]
    settings = Settings("relu", episodes=count, n_tr_start=50, n_tr_step=0, inner=Optimiser("sgd", 0.05))
    start = time.process_time()
    learn([Task(network, *part, "mse") for part in data], settings, seed=0)
    return time.process_time() - start


def worker(barrier, seconds, queue):
    with one_thread():
        run, count = ours(SIZE, episodes.inner_loop), 0
        run()
        barrier.wait()
        start = time.perf_counter()
        while time.perf_counter() - start < seconds:
            run()
            count += 1
        queue.put(count / (time.perf_counter() - start))


def throughput(processes: int, seconds: float = 3.0) -> float:
    """Episodes per second of so many processes together."""
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(processes), context.Queue()
    workers = [context.Process(target=worker, args=(barrier, seconds, queue)) for _ in range(processes)]
    for process in workers:
        process.start()
    rates = [queue.get(timeout=300) for _ in workers]
    for process in workers:
        process.join()
    return sum(rates)


def nothing(run: Run, report=None) -> bytes:
    return b""


def per_run(threads: int = 64, runs: int = 1000) -> float:
    """Seconds of the clock of a sweep per empty run, all threads busy."""
    options = {"threads_per_worker": threads, "processes": False, "protocol": "tcp", "dashboard_address": None}
    with (
        distributed.LocalCluster(n_workers=1, **options, silence_logs=50) as local,
        Cluster(address=local.scheduler_address) as cluster,
    ):
        waiting, start = [Run(f"run{i}", None, {}, {}, None, None) for i in range(runs)], time.perf_counter()
        while waiting or cluster.runs:
            for _ in range(min(cluster.free(), len(waiting))):
                cluster.submit(nothing, waiting.pop(), 60)
            cluster.wait()
        return (time.perf_counter() - start) / runs


def measure(repeats: int = 5) -> dict:
    """Seconds by number of tasks with the exponent of their growth; how much faster 2 processes are than 1; and what a
    sweep spends on a run, in milliseconds, with 64 of them at a time."""
    with one_thread():
        rounds(1)
        tasks = {str(n): statistics.median(rounds(n) for _ in range(repeats)) for n in (1, 2, 4)}
    faster = [throughput(2) / throughput(1) for _ in range(min(repeats, 2))]
    exponent, processes = math.log2(tasks["4"] / tasks["1"]) / 2, statistics.median(faster)
    return {"tasks": tasks, "exponent": exponent, "processes": processes, "run_ms": 1e3 * per_run()}


if __name__ == "__main__":
    print(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
