"""Cost of one inner step, as a multiple of its float32 matrix products in their best layouts, on one thread.

Run from the repository's root: ``python -m benchmarks.steps [repeats]``. The rows:

- products: each product of the step in the fastest of its layouts (rows or columns in memory, outputs padded or not),
  the fastest way of float32 that lib.steps knows;
- ours: lib.steps; ours, torch: the same without compiled kernels;
- readable: Network.loss_and_gradients and Optimiser.step, without autograd;
- autograd: modules and torch.optim, the spline by indexing, one-hot inputs as dense vectors.
"""

import statistics
import sys
import time

import torch
from torch import nn

from benchmarks.metastep import IndexedSpline
from benchmarks.timing import interleaved, milliseconds, one_thread, ratio, using
from lib.kernels import native
from lib.networks import Activation, Network
from lib.steps import Steps
from lib.steps import products as kind_of_products
from lib.training import Batches, Optimiser, take

SPLINE = Activation("spline", points=50)
MANY = Activation("spline", points=300, low=-1.0, high=1.0)
# name: network, rows in all, batch, loss, optimiser, one-hot pairs
CASES = {
    "images 324-128-1": (
        Network(324, 1, width=128, depth=1, activation=SPLINE),
        4096,
        4096,
        "mse",
        Optimiser("sgd", 0.05),
        False,
    ),
    "images 324-32-1": (
        Network(324, 1, width=32, depth=1, activation=SPLINE),
        4096,
        4096,
        "mse",
        Optimiser("adam", 1e-3),
        False,
    ),
    "32-128-1": (
        Network(32, 1, width=128, depth=1, activation=SPLINE),
        4096,
        4096,
        "mse",
        Optimiser("sgd", 0.05),
        False,
    ),
    "table 7-64-64-1": (
        Network(7, 1, width=64, depth=2, activation=SPLINE),
        8192,
        1024,
        "logistic",
        Optimiser("rmsprop", 1e-3),
        False,
    ),
    "table 7-256-256-1": (
        Network(7, 1, width=256, depth=2, activation=SPLINE),
        8192,
        512,
        "logistic",
        Optimiser("rmsprop", 1e-3),
        False,
    ),
    "one-hot 54-128-27": (
        Network(54, 27, width=128, depth=1, activation=MANY),
        583,
        4096,
        "mse",
        Optimiser("sgd", 1.0),
        True,
    ),
    "one-hot 54-256-27, ReLU": (Network(54, 27, width=256, depth=1), 583, 4096, "mse", Optimiser("sgd", 1.0), True),
}


def layouts(left, right):
    """The product of two matrices from each layout of them in memory."""
    a, b = left.contiguous(), right.contiguous()
    columns_a, columns_b = a.T.contiguous().T, b.T.contiguous().T
    out = a.new_empty(len(a), b.shape[1])
    transposed = a.new_empty(b.shape[1], len(a)).T
    pairs = [(x, y, o) for x in (a, columns_a) for y in (b, columns_b) for o in (out, transposed)]
    return [lambda x=x, y=y, o=o: torch.mm(x, y, out=o) for x, y, o in pairs]


def best(jobs, repeats=60):
    """The fastest of the jobs, by the lowest tenth of its times."""
    times = [[] for _ in jobs]
    for _ in range(repeats):
        for job, seconds in zip(jobs, times, strict=True):
            start = time.perf_counter()
            job()
            seconds.append(time.perf_counter() - start)
    return min(zip(jobs, times, strict=True), key=lambda pair: statistics.quantiles(pair[1], n=10)[0])[0]


