"""Plans of converged comparisons: each arm has the same chances; choices by rows that nothing was learned from."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from notebooks.paper import sections
from notebooks.paper.experiments.baseline import Baseline
from notebooks.paper.experiments.learn import Learn
from notebooks.paper.experiments.train import Train
from notebooks.paper.grokking.moduli import PLANS as MODULI
from notebooks.paper.images.converged import ALL, PLANS, RELU, SMOKE, STARTS
from notebooks.paper.records.store import Outcome, Store
from notebooks.paper.sections import SECTIONS
from notebooks.paper.tabular.converged import HIDDEN, INPUTS, RANGE, RANK, TANH
from notebooks.paper.tabular.converged import PLANS as TABLES

MODULAR = ("moduli", "frequencies")
NEW = (*MODULAR, "shallow", "deep", "plain", "full", "tables", "ranks")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path, fingerprints=lambda name: f"sha256 of {name}")


def walk(section, store, numbers=lambda experiment: {}, profile="smoke"):
    """All runs of a section, with records made up on the way: middling, unless told otherwise."""
    runs = []
    for stage in SECTIONS[section](profile, store):
        runs += stage
        for run in stage:
            outcome = {"diverged": False, "validation_accuracy": 0.5} | numbers(run)
            store.put(run, Outcome(outcome, {"validation_accuracy": np.ones(3)}), datetime.now(UTC), 1.0)
    assert len({store.key(run) for run in runs}) == len(runs)  # nothing is computed twice
    return runs


def of(runs, kind, **equal):
    return [
        run
        for run in runs
        if isinstance(run, kind) and all(getattr(run, name) == value for name, value in equal.items())
    ]


@pytest.mark.parametrize("section", NEW)
def test_a_small_plan_runs_to_its_end(section):
    found = sections.results(section, "smoke")
    assert found.missing == 0
    runs = found.frame()
    assert set(runs.section) == {section} and "final" in set(runs.role) and len(found.frame("learn"))
    patient = runs[runs.patience > 0]
    assert patient.empty == (section in (*MODULAR, "plain"))
    assert patient.empty or patient.stopped.isin(["cap", "patience"]).all()


@pytest.mark.parametrize("section", NEW)
@pytest.mark.parametrize("profile", ["smoke", "paper"])
def test_restarts_are_judged_on_rows_that_they_did_not_learn_from(store, section, profile):
    runs = walk(section, store, profile=profile)
    learns = {store.key(run): run for run in of(runs, Learn)}
    used = [run for run in of(runs, Train) if run.learned]
    assert learns and {run.learned for run in used} == set(learns)
    for run in used:
        learn = learns[run.learned]
        if run.role == "transfer" or len(learn.data) > 1:  # used elsewhere than it was learned
            assert run.split == learn.split and run.validation == learn.validation
            continue
        assert (run.split, run.scaling, run.arm, run.data) == (learn.split, learn.scaling, learn.arm, learn.data[0])
        assert run.optimiser == learn.settings.inner and run.network.activation == learn.network.activation
        assert section in MODULAR or run.validation == learn.validation > 0
        assert section in ("tables", "ranks", "full") or run.network.depth == learn.network.depth


@pytest.mark.parametrize("section", ["shallow", "deep", "tables"])
def test_the_best_restart_by_the_mean_of_its_trials_has_final_runs(store, section):
    def numbers(run):
        if getattr(run, "role", "") != "trial" or not run.learned:
            return {}
        config = store.read(run.learned).config
        return {"validation_accuracy": 0.9 if config["seed"] == 1 else 0.4, "test_accuracy": 0.1}

    plans = PLANS.get(section, TABLES)
    small = plans["smoke"]
    if section == "tables":
        changed = replace(small, restarts=small.restarts * 2)
    else:
        changed = replace(small, settings=(replace(small.settings[0], restarts=2),))
    try:
        plans["smoke"] = changed
        runs = walk(section, store, numbers)
    finally:
        plans["smoke"] = small
    finals = [run for run in of(runs, Train, role="final") if run.learned]
    assert finals and {store.read(run.learned).config["seed"] for run in finals} == {1}


@pytest.mark.parametrize("section", ["shallow", "deep", "tables"])
def test_a_rate_at_the_edge_widens_the_grid_for_all_arms(store, section):
    def numbers(run):
        rate = run.optimiser.lr if getattr(run, "role", "") == "rate trial" else 0.0
        return {"validation_accuracy": 0.5 + min(rate, 1.0) / 10}

    runs = walk(section, store, numbers)
    tried = {run.optimiser.lr for run in of(runs, Train, role="rate trial")}
    first = TABLES["smoke"].rates if section == "tables" else {rate for s in SMOKE.settings for rate in s.rates}
    assert max(tried) > max(first)
    if section == "tables":
        rates = {run.optimiser.lr for run in of(runs, Train, role="final") if run.arm != TANH}
        assert rates == {max(tried)}


@pytest.mark.parametrize(
    ("section", "scaling", "arms", "models"),
    [
        ("tables", RANGE, {RELU, INPUTS, *HIDDEN.values(), TANH}, {"boosted trees", "linear", "k-NN"}),
        ("ranks", RANK, {RELU, INPUTS}, {"linear", "k-NN"}),
    ],
)
def test_the_arms_of_a_table_and_their_depth(store, section, scaling, arms, models):
    def numbers(run):
        depth = run.network.depth if getattr(run, "role", "") == "depth trial" else 0
        return {"validation_accuracy": 0.5 + depth / 10}

    runs, plan = walk(section, store, numbers), TABLES["smoke"]
    finals = of(runs, Train, role="final")
    assert {run.arm for run in finals} == arms and {run.scaling for run in of(runs, Train)} == {scaling}
    others = set(plan.depths) - {plan.middle}  # at which the trials of rates and of restarts are
    assert {run.network.depth for run in of(runs, Train, role="depth trial")} == others
    assert {run.network.depth for run in finals} == {max(plan.depths)} and len(finals) == len(arms) * len(plan.seeds)
    assert all(run.complexity == (run.role == "final") and run.patience == plan.patience for run in of(runs, Train))
    baselines = of(runs, Baseline)
    assert {run.model for run in baselines} == models
    assert {run.scaling for run in baselines if run.model != "boosted trees"} == {scaling}
    widths = of(runs, Train, role="width")
    assert {(run.arm, run.network.width, run.network.depth) for run in widths} == {
        (arm, width, max(plan.depths)) for arm in arms - {TANH} for width in plan.widths if section == "tables"
    }


def test_settings_of_the_regression_plans(store):
    runs = walk("shallow", store, profile="paper") + walk("plain", store, profile="paper")
    for setting in PLANS["shallow"]["paper"].settings + PLANS["plain"]["paper"].settings:
        mine = [
            run
            for run in of(runs, Train, data=setting.data, role="final")
            if (run.network.depth, run.optimiser.name) == (setting.depth, setting.optimiser)
        ]
        assert {run.arm for run in mine} == {RELU, *STARTS.values()} and {run.patience for run in mine} == {
            setting.patience
        }
        assert all(len(of(mine, Train, arm=arm)) == 5 for arm in (RELU, *STARTS.values()))
    deep = PLANS["deep"]["paper"].settings
    assert {s.depth for s in deep} == {3, 4} and {s.scaling for s in deep if s.data == "cifar10-full"} == {"standard"}


def test_functions_are_used_across_datasets_with_the_targets_scaling_and_rate(store):
    def numbers(run):
        good = getattr(run, "role", "") == "rate trial" and run.optimiser.lr == (3e-4 if run.data == "digits" else 3e-3)
        return {"validation_accuracy": 0.6 if good else 0.5}

    runs = walk("deep", store, numbers)
    joint = of(runs, Learn, arm=ALL)
    assert {run.settings.init for run in joint} == set(STARTS) and len(joint) == len(STARTS)
    assert {(run.data, run.scaling) for run in joint} == {(("digits", "noisy_digits"), ("default", "standard"))}
    used = of(runs, Train, role="transfer")
    assert {(run.arm, run.data) for run in used} == {
        ("learned on digits", "noisy_digits"), ("learned on noisy_digits", "digits"), (ALL, "digits"), (ALL, "noisy_digits"),
    }  # fmt: skip
    rates = {
        run.data: (run.optimiser.lr, run.scaling)
        for run in of(runs, Train, role="final", arm=RELU)
        if run.network.depth == 1
    }
    assert all((run.optimiser.lr, run.scaling) == rates[run.data] and run.seed in SMOKE.seeds for run in used)


def test_moduli_have_several_restarts_in_the_narrow_range(store):
    runs, plan = walk("moduli", store, profile="paper"), MODULI["paper"]
    for task in plan.tasks:
        learns = of(runs, Learn, data=(task,))
        assert [learn.network.activation.points for learn in learns] == 4 * [200] + 4 * [400] + 4 * [200]
        assert {learn.settings.patience for learn in learns[8:]} == {learns[8].settings.episodes}  # none ends early
        assert {(learn.network.activation.low, learn.network.activation.high) for learn in learns} == {(-0.5, 0.5)}
        assert len(of(runs, Train, data=task)) == len(learns) * len(plan.seeds)


def test_frequencies_are_learned_at_the_same_reading_of_the_loss_for_each_modulus(store):
    runs, plan = walk("frequencies", store, profile="paper"), MODULI["paper"]
    for task, modulus in zip(plan.tasks, (13, 27, 29, 41), strict=True):
        learns, used = of(runs, Learn, data=(task,)), of(runs, Train, data=task)
        assert len(learns) == plan.restarts and len(used) == len(learns) * len(plan.seeds)
        assert {run.settings.inner.lr for run in learns} == {run.optimiser.lr for run in used} == {modulus / 2}
        assert {run.settings.init for run in learns} == {"random"}
        assert {run.network.initialisation for run in learns + used} == {"glorot"}
