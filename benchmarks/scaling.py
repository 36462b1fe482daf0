"""How episodes grow with tasks and processes: ``python -m benchmarks.scaling [repeats]``, from the repository's root.

Tasks: a round of episodes, one of each of 1, 2 or 4 tasks. Processes: episodes per second of 1 and 2 processes with one
thread each, by the clock.
"""

import math
import multiprocessing
import statistics
import sys
import time

from benchmarks.metastep import DEFAULT, ours
from benchmarks.timing import one_thread
from lib import episodes
from lib.metalearning import Settings, Task, learn
from lib.networks import Activation, Network
from lib.training import Optimiser

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


def measure(repeats: int = 5) -> dict:
    """Seconds by number of tasks with the exponent of their growth, and how much faster 2 processes are than 1."""
    with one_thread():
        rounds(1)
        tasks = {str(n): statistics.median(rounds(n) for _ in range(repeats)) for n in (1, 2, 4)}
    faster = [throughput(2) / throughput(1) for _ in range(min(repeats, 2))]
    return {"tasks": tasks, "exponent": math.log2(tasks["4"] / tasks["1"]) / 2, "processes": statistics.median(faster)}


if __name__ == "__main__":
    print(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
