"""Functions that are trained with the weights: against numpy and scipy, and what a run of them records."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.stats import norm
from torch.nn import functional as F

from lib.networks import Network
from lib.training import Optimiser
from notebooks.paper.experiments.together import BOTTOM, TOP, Together, leaky_relu, rational, warped

CONTEXT = SimpleNamespace(data_dir=None, store=None)
RUN = Together(
    section="t", role="final", arm="a", data="digits", task="classification", network=Network(width=16, depth=2),
    optimiser=Optimiser("adam", 0.003), steps=150, seed=1, split=0, batch=128, evaluations=5, complexity=False, share=1.0,
)  # fmt: skip


def test_rational_functions_are_quotients_of_polynomials():
    rng = np.random.default_rng(0)
    z, p, q = rng.normal(size=40), rng.normal(size=TOP + 1), rng.normal(size=BOTTOM)
    expected = np.polyval(p[::-1], z) / (1 + np.abs(np.polyval(np.r_[q[::-1], 0], z)))
    found = rational(torch.from_numpy(z), torch.from_numpy(np.r_[p, q]))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_they_start_near_a_leaky_relu():
    z = torch.linspace(-3, 3, 1000)
    assert (rational(z, leaky_relu()) - F.leaky_relu(z, 0.01)).abs().max() < 0.06


def test_ditac_moves_points_along_its_field():
    velocities = np.random.default_rng(0).normal(size=9) / 2
    z = np.linspace(-4, 4, 81)
    inside, knots, field = z[abs(z) < 3], np.linspace(-3, 3, 11), np.r_[0, velocities, 0]
    flow = solve_ivp(lambda t, x: np.interp(x, knots, field), (0, 1), inside, rtol=1e-8, atol=1e-8).y[:, -1]
    expected = z.copy()
    expected[abs(z) < 3] = flow
    found = warped(torch.from_numpy(z), torch.from_numpy(velocities)).numpy() / norm.cdf(z)
    np.testing.assert_allclose(found, expected, atol=0.02)
    assert abs(flow - inside).max() > 0.3 and (np.diff(found) > 0).all()  # it moves them, and keeps their order
    still = warped(torch.from_numpy(z), torch.zeros(9, dtype=torch.float64))
    np.testing.assert_allclose(still, F.gelu(torch.from_numpy(z)), atol=1e-12)
    leaves = torch.linspace(-2.1, 1.9, 7, dtype=torch.float64), torch.from_numpy(velocities)
    assert torch.autograd.gradcheck(warped, [leaf.requires_grad_() for leaf in leaves])


@pytest.mark.parametrize("data", ["digits", "a+b mod 7"])
def test_a_run_trains_both_and_can_be_repeated(data):
    run = RUN if data == "digits" else replace(RUN, data=data, task="one-hot", validation=0.0)
    _, _, _, done = run.trained(CONTEXT)
    assert not torch.allclose(done.params[-1], leaky_relu().repeat(2, 1), atol=1e-3)  # the functions have moved
    outcome, again = run.run(CONTEXT), run.run(CONTEXT)
    np.testing.assert_array_equal(outcome.arrays["train_loss"], again.arrays["train_loss"])
    assert outcome.arrays["train_loss"][-1] < 0.5 * outcome.arrays["train_loss"][0]
    assert outcome.numbers["best_step"] == 150 if data != "digits" else outcome.numbers["test_accuracy"] > 0.7


def test_a_run_with_ditac_trains_it():
    run = replace(RUN, family="DiTAC")
    _, _, _, done = run.trained(CONTEXT)
    assert done.params[-1].shape == (2, 9) and done.params[-1].abs().max() > 0.01
    assert run.run(CONTEXT).numbers["test_accuracy"] > 0.7
    with pytest.raises(ValueError, match="family must be one of .*, got 'spline'"):
        replace(RUN, family="spline")


def test_a_slower_function_moves_less():
    moved = [
        float((replace(RUN, share=share).trained(CONTEXT)[3].params[-1] - leaky_relu()).abs().max())
        for share in (1.0, 0.01)
    ]
    assert 0 < moved[1] < 0.1 * moved[0]


def test_divergence_and_patience_are_recorded():
    numbers = replace(RUN, optimiser=Optimiser("sgd", 1e6)).run(CONTEXT).numbers
    assert numbers["diverged"] and numbers["test_accuracy"] < 0.5
    run = replace(RUN, optimiser=Optimiser("sgd", 1e-9), patience=2, evaluations=10)
    outcome = run.run(CONTEXT)
    assert outcome.numbers["stopped"] == "patience" and len(outcome.arrays["step"]) < 11
    with pytest.raises(ValueError, match="not learned before"):
        replace(RUN, learned="learn-0123456789ab")
