"""What the speed means for the experiments: pieces of the grokking and image sweeps, before and after, in one run.

Run from the repository's root: ``python -m benchmarks.sweeps [repeats]``. Before: modules, autograd for every step, the
spline by indexing, dense one-hot inputs, batches by indexing. After: this library. Image data are random numbers of
the size of Fashion-MNIST, since the work does not depend on the values.
"""

import sys

import torch
from torch import nn

from benchmarks.metastep import IndexedSpline, plain_tail
from benchmarks.timing import interleaved, milliseconds, one_thread, ratio
from lib import episodes
from lib.kernels import native
from lib.metalearning import Settings, Task
from lib.networks import Activation, Network
from lib.training import Batches, Optimiser, take
from notebooks.paper.experiments.parts import load_parts


def grokking():
    """Inputs as pairs and as dense one-hot vectors, targets: a+b mod 27."""
    train = load_parts("a+b mod 27", "one-hot", split=0, validation=0).train
    return train.x, torch.zeros(len(train), 54).scatter_(1, train.x, 1.0), train.y


def images():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(38_880, 784, generator=generator)
    return x, x, torch.rand(len(x), 1, generator=generator)


# name: (data, width, steps, unrolled steps or 0 for training, n_c, range, learning rate)
PIECES = {
    "grokking, learning: an episode of 500 steps": (grokking, 128, 500, 20, 200, 1.0, 1.0),
    "grokking, training: 500 steps": (grokking, 256, 500, 0, 200, 1.0, 1.0),
    "images, learning: an episode of 50 steps": (images, 32, 50, 5, 50, 5.0, 0.05),
    "images, training: 50 steps": (images, 128, 50, 0, 50, 5.0, 0.05),
}


def piece(data, width, steps, unroll, points, reach, lr):
    """The same piece of work twice: before and after."""
    x, dense, y = data()
    activation = Activation("spline", points=points, low=-reach, high=reach)
    network = Network(dense.shape[1], y.shape[1], width=width, depth=1, activation=activation)
    settings = Settings(unroll=unroll, inner=Optimiser("sgd", lr))
    psi = 0.05 * torch.randn(points, generator=torch.Generator().manual_seed(1))
    held_out = slice(0, min(4096, len(x) // 4))

    def after():
        leaf = {"hidden": psi.clone().requires_grad_()}
        generator = torch.Generator().manual_seed(2)
        task = Task(network, x, y, "mse")
        theta = network.init(generator)
        trained = episodes.inner_loop(task, leaf, theta, torch.arange(len(x)), steps, settings, generator)
        if unroll:
            loss = episodes.outer_loss(task, leaf, trained, (x[held_out], y[held_out]))
            torch.autograd.grad(loss, leaf["hidden"])

    def before():
        generator = torch.Generator().manual_seed(2)
        spline = IndexedSpline(psi, -reach, reach)
        model = nn.Sequential(nn.Linear(dense.shape[1], width), spline, nn.Linear(width, y.shape[1]))
        optimiser, batches = torch.optim.SGD(model.parameters(), lr), Batches(len(x), settings.batch, generator)
        for _ in range(steps - unroll):
            rows = batches.next()
            a, b = (dense, y) if rows is None else (dense[rows], y[rows])
            optimiser.zero_grad()
            nn.functional.mse_loss(model(a), b).backward()
            optimiser.step()
        if unroll:
            spline.psi[0] = psi.clone().requires_grad_()
            a, b = take((dense, y), batches.next())
            loss = plain_tail(model, unroll, a, b, dense[held_out], y[held_out], lr)
            torch.autograd.grad(loss, spline.psi[0])

    return {"before": (None, before), "after": (native.library(), after)}


def measure(repeats: int = 5) -> dict:
    """Per piece: milliseconds before and after, and their ratio with quartiles over the turns."""
    result = {}
    with one_thread():
        for name, settings in PIECES.items():
            seconds = interleaved(piece(*settings), repeats)
            times = {key: milliseconds(values) for key, values in seconds.items()}
            result[name] = {**times, **ratio(seconds["before"], seconds["after"])}
    return result


if __name__ == "__main__":
    for label, row in measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5).items():
        print(f"{label:45} {row['before']:8.0f} -> {row['after']:6.0f} ms, {row['ratio']:.1f} times faster")
