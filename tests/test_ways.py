"""Other ways to the outer gradient against Algorithm 1's, and the plan that compares them."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from given import Given

from lib.episodes import inner_loop, outer_loss, unrolled
from lib.metalearning import Settings, Task, learn
from lib.networks import Activation, Network
from lib.training import Optimiser
from notebooks.paper import sections
from notebooks.paper.ablations import learner_tables, variants
from notebooks.paper.experiments import ways
from notebooks.paper.experiments.learn import Learn
from notebooks.paper.records.store import Outcome, Store

SETTINGS = Settings(inner=Optimiser("sgd", 0.2), unroll=4)
ROWS = torch.arange(40)


def task():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(60, 3, generator=generator)
    network = Network(3, 2, width=8, activation=Activation("spline", points=21, low=-2, high=2))
    return Task(network, x, torch.sin(2 * x[:, :2]), "mse")


def estimate(way, settings=SETTINGS, n_tr=12):
    one = task()
    psi, held = one.network.init_psi(torch.tanh), (one.x[40:], one.y[40:])
    return way(one, psi, ROWS, held, n_tr, settings, torch.Generator().manual_seed(5))


@pytest.mark.parametrize("way", ways.WAYS.values())
def test_each_way_learns_and_can_be_repeated(way):
    one, settings = task(), replace(SETTINGS, episodes=20, n_tr_start=30, n_tr_step=0, batch=20, watch=0.0)
    first, again = (learn([one], settings, seed=2, gradient=way) for _ in range(2))
    assert torch.equal(first.psi["hidden"], again.psi["hidden"]) and first.changed
    assert min(first.history["outer"][-3:]) < first.history["outer"][0]


@pytest.mark.parametrize(("name", "way"), [("PARTS", ways.along), ("RUNS", ways.averaged)])
def test_with_one_part_or_run_it_is_algorithm_1(monkeypatch, name, way):
    monkeypatch.setattr(ways, name, 1)
    (loss, slopes, theta), (expected, of, weights) = estimate(way), estimate(unrolled)
    assert loss == pytest.approx(expected) and torch.allclose(slopes["hidden"], of["hidden"])
    assert all(torch.equal(a, b) for a, b in zip(theta, weights, strict=True))


def test_the_losses_along_the_training_are_those_at_the_ends_of_its_parts():
    one, generator = task(), torch.Generator().manual_seed(5)
    psi, theta, losses = one.network.init_psi(torch.tanh), one.network.init(generator), []
    for _ in range(4):  # full batches without momentum: parts make up one training
        theta = inner_loop(one, psi, theta, ROWS, 3, replace(SETTINGS, unroll=0), generator)
        losses.append(outer_loss(one, psi, theta, (one.x[40:], one.y[40:])).item())
    assert estimate(ways.along)[0] == pytest.approx(np.mean(losses), rel=1e-5)


def test_a_smoothed_gradient_has_the_same_sum_and_reaches_neighbours(monkeypatch):
    sharp = torch.zeros(2, 40)
    sharp[0, 20], sharp[1, 5] = 1.0, -2.0
    monkeypatch.setattr(ways, "unrolled", lambda *arguments: (0.0, {"hidden": sharp}, []))
    smooth = estimate(ways.smoothed)[1]["hidden"]
    assert smooth.sum(1).tolist() == pytest.approx([1.0, -2.0], rel=1e-5)
    ratio = smooth[0, 26] / smooth[0, 25]  # beyond it falls like exp(-distance / reach), reach = 0.025 * 40 = 1
    assert float(ratio) == pytest.approx((3 - 5**0.5) / 2, rel=1e-3)  # the root of 1 - 3 q + q^2 for the reach 1


def test_evolution_strategies_measure_the_slope_along_their_changes(monkeypatch):
    monkeypatch.setattr(ways, "PAIRS", 1)
    monkeypatch.setattr(ways, "SIZE", 0.02)
    one, generator = task(), torch.Generator().manual_seed(5)
    psi = one.network.init_psi(torch.tanh)
    change = ways._smooth_like(psi["hidden"], generator)
    seed = int(torch.randint(2**31, (), generator=generator))
    whole, held = replace(SETTINGS, unroll=12), (one.x[40:], one.y[40:])
    exact = unrolled(one, psi, ROWS, held, 12, whole, torch.Generator().manual_seed(seed))[1]["hidden"]
    found = estimate(ways.evolved)[1]["hidden"]
    along = float((found * change).sum()) / len(change)  # the estimate is a multiple of the change
    assert along == pytest.approx(float((exact * change).sum()), rel=0.05)
    assert torch.allclose(
        found / found.abs().max(), change / change.abs().max() * torch.sign(found @ change), atol=1e-4
    )


def test_persistent_evolution_strategies_in_one_part_are_evolution_strategies(monkeypatch):
    monkeypatch.setattr(ways, "PARTS", 1)
    (loss, slopes, _), (expected, of, _) = estimate(ways.persistent), estimate(ways.evolved)
    assert loss == pytest.approx(expected) and torch.allclose(slopes["hidden"], of["hidden"])


def test_a_loss_counts_for_all_changes_until_then(monkeypatch):
    """Weights that add up psi, and a linear loss: the difference of a pair is the slope along the sum of the changes."""
    w, psi = torch.linspace(-1, 2, 21), {"hidden": torch.linspace(0, 1, 21)}
    monkeypatch.setattr(ways, "PAIRS", 1)
    monkeypatch.setattr(ways, "inner_loop", lambda task, psi, theta, *more: [theta[0] + psi["hidden"]])
    monkeypatch.setattr(ways, "outer_loss", lambda task, psi, theta, held: theta[0] @ w)
    network = SimpleNamespace(init=lambda generator: [torch.zeros(21)])
    one, generator = SimpleNamespace(network=network, x=w), torch.Generator().manual_seed(5)
    found = ways.persistent(one, psi, ROWS, None, 8, SETTINGS, torch.Generator().manual_seed(5))[1]["hidden"]
    total, expected = torch.zeros(21), torch.zeros(21)
    for part in range(ways.PARTS):
        change = ways._smooth_like(psi["hidden"], generator)
        if part == 0:
            torch.randint(2**31, (), generator=generator)
        total = total + change
        expected += (w @ total) * total / change.square().mean() / ways.PARTS
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path, fingerprints=lambda name: f"sha256 of {name}")


def test_all_arms_have_as_many_inner_steps_from_the_same_races(store):
    learns = {}
    for stage in (stage for chain in variants.variants("paper", store) for stage in chain):
        for run in stage:
            numbers = {"diverged": False, "scale": 0.2, "low": -1.0, "high": 1.0}
            store.put(run, Outcome(numbers, {"psi_hidden": np.ones(200)}), datetime.now(UTC), 1.0)
            if isinstance(run, Learn):
                learns.setdefault(run.arm.partition(": ")[2], []).append(run)
    assert list(learns) == list(variants.PLANS["paper"].tasks)
    for own in learns.values():
        assert len(own) == len(variants.ARMS) * variants.PLANS["paper"].restarts
        costs = pd.Series([run.cost for run in own])
        assert costs.max() <= 1.05 * costs.min()
        random = [run for run in own if run.settings.init == "random"]
        assert {(run.settings.deviation, round(run.settings.length, 9)) for run in random} == {(0.1, 0.06)}


def test_the_small_plan_gives_a_row_per_arm():
    tasks, _ = learner_tables.collect(sections.results("learner", "smoke"), "smoke")
    found = sections.results("variants", "smoke")
    assert not found.missing and len(found.frame("learn")) == 2 * len(variants.ARMS)
    assert set(found.frame("learn").way) == set(ways.WAYS)
    table = learner_tables.of_variants(found, tasks)
    assert table.arm.tolist() == list(variants.ARMS) and set(table.task) == {"a+b mod 7"}


def test_restarts_count_as_those_of_the_learner():
    steps = {"a": (100, 120), "b": (None, None), "c": (300, None)}
    rows = [
        {"role": "trial", "arm": "from zeros: t", "learned": name, "steps": 1000, "test_steps_to_95": value}
        | {"test_accuracy_last": 1.0, "data": "t"}
        for name, of in steps.items()
        for value in of
    ]
    relu = pd.Series([400.0])
    task = learner_tables.TaskResults("t", None, 1.25, True, {learner_tables.RELU: relu}, pd.DataFrame())
    (row,) = learner_tables.of_variants(Given(rows), {"t": task}).to_numpy().tolist()
    assert row == ["t", "from zeros", "1 of 3", "not reached"]  # "c" is there in one of two runs only
