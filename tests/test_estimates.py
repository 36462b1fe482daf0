"""What a plan costs: durations by hand; a section from end to end before anything has been run."""

import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from lib.networks import Network
from lib.training import Optimiser
from notebooks.paper.experiments.learn import Learn
from notebooks.paper.experiments.train import Train
from notebooks.paper.records.estimates import PATIENT, Durations, Pretending, print_estimate
from notebooks.paper.records.store import Outcome, Store
from notebooks.paper.records.sweep import stages_of
from notebooks.paper.sections import KINDS, SECTIONS

RUN = Train(
    section="images",
    role="final",
    arm="ReLU",
    data="digits",
    task="regression",
    network=Network(1, 1, width=12),
    optimiser=Optimiser(),
    steps=100,
    seed=1,
    split=2,
)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path, fingerprints=lambda name: f"sha256 of {name}")


def put(store, experiment, seconds):
    store.put(experiment, Outcome({"diverged": False, "test_steps_to_95": None}), datetime.now(UTC), seconds)


def test_durations_are_those_of_the_most_alike_in_proportion(store):
    for run, seconds in (
        (RUN, 10.0),
        (replace(RUN, seed=2), 30.0),
        (replace(RUN, seed=3), 12.0),
        (replace(RUN, data="mnist"), 500.0),
        (replace(RUN, network=Network(1, 1, width=12, depth=2)), 70.0),
    ):
        put(store, run, seconds)
    durations = Durations(store.records(), KINDS)
    assert durations.seconds(replace(RUN, seed=4)) == pytest.approx(12)  # the median
    assert durations.seconds(replace(RUN, steps=300, network=Network(1, 1, width=24))) == pytest.approx(12 * 3 * 2)
    assert durations.seconds(replace(RUN, data="mnist", steps=50)) == pytest.approx(250)
    assert durations.seconds(replace(RUN, network=Network(1, 1, width=12, depth=2))) == pytest.approx(70)
    assert durations.seconds(replace(RUN, data="new")) == pytest.approx(30)  # of all of its kind
    patient = replace(RUN, data="mnist", patience=3)
    assert durations.seconds(patient) == pytest.approx(500 * PATIENT)
    put(store, replace(patient, seed=2), 90.0)
    assert Durations(store.records(), KINDS).seconds(patient) == pytest.approx(90)  # up to the cap, as those end
    learn = next(run for stage in SECTIONS["grokking"]("smoke", store) for run in stage if isinstance(run, Learn))
    assert math.isnan(durations.seconds(learn))


def test_an_estimate_knows_what_is_there_and_goes_on_to_the_last_stage(store, capsys):
    pretending = Pretending(store.root, data=store.data)
    stages = [stage for stage in SECTIONS["conventions"]("smoke", pretending) if stage]
    first = stages[0][0]
    put(store, first, 36.0)
    print_estimate(SECTIONS["conventions"]("smoke", pretending), store, Durations(store.records(), KINDS))
    lines = capsys.readouterr().out.splitlines()
    left = len(stages[0]) - 1
    assert lines[0] == f"stage 1: {left} of {len(stages[0])} missing (final), about {left * 0.01:.2f} core-hours"
    assert len(lines) == len(stages) + 1 and "(final)" in lines[-2]
    assert lines[-1].startswith(f"{sum(map(len, stages)) - 1} runs are missing, about nan")  # no record of a Learn


@pytest.mark.parametrize("section", SECTIONS)
def test_every_plan_can_be_followed_to_its_end_without_a_record(store, section):
    pretending = Pretending(store.root, data=store.data)
    assert sum(len(stage) for stage in stages_of(SECTIONS[section]("smoke", pretending)))


def test_a_record_that_is_there_is_not_made_up(store):
    store.put(RUN, Outcome({"validation_accuracy": 0.9}, {"a": np.arange(2)}), datetime.now(UTC), 1.0)
    found = Pretending(store.root, data=store.data).get(RUN)
    assert found.numbers == {"validation_accuracy": 0.9} and found.arrays["a"].tolist() == [0, 1]
