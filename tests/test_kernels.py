"""The spline primitives on every backend: values, derivatives of all orders, torch.func; their build."""

import functools
import itertools
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import grad, gradcheck, gradgradcheck

from lib import kernels
from lib.kernels import native, reference, slope_product, value

ROOT = Path(__file__).resolve().parents[1]
LOW, HIGH = -2.0, 3.0
NAN, INF = float("nan"), float("inf")
FLAGS = {"native": ["-march=native"], "avx2": ["-march=x86-64-v3"], "portable": []}
BACKENDS = ("torch", *FLAGS)
MARGIN = 1e-3  # finite differences stay this far from the control points


@functools.cache
def built(name):
    """The library of a backend, None for "torch"; skips where it cannot be built or run."""
    if name == "torch":
        return None
    if name == "avx2" and built("native").spline_backend() != b"cpp-avx512":
        pytest.skip("this CPU's own kernels are those for AVX2, or it has no AVX2")
    try:
        return native.compiled((FLAGS[name],))
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"no compiled kernels: {error}")


@contextmanager
def using(name):
    library = built(name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "library", lambda: library)
        yield


@pytest.fixture(params=BACKENDS)
def backend(request):
    with using(request.param):
        yield request.param


def needs_compiler():
    built("portable")


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def inputs(*shape, points, seed=0, columns=False, dtype=torch.float64):
    """z (some of it outside, none close to a control point), psi and a factor."""
    u = (draw(*shape, seed=seed) * 0.5 + 0.5) * (points + 1) - 1
    u = u.floor() + MARGIN + (u - u.floor()) * (1 - 2 * MARGIN)
    z = LOW + u * (HIGH - LOW) / (points - 1)
    psi = draw(*shape[-1:], points, seed=seed + 1) if columns else draw(points, seed=seed + 1)
    return z.to(dtype), psi.to(dtype), draw(*shape, seed=seed + 2, dtype=dtype)


def hats(z, points, low=LOW, high=HIGH):
    """hat_j(z) and hat_j'(z), (z.size, points), in float64 from the definitions."""
    z = np.asarray(z, dtype=np.float64).ravel()
    knots = np.linspace(low, high, points)
    values = np.stack([np.interp(z, knots, row) for row in np.eye(points)], -1)
    k = np.clip(np.searchsorted(knots, z, side="right") - 1, 0, points - 2)
    slopes = np.zeros_like(values)
    step = (high - low) / (points - 1)
    slopes[np.arange(z.size), k], slopes[np.arange(z.size), k + 1] = -1 / step, 1 / step
    slopes[~((z >= low) & (z <= high))] = 0
    return torch.from_numpy(values), torch.from_numpy(slopes)


def close(actual, expected, dtype=torch.float64, scale=1.0):
    tolerance = {torch.float32: 1e-5, torch.float64: 1e-11}[dtype] * scale
    assert actual.dtype == dtype
    torch.testing.assert_close(actual.double(), expected.double(), rtol=tolerance, atol=tolerance)


# --- values and first derivatives against the definitions ---------------------------------------------------


COUNTS = itertools.cycle([1, 15, 16, 300, 1037])  # around the blocks of the compiled loops, as the points
POINTS = [2, 3, 16, 17, 32, 33, 50, 64, 65, 128, 129, 400]


@pytest.mark.parametrize(
    "points, dtype, count",
    [(*case, next(COUNTS)) for case in itertools.product(POINTS, [torch.float32, torch.float64])],
)
def test_all_primitives_equal_the_hat_basis(backend, dtype, points, count):
    z, psi, r = inputs(count, points=points, dtype=dtype)
    z, psi, r = z.requires_grad_(), psi.requires_grad_(), r.requires_grad_()
    rounding = 1 + points / 20  # of the position within a piece, in float32
    basis, slopes = hats(z.detach(), points)
    out, product = value(z, psi, LOW, HIGH), slope_product(z, psi, r, LOW, HIGH)
    close(out, basis @ psi.double(), dtype, rounding)
    close(product, r * (slopes @ psi.double()), dtype, rounding * points)
    dz, dpsi = grad(out, (z, psi), r, retain_graph=True)
    close(dz, r * (slopes @ psi.double()), dtype, rounding * points)
    close(dpsi, r.double() @ basis, dtype, rounding)
    assert torch.equal(grad(out, psi, r, retain_graph=True)[0], dpsi)  # alone as with dz
    assert torch.equal(grad(out, z, r)[0], dz)
    dpsi, dr = grad(product, (psi, r), r)
    close(dpsi, r.double().square() @ slopes, dtype, rounding * points)
    close(dr, r * (slopes @ psi.double()), dtype, rounding * points)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape, points", [((5, 3), 9), ((40, 37), 50), ((2, 3, 7), 17), ((9, 1), 4), ((300, 2), 200)])
