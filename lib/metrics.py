"""Measures: accuracy, and complexity along paths (Sections 2.1, 2.2 and Appendix F).

A model is any callable ``f`` from points (n, d) to outputs (n, outputs).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Generator, Tensor

from . import kernels
from .networks import Network, Params, Psi
from .steps import products

Model = Callable[[Tensor], Tensor]
Paths = int | Tensor  # how many to draw, or their end points (paths, 2)
CHUNK = 2000  # points per evaluation: their activations stay in the processor's cache


@dataclass(frozen=True, eq=False)
class Complexity:
    """A complexity averaged over paths: mean, its standard error, and the values (paths,) float64."""

    mean: float
    standard_error: float
    per_path: Tensor


def accuracy(outputs: Tensor, y: Tensor) -> float:
    """Fraction in [0, 1] of points whose predicted class is the label; an output that is NaN counts as wrong.

    Args:
        outputs: scores (n, classes), the largest wins; or one logit (n, 1), positive for class 1.
        y: class ids (n,), integers.

    >>> accuracy(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 1]))
    0.5
    """
    if outputs.ndim != 2 or y.shape != outputs.shape[:1] or len(y) == 0:
        shapes = f"{tuple(outputs.shape)} and {tuple(y.shape)}"
        raise ValueError(f"outputs and y must have shapes (n, outputs) and (n,), n at least 1, got {shapes}")
    if y.is_floating_point() or y.min() < 0 or y.max() >= max(2, outputs.shape[1]):
        got = f"{y.dtype} from {y.min().item()} to {y.max().item()}"
        raise ValueError(f"y must hold class ids from 0 to {max(2, outputs.shape[1]) - 1}, got {got}")
    predicted = (outputs[:, 0] > 0).long() if outputs.shape[1] == 1 else outputs.argmax(dim=1)
    return ((predicted == y) & ~outputs.isnan().any(dim=1)).double().mean().item()


def sample_paths(x: Tensor, y: Tensor, *, generator: Generator, paths: int = 200) -> Tensor:
    """Draw the end points of paths between training points with different labels (Appendix F).

    Every ordered pair of points with different labels is equally likely. Give the result as ``paths`` to
    ``total_variation`` and its kin to measure several models on the same paths.

    Args:
        x: training points (n, d).
        y: class ids (n,), integers; for a regression on class ids, these ids.

    Returns:
        int64 indices into ``x`` (paths, 2).

    Raises:
        ValueError: fewer than two points, a single label, labels that are not integers, shapes that disagree.
    """
    if x.ndim != 2 or x.shape[0] < 2:
        raise ValueError(f"x must hold at least 2 points, as (n, d), got shape {tuple(x.shape)}")
    if y.shape != x.shape[:1]:
        raise ValueError(f"y must have shape {tuple(x.shape[:1])}, one label per point, got {tuple(y.shape)}")
    if y.is_floating_point():
        raise ValueError(f"y must hold class ids (integers), got {y.dtype}")
    if paths < 2:
        raise ValueError(f"paths must be at least 2, got {paths}")
    device = generator.device
    order = torch.argsort(y.to(device), stable=True)  # points of one class lie side by side
    counts = torch.unique(y.to(device), return_counts=True)[1]  # (classes,), in the same order
    if len(counts) < 2:
        raise ValueError(f"y must hold at least 2 different labels, got only {y[0].item()}")
    starts = counts.cumsum(0) - counts
    others = len(y) - counts
    weights = counts.double() * others  # ordered pairs that start in each class
    drawn = torch.multinomial(weights, paths, replacement=True, generator=generator)  # (paths,)
    uniform = torch.rand(2, paths, dtype=torch.float64, device=device, generator=generator)
    first = starts[drawn] + (uniform[0] * counts[drawn]).long()
    # the second point: any but those of the class of the first
    second = (uniform[1] * others[drawn]).long()
    second = torch.where(second >= starts[drawn], second + counts[drawn], second)
    return torch.stack([order[first], order[second]], dim=1)  # (paths, 2)


def total_variation(
    f: Model, x: Tensor, y: Tensor | None, *, generator: Generator, paths: Paths = 200, points: int = 100
) -> Complexity:
    """Total variation of ``f`` along straight paths between training points (Equation 2 and Appendix F).

    Along each path: the outputs at evenly spaced points, minus the straight line between the outputs at both
    ends, then the sum of absolute differences of neighbours. A linear model scores 0. With several outputs,
    each path looks at one output drawn at random. Values of different datasets are not comparable.

    Args:
        f: callable, points (n, d) to outputs (n, outputs).
        x, y: training points (n, d) and class ids (n,); ``y`` is not read when ``paths`` are end points.
        generator: source of randomness, for the paths first, then for the outputs: the same state gives the
            same paths and outputs to every model.
        paths: number of paths, or the end points drawn by ``sample_paths`` (paths, 2).
        points: points per path.

    Returns:
        ``Complexity`` in units of the output. Outputs that are not finite make it not finite.

    Raises:
        ValueError: as in ``sample_paths``; fewer than 3 points (2 are their own line); a wrong output shape.

    >>> x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([0, 1])
    >>> tv = total_variation(lambda x: torch.sin(2 * torch.pi * x), x, y, generator=torch.Generator())
    >>> round(tv.mean, 2)  # up 1, down 2, up 1
    4.0
    """
    return _variation(_along_paths(f, x, y, generator=generator, paths=paths, points=points))


def network_total_variation(
    network: Network,
    params: Params,
    psi: Psi,
    x: Tensor,
    y: Tensor | None,
    *,
    generator: Generator,
    paths: Paths = 200,
    points: int = 100,
) -> Complexity:
    """``total_variation`` of a network: the same value for less work.

    The first layer is affine and a path is straight, so only the ends of the paths go through the first layer
    and its pre-activations are interpolated; with one hidden layer and a linear spline the rest is one kernel.
    Input activations bend the path before the first layer: then every point is evaluated.

    Args:
        network, params, psi: the network, its weights, its learned activations.
        x: training points (n, d), or integer pairs (n, 2) of one-hot operands.
        y, generator, paths, points: as in ``total_variation``.
    """
    if network.input_activation is not None:
        f = partial(network.forward, params, psi)
        return total_variation(f, x, y, generator=generator, paths=paths, points=points)
    skips = network.residual and network.inputs == network.width  # the first layer adds its input
    g, one = network.activation, network.depth == 1 and not skips
    if one and (g.name, g.method) == ("spline", "linear") and kernels.compiled(params[0]):  # all in one kernel
        pairs = _pairs(x, y, generator=generator, paths=paths, points=points)
        with torch.no_grad(), products("float32"):
            hidden = network.first(params, x[pairs.T].flatten(0, 1)).unflatten(0, (2, -1))
            w, b = network.last(params)
            chosen = torch.randint(network.outputs, (len(pairs),), generator=generator)
            values = psi["hidden"].reshape(-1)
            outputs = kernels.along_paths(hidden, values, w[chosen], b[chosen], points, g.low, g.high)
        return _variation(outputs.double())

    def rest(z, between):
        return network.forward_from_first(params, psi, z, between() if skips else None)

    first = partial(network.first, params)
    return _variation(_along_paths(rest, x, y, generator=generator, paths=paths, points=points, first=first))


def fourier_complexity(
    f: Model, x: Tensor, y: Tensor | None, *, generator: Generator, paths: Paths = 200, points: int = 100
) -> Complexity:
    """Mean frequency of ``f`` along paths, the measure of "Neural Redshift" that validates TV (Figure 29).

    On each path the outputs are extended by their mirror image, so that they close a period without a jump.
    The mean is subtracted, and the discrete Fourier transform F_k gives sum_k |k| |F_k| / sum_k |F_k|, in
    cycles per path; then the mean over paths. A cosine of m periods scores m whatever its amplitude, a
    constant scores 0, a straight line about 1.3: simple models are told apart less well than by TV.

    Args, errors: as in ``total_variation``.
    """
    # NOTE[DIFF]: "Neural Redshift" transforms a regular grid over the whole input space, out of reach beyond
    # a few dimensions; the same weighted mean is taken here along the paths of TV. Without the mirror image
    # the jump between the outputs of two classes dominates each spectrum. (Subtracting the line between the
    # ends, as TV does, leaves the shape of the remainder whatever its size: on tanh networks of growing
    # slope, the mean frequency of that falls while their TV rises.)
    values = _along_paths(f, x, y, generator=generator, paths=paths, points=points)
    level = values.abs().amax(dim=1)
    mirrored = torch.cat([values, values.flip(1)[:, 1:-1]], dim=1)  # (paths, 2 * points - 2)
    mirrored = mirrored - mirrored.mean(dim=1, keepdim=True)
    magnitude = torch.fft.rfft(mirrored, dim=1).abs()  # (paths, points); k is k / 2 cycles per path
    weight = torch.full_like(magnitude[0], 2.0)  # a positive and a negative frequency, but for the last one
    weight[-1] = 1.0
    total = magnitude @ weight
    moment = magnitude @ (weight * torch.arange(points, dtype=weight.dtype, device=weight.device) / 2)
    constant = mirrored.abs().amax(dim=1) <= 1e-6 * level  # only rounding: noise for a spectrum
    return _complexity(torch.where(constant, 0.0, moment / torch.where(constant, 1.0, total)))


def _pairs(x, y, *, generator, paths, points) -> Tensor:
    """End points of the paths (paths, 2), drawn or as given."""
    if points < 3:
        raise ValueError(f"points must be at least 3, got {points}")
    if not isinstance(paths, torch.Tensor):
        return sample_paths(x, y, generator=generator, paths=paths)
    if paths.ndim != 2 or paths.shape[1] != 2 or len(paths) < 2:
        raise ValueError(f"paths must be a number or end points (paths, 2), got shape {tuple(paths.shape)}")
    return paths


def _along_paths(f, x, y, *, generator, paths, points, first=None) -> Tensor:
    """One output of a model along each path, (paths, points) float64. ``f`` maps points to outputs; or with ``first``,
    an affine map of the ends, what lies between their images, and is also given a function that makes the points."""
    pairs = _pairs(x, y, generator=generator, paths=paths, points=points)
    if first is None and not x.is_floating_point():
        raise ValueError(f"x must hold floating-point coordinates, to be interpolated, got {x.dtype}")
    values, chosen = [], None
    with torch.no_grad(), products("float32"):
        ends = x[pairs.T.to(x.device)]  # (2, paths, d)
        images = ends if first is None else first(ends.flatten(0, 1)).unflatten(0, (2, -1))  # (2, paths, d or width)
        size = max(1, CHUNK // points)  # paths per chunk
        for part in (slice(start, start + size) for start in range(0, len(pairs), size)):
            z = _between(images[:, part], points)
            outputs = f(z) if first is None else f(z, partial(_between, ends[:, part], points))
            if outputs.ndim != 2 or len(outputs) != len(pairs[part]) * points:
                rule = f"f must return ({len(pairs[part]) * points}, outputs) for as many points"
                raise ValueError(f"{rule}, got shape {tuple(outputs.shape)}")
            if chosen is None:  # one random output per path
                shape = (len(pairs), 1, 1)
                chosen = torch.randint(outputs.shape[1], shape, generator=generator, device=generator.device)
                chosen = chosen.to(outputs.device).expand(-1, points, 1)
            outputs = outputs.unflatten(0, (-1, points))  # (part, points, outputs)
            values.append(outputs.gather(2, chosen[part]).squeeze(2).double())
    return torch.cat(values)


def _between(ends: Tensor, points: int) -> Tensor:
    """Points on the straight lines between ends (2, paths, d): (paths * points, d)."""
    t = torch.linspace(0, 1, points, dtype=ends.dtype, device=ends.device)[:, None]
    return torch.lerp(ends[0][:, None], ends[1][:, None], t).flatten(0, 1)


def _variation(values: Tensor) -> Complexity:
    """Of values along paths (paths, points), minus the straight line between the two ends."""
    t = torch.linspace(0, 1, values.shape[1], dtype=values.dtype, device=values.device)
    deviations = values - torch.lerp(values[:, :1], values[:, -1:], t)
    return _complexity(deviations.diff(dim=1).abs().sum(dim=1))


def _complexity(per_path: Tensor) -> Complexity:
    standard_error = per_path.std() / math.sqrt(len(per_path))
    return Complexity(per_path.mean().item(), standard_error.item(), per_path.cpu())
