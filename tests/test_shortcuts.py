from dataclasses import replace

import numpy as np
import pytest
import torch
from given import Given

from lib import metrics
from lib.datasets import catalogue
from lib.metalearning import Settings
from lib.networks import Activation, Network
from lib.training import Optimiser
from notebooks.paper import sections
from notebooks.paper.data import open_store
from notebooks.paper.experiments import checkpoints
from notebooks.paper.experiments.collage import LearnCollage, TrainCollage, load, stops, unambiguous, validation_halves
from notebooks.paper.experiments.tiles import collage, halve
from notebooks.paper.records import sweep
from notebooks.paper.records.configuration import config, rebuild
from notebooks.paper.records.store import Store
from notebooks.paper.sections import SECTIONS
from notebooks.paper.shortcuts import figures, tables
from notebooks.paper.shortcuts.figures import ARMS, activations, comparison, functions, reliance, trajectories
from notebooks.paper.shortcuts.plan import LEARNED, PLANS, RELU, shortcuts
from notebooks.paper.shortcuts.tables import arm_name, bounds, gain, names, runs

SPLINE = Activation("spline", points=20, low=-2.0, high=2.0)
SETTINGS = Settings(init="relu", episodes=2, n_tr_start=5, n_tr_step=0, watch=0.0, objective="given")


def a_run(**changes):
    run = TrainCollage(
        section="shortcuts",
        role="final",
        arm=RELU,
        first="digits",
        second="noisy_digits",
        network=Network(1, 1, width=16),
        optimiser=Optimiser("sgd", 0.1),
        steps=60,
        seed=1,
        split=0,
        half=False,
        evaluations=8,
    )
    return replace(run, **changes)


def a_learn(**changes):
    learn = LearnCollage(
        section="shortcuts",
        arm=LEARNED["second"],
        first="digits",
        second="noisy_digits",
        tile="second",
        network=Network(1, 1, width=8, depth=1, activation=SPLINE),
        settings=SETTINGS,
        seed=0,
        half=False,
    )
    return replace(learn, **changes)


@pytest.fixture
def compute(tmp_path):
    store = open_store(tmp_path / "results")

    def run(*experiments):
        sweep.run_here(iter([list(experiments)]), store)
        return [store.get(experiment) for experiment in experiments]

    run.store = store
    return run


# --- collages -----------------------------------------------------------------------------------------


