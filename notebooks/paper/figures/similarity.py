"""How much a learned activation function resembles a known one, or a sine (claims C1 and C15)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Fit:
    """values ~ scale * reference(input_scale * x) + offset, and what is left: ``distance`` in [0, 1]."""

    distance: float
    scale: float
    offset: float
    input_scale: float


@dataclass(frozen=True)
class Frequency:
    """The strongest frequency of a function.

    Args:
        frequency: cycles per unit of input.
        sharpness: part of the function's power in the spectral peak, in [0, 1]: near 1 for a sine.
    """

    frequency: float
    sharpness: float


def activation_distance(
    grid: Tensor,
    values: Tensor,
    reference: Callable[[Tensor], Tensor],
    *,
    density: Tensor | None = None,
    input_scales: tuple[float, float] = (0.25, 4.0),
) -> Fit:
    """Distance of a function from a reference, after the best scale and shift of the reference.

    A layer's weights can absorb the scale and the offset of its activation and the scale of its input, so
    these do not count: the distance is sqrt(residual sum of squares / sum of squares around the mean) of
    the best fit scale * reference(input_scale * x) + offset. Scale and offset are the least-squares
    solution; the input scale is searched with both signs, over 41 logarithmic steps, then by Brent's method
    around the best one.

    Args:
        grid: inputs (n,); at least 4.
        values: the function there (n,), not constant.
        reference: elementwise function, such as ``torch.nn.functional.gelu``.
        density: weight of each grid point (n,), such as the histogram of the pre-activations; equal if None.
        input_scales: least and greatest absolute input scale.

    Returns:
        ``Fit``; distance 0 for the reference itself, 1 if the best fit is a constant.

    Raises:
        ValueError: shapes that disagree, values that are constant or not finite, a negative density.

    >>> x = torch.linspace(-5, 5, 201)
    >>> fit = activation_distance(x, 3 * torch.tanh(2 * x) - 1, torch.tanh)
    >>> [round(v, 3) + 0.0 for v in (fit.distance, abs(fit.scale), fit.offset, abs(fit.input_scale))]
    [0.0, 3.0, -1.0, 2.0]
    """
    from scipy.optimize import minimize_scalar  # here, because it takes long and most pages need none

    grid, values = grid.double(), values.double()
    weights = torch.ones_like(grid) if density is None else density.double()
    if grid.ndim != 1 or len(grid) < 4 or values.shape != grid.shape or weights.shape != grid.shape:
        shapes = [tuple(v.shape) for v in (grid, values, weights)]
        raise ValueError(f"grid, values and density must be vectors of one length, 4 or more, got {shapes}")
    if not values.isfinite().all():
        raise ValueError("values must be finite, got a NaN or an infinity")
    if (weights < 0).any() or not 0 < weights.sum() < torch.inf:
        got = f"sum {weights.sum().item()}, least {weights.min().item()}"
        raise ValueError(f"density must be at least 0 everywhere and have a finite, positive sum, got {got}")
    low, high = input_scales
    if not 0 < low < high:
        raise ValueError(f"input_scales must be positive and increasing, got {input_scales}")
    weights = weights / weights.sum()
    mean = weights @ values
    centred = values - mean
    total = weights @ centred**2
    if total <= 1e-24 * (weights @ values**2):
        raise ValueError(f"values must vary where the density is positive, got the constant {mean.item()}")

    def fit(input_scale: float) -> Fit:
        shape = reference(input_scale * grid)
        shape_mean = weights @ shape
        shape = shape - shape_mean
        norm = weights @ shape**2
        scale = (weights @ (shape * centred) / norm).item() if norm > 0 else 0.0
        residual = weights @ (centred - scale * shape) ** 2
        distance = (residual / total).clamp(max=1.0).sqrt().item()
        return Fit(distance, scale, (mean - scale * shape_mean).item(), input_scale)

    steps = torch.logspace(0, 1, 41, base=high / low, dtype=torch.float64) * low  # (41,)
    scales = torch.cat([steps, -steps]).tolist()
    best = min((fit(scale) for scale in scales), key=lambda f: f.distance)
    ratio = (high / low) ** (1 / 40)
    sign, middle = (1.0 if best.input_scale > 0 else -1.0), abs(best.input_scale)
    bounds = (max(low, middle / ratio), min(high, middle * ratio))
    refined = minimize_scalar(lambda scale: fit(sign * scale).distance, bounds=bounds, method="bounded")
    return min(best, fit(sign * float(refined.x)), key=lambda f: f.distance)


def turning_points(values: Tensor) -> int:
    """How often a function at these points (n,) turns from rising to falling or back; flat pieces do not count.

    Example:
        >>> turning_points(torch.tensor([0.0, 1.0, 1.0, 2.0, 0.0, 0.0, 3.0]))
        2
    """
    rising = values.diff().sign()
    rising = rising[rising != 0]
    return int((rising[1:] != rising[:-1]).sum())


def dominant_frequency(grid: Tensor, values: Tensor, density: Tensor | None = None) -> Frequency:
    """The strongest frequency of a sine-like function, and how much of the function it is (claim C15).

    The straight line that fits best is removed, a window applied, and the spectrum's highest peak
    refined by a parabola through the logarithms of the peak and its neighbours. Sharpness is the power
    within two bins of the peak (more where a narrow density makes the peak of a sine itself wider) over all power.

    Args:
        grid: inputs (n,), evenly spaced, at least 16, such as the control points of a spline.
        values: the function there (n,).
        density: how often each input occurs (n,), such as the histogram of the pre-activations: what is fitted is
            weighted by it and the window is its square root, so that each input counts by its density. By default
            all inputs are alike and the window is Hann's.

    Returns:
        ``Frequency``; frequencies from 1 / (width of the grid) to 1 / (2 x spacing) can be found.

    Raises:
        ValueError: shapes that disagree, a grid that is not even, values that are not finite or on a line, a density
            below 0 or not positive at 4 inputs or more.

    >>> x = torch.linspace(-1, 1, 201)
    >>> found = dominant_frequency(x, 0.1 * torch.sin(2 * torch.pi * 12.3 * x))
    >>> round(found.frequency, 1), found.sharpness > 0.99
    (12.3, True)
    """
    grid, values = grid.double(), values.double()
    if grid.ndim != 1 or len(grid) < 16 or values.shape != grid.shape:
        shapes = [tuple(grid.shape), tuple(values.shape)]
        raise ValueError(f"grid and values must be vectors of one length, at least 16, got {shapes}")
    spacing = (grid[-1] - grid[0]) / (len(grid) - 1)
    if not spacing > 0 or ((grid.diff() - spacing).abs() > 1e-3 * spacing).any():
        got = f"spacings from {grid.diff().min().item()} to {grid.diff().max().item()}"
        raise ValueError(f"grid must be evenly spaced and increasing, got {got}")
    if not values.isfinite().all():
        raise ValueError("values must be finite, got a NaN or an infinity")
    if density is None:
        root, window = torch.ones_like(grid), torch.hann_window(len(grid), periodic=True, dtype=torch.float64)
    else:
        if density.shape != grid.shape or not density.min() >= 0 or (density > 0).sum() < 4:
            raise ValueError(f"density must be {len(grid)} numbers from 0 on, at least 4 above it, got {density}")
        root = window = (density.double() / density.max()).sqrt()
    line = torch.stack([torch.ones_like(grid), torch.linspace(-1, 1, len(grid), dtype=torch.float64)], dim=1)
    rest = values - line @ torch.linalg.lstsq(line * root[:, None], (values * root)[:, None]).solution[:, 0]
    if (rest * window).abs().max() <= 1e-6 * (values * root).abs().max():
        raise ValueError("values must not lie on a straight line: a line has no frequency")
    power = torch.fft.rfft(rest * window).abs() ** 2  # (n // 2 + 1,); bin k is k cycles per n * spacing
    peak = 1 + power[1:].argmax().item()
    offset = 0.0
    if peak < len(power) - 1:
        left, top, right = power[peak - 1 : peak + 2].clamp(min=1e-300).log().tolist()
        curvature = left - 2 * top + right
        offset = 0.5 * (left - right) / curvature if curvature < 0 else 0.0
        offset = max(-0.5, min(0.5, offset))
    own = torch.fft.rfft(window).abs() ** 2  # what a sine's peak looks like, from its middle on
    share = own.cumsum(0) - own[0] / 2
    reach = max(2, int((share < 0.99 * share[-1]).sum()))  # bins; 2 for Hann's window
    near = power[max(0, peak - reach) : peak + reach + 1].sum()
    return Frequency((peak + offset) / (len(grid) * spacing.item()), (near / power.sum()).item())
