"""Forward-mode derivatives of splines: jvp, jacfwd, hessian, forward_ad duals, in z and psi, on every backend."""

import pytest
import torch
from torch.autograd import forward_ad, functional, gradcheck, gradgradcheck
from torch.func import hessian, jacfwd, jacrev, jvp

from lib.networks import Activation, Network
from lib.splines import METHODS, Spline, interpolate
from tests.test_kernels import HIGH, LOW, backend, inputs  # noqa: F401 (backend is a fixture)

SHAPES = {"shared": False, "columns": True}


@pytest.fixture(params=SHAPES.values(), ids=SHAPES)
def case(request):
    return inputs(5, 3, points=6, columns=request.param)


def spline(method):
    return lambda z, psi: interpolate(z, psi, LOW, HIGH, method)


@pytest.mark.parametrize("method", ["linear", "cubic"])
def test_duals_against_finite_differences(backend, case, method):  # noqa: F811
    z, psi, _ = (x.requires_grad_() for x in case)
    assert gradcheck(spline(method), (z, psi), check_forward_ad=True, check_batched_forward_grad=True)
    assert gradgradcheck(
        lambda z, psi: spline(method)(z, psi).square(), (z, psi), check_fwd_over_rev=True, check_rev_over_rev=True
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("argument", [0, 1], ids=["z", "psi"])
def test_jacobians_and_hessians_agree_with_the_backward_mode(backend, case, method, argument):  # noqa: F811
    z, psi, _ = case
    f = spline(method)

    def total(z, psi):
        return f(z, psi).sin().sum()

    torch.testing.assert_close(jacfwd(f, argument)(z, psi), jacrev(f, argument)(z, psi))
    second = jacrev(jacrev(total, argument), argument)(z, psi)
    assert second.abs().max() > 0.1
    for other in (hessian, lambda *a: jacfwd(jacfwd(*a), a[1]), lambda *a: jacrev(jacfwd(*a), a[1])):
        torch.testing.assert_close(other(total, argument)(z, psi), second)
    mixed = jacrev(jacrev(total, 0), 1)(z, psi)
    torch.testing.assert_close(jacfwd(jacrev(total, 0), 1)(z, psi), mixed)


@pytest.mark.parametrize("method", METHODS)
def test_legacy_vectorised_jacobian(backend, case, method):  # noqa: F811
    z, psi, _ = case
    found = functional.jacobian(spline(method), (z, psi), strategy="forward-mode", vectorize=True)
    for own, expected in zip(found, functional.jacobian(spline(method), (z, psi)), strict=True):
        torch.testing.assert_close(own, expected)


def test_tangents_of_gradients(backend, case):  # noqa: F811
    """Forward over backward, with and without a graph of the backward pass."""
    z, psi, direction = case
    expected = jvp(torch.func.grad(lambda z: spline("linear")(z, psi).square().sum()), (z,), (direction,))[1]
    leaf = z.clone().requires_grad_()
    for create_graph in (False, True):
        with forward_ad.dual_level():
            dual = forward_ad.make_dual(leaf, direction)
            (gradient,) = torch.autograd.grad(
                spline("linear")(dual, psi).square().sum(), leaf, create_graph=create_graph
            )
            torch.testing.assert_close(forward_ad.unpack_dual(gradient).tangent, expected)


def test_the_right_values_of_a_sine():
    g = Spline(torch.sin(torch.linspace(-5, 5, 50)))
    z = torch.tensor([-2, -0.3, 0.4, 7])
    expected = torch.tensor([-0.4521, 0.9775, 0.9163, 0])
    for strategy in ("forward-mode", "reverse-mode"):
        found = functional.jacobian(g, z, strategy=strategy, vectorize=True)
        torch.testing.assert_close(found, expected.diag(), atol=1e-4, rtol=0)
    torch.testing.assert_close(jvp(g, (z,), (torch.ones(4),))[1], expected, atol=1e-4, rtol=0)
    with forward_ad.dual_level(), torch.no_grad():
        tangent = forward_ad.unpack_dual(g(forward_ad.make_dual(z, torch.ones(4)))).tangent
    torch.testing.assert_close(tangent, expected, atol=1e-4, rtol=0)


def test_points_outside_and_at_the_ends():
    z, ones = torch.tensor([-9.0, 9.0, float("inf"), 1.0, 0.5]), torch.ones(5)
    _, tangent = jvp(lambda z: interpolate(z, torch.tensor([0.0, 1.0, 5.0]), -1, 1), (z,), (ones,))
    assert tangent.tolist() == [0, 0, 0, 4, 4]


@pytest.mark.parametrize("points", [9, 200])
def test_the_written_out_gradient_of_a_network(points):
    """Its fast paths under no_grad must not drop tangents either."""
    network = Network(3, 1, width=4, depth=2, activation=Activation("spline", points=points, low=-1, high=1))
    g = torch.Generator().manual_seed(0)
    params = network.init(g, torch.float64)
    psi = torch.randn(points, generator=g, dtype=torch.float64)
    x, y = torch.randn(8, 3, generator=g, dtype=torch.float64), torch.randn(8, 1, generator=g, dtype=torch.float64)

    def first(w):
        return network.loss_and_gradients([w, *params[1:]], {"hidden": psi}, x, y, "mse")[1][0]

    expected = jacrev(first)(params[0])
    torch.testing.assert_close(jacfwd(first)(params[0]), expected)
    direction = torch.randn(4, 3, generator=g, dtype=torch.float64)
    with forward_ad.dual_level(), torch.no_grad():
        tangent = forward_ad.unpack_dual(first(forward_ad.make_dual(params[0], direction))).tangent
    torch.testing.assert_close(tangent, (expected * direction).sum((-1, -2)))
