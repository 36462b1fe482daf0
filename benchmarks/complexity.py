"""Cost of the total variation of a network, as ratios within one interleaved run on one thread.

Run from the repository's root: ``python -m benchmarks.complexity [repeats]``. All rows compute the same
number, over 200 paths of 100 points, of a 324-128-1 network (cropped MNIST) or a variant, with a learned
activation:

- plain: the forward pass over all 20,000 points at once, the spline by indexing;
- kernels: the same with the spline's kernels;
- chunks: ``lib.metrics.total_variation``, 2,000 points at a time;
- short cut: ``lib.metrics.network_total_variation``, the ends through the first layer, the rest in one kernel.
"""

import sys

import torch

from benchmarks.activation import indexing
from benchmarks.timing import interleaved, milliseconds, one_thread, ratio
from lib import kernels, metrics
from lib.kernels import native
from lib.networks import Activation, Network

PATHS, POINTS = 200, 100


def candidates(depth=1, inputs=324, width=128, points=50):
    """Name to a function that returns the total variation, all for one random network."""
    generator = torch.Generator().manual_seed(0)
    network = Network(inputs, 1, width=width, depth=depth, activation=Activation("spline", points=points))
    params = network.init(generator)
    psi = {"hidden": torch.randn(points, generator=generator)}
    x = torch.rand(2000, inputs, generator=generator)
    y = torch.randint(10, (2000,), generator=generator)
    pairs = metrics.sample_paths(x, y, generator=generator, paths=PATHS)

    def variation(f):
        with torch.no_grad():
            t = torch.linspace(0, 1, POINTS)[:, None]
            ends = x[pairs]
            values = f(torch.lerp(ends[:, None, 0], ends[:, None, 1], t).flatten(0, 1))  # (20000, 1)
            values = values.view(PATHS, POINTS).double()
            line = torch.lerp(values[:, :1], values[:, -1:], t.T.double())
            return (values - line).diff(dim=1).abs().sum(dim=1).mean().item()

    def plain(points_):
        for layer in range(depth):
            z = points_ @ params[2 * layer].T + params[2 * layer + 1]
            points_ = indexing(z, psi["hidden"], network.activation.low, network.activation.high)
        return points_ @ params[-2].T + params[-1]

    def forward(points_):
        return network.forward(params, psi, points_)

    shared = {"y": None, "generator": generator, "paths": pairs, "points": POINTS}
    return {
        "plain": lambda: variation(plain),
        "kernels": lambda: variation(forward),
        "chunks": lambda: metrics.total_variation(forward, x, **shared).mean,
        "short cut": lambda: metrics.network_total_variation(network, params, psi, x, **shared).mean,
    }


def measure(repeats=15, **shape):
    """Per version: milliseconds, and how many times faster than plain (median and quartiles) it is."""
    with one_thread():
        functions = candidates(**shape)
        values = {name: function() for name, function in functions.items()}  # also warms up
        for name, value in values.items():
            if abs(value - values["plain"]) > 1e-4 * values["plain"]:
                raise RuntimeError(f"{name} computed {value}, plain {values['plain']}")
        seconds = interleaved({name: (native.library(), function) for name, function in functions.items()}, repeats)
    return {name: {"ms": milliseconds(times), **ratio(seconds["plain"], times)} for name, times in seconds.items()}


def main():
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    print(f"spline backend: {kernels.backend()}")
    print(f"{'network':>20}  {'version':>10}  {'ms':>8}  {'times faster':>12}")
    for shape in ({"depth": 1}, {"depth": 2}, {"depth": 1, "inputs": 32}, {"depth": 1, "width": 256}):
        for name, row in measure(repeats, **shape).items():
            label = ", ".join(f"{key} {value}" for key, value in shape.items())
            cells = f"{row['ms']:8.2f}  {row['ratio']:12.1f}"
            print(f"{label:>20}  {name:>10}  {cells}")


if __name__ == "__main__":
    main()
