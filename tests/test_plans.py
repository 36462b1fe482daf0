"""Sections of images and grokking: small plans run for real, choices by validation data, and what is read back."""

import itertools
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from lib.metalearning import Settings
from lib.networks import Activation, Network
from lib.training import Optimiser
from notebooks.paper import sections
from notebooks.paper.data import open_store
from notebooks.paper.experiments.controls import Draw
from notebooks.paper.experiments.learn import Learn
from notebooks.paper.experiments.protocol import PROFILES, chosen_optimisers
from notebooks.paper.experiments.train import Train
from notebooks.paper.grokking.plan import PLANS as GROKKING
from notebooks.paper.images import tables as images_tables
from notebooks.paper.images.plan import ARMS, BY_HAND, LAYERS, LONGER, RANDOM
from notebooks.paper.images.plan import PLANS as IMAGES
from notebooks.paper.records import sweep
from notebooks.paper.records.frames import Collected
from notebooks.paper.records.store import Outcome, Store
from notebooks.paper.sections import SECTIONS, collect

SGD, ADAM = Optimiser("sgd", 0.2), Optimiser("adam", 0.01)
QUICK = Settings(episodes=2, n_tr_start=3, n_tr_step=1)
MINE = ("images", "regression", "grokking")


@pytest.fixture
def tiny(monkeypatch):
    """Plans of seconds, with several restarts and, for tuning, several optimisers."""
    common = {
        "seeds": (1, 2),
        "width": 8,
        "restarts": ((9, 1, 0.1), (11, 2, 0.1)),
        "learning_width": 6,
        "learning": QUICK,
    }
    images = replace(IMAGES["smoke"], steps=25, optimisers=(SGD, Optimiser("sgd", 0.02), ADAM), **common)
    monkeypatch.setitem(IMAGES, "smoke", images)
    monkeypatch.setitem(
        GROKKING,
        "smoke",
        replace(
            GROKKING["smoke"],
            task="a+b mod 5",
            moduli=("a+b mod 7",),
            steps=300,
            sweep_steps=300,
            constant=QUICK,
            constant_restarts=common["restarts"],
            **common,
        ),
    )


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "records", fingerprints=lambda name: f"sha256 of {name}")


def put(store, experiment, **numbers):
    """A record made up: middling, unless told otherwise."""
    if isinstance(experiment, Learn):
        outcome = Outcome(
            {"diverged": False} | numbers, {"psi_hidden": np.zeros(experiment.network.activation.points, np.float32)}
        )
    else:
        value = numbers.get("validation_accuracy", 0.5)
        outcome = Outcome(
            {"validation_accuracy": value, "test_accuracy": 0.5} | numbers, {"validation_accuracy": np.full(3, value)}
        )
    store.put(experiment, outcome, datetime.now(UTC), 1.0)


def main(stages):
    """The stages of the main comparison: without the controls of the regression section."""
    kept = [
        [run for run in stage if not isinstance(run, Draw) and "control" not in getattr(run, "role", "")]
        for stage in stages
    ]
    return [stage for stage in kept if stage]


def walk(section, store, numbers=lambda experiment: {}, profile="smoke"):
    """The stages of a section, with records made up on the way."""
    stages = []
    for stage in sweep.stages_of(SECTIONS[section](profile, store)):
        stages.append(stage)
        for experiment in stage:
            put(store, experiment, **numbers(experiment))
    return stages


def finals_of(stages):
    return [run for stage in stages for run in stage if isinstance(run, Train) and run.role == "final"]


