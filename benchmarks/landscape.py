"""A landscape in weight space: one network after the other against batches of networks (torch.func.vmap), one thread.

Run from the repository's root: ``python -m benchmarks.landscape [repeats]``. 36 networks with a learned activation on
2,000 rows of 7 columns; a landscape of the paper has 2,500 networks.
"""

import sys

import torch

from benchmarks.timing import interleaved, milliseconds, one_thread, ratio
from lib.kernels import native
from lib.networks import Activation, Network
from notebooks.paper.experiments import landscapes

ROWS, COLUMNS, SIDE = 2000, 7, 6  # SIDE ** 2 networks
SIZES = [(32, 1), (32, 2), (256, 1), (256, 2)]  # width, depth
BATCHES = (6, 36)


def jobs(width: int, depth: int):
    """The same landscape of mean outputs, with several sizes of a batch."""
    network = Network(COLUMNS, 1, width=width, depth=depth, activation=Activation("spline", points=100))
    generator = torch.Generator().manual_seed(0)
    like, psi = network.init(generator), network.init_psi("relu")
    x = torch.randn(ROWS, COLUMNS, generator=generator)
    plane = landscapes.random_plane(landscapes.flatten(like), generator=generator)

    def measure(flat):
        return network.forward(landscapes.unflatten(flat, like), psi, x).mean()

    def run(batch):
        with torch.no_grad():
            if batch == 1:
                return landscapes.landscape(measure, plane, 0.5, SIDE)
            return landscapes.landscape(torch.func.vmap(measure), plane, 0.5, SIDE, batch=batch)

    return {batch: (native.library(), lambda batch=batch: run(batch)) for batch in (1, *BATCHES)}


def measure(repeats: int = 15) -> list[dict]:
    """Per size of the network: milliseconds per network one by one, and how much faster each batch is."""
    rows = []
    with one_thread():
        for width, depth in SIZES:
            seconds = interleaved(jobs(width, depth), repeats)
            row = {"width": width, "depth": depth, "ms": milliseconds(seconds[1]) / SIDE**2}
            rows.append(row | {f"batch {batch}": ratio(seconds[1], seconds[batch]) for batch in BATCHES})
    return rows


if __name__ == "__main__":
    for row in measure(int(sys.argv[1]) if len(sys.argv) > 1 else 15):
        print(row)
