"""Experiments: splits, accuracies against scikit-learn, whole runs on embedded data, and who may see the test rows."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import percentileofscore
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import StandardScaler

from lib import datasets, metalearning
from lib.learner import family
from lib.metalearning import Settings
from lib.networks import Activation, Network
from lib.training import Optimiser
from notebooks.paper import sections
from notebooks.paper.experiments import checkpoints
from notebooks.paper.experiments import parts as experiments_parts
from notebooks.paper.experiments import train as train_experiments
from notebooks.paper.experiments.learn import Learn
from notebooks.paper.experiments.parts import Rows, accuracy, learned_psi, load_parts, schedule
from notebooks.paper.experiments.race import Pick, Race
from notebooks.paper.experiments.train import Train
from notebooks.paper.records import configuration
from notebooks.paper.records import store as results
from notebooks.paper.records.checkpoint import Checkpoint

SPLINE = Activation("spline", points=15, low=-3, high=3)
QUICK = Settings(episodes=3, n_tr_start=5, n_tr_step=1, unroll=2, inner=Optimiser("sgd", 0.1))
DIGITS = Train(
    section="t",
    role="final",
    arm="ReLU",
    data="digits",
    task="classification",
    network=Network(1, 1, width=12),
    optimiser=Optimiser("sgd", 0.3),
    steps=60,
    seed=1,
    split=0,
    evaluations=4,
)
MODULAR = replace(
    DIGITS, data="a+b mod 13", task="one-hot", optimiser=Optimiser("sgd", 1.0), validation=0.0, complexity=False
)
LEARN = Learn(
    section="t",
    arm="learned",
    data=("digits",),
    task="classification",
    network=Network(1, 1, width=8, depth=1, activation=SPLINE),
    settings=QUICK,
    seed=1,
)
LEARN_MODULAR = replace(LEARN, data=("a+b mod 13",), task="one-hot")


@pytest.fixture
def context(tmp_path):
    store = results.Store(tmp_path / "store", fingerprints=lambda name: f"sha256 of {name}")
    checkpoint = Checkpoint(tmp_path / "checkpoint", "code")
    return SimpleNamespace(store=store, data_dir=None, checkpoint=checkpoint, report=lambda message: None)


def rows_of(x):
    return [tuple(row) for row in x.tolist()]


def test_a_race_a_pick_and_a_learning_from_it(context):
    about = {"section": "t", "arm": "a", "data": "digits", "task": "classification", "seed": 1}
    network = Network(width=8, activation=Activation("spline", points=30))
    run = Race(**about, network=network, optimiser=Optimiser("adam", 0.01), batch=64, steps=8)
    record = context.store.put(run, run.run(context), datetime.now(UTC), 1.0)
    numbers, arrays = record.numbers, record.arrays
    assert numbers["low"] == -numbers["high"] < -numbers["scale"] and len(numbers["names"]) == len(arrays["losses"])
    assert numbers["inner_steps"] == 8 + 28 * 2 + 8 * 4 + 3 * 8 and run.cost > 0
    first = min(i for i, name in enumerate(numbers["names"]) if name.startswith("random"))
    group = "random" if first == 0 else "by_hand"
    np.testing.assert_array_equal(arrays["psi_hidden"], arrays[group])
    pick = Pick(section="t", arm="a", race=record.key, group="random")
    np.testing.assert_array_equal(pick.run(context).arrays["psi_hidden"], arrays["random"])
    functions, z = family(numbers["scale"], 1), np.linspace(numbers["low"], numbers["high"], 30)
    for place, group in enumerate(("second", "third"), 1):
        psi = replace(pick, group=group).run(context).arrays["psi_hidden"]
        expected = functions[numbers["names"][place]](torch.from_numpy(z))
        np.testing.assert_allclose(psi, expected, rtol=1e-5, atol=1e-6)
        assert np.isfinite(arrays["losses"][place]).all()  # it was in all heats
    start = context.store.put(pick, pick.run(context), datetime.now(UTC), 1.0).key
    network = replace(network, activation=replace(network.activation, low=numbers["low"], high=numbers["high"]))
    learn = replace(LEARN, network=network, start=start, settings=replace(QUICK, outer=Optimiser("sgd", 1e-30)))
    assert learn.reads == (start,) and LEARN.reads == ()
    np.testing.assert_array_equal(learn.run(context).arrays["psi_hidden"], arrays["random"])
    with pytest.raises(ValueError, match="group must be one of .*, got 'both'"):
        replace(pick, group="both")
    with pytest.raises(ValueError, match="the store has no record 'race-0123456789ab'"):
        replace(pick, race="race-0123456789ab").run(context)


# --- splits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, task", [("digits", "classification"), ("breast_cancer", "binary"), ("a+b mod 13", "one-hot")]
)
@pytest.mark.parametrize("split", [0, 5])
def test_parts_are_disjoint_and_complete(name, task, split):
    parts, data = load_parts(name, task, split, 0.2), datasets.load(name, seed=split)
    train, validation, test = (rows_of(part.x) for part in (parts.train, parts.validation, parts.test))
    everything = train + validation + test
    assert len(everything) == len(data.x_train) + len(data.x_test)
    assert len(set(everything)) == len(everything)  # so no row is in two parts
    assert len(validation) == round(0.2 * len(data.x_train)) and len(test) == len(data.x_test)
    whole = load_parts(name, task, split, 0.0)
    assert whole.validation is None
    assert rows_of(whole.test.x) == test and sorted(rows_of(whole.train.x)) == sorted(train + validation)


@pytest.mark.parametrize(
    "name, task", [("digits", "regression"), ("breast_cancer", "binary"), ("a+b mod 13", "one-hot")]
)
def test_a_split_is_reproducible_and_moves_with_its_seed(name, task):
    first, second, other = (load_parts(name, task, split, 0.2) for split in (3, 3, 4))
    assert torch.equal(first.train.x, second.train.x) and torch.equal(first.validation.y, second.validation.y)
    assert set(rows_of(first.validation.x)) != set(rows_of(other.validation.x))
    assert (rows_of(first.test.x) == rows_of(other.test.x)) == (name == "digits")  # images have a test set of their own


@pytest.mark.parametrize("task, outputs", [("classification", 10), ("regression", 1), ("one-hot", 10)])
def test_targets_and_sizes_of_images(task, outputs):
    parts = load_parts("digits", task, 0, 0.1)
    assert (parts.inputs, parts.outputs, parts.classes) == (64, outputs, 10)
    labels = {
        "classification": lambda y: y,
        "regression": lambda y: ((y[:, 0] + 1) * 4.5).round().long(),
        "one-hot": lambda y: y.argmax(1),
    }
    for rows in (parts.train, parts.validation, parts.test):
        assert torch.equal(labels[task](rows.y), rows.labels) and len(rows) == len(rows.x)


def test_targets_of_tables_and_tasks():
    parts = load_parts("breast_cancer", "binary", 0, 0.1)
    assert (parts.inputs, parts.outputs, parts.classes) == (30, 1, 2)
    assert parts.train.y.shape == (len(parts.train), 1) and torch.equal(parts.train.y[:, 0].long(), parts.train.labels)
    parts = load_parts("a+b mod 13", "one-hot", 0, 0.1)
    assert (parts.inputs, parts.outputs) == (26, 13)
    for rows in (parts.train, parts.validation, parts.test):
        a, b = rows.x[:, 0], rows.x[:, 1] - 13  # the indices of the ones among 26 inputs
        assert bool((a < 13).all()) and bool((b >= 0).all())
        assert torch.equal((a + b) % 13, rows.labels) and torch.equal(rows.y.argmax(1), rows.labels)


def test_rows_can_be_cut():
    rows = Rows(torch.arange(6.0)[:, None], torch.arange(6), torch.arange(6) * 2)
    assert len(rows[:4]) == 4 and rows[torch.tensor([5, 0])].labels.tolist() == [10, 0]


def test_learning_and_selection_see_the_same_rows(context, monkeypatch):
    """And the rows by which restarts are selected are none that an activation was learned from."""
    seen = {}

    class Stop(Exception):
        pass

    def stop_learn(tasks, *arguments, **options):
        seen["learn"] = tasks
        raise Stop

    def stop_train(network, psi, data, **options):
        seen["train"] = data
        raise Stop

    monkeypatch.setattr(checkpoints, "learn", stop_learn)
    monkeypatch.setattr(train_experiments, "train", stop_train)
    for run in (replace(LEARN, split=2), replace(DIGITS, split=2)):
        with pytest.raises(Stop):
            run.run(context)
    task = seen["learn"][0]
    assert torch.equal(task.x, seen["train"][0]) and torch.equal(task.y, seen["train"][1])
    parts = load_parts("digits", "classification", 2, 0.1)
    assert set(rows_of(task.x)).isdisjoint(rows_of(parts.validation.x)) and len(parts.validation) == 144


# --- accuracy and schedules -------------------------------------------------------------------------------------------


def drawn(n, outputs, classes, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, outputs, generator=g), torch.randint(classes, (n,), generator=g)


@pytest.mark.parametrize("task", ["classification", "one-hot"])
def test_accuracy_of_classes_equals_scikit_learn(task):
    outputs, labels = drawn(200, 5, 5)
    rows = Rows(outputs, datasets.targets(labels, 5, task), labels)
    expected = accuracy_score(labels.numpy(), outputs.numpy().argmax(1))
    assert accuracy(outputs, rows, task, 5) == pytest.approx(expected) and 0.1 < expected < 0.4


def test_accuracy_of_binary_labels_equals_scikit_learn():
    outputs, labels = drawn(200, 1, 2)
    expected = accuracy_score(labels.numpy(), outputs.numpy()[:, 0] > 0)
    assert accuracy(outputs, Rows(outputs, labels.float()[:, None], labels), "binary", 2) == pytest.approx(expected)


def test_accuracy_of_regression_takes_the_nearest_class():
    outputs, labels = drawn(200, 1, 7)
    ids = np.linspace(-1, 1, 7)
    expected = accuracy_score(labels.numpy(), np.abs(outputs.numpy() - ids).argmin(1))
    rows = Rows(outputs, datasets.targets(labels, 7, "regression"), labels)
    assert accuracy(outputs, rows, "regression", 7) == pytest.approx(expected)
    assert accuracy(rows.y, rows, "regression", 7) == 1.0


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ((100, 4, False), [0, 25, 50, 75, 100]),
        ((10, 3, False), [0, 3, 7, 10]),
        ((5, 5, False), [0, 1, 2, 3, 4, 5]),
        ((7, 1, False), [0, 7]),
        ((7, 1, True), [0, 7]),
        ((1000, 4, True), [0, 1, 10, 100, 1000]),
        ((1, 1, True), [0, 1]),
    ],
)
def test_schedule(arguments, expected):
    assert schedule(*arguments) == expected


def test_log_spaced_schedule_has_no_step_twice_and_ends_at_the_end():
    steps = schedule(60_000, 300, True)
    assert steps[:4] == [0, 1, 2, 3] and steps[-1] == 60_000 and steps == sorted(set(steps))
    ratios = [b / a for a, b in zip(steps[100:], steps[101:], strict=False)]
    assert max(ratios) < 1.06 and min(ratios) > 1.01


@pytest.mark.parametrize("evaluations", [0, 11])
def test_schedule_refuses(evaluations):
    with pytest.raises(ValueError, match=rf"evaluations must be from 1 to steps \(10\), got {evaluations}"):
        schedule(10, evaluations, False)


# --- scaling ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data, task", [("breast_cancer", "binary"), ("digits", "classification")])
def test_scalings_equal_scikit_learn_and_scipy_by_the_training_rows(data, task):
    plain, standard, quantile = (
        load_parts(data, task, 3, 0.2, scaling=scaling) for scaling in experiments_parts.SCALINGS
    )
    x = plain.train.x.double().numpy()
    varied = x.std(axis=0) > 0
    scaler = StandardScaler().fit(x)
    for name in ("train", "validation", "test"):
        rows, as_standard, as_ranks = (getattr(parts, name) for parts in (plain, standard, quantile))
        factor = np.sqrt((len(x) - 1) / len(x))  # of the unbiased standard deviation
        np.testing.assert_allclose(
            as_standard.x[:, varied], factor * scaler.transform(rows.x)[:, varied], rtol=1e-3, atol=1e-4
        )
        assert not as_standard.x[:, ~varied].any()
        for column in (0, 20):
            expected = [
                2 * percentileofscore(x[:, column], value, "mean") / 100 - 1 for value in rows.x[:, column].double()
            ]
            np.testing.assert_allclose(as_ranks.x[:, column], expected, atol=1e-6)
        assert torch.equal(as_ranks.y, rows.y) and torch.equal(as_standard.labels, rows.labels)
        assert as_ranks.x.abs().max() <= 1
    assert not np.allclose(plain.train.x, standard.train.x)


def test_scalings_are_refused_where_they_do_not_fit():
    with pytest.raises(ValueError, match=r"scaling must be one of .* got 'minmax'"):
        load_parts("digits", "classification", 0, 0.1, scaling="minmax")
    with pytest.raises(ValueError, match="scaling must be 'default' for one-hot operands, got 'quantile'"):
        load_parts("a+b mod 13", "one-hot", 0, 0.1, scaling="quantile")


def test_what_was_learned_on_scaled_inputs_was_learned_on_them(context, monkeypatch):
    seen = []
    monkeypatch.setattr(checkpoints, "learn", lambda tasks, *rest, **options: seen.append(tasks[0].x))
    for scaling in experiments_parts.SCALINGS:
        with pytest.raises(AttributeError):  # of the result that there is not
            replace(LEARN, scaling=scaling).run(context)
        assert torch.equal(seen[-1], load_parts("digits", "classification", 0, 0.1, scaling=scaling).train.x)


# --- training ---------------------------------------------------------------------------------------------------------


def test_train_on_digits(context):
    outcome = DIGITS.run(context)
    numbers, history = outcome.numbers, outcome.arrays
    assert history["step"].tolist() == [0, 15, 30, 45, 60]
    assert history["validation_accuracy"].max() > 0.5 > history["validation_accuracy"][0]
    best = int(np.argmax(history["validation_accuracy"]))
    assert numbers["best_step"] == history["step"][best]
    for name in (
        "train_loss",
        "validation_loss",
        "test_loss",
        "train_accuracy",
        "validation_accuracy",
        "test_accuracy",
        "tv",
    ):
        assert numbers[name] == history[name][best]
    assert numbers["test_accuracy_max"] == history["test_accuracy"].max()
    assert numbers["train_accuracy_last"] == history["train_accuracy"][-1]
    assert numbers["tv"] > 0 and numbers["tv_standard_error"] > 0 and numbers["diverged"] is False
    assert "pre_activations" not in history


def test_train_on_pairs(context):
    run = replace(MODULAR, steps=400, network=Network(1, 1, width=32), evaluations=10, log_spaced=True)
    numbers, history = (outcome := run.run(context)).numbers, outcome.arrays
    assert numbers["best_step"] == 400  # without validation rows, the last step counts
    assert "validation_accuracy" not in numbers and "tv" not in numbers
    assert history["train_loss"][-1] < 0.9 * history["train_loss"][0]
    assert numbers["test_steps_to_95"] is None and history["step"][-1] == 400
    assert replace(run, complexity=True, steps=20, evaluations=1).run(context).numbers["tv"] >= 0  # of one-hot pairs


@pytest.mark.parametrize("run", [DIGITS, MODULAR, replace(DIGITS, data="breast_cancer", task="binary", batch=50)])
def test_same_seed_same_numbers(context, run):
    first, second, other = (one.run(context) for one in (run, run, replace(run, seed=2)))
    assert first.numbers == second.numbers and first.numbers != other.numbers
    assert all(np.array_equal(first.arrays[name], second.arrays[name]) for name in first.arrays)


def test_steps_to_95_are_those_of_the_curve(context):
    run = replace(DIGITS, data="wine", task="binary", optimiser=Optimiser("adam", 0.05), steps=100, evaluations=20)
    numbers, history = (outcome := run.run(context)).numbers, outcome.arrays
    reached = history["step"][history["train_accuracy"] >= 0.95]
    assert numbers["train_steps_to_95"] == reached[0] > 0


def test_a_diverged_run_is_recorded(context):
    numbers = replace(DIGITS, optimiser=Optimiser("sgd", 1e25)).run(context).numbers
    assert numbers["diverged"] is True and numbers["best_step"] == 0
    assert all(number is None or math.isfinite(number) for number in numbers.values())


def test_patience_ends_a_run_and_its_record_says_what_did(context):
    run = replace(DIGITS, steps=4000, evaluations=80, complexity=False)
    assert "stopped" not in replace(run, steps=50, evaluations=5).run(context).numbers  # as in records without patience
    done = replace(run, patience=5).run(context)
    curve, steps = done.arrays["validation_accuracy"], done.arrays["step"]
    assert done.numbers["stopped"] == "patience" and steps[-1] < 4000
    assert len(curve) - 1 == int(np.argmax(curve)) + 5 and done.numbers["best_step"] == steps[int(np.argmax(curve))]
    assert replace(run, steps=50, evaluations=5, patience=5).run(context).numbers["stopped"] == "cap"
    assert replace(run, patience=5, optimiser=Optimiser("sgd", 1e25)).run(context).numbers["stopped"] == "diverged"


def test_test_labels_decide_nothing(context, monkeypatch):
    """With other test labels, a run has the same weights, best step and validation curve."""
    clean, load = DIGITS.run(context), datasets.load

    def poisoned(*arguments, **options):
        data = load(*arguments, **options)
        return replace(data, y_test=(data.y_test + 1) % 10, x_test=data.x_test.flip(1))

    monkeypatch.setattr(datasets, "load", poisoned)
    other = DIGITS.run(context)
    assert other.numbers["test_accuracy"] != clean.numbers["test_accuracy"]
    for name in ("train_loss", "validation_loss", "validation_accuracy", "tv"):
        assert np.array_equal(other.arrays[name], clean.arrays[name])
    assert other.numbers["best_step"] == clean.numbers["best_step"]


# --- learning ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", [LEARN, LEARN_MODULAR])
def test_learn_and_use_what_was_learned(context, run):
    outcome = run.run(context)
    assert outcome.arrays["psi_hidden"].shape == (15,) and np.isfinite(outcome.arrays["psi_hidden"]).all()
    assert outcome.arrays["history_n_tr"].tolist() == [5, 6, 7] and outcome.numbers["inner_steps"] == 18
    assert outcome.numbers["episodes"] == 3 and outcome.numbers["diverged"] is False
    assert outcome.numbers["watch_loss"] == outcome.arrays["history_watch"][outcome.numbers["best_episode"]]
    record = context.store.put(run, outcome, *when())
    psi = learned_psi(context.store, record.key)
    assert set(psi) == {"hidden"} and torch.equal(psi["hidden"], torch.from_numpy(outcome.arrays["psi_hidden"]))

    base = DIGITS if run is LEARN else MODULAR
    reuse = replace(base, arm="learned", network=replace(run.network, width=16), learned=record.key)
    used = reuse.run(context)
    density = used.arrays["pre_activations"]
    assert density.shape == (15,) and density.sum() == pytest.approx(1) and (density >= 0).all()
    assert used.arrays["train_loss"][-1] < used.arrays["train_loss"][0]
    # with psi = 0 instead, the outputs do not depend on the inputs
    zeros = replace(outcome, arrays=outcome.arrays | {"psi_hidden": np.zeros(15, np.float32)})
    context.store.put(run, zeros, *when())
    assert reuse.run(context).numbers["test_accuracy"] < 0.3


def when():
    return datetime.now(UTC), 1.0


def test_same_seed_same_activation(context):
    outcomes = []
    for seed in (1, 1, 2):
        context.checkpoint.remove()
        outcomes.append(replace(LEARN, seed=seed).run(context))
    first, second, other = (outcome.arrays["psi_hidden"] for outcome in outcomes)
    assert np.array_equal(first, second) and not np.array_equal(first, other)


def test_learning_goes_on_from_its_checkpoint(context):
    messages = []
    context.report = messages.append
    whole = LEARN.run(context)
    assert context.checkpoint.path.is_file() and len(messages) == 3
    again = LEARN.run(context)
    assert len(messages) == 3 and np.array_equal(again.arrays["psi_hidden"], whole.arrays["psi_hidden"])


def test_several_datasets_and_input_activations(context):
    network = Network(1, 1, width=6, depth=1, activation=SPLINE)
    learned = replace(LEARN, data=("wine", "breast_cancer"), task="binary", network=network).run(context)
    assert set(learned.arrays) == {"psi_hidden", "history_outer", "history_watch", "history_n_tr", "history_norm"}
    network = Network(
        1, 1, width=6, depth=1, activation=Activation("tanh"), input_activation=replace(SPLINE, low=-1.0, high=1.0)
    )
    context.checkpoint.remove()
    run = replace(LEARN, data=("wine",), task="binary", network=network)
    learned = run.run(context)
    assert learned.arrays["psi_input"].shape == (13, 15)
    record = context.store.put(run, learned, *when())
    used = replace(DIGITS, data="wine", task="binary", network=network, learned=record.key).run(context)
    assert used.numbers["train_accuracy"] > 0.5 and "pre_activations" not in used.arrays


def test_a_diverged_restart_is_recorded(context):
    outcome = replace(LEARN, settings=replace(QUICK, init="relu", n_tr_start=30, inner=Optimiser("sgd", 1e25))).run(
        context
    )
    assert (
        outcome.numbers["diverged"] is True and outcome.numbers["episodes"] == 0 and "watch_loss" not in outcome.numbers
    )
    assert np.isfinite(outcome.arrays["psi_hidden"]).all()


@pytest.mark.parametrize("given, touched", [("", False), ("test", True)])
def test_only_the_cheating_variant_touches_test_rows(context, monkeypatch, given, touched):
    """Test rows that are not numbers stop a run that looks at them, and no other."""
    load, seen = datasets.load, []

    def poisoned(*arguments, **options):
        data = load(*arguments, **options)
        return replace(data, x_test=torch.full_like(data.x_test, torch.nan))

    def learn(tasks, *arguments, learn=metalearning.learn, **options):
        seen.extend(tasks)
        return learn(tasks, *arguments, **options)

    monkeypatch.setattr(checkpoints, "learn", learn)
    run = replace(LEARN, given=given, settings=replace(QUICK, objective="given" if given else "validation"))
    run.run(context)
    parts = load_parts("digits", "classification", 0, 0.1)
    assert set(rows_of(seen[0].x)).isdisjoint(rows_of(parts.test.x))
    assert torch.equal(seen[0].given[0], parts.test.x) if touched else seen[0].given is None
    monkeypatch.setattr(datasets, "load", poisoned)
    context.checkpoint.remove()
    if touched:
        with pytest.raises(ValueError, match="given: x must be finite"):
            run.run(context)
    else:
        assert not run.run(context).numbers["diverged"]


def test_the_cheating_objective_needs_the_test_rows(context):
    with pytest.raises(ValueError, match="objective 'given' needs a task with given rows"):
        replace(LEARN, settings=replace(QUICK, objective="given")).run(context)


def test_a_missing_activation_is_an_error(context):
    with pytest.raises(ValueError, match="the store has no record 'learn-0123456789ab'; compute it first"):
        replace(DIGITS, network=LEARN.network, learned="learn-0123456789ab").run(context)


def test_a_task_must_be_known():
    with pytest.raises(ValueError, match="task must be .* got 'ranking'"):
        load_parts("digits", "ranking", 0, 0.1)


# --- configurations ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", [DIGITS, LEARN, LEARN_MODULAR])
def test_configurations_survive_a_round_trip(run):
    assert configuration.rebuild(configuration.config(run), sections.KINDS) == run


def test_cost_grows_with_the_work():
    assert replace(DIGITS, steps=120).cost == 2 * DIGITS.cost > 0
    assert replace(LEARN, settings=replace(QUICK, episodes=300)).cost > 99 * LEARN.cost > 0
    assert DIGITS.datasets == ("digits",) and LEARN_MODULAR.datasets == ("a+b mod 13",)


def test_tasks_of_different_sizes_count_equally_in_joint_learning():
    alone = replace(LEARN_MODULAR, data=("a+b mod 7",))
    assert alone.loss == "mse" and replace(alone, data=("a+b mod 7", "a+b mod 13")).loss == "sse"
    assert replace(LEARN, data=("digits", "noisy_digits")).loss != "sse"
