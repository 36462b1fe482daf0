"""Splines as activation functions: interpolation, initial values, conversions, safe files (Section 2.3, Appendix C).

An activation g is given by its values psi at n_c control points spread evenly over [low, high] (the paper's [a, b]).
Between two points g is interpolated; outside [low, high] it keeps its end values g(low) and g(high).
"""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from . import kernels

METHODS = ("linear", "nearest", "cubic")


def interpolate(x: Tensor, values: Tensor, low: float, high: float, method: str = "linear", dim: int = -1) -> Tensor:
    """Value of the spline at x, twice differentiable (almost everywhere) in x and in the control values.

    Args:
        x: any shape; shape (..., d) if there is one spline per column.
        values: psi, shape (n_c,) for one shared spline, (d, n_c) for one spline per column.
        low, high: the range [a, b] of the control points.
        method: "linear" (the paper's default), "nearest" or "cubic" (Table 2).
        dim: where the columns are, e.g. 1 for the channels of (N, C, H, W).

    Shape: like x. A NaN gives NaN; infinities give the end values.

    Raises:
        ValueError: for an empty range, fewer than 2 points, an unknown method, or columns that do not match.

    Example:
        >>> interpolate(torch.tensor([-9.0, 0.25, 9.0]), torch.tensor([0.0, 0.0, 1.0]), -1, 1)
        tensor([0.0000, 0.2500, 1.0000])
    """
    if not torch.jit.is_tracing():  # where sizes are tensors
        check(x, values, low, high, method, dim)
    if values.ndim == 2 and dim % x.ndim != x.ndim - 1:
        if method == "linear" and not (torch.compiler.is_compiling() or torch.jit.is_tracing()):
            return kernels.value(x, values, low, high, tail=x.ndim - 1 - dim % x.ndim)
        return interpolate(x.movedim(dim, -1), values, low, high, method).movedim(-1, dim)
    return {"linear": _linear, "nearest": _nearest, "cubic": _cubic}[method](x, values, low, high)


def slope_product(
    x: Tensor, values: Tensor, grad: Tensor, low: float, high: float, method: str = "linear", reuse: bool = False
) -> Tensor:
    """grad * g'(x): the spline's part of a hand-written backward pass, itself differentiable.

    Shape: x, grad and the result alike; values and ValueError as in :func:`interpolate`. At a knot the slope is that of
    the piece on the right; outside [low, high] it is 0. With ``reuse``, grad may be overwritten with the result.
    """
    check(x, values, low, high, method)
    if method == "cubic":
        return grad * _cubic(x, values, low, high, derivative=True)
    return kernels.slope_product(x, values, grad, low, high, reuse)  # "nearest" uses the slopes of the linear spline


def check(x: Tensor, values: Tensor, low: float, high: float, method: str, dim: int = -1, columns: bool = True) -> None:
    """Raise a ValueError that names the broken rule; see :func:`interpolate`. Without ``columns``, x is not read."""
    if not isinstance(values, Tensor):
        raise ValueError(f"values must be a torch.Tensor, got {type(values).__name__}: convert with torch.as_tensor")
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, got {method!r}")
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"the range must be finite with low < high, got [{low:g}, {high:g}]")
    if values.ndim not in (1, 2) or values.shape[-1] < 2:
        raise ValueError(f"values must be (n_c,) or (d, n_c) with n_c at least 2, got shape {tuple(values.shape)}")
    if columns and values.ndim == 2 and (not -x.ndim <= dim < x.ndim or x.shape[dim] != values.shape[0]):
        where = "" if dim == -1 else f" in dimension {dim}"
        raise ValueError(f"{len(values)} splines need inputs with as many columns{where}, got shape {tuple(x.shape)}")


def grid(n_points: int, low: float, high: float) -> Tensor:
    """The n_c control points, evenly spaced in [low, high]; shape (n_points,), float64."""
    if n_points < 2:
        raise ValueError(f"n_points must be at least 2, got {n_points}")
    return torch.linspace(low, high, n_points, dtype=torch.float64)


def initial_values(init: str | Callable[[Tensor], Tensor], n_points: int, low: float, high: float) -> Tensor:
    """psi at the start of Algorithm 1: "zeros", "relu", "identity", or any function of the control points.

    Shape: (n_points,), float32.

    Example:
        >>> initial_values("relu", 3, -5, 5)
        tensor([0., 0., 5.])
    """
    functions = {"zeros": torch.zeros_like, "relu": torch.relu, "identity": torch.clone}
    function = functions.get(init) if isinstance(init, str) else init
    if function is None:
        raise ValueError(f"init must be one of {sorted(functions)} or a function, got {init!r}")
    values = function(grid(n_points, low, high)).float()
    if values.shape != (n_points,):
        raise ValueError(f"init must return one value per control point, ({n_points},), got {tuple(values.shape)}")
    return values


