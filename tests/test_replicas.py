"""Replicas as one batch, on a GPU if there is one: each is equal to its own run on the CPU, whatever the others do."""

import math
from dataclasses import replace

import pytest
import torch

from lib import replicas
from lib.episodes import outer_loss
from lib.metalearning import Settings, Task, learn
from lib.networks import LOSSES, Activation, Network
from lib.replicas import learn_replicas, train_replicas
from lib.training import Optimiser, train
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


def monitored(network, x, y, loss):
    def measure(psi, params):
        with torch.no_grad():
            return {"score": -outer_loss(Task(network, x, y, loss), psi, params, (x, y))}

    return measure


@pytest.mark.parametrize("name, batch", [("shared", 7), ("shared", 100), ("input and hidden", 7), ("spectral", 7)])
@pytest.mark.parametrize("optimiser", OPTIMISERS.values(), ids=OPTIMISERS)
def test_training_equals_one_by_one(name, batch, optimiser):
    task, psi, _, _, (x, y) = problem(NETWORKS[name], "mse", DOUBLE)
    arms = {key: torch.stack([values, values * 0.5, -values]) for key, values in psi.items()}
    measure = monitored(task.network, x, y, "mse")
    rest = {"loss": "mse", "optimiser": optimiser, "evaluate_at": [0, 3, 60, 70], "batch": batch, "best": "score"}
    together = train_replicas(
        task.network,
        {key: values.to(DEVICE) for key, values in arms.items()},
        (task.x.to(DEVICE), task.y.to(DEVICE)),
        seeds=SEEDS,
        monitor=monitored(task.network, x.to(DEVICE), y.to(DEVICE), "mse"),
        **rest,
    )
    for i, replica in enumerate(together):
        own, g = {key: values[i] for key, values in arms.items()}, torch.Generator().manual_seed(SEEDS[i])

        def alone_measure(params, own=own):
            return {key: number.item() for key, number in measure(own, params).items()}

        alone = train(task.network, own, (task.x, task.y), monitor=alone_measure, generator=g, **rest)
        assert replica.best_step == alone.best_step and replica.history["step"] == alone.history["step"]
        assert replica.history["score"] == pytest.approx(alone.history["score"], rel=1e-7, abs=1e-9)
        for a, b in zip(replica.params, alone.params, strict=True):
            torch.testing.assert_close(a.cpu(), b, rtol=1e-7, atol=1e-9)


def test_training_without_splines_keeps_the_last_step_and_a_divergence_apart():
    network = Network(4, 1, 6, 1, Activation("tanh"))
    task, psi, _, _, (x, y) = problem(network, "mse", DOUBLE)
    assert psi == {}
    measure = monitored(network, x, y, "mse")
    rest = {"loss": "mse", "monitor": measure, "evaluate_at": [2, 5], "best": None, "seeds": SEEDS}
    runs = train_replicas(network, {}, (task.x, task.y), optimiser=Optimiser("sgd", 0.1), **rest)
    assert [run.best_step for run in runs] == [5, 5, 5] and not any(run.diverged for run in runs)
    blown = train_replicas(
        replace(network, activation=Activation("spline", points=3)),
        {"hidden": torch.tensor([[0, 1, 2], [0, math.inf, 0], [2, 1, 0]], dtype=DOUBLE)},
        (task.x, task.y),
        optimiser=Optimiser("sgd", 0.1),
        **rest,
    )
    assert [run.diverged for run in blown] == [False, True, False]
    assert blown[1].history == {"step": []} and blown[0].history["step"] == [2, 5]


@pytest.mark.parametrize(
    "call, rule",
    [
        (lambda task, psi: learn_replicas([task], SETTINGS, seeds=[]), "at least 1 seed"),
        (lambda task, psi: learn_replicas([], SETTINGS, seeds=[1]), "at least 1 task"),
        (lambda task, psi: run(task, psi, seeds=[1, 2]), r"one row per seed, 2, got \[9\]"),
        (lambda task, psi: run(task, {}, seeds=[]), "one row per seed"),
        (lambda task, psi: run(task, {"hidden": psi["hidden"][None]}, evaluate_at=[3, 2]), "increasing steps"),
        (lambda task, psi: run(task, {"hidden": psi["hidden"][None]}, best="other"), "one of the monitored"),
        (
            lambda task, psi: run(task, {"hidden": psi["hidden"][None]}, data=(task.x, task.y[:, 0])),
            r"y must be \(n, outputs\)",
        ),
        (
            lambda task, psi: run(task, {"hidden": psi["hidden"][None]}, data=(task.x.float(), task.y.float())),
            "x must be torch.float64 like the weights",
        ),
    ],
)
def test_arguments_that_do_not_fit(call, rule):
    task, psi, *_ = problem(NETWORKS["shared"], "mse", DOUBLE)
    with pytest.raises(ValueError, match=rule):
        call(task, psi)


def run(task, psi, **changes):
    arguments = {"seeds": [1], "loss": "mse", "optimiser": Optimiser(), "evaluate_at": [1], "best": None}
    measure = monitored(task.network, task.x, task.y, "mse")
    arguments["data"] = (task.x, task.y)
    return train_replicas(task.network, psi, monitor=measure, **arguments | changes)