# --- run for real -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("section", MINE)
def test_a_small_plan_runs_and_is_read_back(tiny, tmp_path, monkeypatch, section):
    for plans in (IMAGES, GROKKING):
        monkeypatch.setitem(
            plans,
            "smoke",
            replace(
                plans["smoke"],
                restarts=((9, 1, 0.1),),
                **({"constant_restarts": ((9, 1, 0.1),)} if plans is GROKKING else {}),
            ),
        )
    store = open_store(tmp_path / "records")
    empty = collect(section, "smoke", store)
    assert empty.records == [] and empty.missing > 0 and len(empty.frame()) == 0 and len(empty.frame(role="final")) == 0

    summary = sweep.run_here(SECTIONS[section]("smoke", store), store)
    found = collect(section, "smoke", store)
    assert found.missing == 0 and {record.key for record in found.records} == set(summary.done)
    assert sweep.run_here(SECTIONS[section]("smoke", store), store).done == ()

    runs, learned = found.frame(), found.frame("learn")
    assert set(runs.section) == {section} and {"key", "record", "network.width", "optimiser.lr", "seed", "arm"} <= set(
        runs
    )
    assert {"test_accuracy", "train_accuracy", "best_step"} <= set(runs) and not runs.diverged.any()
    assert {"settings.outer.lr", "settings.init", "watch_loss", "best_episode"} <= set(learned)
    final = found.frame(role="final")
    assert len(final) and set(final.role) == {"final"} and set(final.seed) == {1, 2}
    assert (
        final.groupby(["data", "arm", "optimiser.name", "optimiser.lr"]).size() == 2
    ).all()  # every arm has every seed
    assert list(found.frame(role="final", arm="ReLU").index) == list(range(len(found.frame(role="final", arm="ReLU"))))
    used = set(final.learned) - {""}
    assert used and used <= set(learned.key)
    assert (final.learned == "").equals(final.arm == "ReLU")
    for row in final.itertuples():
        assert row.record.key == row.key and row.record.arrays["test_accuracy"][-1] == row.test_accuracy_last


def test_what_is_missing_is_counted_up_to_the_first_incomplete_stage(tiny, store):
    stages = walk("images", store)
    whole = collect("images", "smoke", store)
    assert whole.missing == 0 and len(whole.records) == sum(map(len, stages))
    for experiment in stages[1][:3]:
        store.path(store.key(experiment)).unlink()
    part = collect("images", "smoke", store)
    assert part.missing == 3 and len(part.records) == len(stages[0]) + len(stages[1]) - 3


def test_a_damaged_record_counts_as_missing(tiny, store):
    stages = walk("grokking", store)
    store.path(store.key(stages[-1][0])).write_text("{")
    with pytest.warns(UserWarning, match="this record counts as missing"):
        assert collect("grokking", "smoke", store).missing == 1


def test_results_computes_the_small_profile(tiny, monkeypatch):
    monkeypatch.setitem(GROKKING, "smoke", replace(GROKKING["smoke"], restarts=((9, 1, 0.1),)))
    found = sections.results("grokking", "smoke")
    assert found.missing == 0 and len(found.frame(role="final")) == 2 * 2  # arms, seeds


def test_a_frame_can_be_changed_without_the_next_one(tiny, store):
    walk("grokking", store)
    found = collect("grokking", "smoke", store)
    for equal in ({}, {"role": "final"}):
        first = found.frame(**equal)
        before = first.copy()
        first["arm"], first["new"] = "changed", 1
        assert found.frame(**equal).equals(before)


def test_unknown_sections(store):
    for read in (lambda: collect("imags", "smoke", store), lambda: sections.results("imags", "smoke")):
        with pytest.raises(
            ValueError,
            match="section must be one of images, .*, ablations, learner, longer, collages, variants, architectures, got 'imags'",
        ):
            read()


def test_records_of_a_page_are_gone_when_its_process_ends():
    code = "from notebooks.paper import sections; print(sections._scratch().name)"
    folder = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert "records-" in folder and not Path(folder).exists()


def test_a_reader_reads_each_section_once(monkeypatch):
    calls, known = [], Collected([], 7)
    monkeypatch.setattr(
        sections, "results", lambda section, *arguments: calls.append(section) or Collected([], len(calls))
    )
    read = sections.reader("smoke", images=known)
    assert read("images") is known and read("grokking").missing == 1 and read("grokking").missing == 1
    assert calls == ["grokking"]


