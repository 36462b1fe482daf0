"""Calls that are easily made wrong: each works or is refused with a message that names the rule and the value."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch

from lib.metalearning import Learned, Settings, Task, learn
from lib.modules import ModuleNetwork
from lib.networks import Activation, Network
from lib.splines import Spline
from lib.training import Optimiser, train

SPLINE = Activation("spline", points=7, low=-2, high=2)
QUICK = Settings(episodes=2, n_tr_start=2, n_tr_step=0, unroll=1)


def task(network=None, n=20, **changes):
    x = torch.rand(n, 3, generator=torch.Generator().manual_seed(0))
    return replace(
        Task(network or Network(3, 1, width=4, depth=1, activation=SPLINE), x, x[:, :1] * x[:, 1:2], "mse"), **changes
    )


def fit(monitor, psi=None, evaluate_at=(10, 20), rate=0.1, **options):
    t = task(Network(3, 1, width=4))
    generator, optimiser = torch.Generator().manual_seed(0), Optimiser("sgd", rate)
    return train(
        t.network, {} if psi is None else psi, (t.x, t.y), loss="mse", optimiser=optimiser,
        evaluate_at=evaluate_at, monitor=monitor, generator=generator, best="score", **options,
    )  # fmt: skip


LABELS = torch.zeros(20, dtype=torch.int64)
LEARNED = Learned(task().network.init_psi(), functions=task().network.functions)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Network(3, 1, activation="tanh"), r"activation must be an Activation, such as Activation\('tanh'\), got 'tanh'"),
        (lambda: Network(3, 1, activation=torch.nn.ReLU()), r"activation must be an Activation, such as .*, got ReLU\(\)"),
        (lambda: Network(3, 1, input_activation=Activation("relu")), "input_activation must be a spline, .* got 'relu'"),
        (lambda: Network(3, 1, width=8.0), "width must be an integer, got 8.0"),
        (lambda: Activation("spline", points=9.5), "points must be an integer, got 9.5"),
        (lambda: Activation("spline", low="a"), "low must be a number, got 'a'"),
        (lambda: Activation("spline", low=10**400), "low must be a number|must be finite"),
        (lambda: Settings(inner=0.01), r"inner must be an Optimiser, such as Optimiser\('adam', 0.01\), got 0.01"),
        (lambda: Settings(outer="adam"), "outer must be an Optimiser, .* got 'adam'"),
        (lambda: learn([task()], QUICK, seed=None), "seed must be an integer, got None"),
        (lambda: learn([task()], QUICK, seed=0.5), "seed must be an integer, got 0.5"),
        (lambda: learn([task()], QUICK, seed=20261130120000), "seed must be at most 8796093022208 in size, got 20261130120000"),
        (lambda: Spline(np.zeros(5)), "values must be a torch.Tensor, got ndarray: convert with torch.as_tensor"),
        (lambda: Spline(torch.arange(5)), "values must be floating-point, got torch.int64"),
        (lambda: fit(lambda p: {"score": 0.0}, LEARNED), "psi must be a dict of tensors, got Learned: write psi=learned.psi"),
        (lambda: task(x=torch.rand(20, 3, requires_grad=True)), r"x must be plain data, this requires grad: give x.detach\(\)"),
        (lambda: task(network="mlp"), "network must be a Network or a ModuleNetwork, got str"),
        (lambda: Learned({}).module(), r"name must be one of \[\], got 'hidden'"),
    ],
)  # fmt: skip
def test_obscure_calls_are_refused_with_the_rule_and_the_value(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_numbers_of_numpy_are_numbers():
    g = Activation("spline", points=np.int64(7), low=np.float32(-3), high=np.float64(3))
    assert (type(g.points), type(g.low), type(g.high)) == (int, float, float)
    assert learn([task()], QUICK, seed=np.int64(3)).history == learn([task()], QUICK, seed=3).history


@pytest.mark.parametrize(
    "mode",
    [
        torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu", torch.bfloat16), lambda: torch.device("meta"),
        nullcontext,
    ],
    ids=["no_grad", "inference", "autocast", "default device", "none"],
)  # fmt: skip
def test_learning_does_not_depend_on_the_callers_modes(mode):
    here = task()
    expected = learn([here], QUICK, seed=1)
    with mode():
        learned = learn([here], QUICK, seed=1)
    assert learned.history == expected.history and learned.changed == expected.changed
    assert torch.equal(learned.psi["hidden"], expected.psi["hidden"])


def test_data_made_under_inference_mode_are_refused():
    with torch.inference_mode():
        x = torch.rand(20, 3)
    with pytest.raises(ValueError, match="x must be plain data, this was made under torch.inference_mode"):
        task(x=x)


# --- silent traps -----------------------------------------------------------------------------------------------------


def test_two_columns_of_integers_are_no_pairs():
    x = torch.randint(0, 2, (20, 2))
    with pytest.raises(ValueError, match=r"got torch.int64 \(20, 2\) for inputs=2: convert numbers with x.float\(\)"):
        Task(Network(2, 1, width=4, depth=1, activation=SPLINE), x, torch.rand(20, 1), "mse")


@pytest.mark.parametrize("other", [{"low": -1}, {"points": 9}, {"method": "cubic"}])
def test_tasks_with_different_functions_are_refused(other):
    with pytest.raises(ValueError, match="tasks must share the range, points and kind of what is learned"):
        learn([task(), task(Network(3, 1, width=4, depth=1, activation=replace(SPLINE, **other)))], QUICK, seed=0)


@pytest.mark.parametrize("outputs, y, loss", [(2, LABELS, "cross_entropy"), (1, LABELS[:, None].float(), "logistic")])
def test_a_single_class_is_refused(outputs, y, loss):
    with pytest.raises(ValueError, match="y must hold at least 2 classes, all 20 labels are 0"):
        Task(Network(3, outputs, width=4, depth=1, activation=SPLINE), torch.rand(20, 3), y, loss)


def test_a_score_that_is_never_a_number_is_refused():
    with pytest.raises(ValueError, match="the monitored 'score' must be a number, got nan at every evaluation"):
        fit(lambda params: {"score": float("nan")})
    scores = iter([float("nan"), 0.5])
    assert fit(lambda params: {"score": next(scores)}).best_step == 20  # one number is enough


def test_weights_that_are_no_numbers_are_a_divergence():
    done = fit(lambda params: {"score": float(params[0].sum() * 0)}, evaluate_at=(100,), rate=1e20)
    assert done.diverged


def test_advice_does_not_name_what_is_so_already():
    unmoved = replace(LEARNED, settings=QUICK)
    assert "n_tr_step" not in unmoved.problems[0] and "another start than 'zeros'" in unmoved.problems[0]
    assert "n_tr_step=0, not 10" in replace(LEARNED, settings=Settings()).problems[0]
    assert "unroll" in replace(LEARNED, settings=replace(QUICK, unroll=0)).problems[0]


def test_inputs_that_are_not_scaled_and_ranges_that_are_too_narrow_are_named_and_nothing_else():
    assert [p for p in learn([task()], QUICK, seed=0).problems if "outside" in p or "scale" in p] == []
    large = learn([task(x=1000 * task().x)], QUICK, seed=0)
    assert "inputs are as large as 9" in " ".join(large.problems) and large.outside["hidden"] > 0.5
    assert "of the pre-activations are outside [-2, 2]: widen the range" in " ".join(large.problems)
    inputs = Network(3, 1, width=4, input_activation=replace(SPLINE, low=0, high=0.5))
    assert "of the inputs are outside [0, 0.5]: widen the range" in " ".join(
        learn([task(inputs)], QUICK, seed=0).problems
    )


def test_a_module_is_told_of_values_outside_too():
    def make_model(g):
        return torch.nn.Sequential(torch.nn.Linear(3, 4), g, torch.nn.Linear(4, 1))

    narrow = task(ModuleNetwork(make_model, replace(SPLINE, low=-0.01, high=0.01)))
    assert learn([narrow], QUICK, seed=0).outside["hidden"] > 0.5
