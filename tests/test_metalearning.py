"""Algorithm 1: its gradient against brute force and finite differences, its loop, its checkpoints, and that it learns."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from covering import covering

from lib import datasets, metalearning
from lib import episodes as lib_episodes
from lib.episodes import OBJECTIVES, draw_episode, inner_loop, outer_loss, watch_split
from lib.metalearning import Learned, Settings, Task, learn
from lib.networks import LOSSES, Activation, Network, loss_and_delta
from lib.training import Batches, Optimiser, take

ROOT = Path(__file__).resolve().parents[1]
SPLINE = Activation("spline", points=9, low=-2, high=2)
INPUT = Activation("spline", points=7, low=-1, high=1)
NETWORKS = {
    "shared": Network(4, 3, width=6, depth=2, activation=SPLINE),
    "layerwise": Network(4, 3, width=6, depth=2, activation=replace(SPLINE, layerwise=True), residual=True),
    "input": Network(4, 3, width=6, depth=1, activation=Activation("tanh"), input_activation=INPUT),
    "input and hidden": Network(4, 3, width=6, depth=1, activation=SPLINE, input_activation=INPUT),
    "cubic": Network(
        4,
        3,
        width=6,
        depth=2,
        activation=replace(SPLINE, method="cubic"),
        input_activation=replace(INPUT, method="cubic"),
    ),
    "nearest": Network(4, 3, width=6, depth=1, activation=replace(SPLINE, method="nearest")),
    "spectral": Network(4, 3, width=6, depth=2, activation=SPLINE, spectral=True),
}
OPTIMISERS = {
    "sgd": Optimiser("sgd", 0.3),
    "momentum": Optimiser("sgd", 0.1, 0.9),
    "rmsprop": Optimiser("rmsprop", 0.01),
    "adam": Optimiser("adam", 0.02),
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def inner_loop_plain(task, psi, theta, rows, n_tr, settings, generator):
    """As :func:`lib.episodes.inner_loop`, with autograd for everything: the readable reference."""
    x, y = task.x[rows], task.y[rows]
    batches, state = Batches(len(x), settings.batch, generator), settings.inner.init(theta)
    for step in range(n_tr):
        if step == n_tr - min(settings.unroll, n_tr):
            theta = [p.detach() for p in theta]
            state = {k: [s.detach() for s in v] if isinstance(v, list) else v for k, v in state.items()}
        theta = [p if p.requires_grad else p.requires_grad_() for p in theta]
        batch = take((x, y), batches.next())
        loss, _ = loss_and_delta(task.network.forward(theta, psi, batch[0]), batch[1], task.loss)
        grads = torch.autograd.grad(loss, theta, create_graph=True)
        theta, state = settings.inner.step(theta, grads, state)
    return theta if settings.unroll else [p.detach() for p in theta]


def problem(network, loss, dtype=torch.float64, pairs=False, n=40, seed=0):
    """A task, psi that is not special, rows for T' and data for V."""
    g = generator(seed)
    network = replace(network, outputs=1) if loss == "logistic" else network
    if pairs:
        x = torch.randint(network.inputs // 2, (n, 2), generator=g) + torch.tensor([0, network.inputs // 2])
    else:
        x = (2 * torch.rand(n, network.inputs, generator=g, dtype=torch.float64) - 1).to(dtype)
    if loss == "cross_entropy":
        y = torch.randint(network.outputs, (n,), generator=g)
    elif loss == "logistic":
        y = torch.randint(2, (n, 1), generator=g).to(dtype)
    else:
        y = torch.randn(n, network.outputs, generator=g, dtype=torch.float64).to(dtype)
    psi = {
        k: (v + 0.3 * torch.randn(v.shape, generator=g, dtype=torch.float64)).to(dtype)
        for k, v in network.init_psi("relu").items()
    }
    theta = [p.to(dtype) for p in network.init(g, torch.float64)]
    return Task(network, x, y, loss), psi, theta, torch.arange(n - 10), (x[n - 10 :], y[n - 10 :])


def hypergradient(loop, task, psi, theta, rows, data, n_tr, settings):
    """Outer loss and its gradient in psi (flattened), through an inner loop."""
    leaves = {name: values.detach().clone().requires_grad_() for name, values in psi.items()}
    trained = loop(task, leaves, [p.detach().clone() for p in theta], rows, n_tr, settings, generator(1))
    loss = outer_loss(task, leaves, trained, data)
    grads = torch.autograd.grad(loss, [leaves[name] for name in sorted(leaves)])
    return loss.detach(), torch.cat([g.flatten() for g in grads]), trained


# --- the gradient of the outer loss -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name, loss, optimiser, unroll", covering(NETWORKS, LOSSES, OPTIMISERS, [0, 1, 5]))
def test_hypergradient_equals_brute_force(name, loss, optimiser, unroll):
    task, psi, theta, rows, data = problem(NETWORKS[name], loss)
    settings = Settings(unroll=unroll, inner=OPTIMISERS[optimiser], batch=16)
    expected = hypergradient(inner_loop_plain, task, psi, theta, rows, data, 8, settings)
    result = hypergradient(inner_loop, task, psi, theta, rows, data, 8, settings)
    torch.testing.assert_close(result, expected, rtol=1e-6, atol=1e-9)
    assert result[1].norm() > 1e-3
    if unroll:  # the unrolled steps matter
        first_order = hypergradient(inner_loop, task, psi, theta, rows, data, 8, replace(settings, unroll=0))[1]
        assert (result[1] - first_order).norm() > 1e-3 * first_order.norm()


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
@pytest.mark.parametrize("unroll", [0, 1, 5])
def test_hypergradient_of_one_hot_pairs_equals_brute_force(optimiser, loss, unroll):
    network = Network(10, 5, width=6, depth=1, activation=SPLINE)
    task, psi, theta, rows, data = problem(network, loss, pairs=True)
    settings = Settings(unroll=unroll, inner=OPTIMISERS[optimiser], batch=16)
    result = hypergradient(inner_loop, task, psi, theta, rows, data, 8, settings)
    torch.testing.assert_close(
        result, hypergradient(inner_loop_plain, task, psi, theta, rows, data, 8, settings), rtol=1e-6, atol=1e-9
    )
    dense = torch.zeros(len(task.x), 10, dtype=torch.float64).scatter_(1, task.x, 1.0)
    expected = hypergradient(
        inner_loop_plain, replace(task, x=dense), psi, theta, rows, (dense[-10:], data[1]), 8, settings
    )
    torch.testing.assert_close(result, expected, rtol=1e-6, atol=1e-9)


def test_unrolling_more_than_there_is_unrolls_everything():
    task, psi, theta, rows, data = problem(NETWORKS["shared"], "mse")
    few, many = (
        hypergradient(inner_loop, task, psi, theta, rows, data, 3, Settings(unroll=unroll, inner=OPTIMISERS["sgd"]))
        for unroll in (3, 50)
    )
    torch.testing.assert_close(few, many, rtol=0, atol=0)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_float32_hypergradient_over_the_tail_is_exact_to_rounding(name, optimiser):
    settings = Settings(unroll=5, inner=OPTIMISERS[optimiser], batch=16)
    task, psi, theta, rows, data = problem(NETWORKS[name], "mse", n=200)
    start = [inner_loop(task, psi, theta, rows, 20, replace(settings, unroll=0), generator(2)), psi]
    start = [p.float() for p in start[0]], {k: v.float() for k, v in psi.items()}  # the same start for both
    results = []
    for dtype in (torch.float32, torch.float64):
        cast = replace(task, x=task.x.float().to(dtype), y=task.y.float().to(dtype))
        inputs = {k: v.to(dtype) for k, v in start[1].items()}, [p.to(dtype) for p in start[0]], rows
        v = data[0].float().to(dtype), data[1].float().to(dtype)
        results.append(hypergradient(inner_loop, cast, *inputs, v, 5, settings)[1].double())
    # the first adaptive steps go by the signs of the gradients, which magnifies the rounding of small ones
    tolerance = 1e-5 if optimiser in ("sgd", "momentum") else 5e-4
    if (optimiser, name) == ("rmsprop", "input and hidden"):
        tolerance = 1e-3  # 5.75e-4 on a Xeon with AMX, now and before the inner steps were written in place
    assert (results[0] - results[1]).norm() < tolerance * results[1].norm()


@pytest.mark.parametrize("name", ["shared", "layerwise", "input", "input and hidden", "cubic", "spectral"])
@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_full_unroll_equals_finite_differences_of_training(name, optimiser):
    task, psi, theta, rows, data = problem(NETWORKS[name], "mse")
    settings = Settings(unroll=6, inner=OPTIMISERS[optimiser], batch=16)
    _, gradient, _ = hypergradient(inner_loop, task, psi, theta, rows, data, 6, settings)
    names, step = sorted(psi), 1e-6

    @torch.no_grad()
    def trained_loss(flat):
        parts = flat.split([psi[name].numel() for name in names])
        moved = {name: part.view_as(psi[name]) for name, part in zip(names, parts, strict=True)}
        return outer_loss(task, moved, inner_loop(task, moved, theta, rows, 6, settings, generator(1)), data)

    here = torch.cat([psi[name].flatten() for name in names])
    directions = torch.randn(8, len(here), generator=generator(4), dtype=torch.float64)
    expected = torch.stack(
        [(trained_loss(here + step * d) - trained_loss(here - step * d)) / (2 * step) for d in directions]
    )
    torch.testing.assert_close(directions @ gradient, expected, rtol=1e-4, atol=1e-6)
    assert gradient.norm() > 1e-2


def test_steps_before_the_tail_leave_no_graph():
    task, psi, theta, rows, data = problem(NETWORKS["shared"], "mse")
    leaves = {k: v.requires_grad_() for k, v in psi.items()}
    first_order = inner_loop(task, leaves, theta, rows, 8, Settings(unroll=0, inner=OPTIMISERS["sgd"]), generator(1))
    assert not any(p.requires_grad for p in first_order)
    tail = inner_loop(task, leaves, theta, rows, 8, Settings(unroll=2, inner=OPTIMISERS["sgd"]), generator(1))
    assert all(p.requires_grad for p in tail[:-1])
    torch.testing.assert_close([p.detach() for p in tail], first_order)
    assert not any(p.requires_grad for p in theta)


# --- the loop ---------------------------------------------------------------------------------------------------------

QUICK = Settings(episodes=8, n_tr_start=3, n_tr_step=2, n_tr_max=9, unroll=2, inner=Optimiser("sgd", 0.1))


def small_task(network=None, n=60, seed=0, given=False):
    """A task whose first input is the number of the row, out of n."""
    network = network or Network(3, 1, width=5, depth=1, activation=SPLINE)
    g = generator(seed)
    x = torch.rand(n, network.inputs, generator=g)
    x[:, 0] = torch.arange(n) / n
    y = torch.sin(6 * x[:, 1:2])
    other = (torch.rand(7, network.inputs, generator=g) + 2, torch.rand(7, 1, generator=g)) if given else None
    return Task(network, x, y, "mse", other)


def rows_of(x):
    """The row numbers that :func:`small_task` put into the inputs."""
    return set((x[:, 0] * 60).round().int().tolist())


@pytest.fixture
def spy(monkeypatch):
    """Record what each episode draws, starts from and measures."""
    seen = {"train": [], "outer": [], "theta": [], "task": [], "psi": [], "n_tr": [], "watched": []}
    originals = {name: getattr(lib_episodes, name) for name in ("inner_loop", "outer_loss", "watch_loss")}

    def inner(task, psi, theta, rows, n_tr, settings, g):
        seen["train"].append(set(rows.tolist()))
        seen["theta"].append([p.clone() for p in theta])
        seen["task"].append(task)
        seen["psi"].append({k: v.detach().clone() for k, v in psi.items()})
        seen["n_tr"].append(n_tr)
        return originals["inner_loop"](task, psi, theta, rows, n_tr, settings, g)

    def outer(task, psi, theta, data):
        if torch.is_grad_enabled():  # not for the watched rows
            seen["outer"].append(data)
        return originals["outer_loss"](task, psi, theta, data)

    def watch(task, psi, theta, watched, otherwise):
        seen["watched"].append(set(watched.tolist()))
        return originals["watch_loss"](task, psi, theta, watched, otherwise)

    for name, function in {"inner_loop": inner, "outer_loss": outer}.items():
        monkeypatch.setattr(lib_episodes, name, function)
    monkeypatch.setattr(metalearning, "watch_loss", watch)
    return seen


def test_episodes_draw_fresh_splits_and_weights_and_grow_n_tr(spy):
    messages = []
    learned = learn([small_task()], QUICK, seed=3, report=messages.append)
    assert spy["n_tr"] == learned.history["n_tr"] == [3, 5, 7, 9, 9, 9, 9, 9]
    assert len({frozenset(rows) for rows in spy["train"]}) == 8
    assert len({tuple(theta[0].flatten().tolist()) for theta in spy["theta"]}) == 8
    assert all(len(values) == 8 for values in learned.history.values())
    assert len(messages) == 8 and messages[7].startswith("episode 8/8, n_tr 9, V ")
    assert f"V {learned.history['outer'][7]:.4f}" in messages[7]


def test_psi_starts_from_the_init_and_moves_each_episode(spy):
    learned = learn([small_task()], replace(QUICK, init="relu"), seed=3)
    assert torch.equal(spy["psi"][0]["hidden"], torch.linspace(-2, 2, 9).clamp(0))
    assert all(not torch.equal(a["hidden"], b["hidden"]) for a, b in zip(spy["psi"], spy["psi"][1:], strict=False))
    assert torch.equal(learned.psi["hidden"], spy["psi"][learned.best_episode]["hidden"])


def test_a_random_start_is_a_small_smooth_function_of_the_seed_alone(spy):
    settings = replace(QUICK, init="random", deviation=0.2, length=0.5)
    learn([small_task()], settings, seed=3)
    z = torch.linspace(-2, 2, 9, dtype=torch.float64)
    assert torch.equal(spy["psi"][0]["hidden"], settings.start(3)(z).float())
    starts = torch.stack([settings.start(seed)(z) for seed in range(2000)])
    assert float(starts.std()) == pytest.approx(0.2, rel=0.03)
    assert float(torch.corrcoef(starts.T)[4, 5]) == pytest.approx(
        math.exp(-0.5), abs=0.05
    )  # neighbours, one length apart


def test_the_outer_step_is_a_clipped_gradient_step(spy):
    settings = replace(QUICK, outer=Optimiser("sgd", 0.5), clip=1e-3)
    learned = learn([small_task()], settings, seed=3)
    moves = [(b["hidden"] - a["hidden"]).norm().item() for a, b in zip(spy["psi"], spy["psi"][1:], strict=False)]
    assert min(learned.history["norm"]) > 1e-3  # so that every step was clipped
    assert moves == pytest.approx([0.5e-3] * 7, rel=1e-3)
    spy["psi"].clear()
    learned = learn([small_task()], replace(settings, clip=1e9), seed=3)
    moves = [(b["hidden"] - a["hidden"]).norm().item() for a, b in zip(spy["psi"], spy["psi"][1:], strict=False)]
    assert moves == pytest.approx([0.5 * norm for norm in learned.history["norm"][:7]], rel=1e-3)


def test_watched_rows_are_never_drawn(spy):
    learn([small_task()], replace(QUICK, episodes=30, watch=0.2), seed=3)
    watched = spy["watched"][0]
    assert len(watched) == 12 and all(rows == watched for rows in spy["watched"])
    drawn = [rows | rows_of(x) for rows, (x, _) in zip(spy["train"], spy["outer"], strict=True)]
    assert all(rows == set(range(60)) - watched for rows in drawn)  # T' and V together are all the others
    other = watch_split(60, 0.2, seed=4)[1]
    assert set(other.tolist()) != watched


def test_nothing_is_watched_on_request():
    pool, watched = watch_split(60, 0.0, seed=3)
    assert len(watched) == 0 and sorted(pool.tolist()) == list(range(60))
    learned = learn([small_task()], replace(QUICK, watch=0.0), seed=3)
    assert learned.history["watch"] == learned.history["outer"]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_objectives(spy, objective):
    task = small_task(given=True)
    learn([task], replace(QUICK, objective=objective, watch=0.1, validation=0.5), seed=3)
    for rows, (x, y) in zip(spy["train"], spy["outer"], strict=True):
        assert len(rows) == 27
        if objective == "validation":
            assert len(x) == 27 and rows.isdisjoint(rows_of(x))
        elif objective == "training":
            assert rows_of(x) == rows
        else:
            order = x[:, 0].argsort()
            torch.testing.assert_close(x[order], task.given[0][task.given[0][:, 0].argsort()])
            torch.testing.assert_close(y[order], task.given[1][task.given[0][:, 0].argsort()])
        if objective != "given":
            torch.testing.assert_close(y, torch.sin(6 * x[:, 1:2]))


def test_given_rows_are_not_touched_by_the_other_objectives():
    poisoned = replace(small_task(given=True), given=(torch.ones(7, 3), torch.full((7, 1), 1e30)))  # an infinite loss
    for objective in ("validation", "training"):
        settings = replace(QUICK, objective=objective)
        clean, other = (learn([task], settings, seed=3) for task in (small_task(), poisoned))
        assert clean.history == other.history and not other.diverged
    assert learn([poisoned], replace(QUICK, objective="given"), seed=3).diverged


def test_the_outer_loss_uses_at_most_a_batch():
    task, pool = small_task(given=True), torch.arange(60)
    for objective, size in {"validation": 5, "training": 5, "given": 5}.items():
        rows, outer = draw_episode(task, replace(QUICK, objective=objective, batch=5), pool, generator())
        assert len(outer) == size and len(rows) == 48
    rows, outer = draw_episode(task, replace(QUICK, validation=0.999), pool[:4], generator())
    assert len(rows) == 1 and len(outer) == 3  # neither side is ever empty
    rows, outer = draw_episode(task, replace(QUICK, validation=0.001), pool[:4], generator())
    assert len(rows) == 3 and len(outer) == 1


def test_several_tasks_take_turns_and_share_psi(spy):
    tasks = [
        small_task(),
        small_task(Network(4, 1, width=7, depth=2, activation=SPLINE), n=50, seed=1),
        small_task(Network(2, 1, width=3, depth=1, activation=SPLINE), n=40, seed=2),
    ]
    learned = learn(tasks, QUICK, seed=3)
    assert [tasks.index(task) for task in spy["task"]] == [0, 1, 2, 0, 1, 2, 0, 1]
    assert all(set(psi) == {"hidden"} and psi["hidden"].shape == (9,) for psi in spy["psi"])
    assert len(spy["watched"][1]) == 5 and len(learned.history["watch"]) == 8


def test_patience_ends_the_run_and_the_best_psi_is_kept(spy, monkeypatch):
    watch = iter([5.0, 4.0, 1.0, *[9.0] * 50])
    monkeypatch.setattr(metalearning, "watch_loss", lambda *arguments: next(watch))
    learned = learn([small_task()], replace(QUICK, episodes=50, patience=6), seed=3)
    assert learned.best_episode == 2 and len(learned.history["watch"]) == 9  # 2 + 6, counted from 0
    assert torch.equal(learned.psi["hidden"], spy["psi"][2]["hidden"])


def test_patience_counts_rounds_of_all_tasks(monkeypatch):
    monkeypatch.setattr(metalearning, "watch_loss", lambda *arguments: 1.0)
    learned = learn([small_task(), small_task(seed=1)], replace(QUICK, episodes=50, patience=4), seed=3)
    assert len(learned.history["watch"]) - 1 - learned.best_episode == 8


def test_best_is_the_lowest_mean_of_the_last_five_rounds(monkeypatch):
    values = torch.rand(60, generator=generator()).tolist()
    for n_tasks in (1, 3):
        watch = iter(values)
        monkeypatch.setattr(metalearning, "watch_loss", lambda *arguments, watch=watch: next(watch))
        tasks = [small_task(n=20 + i) for i in range(n_tasks)]
        learned = learn(tasks, replace(QUICK, episodes=60, n_tr_max=1, n_tr_start=1, patience=100), seed=3)
        means = {}
        for end in range(n_tasks, 61):  # whole rounds only, so that every task weighs the same
            window = n_tasks * min(5, end // n_tasks)
            means[end - 1] = sum(values[end - window : end]) / window
        assert learned.best_episode == min(means, key=means.get)


def test_a_task_of_small_losses_does_not_hide_the_progress_on_the_others(monkeypatch):
    """The first task's loss is far below the second's, which improves: the start must not stay the best."""
    losses = iter(value for i in range(30) for value in (0.01, 1.0 - 0.02 * i))
    monkeypatch.setattr(metalearning, "watch_loss", lambda *arguments: next(losses))
    learned = learn([small_task(), small_task(seed=1)], replace(QUICK, episodes=60, patience=10), seed=3)
    assert len(learned.history["watch"]) == 60 and learned.best_episode >= 58


@pytest.mark.parametrize("lr, episodes", [(1e30, 0), (None, 4)])
def test_divergence_ends_the_run_with_a_record(monkeypatch, lr, episodes):
    settings = QUICK
    if lr:
        settings = replace(QUICK, inner=Optimiser("sgd", lr), n_tr_start=20, n_tr_max=20)
    else:  # in the fifth episode
        original, calls = lib_episodes.inner_loop, []

        def inner(*arguments):
            calls.append(0)
            theta = original(*arguments)
            return [p * torch.nan for p in theta] if len(calls) == 5 else theta

        monkeypatch.setattr(lib_episodes, "inner_loop", inner)
    learned = learn([small_task()], replace(settings, init="relu"), seed=3)
    assert learned.diverged and [len(values) for values in learned.history.values()] == [episodes] * 4
    assert all(bool(values.isfinite().all()) for values in learned.psi.values())
    assert all(math.isfinite(number) for values in learned.history.values() for number in values)


def test_same_seed_same_result_and_no_global_randomness():
    state = torch.get_rng_state()
    first, second, other = (learn([small_task()], QUICK, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.psi["hidden"], second.psi["hidden"]) and first.history == second.history
    assert first.history["outer"] != other.history["outer"]
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    "change", [dict(objective="test"), dict(validation=0.0), dict(validation=1.0), dict(watch=1.0), dict(watch=-0.1)]
)
def test_settings_refuse_fractions_and_objectives(change):
    message = (
        "objective must be one of .* got 'test'"
        if "objective" in change
        else r"validation must be in \(0, 1\) and watch in"
    )
    with pytest.raises(ValueError, match=message):
        Settings(**change)


@pytest.mark.parametrize(
    "change", [dict(episodes=0), dict(n_tr_start=0), dict(batch=0), dict(patience=0), dict(unroll=-1)]
)
def test_settings_refuse_counts(change):
    (name, value), *_ = change.items()
    with pytest.raises(ValueError, match=f"at least 1 and unroll at least 0: .*{name}={value}"):
        Settings(**change)


def test_learn_refuses_what_it_cannot_do():
    with pytest.raises(
        ValueError, match="nothing to learn: the network has neither a spline in a hidden layer nor input activations"
    ):
        learn([small_task(Network(3, 1, width=5, depth=1, activation=Activation("relu")))], QUICK, seed=0)
    with pytest.raises(ValueError, match="objective 'given' needs a task with given rows"):
        learn([small_task(given=True), small_task()], replace(QUICK, objective="given"), seed=0)


# --- it learns --------------------------------------------------------------------------------------------------------


def digits_task():
    data = datasets.load("digits")
    network = Network(64, 1, width=24, depth=1, activation=Activation("spline", points=30))
    return Task(network, data.x_train[:600], datasets.targets(data.y_train[:600], 10, "regression"), "mse")


def mean_test_loss(task, psi, n_tr=100):
    """Loss on digits' test rows after training from scratch, over 3 starts."""
    data = datasets.load("digits")
    test, losses = (data.x_test, datasets.targets(data.y_test, 10, "regression")), []
    for seed in range(3):
        settings = Settings(unroll=0, inner=Optimiser("sgd", 0.1))
        theta = inner_loop(
            task, psi, task.network.init(generator(seed)), torch.arange(len(task.x)), n_tr, settings, generator(seed)
        )
        losses.append(outer_loss(task, psi, theta, test).item())
    return sum(losses) / 3


@pytest.mark.parametrize("init", ["relu", "zeros"])
def test_a_learned_activation_beats_its_start_on_digits(init):
    task = digits_task()
    settings = Settings(
        init, episodes=50, n_tr_start=40, n_tr_step=2, inner=Optimiser("sgd", 0.1), outer=Optimiser("adam", 0.05)
    )
    learned = learn([task], settings, seed=1)
    assert not learned.diverged and learned.best_episode > 10
    watch = learned.history["watch"]
    assert watch[learned.best_episode] < 0.7 * watch[0]
    start, end = (mean_test_loss(task, psi) for psi in (task.network.init_psi(init), learned.psi))
    assert end < 0.8 * start  # on rows that it has never seen, after training from scratch


def test_input_activations_learn_what_the_network_cannot_see():
    """The target is a fast wave of one input: out of reach of a linear model, except through an input activation."""
    x = 2 * torch.rand(500, 2, generator=generator()) - 1
    network = Network(
        2,
        1,
        width=1,
        depth=0,
        activation=Activation("relu"),
        input_activation=Activation("spline", points=20, low=-1, high=1),
    )
    task = Task(network, x, torch.cos(5 * x[:, :1]), "mse")
    learned = learn([task], Settings(episodes=150, n_tr_start=40, n_tr_step=0, inner=Optimiser("sgd", 0.3)), seed=1)
    watch = learned.history["watch"]
    assert watch[learned.best_episode] < 0.2 * watch[0]
    assert learned.psi["input"].shape == (2, 20)


def test_the_longest_episode_cannot_be_shorter_than_the_first():
    with pytest.raises(ValueError, match="n_tr_max must be at least n_tr_start, got 1000 and 2000"):
        Settings(n_tr_start=2000)


def test_history_has_its_fields_from_the_start():
    assert Learned({}).history == {"outer": [], "watch": [], "n_tr": [], "norm": []}
    assert Learned({}).history is not Learned({}).history


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: learn([], Settings(), seed=0), "at least 1 task"),
        (lambda: learn([one_row_task()], Settings(), seed=0), "at least 2 rows, .* got 1"),
        (lambda: learn([one_row_task(depth=0, rows=5)], Settings(), seed=0), "neither a spline in a hidden layer"),
        (lambda: learn([on_meta(), small_task()], QUICK, seed=0), "tasks must be on one device, got meta and cpu"),
        (lambda: learn(small_task(), QUICK, seed=0), r"must be a list of tasks, got one Task: write \[task\]"),
        (
            lambda: learn([small_task()], replace(QUICK, watch=0.999), seed=0),
            r"at least 2 rows, .* got 0 of 60 \(watch=0.999\)",
        ),
        (
            lambda: learn([double_task()], QUICK, seed=0),
            r"x must be torch.float32 like the weights, got torch.float64: convert with .float\(\)",
        ),
        (lambda: learn([double_task(given=True)], QUICK, seed=0), "x must be torch.float32 like the weights"),
        (lambda: replace(small_task(), y=torch.zeros(60)), r"y must be \(n, outputs\), here \(60, 1\), .* got \(60,\)"),
        (
            lambda: replace(small_task(), given=(torch.ones(7, 3), torch.full((7, 1), torch.nan))),
            "given: y must be finite, got 7 infinite or NaN of 7",
        ),
        (lambda: Settings(clip=-1.0), "clip positive, got 10 and -1.0"),
        (lambda: Settings(n_tr_step=-5), "n_tr_step must be at least 0"),
        (lambda: Settings(length=0.0), "deviation and length must be positive, got 0.1 and 0.0"),
        (lambda: learn([small_task()], Settings(init="noise"), seed=0), "init must be one of .* got 'noise'"),
    ],
)
def test_more_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def on_meta():
    """A task with data on another device. (The data's values, which a meta tensor lacks, are checked before.)"""
    task = small_task()
    object.__setattr__(task, "x", task.x.to("meta"))
    return task