def test_columns_equal_shared_splines(backend, dtype, shape, points):
    z, psi, r = inputs(*shape, points=points, columns=True, dtype=dtype)
    z, psi, r = z.requires_grad_(), psi.requires_grad_(), r.requires_grad_()
    out, product = value(z, psi, LOW, HIGH), slope_product(z, psi, r, LOW, HIGH)
    gradients = [*grad(out, (z, psi), r), *grad(product, (psi, r), r)]
    sums = torch.zeros(4, *psi.shape, dtype=dtype)
    for j in range(shape[-1]):
        column, own, factor = z[..., j], psi[j], r[..., j]
        alone, alone_product = value(column, own, LOW, HIGH), slope_product(column, own, factor, LOW, HIGH)
        close(out[..., j], alone, dtype)
        close(product[..., j], alone_product, dtype, scale=points)
        dz, sums[1, j] = grad(alone, (column, own), factor)
        close(gradients[0][..., j], dz, dtype, scale=points)
        sums[2, j], dr = grad(alone_product, (own, factor), factor)
        close(gradients[3][..., j], dr, dtype, scale=points)
    close(gradients[1], sums[1], dtype)
    close(gradients[2], sums[2], dtype, scale=points)


special = st.sampled_from([LOW, HIGH, NAN, INF, -INF, -0.0, 1e38, -1e38])
reals = st.one_of(st.floats(width=32), st.floats(-6, 6, width=32), special)
ranges = st.sampled_from([(LOW, HIGH), (0.25, 0.5)])


