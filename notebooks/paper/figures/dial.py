"""The activation is the dial: random networks with two inputs, plain and for the interactive figure (Section 2.1)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from lib import metrics, splines
from lib.networks import Activation, Network, Params

from .explore import function

WIDTH, DEPTH = 32, 2
PATHS, POINTS, SIDE = 60, 60, 88  # of the total variation; points along a side of the square
RANGE = 4.0  # of the pre-activations that the plain figure shows
LEARNED = {  # activations that the dial offers, by name
    "learned on a+b mod 27": "grokking-aplusb-mod-27-sgd-zeros",
    "learned on Fashion-MNIST, from ReLU": "regression-fashion_mnist-adam-relu",
    "learned on Fashion-MNIST, from zeros": "regression-fashion_mnist-adam-zeros",
}


@dataclass(frozen=True, eq=False)
class Drawn:
    """Random networks, params of each, and the ends of the paths of the total variation (paths, 4)."""

    networks: list[Params]
    ends: torch.Tensor


def draw(networks: int = 6, width: int = WIDTH, seed: int = 0) -> Drawn:
    """Random networks with PyTorch's initialisation, rounded so that a page can hold them."""
    generator, shape = torch.Generator().manual_seed(seed), Network(2, 1, width=width, depth=DEPTH)
    made = [[array.double().mul(1e4).round().div(1e4) for array in shape.init(generator)] for _ in range(networks)]
    ends = 2 * torch.rand(PATHS, 4, generator=generator, dtype=torch.float64) - 1
    return Drawn(made, ends.mul(1e4).round().div(1e4))


def data(drawn: Drawn, learned: Mapping[str, splines.Spline]) -> dict:
    """What `show(..., explore=("dial", ...))` takes; learned: by name, activations shared by all units."""
    functions = [{"name": name, **function(g.values.detach().numpy(), g.low, g.high)} for name, g in learned.items()]
    networks = [[array.tolist() for array in params] for params in drawn.networks]
    return {"networks": networks, "functions": functions, "paths": drawn.ends.tolist(), "points": POINTS}


def outputs(
    params: Params, activation: Activation, values: torch.Tensor | None, scale: float, x: torch.Tensor
) -> torch.Tensor:
    """A random network's outputs (n, 1) at points (n, 2); every pre-activation is multiplied by scale."""
    shape = Network(2, 1, width=len(params[1]), depth=DEPTH, activation=activation)
    scaled = [scale * array if layer < 2 * DEPTH else array for layer, array in enumerate(params)]
    return shape.forward(scaled, {} if values is None else {"hidden": values.double()}, x.double())


def picture(drawn: Drawn, network: int, activation: Activation, values, scale: float) -> tuple[np.ndarray, float]:
    """A network's function on the square [-1, 1]^2 (SIDE, SIDE), and its total variation in units of its range."""
    side = torch.linspace(-1, 1, SIDE, dtype=torch.float64)
    params = drawn.networks[network]

    def f(x):
        return outputs(params, activation, values, scale, x)

    y, x = torch.meshgrid(-side, side, indexing="ij")
    square = f(torch.stack([x.flatten(), y.flatten()], dim=1)).reshape(SIDE, SIDE)
    ends, pairs = drawn.ends.reshape(-1, 2), torch.arange(2 * PATHS).reshape(-1, 2)
    variation = metrics.total_variation(f, ends, None, generator=torch.Generator(), paths=pairs, points=POINTS)
    return square.numpy(), variation.mean / float(square.max() - square.min())


def figure(
    drawn: Drawn, functions: Mapping[str, tuple[Activation, torch.Tensor | None]], scale: float, narrow: bool
) -> Figure:
    """One network with several activations: these above, the network's output below, with its total variation."""
    columns = 2 if narrow else len(functions)
    rows = -(-len(functions) // columns)
    made, axes = plt.subplots(
        2 * rows,
        columns,
        figsize=(3.7 if narrow else 7, (3.4 if narrow else 2.7) * rows),
        height_ratios=[1, 1.4] * rows,
        squeeze=False,
    )
    for ax in axes.flat[:]:
        ax.set_axis_off()
    z = torch.linspace(-RANGE, RANGE, 801, dtype=torch.float64)
    for i, (name, (activation, values)) in enumerate(functions.items()):
        above, below = (axes[2 * (i // columns) + k, i % columns] for k in (0, 1))
        square, variation = picture(drawn, 0, activation, values, scale)
        above.plot(z, activation.value(z, None if values is None else values.double()), color="C1", linewidth=1.4)
        above.set_title(name, fontsize=9.5)
        above.set(xticks=[0], yticks=[0])
        above.set_axis_on()
        above.grid()
        below.imshow(square, cmap="viridis", extent=(-1, 1, -1, 1))
        below.set_title(f"TV {variation:.2f}", fontsize=9.5)
    return made