def smooth_random(z: Tensor, length: float, generator: torch.Generator) -> Tensor:
    """A smooth random function at the points z: a stationary Gaussian process with standard deviation 1.

    Its kernel is exp(-(dz / length)^2 / 2), with the correlation length in units of z. Shapes: (n,), float64, both.

    Which function a seed stands for depends on the library behind ``torch.linalg.eigh``, as the signs of eigenvectors
    do: MKL and OpenBLAS draw different ones.
    """
    if not length > 0:
        raise ValueError(f"length must be positive, got {length}")
    covariance = torch.exp(-((z[:, None] - z) / length).square() / 2)
    values, vectors = torch.linalg.eigh(covariance)  # a root that exists for any length
    noise = torch.randn(len(z), generator=generator, dtype=torch.float64)
    return vectors @ (values.clamp(min=0).sqrt() * noise)


def is_constant(values: Tensor | np.ndarray) -> bool:
    """Whether a function with these values at its control points is a constant: from zeros, nothing was learned."""
    return bool(values.max() == values.min())


class Spline(nn.Module):
    """An activation function that drops into any torch model: fixed by default, trainable on request.

    It computes in float32, or in float64 if the input or psi is, and returns the dtype of the input; so it works under
    ``torch.autocast`` and in half-precision models, whose ``.half()`` or ``.bfloat16()`` also rounds psi. It can be
    traced, exported and compiled.

    It keeps its range and interpolation wherever it goes: in a pickle, a deepcopy, a ``state_dict`` (whose range
    replaces that of the module it is loaded into), a file of :func:`lib.activations.save`.

    Args:
        values: psi, (n_c,) or (d, n_c) for one function per column of the input.
        low, high, method, dim: as in :func:`interpolate`.
        trainable: whether psi is a parameter (else a buffer that moves with the module).
        info: what to know about the function, such as what it was learned on; saved with it.

    Example:
        >>> g = Spline(initial_values("relu", 11, -5, 5), -5, 5)
        >>> g(torch.tensor([-2.0, 2.0]))
        tensor([0., 2.])
    """

    def __init__(
        self,
        values: Tensor,
        low: float = -5.0,
        high: float = 5.0,
        method: str = "linear",
        *,
        dim: int = -1,
        trainable: bool = False,
        info: dict | None = None,
    ):
        super().__init__()
        low, high = float(low), float(high)
        check(torch.empty(0), values, low, high, method, dim, columns=False)
        if not values.is_floating_point():
            raise ValueError(f"values must be floating-point, got {values.dtype}: convert with .float()")
        self.low, self.high, self.method, self.dim, self.info = low, high, method, int(dim), dict(info or {})
        if trainable:
            self.values = nn.Parameter(values.detach().clone())
        else:
            self.register_buffer("values", values.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        return evaluate(x, self.values, self.low, self.high, self.method, self.dim)

    def save(self, path, **info) -> None:
        """Write the function to a file, with its range and info; see :func:`lib.activations.save`."""
        from .activations import save

        save(path, self, **info)

    @staticmethod
    def load(path) -> "Spline":
        """The function of a file that :meth:`save` wrote; see :func:`lib.activations.read`."""
        from .activations import only, read

        return only(read(path), path)

    def plot(self, ax=None, label: str = "learned"):
        """Draw the function over its range, beside ReLU; with a function per column, a thin line each. Returns axes."""
        from matplotlib import pyplot as plt

        ax = plt.subplots(figsize=(4.4, 3.2), layout="constrained")[1] if ax is None else ax
        z = torch.linspace(self.low, self.high, 801, dtype=torch.float64)
        rows = self.values.detach().cpu().double().reshape(-1, self.values.shape[-1])
        colour = {"color": "C1"} if label == "learned" else {}
        for i, row in enumerate(rows):
            look = colour if len(rows) == 1 else {"linewidth": 0.7}
            y = evaluate(z, row, self.low, self.high, self.method)
            ax.plot(z, y, label=label if i == 0 else None, **look)
        if not any(line.get_label() == "ReLU" for line in ax.lines):
            near = z[z <= max(float(rows.max()), 0.1)]  # beyond, it would make the learned function flat
            ax.plot(near, near.clamp(min=0), "--", color="C0", linewidth=1.2, label="ReLU")
        ax.set(xlabel="$z$", ylabel="$g(z)$")
        return ax

    def get_extra_state(self) -> Tensor:
        return torch.tensor([self.low, self.high, METHODS.index(self.method), self.dim], dtype=torch.float64)

    def set_extra_state(self, state: Tensor) -> None:
        low, high, method, dim = state.tolist()
        if method not in range(len(METHODS)) or dim != int(dim):
            raise ValueError(f"the state of a spline must name its method and dimension, got {state.tolist()}")
        check(torch.empty(0), self.values, low, high, METHODS[int(method)], columns=False)
        self.low, self.high, self.method, self.dim = low, high, METHODS[int(method)], int(dim)

    def extra_repr(self) -> str:
        several = f"{len(self.values)} functions, " if self.values.ndim == 2 else ""
        return f"{several}n_c={self.values.shape[-1]}, range=[{self.low:g}, {self.high:g}], method={self.method!r}"


def evaluate(x: Tensor, values: Tensor, low: float, high: float, method: str = "linear", dim: int = -1) -> Tensor:
    """:func:`interpolate` for inputs of any floating dtype, in float32 or float64; the dtype of the result is x's."""
    if not x.is_floating_point():
        raise ValueError(f"x must be floating-point, got {x.dtype}: convert with .float()")
    dtype = torch.float64 if torch.float64 in (x.dtype, values.dtype) else torch.float32
    return interpolate(x.to(dtype), values.to(dtype), low, high, method, dim).to(x.dtype)


@torch.no_grad()
def coverage(model: nn.Module, *inputs: Tensor) -> dict[str, Tensor]:
    """Which share of what each spline in a model is given falls outside its range, where it is constant.

    Returns:
        per spline, by its name in the model, a number in [0, 1]; of a function per column, one for each: (d,).

    Example:
        >>> model = nn.Sequential(Spline(torch.zeros(5), -1, 1))
        >>> coverage(model, torch.tensor([[-2.0], [0.0], [0.5], [9.0]]))
        {'0': tensor(0.5000)}
    """
    found: dict[str, list[Tensor]] = {}

    def watch(name, g, given):
        z = given[0]
        outside = ((z < g.low) | (z > g.high)).double()
        rows = outside.movedim(g.dim, -1).reshape(-1, len(g.values)) if g.values.ndim == 2 else outside.flatten()
        found.setdefault(name, []).append(rows)

    parts = [(name, part) for name, part in model.named_modules() if isinstance(part, Spline)]
    hooks = [g.register_forward_pre_hook(partial(watch, name)) for name, g in parts]
    try:
        model(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: torch.cat(rows).mean(0).float() for name, rows in found.items()}


def _linear(x: Tensor, values: Tensor, low: float, high: float) -> Tensor:
    """The linear spline: by the kernels, or in plain tensor operations where a tracer has to see all of it."""
    if not (torch.compiler.is_compiling() or torch.jit.is_tracing()):
        return kernels.value(x, values, low, high)
    last = values.shape[-1] - 1
    u = ((x - low) * (last / (high - low))).clamp(0, last)  # NaN stays
    k = torch.nan_to_num(u.detach()).long().clamp(max=last - 1)
    left, right = _lookup(values, k), _lookup(values, k + 1)
    return left + (u - k) * (right - left)


def _nearest(x: Tensor, values: Tensor, low: float, high: float) -> Tensor:
    """Value of the nearest control point.

    NOTE[DIFF]: a step function has no slope, and the paper does not say what its networks were trained with. The
    derivatives are those of the linear spline through the same points (a straight-through estimate).
    """
    linear = _linear(x, values, low, high)
    last = values.shape[-1] - 1
    u = torch.nan_to_num(((x - low) * (last / (high - low))).clamp(0, last))
    steps = _lookup(values, u.round().long())
    return linear + torch.where(x.isnan(), linear, steps - linear).detach()


def _lookup(values: Tensor, index: Tensor) -> Tensor:
    """values[index] for a shared spline, values[column, index] for one spline per column; shape like index."""
    if values.ndim == 1:
        return values.index_select(0, index.reshape(-1)).reshape(index.shape)
    return values[torch.arange(values.shape[0], device=values.device), index]


def _cubic(x: Tensor, values: Tensor, low: float, high: float, derivative: bool = False) -> Tensor:
    """Catmull-Rom cubic: through every control value, continuous slope, local; or its derivative in x."""
    n = values.shape[-1]
    h = (high - low) / (n - 1)
    inside = (x >= low) & (x <= high)
    u = torch.nan_to_num((torch.where(inside, x, x.detach().clamp(low, high)) - low) / h)
    k = u.detach().floor().clamp(0, n - 2).long()
    s = u - k
    # neighbours, mirrored linearly at the two ends so that a straight line stays straight
    ends = [2 * values[..., :1] - values[..., 1:2], values, 2 * values[..., -1:] - values[..., -2:-1]]
    padded = torch.cat(ends, dim=-1)
    p0, p1, p2, p3 = (_lookup(padded, k + i) for i in range(4))
    a, b, c = (3 * (p1 - p2) + p3 - p0) / 2, (2 * p0 - 5 * p1 + 4 * p2 - p3) / 2, (p2 - p0) / 2
    if derivative:
        return torch.where(inside, ((3 * a * s + 2 * b) * s + c) / h, torch.zeros_like(s))
    return torch.where(x.isnan(), x, ((a * s + b) * s + c) * s + p1)
