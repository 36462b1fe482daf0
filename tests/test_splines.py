"""Splines: values against NumPy and SciPy, derivatives against finite differences, torch.func, refusals."""

import numpy as np
import pytest
import torch
from scipy.interpolate import CubicHermiteSpline
from torch import nn

from lib.splines import METHODS, Spline, grid, initial_values, interpolate, slope_product

LOW, HIGH = -1.5, 2.0


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def off_knots(n_points, rows=3, columns=4, seed=0):
    """Points of which some are outside [LOW, HIGH] and none is close to a control point or (for "nearest") a tie."""
    u = draw(rows, columns, seed=seed).abs() * n_points / 2 - 1
    u = u.floor() + 0.1 + 0.3 * (u - u.floor())  # in units of the spacing: fractions from 0.1 to 0.4
    return LOW + u * (HIGH - LOW) / (n_points - 1)


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 3e-6), (torch.float64, 1e-13)])
@pytest.mark.parametrize("n_points", [2, 3, 50, 401])
@pytest.mark.parametrize("low, high", [(-5.0, 5.0), (LOW, HIGH), (0.25, 0.5)])
def test_linear_equals_numpy(dtype, tolerance, n_points, low, high):
    values, knots = draw(n_points, dtype=dtype), grid(n_points, low, high).to(dtype)
    width = high - low
    x = torch.cat(
        [knots, draw(300, seed=1, dtype=dtype) * width + low, torch.tensor([low, high, -1e9, 1e9], dtype=dtype)]
    )
    expected = np.interp(x.double(), np.linspace(low, high, n_points), values.double())
    result = interpolate(x, values, low, high)
    assert result.dtype == dtype and result.shape == x.shape
    rounding = n_points * max(abs(low), abs(high)) / width  # x is known to that many spacings times epsilon
    np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance * max(1.0, rounding))


@pytest.mark.parametrize("method", METHODS)
def test_one_spline_per_column(method):
    values, x = draw(4, 9), 2 * draw(6, 5, 4, seed=1)
    result = interpolate(x, values, LOW, HIGH, method)
    for column in range(4):
        torch.testing.assert_close(result[..., column], interpolate(x[..., column], values[column], LOW, HIGH, method))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_control_values_are_met_and_ends_are_kept(method, dtype):
    values = draw(12, dtype=dtype)
    torch.testing.assert_close(
        interpolate(grid(12, LOW, HIGH).to(dtype), values, LOW, HIGH, method), values, rtol=1e-5, atol=1e-5
    )
    outside = torch.tensor([LOW - 1e-3, -1e30, -float("inf"), HIGH + 1e-3, 1e30, float("inf")], dtype=dtype)
    expected = values[[0, 0, 0, -1, -1, -1]]
    torch.testing.assert_close(interpolate(outside, values, LOW, HIGH, method), expected)


@pytest.mark.parametrize("method", METHODS)
def test_empty_zero_dimensional_and_nan(method):
    values = draw(5)
    assert interpolate(torch.empty(0, 3, dtype=torch.float64), values, LOW, HIGH, method).shape == (0, 3)
    assert interpolate(torch.empty(0, 2, dtype=torch.float64), draw(2, 5), LOW, HIGH, method).shape == (0, 2)
    single = interpolate(torch.tensor(0.3, dtype=torch.float64), values, LOW, HIGH, method)
    torch.testing.assert_close(
        single, interpolate(torch.full((1,), 0.3).double(), values, LOW, HIGH, method)[0], rtol=1e-6, atol=1e-6
    )
    assert single.shape == ()
    result = interpolate(torch.tensor([0.3, float("nan")], dtype=torch.float64), values, LOW, HIGH, method)
    assert result[0].isfinite() and result[1].isnan()


@pytest.mark.parametrize("n_points", [2, 3, 4, 17])
def test_cubic_equals_scipy_with_catmull_rom_slopes(n_points):
    values, knots = draw(n_points), np.linspace(LOW, HIGH, n_points)
    # central differences inside and one-sided ones at the two ends, which np.gradient also takes
    reference = CubicHermiteSpline(knots, values, np.gradient(values.numpy(), knots[1] - knots[0]))
    x = torch.linspace(LOW, HIGH, 501, dtype=torch.float64)
    np.testing.assert_allclose(interpolate(x, values, LOW, HIGH, "cubic"), reference(x), atol=1e-12)
    slope = slope_product(x, values, torch.ones_like(x), LOW, HIGH, "cubic")
    np.testing.assert_allclose(slope, reference(x, 1), atol=1e-11)


