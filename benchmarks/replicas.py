"""Replicas of Algorithm 1 as one batch (lib.replicas) against one after the other.

Run from the repository's root: ``python -m benchmarks.replicas [repeats]``. One episode of 20 steps, the last 5
unrolled. On a CPU, one after the other is lib.metalearning.learn, on one thread; on a GPU it is a batch of one. What a
GPU measures is written to data/results/speed_gpu.json; ``python -m benchmarks`` measures the CPU.
"""

import sys
import time
from dataclasses import replace
from datetime import UTC, datetime

import torch

from benchmarks.timing import keep, milliseconds, one_thread, ratio
from lib.metalearning import Settings, Task, learn
from lib.networks import Activation, Network
from lib.replicas import learn_replicas
from lib.training import Optimiser
from notebooks.paper.experiments.parts import load_parts

COUNTS = (1, 8, 32)
SETTINGS = Settings(episodes=1, n_tr_start=20, batch=1024, init="relu", inner=Optimiser("sgd", 0.05))


def tasks(device: torch.device) -> dict[str, Task]:
    """An algorithmic task as in Section 3.5, and an image regression of random numbers."""
    generator = torch.Generator().manual_seed(0)
    spline = Activation("spline", points=50)
    pairs = load_parts("a+b mod 27", "one-hot", split=0, validation=0).train
    pixels, targets = (torch.rand(4096, size, generator=generator) for size in (324, 1))
    every = {
        "grokking, 54-128-27": Task(
            Network(54, pairs.y.shape[1], width=128, depth=1, activation=spline), pairs.x, pairs.y, "mse"
        ),
        "images, 324-128-1, batch 1,024": Task(
            Network(324, 1, width=128, depth=1, activation=spline), pixels, targets, "mse"
        ),
    }
    return {name: replace(task, x=task.x.to(device), y=task.y.to(device)) for name, task in every.items()}


def measure(repeats: int = 5, device: str = "cpu") -> dict:
    """Per task: milliseconds per replica one by one, and how much faster a batch of each size is, per replica."""
    device = torch.device(device)
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    rows = {}
    with one_thread():
        for label, task in tasks(device).items():
            jobs = {n: lambda n=n: learn_replicas([task], SETTINGS, seeds=range(n)) for n in COUNTS}  # noqa: B023
            jobs["alone"] = jobs[1]
            if device.type == "cpu":
                jobs["alone"] = lambda: learn([task], SETTINGS, seed=0)  # noqa: B023
            seconds = {key: [] for key in jobs}
            for _ in range(repeats):  # seconds of the clock: a batch ends with a wait for the device
                for key, job in jobs.items():
                    job()
                    start = time.perf_counter()
                    job()
                    seconds[key].append(time.perf_counter() - start)
            rows[label] = {"ms": milliseconds(seconds["alone"])}
            for n in COUNTS:
                rows[label][str(n)] = ratio(seconds["alone"], [t / n for t in seconds[n]])
    return {"device": name, "counts": COUNTS, "tasks": rows}


def main(repeats: int) -> None:
    """Measure on a GPU if there is one, print, and keep what a GPU measured."""
    started, gpu = datetime.now(UTC), torch.cuda.is_available()
    measured = measure(repeats, "cuda" if gpu else "cpu")
    for label, row in measured["tasks"].items():
        faster = ", ".join(f"{n}: {row[str(n)]['ratio']:.2f}" for n in measured["counts"])
        print(f"{label} on {measured['device']}: {row['ms']:.1f} ms alone; times faster in a batch of {faster}")
    if gpu:
        keep("speed_gpu.json", measured | {"repeats": repeats}, started)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
