"""Distances between functions against least squares, frequencies against known sines."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares
from torch.nn import functional as F

from notebooks.paper.figures.similarity import activation_distance, dominant_frequency, turning_points

GRID = torch.linspace(-5, 5, 201, dtype=torch.float64)


def gaussian(grid):
    return torch.exp(-grid.square() / 2)


# --- distance ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reference", [F.gelu, F.silu, torch.relu, torch.tanh, torch.sin])
@pytest.mark.parametrize(("scale", "offset", "input_scale"), [(1, 0, 1), (-3, 5, 0.7), (0.1, -2, -1.9)])
def test_the_reference_itself_in_any_scale_is_at_distance_0(reference, scale, offset, input_scale):
    fit = activation_distance(GRID, scale * reference(input_scale * GRID) + offset, reference)
    assert fit.distance < 1e-4
    rebuilt = fit.scale * reference(fit.input_scale * GRID) + fit.offset
    torch.testing.assert_close(rebuilt, scale * reference(input_scale * GRID) + offset, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("density", [None, gaussian(GRID)])
@pytest.mark.parametrize("reference", [F.gelu, F.silu, torch.tanh])
def test_against_nonlinear_least_squares(reference, density):
    values = torch.relu(GRID - 0.3) + 0.2 * torch.sin(2 * GRID)
    weights = (torch.ones_like(GRID) if density is None else density).numpy()

    def residual(p):
        fitted = p[0] * reference(p[2] * GRID) + p[1]
        return np.sqrt(weights) * (fitted - values).numpy()

    starts = [(sign, 0.0, scale) for sign in (1, -1) for scale in (0.3, 1.0, 3.0, -0.3, -1.0, -3.0)]
    bounds = ([-99, -99, -4], [99, 99, 4])
    best = min((least_squares(residual, p, bounds=bounds) for p in starts), key=lambda found: found.cost)
    centred = values.numpy() - np.average(values.numpy(), weights=weights)
    expected = math.sqrt(2 * best.cost / (weights * centred**2).sum())
    found = activation_distance(GRID, values, reference, density=density)
    assert 0.05 < found.distance < 1
    if 0.25 < abs(best.x[2]) < 4:
        assert found.distance == pytest.approx(expected, rel=1e-3)
    else:
        assert found.distance >= expected - 1e-6


def test_the_density_decides_where_the_distance_counts():
    values = torch.where(GRID < 3, F.gelu(GRID), 10 * torch.ones_like(GRID))
    everywhere = activation_distance(GRID, values, F.gelu).distance
    below = activation_distance(GRID, values, F.gelu, density=(GRID < 2.9).double()).distance
    assert below < 1e-4 and everywhere > 0.2


def test_the_distance_does_not_depend_on_scales_and_stays_below_1():
    noise = torch.randn(201, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = activation_distance(GRID, noise, F.gelu).distance
    assert 0.9 < found <= 1
    assert activation_distance(GRID, 7 - 30 * noise, F.gelu).distance == pytest.approx(found)
    assert activation_distance(GRID, GRID.square(), torch.sin).distance <= 1
    assert activation_distance(GRID, noise, torch.zeros_like).distance == 1


def test_gelu_is_nearer_to_silu_than_to_relu_and_tanh():
    distances = [activation_distance(GRID, F.gelu(GRID), g).distance for g in (F.silu, torch.relu, torch.tanh)]
    assert distances == sorted(distances) and distances[0] < 0.02 < distances[1] < distances[2]


def test_the_input_scale_keeps_to_its_range():
    fit = activation_distance(GRID, torch.tanh(GRID), torch.tanh, input_scales=(2.0, 3.0))
    assert abs(fit.input_scale) == pytest.approx(2, abs=1e-3) and fit.distance > 0.05


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grid": GRID[:3], "values": GRID[:3]}, r"4 or more, got \[\(3,\), \(3,\), \(3,\)\]"),
        ({"values": GRID[:-1]}, "vectors of one length"),
        ({"density": GRID[:-1]}, "vectors of one length"),
        ({"values": torch.full_like(GRID, 2.0)}, "values must vary.*got the constant (2.0|1.99)"),
        ({"values": torch.zeros_like(GRID)}, "got the constant 0.0"),
        ({"density": (GRID < -4.99).double(), "values": torch.relu(GRID)}, "got the constant 0.0"),
        ({"values": GRID / 0}, "values must be finite"),
        ({"density": GRID}, "density must be at least 0 everywhere"),
        ({"density": torch.zeros_like(GRID)}, "density.*positive sum, got sum 0.0"),
        ({"density": torch.full_like(GRID, math.nan)}, "density.*got sum nan"),
        ({"input_scales": (1.0, 1.0)}, r"positive and increasing, got \(1.0, 1.0\)"),
        ({"input_scales": (-1.0, 1.0)}, r"positive and increasing, got \(-1.0, 1.0\)"),
    ],
)
def test_distance_refuses(change, message):
    arguments = {"grid": GRID, "values": torch.tanh(GRID), "reference": F.gelu} | change
    with pytest.raises(ValueError, match=message):
        activation_distance(**arguments)


# --- frequency -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("low", "high", "n"), [(-1, 1, 200), (-5, 5, 400)])
@pytest.mark.parametrize("cycles", [3.3, 11.0, 30.8, 60.5])
@pytest.mark.parametrize("phase", [0.0, 1.0])
def test_a_sine_s_frequency(low, high, n, cycles, phase):
    grid = torch.linspace(low, high, n, dtype=torch.float64)
    frequency = cycles / (high - low)
    values = 0.1 * torch.sin(2 * math.pi * frequency * grid + phase)
    found = dominant_frequency(grid, values + 3 - 0.7 * grid)
    assert found.frequency == pytest.approx(frequency, abs=0.05 / (high - low))
    assert found.sharpness > 0.98


def test_the_stronger_of_two_sines():
    grid = torch.linspace(0, 1, 300)
    values = torch.sin(2 * math.pi * 40 * grid) + 0.5 * torch.sin(2 * math.pi * 15 * grid)
    found = dominant_frequency(grid, values)
    assert found.frequency == pytest.approx(40, abs=0.1)
    assert found.sharpness == pytest.approx(1 / 1.25, abs=0.02)


def test_noise_is_not_sharp():
    noise = torch.randn(400, generator=torch.Generator().manual_seed(0))
    assert dominant_frequency(torch.linspace(-1, 1, 400), noise).sharpness < 0.15


def test_the_highest_frequency():
    grid = torch.linspace(0, 63, 64)
    found = dominant_frequency(grid, (-1.0) ** torch.arange(64))
    assert found.frequency == pytest.approx(0.5, abs=0.01) and found.sharpness > 0.99


@pytest.mark.parametrize(
    ("grid", "values", "message"),
    [
        (GRID[:15], GRID[:15].sin(), "at least 16"),
        (GRID, GRID[:-1].sin(), "vectors of one length"),
        (GRID.flip(0), GRID.sin(), "evenly spaced and increasing"),
        (GRID**3, GRID.sin(), "evenly spaced and increasing"),
        (torch.zeros(20), torch.ones(20), "evenly spaced and increasing"),
        (GRID, GRID / 0, "values must be finite"),
        (GRID, 3 * GRID - 1, "straight line"),
        (GRID, torch.zeros_like(GRID), "straight line"),
    ],
)
def test_frequency_refuses(grid, values, message):
    with pytest.raises(ValueError, match=message):
        dominant_frequency(grid, values)


def test_turning_points_are_those_of_the_function_not_of_its_flat_pieces():
    x = torch.linspace(-5, 5, 400, dtype=torch.float64)
    assert turning_points((2 * torch.pi * x).sin()) == 20  # 2 in each of 10 periods
    assert [turning_points(f(x)) for f in (torch.relu, torch.tanh, torch.square, torch.zeros_like)] == [0, 0, 1, 0]
    assert turning_points(torch.nn.functional.gelu(x)) == 1
    assert turning_points(torch.tensor([0.0, -1, -1, 2, 2, 1])) == turning_points(torch.tensor([0.0, -1, 2, 1])) == 2


def test_a_density_makes_the_frequency_that_of_where_the_inputs_are():
    x = torch.linspace(-1, 1, 401, dtype=torch.float64)
    inside = 0.1 * torch.sin(2 * torch.pi * 12.3 * x)
    values = torch.where(x.abs() < 0.4, inside, torch.sin(2 * torch.pi * 60 * x)) + 3 * x - 1
    assert dominant_frequency(x, values).frequency == pytest.approx(
        60, abs=0.5
    )  # larger, but hardly any input is there
    found = dominant_frequency(x, values, torch.exp(-0.5 * (x / 0.1) ** 2))
    assert found.frequency == pytest.approx(12.3, abs=0.3) and found.sharpness > 0.95


def test_a_line_where_the_inputs_are_has_no_frequency():
    x = torch.linspace(-1, 1, 401, dtype=torch.float64)
    values = torch.where(x.abs() < 0.4, 2 * x + 1, torch.sin(2 * torch.pi * 60 * x))
    with pytest.raises(ValueError, match="must not lie on a straight line"):
        dominant_frequency(x, values, (x.abs() < 0.3).double())


@pytest.mark.parametrize(
    "density", [torch.ones(5), -torch.ones(401), torch.full((401,), float("nan")), torch.eye(401)[0]]
)
def test_a_density_of_another_form_is_refused(density):
    x = torch.linspace(-1, 1, 401)
    with pytest.raises(ValueError, match="density must be 401 numbers from 0 on, at least 4 above it"):
        dominant_frequency(x, torch.sin(60 * x), density)
