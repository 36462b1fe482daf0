"""Training: update rules against torch.optim, batches, the 50-step average, and whole runs against a plain loop."""

import numpy as np
import pytest
import torch
from torch import nn

from lib.networks import Activation, Network
from lib.training import AVERAGED_STEPS, Batches, Optimiser, WindowAverage, check_data, train

OPTIMISERS = {
    "sgd": (Optimiser("sgd", 0.1), lambda p: torch.optim.SGD(p, 0.1)),
    "momentum": (Optimiser("sgd", 0.1, 0.9), lambda p: torch.optim.SGD(p, 0.1, momentum=0.9)),
    "rmsprop": (Optimiser("rmsprop", 0.02), lambda p: torch.optim.RMSprop(p, 0.02)),
    "adam": (Optimiser("adam", 0.05), lambda p: torch.optim.Adam(p, 0.05)),
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=generator(seed), dtype=dtype)


# --- update rules -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIMISERS)
def test_steps_equal_torch_optim(name):
    ours, make = OPTIMISERS[name]
    params = [draw(3, 4, dtype=torch.float64), draw(5, seed=1, dtype=torch.float64)]
    theirs = [nn.Parameter(p.clone()) for p in params]
    state, optimiser = ours.init(params), make(theirs)
    for step in range(20):
        grads = [draw(*p.shape, seed=10 + step, dtype=torch.float64) * 0.1**step for p in params]
        if step == 3:
            grads = [torch.zeros_like(g) for g in grads]
        before, copies = params, [p.clone() for p in params]
        params, state = ours.step(params, grads, state)
        assert all(torch.equal(a, b) for a, b in zip(before, copies, strict=True))  # nothing in place
        for p, g in zip(theirs, grads, strict=True):
            p.grad = g
        optimiser.step()
        torch.testing.assert_close(params, [p.detach() for p in theirs], rtol=1e-12, atol=1e-14)
    assert state["steps"] == 20