# --- choices ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("best, others", [(SGD, []), (ADAM, [SGD])])
def test_tuning_takes_the_best_optimiser_on_validation_rows(tiny, store, best, others):
    def numbers(run):
        if not isinstance(run, Train) or run.role != "tuning":
            return {}
        # plain SGD 0.2 is better than 0.02; test accuracies say the contrary and must not matter
        value = {SGD: 0.8, ADAM: 0.7, best: 0.9}.get(run.optimiser, 0.1)
        return {"validation_accuracy": value, "test_accuracy": 1 - value}

    stages = walk("regression", store, numbers)
    assert [run.optimiser for run in stages[0]] == [SGD, Optimiser("sgd", 0.02), ADAM]
    assert all((run.role, run.arm, run.network.activation.name) == ("tuning", "ReLU", "relu") for run in stages[0])
    chosen = [best, *others]
    assert list(dict.fromkeys(run.settings.inner for run in stages[1])) == chosen
    finals = finals_of(stages)
    for arm in ARMS:
        assert [(run.optimiser, run.seed) for run in finals if run.arm == arm] == [
            (o, s) for o in chosen for s in (1, 2)
        ]
    only = finals_of(walk("images", store, numbers))
    assert {run.optimiser for run in only} == {best} and len(only) == len(ARMS) * 2


@pytest.mark.parametrize("section", MINE)
@pytest.mark.parametrize("best", [0, 1])
def test_selection_takes_the_restart_that_is_best_on_validation_rows(tiny, store, section, best):
    points = (9, 11)

    def numbers(run):
        if getattr(run, "role", "") != "selection":
            return {}
        value = 0.9 if run.network.activation.points == points[best] else 0.4
        return {"validation_accuracy": value, "test_accuracy": 1 - value}

    stages = walk(section, store, numbers)
    learned = {store.key(run): run for stage in stages for run in stage if isinstance(run, Learn)}
    finals = [run for run in finals_of(stages) if run.learned]
    assert finals and {learned[run.learned].network.activation.points for run in finals} == {points[best]}
    for run in finals:
        source = learned[run.learned]
        assert (run.arm, run.data, run.task) == (source.arm, source.data[0], source.task)
        assert run.network == replace(source.network, width=8) and run.optimiser == source.settings.inner


@pytest.mark.parametrize("section", MINE)
def test_selection_is_by_rows_that_nothing_was_learned_from(tiny, store, section):
    stages = walk(section, store)
    learns = {store.key(run): run for stage in stages for run in stage if isinstance(run, Learn)}
    selections = [run for stage in stages for run in stage if getattr(run, "role", "") in ("selection", "layers")]
    assert len(selections) == len(learns)
    for run in selections:
        source = learns[run.learned]
        assert (run.split, run.validation) == (source.split, source.validation) and run.validation > 0
        assert source.given == "" and source.settings.objective == "validation"


@pytest.mark.parametrize("section", MINE)
def test_diverged_restarts_are_left_out(tiny, store, section):
    stages = walk(
        section, store, lambda run: {"diverged": run.network.activation.points == 9} if isinstance(run, Learn) else {}
    )
    for stage in main(stages)[2:]:
        assert {run.network.activation.points for run in stage if isinstance(run, Train) and run.learned} <= {11}
    assert any(run.learned for run in finals_of(stages))


@pytest.mark.parametrize("section", MINE)
def test_an_arm_without_a_usable_restart_has_no_final_runs(tiny, store, section):
    stages = walk(section, store, lambda run: {"diverged": True} if isinstance(run, Learn) else {})
    assert not any(run.learned for stage in main(stages) for run in stage if isinstance(run, Train))
    assert any(run.role == "final" for stage in stages for run in stage if isinstance(run, Train))  # ReLU's
    assert collect(section, "smoke", store).missing == 0


# --- plans ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("section", MINE)
def test_plans_of_the_profiles(store, section, profile):
    stages = walk(section, store, profile=profile)
    runs = [run for stage in stages for run in stage]
    keys = [store.key(run) for run in runs]
    assert len(set(keys)) == len(keys)  # nothing is computed twice
    runs = [run for stage in main(stages) for run in stage]
    assert all(run.section == section for run in runs)
    seeds = {run.seed for run in finals_of(stages)}
    assert len(seeds) >= (5 if profile == "paper" else 2)
    arms = {run.arm for run in runs if isinstance(run, Train) and run.role == "final"}
    assert arms == (set(ARMS) if section != "grokking" else {"ReLU", "learned from zeros"})
    if section == "grokking":
        assert {run.split for run in runs} == {0}  # one split of the pairs: the test pairs stay the test pairs
    else:
        assert all(run.split == run.seed for run in finals_of(stages))  # each seed changes the validation rows too
    assert all(run.network.inputs == run.network.outputs == 1 for run in runs)  # sizes come from the data