def double_task(given=False):
    """A task of float64, in its data or in its given rows."""
    task = small_task(given=True)
    if given:
        return replace(task, given=tuple(part.double() for part in task.given))
    return replace(task, x=task.x.double(), y=task.y.double())


def test_a_divergence_and_that_nothing_was_learned_are_reported():
    messages = []
    settings = replace(QUICK, init="relu", inner=Optimiser("sgd", 1e30), n_tr_start=20, n_tr_max=20)
    learned = learn([small_task()], settings, seed=3, report=messages.append)
    assert learned.diverged and not learned.changed and messages == learned.problems
    assert messages[0].startswith("diverged in episode 1: a loss or gradient was not finite; try lower rates")
    assert messages[1].startswith("nothing was learned: psi is the initial one; try ")
    assert ("n_tr_step=0" in messages[1]) == (settings.n_tr_step > 0) and "another start than 'relu'" in messages[1]


def test_psi_that_stayed_as_it_was_is_reported(monkeypatch):
    watch = iter([1.0, *[9.0] * 50])  # the first psi is the best
    monkeypatch.setattr(metalearning, "watch_loss", lambda *arguments: next(watch))
    messages = []
    learned = learn([small_task()], QUICK, seed=3, report=messages.append)
    assert not learned.changed and not learned.diverged and not learned.psi["hidden"].any()
    assert messages[-1] == learned.problems[0] and messages[-1].startswith("nothing was learned")