def test_halving_is_the_mean_over_pixels_and_colours():
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 6, 3), dtype=np.uint8)
    halved = halve(images)
    expected = [
        [[image[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean() for j in range(3)] for i in range(2)] for image in images
    ]
    assert halved.dtype == np.uint8
    np.testing.assert_allclose(halved, expected, atol=0.5 + 1e-9)
    np.testing.assert_array_equal(halve(np.full((1, 2, 2, 3), 255, dtype=np.uint8)), [[[255]]])


def test_halving_needs_even_sizes():
    with pytest.raises(ValueError, match=r"even to be halved, got \(3, 4\)"):
        halve(np.zeros((1, 3, 4), dtype=np.uint8))


def test_half_collages_are_the_same_collages_halved():
    whole, half = (collage("digits", "noisy_digits", seed=3, half=half) for half in (False, True))
    assert half.shape == (8, 4) and half.y_train.equal(whole.y_train)
    pixels = 16 * whole.x_train.numpy().reshape(-1, 16, 8)
    np.testing.assert_array_equal(16 * half.x_train.numpy().reshape(-1, 8, 4), halve(np.rint(pixels).astype(np.uint8)))


@pytest.mark.parametrize("tile", ["first", "second"])
def test_only_one_tile_predicts_in_unambiguous_collages(tile):
    data = collage("digits", "noisy_digits", seed=0)
    x = unambiguous(data.x_train, tile, generator=torch.Generator().manual_seed(0))
    kept, mixed = (slice(64), slice(64, 128)) if tile == "first" else (slice(64, 128), slice(64))
    assert x[:, kept].equal(data.x_train[:, kept])
    moved = (x[:, mixed] != data.x_train[:, mixed]).any(dim=1)
    assert moved.float().mean() > 0.98
    both = [sorted(map(bytes, part[:, mixed].contiguous().numpy())) for part in (x, data.x_train)]
    assert both[0] == both[1]  # the same tiles in another order


def test_unambiguous_needs_a_tile():
    with pytest.raises(ValueError, match="tile must be one of .* got 'third'"):
        unambiguous(torch.zeros(2, 2), "third", generator=torch.Generator())


def test_the_halves_of_a_validation_set_are_disjoint_and_complete():
    data = collage("digits", "noisy_digits", seed=0)
    (x, y), (x_other, y_other) = validation_halves(data, "second")
    assert torch.cat([x, x_other]).equal(data.validation_second[0])
    assert torch.cat([y, y_other]).equal(data.validation_second[1])
    assert abs(len(y) - len(y_other)) <= 1


# --- experiments --------------------------------------------------------------------------------------


def test_a_run_follows_the_accuracy_on_both_tiles(compute):
    (record,) = compute(a_run())
    history, data = record.arrays, load("digits", "noisy_digits", False, 0)
    assert history["step"][0] == 0 and history["step"][-1] == 60
    network = Network(128, 10, width=16)
    params = network.init(torch.Generator().manual_seed(1))  # the initial network is evaluated first
    for name in ("test_first", "test_second"):
        x, y = getattr(data, name)
        assert history[name][0] == pytest.approx(metrics.accuracy(network.forward(params, {}, x), y))
    assert record.numbers["last_first"] == history["test_first"][-1]
    assert history["test_first"][-1] > 0.3 and history["test_second"][-1] < 0.3


def test_unambiguous_training_reverses_the_reliance(compute):
    first, second = compute(*(a_run(unambiguous=tile, steps=150) for tile in ("first", "second")))
    assert first.numbers["last_first"] > 0.5 and first.numbers["last_second"] < 0.2
    assert second.numbers["last_second"] > 0.4 and second.numbers["last_first"] < 0.2


def test_early_stopping_reads_the_test_accuracies_where_validation_is_best():
    history = {
        "step": np.array([0, 10, 20, 30]),
        "validation_first": np.array([0.1, 0.5, 0.7, 0.6]),
        "validation_second": np.array([0.1, 0.4, 0.3, 0.4]),  # the first of equals
        "test_first": np.array([0.11, 0.51, 0.71, 0.81]),
        "test_second": np.array([0.12, 0.42, 0.52, 0.22]),
    }
    numbers = stops(history)
    assert (numbers["by_first_step"], numbers["by_first_first"], numbers["by_first_second"]) == (
        20,
        0.71,
        0.52,
    )
    assert (numbers["by_second_step"], numbers["by_second_first"], numbers["by_second_second"]) == (
        10,
        0.51,
        0.42,
    )
    assert (numbers["by_second_validation"], numbers["last_first"], numbers["last_second"]) == (
        0.4,
        0.81,
        0.22,
    )


def test_learning_uses_the_first_half_of_the_given_validation_set(compute, monkeypatch):
    seen = []
    learn = checkpoints.learn
    monkeypatch.setattr(
        checkpoints, "learn", lambda tasks, *args, **rest: seen.append(tasks[0]) or learn(tasks, *args, **rest)
    )
    compute(a_learn())
    data = load("digits", "noisy_digits", False, 0)
    (x, y), _ = validation_halves(data, "second")
    assert seen[0].given[0].equal(x) and seen[0].given[1].equal(y)
    assert seen[0].x.equal(data.x_train)  # ambiguous


def test_a_learned_activation_is_reused(compute):
    (learnt,) = compute(a_learn())
    network = Network(1, 1, width=16, depth=1, activation=SPLINE)
    other, same = compute(*(a_run(network=network, learned=learnt.key, seed=seed) for seed in (2, 1)))
    assert learnt.arrays["psi_hidden"].shape == (20,) and learnt.numbers["episodes"] == 2
    assert other.arrays["test_first"].shape == same.arrays["test_first"].shape
    assert not np.array_equal(other.arrays["test_first"], same.arrays["test_first"])


@pytest.mark.parametrize("changes", [{"objective": "validation"}, {"watch": 0.1}])
def test_learning_for_a_tile_needs_a_given_objective(changes):
    with pytest.raises(ValueError, match="V is given .* got the objective"):
        a_learn(settings=replace(SETTINGS, **changes))


def test_learning_needs_a_tile():
    with pytest.raises(ValueError, match="tile must be one of .* got 'left'"):
        a_learn(tile="left")


def test_experiments_can_be_rebuilt_from_their_configuration():
    kinds = {cls.kind: cls for cls in (TrainCollage, LearnCollage)}
    for experiment in (a_run(unambiguous="first"), a_learn()):
        assert rebuild(config(experiment), kinds) == experiment and experiment.datasets == (
            "digits",
            "noisy_digits",
        )


# --- section ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def smoke():
    return sections.results("shortcuts", "smoke")


def test_the_section_is_complete_and_compares_the_same_seeds(smoke):
    final, upper = runs(smoke, "final"), runs(smoke, "upper bound")
    assert smoke.missing == 0 and set(final.arm) == set(ARMS)
    for _, part in [*final.groupby("arm"), *upper.groupby("arm")]:
        assert sorted(part.seed) == list(PLANS["smoke"].seeds)
    for tile, arm in LEARNED.items():
        used = set(final[final.arm == arm].learned)
        learnt = {
            record.key for record in smoke.records if record.kind == "learn_collage" and record.config["tile"] == tile
        }
        assert used <= learnt and len(used) == 1


def test_relu_relies_on_the_simple_tile(smoke):
    final = runs(smoke, "final")
    relu = final[final.arm == RELU]
    assert (relu.last_first > 0.6).all() and (relu.last_second < 0.25).all()
    limits = bounds(runs(smoke, "upper bound"), ("digits", "noisy_digits"), True)
    assert limits["second"].mean > 0.5


def test_the_paper_plan_has_both_normalisations_and_an_unknown_profile_is_refused(tmp_path):
    store = Store(tmp_path, lambda name: name)
    first = next(shortcuts("paper", store))
    assert {e.network.spectral for e in first} == {False, True}
    assert {(e.first, e.second) for e in first} == {("mnist", "cifar10"), ("mnist", "fashion_mnist")}
    assert len({store.key(e) for e in first}) == len(first)
    with pytest.raises(ValueError, match="profile must be one of"):
        next(shortcuts("full", store))
    assert SECTIONS["shortcuts"] is shortcuts


# --- figures ------------------------------------------------------------------------------------------


def test_gain_pairs_runs_by_seed(smoke):
    final = runs(smoke, "final")
    mean, half = gain(final, LEARNED["first"], "last_first")
    wanted = [
        final[(final.arm == arm) & (final.seed == seed)].last_first.item()
        for seed in (2, 1)
        for arm in (LEARNED["first"], RELU)
    ]
    assert mean == pytest.approx((wanted[0] - wanted[1] + wanted[2] - wanted[3]) / 2) and half >= 0
    assert gain(final[::-1], LEARNED["first"], "last_first") == pytest.approx((mean, half))


def test_the_table_has_a_row_for_each_arm_and_the_bounds(smoke):
    table = comparison(runs(smoke, "final"), runs(smoke, "upper bound"))
    assert len(table) == len(ARMS) + 1 and table.seeds.tolist() == [2] * len(table)
    assert table["arm"].tolist()[:2] == ["ReLU", "learned for clean digits"]


@pytest.mark.parametrize("narrow", [False, True])
def test_the_figures_show_each_arm_once(smoke, narrow):
    final, upper, pair = runs(smoke, "final"), runs(smoke, "upper bound"), ("digits", "noisy_digits")
    figure = trajectories(final, pair, narrow)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["ReLU", "learned for clean digits", "learned for noisy digits", "chance"]
    axes = reliance(final, upper, pair, narrow).axes
    assert len(axes) == 1 and len(axes[0].get_yticks()) == len(ARMS)
    assert len(figures.steering(tables.steering(final), narrow).axes) == 1
    panels = functions(smoke)
    assert len(panels) == 1 and len(panels[0][2]) == 2
    assert len(activations(panels, narrow).axes[0].lines) == 3


def test_steering_is_compared_with_relu_and_with_the_other_tile(smoke):
    final = runs(smoke, "final")
    table = tables.steering(final).set_index(["tile", "made"])
    assert len(table) == 4 and table.other.notna().sum() == 2
    row = table.loc["second", "learned"]
    assert (row["mean"], row.half_width) == pytest.approx(gain(final, LEARNED["second"], "by_second_second"))
    assert row["last"] == pytest.approx(gain(final, LEARNED["second"], "last_second", LEARNED["first"]).mean)


def test_what_the_learning_started_from_is_said_as_it_was(smoke):
    found = tables.distances(smoke)
    assert set(found.init) == {"relu"} and tables.starts(found) == "They started from it."
    assert (found.distance > 0).all()


def test_the_collages_to_look_at_are_those_that_networks_see():
    shown = np.load(tables.SAMPLES)
    images, labels = tables.samples("digits", "noisy_digits", half=False)
    assert images.shape == (3, 4, 16, 8) and labels.shape == shown["labels"].shape == (3, 4)
    axes = figures.collages(images, labels, ("digits", "noisy_digits")).axes
    np.testing.assert_array_equal([ax.images[0].get_array() for ax in axes], images.reshape(12, 16, 8))
    if all(map(catalogue.available, ("mnist", "cifar10-full"))):
        images, labels = tables.samples("mnist", "cifar10-full", half=False)
        np.testing.assert_array_equal(shown["images"], np.rint(255 * images))
        np.testing.assert_array_equal(shown["labels"], labels)


def test_names_are_those_of_the_datasets():
    assert names(("mnist", "cifar10"))["second"] != names(("mnist", "cifar10-full"))["second"] == "CIFAR-10"
    assert names(("mnist", "fashion_mnist")) == {"first": "MNIST", "second": "Fashion-MNIST"}
    assert arm_name("by hand for the first tile", ("mnist", "cifar10")) == "by hand for MNIST"
    assert arm_name(RELU, ("mnist", "cifar10")) == RELU


def test_collages_in_colour_come_first_once_they_are_complete(smoke):
    """In profile smoke both plans have the same two datasets, so that only one of them is shown."""
    assert tables.compared(smoke, smoke) == [smoke]
    other = [dict(run, second="cifar10-full") for run in runs(smoke, "final").to_dict("records")]
    colour = Given(other)
    assert tables.compared(colour, smoke) == [colour, smoke] and tables.compared(Given([]), smoke) == [smoke]
    assert tables.compared(Given(other, 1), smoke) == [smoke]