@pytest.mark.parametrize("section", ["images", "regression"])
def test_every_activation_meets_every_depth_on_every_dataset(store, section):
    plan = IMAGES["paper"]
    runs = [
        run for stage in walk(section, store, profile="paper") for run in stage if getattr(run, "role", "") == "depth"
    ]
    expected = {
        (data, arm, depth, seed)
        for data in (*plan.datasets, *plan.more)
        for seed in plan.depth_seeds
        for arm, depth in [*itertools.product(ARMS, plan.depths), (LAYERS, 2)]
    }
    assert {(run.data, run.arm, run.network.depth, run.seed) for run in runs} == expected and len(runs) == len(expected)


def test_the_paper_profile_has_the_papers_settings():
    grokking = GROKKING["paper"]
    assert grokking.task == "a+b mod 27" and (grokking.width, grokking.lr, grokking.steps) == (256, 1.0, 60_000)
    assert IMAGES["paper"].datasets == ("mnist", "fashion_mnist")
    assert {o.name for o in IMAGES["paper"].optimisers} == {"sgd", "rmsprop", "adam"}
    assert all(
        1 <= unroll <= 50 and 50 <= points <= 400
        for plan in (grokking, IMAGES["paper"])
        for points, unroll, _ in plan.restarts
    )


@pytest.mark.parametrize("section", sorted(SECTIONS))
def test_an_unknown_profile_is_refused(store, section):
    for use in (
        lambda: next(sweep.stages_of(SECTIONS[section]("papr", store))),
        lambda: collect(section, "papr", store),
    ):
        with pytest.raises(ValueError, match=r"profile must be one of \('smoke', 'paper'\), got 'papr'"):
            use()


def test_frames_flatten_nested_configurations(store):
    run = Train(
        section="images",
        role="final",
        arm="ReLU",
        data="digits",
        task="regression",
        network=Network(1, 1, width=12),
        optimiser=SGD,
        steps=10,
        seed=1,
        split=2,
    )
    put(store, run, test_accuracy=0.25)
    put(store, replace(run, seed=2, arm="other"), test_accuracy=0.75)
    found = Collected([store.get(run), store.get(replace(run, seed=2, arm="other"))], 0)
    frame = found.frame()
    assert frame.test_accuracy.tolist() == [0.25, 0.75] and frame["network.width"].tolist() == [12, 12]
    assert frame["network.activation.name"].tolist() == ["relu", "relu"] and frame["optimiser.lr"].tolist() == [
        0.2,
        0.2,
    ]
    assert frame.record[1].config["seed"] == 2
    assert (
        found.frame(arm="other").index.tolist() == [0]
        and len(found.frame(arm="none")) == 0
        and len(found.frame("learn")) == 0
    )


# --- controls ---------------------------------------------------------------------------------------------------------


def test_controls_are_chosen_by_validation_rows_and_use_the_tuned_optimiser(tiny, store):
    plan = IMAGES["smoke"]

    def numbers(run):
        value = 0.9 if getattr(run, "optimiser", None) == ADAM and run.role == "tuning" else 0.5
        if getattr(run, "role", "") == "control trial":
            value = 0.8 if run.network.activation in (plan.by_hand[1], Activation("spline", points=50)) else 0.4
        return {"validation_accuracy": value}

    stages = walk("regression", store, numbers)
    runs = [run for stage in stages for run in stage if getattr(run, "role", "").startswith("control")]
    assert {run.optimiser for run in runs} == {ADAM} and all(run.task == "regression" for run in runs)
    trials, finals = ([run for run in runs if run.role == role] for role in ("control trial", "control"))
    assert [run.network.activation for run in trials if run.arm == BY_HAND] == list(plan.by_hand)
    assert {run.network.activation for run in finals if run.arm == BY_HAND} == {plan.by_hand[1]}
    draws = [store.key(run) for stage in stages for run in stage if isinstance(run, Draw)]
    assert [run.learned for run in trials if run.arm == RANDOM] == draws and len(draws) == len(plan.lengths)
    assert {run.learned for run in finals if run.arm == RANDOM} == {draws[0]}  # the first of equals
    longer = [run for run in finals if run.arm == LONGER]
    assert {run.steps for run in longer} == {plan.longer * plan.steps} and all(run.seed == run.split for run in finals)