def test_a_run_that_learned_has_no_problems():
    learned = learn([small_task()], QUICK, seed=3)
    assert learned.changed and learned.problems == [] and learned.best_episode > 0
    flat = Learned({}, best_episode=2, history={"outer": [1.0] * 3, "norm": [0.0] * 3})  # no gradient: no step
    assert not flat.changed


def test_a_learned_function_is_a_module_with_its_range():
    network = NETWORKS["input and hidden"]
    psi = {name: values + 0.1 for name, values in network.init_psi("relu").items()}
    learned = Learned(psi, functions=network.functions)
    z = 3 * torch.randn(20, 4, generator=generator())
    for name, g in {"hidden": network.activation, "input": network.input_activation}.items():
        torch.testing.assert_close(learned.module(name)(z), g.value(z, learned.psi[name]))


def test_modules_that_there_are_not():
    with pytest.raises(ValueError, match=r"name must be one of \['hidden'\], got 'input'"):
        Learned(NETWORKS["shared"].init_psi(), functions=NETWORKS["shared"].functions).module("input")
    layerwise = Learned(NETWORKS["layerwise"].init_psi("relu"), functions=NETWORKS["layerwise"].functions)
    with pytest.raises(ValueError, match=r"name must be one of \['hidden.0', 'hidden.1'\], got 'hidden'"):
        layerwise.module()
    assert torch.equal(layerwise.module("hidden.1").values, layerwise.psi["hidden"][1])


def one_row_task(depth=1, rows=1):
    return Task(
        Network(3, 1, width=4, depth=depth, activation=Activation("spline", points=5)),
        torch.rand(rows, 3),
        torch.rand(rows, 1),
        "mse",
    )