@pytest.mark.parametrize("method", ["linear", "cubic"])
@pytest.mark.parametrize("n_points", [2, 3, 30])
def test_straight_lines_stay_straight(method, n_points):
    x = torch.linspace(LOW, HIGH, 333, dtype=torch.float64)
    torch.testing.assert_close(interpolate(x, 0.7 - 3 * grid(n_points, LOW, HIGH), LOW, HIGH, method), 0.7 - 3 * x)


@pytest.mark.parametrize("n_points", [2, 7, 50])
def test_nearest_takes_the_closest_control_point(n_points):
    values, x = draw(n_points), 2 * draw(400, seed=1)
    index = np.abs(x.numpy()[:, None] - np.linspace(LOW, HIGH, n_points)).argmin(axis=1)
    torch.testing.assert_close(interpolate(x, values, LOW, HIGH, "nearest"), values[index])


# --- derivatives ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["linear", "cubic"])
@pytest.mark.parametrize("columns", [False, True])
def test_first_and_second_derivatives_equal_finite_differences(method, columns):
    x = off_knots(8).requires_grad_()
    values = (draw(4, 8, seed=1) if columns else draw(8, seed=1)).requires_grad_()
    assert bool((x < LOW).any()) and bool((x > HIGH).any()) and bool(((x > LOW) & (x < HIGH)).any())

    def function(x, values):
        return interpolate(x, values, LOW, HIGH, method)

    assert torch.autograd.gradcheck(function, (x, values))
    assert torch.autograd.gradgradcheck(function, (x, values))


@pytest.mark.parametrize("method", ["linear", "cubic"])
@pytest.mark.parametrize("columns", [False, True])
def test_derivatives_of_the_slope_product_equal_finite_differences(method, columns):
    x = off_knots(8).requires_grad_()
    values = (draw(4, 8, seed=1) if columns else draw(8, seed=1)).requires_grad_()
    factor = draw(3, 4, seed=2).requires_grad_()

    def function(x, values, factor):
        return slope_product(x, values, factor, LOW, HIGH, method)

    assert torch.autograd.gradcheck(function, (x, values, factor))
    assert torch.autograd.gradgradcheck(function, (x, values, factor))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_slope_product_equals_autograd(method, columns, dtype):
    values = draw(5, 9, seed=1, dtype=dtype) if columns else draw(9, seed=1, dtype=dtype)
    knots = grid(9, LOW, HIGH)
    x = torch.cat([2 * draw(20, 5), knots[:, None].expand(9, 5), knots[[0, -1], None].expand(2, 5) * 1.1]).to(dtype)
    factor = draw(*x.shape, seed=2, dtype=dtype)
    leaf = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(interpolate(leaf, values, LOW, HIGH, method), leaf, factor)
    result = slope_product(x, values, factor, LOW, HIGH, method)
    torch.testing.assert_close(result, expected)
    outside = (x < LOW) | (x > HIGH)
    assert bool((result[outside] == 0).all()) and bool((result[~outside] != 0).all())


def test_nearest_is_trained_with_the_derivatives_of_the_linear_spline():
    x, values = 2 * draw(30), draw(9, seed=1)
    results = []
    for method in ("nearest", "linear"):
        leaves = x.clone().requires_grad_(), values.clone().requires_grad_()
        output = interpolate(*leaves, LOW, HIGH, method)
        grads = torch.autograd.grad((output * draw(30, seed=2)).sum(), leaves, create_graph=True)
        results.append([*grads, *torch.autograd.grad(grads[0].square().sum(), leaves[1])])
    torch.testing.assert_close(*results)