@pytest.mark.parametrize("name", OPTIMISERS)
def test_derivative_of_two_steps_equals_finite_differences(name):
    optimiser = OPTIMISERS[name][0]
    p = draw(6, dtype=torch.float64)

    def two_steps(g):
        params, state = optimiser.step([p], [g], optimiser.init([p]))
        return optimiser.step(params, [g.sin()], state)[0][0]

    assert torch.autograd.gradcheck(two_steps, draw(6, seed=1, dtype=torch.float64).requires_grad_())


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_derivative_is_finite_where_there_never_was_a_gradient(name, dtype):
    optimiser = OPTIMISERS[name][0]
    p, g = torch.ones(4, dtype=dtype), torch.tensor([0.0, 0.0, 1e-30, 2.0], dtype=dtype, requires_grad=True)
    params, state = optimiser.step([p], [g], optimiser.init([p]))
    params, state = optimiser.step(params, [g * 1], state)
    (derivative,) = torch.autograd.grad(params[0].sum(), g)
    assert bool(derivative.isfinite().all())
    assert torch.equal(params[0][:2].detach(), p[:2])


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Optimiser("lbfgs"), "optimiser must be sgd, rmsprop or adam, got 'lbfgs'"),
        (lambda: Optimiser("sgd", 0.0), "lr must be positive and momentum in .*, got 0.0"),
        (lambda: Optimiser("sgd", float("nan")), "lr must be positive .*, got nan"),
        (lambda: Optimiser("sgd", 0.1, 1.0), r"momentum in \[0, 1\), got 0.1 and 1.0"),
        (lambda: Optimiser("sgd", 0.1, -0.5), r"momentum in \[0, 1\), got 0.1 and -0.5"),
        (lambda: Optimiser("adam", 0.1, 0.9), "momentum is for sgd only, got it for 'adam'"),
        (lambda: Batches(0, 5, generator()), "at least 1 row, got 5 and 0"),
        (lambda: Batches(5, 0, generator()), "at least 1 row, got 0 and 5"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# --- batches ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n, size", [(12, 4), (12, 6), (12, 1)])
def test_an_epoch_has_every_row_once(n, size):
    batches = Batches(n, size, generator(1))
    epochs = [torch.cat([batches.next() for _ in range(n // size)]) for _ in range(3)]
    assert all(sorted(epoch.tolist()) == list(range(n)) for epoch in epochs)
    assert not torch.equal(epochs[0], epochs[1]) and not torch.equal(epochs[1], epochs[2])


def test_batches_are_full_and_rows_are_not_repeated_within_an_epoch():
    batches = Batches(11, 4, generator(1))
    for _ in range(3):
        epoch = torch.cat([batches.next(), batches.next()])  # the remaining 3 rows wait for another permutation
        assert epoch.shape == (8,) and len(set(epoch.tolist())) == 8


def test_all_rows_at_once_where_they_fit():
    g = generator(1)
    state = g.get_state()
    assert Batches(5, 5, g).next() is None and Batches(5, 4096, g).next() is None
    assert torch.equal(g.get_state(), state)  # and no randomness is spent


def test_batches_are_reproducible():
    first, second, other = (Batches(20, 6, generator(seed)) for seed in (3, 3, 4))
    drawn = [torch.stack([b.next() for _ in range(7)]) for b in (first, second, other)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


# --- the average over the last 50 steps -------------------------------------------------------------------------------

SCHEDULES = {
    "only the start": [0],
    "before 50": [0, 1, 2, 49],
    "exactly 50": [50],
    "around 50": [49, 50, 51],
    "overlapping": [30, 55, 60, 75, 100, 101, 149, 150],
    "apart": [60, 200],
    "one after the other": [50, 100, 150],
    "every step": list(range(0, 121)),
}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_window_average_equals_the_mean_of_the_last_iterates(name, dtype):
    evaluate_at = SCHEDULES[name]
    iterates = [draw(10, seed=step, dtype=dtype) for step in range(evaluate_at[-1] + 1)]
    average = WindowAverage(iterates[0], evaluate_at)
    for step, weights in enumerate(iterates):
        result = average.update(step, weights)
        if step not in evaluate_at:
            assert result is None
            continue
        window = iterates[max(1, step - AVERAGED_STEPS + 1) : step + 1] or iterates[:1]  # the start is no step
        assert len(window) == max(1, min(step, 50))
        torch.testing.assert_close(result, torch.stack(window).double().mean(0).to(dtype))


def test_window_average_keeps_no_more_than_it_needs():
    weights = torch.ones(3)
    average = WindowAverage(weights, [50, 100, 1000])
    for step in range(1001):
        average.update(step, weights)
        assert len(average.saved) <= 1
    assert average.saved == {}


def test_window_average_does_not_drift_over_a_long_run():
    average = WindowAverage(torch.zeros(1), [20_000])
    for step in range(20_001):
        result = average.update(step, torch.full((1,), 1000.0 if step < 19_900 else 0.125))
    assert result.item() == 0.125


# --- whole runs -------------------------------------------------------------------------------------------------------


def problem(n=40):
    x = draw(n, 6)
    y = (x[:, :3].sum(1) > 0).long() + (x[:, 3] > 0.5).long()
    return x, y


def run(
    *, network=None, psi=None, data=None, optimiser=OPTIMISERS["sgd"][0], evaluate_at=(0, 20, 60), seed=5, **options
):
    network = network or Network(6, 3, width=8, depth=2, activation=Activation("tanh"))
    options = {"loss": "cross_entropy", "monitor": lambda params: {"number": 0.0}, "best": None} | options
    return train(
        network,
        psi or {},
        data or problem(),
        optimiser=optimiser,
        evaluate_at=evaluate_at,
        generator=generator(seed),
        **options,
    )


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("batch", [4096, 16])
def test_training_equals_a_plain_loop(name, batch):
    ours, make = OPTIMISERS[name]
    x, y = problem()
    seen = []
    done = run(
        optimiser=ours, batch=batch, snapshots=True, monitor=lambda params: seen.append(params) or {"n": len(seen)}
    )

    g = generator(5)
    initial = Network(6, 3, width=8, depth=2, activation=Activation("tanh")).init(g)
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3))
    for p, value in zip(model.parameters(), initial, strict=True):
        p.data = value.clone()
    optimiser, order, iterates = make(model.parameters()), [], []
    for _ in range(60):
        if not order:
            order = [slice(None)] if batch > 40 else list(torch.randperm(40, generator=g).split(batch))[:2]
        rows = order.pop(0)
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
        optimiser.step()
        iterates.append([p.detach().clone() for p in model.parameters()])

    def mean(steps):
        return [torch.stack(p).mean(0) for p in zip(*steps, strict=True)]

    close = {"rtol": 2e-4, "atol": 2e-5}
    torch.testing.assert_close(seen[0], initial)
    torch.testing.assert_close(seen[1], mean(iterates[:20]), **close)
    torch.testing.assert_close(seen[2], mean(iterates[10:60]), **close)
    flat = torch.stack([torch.cat([p.flatten() for p in ps]) for ps in (initial, iterates[19], iterates[59])])
    torch.testing.assert_close(done.snapshots, flat, **close)
    assert done.history == {"step": [0, 20, 60], "n": [1, 2, 3]} and not done.diverged
    assert done.best_step == 60 and all(torch.equal(a, b) for a, b in zip(done.params, seen[2], strict=True))


def test_training_with_splines_lowers_the_loss_and_keeps_psi():
    spline = Activation("spline", points=9, low=-2, high=2)
    network = Network(6, 3, width=8, depth=1, activation=spline, input_activation=spline)
    psi = network.init_psi("relu")
    copies = {name: values.clone() for name, values in psi.items()}
    x, y = problem()

    def monitor(params):
        return {"loss": float(nn.functional.cross_entropy(network.forward(params, psi, x), y))}

    losses = run(network=network, psi=psi, monitor=monitor, evaluate_at=(0, 200)).history["loss"]
    assert losses[1] < 0.7 * losses[0]
    assert all(torch.equal(psi[name], copies[name]) for name in copies)


def test_one_hot_pairs_train_as_dense_inputs_do():
    pairs = torch.randint(5, (30, 2), generator=generator()) + torch.tensor([0, 5])
    dense = torch.zeros(30, 10).scatter_(1, pairs, 1.0)
    network, y = Network(10, 3, width=8), torch.randint(3, (30,), generator=generator(1))
    results = [run(network=network, data=(x, y), batch=7).params for x in (pairs, dense)]
    torch.testing.assert_close(*results)


@pytest.mark.parametrize(
    "values, best",
    [
        ([0.2, 0.5, 0.9, 0.7, 0.8], 2),
        ([0.9, 0.5, 0.1, 0.2, 0.3], 0),
        ([0.1, 0.9, 0.3, 0.9, 0.2], 1),
        ([1, 2, 3, 4, 5], 4),
    ],
)
def test_early_stopping_keeps_the_best_step_and_the_first_of_equals(values, best):
    seen, steps = [], (0, 20, 40, 60, 80)

    def monitor(params):
        seen.append([p.clone() for p in params])
        return {"train_accuracy": -values[len(seen) - 1], "validation_accuracy": values[len(seen) - 1]}

    done = run(monitor=monitor, evaluate_at=steps, best="validation_accuracy")
    assert done.best_step == steps[best] and done.history["step"] == list(steps)
    assert done.history["validation_accuracy"] == values
    assert all(torch.equal(a, b) for a, b in zip(done.params, seen[best], strict=True))
    assert run(monitor=lambda params: {"validation_accuracy": 0.5}, evaluate_at=steps).best_step == 80  # best=None


@pytest.mark.parametrize(
    "patience, values, steps, best, stopped",
    [
        (2, [0.2, 0.5, 0.4, 0.5, 0.9], 60, 20, True),  # an equal value is no better
        (3, [0.2, 0.5, 0.4, 0.5, 0.9], 80, 80, False),
        (2, [0.2, 0.5, 0.6, 0.5, 0.4], 80, 40, False),  # patience ends with the last step: the cap decides
        (1, [0.5, 0.4, 0.9, 0.9, 0.9], 20, 0, True),
        (0, [0.5, 0.4, 0.3, 0.2, 0.1], 80, 0, False),
    ],
)
def test_patience_ends_training_that_gets_no_better(patience, values, steps, best, stopped):
    left = iter(values)
    done = run(
        monitor=lambda params: {"validation_accuracy": next(left)},
        evaluate_at=(0, 20, 40, 60, 80),
        best="validation_accuracy",
        patience=patience,
    )
    assert (done.history["step"][-1], done.best_step, done.stopped) == (steps, best, stopped)


@pytest.mark.parametrize("patience, best", [(-1, "number"), (3, None)])
def test_patience_needs_something_to_wait_for(patience, best):
    with pytest.raises(
        ValueError, match=f"patience must be at least 0, and 0 if no number is the best, got {patience}"
    ):
        run(patience=patience, best=best)


def test_early_stopping_helps_where_training_overfits():
    x, x_val, flipped = draw(60, 8), draw(400, 8, seed=2), torch.rand(60, generator=generator(3)) < 0.25
    y, y_val = (x[:, 0] > 0) ^ flipped, (x_val[:, 0] > 0).long()  # a quarter of the labels is wrong
    network = Network(8, 2, width=64)

    def monitor(params):
        return {"validation_accuracy": float((network.forward(params, {}, x_val).argmax(1) == y_val).double().mean())}

    done = run(
        network=network, data=(x, y.long()), monitor=monitor, optimiser=Optimiser("adam", 0.01), evaluate_at=range(0, 301, 10),
        best="validation_accuracy",
    )  # fmt: skip
    curve = done.history["validation_accuracy"]
    assert 0 < done.best_step < 300 and max(curve) > curve[-1]
    assert monitor(done.params)["validation_accuracy"] == max(curve)


@pytest.mark.parametrize("loss, data", [("mse", (draw(40, 6), draw(40, 3, seed=1))), ("cross_entropy", problem())])
def test_divergence_is_flagged_and_keeps_what_was_before(loss, data):
    network = Network(6, 3, width=8)  # ReLU: nothing bounds it
    done = run(
        network=network, data=data, loss=loss, optimiser=Optimiser("sgd", 1e20), evaluate_at=(0, 30, 60), snapshots=True
    )
    assert done.diverged and done.history == {"step": [0], "number": [0.0]} and done.best_step == 0
    assert done.snapshots.shape == (1, sum(p.numel() for p in done.params))
    initial = network.init(generator(5))
    assert all(torch.equal(a, b) for a, b in zip(done.params, initial, strict=True))


def test_same_seed_same_result():
    first, second, other = (run(batch=16, seed=seed) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first.params, second.params, strict=True))
    assert not torch.equal(first.params[0], other.params[0])


def test_no_global_randomness_is_used():
    state = torch.get_rng_state()
    run(batch=16)
    assert torch.equal(torch.get_rng_state(), state)


def test_no_evaluation_at_the_start_is_needed():
    done = run(evaluate_at=(10, 30))
    assert done.history["step"] == [10, 30] and done.snapshots is None


@pytest.mark.parametrize("steps", [[], [10, 5], [5, 5], [-1, 5]])
def test_evaluation_steps_must_increase(steps):
    with pytest.raises(ValueError, match="evaluate_at must be increasing steps from 0, got"):
        run(evaluate_at=steps)


def test_unknown_loss_is_refused():
    with pytest.raises(ValueError, match="loss must be one of .* got 'hinge'"):
        run(loss="hinge")


# --- data that do not fit ---------------------------------------------------------------------------------------------

X, LABELS, BIT = draw(40, 6), problem()[1], draw(40, 1, seed=1).sign().clamp(0)
BAD_DATA = {
    "a list": (X.tolist(), LABELS, "cross_entropy", "x must be a torch.Tensor, got list: convert with torch.as_tensor"),
    "an array": (X, LABELS.numpy(), "cross_entropy", "y must be a torch.Tensor, got ndarray"),
    "two devices": (X, LABELS.to("meta"), "cross_entropy", "one device, got cpu and meta"),
    "integers that are no pairs": (
        X.long(),
        LABELS,
        "cross_entropy",
        r"one-hot pairs: int64, \(n, 2\), .* got torch.int64 \(40, 6\): convert numbers with x.float",
    ),
    "small integers": (X[:, :2].int(), LABELS, "cross_entropy", "got torch.int32"),
    "pairs out of range": (
        torch.full((40, 2), 6),
        LABELS,
        "cross_entropy",
        "from 0 to inputs - 1, here 5; got values from 6 to 6",
    ),
    "negative pairs": (torch.full((40, 2), -1), LABELS, "cross_entropy", "got values from -1 to -1"),
    "other columns": (
        X[:, :5],
        LABELS,
        "cross_entropy",
        r"\(n, 6\) for a network with inputs=6, got torch.float32 \(40, 5\)",
    ),
    "no columns": (X[:, 0], LABELS, "cross_entropy", r"got torch.float32 \(40,\)"),
    "half": (X.half(), LABELS, "cross_entropy", "x must be float32 or float64, .* got torch.float16"),
    "other rows": (X[:30], LABELS, "cross_entropy", r"one row per example, got \(30, 6\) and \(40,\)"),
    "no rows": (X, torch.tensor(1), "cross_entropy", r"got \(40, 6\) and \(\)"),
    "labels from 1": (X, LABELS + 1, "cross_entropy", "from 0 to outputs - 1, here 2, .* got labels from 1 to 3"),
    "negative labels": (X, LABELS - 1, "cross_entropy", "got labels from -1 to 1"),
    "float labels": (
        X,
        LABELS.float(),
        "cross_entropy",
        r"y must be int64 labels, \(n,\), .* got torch.float32 \(40,\)",
    ),
    "one-hot labels": (X, torch.eye(3)[LABELS], "cross_entropy", r"got torch.float32 \(40, 3\)"),
    "a flat target": (
        X,
        X[:, 0],
        "mse",
        r"y must be \(n, outputs\), here \(40, 3\), .* got \(40,\): reshape with y\[:, None\]",
    ),
    "a target that would be broadcast": (X, X[:, :1], "mse", r"here \(40, 3\), for the loss 'mse', got \(40, 1\)"),
    "a target of another precision": (
        X,
        X[:, :3].double(),
        "mse",
        "y must be torch.float32 as x .* got torch.float64: convert",
    ),
    "an integer target": (X, X[:, :3].long(), "mse", "got torch.int64: convert with y.to"),
    "integer targets of pairs": (
        LABELS[:, None].expand(40, 2),
        LABELS[:, None].expand(40, 3),
        "mse",
        "y must be float32 or float64 .* got torch.int64",
    ),
    "integer logistic labels": (
        X,
        torch.ones(40, 3).long(),
        "logistic",
        "y must be torch.float32 as x for the loss 'logistic', got torch.int64",
    ),
    "logistic labels of -1 and 1": (
        X,
        2 * BIT.expand(40, 3) - 1,
        "logistic",
        "y must be 0 or 1 for the loss 'logistic', got -1",
    ),
    "NaN": (
        X.where(X != X[3, 2], torch.nan),
        LABELS,
        "cross_entropy",
        "x must be finite, got 1 infinite or NaN of 240 values",
    ),
    "infinite": (X, X[:, :3] / 0, "mse", "y must be finite, got 120 infinite or NaN of 120 values"),
    "float64": (
        X.double(),
        LABELS,
        "cross_entropy",
        r"x must be torch.float32 like the weights, got torch.float64: convert with .float\(\)",
    ),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_data_that_do_not_fit_are_refused(name):
    x, y, loss, message = BAD_DATA[name]
    with pytest.raises(ValueError, match=message):
        run(data=(x, y), loss=loss)


def test_pairs_are_refused_by_input_activations():
    with pytest.raises(
        ValueError, match=r"input activations need floating-point x, got torch.int64: convert numbers with x.float\(\)"
    ):
        run(
            network=Network(6, 3, width=8, input_activation=Activation("spline")),
            data=(LABELS[:, None].expand(40, 2), LABELS),
        )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_data_that_fit_are_accepted(dtype):
    x, pairs = X.to(dtype), LABELS[:, None].expand(40, 2)
    for inputs in (x, pairs):
        check_data(Network(6, 3), inputs, LABELS, "cross_entropy")
        check_data(Network(6, 1), inputs, x[:, :1], "mse")
        check_data(Network(6, 1), inputs, BIT.to(dtype), "logistic")
        check_data(Network(6, 1), inputs[:0], x[:0, :1], "mse")


@pytest.mark.parametrize(
    "psi", [{}, {"hidden": torch.zeros(7)}, {"hidden": torch.zeros(9), "input": torch.zeros(2, 9)}]
)
def test_psi_must_be_the_networks(psi):
    network = Network(2, 1, width=4, activation=Activation("spline", points=9))
    with pytest.raises(ValueError, match="psi must have the network's names and shapes"):
        train(
            network, psi, (torch.zeros(5, 2), torch.zeros(5, 1)), loss="mse", optimiser=Optimiser("sgd", 0.1), evaluate_at=np.array([0, 1]),
            monitor=lambda params: {}, generator=torch.Generator().manual_seed(0), best=None,
        )  # fmt: skip


def test_steps_may_be_an_array():
    done = train(
        Network(2, 1, width=4), {}, (torch.zeros(5, 2), torch.zeros(5, 1)), loss="mse", optimiser=Optimiser("sgd", 0.1), evaluate_at=np.array([0, 2]),
        monitor=lambda params: {}, generator=torch.Generator().manual_seed(0), best=None,
    )  # fmt: skip
    assert done.history["step"] == [0, 2]
