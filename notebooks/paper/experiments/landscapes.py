"""Pictures of a model: slices of its input space, and landscapes over planes of its weight space.

Slices are those of Section 2.1 and Figure 7c, landscapes those of Figures 7a and 7b (Appendix E.4).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from lib.metrics import CHUNK, Model

# --------------------------------------------------------------------------------------- input space


def axis_slice(f: Model, point: Tensor, columns: tuple[int, int], resolution: int = 200) -> tuple[Tensor, Tensor]:
    """A model over two input columns in [-1, 1], the others fixed at one training point (Figure 7c).

    Args:
        f: callable, points (n, d) to outputs (n, outputs).
        point: the training point (d,).
        columns: the columns (m, n) to vary; all columns of the data are scaled to [-1, 1].
        resolution: values per column.

    Returns:
        the values of a column (resolution,), and the outputs (resolution, resolution, outputs), where [i,
        j] has column n at values[i] and column m at values[j].
    """
    _check_points(point)
    m, n = columns
    if m == n or not (0 <= m < len(point) and 0 <= n < len(point)):
        raise ValueError(f"columns must be two different columns of {len(point)}, got {m} and {n}")
    axis = _steps(-1, 1, resolution, point)
    points = point.repeat(resolution, resolution, 1)
    points[:, :, m] = axis[None, :]
    points[:, :, n] = axis[:, None]
    return axis, _evaluate(f, points.flatten(0, 1)).unflatten(0, (resolution, resolution))


def _evaluate(f: Model, points: Tensor) -> Tensor:
    """Outputs at points (n, d), a cache's worth of points at a time."""
    with torch.no_grad():
        return torch.cat([f(part) for part in points.split(CHUNK)])


def _steps(low: float, high: float, count: int, like: Tensor) -> Tensor:
    if count < 2:
        raise ValueError(f"points and resolution must be at least 2, got {count}")
    return torch.linspace(low, high, count, dtype=like.dtype, device=like.device)


def _check_points(*points: Tensor) -> None:
    shapes = [tuple(p.shape) for p in points]
    if len(shapes[0]) != 1 or len(set(shapes)) > 1:
        raise ValueError(f"points must be vectors of one length, got shapes {shapes}")