@pytest.mark.parametrize("method", METHODS)
def test_torch_func_transforms(method):
    x, values = off_knots(8).flatten(), draw(3, 8, seed=1)

    def g(x, values):
        return interpolate(x, values, LOW, HIGH, method)

    batched = torch.func.vmap(g, in_dims=(None, 0))(x, values)
    torch.testing.assert_close(batched, torch.stack([g(x, row) for row in values]))
    batched = torch.func.vmap(g, in_dims=(0, None))(x, values[0])
    torch.testing.assert_close(batched, g(x, values[0]))
    slopes = torch.func.vmap(torch.func.vmap(torch.func.grad(g), in_dims=(0, None)), in_dims=(None, 0))(x, values)
    expected = torch.stack([slope_product(x, row, torch.ones_like(x), LOW, HIGH, method) for row in values])
    torch.testing.assert_close(slopes, expected)
    # d2 / dpsi dx, from nested transforms and from autograd
    mixed = torch.func.jacrev(torch.func.grad(lambda x, values: g(x, values).square().sum()), argnums=1)(x, values[0])
    leaves = x.clone().requires_grad_(), values[0].clone().requires_grad_()
    (slope,) = torch.autograd.grad(g(*leaves).square().sum(), leaves[0], create_graph=True)
    rows = [torch.autograd.grad(s, leaves[1], retain_graph=True)[0] for s in slope]
    torch.testing.assert_close(mixed, torch.stack(rows))
    assert mixed.abs().sum() > 0


# --- control points, initial values, module ---------------------------------------------------------------------------


def test_grid_and_initial_values():
    np.testing.assert_allclose(grid(7, LOW, HIGH), np.linspace(LOW, HIGH, 7))
    np.testing.assert_allclose(initial_values("relu", 7, LOW, HIGH), np.linspace(LOW, HIGH, 7).clip(0), rtol=1e-6)
    np.testing.assert_allclose(initial_values("identity", 7, LOW, HIGH), np.linspace(LOW, HIGH, 7), rtol=1e-6)
    np.testing.assert_allclose(initial_values(torch.sin, 7, LOW, HIGH), np.sin(np.linspace(LOW, HIGH, 7)), rtol=1e-6)
    zeros = initial_values("zeros", 7, LOW, HIGH)
    assert zeros.shape == (7,) and zeros.dtype == torch.float32 and not zeros.any()


def test_module_keeps_a_fixed_function_by_default():
    values = draw(9, dtype=torch.float32)
    g = Spline(values, LOW, HIGH, "cubic")
    x = draw(5, 3, dtype=torch.float32)
    expected = interpolate(x, values, LOW, HIGH, "cubic")
    torch.testing.assert_close(g(x), expected)
    assert list(g.parameters()) == [] and list(g.state_dict()) == ["values", "_extra_state"]
    values.zero_()  # the module has a copy
    torch.testing.assert_close(g(x), expected)
    other = Spline(torch.zeros(9))  # takes on the range and the interpolation too
    other.load_state_dict(g.state_dict())
    torch.testing.assert_close(other(x), expected)
    assert g.double()(x.double()).dtype == torch.float64
    assert "n_c=9" in repr(g) and "'cubic'" in repr(g)


def test_module_trains_on_request():
    g = Spline(torch.zeros(2, 5), LOW, HIGH, trainable=True)
    assert [p.shape for p in g.parameters()] == [(2, 5)]
    x, target = draw(200, 2, dtype=torch.float32), torch.tensor([1.0, -2.0])
    optimiser = torch.optim.SGD(g.parameters(), 0.5)
    for _ in range(200):
        optimiser.zero_grad()
        (g(x) - target).square().mean().backward()
        optimiser.step()
    torch.testing.assert_close(g(x), target.expand(200, 2), rtol=0, atol=0.05)


def model_with(method, columns):
    """A small model with a spline, its inputs (some far outside), and other inputs of another length."""
    values = draw(8, 9, dtype=torch.float32) if columns else draw(9, dtype=torch.float32)
    model = nn.Sequential(nn.Linear(3, 8), Spline(values, LOW, HIGH, method), nn.Linear(8, 1))
    for p, seed in zip(model.parameters(), range(4), strict=True):
        p.data = draw(*p.shape, seed=seed, dtype=torch.float32)
    return model, 3 * draw(5, 3, seed=5, dtype=torch.float32), 3 * draw(7, 3, seed=6, dtype=torch.float32)


MADE = {
    "traced": lambda model, x: torch.jit.trace(model, x),
    "exported": lambda model, x: torch.export.export(
        model, (x,), dynamic_shapes=({0: torch.export.Dim("n")},)
    ).module(),
    "compiled": lambda model, x: torch.compile(model, backend="eager", fullgraph=True),
}


