"""Linear splines as four differentiable primitives, with compiled CPU kernels behind them when a compiler is there.

psi holds the values of g at n_c evenly spaced control points in [low, high] (paper, Section 2.3). With hat_j the
piecewise-linear hat of control point j, extended by a constant outside [low, high]:

    value(z, psi)             g(z)     = sum_j psi_j hat_j(z)
    slope_product(z, psi, r)  r g'(z)  = r sum_j psi_j hat_j'(z)
    hat_sum(z, r)_j           sum over z of r hat_j(z)
    slope_sum(z, r)_j         sum over z of r hat_j'(z)

They are each other's derivatives, so that derivatives of any order are made of the same four. Only the inputs are saved for
the backward pass; the pieces are found again there. psi has shape (n_c,), or (d, n_c) with one spline per column of z (..., d).
"""

import torch
from torch import Tensor
from torch.autograd import Function

_transformed = torch._C._are_functorch_transforms_active


def value(z: Tensor, psi: Tensor, low: float, high: float) -> Tensor:
    """Evaluate the linear spline: g_psi(z), differentiable any number of times in z and psi.

    Args:
        z: pre-activations, any shape; (..., d) when psi has one row per column. float32 or float64.
        psi: values at the control points, (n_c,) or (d, n_c), of z's dtype and device.
        low, high: range [a, b] of the control points. Outside, g is constant; NaN gives NaN.

    Raises:
        ValueError: if the shapes, dtypes or the range do not fit.

    Example:
        >>> value(torch.tensor([-9.0, 0.25, 1.0]), torch.tensor([1.0, 0.0, 4.0]), -1.0, 1.0)
        tensor([1., 1., 4.])
    """
    tail = _check(z, psi, psi.shape[-1:], low, high)
    if _transformed() or (torch.is_grad_enabled() and (z.requires_grad or psi.requires_grad)):
        return _Value.apply(z, psi, low, high, tail)
    return _value(z, psi, low, high, tail)


def slope_product(z: Tensor, psi: Tensor, g: Tensor, low: float, high: float) -> Tensor:
    """Multiply g by the slope of the spline at z: g * g_psi'(z), differentiable in psi and g (and 0 in z).

    The slope is that of the piece right of a control point (at z == high, of the last piece), and 0 outside [low, high]
    and for NaN.

    Args:
        z, psi, low, high: as in `value`.
        g: the factor, of z's shape.

    Example:
        >>> slope_product(torch.tensor([-9.0, 0.0, 1.0]), torch.tensor([1.0, 0.0, 4.0]), torch.ones(3), -1.0, 1.0)
        tensor([0., 4., 4.])
    """
    tail = _check(z, psi, psi.shape[-1:], low, high, g)
    if _transformed() or (torch.is_grad_enabled() and (psi.requires_grad or g.requires_grad)):
        return _SlopeProduct.apply(z, psi, g, low, high, tail)
    return _slope_product(z, psi, g, low, high, tail)


def value_and_slope(z: Tensor, psi: Tensor, low: float, high: float) -> tuple[Tensor, Tensor]:
    """Return g_psi(z) and g_psi'(z) in one pass, for loops that write their backward pass by hand (no autograd)."""
    tail = _check(z, psi, psi.shape[-1:], low, high)
    z, psi = z.detach(), psi.detach()
    return _value(z, psi, low, high, tail), _slope_product(z, psi, torch.ones_like(z), low, high, tail)


def backend() -> str:
    """Say which implementation runs on the CPU: "cpp-avx512", "cpp-avx2", "cpp" or "torch"."""
    return "torch"


def _check(z, psi, points, low, high, g=None):
    """Raise if the arguments do not fit; return how many trailing dimensions of z share one row of psi."""
    if psi.dim() not in (1, 2) or psi.shape[-1] < 2:
        raise ValueError(f"psi must be (n_c,) or (d, n_c) with n_c at least 2, got shape {tuple(psi.shape)}")
    if not low < high:
        raise ValueError(f"low must be below high, got [{low}, {high}]")
    if z.dtype != psi.dtype or z.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"z and psi must both be float32 or both float64, got {z.dtype} and {psi.dtype}")
    if g is not None and (g.shape != z.shape or g.dtype != z.dtype):
        raise ValueError(f"g must be like z, {tuple(z.shape)} {z.dtype}, got {tuple(g.shape)} {g.dtype}")
    if psi.dim() == 1:
        return z.dim()
    if z.dim() == 0 or z.shape[-1] != psi.shape[0]:
        raise ValueError(f"z must be (..., {psi.shape[0]}) for psi of {tuple(psi.shape)}, got {tuple(z.shape)}")
    return 0


