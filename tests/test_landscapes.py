"""Slices and landscapes against analytic functions, principal directions against scikit-learn."""

import math

import pytest
import torch
from sklearn.decomposition import PCA

from lib.networks import Network
from notebooks.paper.experiments import landscapes
from notebooks.paper.experiments.landscapes import Plane


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def polynomial(x):
    """Two outputs that know where they are evaluated."""
    return torch.stack([x[:, 0] + 10 * x[:, 1] ** 2, x[:, -1]], dim=1)


def trajectory(k=12, p=40, dtype=torch.float64):
    """A spiral in a random plane of R^p, with a little noise off the plane."""
    time = torch.linspace(0, 4, k, dtype=torch.float64)
    spiral = torch.stack([5 * time, 2 * torch.cos(2 * time)], dim=1)
    directions = torch.linalg.qr(torch.randn(p, 2, generator=seeded(1), dtype=torch.float64))[0]
    noise = 0.05 * torch.randn(k, p, generator=seeded(2), dtype=torch.float64)
    return (spiral @ directions.T + noise + 3).to(dtype)


# --- slices --------------------------------------------------------------------------------------------


def test_axis_slice():
    point = torch.tensor([0.3, 0.5, -0.2, 0.9])
    axis, values = landscapes.axis_slice(polynomial, point, (1, 3))
    assert values.shape == (200, 200, 2)
    assert (axis[0], axis[-1]) == (-1, 1)
    torch.testing.assert_close(values[:, :, 0], (0.3 + 10 * axis[None, :] ** 2).expand(200, 200))
    torch.testing.assert_close(values[:, :, 1], axis[:, None].expand(200, 200))
    assert point.tolist() == pytest.approx([0.3, 0.5, -0.2, 0.9])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: landscapes.axis_slice(polynomial, torch.zeros(1, 3), (0, 1)), "vectors of one length"),
        (lambda: landscapes.axis_slice(polynomial, torch.zeros(3), (0, 1), 1), "at least 2, got 1"),
        (
            lambda: landscapes.axis_slice(polynomial, torch.zeros(3), (1, 1)),
            "different columns of 3, got 1 and 1",
        ),
        (
            lambda: landscapes.axis_slice(polynomial, torch.zeros(3), (0, 3)),
            "different columns of 3, got 0 and 3",
        ),
        (
            lambda: landscapes.axis_slice(polynomial, torch.zeros(3), (-1, 1)),
            "different columns of 3, got -1 and 1",
        ),
        (lambda: landscapes.axis_slice(polynomial, torch.zeros(1, 3), (0, 1)), r"got shapes \[\(1, 3\)\]"),
    ],
)
def test_slices_refuse(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- planes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pca_plane_is_scikit_learn_s(dtype):
    snapshots = trajectory(dtype=dtype)
    plane = landscapes.pca_plane(snapshots)
    oracle = PCA(2).fit(snapshots.double().numpy())
    expected = torch.tensor(oracle.components_)
    for found, wanted in zip((plane.u, plane.v), expected, strict=True):
        assert found.dtype == dtype
        assert abs(found.double() @ wanted).item() == pytest.approx(1, abs=1e-5)
    assert plane.explained.tolist() == pytest.approx(oracle.explained_variance_ratio_.tolist(), rel=1e-4)
    assert abs(plane.u @ plane.v) < 1e-5
    projected = torch.tensor(oracle.transform(snapshots.double().numpy()))
    torch.testing.assert_close(
        (plane.coordinates - plane.coordinates[0]).abs(),
        (projected - projected[0]).abs(),
        rtol=1e-4,
        atol=1e-4,
    )


def test_pca_plane_passes_through_the_trained_model_and_runs_forwards():
    snapshots = trajectory()
    last, best = landscapes.pca_plane(snapshots), landscapes.pca_plane(snapshots, origin=snapshots[7])
    assert torch.equal(last.origin, snapshots[-1]) and torch.equal(best.origin, snapshots[7])
    torch.testing.assert_close(last.coordinates[-1], torch.zeros(2, dtype=torch.float64))
    torch.testing.assert_close(best.coordinates[7], torch.zeros(2, dtype=torch.float64))
    for plane in (last, best, landscapes.pca_plane(snapshots.flip(0))):
        assert (plane.coordinates[-1] >= plane.coordinates[0]).all()


def test_snapshots_on_a_plane_are_on_their_plane():
    basis = torch.randn(2, 30, generator=seeded(), dtype=torch.float64)
    snapshots = torch.randn(6, 2, generator=seeded(1), dtype=torch.float64) @ basis + 1
    plane = landscapes.pca_plane(snapshots)
    rebuilt = plane.origin + plane.coordinates @ torch.stack([plane.u, plane.v])
    torch.testing.assert_close(rebuilt, snapshots)
    assert plane.explained.sum().item() == pytest.approx(1)


def test_random_plane_is_orthogonal_and_as_long_as_the_solution():
    origin = 3 * torch.randn(500, generator=seeded())
    length = origin.norm().item()
    plane = landscapes.random_plane(origin, generator=seeded(1))
    for direction in (plane.u, plane.v):
        assert direction.norm().item() == pytest.approx(length, rel=1e-5)
        assert abs(direction @ origin) < 0.2 * length**2  # random: nearly orthogonal to the solution
    assert abs(plane.u @ plane.v) < 1e-4 * length**2
    assert torch.equal(plane.u, landscapes.random_plane(origin, generator=seeded(1)).u)
    assert not torch.equal(plane.u, landscapes.random_plane(origin, generator=seeded(2)).u)


def test_flatten_and_unflatten():
    params = Network(inputs=3, outputs=2, width=4).init(seeded())
    flat = landscapes.flatten(params)
    assert flat.shape == (26,)
    for back, p in zip(landscapes.unflatten(flat, params), params, strict=True):
        assert torch.equal(back, p)
    several = landscapes.unflatten(torch.stack([flat, 2 * flat]), params)
    assert torch.equal(several[2][1], 2 * params[2])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: landscapes.pca_plane(torch.zeros(2, 5)), r"at least 3, as \(k, p\), got shape \(2, 5\)"),
        (lambda: landscapes.pca_plane(torch.zeros(5)), r"got shape \(5,\)"),
        (lambda: landscapes.pca_plane(torch.full((3, 5), math.nan)), "must be finite"),
        (lambda: landscapes.pca_plane(torch.arange(12.0).reshape(4, 3)), "got snapshots on one line"),
        (lambda: landscapes.pca_plane(torch.ones(4, 3)), "got snapshots on one line"),
        (lambda: landscapes.pca_plane(trajectory(), torch.zeros(3)), r"shape \(40,\), got \(3,\)"),
        (lambda: landscapes.random_plane(torch.zeros(9), generator=seeded()), "not zero, got norm 0.0"),
        (lambda: landscapes.random_plane(torch.ones(1), generator=seeded()), r"shape \(1,\)"),
        (lambda: landscapes.random_plane(torch.ones(3, 3), generator=seeded()), r"shape \(3, 3\)"),
        (lambda: landscapes.unflatten(torch.zeros(5), [torch.zeros(2, 2)]), "must hold 4 weights, got 5"),
    ],
)
def test_planes_refuse(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# --- landscapes ----------------------------------------------------------------------------------------


def plane_of(p=6):
    u, v = torch.linalg.qr(torch.randn(p, 2, generator=seeded(3), dtype=torch.float64))[0].T
    return Plane(torch.randn(p, generator=seeded(4), dtype=torch.float64), u, v)


def test_a_bowl():
    plane = plane_of()
    found = landscapes.landscape(lambda w: (w - plane.origin).square().sum(), plane, (-1.0, 2.0, -3.0, 5.0))
    assert found.values.shape == (50, 50)
    assert (found.s[0], found.s[-1], found.t[0], found.t[-1]) == (-1, 2, -3, 5)
    torch.testing.assert_close(found.values, found.s[None, :] ** 2 + found.t[:, None] ** 2)


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_batches_and_several_measures_change_nothing(batch):
    plane = plane_of()

    def measures(w):
        return torch.stack([w.sum(), w.abs().max()])

    one = landscapes.landscape(measures, plane, 2.0, resolution=5)
    many = landscapes.landscape(torch.func.vmap(measures), plane, 2.0, resolution=5, batch=batch)
    assert one.values.shape == (5, 5, 2)
    torch.testing.assert_close(one.values, many.values)
    torch.testing.assert_close(one.values[2, 2], measures(plane.origin))


def test_a_network_s_loss():
    network = Network(inputs=3, outputs=1, width=4)
    params = network.init(seeded())
    x = torch.randn(20, 3, generator=seeded(1))
    y = network.forward(params, {}, x)

    def loss(flat):
        return (network.forward(landscapes.unflatten(flat, params), {}, x) - y).square().mean()

    plane = landscapes.random_plane(landscapes.flatten(params), generator=seeded(2))
    found = landscapes.landscape(loss, plane, 0.5, resolution=11)
    assert found.values.argmin() == 60 and found.values[5, 5] < 1e-10 and found.values[0, 0] > 1e-3
    batched = landscapes.landscape(torch.func.vmap(loss), plane, 0.5, resolution=11, batch=50)
    torch.testing.assert_close(found.values, batched.values, rtol=1e-4, atol=1e-6)


def test_evaluate_may_return_a_number():
    found = landscapes.landscape(lambda w: 4.5, plane_of(), 1.0, resolution=3)
    assert found.values.unique().tolist() == [4.5]


def test_the_extent_holds_the_trajectory():
    snapshots = trajectory()
    plane = landscapes.pca_plane(snapshots, origin=snapshots[3])
    s_low, s_high, t_low, t_high = landscapes.trajectory_extent(plane, margin=0.5)
    low, high = plane.coordinates.amin(0), plane.coordinates.amax(0)
    assert (s_low, t_low) == pytest.approx((low - 0.5 * (high - low)).tolist())
    assert (s_high, t_high) == pytest.approx((high + 0.5 * (high - low)).tolist())
    away = landscapes.pca_plane(snapshots, origin=snapshots[-1] + 100 * plane.u)  # not on the trajectory
    assert away.coordinates[:, 0].max() < 0 < landscapes.trajectory_extent(away)[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extent": -1.0}, "extent must be positive.*got -1.0"),
        ({"extent": 0.0}, "extent must be positive"),
        ({"extent": (0.0, 1.0, 2.0, 2.0)}, r"got \(0.0, 1.0, 2.0, 2.0\)"),
        ({"extent": (0.0, 1.0)}, r"got \(0.0, 1.0\)"),
        ({"resolution": 1}, "resolution must be at least 2, got 1"),
        ({"batch": 0}, "batch must be at least 1, got 0"),
        ({"batch": 2}, r"one row per model, 2 here, got shape \(\)"),
        ({"batch": 2, "evaluate": lambda w: torch.zeros(3)}, r"one row per model, 2 here, got shape \(3,\)"),
    ],
)
def test_landscape_refuses(change, message):
    arguments = {"evaluate": lambda w: 0.0, "plane": plane_of(), "extent": 1.0} | change
    with pytest.raises(ValueError, match=message):
        landscapes.landscape(**arguments)


def test_a_random_plane_has_no_extent():
    with pytest.raises(ValueError, match="must come from pca_plane"):
        landscapes.trajectory_extent(plane_of())
