"""The primitives of kernels.py in PyTorch alone, without autograd: for other devices, and where nothing compiles.

`grid` is kernels._grid: the layout of psi, (rows..., n_c), and of z, (..., rows..., and `tail` dimensions more).
"""

import torch

BLOCK = 2**17  # elements. With more, memory goes back to the system and comes again; with fewer, calls cost more


def value(z, psi, grid):
    """g(z)."""
    table, out = torch.complex(psi, _differences(psi)).reshape(-1), new(z)  # one look-up fetches both
    for x, part in blocks(grid, z, out):
        k, fraction = _locate(x, grid)
        pairs = torch.view_as_real(table.index_select(0, k)).reshape(*x.shape, 2)
        torch.addcmul(pairs[..., 0], fraction, pairs[..., 1], out=part)
    return out


def slope_product(z, psi, g, grid):
    """The product of g and g'(z)."""
    slopes, out = _slopes(psi, grid), new(z)
    for x, factor, part in blocks(grid, z, g, out):
        _slope_times(x, slopes, factor, grid, _locate(x, grid)[0], part)
    return out


def hat_sum(z, g, grid):
    """Sum over z of g hat_j(z), like psi."""
    return sum(_weigh(*_locate(x, grid), factor, grid) for x, factor in blocks(grid, z, g)).to(z.dtype)


def gradients(z, psi, r, grid):
    """slope_product and hat_sum in one pass."""
    slopes, sums, out = _slopes(psi, grid), 0, new(z)
    for x, factor, part in blocks(grid, z, r, out):
        k, fraction = _locate(x, grid)
        _slope_times(x, slopes, factor, grid, k, part)
        sums = sums + _weigh(k, fraction, factor, grid)
    return out, sums.to(psi.dtype)


def slope_sum(z, g, grid):
    """Sum over z of g hat_j'(z), like psi."""
    sums = 0
    for x, factor in blocks(grid, z, g):
        sums = sums + _count(_locate(x, grid)[0].long(), factor.masked_fill(_outside(x, grid), 0), grid)
    sums[..., -2] += sums[..., -1]  # z == high belongs to the last piece
    sums[..., -1] = 0
    return ((sums.roll(1, -1) - sums) * grid.scale).to(z.dtype)


def dense(z, x, grid, slopes, sums):
    """Each primitive from all of hat_j(z), or hat_j'(z), in operations that any batching of x knows; much memory."""
    u = ((z - grid.low) * grid.scale).clamp(0, grid.points - 1)
    j = torch.arange(grid.points, device=z.device)
    if slopes:  # z == high belongs to the last piece
        k = torch.nan_to_num(u).long().clamp(max=grid.points - 2).unsqueeze(-1)
        weights = (((j == k + 1).to(z) - (j == k).to(z)) * grid.scale).masked_fill(_outside(z, grid).unsqueeze(-1), 0)
    else:
        weights = (1 - (u.unsqueeze(-1) - j).abs()).clamp(min=0)
    if not sums:
        return (weights * x.reshape(grid.rows + (1,) * grid.tail + (grid.points,))).sum(-1)
    leading = z.dim() - len(grid.rows) - grid.tail
    rows = range(leading, leading + len(grid.rows))
    over = [i for i in range(z.dim()) if i not in rows]
    return (weights * x.unsqueeze(-1)).sum(over) if over else weights * x.unsqueeze(-1)


def blocks(grid, *tensors):
    """Cut tensors like z, on the CPU, to blocks of about BLOCK elements, where psi has no row for the dimension."""
    size, leading = tensors[0].numel(), tensors[0].dim() - len(grid.rows) - grid.tail
    if size <= BLOCK or not tensors[0].is_cpu or (grid.rows and not leading):
        return [tensors]
    if not grid.rows:
        tensors = [x.reshape(-1) for x in tensors]
    return zip(*(x.split(max(1, BLOCK * len(x) // size)) for x in tensors), strict=True)


def new(z):
    """An empty tensor like z, contiguous."""
    return torch.empty_like(z, memory_format=torch.contiguous_format)


def _locate(z, grid):
    """Return the flat index of the point left of each z, int32, and the fraction of the piece up to z."""
    u = (z - grid.low).mul_(grid.scale).clamp_(0, grid.points - 1)
    k = u.to(torch.int32).clamp_(0)  # NaN becomes the first piece, with a fraction of NaN
    if grid.rows:
        size = grid.rows.numel() * grid.points
        starts = torch.arange(0, size, grid.points, dtype=torch.int32, device=z.device)
        k += starts.reshape(grid.rows + (1,) * grid.tail)
    return k.reshape(-1), u.frac_()


def _differences(psi):
    """Return psi_{k+1} - psi_k, the last twice: z == high is fraction 0 of a piece with the last slope."""
    return torch.cat([psi[..., 1:] - psi[..., :-1], psi[..., -1:] - psi[..., -2:-1]], -1)


def _slopes(psi, grid):
    return (_differences(psi) * grid.scale).reshape(-1)


def _slope_times(z, slopes, g, grid, k, out):
    """Fill out with the slope of piece k times g, and with 0 where z is outside or NaN."""
    torch.mul(slopes.index_select(0, k).reshape(z.shape), g, out=out)
    if z.is_cpu and z.sum().isfinite():  # hardtanh's derivative takes a tenth of a mask's time, but lets NaN pass
        ends = torch.tensor([grid.low, grid.high], dtype=z.dtype)
        below, above = torch.nextafter(ends, torch.tensor([-torch.inf, torch.inf], dtype=z.dtype)).tolist()
        torch.ops.aten.hardtanh_backward.grad_input(out, z, below, above, grad_input=out)
    else:
        out.masked_fill_(_outside(z, grid), 0)


def _outside(z, grid):
    return z.clamp(grid.low, grid.high) != z  # true for NaN


def _weigh(k, fraction, g, grid):
    """Sum g hat_j from each point's share of g, in float64: (rows..., points)."""
    k = k.long()
    right = _count(k, fraction * g, grid)
    right[..., -1] = 0
    return _count(k, g, grid) - right + right.roll(1, -1)


def _count(k, weights, grid):
    """Sum the weights that fall on each control point, in float64: (rows..., points)."""
    sums = weights.new_zeros(grid.rows.numel() * grid.points, dtype=torch.float64)
    return sums.scatter_add_(0, k, weights.reshape(-1).double()).reshape(*grid.rows, grid.points)