# The four primitives without autograd. `tail` trailing dimensions of z share one row of psi (rows..., n_c); the rows run
# along the dimensions of z just before them: z is (..., rows..., tail...).


def _locate(z, low, high, points, rows, tail):
    """Return the flat index of the control point left of each z, int32, and the fraction of the piece left of z."""
    u = (z - low).mul_((points - 1) / (high - low)).clamp_(0, points - 1)
    k = u.to(torch.int32).clamp_(0)  # NaN becomes the first piece, with a fraction of NaN
    if rows.numel() > 1:
        starts = torch.arange(0, rows.numel() * points, points, dtype=torch.int32, device=z.device)
        k += starts.reshape(rows + (1,) * tail)
    return k.reshape(-1), u.frac_()


def _value(z, psi, low, high, tail):
    k, fraction = _locate(z, low, high, psi.shape[-1], psi.shape[:-1], tail)
    pairs = torch.complex(psi, _differences(psi)).reshape(-1)  # one look-up fetches both
    pairs = torch.view_as_real(pairs.index_select(0, k)).reshape(*z.shape, 2)
    return torch.addcmul(pairs[..., 0], fraction, pairs[..., 1])


def _slope_product(z, psi, g, low, high, tail):
    k, _ = _locate(z, low, high, psi.shape[-1], psi.shape[:-1], tail)
    slopes = _differences(psi) * ((psi.shape[-1] - 1) / (high - low))
    return slopes.reshape(-1).index_select(0, k).reshape(z.shape).mul_(g).masked_fill_(z.clamp(low, high) != z, 0)


def _hat_sum(z, g, low, high, points, rows, tail):
    k, fraction = _locate(z, low, high, points, rows, tail)
    right = _count(k, fraction * g, points, rows)
    return (_count(k, g, points, rows) - right + right.roll(1, -1)).to(z.dtype)  # right is 0 at the last point


def _slope_sum(z, g, low, high, points, rows, tail):
    k, _ = _locate(z, low, high, points, rows, tail)
    sums = _count(k, g.masked_fill(z.clamp(low, high) != z, 0), points, rows)
    sums[..., -2] += sums[..., -1]  # z == high belongs to the last piece
    sums[..., -1] = 0
    return ((sums.roll(1, -1) - sums) * ((points - 1) / (high - low))).to(z.dtype)


def _differences(psi):
    """psi_{k+1} - psi_k, the last one twice: z == high has fraction 0 of a piece with the slope of the last."""
    return torch.cat([psi[..., 1:] - psi[..., :-1], psi[..., -1:] - psi[..., -2:-1]], -1)


def _count(k, weights, points, rows):
    """Sum the weights that fall on each control point, in float64: (rows..., points)."""
    weights, size = weights.reshape(-1).double(), rows.numel() * points
    if k.device.type == "cpu":
        return torch.bincount(k, weights, size).reshape(*rows, points)
    return weights.new_zeros(size).index_add_(0, k, weights).reshape(*rows, points)


# Autograd around them. Saving the inputs (not fractions or slopes) is what keeps mixed second derivatives right.


class _Value(Function):
    @staticmethod
    def forward(z, psi, low, high, tail):
        return _value(z, psi, low, high, tail)

    @staticmethod
    def setup_context(ctx, inputs, output):
        z, psi, *ctx.options = inputs
        ctx.save_for_backward(z, psi)

    @staticmethod
    def backward(ctx, r):
        (z, psi), (low, high, tail) = ctx.saved_tensors, ctx.options
        dz = _SlopeProduct.apply(z, psi, r, low, high, tail) if ctx.needs_input_grad[0] else None
        dpsi = _HatSum.apply(z, r, low, high, psi.shape[-1], psi.shape[:-1], tail) if ctx.needs_input_grad[1] else None
        return dz, dpsi, None, None, None

    @staticmethod
    def vmap(info, in_dims, z, psi, low, high, tail):
        (z,), psi, at = _batch(info, in_dims[1], (z,), in_dims[:1], psi, tail)
        return _Value.apply(z, psi, low, high, tail), at


