"""Cost of one activation function, as ratios to nn.GELU within one interleaved run on one thread.

Run from the repository's root: ``python -m benchmarks.activation [repeats]``. The rows:

- copy: the memory floor, a copy forward and a product of two tensors backward;
- cpp-...: lib.kernels, compiled for this CPU, for AVX2 only and for any CPU;
- torch: lib.kernels without a compiler;
- deepsplines: the B-spline formulation of Bohra et al. (2020), written from its description;
- indexing: the spline as one would write it first, differentiated by autograd.
"""

import subprocess
import sys

import torch
from torch.nn.functional import gelu

from benchmarks.timing import interleaved, milliseconds, one_thread, ratio
from lib import kernels
from lib.kernels import native

LOW, HIGH = -5.0, 5.0
SIZES = ((4096, 256, 50), (4096, 32, 50), (583, 256, 50), (4096, 256, 400))  # batch, width, n_c
WORK = ("forward", "forward + backward", "backward to z only", "double backward")


class DeepSpline(torch.autograd.Function):
    """Linear B-splines with coefficients c: saves the fractions and the indices for the backward pass."""

    @staticmethod
    def forward(ctx, z, c):
        size = (HIGH - LOW) / (len(c) - 1)
        u = (z.clamp(LOW, HIGH - size) - LOW) / size  # beyond the range, the last pieces go on
        left = u.floor()
        fraction, k = (z - LOW) / size - left, left.long()
        ctx.size = size
        ctx.save_for_backward(fraction, k, c)
        return c[k + 1] * fraction + c[k] * (1 - fraction)

    @staticmethod
    def backward(ctx, r):
        fraction, k, c = ctx.saved_tensors
        dz = (c[k + 1] - c[k]) / ctx.size * r
        dc = torch.zeros_like(c)
        dc.scatter_add_(0, k.view(-1) + 1, (fraction * r).view(-1))
        dc.scatter_add_(0, k.view(-1), (r - fraction * r).view(-1))
        return dz, dc


def indexing(z, psi, low=LOW, high=HIGH):
    position = (z.clamp(low, high) - low) * ((len(psi) - 1) / (high - low))
    k = position.floor().clamp(max=len(psi) - 2).long()
    return torch.lerp(psi[k], psi[k + 1], position - k)


def spline(z, psi):
    return kernels.value(z, psi, LOW, HIGH)


def libraries():
    """Return the compiled libraries that run on this CPU, by name, best first; empty without a compiler."""
    found = {}
    for flags in (*native.FLAG_SETS[:-1], ["-march=x86-64-v3"], []):
        if flags == ["-march=x86-64-v3"] and "cpp-avx512" not in found:
            continue
        try:
            library = native.compiled((flags,))
        except (OSError, subprocess.SubprocessError):
            continue
        found.setdefault(library.spline_backend().decode(), library)
    return found


def job(work, function, z, psi, r):
    """Return a function without arguments that does the work once."""
    if work == "forward":
        return lambda: function(z, psi)
    psi = psi.detach().requires_grad_(work != "backward to z only")
    z = z.detach().requires_grad_()
    inputs = [x for x in (z, psi) if x.requires_grad and (x is z or function is not gelu_)]
    if work != "double backward":
        return lambda: torch.autograd.grad(function(z, psi), inputs, r)

    def twice():
        dz = torch.autograd.grad(function(z, psi), z, r, create_graph=True)[0]
        return torch.autograd.grad(dz, inputs[-1], r)

    return twice


def gelu_(z, psi):
    return gelu(z)


def copy(work, z, r):
    if work == "forward":
        return lambda: z.clone()
    return lambda: (z.clone(), z * r, z * r if work == "double backward" else None)


def jobs(work, batch, width, points):
    """Name to (library, job) of all rows of one table."""
    generator = torch.Generator().manual_seed(0)
    z = 2 * torch.randn(batch, width, generator=generator)
    r, psi = torch.randn(batch, width, generator=generator), torch.randn(points, generator=generator)
    rows = {"gelu": (None, job(work, gelu_, z, psi, r)), "copy": (None, copy(work, z, r))}
    for name, library in {**libraries(), "torch": None}.items():
        rows[name] = (library, job(work, spline, z, psi, r))
    if work != "double backward":  # DeepSpline has none that is right
        rows["deepsplines"] = (None, job(work, DeepSpline.apply, z, psi, r))
    rows["indexing"] = (None, job(work, indexing, z, psi, r))
    return rows


def measure(repeats: int = 15, sizes=SIZES, works=WORK) -> dict:
    """Return a table per size and kind of work: milliseconds, ratio to GELU and its spread (quartiles)."""
    tables = []
    with one_thread():
        for batch, width, points in sizes:
            for work in works:
                seconds = interleaved(jobs(work, batch, width, points), repeats)
                rows = {
                    name: {"ms": milliseconds(times), **ratio(times, seconds["gelu"])}
                    for name, times in seconds.items()
                }
                tables.append({"batch": batch, "width": width, "points": points, "work": work, "rows": rows})
    return {"backend": kernels.backend(), "reference": "gelu", "repeats": repeats, "tables": tables}


def main():
    measured = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
    print(f"spline backend: {measured['backend']}; multiples of nn.GELU, median and quartiles")
    for table in measured["tables"]:
        print(f"\n({table['batch']}, {table['width']}), {table['points']} control points, {table['work']}")
        for name, row in table["rows"].items():
            cells = f"{row['ms']:8.3f} ms  {row['ratio']:7.2f}  ({row['low']:.2f} to {row['high']:.2f})"
            print(f"{name:>12}  {cells}")


if __name__ == "__main__":
    main()