@pytest.mark.filterwarnings("ignore:`torch.jit.trace")
@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("columns", [False, True])
def test_module_in_a_model_that_is_traced_exported_or_compiled(made, method, columns):
    torch._dynamo.reset()  # forget the models of the other cases
    model, x, other = model_with(method, columns)
    copy = MADE[made](model, x)
    for inputs in (x, other, torch.full((2, 3), 1e9)):
        torch.testing.assert_close(copy(inputs), model(inputs), rtol=1e-5, atol=1e-5)
    leaves = [other.clone().requires_grad_() for _ in range(2)]
    grads = [
        torch.autograd.grad(f(leaf).square().sum(), leaf)[0] for f, leaf in zip((copy, model), leaves, strict=True)
    ]
    torch.testing.assert_close(*grads, rtol=1e-4, atol=1e-4)


def test_plain_linear_spline_keeps_ends_and_nan():
    values = draw(9)
    x = torch.tensor([LOW, HIGH, -9.0, 9.0, -torch.inf, torch.inf, torch.nan, 0.3], dtype=torch.float64)
    g = torch.compile(lambda x: interpolate(x, values, LOW, HIGH), backend="eager", fullgraph=True)
    torch.testing.assert_close(g(x), interpolate(x, values, LOW, HIGH), equal_nan=True)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_module_in_half_precision(method, half):
    model, x, _ = model_with(method, False)
    with torch.autocast("cpu", dtype=half):
        z = model[0](x)
        assert z.dtype == half and model[1](z).dtype == half
        torch.testing.assert_close(model[1](z), model[1](z.float()).to(half), rtol=0, atol=0)  # only rounded
        model(x).float().square().sum().backward()
    assert all(p.grad.isfinite().all() and p.grad.any() for p in model[0].parameters())
    halved = model_with(method, False)[0].to(half)
    result = halved(x.to(half))
    assert result.dtype == half and halved[1].values.dtype == half and result.isfinite().all()


def test_module_with_another_float_than_psi():
    g, x = Spline(draw(9, dtype=torch.float32), LOW, HIGH), draw(20)
    assert g(x).dtype == torch.float64
    torch.testing.assert_close(g(x), interpolate(x, g.values.double(), LOW, HIGH), rtol=0, atol=0)
    assert g.double()(x.float()).dtype == torch.float32
    with pytest.raises(ValueError, match=r"x must be floating-point, got torch.int64: convert with .float\(\)"):
        g(torch.arange(3))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: interpolate(draw(3), draw(5), 0, 1, "quintic"), "method must be one of .* got 'quintic'"),
        (lambda: interpolate(draw(3), draw(5), 1, 1), r"low < high, got \[1, 1\]"),
        (lambda: interpolate(draw(3), draw(5), 0, float("inf")), r"must be finite with low < high, got \[0, inf\]"),
        (lambda: interpolate(draw(3), draw(5), float("nan"), 1), "must be finite with low < high"),
        (lambda: interpolate(draw(3), draw(1), 0, 1), r"n_c at least 2, got shape \(1,\)"),
        (lambda: interpolate(draw(3), draw(2, 2, 5), 0, 1), r"got shape \(2, 2, 5\)"),
        (
            lambda: interpolate(draw(3), draw(2, 5), 0, 1),
            r"2 splines need inputs with as many columns, got shape \(3,\)",
        ),
        (lambda: interpolate(torch.tensor(1.0), torch.ones(2, 5), 0, 1), r"2 splines need inputs .* got shape \(\)"),
        (lambda: interpolate(draw(3), draw(5, dtype=torch.float32), 0, 1), "must both be float32 or both float64"),
        (lambda: slope_product(draw(3), draw(5), draw(3), 1, 0, "cubic"), r"low < high, got \[1, 0\]"),
        (lambda: slope_product(draw(3), draw(5), draw(3), 0, 1, "cubbic"), "method must be one of .* got 'cubbic'"),
        (lambda: grid(1, 0, 1), "n_points must be at least 2, got 1"),
        (lambda: initial_values("ones", 5, 0, 1), r"init must be one of \['identity', 'relu', 'zeros'\] .* got 'ones'"),
        (lambda: initial_values(lambda x: x[:2], 5, 0, 1), r"one value per control point, \(5,\), got \(2,\)"),
        (lambda: Spline(torch.ones(1)), r"n_c at least 2, got shape \(1,\)"),
        (lambda: Spline(torch.ones(5), 2, 1), r"low < high, got \[2, 1\]"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()
