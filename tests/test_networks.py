"""Networks: shapes, the hand-written gradient against autograd, spectral normalisation against the SVD."""

import math
from dataclasses import replace

import pytest
import torch
from covering import covering
from torch import nn

from lib.networks import ACTIVATIONS, LOSSES, Activation, Network, loss_and_delta


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def problem(network, loss, seed=0):
    """Float64 weights, psi, inputs and targets for a network."""
    g = generator(seed)
    params = network.init(g, torch.float64)
    psi = {
        k: v.double() + 0.3 * torch.randn(v.shape, generator=g, dtype=torch.float64)
        for k, v in network.init_psi().items()
    }
    x = 2 * torch.rand(17, network.inputs, generator=g, dtype=torch.float64) - 1
    if loss == "cross_entropy":
        y = torch.randint(network.outputs, (17,), generator=g)
    else:
        y = torch.rand(17, network.outputs, generator=g, dtype=torch.float64)
    return params, psi, x, y


VARIANTS = {
    **{name: Activation(name, alpha=1.5, amplitude=0.7, points=11, low=-2, high=2) for name in ACTIVATIONS},
    "many points": Activation("spline", points=150, low=-2, high=2),
    "cubic": Activation("spline", points=9, low=-2, high=2, method="cubic"),
    "nearest": Activation("spline", points=9, low=-2, high=2, method="nearest"),
    "layerwise": Activation("spline", points=9, low=-2, high=2, layerwise=True),
}


@pytest.mark.parametrize(
    "name, depth, layers, loss", covering(VARIANTS, [0, 1, 3], ["plain", "residual", "spectral"], LOSSES)
)
def test_gradient_equals_autograd(name, depth, layers, loss):
    residual, spectral = layers != "plain", layers == "spectral"
    outputs = 1 if loss == "logistic" else 4
    network = Network(
        6,
        outputs,
        width=6 if depth == 3 else 5,
        depth=depth,
        activation=VARIANTS[name],
        residual=residual,
        spectral=spectral,
    )
    params, psi, x, y = problem(network, loss)
    value, grads = network.loss_and_gradients(params, psi, x, y, loss)
    leaves = [p.requires_grad_() for p in params]
    expected, _ = loss_and_delta(network.forward(leaves, psi, x), y, loss)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(grads, list(torch.autograd.grad(expected, leaves)))
    with torch.no_grad():  # as in a training step, which may take short cuts
        torch.testing.assert_close(network.loss_and_gradients(params, psi, x, y, loss), (value, grads))


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("shared", [False, True])
def test_replicas_in_one_batch_equal_single_networks(name, shared):
    """Restarts, seeds and arms of one shape as one batch: torch.func.vmap over weights, and over psi unless shared."""
    network = Network(6, 4, width=5, depth=2, activation=VARIANTS[name], residual=True)
    singles = [problem(network, "mse", seed) for seed in range(3)]
    x, y = singles[0][2:]
    if shared:
        singles = [(params, singles[0][1], x, y) for params, *_ in singles]
    params = [torch.stack(parts) for parts in zip(*(single[0] for single in singles), strict=True)]
    psi = singles[0][1] if shared else {k: torch.stack([single[1][k] for single in singles]) for k in singles[0][1]}
    step = torch.func.vmap(
        lambda params, psi: network.loss_and_gradients(params, psi, x, y, "mse"), in_dims=(0, None if shared else 0)
    )
    with torch.no_grad():
        values, grads = step(params, psi)
        for i, (own, own_psi, *_) in enumerate(singles):
            value, expected = network.loss_and_gradients(own, own_psi, x, y, "mse")
            torch.testing.assert_close(values[i], value)
            torch.testing.assert_close([g[i] for g in grads], expected)


@pytest.mark.parametrize(
    "loss, module",
    [
        ("mse", nn.MSELoss()),
        ("sse", lambda outputs, y: nn.MSELoss(reduction="sum")(outputs, y) / len(y)),
        ("cross_entropy", nn.CrossEntropyLoss()),
        ("logistic", nn.BCEWithLogitsLoss()),
    ],
)
def test_losses_equal_torch(loss, module):
    network = Network(3, 1 if loss == "logistic" else 4, width=5)
    params, psi, x, y = problem(network, loss)
    outputs = network.forward(params, psi, x).requires_grad_()
    value, delta = loss_and_delta(outputs, y, loss)
    expected = module(outputs, y)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(delta, torch.autograd.grad(expected, outputs)[0])


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "spline"])
def test_slopes_have_derivatives(name):
    g = Activation(name, alpha=1.5, amplitude=0.7)
    z, above = torch.randn(2, 3, 20, dtype=torch.float64, generator=generator()).requires_grad_()
    assert torch.autograd.gradcheck(lambda z, above: g.slope_product(z, None, above), (z, above))
    with torch.no_grad():
        slopes = g.slope_product(z, None, above)
    torch.testing.assert_close(slopes, torch.autograd.grad(g.value(z, None), z, above)[0])


@pytest.mark.parametrize("rows", [1, 2048, 2049, 5000])
@pytest.mark.parametrize("pairs", [False, True])
def test_predictions_in_parts_are_those_of_all_rows(rows, pairs):
    network = Network(6, 3, width=8, depth=2, activation=VARIANTS["spline"])
    psi = {"hidden": torch.randn(11, generator=generator(), requires_grad=True)}
    x = torch.randint(6, (rows, 2), generator=generator()) if pairs else torch.randn(rows, 6, generator=generator())
    params = network.init(generator())
    outputs = network.predict(params, psi, x)
    torch.testing.assert_close(outputs, network.forward(params, psi, x).detach())
    assert outputs.shape == (rows, 3) and not outputs.requires_grad