class _SlopeProduct(Function):
    @staticmethod
    def forward(z, psi, g, low, high, tail):
        return _slope_product(z, psi, g, low, high, tail)

    @staticmethod
    def setup_context(ctx, inputs, output):
        z, psi, g, *ctx.options = inputs
        ctx.save_for_backward(z, psi, g)

    @staticmethod
    def backward(ctx, r):
        (z, psi, g), (low, high, tail) = ctx.saved_tensors, ctx.options
        points, rows = psi.shape[-1], psi.shape[:-1]
        dpsi = _SlopeSum.apply(z, g * r, low, high, points, rows, tail) if ctx.needs_input_grad[1] else None
        dg = _SlopeProduct.apply(z, psi, r, low, high, tail) if ctx.needs_input_grad[2] else None
        return None, dpsi, dg, None, None, None

    @staticmethod
    def vmap(info, in_dims, z, psi, g, low, high, tail):
        (z, g), psi, at = _batch(info, in_dims[1], (z, g), (in_dims[0], in_dims[2]), psi, tail)
        return _SlopeProduct.apply(z, psi, g, low, high, tail), at


class _HatSum(Function):
    @staticmethod
    def forward(z, g, low, high, points, rows, tail):
        return _hat_sum(z, g, low, high, points, rows, tail)

    @staticmethod
    def setup_context(ctx, inputs, output):
        z, g, *ctx.options = inputs
        ctx.save_for_backward(z, g)

    @staticmethod
    def backward(ctx, r):
        (z, g), (low, high, _, _, tail) = ctx.saved_tensors, ctx.options
        dz = _SlopeProduct.apply(z, r, g, low, high, tail) if ctx.needs_input_grad[0] else None
        dg = _Value.apply(z, r, low, high, tail) if ctx.needs_input_grad[1] else None
        return dz, dg, None, None, None, None, None

    @staticmethod
    def vmap(info, in_dims, z, g, low, high, points, rows, tail):
        (z, g), rows = _batch_rows(info, (z, g), in_dims, rows, tail)
        return _HatSum.apply(z, g, low, high, points, rows, tail), 0


class _SlopeSum(Function):
    @staticmethod
    def forward(z, g, low, high, points, rows, tail):
        return _slope_sum(z, g, low, high, points, rows, tail)

    @staticmethod
    def setup_context(ctx, inputs, output):
        z, _, *ctx.options = inputs
        ctx.save_for_backward(z)

    @staticmethod
    def backward(ctx, r):
        (z,), (low, high, _, _, tail) = ctx.saved_tensors, ctx.options
        return None, _SlopeProduct.apply(z, r, torch.ones_like(z), low, high, tail), None, None, None, None, None

    @staticmethod
    def vmap(info, in_dims, z, g, low, high, points, rows, tail):
        (z, g), rows = _batch_rows(info, (z, g), in_dims, rows, tail)
        return _SlopeSum.apply(z, g, low, high, points, rows, tail), 0


def _batch(info, psi_dim, tensors, dims, psi, tail):
    """Move the batch dimension to the front, or among the rows when psi is batched too."""
    at = 0
    if psi_dim is not None:
        psi = psi.movedim(psi_dim, 0)
        unbatched = max(x.dim() - (dim is not None) for x, dim in zip(tensors, dims, strict=True))
        at = unbatched - tail - (psi.dim() - 2)
    return [_move(x, dim, at, info.batch_size) for x, dim in zip(tensors, dims, strict=True)], psi, at


def _batch_rows(info, tensors, in_dims, rows, tail):
    """Make the batch dimension the first of the rows: every member of the batch has sums of its own."""
    moved = []
    for x, dim in zip(tensors, in_dims, strict=False):
        at = x.dim() - (dim is not None) - tail - len(rows)
        moved.append(_move(x, dim, at, info.batch_size))
    return moved, torch.Size((info.batch_size, *rows))


def _move(x, dim, at, size):
    return x.movedim(dim, at) if dim is not None else x.unsqueeze(at).expand(*x.shape[:at], size, *x.shape[at:])