def test_the_controls_of_other_domains_share_the_tuning_of_their_section(tiny, store):
    """Runs of the sections themselves: their ReLU, their seeds; no ReLU for longer."""
    walk("images", store, lambda run: {"validation_accuracy": 0.9 if getattr(run, "optimiser", "") == SGD else 0.5})
    stages = walk("controls", store, lambda run: {"validation_accuracy": 0.9 if run.arm == BY_HAND else 0.1})
    assert {store.key(run) for run in stages[0]} <= {store.key(run) for run in walk("images", store)[0]}
    runs = [run for stage in stages for run in stage if isinstance(run, Train) and run.role == "control"]
    assert {run.arm for run in runs} == {BY_HAND, RANDOM} and {run.section for run in runs} == {"images"}
    assert {run.seed for run in runs if run.arm == BY_HAND} == set(IMAGES["smoke"].seeds)
    assert {run.optimiser for run in runs} == {SGD} and {run.task for run in runs} == {"classification"}


def test_the_best_plain_sgd_comes_second_where_there_is_one_and_it_is_not_the_best(store):
    merits = {SGD: 0.6, Optimiser("sgd", 0.02): 0.7, ADAM: 0.8, Optimiser("rmsprop", 0.01): 0.5}
    of = {
        optimiser: Train(
            section="images",
            role="tuning",
            arm=ARMS[0],
            data="digits",
            task="classification",
            network=Network(1, 1, width=8, depth=1),
            optimiser=optimiser,
            steps=25,
            seed=0,
            split=0,
        )
        for optimiser in merits
    }
    for optimiser, run in of.items():
        put(store, run, validation_accuracy=merits[optimiser])

    def chosen(*optimisers):
        return chosen_optimisers(store, [of[optimiser] for optimiser in optimisers])

    slow = Optimiser("sgd", 0.02)
    assert chosen(*merits) == [ADAM, slow]
    assert chosen(SGD, slow) == [slow]
    assert chosen(ADAM, Optimiser("rmsprop", 0.01)) == [ADAM]  # no plain SGD among them


def test_the_main_comparison_does_not_wait_for_controls(tiny, store):
    stages = walk("regression", store)
    for run in stages[-1]:
        store.path(store.key(run)).unlink()
    part = collect("regression", "smoke", store)
    assert part.missing == len(stages[-1]) and part.lacking == {"depth"}
    assert len(images_tables.finals(part)) == len(finals_of(stages))
    last = [stage for stage in stages if any(getattr(run, "role", "") == "final" for run in stage)][-1]
    store.path(store.key(last[-1])).unlink()  # one final run of the second optimiser
    part = collect("regression", "smoke", store)
    left = images_tables.finals(part)
    assert len(left) == len(finals_of(stages)) - len(last) and last[0].optimiser.lr not in set(left["optimiser.lr"])


def test_a_random_spline_has_the_given_correlation_length():
    """Over many draws: variance 1 everywhere, and the correlation of neighbours that the length says."""
    values = np.array(
        [
            Draw(section="regression", arm=RANDOM, points=11, low=-5.0, high=5.0, length=2.0, seed=seed)
            .run(None)
            .arrays["psi_hidden"]
            for seed in range(4000)
        ]
    )
    np.testing.assert_allclose(values.std(axis=0), 1, atol=0.05)
    np.testing.assert_allclose(
        [np.corrcoef(values[:, 4], values[:, 4 + k])[0, 1] for k in (1, 2, 4)],
        np.exp(-(np.array([1, 2, 4]) ** 2) / 8),
        atol=0.05,
    )
    one, again = (
        Draw(section="regression", arm=RANDOM, points=50, low=-5.0, high=5.0, length=2.4, seed=7)
        .run(None)
        .arrays["psi_hidden"]
        for _ in range(2)
    )
    assert one.dtype == np.float32 and (one == again).all()
