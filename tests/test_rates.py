"""Steps against the rate: the table by hand, the figure's marks, runs that never arrive."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from lib.networks import Activation, Network
from lib.training import Optimiser
from notebooks.paper.experiments.train import Train
from notebooks.paper.grokking.conventions import RELU, STARTS, TUNED
from notebooks.paper.grokking.rates import BOUND, in_words, rate_table, steps_against_rate
from notebooks.paper.records.frames import Collected
from notebooks.paper.records.store import Outcome, Store
from notebooks.paper.sections import KINDS

RUN = Train(section="conventions", role="final", arm=RELU, data="a+b mod 27", task="one-hot", network=Network(1, 1, width=256), optimiser=Optimiser("sgd", 13.5), steps=10_000, seed=1, split=0,
            validation=0.0)  # fmt: skip
SPLINE = Activation("spline", points=20, low=-1.0, high=1.0)


def at(init, rate, **changes):
    network = replace(RUN.network, initialisation=init, activation=changes.pop("activation", RUN.network.activation))
    return replace(RUN, network=network, optimiser=Optimiser("sgd", rate), **changes)


@pytest.fixture
def results(tmp_path):
    store = Store(tmp_path, fingerprints=lambda name: f"sha256 of {name}")
    made = [(at("default", 13.5, seed=seed), steps) for seed, steps in enumerate((1500, 1700, None, 1600, 1800))]
    made += [(at("he", 13.5, seed=seed, steps=steps), None) for seed in (1, 2) for steps in (10_000, 60_000)]
    learned = at("he", 13.5, arm=STARTS["random"], activation=SPLINE, learned="learn-0", seed=1)
    made += [(learned, 4000), (replace(learned, arm=STARTS["random"] + TUNED, optimiser=Optimiser("sgd", 4.0)), 900)]
    trial = at("he", 4.0, role="rate trial", validation=0.1, steps=20_000)
    made += [(trial, None), (replace(trial, arm=STARTS["random"], learned="learn-0"), 50)]
    for run, steps in made:
        numbers = {"test_steps_to_95": steps, "test_accuracy_last": 0.06 if steps is None else 1.0, "diverged": False}
        store.put(run, Outcome(numbers, {"validation_accuracy": np.ones(2)}), datetime.now(UTC), 1.0)
    return Collected(list(store.records()), 0, kinds=KINDS)


def test_the_table_has_medians_ranges_and_the_longest_run_of_each_seed(results):
    table = rate_table(results).set_index(["initialisation", "rate", "arm", "trials"])
    relu = table.loc["default", 13.5, RELU, False]
    assert (relu.runs, relu.arrived, relu["median"], relu["first"], relu.latest) == (5, 4, 1700, 1500, 1800)
    never = table.loc["he", 13.5, RELU, False]
    assert (never.runs, never.arrived, never["last"], never.end) == (2, 0, 60_000, 0.06) and np.isinf(never["median"])
    assert table.loc["he", 4.0, RELU, True]["last"] == 20_000
    assert table.loc["he", 4.0, STARTS["random"], False]["median"] == 900  # at its own rate; its trials are left out
    assert len(table) == 5 and rate_table(Collected([], 3)).empty


def test_the_figure_shows_medians_as_points_and_bounds_as_arrows(results):
    figure = steps_against_rate(rate_table(results))
    default, he = figure.axes
    assert [ax.get_title() for ax in figure.axes] == ["PyTorch's default", "He"]
    points = [(line.get_xdata()[0], line.get_ydata()[0]) for line in default.lines if len(line.get_xdata())]
    assert (13.5, 1700) in points
    arrows = [line for line in he.lines if line.get_marker() == BOUND and len(line.get_xdata())]
    assert {(*line.get_xdata(), *line.get_ydata()) for line in arrows} == {(13.5, 60_000), (4.0, 20_000)}
    assert {text.get_text() for text in he.texts} == {"6 %"}
    assert {text.get_text() for text in figure.legends[0].texts} == {RELU, f"{RELU}, trials", STARTS["random"]}


def test_words_say_how_many_arrive_and_what_a_bound_rests_on(results):
    random = STARTS["random"]
    assert in_words(rate_table(results)) == [
        "PyTorch's default, rate 13.5: ReLU 4 of 5 runs within 10,000 steps (after a median of 1,700).",
        "He weights, rate 13.5: ReLU 0 of 2 runs within 60,000 steps (median test accuracy 6 % at the end); "
        f"{random} 1 of 1 runs within 10,000 steps (after a median of 4,000).",
        f"He weights, rate 4: {random} 1 of 1 runs within 10,000 steps (after a median of 900).",
    ]
