"""Linear splines as four differentiable primitives, compiled for the CPU when there is a compiler.

psi holds the values of g at n_c evenly spaced control points in [low, high] (paper, Section 2.3). With hat_j
the piecewise-linear hat around control point j, continued by a constant outside [low, high]:

    value(z, psi)             g(z)     = sum_j psi_j hat_j(z)
    slope_product(z, psi, r)  r g'(z)  = r sum_j psi_j hat_j'(z)
    hat_sum(z, r)_j           sum over z of r hat_j(z)
    slope_sum(z, r)_j         sum over z of r hat_j'(z)

They are each other's derivatives, so derivatives of any order, backward and forward, are made of the same four.
Only the inputs are saved; the pieces are found again where a derivative is taken (saving fractions or slopes instead
would lose the mixed second derivatives).

kernels.cpp computes them on the CPU, PyTorch (reference.py) elsewhere and where it cannot be compiled (native.py).
"""

import functools
from types import SimpleNamespace

import torch
from torch import Tensor
from torch.autograd import Function, forward_ad

from . import native, reference

_VALUE, _SLOPE, _, _HAT_SUM, _SLOPE_SUM, _BACKWARD = range(6)  # as in kernels.cpp; the third is for steps.cpp


def transformed() -> bool:
    """Whether inside vmap, grad, jvp, ... of torch.func, or in forward-mode differentiation."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def value(z: Tensor, psi: Tensor, low: float, high: float, tail: int = 0) -> Tensor:
    """Evaluate the linear spline: g_psi(z), differentiable any number of times in z and psi.

    Args:
        z: pre-activations, any shape; (..., d) when psi has one row per column. float32 or float64.
        psi: values at the control points, (n_c,) or (d, n_c), of z's dtype and device.
        low, high: range [a, b] of the control points. Outside, g is constant; NaN gives NaN.
        tail: how many dimensions follow that of the columns: 2 for (N, C, H, W), with psi (C, n_c).

    Raises:
        ValueError: if the shapes, dtypes or the range do not fit.
    """
    grid = _check(z, psi, low, high, tail)
    if transformed() or (torch.is_grad_enabled() and (z.requires_grad or psi.requires_grad)):
        return _Value.record(z, psi, grid)
    return _value(z, psi, grid)


def slope_product(z: Tensor, psi: Tensor, g: Tensor, low: float, high: float, reuse: bool = False) -> Tensor:
    """Multiply g by the slope of the spline at z: g * g_psi'(z), differentiable in psi and g (and 0 in z).

    The slope is that of the piece right of a control point (at z == high, of the last piece), and 0 outside
    [low, high] and for NaN.

    Args:
        z, psi, low, high: as in `value`.
        g: the factor, of z's shape.
        reuse: whether g may be overwritten with the result, which saves memory where no gradient flows.
    """
    grid = _check(z, psi, low, high)
    if g.shape != z.shape or g.dtype != z.dtype or g.device != z.device:
        expected, got = (f"{tuple(x.shape)} {x.dtype} on {x.device}" for x in (z, g))
        raise ValueError(f"g must be like z, {expected}, got {got}")
    if transformed() or (torch.is_grad_enabled() and (psi.requires_grad or g.requires_grad)):
        return _SlopeProduct.record(z, psi, g, grid)
    if reuse and g.is_contiguous() and (library := _library(z)) is not None:
        return _run(library, _SLOPE, z, psi, g, g, grid)
    return _slope_product(z.detach(), psi, g, grid)


def compiled(z: Tensor) -> bool:
    """Whether the compiled kernels apply to a tensor: on the CPU, and outside torch.func transforms."""
    return _library(z) is not None and not transformed()


def along_paths(
    ends: Tensor, psi: Tensor, weights: Tensor, bias: Tensor, points: int, low: float, high: float
) -> Tensor:
    """Outputs of a network with one hidden layer on straight paths, in one compiled pass; no gradient flows.

    Args:
        ends: pre-activations of the hidden layer at both ends of each path, (2, paths, width).
        psi, low, high: as in `value`, psi (n_c,).
        weights, bias: of the output that is wanted on each path, (paths, width) and (paths,).
        points: evenly spaced points per path, ends included, at least 2.

    Shape: (paths, points). ValueError if shapes do not fit, or where there are no kernels; see `compiled`.
    """
    _check(ends, psi, low, high)
    if not compiled(ends):
        raise ValueError("along_paths needs the compiled kernels, and tensors on the CPU outside torch.func")
    _, paths, width = ends.shape
    if psi.dim() != 1 or weights.shape != (paths, width) or bias.shape != (paths,) or points < 2:
        got = f"{tuple(psi.shape)}, {tuple(weights.shape)}, {tuple(bias.shape)} and {points}"
        raise ValueError(f"psi, weights, bias must be (n_c,), ({paths}, {width}), ({paths},), points at least 2: {got}")
    library = native.library()
    function = library.paths_float32 if ends.dtype == torch.float32 else library.paths_float64
    out = ends.new_empty(paths, points)
    tensors = [x.to(ends.dtype).contiguous() for x in (ends[0], ends[1], psi, weights, bias)]
    function(*(x.data_ptr() for x in (*tensors, out)), paths, width, points, psi.shape[0], low, high)
    return out


def backend() -> str:
    """Say which implementation runs on the CPU: "cpp-avx512", "cpp-avx2", "cpp" or "torch"."""
    library = native.library()
    return "torch" if library is None else library.spline_backend().decode()


def _check(z, psi, low, high, tail=0):
    """Raise if the arguments do not fit; return the grid."""
    if z.dtype != psi.dtype or z.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"z and psi must both be float32 or both float64, got {z.dtype} and {psi.dtype}")
    if z.device != psi.device:
        raise ValueError(f"z and psi must be on one device, got {z.device} and {psi.device}")
    if psi.dim() == 2 and (z.dim() <= tail or z.shape[-1 - tail] != psi.shape[0]):
        rule = f"z must be ({', '.join(['...', str(psi.shape[0])] + ['n'] * tail)}) for psi of shape {tuple(psi.shape)}"
        raise ValueError(f"{rule}, got {tuple(z.shape)}")
    return _grid(psi.shape, low, high, z.dim() if psi.dim() == 1 else tail)


@functools.lru_cache(1024)
def _grid(shape, low, high, tail):
    """Describe the layout: psi is (rows..., points), z is (..., rows..., and `tail` dimensions more)."""
    if len(shape) not in (1, 2) or shape[-1] < 2:
        raise ValueError(f"psi must be (n_c,) or (d, n_c) with n_c at least 2, got shape {tuple(shape)}")
    if not 0 < high - low < float("inf"):
        raise ValueError(f"the range must be finite with low below high, got [{low}, {high}]")
    scale = (shape[-1] - 1) / (high - low)
    return SimpleNamespace(rows=shape[:-1], points=shape[-1], low=low, high=high, scale=scale, tail=tail)


def _library(z):
    return native.library() if z.is_cpu else None


def _run(library, operation, z, psi, r, out, grid, out2=None):
    """Fill out (and out2) by a compiled kernel. What an operation does not read may be any tensor."""
    function = library.spline_float32 if z.dtype == torch.float32 else library.spline_float64
    z, psi, r = z.contiguous(), psi.contiguous(), r.contiguous()
    inner = z.shape[z.dim() - grid.tail :].numel() if grid.rows else z.numel()  # neighbours with one row
    pointers = [x.data_ptr() for x in (z, psi, r, out, out if out2 is None else out2)]
    function(operation, *pointers, z.numel(), inner, grid.rows.numel(), grid.points, grid.low, grid.high)
    return out


# The primitives without autograd.


def _value(z, psi, grid):
    library = _library(z)
    return _run(library, _VALUE, z, psi, z, reference.new(z), grid) if library else reference.value(z, psi, grid)


def _slope_product(z, psi, g, grid):
    if library := _library(z):
        return _run(library, _SLOPE, z, psi, g, reference.new(z), grid)
    return reference.slope_product(z, psi, g, grid)


def _sum_over(operation, otherwise, z, g, grid):
    if library := _library(z):
        return _run(library, operation, z, z, g, z.new_empty((*grid.rows, grid.points)), grid)
    return otherwise(z, g, grid)


_hat_sum = functools.partial(_sum_over, _HAT_SUM, reference.hat_sum)
_slope_sum = functools.partial(_sum_over, _SLOPE_SUM, reference.slope_sum)


def _gradients(z, psi, r, grid):
    """Return _slope_product and _hat_sum, the gradients of `value`, in one pass."""
    if library := _library(z):
        dpsi = reference.new(psi)
        return _run(library, _BACKWARD, z, psi, r, reference.new(z), grid, dpsi), dpsi
    return reference.gradients(z, psi, r, grid)


# Autograd and torch.func around them.


class _Primitive(Function):
    sums = False  # over z, to the shape of psi

    def __init_subclass__(cls):
        """Make `outside`, the same outside torch.func: without a setup_context, a call costs a third."""

        def forward(ctx, *inputs):
            cls.setup_context(ctx, inputs, None)
            return cls.forward(*inputs)

        parts = {"forward": forward, "backward": cls.backward, "jvp": cls.jvp}
        cls.outside = type(cls.__name__, (Function,), {name: staticmethod(part) for name, part in parts.items()})

    @classmethod
    def record(cls, *inputs):
        """Call it, with what its derivatives need."""
        return (cls if transformed() else cls.outside).apply(*inputs)

    @staticmethod
    def setup_context(ctx, inputs, output):
        *tensors, ctx.grid = inputs
        ctx.save_for_backward(*tensors)
        ctx.save_for_forward(*tensors)

    @classmethod
    def vmap(cls, info, in_dims, *inputs):
        """Make the batch the first of the rows, or just a leading dimension where all share one psi."""
        *tensors, grid = inputs
        size, at = info.batch_size, 0
        if cls.sums or in_dims[1] is not None:
            at = tensors[0].dim() - (in_dims[0] is not None) - grid.tail - len(grid.rows)
            grid = SimpleNamespace(**{**vars(grid), "rows": torch.Size((size, *grid.rows))})
        for i, (x, dim) in enumerate(zip(tensors, in_dims, strict=False)):
            to = 0 if i == 1 and not cls.sums else at  # psi has its rows in front
            if dim is not None:
                tensors[i] = x.movedim(dim, to)
            elif i != 1 or cls.sums:
                tensors[i] = x.unsqueeze(at).expand(*x.shape[:at], size, *x.shape[at:])
        return cls.apply(*tensors, grid), 0 if cls.sums else at


class _Value(_Primitive):
    forward = staticmethod(_value)

    @staticmethod
    def backward(ctx, r):
        (z, psi), grid, (for_z, for_psi, _) = ctx.saved_tensors, ctx.grid, ctx.needs_input_grad
        if for_z and for_psi and not (torch.is_grad_enabled() or transformed()):
            return *_gradients(z, psi, r, grid), None
        dz = _apply(_SlopeProduct, z, psi, r, grid) if for_z else None
        return dz, _apply(_HatSum, z, r, grid) if for_psi else None, None

    @staticmethod
    def jvp(ctx, dz, dpsi, _):
        z, psi = ctx.saved_tensors
        along_z = None if dz is None else _apply(_SlopeProduct, z, psi, dz, ctx.grid)
        return _plus(along_z, None if dpsi is None else _apply(_Value, z, dpsi, ctx.grid))


class _SlopeProduct(_Primitive):
    forward = staticmethod(_slope_product)

    @staticmethod
    def backward(ctx, r):
        (z, psi, g), grid, (_, for_psi, for_g, _) = ctx.saved_tensors, ctx.grid, ctx.needs_input_grad
        dpsi = _apply(_SlopeSum, z, g * r, grid) if for_psi else None
        return None, dpsi, _apply(_SlopeProduct, z, psi, r, grid) if for_g else None, None

    @staticmethod
    def jvp(ctx, _dz, dpsi, dg, _):
        z, psi, g = ctx.saved_tensors
        along_psi = None if dpsi is None else _apply(_SlopeProduct, z, dpsi, g, ctx.grid)
        along_g = None if dg is None else _apply(_SlopeProduct, z, psi, dg, ctx.grid)
        return torch.zeros_like(g) if along_psi is along_g else _plus(along_psi, along_g)


class _HatSum(_Primitive):
    sums = True
    forward = staticmethod(_hat_sum)

    @staticmethod
    def backward(ctx, r):
        (z, g), grid, (for_z, for_g, _) = ctx.saved_tensors, ctx.grid, ctx.needs_input_grad
        dz = _apply(_SlopeProduct, z, r, g, grid) if for_z else None
        return dz, _apply(_Value, z, r, grid) if for_g else None, None

    @staticmethod
    def jvp(ctx, dz, dg, _):
        z, g = ctx.saved_tensors
        along_z = None if dz is None else _apply(_SlopeSum, z, g * dz, ctx.grid)
        return _plus(along_z, None if dg is None else _apply(_HatSum, z, dg, ctx.grid))


class _SlopeSum(_Primitive):
    sums = True
    forward = staticmethod(_slope_sum)

    @staticmethod
    def backward(ctx, r):
        (z, _), grid = ctx.saved_tensors, ctx.grid
        return None, _apply(_SlopeProduct, z, r, torch.ones_like(z), grid), None

    @staticmethod
    def jvp(ctx, _dz, dg, _):
        z, g = ctx.saved_tensors
        return _apply(_SlopeSum, z, torch.zeros_like(g) if dg is None else dg, ctx.grid)


def _plus(first, second):
    """Sum of the parts of a tangent; None is 0."""
    return second if first is None else first if second is None else first + second


def _apply(primitive, *inputs):
    """Call a primitive, without autograd's machinery where no derivative can be asked for."""
    if any(map(torch._C._functorch.is_legacy_batchedtensor, inputs[1:-1])):  # as jacobian(vectorize=True) makes
        z, *others, grid = inputs
        x = reference.dense(z, others[0], grid, primitive in (_SlopeProduct, _SlopeSum), primitive.sums)
        return x * others[1] if primitive is _SlopeProduct else x
    if torch.is_grad_enabled() or transformed():
        return primitive.record(*inputs)
    return primitive.forward(*inputs)
