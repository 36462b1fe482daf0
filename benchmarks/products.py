"""Are activations as good that were learned with products of bfloat16? Paired restarts, in three kinds of data.

Run from the repository's root: ``python -m benchmarks.products [seconds]``; it takes an hour or two on one core, may be
stopped, and goes on where it was. Per domain and restart, Algorithm 1 runs with either kind of products from the same
seed; then networks are trained with each function, in float32, from the same seeds. The budgets are smaller than those
of the sections. The record is data/results/speed_products.json.

Where the processor does not multiply in bfloat16, the factors are rounded before products of float32, which gives the
same numbers up to the order of the sums, and no speed.
"""

import json
import sys
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import torch
from torch.overrides import TorchFunctionMode

from benchmarks.timing import ROOT, keep, one_thread
from lib import episodes, steps
from lib.metalearning import Settings, Task, learn
from lib.networks import Activation, Network, Psi
from lib.steps import PRODUCTS, has_bfloat16
from lib.training import Optimiser, train
from notebooks.paper.experiments.parts import LOSS_OF, Parts, accuracy, load_parts

FILE, RESTARTS, SEEDS = "speed_products.json", 4, (1, 2)


@dataclass(frozen=True)
class Domain:
    """What is learned, and how the networks are trained that the functions are compared in.

    network, settings: of Algorithm 1. width, optimiser, steps, batch: of the networks. speed: whether functions are
    compared by the mean accuracy over all evaluations, in equal ratios of steps, instead of at the best step.
    """

    data: str
    task: str
    network: Network
    settings: Settings
    width: int
    optimiser: Optimiser
    steps: int
    batch: int
    speed: bool = False


SPLINE = Activation("spline", points=50)
DOMAINS = {
    "a table": Domain(
        "electricity", "binary", Network(width=64, depth=2, activation=replace(SPLINE, points=100)),
        Settings("relu", episodes=40, n_tr_start=30, n_tr_step=6, batch=1024, validation=0.5,
                 inner=Optimiser("rmsprop", 0.003)),
        256, Optimiser("rmsprop", 0.003), 600, 512,
    ),
    "a+b mod 27": Domain(
        "a+b mod 27", "one-hot",
        Network(width=128, depth=1, activation=Activation("spline", points=200, low=-1.0, high=1.0)),
        Settings(episodes=100, n_tr_start=1000, n_tr_step=0, validation=0.1, watch=0.0, patience=100, unroll=10,
                 outer=Optimiser("adam", 0.01), inner=Optimiser("sgd", 1.0)),
        256, Optimiser("sgd", 1.0), 6000, 4096, True,
    ),
    "images": Domain(
        "fashion_mnist", "regression", Network(width=32, depth=1, activation=SPLINE),
        Settings("relu", episodes=40, n_tr_start=30, n_tr_step=5, batch=1024, inner=Optimiser("adam", 0.003)),
        128, Optimiser("adam", 0.003), 1000, 1024,
    ),
}  # fmt: skip


class Rounded(TorchFunctionMode):
    """Rounds the factors of torch.mm, as which inner steps do all their products, to bfloat16."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is torch.mm:
            args = [factor.bfloat16().to(factor.dtype) for factor in args]
        return function(*args, **(kwargs or {}))


@contextmanager
def rounded(kind: str):
    """What lib.steps.products does, on any processor."""
    with steps.products("float32"), Rounded() if kind == "bfloat16" else nullcontext():
        yield


def trained(domain: Domain, parts: Parts, network: Network, psi: Psi, seed: int) -> float:
    """Test accuracy of one network with a function, at the best step by validation data; or over all steps."""
    network = replace(network, width=domain.width)
    last, count = domain.steps, 20
    steps = {round(last ** (i / count)) if domain.speed else last * i // count for i in range(1, count + 1)}

    def monitor(params):
        outputs = {name: network.forward(params, psi, getattr(parts, name).x) for name in ("validation", "test")}
        return {
            f"{name}_accuracy": accuracy(out, getattr(parts, name), domain.task, parts.classes)
            for name, out in outputs.items()
        }

    done = train(
        network, psi, (parts.train.x, parts.train.y), loss=LOSS_OF[domain.task], optimiser=domain.optimiser,
        evaluate_at=sorted(steps), monitor=monitor, generator=torch.Generator().manual_seed(seed), batch=domain.batch,
    )  # fmt: skip
    curve = done.history["test_accuracy"]
    return sum(curve) / len(curve) if domain.speed else curve[done.history["step"].index(done.best_step)]


def restart(domain: Domain, parts: Parts, kind: str, seed: int) -> dict:
    """Learn a function and use it: processor seconds of the learning, whether it diverged, the accuracies."""
    network = replace(domain.network, inputs=parts.inputs, outputs=parts.outputs)
    task = Task(network, parts.train.x, parts.train.y, LOSS_OF[domain.task])
    start = time.process_time()
    learned = learn([task], replace(domain.settings, products=kind), seed=seed)
    seconds = time.process_time() - start
    return {
        "seconds": seconds,
        "episodes": len(learned.history["outer"]),
        "diverged": learned.diverged,
        "accuracies": [trained(domain, parts, network, learned.psi, seed) for seed in SEEDS],
    }


def relu(domain: Domain, parts: Parts) -> list[float]:
    network = Network(parts.inputs, parts.outputs, width=domain.width, depth=domain.network.depth)
    return [trained(domain, parts, network, {}, seed) for seed in SEEDS]


def main(limit: float) -> None:
    if not has_bfloat16():
        episodes.products = rounded
    path, started = ROOT / FILE, datetime.now(UTC)
    record = json.loads(path.read_text()) if path.exists() else {"domains": {name: {} for name in DOMAINS}}
    end, loaded = time.monotonic() + limit, {}
    with one_thread():
        for seed in range(RESTARTS):
            for name, domain in DOMAINS.items():
                if name not in loaded:
                    loaded[name] = load_parts(domain.data, domain.task, split=0, validation=0.1)
                rows = record["domains"][name]
                for kind in ("relu", *PRODUCTS):
                    key = kind if kind == "relu" else f"{kind} {seed}"
                    if key in rows or time.monotonic() > end:
                        continue
                    rows[key] = (
                        relu(domain, loaded[name]) if kind == "relu" else restart(domain, loaded[name], kind, seed)
                    )
                    print(name, key, rows[key], flush=True)
                    keep(FILE, {"rounded": not has_bfloat16(), "domains": record["domains"]}, started)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else float("inf"))
