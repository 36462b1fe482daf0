"""Bayesian search over functions made by hand: the functions, where it looks next, and its record."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lib.learner import family
from lib.networks import Activation, Network
from lib.training import Optimiser
from notebooks.paper.experiments import search
from notebooks.paper.experiments.race import Race
from notebooks.paper.experiments.search import Search
from notebooks.paper.records.store import Store


def test_the_functions_are_those_of_the_races():
    z, raced = torch.linspace(-2, 2, 50), family(0.4)
    for place, name in enumerate(search.SHAPES):
        own = "sine, A = 1 s, k = 4 / s" if name == "sine" else f"{name}, k = 4 / s"
        torch.testing.assert_close(search.function(np.array([place, 2.0, 0.0]), 0.4)(z), raced[own](z))


def test_it_looks_where_the_losses_are_low():
    rng = np.random.default_rng(0)
    points = search.sample(40, rng)
    losses = np.where(points[:, 0] == 2, 0.1 + (points[:, 1] - 1) ** 2, 5.0)  # GELU with a slope of 2
    losses[0] = np.inf
    found = search.promising(points, losses, rng)
    assert found[0] == 2 and abs(found[1] - 1) < 0.7
    assert search.promising(points, np.full(40, np.inf), rng).shape == (3,)


def test_a_search_keeps_the_best_of_what_it_tried(tmp_path):
    store = Store(tmp_path, fingerprints=lambda name: f"sha256 of {name}")
    context = SimpleNamespace(store=store, data_dir=None, report=lambda message: None)
    about = {"section": "t", "arm": "a", "data": "digits", "task": "classification", "seed": 1}
    network = Network(width=8, activation=Activation("spline", points=30))
    about |= {"network": network, "optimiser": Optimiser("adam", 0.01), "batch": 64, "steps": 8}
    race = Race(**about)
    key = store.put(race, race.run(context), datetime.now(UTC), 1.0).key
    run = Search(**about, race=key, trainings=13)
    outcome, again = run.run(context), run.run(context)
    assert run.reads == (key,) and outcome.numbers["inner_steps"] == 13 * 8 == run.cost
    losses, points = outcome.arrays["losses"], outcome.arrays["points"]
    assert losses.shape == (13,) and points.shape == (13, 3)
    np.testing.assert_array_equal(losses, again.arrays["losses"])
    numbers = store.read(key).numbers
    z = torch.linspace(numbers["low"], numbers["high"], 30)
    best = search.function(points[losses.argmin()], numbers["scale"])(z)
    np.testing.assert_allclose(outcome.arrays["psi_hidden"], best, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="the store has no record"):
        replace(run, race="race-0123456789ab").run(context)