def products(network, rows, pairs):
    """All products of one step: forward, gradient of the weights, and back to the layer before."""
    chosen = []
    for layer, (i, o) in enumerate(zip(network.sizes, network.sizes[1:], strict=False)):
        if layer == 0 and pairs:
            continue
        kinds = {"forward": [], "weights": [], "back": []}
        for size in {o, -(-o // 4) * 4} if o > 4 else {o}:
            x, w, d = torch.rand(rows, i), torch.rand(i, size), torch.rand(rows, size)
            kinds["forward"] += layouts(x, w)
            kinds["weights"] += layouts(x.T, d)
            kinds["back"] += layouts(d, w.T) if layer else []
        chosen += [best(jobs) for jobs in kinds.values() if jobs]

    def run():
        for job in chosen:
            job()

    return run


def problem(name):
    network, n, batch, loss, optimiser, pairs = CASES[name]
    g = torch.Generator().manual_seed(0)
    x = torch.randint(network.inputs, (n, 2), generator=g) if pairs else torch.rand(n, network.inputs, generator=g)
    y = torch.randint(2, (n, network.outputs), generator=g).float()
    psi = {k: v + 0.1 * torch.randn(v.shape, generator=g) for k, v in network.init_psi("relu").items()}
    return network, psi, network.init(g), (x, y), loss, optimiser, Batches(n, batch, g)


def ours(name):
    steps = Steps(*problem(name))
    return steps.step


def readable(name):
    network, psi, theta, data, loss, optimiser, batches = problem(name)
    now = [theta, optimiser.init(theta)]

    @torch.no_grad()
    def run():
        _, grads = network.loss_and_gradients(now[0], psi, *take(data, batches.next()), loss)
        now[:] = optimiser.step(now[0], grads, now[1])

    return run


def autograd(name):
    network, psi, theta, (x, y), loss, optimiser, batches = problem(name)
    if not x.is_floating_point():
        x = nn.functional.one_hot(x, network.inputs).sum(1).float()
    layers, g = [], network.activation
    for i, o in zip(network.sizes, network.sizes[1:], strict=False):
        layers += [nn.Linear(i, o), IndexedSpline(psi["hidden"], g.low, g.high) if g.name == "spline" else nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    for parameter, value in zip(model.parameters(), theta, strict=True):
        parameter.data.copy_(value)
    kind = {"sgd": torch.optim.SGD, "rmsprop": torch.optim.RMSprop, "adam": torch.optim.Adam}[optimiser.name]
    rule = kind(model.parameters(), optimiser.lr)
    measure = nn.functional.mse_loss if loss == "mse" else nn.functional.binary_cross_entropy_with_logits

    def run():
        a, b = take((x, y), batches.next())
        rule.zero_grad()
        measure(model(a), b).backward()
        rule.step()

    return run


def several(run, times):
    def runs():
        for _ in range(times):
            run()

    return runs


def measure(repeats: int = 15, times: int = 20, cases=tuple(CASES)) -> dict:
    """Per case: milliseconds of a step, and its ratio to the products with quartiles over the turns."""
    result, fastest = {}, kind_of_products("float32")
    with one_thread():
        for name in cases:
            network, _, batch, *_, pairs = CASES[name]
            rows = min(CASES[name][1], batch)
            library = native.library()
            jobs = {"products": (library, fastest(products)(network, rows, pairs))}  # whose layouts are compared, too
            jobs |= {"ours": (library, ours(name)), "readable": (library, readable(name))}
            with using(None):
                jobs["ours, torch"] = (None, ours(name))
            jobs = {key: (used, fastest(several(run, times))) for key, (used, run) in jobs.items()}
            jobs["autograd"] = (None, several(autograd(name), times))
            seconds = interleaved(jobs, repeats)
            result[name] = {
                key: {"ms": milliseconds(values) / times, **ratio(values, seconds["products"])}
                for key, values in seconds.items()
            }
    return result


if __name__ == "__main__":
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    for case, rows in measure(turns, cases=tuple(sys.argv[2:]) or tuple(CASES)).items():
        print(case)
        for label, row in rows.items():
            spread = f"{row['ratio']:5.2f} [{row['low']:.2f}, {row['high']:.2f}]"
            print(f"  {label:12} {row['ms']:8.3f} ms  {spread} x products")