@settings(max_examples=100, deadline=None)
@given(st.lists(reals, max_size=40), st.integers(2, 200), st.integers(0, 9), ranges)
def test_every_backend_equals_numpy_and_the_others(zs, points, seed, ends):
    z = torch.tensor(zs, dtype=torch.float32)
    psi, r = draw(points, seed=seed).float(), draw(len(zs)).float()
    expected = np.interp(z.double(), np.linspace(*ends, points), psi.double())
    steepest, largest = psi.diff().abs().max().item(), psi.abs().max().item()
    tolerance = 8 * torch.finfo(torch.float32).eps * (points * steepest + largest)
    slopes = []
    for name in BACKENDS:
        try:
            built(name)
        except pytest.skip.Exception:
            continue
        with using(name):
            leaf = psi.clone().requires_grad_()
            out = value(z, leaf, *ends)
            np.testing.assert_allclose(out.detach(), expected, rtol=0, atol=tolerance)
            slopes.append((slope_product(z, psi, r, *ends), grad(slope_product(z, leaf, r, *ends).sum(), leaf)[0]))
            if not z.isnan().any():
                slopes[-1] += (grad(out, leaf, r)[0],)
    for others in zip(*slopes, strict=True):
        for a, b in itertools.pairwise(others):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5 * points / (ends[1] - ends[0]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize("points", [6, 151])
def test_ends_knots_infinities_and_nan_are_exact(backend, dtype, columns, points):
    low, high = (-2.0, 3.0) if points == 6 else (-75.0, 75.0)  # a spacing of 1: every control point is exact
    psi = draw(points, dtype=dtype)
    outside = torch.tensor([-INF, -1e30, 1e30, INF, NAN], dtype=dtype)
    knots = torch.linspace(low, high, points, dtype=dtype)
    beyond = torch.nextafter(knots[[0, -1]], torch.tensor([-INF, INF], dtype=dtype))
    z = torch.cat([knots, outside, beyond])
    expected = torch.cat([psi, psi[[0, 0, -1, -1]], torch.tensor([NAN], dtype=dtype), psi[[0, -1]]])
    slopes = torch.cat([psi.diff(), psi.diff()[-1:], torch.zeros(7, dtype=dtype)])  # right-hand, but at high
    if columns:
        z, expected, slopes = (x[:, None].expand(-1, 3) for x in (z, expected, slopes))
        psi = psi.expand(3, points)
    torch.testing.assert_close(value(z, psi, low, high), expected, rtol=0, atol=0, equal_nan=True)
    factor = torch.full_like(z, 2.0)
    assert torch.equal(slope_product(z, psi, factor, low, high), 2 * slopes)
    # where the slope is 0 by definition, whatever the factor is
    assert torch.equal(slope_product(z[-7:], psi, torch.full_like(z[-7:], NAN), low, high), slopes[-7:] * 0)


@pytest.mark.parametrize("shape, columns", [((41,), False), ((3, 5, 4), False), ((20, 3), True), ((2, 3), True)])
@pytest.mark.parametrize("outlier", [0.0, NAN, INF, HIGH])
def test_torch_in_blocks_equals_one_piece(monkeypatch, shape, columns, outlier):
    z, psi, r = inputs(*shape, points=9, columns=columns)
    z.view(-1)[-1] = outlier

    def everything():
        leaves = [x.clone().requires_grad_() for x in (z, psi, r)]
        out, product = value(*leaves[:2], LOW, HIGH), slope_product(*leaves, LOW, HIGH)
        dz, dpsi = grad(out, leaves[:2], r, create_graph=True)
        plain = grad(value(*leaves[:2], LOW, HIGH), leaves[:2], r)
        return out, product, dz, dpsi, *plain, *grad(dz, leaves[1], r), *grad(product, leaves[1:], r)

    with using("torch"):
        monkeypatch.setattr(reference, "BLOCK", 1 << 60)
        expected = everything()
        monkeypatch.setattr(reference, "BLOCK", 7)
        count = len(list(reference.blocks(kernels._check(z, psi, LOW, HIGH), z, r)))
        assert count == (len(z) // 2 if columns else -(-z.numel() // 7))
        for actual, one_piece in zip(everything(), expected, strict=True):
            torch.testing.assert_close(actual, one_piece, rtol=1e-13, atol=1e-13, equal_nan=True)


def test_sums_at_the_ends(backend):
    psi = torch.zeros(4, requires_grad=True)
    z = torch.tensor([-INF, -9.0, 0.0, 3.0, 9.0, INF])
    r = torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    assert grad(value(z, psi, 0, 3), psi, r)[0].tolist() == [7, 0, 0, 56]
    assert grad(slope_product(z, psi, r, 0, 3).sum(), psi)[0].tolist() == [-4, 4, -8, 8]  # of 0.0 and 3.0


def test_nan_is_seen_in_the_gradient_of_psi(backend):
    psi = torch.zeros(4, requires_grad=True)
    z = torch.tensor([NAN, 2.5], requires_grad=True)
    dz, dpsi = grad(value(z, psi, 0, 3).sum(), (z, psi))
    assert dz.tolist() == [0, 0]
    assert dpsi[:2].isnan().all() and dpsi[2:].tolist() == [0.5, 0.5]
    assert grad(slope_product(z, psi, torch.ones(2), 0, 3).sum(), psi)[0].tolist() == [0, 0, -1, 1]


def test_sums_of_a_million_are_accurate(backend):
    z, psi, r = inputs(1_000_000, points=5, dtype=torch.float32)
    psi.requires_grad_()
    expected = grad(value(z.double(), psi.double(), LOW, HIGH), psi, r.abs().double())[0]
    close(grad(value(z, psi, LOW, HIGH), psi, r.abs())[0] / expected, torch.ones(5), torch.float32, scale=0.1)


@pytest.mark.parametrize("columns", [False, True])
def test_layouts(backend, columns):
    z, psi, r = inputs(12, 10, points=7, columns=columns, dtype=torch.float32)
    psi.requires_grad_()
    expected = value(z, psi, LOW, HIGH), slope_product(z, psi, r, LOW, HIGH)
    dpsi = grad(expected[0], psi, r)[0]
    for arranged in (lambda x: x.t().contiguous().t(), lambda x: torch.stack([x, x], -1)[..., 0]):
        y = arranged(z).requires_grad_()
        assert not y.is_contiguous() and value(y, psi, LOW, HIGH).is_contiguous()
        assert torch.equal(value(y, psi, LOW, HIGH), expected[0])
        assert torch.equal(slope_product(y, psi, arranged(r), LOW, HIGH), expected[1])
        torch.testing.assert_close(grad(value(y, psi, LOW, HIGH), psi, arranged(r))[0], dpsi)
    strided = torch.stack([psi.detach(), psi.detach()], -1)[..., 0]
    assert torch.equal(value(z, strided, LOW, HIGH), expected[0])
    broadcast = grad(value(z.requires_grad_(), psi, LOW, HIGH).sum(), (z, psi))  # an expanded gradient
    close(broadcast[0], slope_product(z, psi, torch.ones_like(z), LOW, HIGH), torch.float32)


def test_empty_and_scalar(backend):
    psi = torch.tensor([1.0, 0.0, 4.0], requires_grad=True)
    for shape in [(0,), (0, 3), (3, 0)]:
        z = torch.zeros(shape, requires_grad=True)
        out = value(z, psi, -1, 1)
        assert out.shape == shape and slope_product(z, psi, z, -1, 1).shape == shape
        dz, dpsi = grad(out.sum(), (z, psi))
        assert dz.shape == shape and dpsi.tolist() == [0, 0, 0]
    columns = torch.ones(4, 3, requires_grad=True)
    assert grad(value(torch.zeros(0, 4), columns, -1, 1).sum(), columns)[0].tolist() == [[0.0] * 3] * 4
    assert value(torch.zeros(2, 0), torch.zeros(0, 3), -1, 1).shape == (2, 0)
    z = torch.tensor(0.5, requires_grad=True)
    out = value(z, psi, -1, 1)
    assert out.shape == () and out.item() == 2
    assert [x.tolist() for x in grad(out, (z, psi))] == [4, [0, 0.5, 0.5]]


# --- higher derivatives and torch.func ----------------------------------------------------------------------


@pytest.mark.parametrize("columns", [False, True])
def test_gradcheck_and_gradgradcheck(backend, columns):
    z, psi, r = (x.requires_grad_() for x in inputs(6, 3, points=5, columns=columns))
    for function, arguments in [(value, (z, psi)), (slope_product, (z, psi, r))]:
        bound = functools.partial(lambda f, *x: f(*x, LOW, HIGH), function)
        assert gradcheck(bound, arguments, eps=1e-7, atol=1e-6)
        assert gradgradcheck(bound, arguments, eps=1e-7, atol=1e-5)


@pytest.mark.parametrize("columns", [False, True])
def test_third_derivatives(backend, columns):
    z, psi, r = (x.requires_grad_() for x in inputs(4, 2, points=4, columns=columns))

    def second(z, psi, r):
        dz, dpsi = grad(value(z, psi, LOW, HIGH), (z, psi), r, create_graph=True)
        return grad((dz**2).sum() + (dpsi**3).sum(), (z, psi, r), create_graph=True)

    assert gradcheck(second, (z, psi, r), eps=1e-7, atol=1e-4)


def loss(z, psi, r):
    """Uses all four primitives, once differentiated."""
    return (value(z, psi, LOW, HIGH) ** 2 * r).sum() + (slope_product(z, psi, r, LOW, HIGH) ** 3).sum()


def plain(function, *arguments):
    leaves = [x.detach().requires_grad_() for x in arguments]
    return grad(function(*leaves), leaves)


@pytest.mark.parametrize("columns", [False, True])
def test_func_grad_equals_autograd(backend, columns):
    arguments = inputs(6, 3, points=5, columns=columns)
    for a, b in zip(torch.func.grad(loss, (0, 1, 2))(*arguments), plain(loss, *arguments), strict=True):
        close(a, b)
    out, pull = torch.func.vjp(lambda *x: value(*x, LOW, HIGH), *arguments[:2])
    leaves = [x.requires_grad_() for x in arguments[:2]]
    expected = value(*leaves, LOW, HIGH)
    close(out, expected)
    for a, b in zip(pull(arguments[2]), grad(expected, leaves, arguments[2]), strict=True):
        close(a, b)


@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize("dims", [dims for dims in itertools.product((0, None), repeat=3) if 0 in dims])
def test_vmap_equals_a_loop(backend, columns, dims):
    size = 3
    arguments = inputs(6, 4, points=5, columns=columns)
    stacked = [torch.stack([x + 0.001 * i for i in range(size)]) for x in arguments]
    arguments = [xs if dim == 0 else xs[0] for xs, dim in zip(stacked, dims, strict=True)]

    def outputs(z, psi, r):
        return value(z, psi, LOW, HIGH), slope_product(z, psi, r, LOW, HIGH)

    def each(i):
        return [x if dim is None else x[i] for x, dim in zip(arguments, dims, strict=True)]

    gradients = torch.func.grad(loss, (0, 1, 2))
    for batched, one in [(outputs, outputs), (gradients, functools.partial(plain, loss))]:
        expected = zip(*(one(*each(i)) for i in range(size)), strict=True)
        for a, b in zip(torch.func.vmap(batched, dims)(*arguments), expected, strict=True):
            close(a, torch.stack(b))


def test_vmap_over_other_dimensions(backend):
    z, psi, _ = inputs(6, 4, points=5)
    batched = torch.func.vmap(lambda z, psi: value(z, psi, LOW, HIGH), (1, 1))(z, torch.stack([psi] * 4, 1))
    close(batched, value(z, psi, LOW, HIGH).t())
    scalars = torch.func.vmap(torch.func.grad(lambda z: value(z, psi, LOW, HIGH)))(z[:, 0])
    close(scalars, slope_product(z[:, 0], psi, torch.ones(6, dtype=z.dtype), LOW, HIGH))


@pytest.mark.parametrize("columns", [False, True])
def test_nested_transforms(backend, columns):
    """The gradient of an inner gradient step, for a batch of psi and within it a batch of factors."""
    z, psi, r = inputs(6, 4, points=5, columns=columns)

    def after_step(psi, z, r, gradient):
        return loss(z - 0.01 * gradient(z, psi, r), psi, r)

    def transformed(psi, r):
        return after_step(psi, z, r, torch.func.grad(loss))

    def expected(psi, r):
        psi = psi.detach().requires_grad_()
        leaf = z.detach().requires_grad_()
        out = after_step(psi, leaf, r, lambda z, psi, r: grad(loss(z, psi, r), z, create_graph=True)[0])
        return grad(out, psi)[0]

    psis, rs = torch.stack([psi, 2 * psi, psi**2]), torch.stack([r, r**2])
    nested = torch.func.vmap(torch.func.vmap(torch.func.grad(transformed), (None, 0)), (0, None))(psis, rs)
    close(nested, torch.stack([torch.stack([expected(p, f) for f in rs]) for p in psis]), scale=100)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape, columns", [((7,), False), ((300, 5), False), ((300, 5), True), ((0,), False)])
def test_a_factor_that_may_be_overwritten(backend, dtype, shape, columns):
    z, psi, r = inputs(*shape, points=50, columns=columns, dtype=dtype)
    expected = slope_product(z, psi, r, LOW, HIGH)
    assert torch.equal(slope_product(z, psi, r.clone(), LOW, HIGH, reuse=True), expected)
    strided = torch.stack([r, r], -1)[..., 0]
    assert torch.equal(slope_product(z, psi, strided, LOW, HIGH, reuse=True), expected)
    kept = r.clone().requires_grad_()
    out = slope_product(z, psi, kept, LOW, HIGH, reuse=True)  # autograd needs it: it stays
    assert torch.equal(out, expected) and torch.equal(kept, r)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("width, points", [(1, 2), (5, 3), (16, 50), (33, 129), (3000, 50)])
def test_along_paths_equals_the_network_point_by_point(backend, dtype, width, points):
    """Against NumPy in float64: interpolate the ends, np.interp, and a sum with the weights of each path."""
    if backend == "torch":
        with pytest.raises(ValueError, match="along_paths needs the compiled kernels"):
            kernels.along_paths(torch.zeros(2, 1, 1), torch.zeros(2), torch.zeros(1, 1), torch.zeros(1), 3, LOW, HIGH)
        return
    g = torch.Generator().manual_seed(width)
    ends, weights, bias = (
        3 * torch.randn(*size, generator=g, dtype=dtype) for size in ((2, 7, width), (7, width), (7,))
    )
    psi = torch.randn(points, generator=g, dtype=dtype)
    found = kernels.along_paths(ends, psi, weights, bias, 11, LOW, HIGH)
    a, b, w, c, values = (x.double().numpy() for x in (*ends, weights, bias, psi))
    z = a[:, None] + np.linspace(0, 1, 11)[:, None] * (b - a)[:, None]  # (7, 11, width)
    hidden = np.interp(z, np.linspace(LOW, HIGH, points), values)
    expected = (hidden * w[:, None]).sum(2) + c[:, None]
    scale = (np.abs(hidden * w[:, None])).sum(2).max() * points / 5
    assert found.dtype == dtype and found.shape == (7, 11)
    np.testing.assert_allclose(found.double().numpy(), expected, atol=scale * torch.finfo(dtype).eps * 8)


@pytest.mark.parametrize(
    "changed",
    [{"psi": (2, 3)}, {"weights": (4, 6)}, {"bias": (1,)}, {"points": 1}],
    ids=lambda changed: next(iter(changed)),
)
def test_along_paths_refuses_shapes_that_do_not_fit(changed):
    if native.library() is None:
        pytest.skip("no compiled kernels")
    sizes = {"psi": (9,), "weights": (4, 5), "bias": (4,), "points": 3} | changed
    points = sizes.pop("points")
    psi, weights, bias = (torch.zeros(size) for size in sizes.values())
    with pytest.raises(ValueError, match=r"must be|z must be"):
        kernels.along_paths(torch.zeros(2, 4, 5), psi, weights, bias, points, LOW, HIGH)


def test_gradients_only_where_they_are_asked_for(backend):
    z, psi, r = inputs(4, 3, points=5)
    assert not value(z, psi, LOW, HIGH).requires_grad
    with torch.no_grad():
        assert not value(z.requires_grad_(), psi, LOW, HIGH).requires_grad
    assert not slope_product(z, psi, r, LOW, HIGH).requires_grad  # it is constant in z
    dz = grad(value(z, psi, LOW, HIGH), z, r, create_graph=True)[0]
    assert not dz.requires_grad or grad(dz.sum(), z, allow_unused=True)[0] is None


@pytest.mark.parametrize(
    "z, psi, low, high, rule",
    [
        (torch.zeros(3), torch.zeros(1), -1, 1, r"n_c at least 2, got shape \(1,\)"),
        (torch.zeros(3), torch.zeros(()), -1, 1, r"got shape \(\)"),
        (torch.zeros(3, 3), torch.zeros(1, 3, 4), -1, 1, r"got shape \(1, 3, 4\)"),
        (torch.zeros(3), torch.zeros(4), 1, 1, r"low below high, got \[1, 1\]"),
        (torch.zeros(3), torch.zeros(4), NAN, 1, r"got \[nan, 1\]"),
        (torch.zeros(3), torch.zeros(4), -INF, 1, r"got \[-inf, 1\]"),
        (torch.zeros(5, 3), torch.zeros(2, 4), -1, 1, r"z must be \(..., 2\) .* got \(5, 3\)"),
        (torch.tensor(0.0), torch.zeros(2, 4), -1, 1, r"z must be \(..., 2\) .* got \(\)"),
        (torch.zeros(3).double(), torch.zeros(4), -1, 1, "got torch.float64 and torch.float32"),
        (torch.zeros(3).int(), torch.zeros(4).int(), -1, 1, "got torch.int32"),
        (torch.zeros(3, device="meta"), torch.zeros(4), -1, 1, "on one device, got meta and cpu"),
    ],
)
def test_arguments_that_do_not_fit(z, psi, low, high, rule):
    for call in (value, lambda z, *others: slope_product(z, others[0], z, *others[1:])):
        with pytest.raises(ValueError, match=rule):
            call(z, psi, low, high)


@pytest.mark.parametrize("g", [torch.zeros(2), torch.zeros(3).double(), torch.zeros(3, device="meta")])
def test_factor_that_does_not_fit(g):
    with pytest.raises(ValueError, match="g must be like z"):
        slope_product(torch.zeros(3), torch.zeros(4), g, -1, 1)


# --- building and choosing ----------------------------------------------------------------------------------


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """No choice made yet, an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SPLINE_BACKEND", raising=False)
    native.library.cache_clear()
    yield tmp_path
    native.library.cache_clear()


def compiler(folder, line):
    """A compiler that is a shell script."""
    path = folder / "compiler"
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
    return str(path)


def check_fallback(caplog, reason):
    for _ in range(3):
        assert value(torch.tensor(0.5), torch.tensor([0.0, 1.0]), 0, 1).item() == 0.5
        assert kernels.backend() == "torch"
    assert len(caplog.records) == 1
    assert len(caplog.messages[0].splitlines()) == 1 and reason in caplog.messages[0]


def test_failed_build_falls_back_with_one_warning(fresh, monkeypatch, caplog):
    broken = 'case "$*" in *--version*) echo 1.0;; *) echo "bad source" >&2; echo more >&2; exit 1;; esac'
    monkeypatch.setenv("CXX", compiler(fresh, broken))
    check_fallback(caplog, "bad source")
    assert list(native.cache_folder().iterdir()) == []


@pytest.mark.parametrize("command, reason", [("/nonexistent/c++", "nonexistent"), ("'unclosed", "quotation")])
def test_missing_compiler_falls_back_with_one_warning(fresh, monkeypatch, caplog, command, reason):
    monkeypatch.setenv("CXX", command)
    check_fallback(caplog, reason)


def test_no_compiler_at_all_falls_back_with_one_warning(fresh, monkeypatch, caplog):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(fresh))
    check_fallback(caplog, "no C++ compiler found")


def test_compiler_that_makes_no_library_falls_back(fresh, monkeypatch, caplog):
    monkeypatch.setenv("CXX", compiler(fresh, "exit 0"))
    check_fallback(caplog, ".so")


def test_unwritable_cache_falls_back_with_one_warning(fresh, monkeypatch, caplog):
    needs_compiler()
    (fresh / "cache").write_text("a file, where a folder should be")
    check_fallback(caplog, str(fresh / "cache"))


def test_forced_torch(fresh, monkeypatch, caplog):
    monkeypatch.setenv("SPLINE_BACKEND", "torch")
    assert kernels.backend() == "torch"
    assert not caplog.records and not native.cache_folder().exists()


def test_forced_cpp(fresh, monkeypatch):
    needs_compiler()
    monkeypatch.delenv("XDG_CACHE_HOME")  # the cache of the user, for speed
    monkeypatch.setenv("SPLINE_BACKEND", "cpp")
    assert kernels.backend().startswith("cpp")


def test_forced_cpp_without_a_compiler(fresh, monkeypatch):
    monkeypatch.setenv("SPLINE_BACKEND", "cpp")
    monkeypatch.setenv("CXX", "/nonexistent/c++")
    with pytest.raises(RuntimeError, match="SPLINE_BACKEND is cpp, but .*nonexistent"):
        value(torch.zeros(1), torch.zeros(2), 0, 1)


def test_unknown_backend(fresh, monkeypatch):
    monkeypatch.setenv("SPLINE_BACKEND", "cuda")
    with pytest.raises(ValueError, match="SPLINE_BACKEND must be torch or cpp, got 'cuda'"):
        kernels.backend()


def test_flags_that_the_compiler_does_not_know(fresh, monkeypatch):
    needs_compiler()
    monkeypatch.setattr(
        native, "BASE_FLAGS", ["-O0", *native.BASE_FLAGS[1:]]
    )  # which compiles in a fraction of the time
    library = native.compiled((["-march=nonsense"], []))
    assert library.spline_backend() in (b"cpp", b"cpp-avx2", b"cpp-avx512")
    with pytest.raises(subprocess.CalledProcessError):
        native.compiled((["-march=nonsense"],))


def start(cache):
    code = "from lib import kernels; print(kernels.backend())"
    environment = os.environ | {"XDG_CACHE_HOME": str(cache)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment, **pipes)


def test_two_processes_build_at_once_into_an_empty_cache(fresh, monkeypatch):
    needs_compiler()
    processes = [start(fresh / "cache") for _ in range(2)]
    for process in processes:
        out, errors = process.communicate(timeout=300)
        errors = [line for line in errors.splitlines() if "still waiting" not in line]  # on a busy machine
        assert (out.startswith("cpp"), errors, process.returncode) == (True, [], 0)
    (library,) = native.cache_folder().iterdir()  # nothing temporary is left
    monkeypatch.setattr(native, "_build", lambda *_: pytest.fail("built again"))
    assert kernels.backend() == out.strip()
