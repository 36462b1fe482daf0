"""Cost of one episode of Algorithm 1, as ratios to its matrix products alone, on one thread.

Run from the repository's root: ``python -m benchmarks.metastep [repeats]``. One episode: 100 steps of gradient
descent on the full batch, the last 5 unrolled, and the gradient in psi of the loss on as many other rows. The rows:

- products: the matrix products that no implementation can avoid, of float32, the fastest way that lib.steps knows;
- products, default: the same as PyTorch makes them unasked, which all rows below "ours" do;
- ours: lib.episodes.inner_loop; without compiled kernels; with products of bfloat16, where the processor has them;
- plain: autograd for everything, ordinary training and then steps that are recorded, with a spline by indexing;
- higher, torchopt: the same with these libraries for the unrolled steps.
"""

import importlib.util
import math
import sys
import warnings

import torch
from torch import nn

from benchmarks.activation import indexing
from benchmarks.timing import interleaved, milliseconds, one_thread, ratio
from lib import episodes
from lib.kernels import native
from lib.metalearning import Settings, Task
from lib.networks import Activation, Network
from lib.steps import has_bfloat16
from lib.steps import products as kind_of_products
from lib.training import Optimiser

LR = 0.05
DEFAULT = {"inputs": 324, "width": 128, "batch": 4096, "steps": 100, "unroll": 5, "points": 50, "depth": 1}


class IndexedSpline(nn.Module):
    """The spline as one would write it first; psi is handed in from outside."""

    def __init__(self, psi, low=-5.0, high=5.0):
        super().__init__()
        self.psi, self.low, self.high = [psi], low, high  # psi is not a parameter of the model

    def forward(self, z):
        return indexing(z, self.psi[0], self.low, self.high)


def problem(size):
    """Task, psi and weights of one benchmark."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(2 * size["batch"], size["inputs"], generator=generator)
    y = torch.rand(len(x), 1, generator=generator)
    activation = Activation("spline", points=size["points"])
    network = Network(size["inputs"], 1, width=size["width"], depth=size["depth"], activation=activation)
    psi = 0.1 * torch.randn(size["points"], generator=generator)
    return Task(network, x, y, "mse"), psi, network.init(generator)


def ours(size, loop, products="float32"):
    task, psi, theta = problem(size)
    settings = Settings(unroll=size["unroll"], inner=Optimiser("sgd", LR), batch=size["batch"], products=products)
    rows, rest = torch.arange(size["batch"]), slice(size["batch"], None)

    def run():
        leaf = psi.clone().requires_grad_()
        with kind_of_products("float32"):
            trained = loop(task, {"hidden": leaf}, theta, rows, size["steps"], settings, torch.Generator())
            loss = episodes.outer_loss(task, {"hidden": leaf}, trained, (task.x[rest], task.y[rest]))
            return torch.autograd.grad(loss, leaf)[0]

    return run


def modules(size, unrolled):
    """Ordinary training of modules, then ``unrolled(model, steps, x, y, x_v, y_v)`` for the rest and the loss."""
    task, psi, theta = problem(size)
    b = size["batch"]
    x, y, x_v, y_v = task.x[:b], task.y[:b], task.x[b:], task.y[b:]

    def run():
        leaf = psi.clone().requires_grad_()
        spline = IndexedSpline(psi)
        model = nn.Sequential(nn.Linear(size["inputs"], size["width"]), spline, nn.Linear(size["width"], 1))
        for parameter, value in zip(model.parameters(), theta, strict=True):
            parameter.data.copy_(value)
        optimiser = torch.optim.SGD(model.parameters(), LR)
        for _ in range(size["steps"] - size["unroll"]):
            optimiser.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            optimiser.step()
        spline.psi[0] = leaf
        return torch.autograd.grad(unrolled(model, size["unroll"], x, y, x_v, y_v), leaf)[0]

    return run


def with_higher(model, steps, x, y, x_v, y_v):
    import higher

    optimiser = torch.optim.SGD(model.parameters(), LR)
    with higher.innerloop_ctx(model, optimiser, copy_initial_weights=False) as (fast, updates):
        for _ in range(steps):
            updates.step(nn.functional.mse_loss(fast(x), y))
        return nn.functional.mse_loss(fast(x_v), y_v)


def with_torchopt(model, steps, x, y, x_v, y_v):
    import torchopt

    optimiser = torchopt.MetaSGD(model, lr=LR)
    for _ in range(steps):
        optimiser.step(nn.functional.mse_loss(model(x), y))
    return nn.functional.mse_loss(model(x_v), y_v)


def products(size):
    """Forward and weight gradient per step; the same again for each unrolled step and for the outer loss."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(size["batch"], size["inputs"], generator=generator)
    w = torch.rand(size["width"], size["inputs"], generator=generator)
    d = torch.rand(size["batch"], size["width"], generator=generator)

    def run():
        for _ in range(size["steps"] + size["unroll"] + 1):
            x @ w.T
            d.T @ x

    return run


