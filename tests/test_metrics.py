"""Complexity against analytic values and a second implementation; accuracies against brute force."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score

from lib import metrics
from lib.networks import Activation, Network
from notebooks.paper.experiments import scores

LINE = (torch.tensor([[0.0], [1.0]], dtype=torch.float64), torch.tensor([0, 1]))  # every path: 0 to 1 or back


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def blobs(n=60, d=5, classes=3, dtype=torch.float32):
    x = torch.randn(n, d, generator=seeded(1), dtype=dtype)
    return x, torch.randint(classes, (n,), generator=seeded(2))


def sine(periods, amplitude=1.0):
    return lambda x: amplitude * torch.sin(2 * math.pi * periods * x)


def cosine(periods, amplitude=1.0, offset=0.0):
    return lambda x: offset + amplitude * torch.cos(2 * math.pi * periods * x)


# --- paths ---------------------------------------------------------------------------------------------


def test_paths_join_points_of_different_labels_uniformly():
    y = torch.tensor([7, 2, 7, 0, 2, 7])  # classes of 1, 2 and 3 points: 22 ordered pairs
    pairs = metrics.sample_paths(torch.zeros(6, 1), y, generator=seeded(), paths=22_000)
    counts = torch.zeros(6, 6).index_put_((pairs[:, 0], pairs[:, 1]), torch.ones(22_000), accumulate=True)
    different = y[:, None] != y[None, :]
    assert different.sum() == 22
    assert counts[~different].sum() == 0
    assert (counts[different] - 1000).abs().max() < 5 * math.sqrt(1000)


def test_paths_are_those_of_the_generator_s_state():
    x, y = blobs()
    first = metrics.sample_paths(x, y, generator=seeded(3))
    assert first.shape == (200, 2) and first.dtype == torch.int64
    assert torch.equal(first, metrics.sample_paths(x, y, generator=seeded(3)))
    assert not torch.equal(first, metrics.sample_paths(x, y, generator=seeded(4)))


def test_paths_accept_boolean_labels():
    y = torch.tensor([True, False, True])
    pairs = metrics.sample_paths(torch.zeros(3, 1), y, generator=seeded(), paths=9)
    assert ((pairs == 1).sum(dim=1) == 1).all()


@pytest.mark.parametrize(
    ("x", "y", "paths", "message"),
    [
        (torch.zeros(4, 2), torch.tensor([3, 3, 3, 3]), 5, "at least 2 different labels, got only 3"),
        (torch.zeros(1, 2), torch.tensor([0]), 5, r"at least 2 points, as \(n, d\), got shape \(1, 2\)"),
        (torch.zeros(4), torch.tensor([0, 1, 0, 1]), 5, r"got shape \(4,\)"),
        (torch.zeros(4, 2), torch.tensor([0, 1, 0]), 5, r"y must have shape \(4,\).*got \(3,\)"),
        (torch.zeros(2, 2), torch.tensor([[0], [1]]), 5, r"y must have shape \(2,\).*got \(2, 1\)"),
        (torch.zeros(2, 2), torch.tensor([-1.0, 1.0]), 5, "class ids .integers., got torch.float32"),
        (torch.zeros(2, 2), torch.tensor([0, 1]), 1, "paths must be at least 2, got 1"),
    ],
)
def test_paths_refuse(x, y, paths, message):
    with pytest.raises(ValueError, match=message):
        metrics.sample_paths(x, y, generator=seeded(), paths=paths)


# --- total variation -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float32, 1e-4), (torch.float64, 1e-12)])
def test_a_linear_model_has_no_variation(dtype, rounding):
    x, y = blobs(dtype=dtype)
    w = torch.randn(5, 3, generator=seeded(4), dtype=dtype)
    assert metrics.total_variation(lambda x: x @ w + 7, x, y, generator=seeded()).mean < rounding
    crooked = metrics.total_variation(lambda x: (x @ w).abs() + 7, x, y, generator=seeded())
    assert crooked.mean > 0.1


@pytest.mark.parametrize(("periods", "amplitude"), [(1, 1.0), (3, 0.5), (5, 20.0)])
def test_a_sine_has_its_analytic_variation(periods, amplitude):
    f = sine(periods, amplitude)
    exact = metrics.total_variation(f, *LINE, generator=seeded(), points=8 * periods + 1)  # hits each extreme
    assert exact.mean == pytest.approx(4 * amplitude * periods, rel=1e-12)
    assert exact.standard_error == pytest.approx(0, abs=1e-9)
    assert metrics.total_variation(f, *LINE, generator=seeded()).mean == pytest.approx(exact.mean, rel=0.02)


def test_the_line_between_the_ends_does_not_count():
    plain = metrics.total_variation(sine(2), *LINE, generator=seeded())
    tilted = metrics.total_variation(lambda x: sine(2)(x) + 30 * x - 4, *LINE, generator=seeded())
    assert tilted.mean == pytest.approx(plain.mean, rel=1e-10)


def test_against_a_loop_over_equation_2():
    x, y = blobs(dtype=torch.float64)
    w = torch.randn(5, 4, generator=seeded(5), dtype=torch.float64)

    def f(x):
        return torch.sin(3 * x @ w)

    found = metrics.total_variation(f, x, y, generator=seeded(6), paths=33, points=70)
    generator = seeded(6)
    pairs = metrics.sample_paths(x, y, generator=generator, paths=33)
    outputs = torch.randint(4, (33,), generator=generator)
    expected = []
    for (a, b), output in zip(pairs.tolist(), outputs.tolist(), strict=True):
        values = [f((1 - i / 69) * x[a] + i / 69 * x[b])[output].item() for i in range(70)]
        values = [v - (1 - i / 69) * values[0] - i / 69 * values[-1] for i, v in enumerate(values)]
        expected.append(sum(abs(q - p) for p, q in zip(values, values[1:], strict=False)))
    np.testing.assert_allclose(found.per_path.numpy(), expected, rtol=1e-10)
    assert found.mean == pytest.approx(np.mean(expected))
    assert found.standard_error == pytest.approx(np.std(expected, ddof=1) / math.sqrt(33))


def test_each_path_looks_at_one_random_output():
    def f(x):
        return torch.cat([sine(1)(x), sine(2)(x), sine(3)(x)], dim=1)

    per_path = metrics.total_variation(f, *LINE, generator=seeded(), points=121).per_path
    values, counts = per_path.round(decimals=2).unique(return_counts=True)
    assert values.tolist() == [4, 8, 12]
    assert counts.min() > 40


def test_models_can_share_paths():
    x, y = blobs()
    pairs = metrics.sample_paths(x, y, generator=seeded(7), paths=50)

    def f(x):
        return x.square().sum(dim=1, keepdim=True)

    given = metrics.total_variation(f, x, None, generator=seeded(8), paths=pairs)
    drawn = metrics.total_variation(f, x, y, generator=seeded(7), paths=50)
    assert torch.equal(given.per_path, drawn.per_path)


def test_variation_does_not_disturb_autograd():
    x, y = blobs()
    w = torch.randn(5, 1, generator=seeded(), requires_grad=True)
    found = metrics.total_variation(lambda x: torch.tanh(x @ w), x, y, generator=seeded())
    assert not found.per_path.requires_grad and w.grad is None


def test_outputs_that_are_not_finite_show():
    assert math.isnan(metrics.total_variation(lambda x: x / 0, *LINE, generator=seeded()).mean)


@pytest.mark.parametrize("measure", [metrics.total_variation, metrics.fourier_complexity])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": 2}, "points must be at least 3, got 2"),
        ({"paths": torch.zeros(5, 3, dtype=torch.long)}, r"end points \(paths, 2\), got shape \(5, 3\)"),
        ({"paths": torch.zeros(1, 2, dtype=torch.long)}, r"end points \(paths, 2\), got shape \(1, 2\)"),
        ({"f": lambda x: x[:, 0]}, r"f must return \(2000, outputs\).*got shape \(2000,\)"),
        ({"f": lambda x: x[:1]}, r"f must return \(2000, outputs\).*got shape \(1, 1\)"),
        ({"x": torch.tensor([[0], [1]])}, "floating-point coordinates.*got torch.int64"),
        ({"y": torch.tensor([1, 1])}, "at least 2 different labels, got only 1"),
    ],
)
def test_complexity_refuses(measure, change, message):
    arguments = {"f": sine(1), "x": LINE[0], "y": LINE[1]} | change
    with pytest.raises(ValueError, match=message):
        measure(**arguments, generator=seeded())


# --- total variation of a network ----------------------------------------------------------------------

BASE = Network(inputs=5, outputs=3, width=16)
SPLINE = Activation("spline", points=30)
NETWORKS = {
    "one hidden layer": BASE,
    "linear": replace(BASE, depth=0),
    "deep": replace(BASE, depth=3),
    "residual": replace(BASE, depth=3, residual=True),
    "residual from the input": replace(BASE, depth=2, width=5, residual=True),
    "spectral": replace(BASE, depth=2, spectral=True),
    "one output": replace(BASE, outputs=1, activation=Activation("sine", alpha=4.0)),
    "spline": replace(BASE, depth=2, activation=SPLINE),
    "spline per layer": replace(BASE, depth=2, activation=replace(SPLINE, layerwise=True)),
    "input splines": replace(BASE, activation=SPLINE, input_activation=SPLINE),
}


def random_network(network):
    generator = seeded(9)
    params = [3 * p for p in network.init(generator)]
    psi = {name: torch.randn(v.shape, generator=generator) for name, v in network.init_psi("zeros").items()}
    return params, psi


@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_s_short_cut_changes_nothing(name):
    network = NETWORKS[name]
    params, psi = random_network(network)
    x, y = blobs()
    plain = metrics.total_variation(lambda x: network.forward(params, psi, x), x, y, generator=seeded(10))
    fast = metrics.network_total_variation(network, params, psi, x, y, generator=seeded(10))
    if name == "linear":
        assert max(plain.mean, fast.mean) < 1e-3
    else:
        assert fast.mean == pytest.approx(plain.mean, rel=1e-5)
        torch.testing.assert_close(fast.per_path, plain.per_path, rtol=1e-4, atol=1e-4)


def test_the_network_s_first_layer_sees_only_the_ends(monkeypatch):
    x, y = blobs()
    params, psi = random_network(BASE)
    rows = []
    first = Network.first
    monkeypatch.setattr(Network, "first", lambda self, p, x: rows.append(len(x)) or first(self, p, x))
    metrics.network_total_variation(BASE, params, psi, x, y, generator=seeded())
    assert rows == [400]


def test_one_hot_pairs_have_the_variation_of_their_vectors():
    a, b = torch.cartesian_prod(torch.arange(5), torch.arange(5)).T
    pairs, y = torch.stack([a, 5 + b], dim=1), (a + b) % 5
    vectors = torch.zeros(25, 10).scatter(1, pairs, 1.0)
    network = Network(inputs=10, outputs=5, width=16, activation=Activation("sine", alpha=6.0))
    params, psi = random_network(network)
    found = metrics.network_total_variation(network, params, psi, pairs, y, generator=seeded())
    expected = metrics.total_variation(lambda x: network.forward(params, psi, x), vectors, y, generator=seeded())
    assert found.mean == pytest.approx(expected.mean, rel=1e-5)


# --- Fourier -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("points", [100, 101])
@pytest.mark.parametrize("periods", [0.5, 1, 4, 17.5])
def test_a_cosine_s_frequency(periods, points):
    for amplitude, offset in ((1.0, 0.0), (1000.0, 5.0)):
        f = cosine(periods, amplitude, offset)
        found = metrics.fourier_complexity(f, *LINE, generator=seeded(), points=points)
        assert found.mean == pytest.approx(periods, rel=1e-6)


def test_frequencies_are_averaged_by_magnitude():
    found = metrics.fourier_complexity(lambda x: cosine(2)(x) + 3 * cosine(10)(x), *LINE, generator=seeded())
    assert found.mean == pytest.approx((1 * 2 + 3 * 10) / 4, rel=1e-6)


def test_fourier_against_the_two_sided_transform():
    def f(x):
        return torch.sin(9 * x) + 0.2 * (x > 0.3) + 5 * x

    starts = metrics.sample_paths(*LINE, generator=seeded(), paths=4)[:, 0].tolist()
    for points in (64, 65):
        found = metrics.fourier_complexity(f, *LINE, generator=seeded(), paths=4, points=points)
        t = torch.linspace(0, 1, points, dtype=torch.float64)
        for start, value in zip(starts, found.per_path.tolist(), strict=True):
            values = f(t if start == 0 else 1 - t).numpy()
            values = np.concatenate([values, values[-2:0:-1]])
            magnitude = np.abs(np.fft.fft(values - values.mean()))
            frequencies = np.abs(np.fft.fftfreq(len(values), 1 / (points - 1)))
            assert value == pytest.approx((magnitude * frequencies).sum() / magnitude.sum(), rel=1e-9)


def test_both_complexities_grow_with_the_slope_of_tanh():
    x, y = blobs()
    w, b = torch.randn(5, 40, generator=seeded(11)), torch.randn(40, generator=seeded(12))

    def complexity(alpha, measure):
        def f(x):
            return torch.tanh(alpha * (x @ w + b)).mean(dim=1, keepdim=True)

        return measure(f, x, y, generator=seeded()).mean

    for measure in (metrics.fourier_complexity, metrics.total_variation):
        values = [complexity(alpha, measure) for alpha in (0.1, 0.5, 2.0, 8.0)]
        assert values == sorted(values) and values[-1] > 1.2 * values[0]


def test_a_constant_has_frequency_0():
    x, y = blobs()
    w = torch.randn(5, 200, generator=seeded())

    def rounded(x):  # constant but for rounding
        return (x @ w + 3 - x @ w.flip(1).flip(1)).mean(dim=1, keepdim=True)

    for f in (lambda x: torch.full_like(x, 3.0), rounded, lambda x: 0 * x):
        assert metrics.fourier_complexity(f, x, y, generator=seeded()).mean == 0


# --- accuracy ------------------------------------------------------------------------------------------


def test_accuracy_is_scikit_learn_s():
    outputs, y = torch.randn(200, 4, generator=seeded()), torch.randint(4, (200,), generator=seeded(1))
    assert metrics.accuracy(outputs, y) == pytest.approx(accuracy_score(y, outputs.argmax(dim=1)))
    one, binary = outputs[:, :1], y % 2
    assert metrics.accuracy(one, binary) == pytest.approx(accuracy_score(binary, (one > 0).long()))


def test_nearest_class_accuracy_is_the_nearest_id():
    outputs = 3 * torch.randn(500, 1, generator=seeded())
    y = torch.randint(7, (500,), generator=seeded(1))
    ids = torch.linspace(-1, 1, 7)
    nearest = (outputs - ids[None, :]).abs().argmin(dim=1)
    assert scores.nearest_class_accuracy(outputs, 7, y) == pytest.approx(accuracy_score(y, nearest))
    assert scores.nearest_class_accuracy(ids[:, None], 7, torch.arange(7)) == 1.0


def test_infinite_and_undefined_outputs():
    nan, inf = math.nan, math.inf
    assert metrics.accuracy(torch.tensor([[nan, 1.0], [0.0, inf]]), torch.tensor([0, 1])) == 0.5
    assert metrics.accuracy(torch.tensor([[nan]]), torch.tensor([0])) == 0.0
    outputs = torch.tensor([[nan], [inf], [-inf]])
    assert scores.nearest_class_accuracy(outputs, 3, torch.tensor([1, 2, 0])) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("outputs", "y", "message"),
    [
        (torch.zeros(3), torch.tensor([0, 1, 0]), r"\(n, outputs\) and \(n,\).*got \(3,\) and \(3,\)"),
        (torch.zeros(3, 2), torch.tensor([[0], [1], [0]]), r"got \(3, 2\) and \(3, 1\)"),
        (torch.zeros(0, 2), torch.zeros(0, dtype=torch.long), "n at least 1"),
        (torch.zeros(2, 3), torch.tensor([0, 3]), "from 0 to 2, got torch.int64 from 0 to 3"),
        (torch.zeros(2, 3), torch.tensor([-1, 2]), "from 0 to 2, got torch.int64 from -1 to 2"),
        (torch.zeros(2, 1), torch.tensor([0, 2]), "from 0 to 1, got torch.int64 from 0 to 2"),
        (torch.zeros(2, 3), torch.tensor([0.0, 1.0]), "from 0 to 2, got torch.float32"),
    ],
)
def test_accuracy_refuses(outputs, y, message):
    with pytest.raises(ValueError, match=message):
        metrics.accuracy(outputs, y)


@pytest.mark.parametrize(
    ("outputs", "classes", "y", "message"),
    [
        (torch.zeros(2, 1), 1, torch.tensor([0, 0]), "classes must be at least 2, got 1"),
        (torch.zeros(2, 2), 3, torch.tensor([0, 0]), r"shape \(n, 1\), got \(2, 2\)"),
        (torch.zeros(2), 3, torch.tensor([0, 0]), r"shape \(n, 1\), got \(2,\)"),
        (torch.zeros(2, 1), 3, torch.tensor([0, 3]), "from 0 to 2, got torch.int64 from 0 to 3"),
        (torch.zeros(2, 1), 3, torch.tensor([-1.0, 1.0]), "from 0 to 2, got torch.float32"),
    ],
)
def test_nearest_class_accuracy_refuses(outputs, classes, y, message):
    with pytest.raises(ValueError, match=message):
        scores.nearest_class_accuracy(outputs, classes, y)


def test_steps_to():
    assert scores.steps_to([0, 10, 20, 30], [0.1, 0.95, 0.9, 1.0]) == 10
    assert scores.steps_to([0, 10], [0.1, 0.9499]) is None
    assert scores.steps_to(np.array([5, 6]), torch.tensor([math.nan, 0.5]), level=0.5) == 6
    assert scores.steps_to([], []) is None
    assert type(scores.steps_to(np.array([5, 6]), [1.0, 1.0])) is int


@pytest.mark.parametrize(
    ("steps", "accuracies", "level", "message"),
    [
        ([0, 1], [0.1], 0.95, r"one shape \(k,\), got \(2,\) and \(1,\)"),
        ([0, 0], [0.1, 0.2], 0.95, r"steps must increase, got \[0, 0\]"),
        ([0, 1], [10.0, 96.0], 0.95, "must be fractions, got 0.95 and up to 96.0"),
        ([0, 1], [0.1, 0.2], 95, "must be fractions, got 95"),
        ([0, 1], [0.1, 0.2], 0.0, "must be fractions, got 0.0"),
    ],
)
def test_steps_to_refuses(steps, accuracies, level, message):
    with pytest.raises(ValueError, match=message):
        scores.steps_to(steps, accuracies, level)