def test_forward_equals_torch_modules():
    network = Network(6, 3, width=8, depth=2, activation=Activation("gelu"))
    params, psi, x, _ = problem(network, "mse")
    layers = [nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 3)]
    model = nn.Sequential(*layers).double()
    for p, value in zip(model.parameters(), params, strict=True):
        p.data = value
    torch.testing.assert_close(network.forward(params, psi, x), model(x))


def test_residual_adds_the_layers_input_only_where_shapes_allow():
    base = Network(4, 2, width=6, depth=2, activation=Activation("tanh"))
    params, psi, x, _ = problem(base, "mse")
    w0, b0, w1, b1, w2, b2 = params
    h = torch.tanh(x @ w0.T + b0)  # 4 -> 6: no residual
    h = torch.tanh(h @ w1.T + b1) + h
    torch.testing.assert_close(replace(base, residual=True).forward(params, psi, x), h @ w2.T + b2)


def test_spectral_weights_have_norm_one():
    network = Network(7, 3, width=5, depth=1, spectral=True)
    params = network.init(generator())
    for layer in range(2):
        weight = network._weight(params, layer)
        torch.testing.assert_close(torch.linalg.matrix_norm(weight, 2), torch.tensor(1.0))


def test_one_hot_pairs_equal_dense_one_hot():
    network = Network(10, 5, width=8, depth=1, activation=Activation("spline", points=21, low=-1, high=1))
    params, psi, _, _ = problem(network, "mse")
    pairs = torch.randint(5, (30, 2), generator=generator(1)) + torch.tensor([0, 5])
    dense = torch.zeros(30, 10, dtype=torch.float64).scatter_(1, pairs, 1.0)
    y = torch.rand(30, 5, generator=generator(2), dtype=torch.float64)
    torch.testing.assert_close(network.forward(params, psi, pairs), network.forward(params, psi, dense))
    torch.testing.assert_close(
        network.loss_and_gradients(params, psi, pairs, y, "mse"),
        network.loss_and_gradients(params, psi, dense, y, "mse"),
    )


def test_input_activations_start_as_the_identity():
    plain = Network(4, 2, width=6)
    network = replace(plain, input_activation=Activation("spline", points=9, low=-1, high=1))
    psi = network.init_psi()
    params, _, x, _ = problem(plain, "mse")
    psi = {k: v.double() for k, v in psi.items()}
    torch.testing.assert_close(network.forward(params, psi, x), plain.forward(params, {}, x))


def test_init_is_that_of_nn_linear_in_distribution_and_reproducible():
    network = Network(100, 10, width=400)
    params = network.init(generator(3))
    assert all(torch.equal(a, b) for a, b in zip(params, network.init(generator(3)), strict=True))
    assert params[0].abs().max() <= 0.1 and params[0].std() == pytest.approx(0.1 / 3**0.5, rel=0.02)
    assert params[3].abs().max() <= 0.05


@pytest.mark.parametrize("name, scheme", [("glorot", nn.init.xavier_uniform_), ("he", nn.init.kaiming_uniform_)])
def test_other_initialisations_are_those_of_torch_in_distribution_with_zero_biases(name, scheme):
    network = Network(300, 40, width=200, depth=2, initialisation=name)
    params = network.init(generator())
    for weight, bias in zip(params[::2], params[1::2], strict=True):
        arguments = {"generator": generator(1)} | ({"nonlinearity": "relu"} if name == "he" else {})
        ours, theirs = (w.flatten().sort().values for w in (weight, scheme(torch.empty_like(weight), **arguments)))
        assert (ours - theirs).abs().max() < 0.05 * theirs.abs().max()  # quantile by quantile
        assert ours.abs().max() <= math.sqrt(6 / (weight.shape[1] + (weight.shape[0] if name == "glorot" else 0)))
        assert not bias.any()


def test_psi_shapes():
    g = Activation("spline", points=9, layerwise=True)
    network = Network(
        4, 2, width=6, depth=3, activation=g, input_activation=Activation("spline", points=5, low=-1, high=1)
    )
    assert {k: tuple(v.shape) for k, v in network.init_psi("relu").items()} == {"hidden": (3, 9), "input": (4, 5)}
    assert Network(4, 2).init_psi() == {}


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Activation("swishy"), "activation must be one of .* got 'swishy'"),
        (lambda: Activation("spline", method="quintic"), "method must be one of .* got 'quintic'"),
        (lambda: Activation("spline", points=1), "points must be at least 2, got 1"),
        (lambda: Activation("spline", low=5, high=-5), r"finite with low < high, got \[5, -5\]"),
        (lambda: Activation("spline", low=-math.inf), r"finite with low < high, got \[-inf, 5.0\]"),
        (lambda: Network(2, 1, initialisation="xavier"), "initialisation must be one of .* got 'xavier'"),
        (lambda: Network(0, 1), "sizes must be at least 1, got 0"),
        (lambda: Network(3, 1, depth=5), "depth must be 0 to 4 hidden layers, got 5"),
        (lambda: loss_and_delta(torch.ones(1, 1), torch.ones(1, 1), "hinge"), "loss must be one of .* got 'hinge'"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()
