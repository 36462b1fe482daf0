"""Replicas as one batch, on a GPU if there is one: each is equal to its own run on the CPU, whatever the others do."""

import math
from dataclasses import replace

import pytest
import torch

from lib import replicas
from lib.metalearning import Settings, Task, learn
from lib.modules import ModuleNetwork
from lib.networks import LOSSES, Activation, Network
from lib.replicas import learn_replicas
from lib.training import Optimiser
from tests.test_metalearning import NETWORKS, OPTIMISERS, problem

SEEDS = (3, 1, 4)
DOUBLE = torch.float64
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
SETTINGS = Settings(episodes=4, n_tr_start=3, n_tr_step=2, unroll=2, outer=Optimiser("adam", 0.05), batch=7, watch=0.2)


@pytest.fixture(autouse=True)
def double(monkeypatch):
    """Everything in float64, where the order of a sum does not matter to so few steps."""
    init, init_psi = Network.init, Network.init_psi
    monkeypatch.setattr(Network, "init", lambda self, g, dtype=None: init(self, g, DOUBLE))
    monkeypatch.setattr(
        Network, "init_psi", lambda self, *start: {k: v.to(DOUBLE) for k, v in init_psi(self, *start).items()}
    )


def there(task):
    """The task with its data where replicas run."""
    given = task.given and tuple(part.to(DEVICE) for part in task.given)
    return replace(task, x=task.x.to(DEVICE), y=task.y.to(DEVICE), given=given)


def assert_same(replica, alone):
    assert (replica.best_episode, replica.diverged) == (alone.best_episode, alone.diverged)
    for name, values in alone.psi.items():
        torch.testing.assert_close(replica.psi[name].cpu(), values.cpu(), rtol=1e-7, atol=1e-9)
    assert replica.history.keys() == alone.history.keys()
    for name, values in alone.history.items():
        assert replica.history[name] == pytest.approx(values, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("loss", LOSSES)
def test_learning_equals_one_by_one(network, loss):
    task, *_ = problem(network, loss, DOUBLE)
    for changes in ({"init": "relu"}, {"init": "random", "batch": 4096}):
        settings = replace(SETTINGS, **changes)
        for seed, replica in zip(SEEDS, learn_replicas([there(task)], settings, seeds=SEEDS), strict=True):
            assert_same(replica, learn([task], settings, seed=seed))


@pytest.mark.parametrize("inner", OPTIMISERS.values(), ids=OPTIMISERS)
@pytest.mark.parametrize("objective", ["validation", "training", "given"])
def test_optimisers_objectives_and_several_tasks(inner, objective):
    tasks = []
    for n in (40, 30):
        task, _, _, _, given = problem(NETWORKS["shared"], "mse", DOUBLE, n=n, seed=n)
        tasks.append(replace(task, given=given))
    settings = replace(
        SETTINGS, inner=inner, objective=objective, init="relu", watch=0.0 if objective == "given" else 0.2
    )
    for seed, replica in zip(
        SEEDS, learn_replicas([there(task) for task in tasks], settings, seeds=SEEDS), strict=True
    ):
        assert_same(replica, learn(tasks, settings, seed=seed))


def test_one_hot_pairs_and_first_order():
    task, *_ = problem(replace(NETWORKS["shared"], residual=True), "cross_entropy", DOUBLE, pairs=True)
    settings = replace(SETTINGS, init="relu", unroll=0)
    for seed, replica in zip(SEEDS, learn_replicas([there(task)], settings, seeds=SEEDS), strict=True):
        assert_same(replica, learn([task], settings, seed=seed))


def test_what_replicas_learn_is_a_function_and_modules_are_learned_one_by_one():
    task, *_ = problem(NETWORKS["shared"], "mse", DOUBLE)
    alone = learn([task], SETTINGS, seed=3)
    (replica,) = learn_replicas([there(task)], SETTINGS, seeds=[3])
    z = torch.linspace(-2, 2, 9, dtype=DOUBLE)
    torch.testing.assert_close(replica.module().cpu()(z), alone.module()(z))
    network = ModuleNetwork(lambda g: torch.nn.Sequential(torch.nn.Linear(1, 2), g), Activation("spline"))
    with pytest.raises(ValueError, match="restarts as one batch need a Network, got ModuleNetwork.*: learn one by one"):
        learn_replicas([Task(network, torch.ones(9, 1), torch.ones(9, 2), "mse")], SETTINGS, seeds=[0])


def test_a_replica_stops_early_and_the_others_go_on():
    task, *_ = problem(NETWORKS["shared"], "mse", DOUBLE)
    settings = replace(SETTINGS, episodes=30, patience=2, init="relu", outer=Optimiser("sgd", 0.5))
    together = learn_replicas([there(task)], settings, seeds=range(6))
    episodes = [len(replica.history["outer"]) for replica in together]
    assert min(episodes) < max(episodes)
    for seed, replica in enumerate(together):
        alone = learn([task], settings, seed=seed)
        assert len(alone.history["outer"]) == episodes[seed] and alone.best_episode == replica.best_episode


def test_a_replica_diverges_and_the_others_go_on(monkeypatch):
    """The second replica's weights become infinite in the second episode."""
    task, *_ = problem(NETWORKS["shared"], "mse", DOUBLE)
    expected = learn_replicas([there(task)], SETTINGS, seeds=SEEDS)
    inner_loop, episode = replicas._inner_loop, iter(range(99))

    def broken(*args):
        theta, now = inner_loop(*args), next(episode)
        keep = torch.tensor([1.0, math.inf if now == 1 else 1.0, 1.0], device=DEVICE)
        return [p * keep.reshape(-1, *[1] * (p.dim() - 1)) for p in theta]

    monkeypatch.setattr(replicas, "_inner_loop", broken)
    first, second, third = learn_replicas([there(task)], SETTINGS, seeds=SEEDS)
    assert second.diverged and len(second.history["outer"]) == 1
    assert_same(first, expected[0])
    assert_same(third, expected[2])


@pytest.mark.parametrize(
    "call, rule",
    [
        (lambda task, psi: learn_replicas([task], SETTINGS, seeds=[]), "at least 1 seed"),
        (lambda task, psi: learn_replicas([], SETTINGS, seeds=[1]), "at least 1 task"),
    ],
)
def test_arguments_that_do_not_fit(call, rule):
    task, psi, *_ = problem(NETWORKS["shared"], "mse", DOUBLE)
    with pytest.raises(ValueError, match=rule):
        call(task, psi)