def jobs(size):
    plain = products(size)
    rows = {
        "products": (native.library(), kind_of_products("float32")(plain)),
        "products, default": (None, plain),
        "ours": (native.library(), ours(size, episodes.inner_loop)),
        "ours, torch": (None, ours(size, episodes.inner_loop)),
        "plain": (None, modules(size, plain_tail)),
    }
    if has_bfloat16():
        rows["ours, bfloat16"] = (native.library(), ours(size, episodes.inner_loop, "bfloat16"))
    for name, unrolled in {"higher": with_higher, "torchopt": with_torchopt}.items():
        if importlib.util.find_spec(name):
            rows[name] = (None, modules(size, unrolled))
    return rows


def plain_tail(model, steps, x, y, x_v, y_v, lr=LR):
    """The unrolled steps with torch.func, no library."""
    theta = dict(model.named_parameters())
    for _ in range(steps):
        loss = nn.functional.mse_loss(torch.func.functional_call(model, theta, (x,)), y)
        grads = torch.autograd.grad(loss, list(theta.values()), create_graph=True)
        theta = {k: p - lr * g for (k, p), g in zip(theta.items(), grads, strict=True)}
    return nn.functional.mse_loss(torch.func.functional_call(model, theta, (x_v,)), y_v)


def same(size) -> float:
    """Largest relative difference of the implementations' gradients in psi: they do the same work."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        without = ("products", "products, default", "ours, bfloat16")
        gradients = [run() for name, (_, run) in jobs(size).items() if name not in without]
    return max(float((g - gradients[0]).norm() / gradients[0].norm()) for g in gradients)


def growth(repeats: int = 5) -> dict:
    """Milliseconds of our episode with each size halved and doubled, and the exponent of the growth between."""
    table = {}
    for name in ("batch", "width", "depth", "steps", "inputs", "unroll", "points"):
        half, twice = ({**DEFAULT, name: max(1, round(DEFAULT[name] * f))} for f in (0.5, 2))
        runs = {"half": (native.library(), ours(half, episodes.inner_loop)),
                "twice": (native.library(), ours(twice, episodes.inner_loop))}  # fmt: skip
        times = {key: milliseconds(values) for key, values in interleaved(runs, repeats).items()}
        exponent = math.log2(times["twice"] / times["half"]) / math.log2(twice[name] / half[name])
        table[name] = {"half_ms": times["half"], "twice_ms": times["twice"], "exponent": exponent}
    return table


def measure(repeats: int = 5) -> dict:
    """Per number of inputs: milliseconds and ratio to the products, with quartiles over the turns; and the growth."""
    tables = []
    with one_thread():
        for inputs in (324, 32):
            size = {**DEFAULT, "inputs": inputs}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # `higher` uses what PyTorch has deprecated
                seconds = interleaved(jobs(size), repeats)
            rows = {
                name: {"ms": milliseconds(times), **ratio(times, seconds["products"])}
                for name, times in seconds.items()
            }
            difference = same({**size, "batch": 256, "steps": 10})
            tables.append({"size": size, "rows": rows, "largest_relative_difference": difference})
        return {"tables": tables, "growth": growth(min(repeats, 3))}


if __name__ == "__main__":
    outcome = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
    for entry in outcome["tables"]:
        print(entry["size"], f"difference {entry['largest_relative_difference']:.1e}")
        for label, row in entry["rows"].items():
            spread = f"{row['ratio']:5.2f} [{row['low']:.2f}, {row['high']:.2f}]"
            print(f"  {label:12} {row['ms']:8.1f} ms  {spread} x products")
    for label, row in outcome["growth"].items():
        print(f"  cost grows with {label} to the power {row['exponent']:.2f}")
