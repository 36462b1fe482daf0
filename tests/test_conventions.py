"""Grokking under each convention: choices by held-out pairs, longer runs where needed, a small plan run for real."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from lib.training import Optimiser
from notebooks.paper import sections
from notebooks.paper.experiments.learn import Learn
from notebooks.paper.experiments.protocol import WIDENINGS, speed, tuned
from notebooks.paper.experiments.train import Train
from notebooks.paper.grokking.conventions import NOT_LEARNED, PLANS, RELU, SINE, STARTS, TUNED
from notebooks.paper.records.store import Outcome, Store
from notebooks.paper.sections import SECTIONS

PLAN = PLANS["smoke"]
GIVEN = {(init, rate) for init in ("default", "glorot", "he") for rate in (PLAN.mean, PLAN.half_sum)}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path, fingerprints=lambda name: f"sha256 of {name}")


def put(store, experiment, **numbers):
    """A record made up: it arrives, and is middling, unless told otherwise."""
    numbers = {"diverged": False, "validation_accuracy": 0.5, "test_steps_to_95": 9} | numbers
    curve = np.full(3, numbers["validation_accuracy"])
    arrays = (
        {"psi_hidden": np.zeros(PLAN.points, np.float32)}
        if isinstance(experiment, Learn)
        else {"validation_accuracy": curve}
    )
    store.put(experiment, Outcome(numbers, arrays), datetime.now(UTC), 1.0)


def walk(store, numbers=lambda experiment: {}, sections=("conventions", "sines")):
    runs = []
    for stage in (stage for section in sections for stage in SECTIONS[section]("smoke", store)):
        runs += stage
        for experiment in stage:
            put(store, experiment, **numbers(experiment))
    assert len({store.key(run) for run in runs}) == len(runs)  # nothing is computed twice
    return runs


def convention(run):
    return run.network.initialisation, run.optimiser.lr


def finals(runs, arm, steps=PLAN.short):
    return [run for run in runs if getattr(run, "role", "") == "final" and run.arm == arm and run.steps == steps]


def test_a_small_plan_runs_to_its_end():
    found = sections.results("conventions", "smoke")
    assert found.missing == 0
    assert {"final", "trial", "rate trial", "figure 13"} == set(found.frame().role)


def test_every_arm_is_compared_under_each_reading_of_the_paper_with_all_seeds(store):
    runs = walk(store)
    for arm in (RELU, SINE, *STARTS.values()):
        assert {convention(run) for run in finals(runs, arm)} >= GIVEN
    for run in runs:
        if isinstance(run, Train):
            assert (run.validation > 0) == (
                "trial" in run.role or run.role == "figure 13" and run.network.width == PLAN.width
            )
            assert run.learned == "" or run.network.activation.points == PLAN.points
    for learn in (run for run in runs if isinstance(run, Learn)):
        used = [
            run for run in runs if isinstance(run, Train) and run.learned == store.key(learn) and run.role == "trial"
        ]
        assert {convention(run) for run in used} == {(learn.network.initialisation, learn.settings.inner.lr)}


def test_runs_are_longer_only_where_one_of_the_seeds_did_not_arrive(store):
    def late(run):
        return (
            {"test_steps_to_95": None}
            if isinstance(run, Train) and run.network.initialisation == "he" and run.seed == 2
            else {}
        )

    runs = walk(store, late)
    longer = finals(runs, RELU, PLAN.steps)
    assert {run.network.initialisation for run in longer} == {"he"} and {run.seed for run in longer} == set(PLAN.seeds)


def test_the_restart_that_learns_earliest_is_used_and_none_that_learned_nothing(store):
    def numbers(run):
        if getattr(run, "role", "") != "trial" or not run.learned:
            return {}
        if run.network.initialisation == "he":
            return {"validation_accuracy": 0.05}
        return {"validation_accuracy": 0.9 if store.read(run.learned).config.get("seed") == 1 else 0.4}

    runs = walk(store, numbers)
    used = finals(runs, STARTS["zeros"])
    assert {convention(run) for run in used} == {c for c in GIVEN if c[0] != "he"}
    assert {store.read(run.learned).config["seed"] for run in used} == {1}
    assert not [run for run in finals(runs, NOT_LEARNED) if run.network.initialisation == "he"]


def test_without_a_usable_restart_the_rest_goes_on(store):
    runs = walk(store, lambda run: {"diverged": isinstance(run, Learn)})
    assert not any(run.learned for run in runs if isinstance(run, Train) and run.arm in STARTS.values())
    assert finals(runs, RELU) and finals(runs, SINE) and finals(runs, SINE + TUNED)


def test_every_arm_has_its_rate_from_a_grid_whose_best_is_inside(store):
    best = {"ReLU": 32.0, STARTS["random"] + TUNED: 4.0, f"{SINE}, slope 20": 1.0, f"{SINE}, slope 40": 4.0}

    def numbers(run):
        if getattr(run, "role", "") != "rate trial":
            return {}
        near = 0.5 - abs(np.log2(run.optimiser.lr / best[run.arm])) / 20
        return {"validation_accuracy": near + (0.1 if run.arm.endswith("40") else 0.0)}

    runs = walk(store, numbers)
    tried = {run.optimiser.lr for run in runs if getattr(run, "role", "") == "rate trial" and run.arm == RELU}
    assert tried == {2.0, 4.0, 8.0, 16.0, 32.0, 64.0}
    assert {convention(run)[1] for run in finals(runs, RELU)} == {PLAN.mean, PLAN.half_sum, 32.0}
    for arm in (STARTS["random"], SINE):
        assert {convention(run)[1] for run in finals(runs, arm + TUNED)} == {4.0}
    assert {run.network.activation.alpha for run in finals(runs, SINE + TUNED)} == {40.0}


def test_a_search_for_a_rate_ends_and_a_run_that_diverged_counts_as_nothing(store):
    template = next(run for run in walk(store) if isinstance(run, Train))

    def trials(rate):
        return [replace(template, optimiser=Optimiser("sgd", rate))]

    search, seen = tuned(store, {"arm": trials}, (1.0, 2.0, 4.0), speed), []
    with pytest.raises(StopIteration) as end:
        while True:
            for run in next(search):
                seen.append(run.optimiser.lr)
                put(store, run, validation_accuracy=run.optimiser.lr / 100, diverged=run.optimiser.lr > 20)
    assert seen == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0] and WIDENINGS == 3
    assert end.value.value == {"arm": 16.0}