# -------------------------------------------------------------------------------------- weight space


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane origin + s u + t v of weight space.

    Args:
        origin, u, v: flat weights (p,); u and v are orthogonal and equally long.
        coordinates: (s, t) of each snapshot projected on the plane, (k, 2); None for a random plane.
        explained: fraction of the trajectory's variance along u and v, (2,); None for a random plane.
    """

    origin: Tensor
    u: Tensor
    v: Tensor
    coordinates: Tensor | None = None
    explained: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Landscape:
    """Measures over a plane: values[i, j] is at s = s[j] and t = t[i]; one or several per point."""

    s: Tensor
    t: Tensor
    values: Tensor


def flatten(params: Sequence[Tensor]) -> Tensor:
    """Weights of a network as one vector (p,)."""
    return torch.cat([p.detach().reshape(-1) for p in params])


def unflatten(flat: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """A vector (p,) as weights with the shapes of ``like``; several (..., p) keep their leading dimensions.

    >>> [tuple(w.shape) for w in unflatten(torch.zeros(7, 6), [torch.zeros(2, 2), torch.zeros(2)])]
    [(7, 2, 2), (7, 2)]
    """
    sizes = [p.numel() for p in like]
    if flat.shape[-1] != sum(sizes):
        raise ValueError(f"the vector must hold {sum(sizes)} weights, got {flat.shape[-1]}")
    parts = flat.split(sizes, dim=-1)
    return [part.unflatten(-1, p.shape) for part, p in zip(parts, like, strict=True)]


def pca_plane(snapshots: Tensor, origin: Tensor | None = None) -> Plane:
    """The plane of the first two principal directions of a training trajectory (Figures 7a and 7b).

    Args:
        snapshots: weights at checkpoints of one training run, in order, (k, p), k at least 3.
        origin: the trained model (p,) that the plane passes through; the last snapshot if None.

    Returns:
        ``Plane`` with unit directions u and v, turned so that s and t are larger at the trajectory's end
        than at its start.

    Raises:
        ValueError: fewer than 3 snapshots, values that are not finite, snapshots on one line.
    """
    if snapshots.ndim != 2 or len(snapshots) < 3:
        raise ValueError(f"snapshots must be at least 3, as (k, p), got shape {tuple(snapshots.shape)}")
    if not snapshots.isfinite().all():
        raise ValueError("snapshots must be finite, got a NaN or an infinity: the training diverged")
    origin = snapshots[-1] if origin is None else origin
    if origin.shape != snapshots.shape[1:]:
        raise ValueError(f"origin must have shape {tuple(snapshots.shape[1:])}, got {tuple(origin.shape)}")
    centred = snapshots.double() - snapshots.double().mean(dim=0)
    variances, vectors = torch.linalg.eigh(centred @ centred.T)  # k is small and p large: the (k, k) side
    if variances[-2] <= 1e-12 * variances[-1]:
        raise ValueError("snapshots must span a plane, got snapshots on one line")
    directions = vectors[:, -2:].flip(1).T @ centred  # (2, p)
    directions = directions / directions.norm(dim=1, keepdim=True)
    way = directions @ (centred[-1] - centred[0])
    directions = directions * torch.where(way < 0, -1.0, 1.0)[:, None]
    coordinates = (snapshots.double() - origin.double()) @ directions.T  # (k, 2)
    u, v = directions.to(snapshots.dtype)
    return Plane(origin, u, v, coordinates, variances[-2:].flip(0) / variances.sum())


def random_plane(origin: Tensor, *, generator: Generator) -> Plane:
    """A random plane through a solution, for the zoom-in of Figure 7b.

    Two Gaussian directions over all weights together, made orthogonal, each as long as the solution itself:
    s = 0.1 is a perturbation of 10 % of the norm of the weights. There is no scaling per layer or filter.

    Args:
        origin: the solution's weights (p,), not all zero, p at least 2.
        generator: source of randomness.
    """
    # NOTE[DIFF]: the paper does not say how its random directions are scaled. Relative to the norm of the
    # solution, one extent suits all widths and depths.
    if origin.ndim != 1 or len(origin) < 2 or not origin.norm() > 0:
        got = f"norm {origin.norm().item()} and shape {tuple(origin.shape)}"
        raise ValueError(f"origin must be a vector (p,) of 2 or more weights that is not zero, got {got}")
    gaussian = torch.randn(len(origin), 2, dtype=torch.float64, device=generator.device, generator=generator)
    directions = torch.linalg.qr(gaussian)[0].to(origin) * origin.norm()  # (p, 2)
    return Plane(origin, directions[:, 0], directions[:, 1])


def trajectory_extent(plane: Plane, margin: float = 0.2) -> tuple[float, float, float, float]:
    """Range of s and t that holds the trajectory and the origin with a margin, as ``landscape`` takes it.

    Args:
        plane: from ``pca_plane``.
        margin: part of the trajectory's width and height to add on each side.
    """
    if plane.coordinates is None:
        raise ValueError("plane must come from pca_plane: a random plane has no trajectory")
    points = torch.cat([plane.coordinates, plane.coordinates.new_zeros(1, 2)])
    low, high = points.amin(dim=0), points.amax(dim=0)
    low, high = low - margin * (high - low), high + margin * (high - low)
    return low[0].item(), high[0].item(), low[1].item(), high[1].item()


def landscape(
    evaluate: Callable[[Tensor], Tensor | float],
    plane: Plane,
    extent: float | tuple[float, float, float, float],
    resolution: int = 50,
    batch: int | None = None,
) -> Landscape:
    """A measure (loss, complexity) of the models on a grid over a plane of weight space (Figures 7a and 7b).

    Args:
        evaluate: flat weights (p,) to one number or to several (m,); with ``batch``, weights (batch, p) to
            (batch,) or (batch, m).
        plane: origin and directions.
        extent: s and t from -extent to extent, or (s_low, s_high, t_low, t_high).
        resolution: values of s, and of t.
        batch: how many models to evaluate at a time, for an ``evaluate`` that is vectorised (by
            ``torch.func.vmap``); the last batch may be smaller. None: one by one.

    Returns:
        ``Landscape`` with values (resolution, resolution), or (resolution, resolution, m), float64.

    >>> plane = Plane(torch.zeros(2), torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]))
    >>> landscape(lambda w: w[0] + 10 * w[1], plane, 1.0, resolution=2).values.tolist()
    [[-11.0, -9.0], [9.0, 11.0]]
    """
    bounds = extent if isinstance(extent, tuple) else (-extent, extent, -extent, extent)
    if len(bounds) != 4 or not (bounds[0] < bounds[1] and bounds[2] < bounds[3]):
        raise ValueError(f"extent must be positive, or (s_low, s_high, t_low, t_high), got {extent}")
    if batch is not None and batch < 1:
        raise ValueError(f"batch must be at least 1, got {batch}")
    s, t = (_steps(*bounds[i : i + 2], resolution, plane.origin) for i in (0, 2))
    grid = torch.cartesian_prod(t, s)  # (resolution**2, 2), rows of constant t
    values = []
    with torch.no_grad():
        for part in grid.split(batch or 1):
            weights = plane.origin + part[:, 1:] * plane.u + part[:, :1] * plane.v  # (batch, p)
            found = torch.as_tensor(evaluate(weights if batch else weights[0]), dtype=torch.float64)
            if batch and (found.ndim == 0 or len(found) != len(part)):
                rule = f"evaluate must return one row per model, {len(part)} here"
                raise ValueError(f"{rule}, got shape {tuple(found.shape)}")
            values.append(found.cpu() if batch else found.cpu()[None])
    return Landscape(s, t, torch.cat(values).unflatten(0, (resolution, resolution)))
