"""Transfer: the scores of Figure 14 by hand, the section's stages; the claims about algorithmic tasks."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from given import Given
from matplotlib import pyplot as plt

from lib.datasets import algorithmic
from notebooks.paper import claims, verdict
from notebooks.paper.experiments.learn import Learn
from notebooks.paper.experiments.protocol import PROFILES
from notebooks.paper.experiments.train import Train
from notebooks.paper.grokking import tables as grokking_tables
from notebooks.paper.records import intervals
from notebooks.paper.records import store as results
from notebooks.paper.records.store import Store
from notebooks.paper.sections import SECTIONS
from notebooks.paper.transfer import figures as transfer_figures
from notebooks.paper.transfer import tables as transfer_tables
from notebooks.paper.transfer.matrix import ALL, RELU, learned_on
from notebooks.paper.transfer.plan import PLANS
from notebooks.paper.transfer.tables import matrix_scores, transfer_scores

NEVER = np.nan


def tables(steps, accuracy, columns=("ReLU", "g", "h")):
    index = [f"task {i}" for i in range(len(steps))]
    return pd.DataFrame(steps, index, list(columns), dtype=float), pd.DataFrame(
        accuracy, index, list(columns), dtype=float
    )


def test_easy_tasks_are_scored_by_speed_and_hard_ones_by_accuracy():
    steps, accuracy = tables([[400, 100, NEVER], [NEVER, 50, NEVER]], [[1.0, 0.2, 0.9], [0.2, 0.8, 0.4]])
    scores = transfer_scores(steps, accuracy)
    assert scores.easy.tolist() == [True, False]
    assert scores.score.to_numpy() == pytest.approx(np.array([[0.25, 1.0, 0.0], [0.25, 1.0, 0.5]]))


def test_the_reference_can_be_the_best_and_scores_do_not_depend_on_the_unit_of_steps():
    steps, accuracy = tables([[10, 20, 40]], [[1, 1, 1]])
    assert transfer_scores(steps, accuracy).score.iloc[0].tolist() == [1.0, 0.5, 0.25]
    assert transfer_scores(7 * steps, accuracy).score.equals(transfer_scores(steps, accuracy).score)


def test_a_task_that_nothing_solves_at_all_scores_zero():
    steps, accuracy = tables([[NEVER] * 3], [[0, 0, 0]])
    assert transfer_scores(steps, accuracy).score.iloc[0].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("steps", "accuracy", "reference", "message"),
    [
        ([[0, 1, 1]], [[1, 1, 1]], "ReLU", "steps must be at least 1, got 0"),
        ([[1, 1, 1]], [[1, 1.5, 1]], "ReLU", "accuracies must lie in"),
        ([[1, 1, 1]], [[1, NEVER, 1]], "ReLU", "accuracies must lie in"),
        ([[1, 1, 1]], [[1, 1, 1]], "GELU", "the reference must be a column, got 'GELU'"),
    ],
)
def test_scores_refuse(steps, accuracy, reference, message):
    with pytest.raises(ValueError, match=message):
        transfer_scores(tables(steps, accuracy)[0], tables(steps, accuracy)[1], reference)


def test_scores_refuse_tables_that_disagree():
    steps, accuracy = tables([[1, 1, 1]], [[1, 1, 1]])
    with pytest.raises(ValueError, match="the same rows and columns"):
        transfer_scores(steps, accuracy[["ReLU", "h", "g"]])


def matrix_runs(steps, accuracy):
    """Runs of a matrix with two tasks, in a shuffled order: columns ReLU, learned on p, on q, on all."""
    columns = [RELU, learned_on("p"), learned_on("q"), ALL]
    rows = [
        {
            "data": task,
            "arm": arm,
            "test_steps_to_95": steps[i][j],
            "test_accuracy_last": accuracy[i][j],
            "role": "matrix",
        }
        for j, arm in enumerate(columns)
        for i, task in enumerate(("p", "q"))
    ]
    return pd.DataFrame(rows)


HARD_FIRST = matrix_runs([[None, 10, None, 10], [40, None, 20, 10]], [[0.1, 1, 0.5, 1], [1, 0.3, 1, 1]])


def test_the_matrix_shows_easy_tasks_first_and_the_columns_in_the_same_order():
    scores = matrix_scores(HARD_FIRST)
    assert scores.score.index.tolist() == ["q", "p"]
    assert scores.score.columns.tolist() == [RELU, "learned on q", "learned on p", ALL]
    assert scores.score.loc["q"].tolist() == pytest.approx([0.25, 0.5, 0.0, 1.0])
    assert scores.score.loc["p"].tolist() == pytest.approx([0.1, 0.5, 1.0, 1.0])


def test_column_means_average_all_task_specific_columns_over_all_tasks():
    means = transfer_tables.column_means(matrix_scores(HARD_FIRST))
    assert {name: mean.mean for name, mean in means.items()} == pytest.approx(
        {"ReLU": 0.175, "task-specific": 0.5, "all tasks": 1.0}
    )


def test_a_column_whose_learning_diverged_is_left_out():
    scores = matrix_scores(HARD_FIRST[~HARD_FIRST.arm.isin([ALL, "learned on p"])])
    assert scores.score.columns.tolist() == [RELU, "learned on q"]
    assert "all tasks" not in transfer_tables.column_means(scores)


def test_tasks_on_which_no_network_leaves_chance_are_named_and_the_means_given_without_them():
    tasks = ["a", "b", "c"]
    accuracy = pd.DataFrame({RELU: [0.02, 0.3, 0.4], learned_on("b"): [0.05, 0.6, 0.8], ALL: [0.01, 0.6, 0.8]}, tasks)
    scores = transfer_tables.transfer_scores(accuracy * np.nan, accuracy)
    assert scores.noise == ["a"] and scores.best.tolist() == [0.05, 0.6, 0.8]
    words = transfer_tables.means_in_words(scores)
    assert "(without the 1 tasks on which no network is above 10 %: ReLU 50.0 ± 0.0 %" in words
    assert "all tasks 100.0 ± 0.0 %)" in words and words.startswith("ReLU 46.7 ±")
    assert "without" not in transfer_tables.means_in_words(scores.of(["b", "c"]))


def image_runs(values):
    """Final runs with two seeds, 1 point apart: values[arm][data]."""
    return pd.DataFrame([
        {"arm": arm, "data": data, "seed": seed, "test_accuracy": value + 0.01 * seed, "role": "final"}
        for arm, cells in values.items() for data, value in cells.items() for seed in (1, 2)
    ])  # fmt: skip


TABLE = {
    RELU: {"mnist": 0.5, "cifar10": 0.2},
    learned_on("mnist"): {"mnist": 0.6, "cifar10": 0.16},
    learned_on("cifar10"): {"mnist": 0.5, "cifar10": 0.3},
    ALL: {"mnist": 0.52, "cifar10": 0.2},
}


def test_the_mean_change_and_its_spread_over_datasets_are_those_of_table_4():
    average = transfer_tables.mean_changes(intervals.summary(image_runs(TABLE), "test_accuracy", ["data"]))
    assert average.loc[learned_on("mnist")].tolist() == pytest.approx([0.03, 0.14 / np.sqrt(2)])
    assert RELU not in average.index


def test_the_papers_own_mean_changes_follow_from_its_table():
    relu = np.array(transfer_tables.PAPER_TABLE[RELU][:4])
    for name, row in transfer_tables.PAPER_TABLE.items():
        gains = np.array(row[:4]) - relu
        assert abs(gains.mean() - row[4]) < 0.1 and abs(gains.std(ddof=1) - row[5]) < 0.1, name


def test_paired_changes_of_equal_differences_have_no_width():
    table = intervals.summary(image_runs(TABLE), "test_accuracy", ["data"]).set_index(["arm", "data"])
    assert table.gain[ALL, "mnist"] == pytest.approx(0.02)
    assert table.gain_half_width[ALL, "mnist"] == pytest.approx(0, abs=1e-9)


def own_runs():
    """Two tasks with two seeds; nothing was learned on q."""
    arrays = {
        "step": np.array([0, 1, 10, 100]),
        "train_accuracy": np.linspace(0, 1, 4),
        "test_accuracy": np.linspace(0, 0.5, 4),
    }
    cells = [
        ("p", RELU, 1, 0.1),
        ("p", RELU, 2, 0.3),
        ("p", learned_on("p"), 1, 0.5),
        ("p", learned_on("p"), 2, 0.9),
        ("q", RELU, 1, 0.2),
        ("q", RELU, 2, 0.2),
    ]
    record = SimpleNamespace(arrays=arrays)
    return pd.DataFrame(
        [{"data": d, "arm": a, "seed": s, "test_accuracy_last": v, "record": record} for d, a, s, v in cells]
    )


def test_gains_of_own_activations_are_paired_by_seed():
    gains = transfer_tables.own_gains(own_runs())
    assert gains.index.tolist() == ["p"] and gains.gain["p"] == pytest.approx(0.5)
    assert gains.half_width["p"] == pytest.approx(0.1 * 12.706, rel=1e-3)  # t of one degree of freedom
    one = transfer_tables.own_gains(own_runs().query("seed == 1"))
    assert one.gain["p"] == pytest.approx(0.4) and np.isnan(one.half_width["p"])


def test_gains_are_drawn_from_the_largest_and_grey_where_not_sure():
    gains = pd.DataFrame({"gain": [0.1, 0.5], "half_width": [0.2, 0.1]}, ["p^2", "q"])
    (ax,) = transfer_figures.own_gains(gains).axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["q", "p²"]
    assert [line.get_color() for line in ax.lines if line.get_marker() == "o"] == ["C2", "gray"]
    plt.close("all")


def test_own_scores_stand_beside_the_others_and_the_one_for_all():
    score = pd.DataFrame(
        {RELU: [0, 0, 0.5], learned_on("p"): [1, 0.2, 0.4], learned_on("r"): [0, 1, 0.5], ALL: [0.9, 0.8, 1.0]},
        list("pqr"),
    )
    scores = transfer_tables.Scores(score, pd.Series(False, list("pqr")), pd.Series(1.0, list("pqr")))
    found = transfer_tables.own_scores(scores)
    assert found.T.to_dict("list") == {"p": [1, pytest.approx(0.3), 0.9], "r": [0.5, 0.5, 1.0]}
    without = transfer_tables.Scores(score.drop(columns=ALL), scores.easy, scores.best)
    assert transfer_tables.own_scores(without)["all"].isna().all()


def test_the_control_is_chosen_on_held_out_pairs_for_all_tasks_and_for_each():
    def runs(task, arm, held_out, test):
        record = SimpleNamespace(arrays={"validation_accuracy": np.array([0.0, 2 * held_out])})
        return {"data": task, "arm": arm, "record": record, "test_accuracy_last": test}

    table = pd.DataFrame(
        [
            runs("p", "slow", 0.5, 0.1),
            runs("p", "fast", 0.4, 0.9),
            runs("q", "slow", 0.1, 0.3),
            runs("q", "fast", 0.4, 0.2),
        ]
    )
    found, shared = transfer_tables.sines(table, table)
    assert shared == "fast" and found.T.to_dict() == {
        "p": {"chosen": 0.1, "shared": 0.9},
        "q": {"chosen": 0.2, "shared": 0.2},
    }


def test_what_was_learned_stands_beside_the_sine_that_was_chosen_in_the_same_way():
    def cell(task, arm, test, held_out=0.0):
        record = SimpleNamespace(arrays={"validation_accuracy": np.array([held_out])})
        return {"data": task, "arm": arm, "test_accuracy_last": test, "record": record}

    cells = pd.DataFrame([
        cell(task, arm, test)
        for task, tests in {"p": (0.1, 0.6, 0.5), "q": (0.2, 0.8, 0.9)}.items()
        for arm, test in zip((RELU, ALL, learned_on("p")), tests, strict=True)
    ])  # fmt: skip
    control = pd.DataFrame(
        [cell("p", "a", 0.5, 0.9), cell("q", "a", 0.5, 0.2), cell("p", "b", 1.0, 0.1), cell("q", "b", 0.9, 0.3)]
    )
    alone = transfer_tables.against_sines(cells, control, control)[0].loc["learned on the task"]
    assert alone["mean"] == 0.5 and np.isnan(alone.ahead)  # one task has no interval
    cells = pd.concat([cells, pd.DataFrame([cell("q", learned_on("q"), 1.0), cell("p", learned_on("q"), 0.0)])])
    compared, shared = transfer_tables.against_sines(cells, control, control)
    assert shared == "a" and compared["mean"].tolist() == pytest.approx([0.15, 0.5, 0.7, 0.7, 0.75])
    assert compared.ahead.dropna().tolist() == pytest.approx([0.2, 0.05])
    words = transfer_tables.sines_in_words(compared)
    assert words.startswith(
        "what was learned on all tasks is not told apart from the sine (70 against 50 % mean test accuracy"
    )
    compared.loc["learned on the task", ["ahead", "half_width"]] = -0.2, 0.1
    assert "what was learned on the task is below the sine" in transfer_tables.sines_in_words(compared)


def test_restarts_of_one_arm_are_compared_at_the_end_and_a_single_one_is_left_out():
    def run(arm, learned, *accuracies):
        return {
            "arm": arm,
            "learned": learned,
            "record": SimpleNamespace(arrays={"validation_accuracy": np.array(accuracies)}),
        }

    table = pd.DataFrame(
        [run("p", "a", 0.9, 0.5), run("q", "b", 0.1, 0.3), run("p", "c", 0.0, 0.75), run("p", "d", 0.2, 0.6)]
    )
    apart = transfer_tables.restarts_apart(table)
    assert apart.to_dict("index") == {"p": {"best": 0.75, "worst": 0.5}}
    joint = pd.DataFrame([run(ALL, "a", 0.5), run(ALL, "a", 0.25), run(ALL, "b", 0.25), run(ALL, "b", 1.0)])
    assert transfer_tables.restarts_apart(joint).to_dict("index") == {
        ALL: {"best": 0.625, "worst": 0.375}
    }  # means over tasks


def test_a_restart_that_diverged_or_is_constant_learned_nothing():
    def run(task, diverged, psi):
        record = SimpleNamespace(numbers={"diverged": diverged}, arrays={"psi_hidden": np.array(psi)})
        return {"task": task, "record": record}

    table = pd.DataFrame([
        run("p", False, [0.0, 0.0]), run("q", False, [0.0, 0.1]), run("p", True, [0.0, 2.0]), run("p", False, [1.0, 2.0])
    ])  # fmt: skip
    assert transfer_tables.learned_nothing(table).to_dict() == {"p": 2, "q": 0}


# --- the section ------------------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path, fingerprints=lambda name: f"sha of {name}")


def fill(store, stages, diverged=(), constant=(), merit=None):
    """Answer each stage with made-up records; return the stages.

    diverged, constant: arms, or pairs of arm and seed. merit: per arm, the curve of validation accuracy of each restart; by task where these differ.
    """
    seen, seed_of = [], {}

    def among(experiment, arms):
        return experiment.arm in arms or (experiment.arm, experiment.seed) in arms

    for stage in stages:
        seen.append(stage)
        for experiment in stage:
            learn = isinstance(experiment, Learn)
            numbers = {"diverged": learn and among(experiment, diverged)}
            if learn:
                seed_of[store.key(experiment)] = experiment.seed
                arrays = {"psi_hidden": np.zeros(3) if among(experiment, constant) else np.arange(3.0)}
            else:
                numbers["validation_accuracy"] = 0.5 + 0.01 * (experiment.optimiser.name == "adam")
                of_arm = (merit or {}).get(experiment.arm, [[0.0, 1.0]] * 9)
                curves = of_arm.get(experiment.data, [[0.0, 1.0]] * 9) if isinstance(of_arm, dict) else of_arm
                arrays = {"validation_accuracy": np.array(curves[seed_of.get(experiment.learned, 0)])}
            store.put(experiment, results.Outcome(numbers, arrays), START, 1.0)
    return seen


START = pd.Timestamp("2026-01-01", tz="UTC").to_pydatetime()


@pytest.mark.parametrize("profile", PROFILES)
def test_every_activation_meets_every_task_with_equal_steps(store, profile):
    plan = PLANS[profile]
    runs = [
        run for stage in fill(store, SECTIONS["transfer"](profile, store)) for run in stage if isinstance(run, Train)
    ]
    cells = [(run.data, run.arm) for run in runs if run.role == "matrix"]
    n = len(plan.matrix.tasks)
    assert len(cells) == len(set(cells)) == n * (n + 2)
    assert {run.steps for run in runs if run.role == "matrix"} == {plan.matrix.steps}
    own = [run for run in runs if run.role == "own"]
    assert {run.arm for run in own} == {RELU, *map(learned_on, plan.matrix.tasks)}
    assert (
        len(set(own)) == len(own) == 2 * n * len(plan.matrix.own_seeds)
        and plan.matrix.seed not in plan.matrix.own_seeds
    )
    assert all(replace(run, role="matrix", seed=plan.matrix.seed) in runs for run in own)
    finals = [run for run in runs if run.role == "final"]
    k = len(plan.images.datasets)
    assert len(set(finals)) == len(finals) == k * (k + 2) * len(plan.images.seeds)
    assert {run.optimiser.name for run in finals} == {"adam"}  # the best on average with ReLU, for all
    assert all(bool(run.learned) == (run.arm != RELU) for run in runs if not run.role.startswith("control"))
    control = [run for run in runs if run.role == "control"]
    assert len(set(control)) == len(control) == n * len(plan.matrix.by_hand) and not any(run.learned for run in control)
    trials = [replace(run, role="control trial", seed=0, validation=0.1) for run in control]
    assert trials == [run for run in runs if run.role == "control trial"]


def test_the_paper_profile_learns_on_each_task_and_on_all_of_them(store):
    tasks = PLANS["paper"].matrix.tasks
    assert tasks == algorithmic.TASKS and len(tasks) == 22
    stages = fill(store, SECTIONS["transfer"]("paper", store))
    learning = [run for stage in stages for run in stage if isinstance(run, Learn) and run.task == "one-hot"]
    expected = [((task,), seed) for task in tasks for seed in range(4)] + [(tasks, seed) for seed in range(4)]
    assert len(set(learning)) == len(learning) and [(run.data, run.seed) for run in learning] == expected
    selected = [
        run
        for stage in stages
        for run in stage
        if isinstance(run, Train) and run.role == "selection" and run.task == "one-hot"
    ]
    arms = Counter((run.arm, run.data) for run in selected)
    assert arms == {(arm, task): 4 for task in tasks for arm in (learned_on(task), ALL)} and all(
        run.validation > 0 for run in selected
    )
    cells = [run for stage in stages for run in stage if isinstance(run, Train) and run.role == "matrix"]
    for run in [*cells, *learning]:  # all pairs at once where there are few, else batches
        names = run.data if isinstance(run, Learn) else (run.data,)
        small = all(name.endswith(("mod 27", "S4")) for name in names)
        assert (run.settings if isinstance(run, Learn) else run).batch == (4096 if small else 1024), names
        # one rate per output: 1 is for a mean over 27
        rate = (run.settings.inner if isinstance(run, Learn) else run.optimiser).lr
        per_output = rate if len(names) > 1 else rate / max(27, algorithmic.examples(names[0])[2])
        assert per_output == pytest.approx(1 / 27), names


def test_a_diverged_activation_has_no_column(store):
    lost = learned_on("digits")
    stages = fill(store, SECTIONS["transfer"]("smoke", store), diverged=(lost,))
    runs = [run for stage in stages for run in stage if isinstance(run, Train)]
    columns = {run.arm for run in runs if run.role == "matrix"}
    assert columns == {RELU, ALL} | {learned_on(task) for task in PLANS["smoke"].matrix.tasks}
    assert lost not in {run.arm for run in runs} and {run.arm for run in stages[-3]} == {
        RELU,
        learned_on("noisy_digits"),
    }


def test_an_activation_that_learned_nothing_has_no_column(store):
    lost = learned_on(PLANS["smoke"].matrix.tasks[0])
    stages = fill(store, SECTIONS["transfer"]("smoke", store), constant=(lost,))
    columns = {run.arm for stage in stages for run in stage if isinstance(run, Train) and run.role == "matrix"}
    assert columns == {RELU, ALL} | {learned_on(task) for task in PLANS["smoke"].matrix.tasks[1:]}
    assert lost not in {run.arm for stage in stages for run in stage if isinstance(run, Train)}


def test_nor_has_one_for_all_tasks_that_learned_nothing(store):
    stages = fill(store, SECTIONS["transfer"]("smoke", store), constant=(ALL,))
    columns = {run.arm for stage in stages for run in stage if isinstance(run, Train) and run.role == "matrix"}
    assert columns == {RELU} | {learned_on(task) for task in PLANS["smoke"].matrix.tasks}


def test_the_restart_that_learns_earliest_is_used(store):
    """On the first task, and on all, the second restart, though it ends lower; on the second it diverged, on the third it is constant."""
    tasks = PLANS["smoke"].matrix.tasks
    first, second, third = map(learned_on, tasks)
    # on the first task the first restart is the better one, on average over the tasks the second
    jointly = dict(zip(tasks, [[[0, 1, 1], [0, 0, 0]], [[0, 0, 0], [0, 0, 1]], [[0, 0, 0], [1, 1, 1]]], strict=True))
    stages = fill(
        store,
        SECTIONS["transfer"]("smoke", store),
        diverged=((second, 1),),
        constant=((third, 1),),
        merit={
            first: [[0, 0, 1], [0, 0.9, 0.9]],
            second: [[0, 0, 1], [1, 1, 1]],
            third: [[0, 0, 1], [1, 1, 1]],
            ALL: jointly,
        },
    )
    everything = [run for stage in stages for run in stage]
    sources = {store.key(run): run.seed for run in everything if isinstance(run, Learn)}
    used = {
        run.arm: sources[run.learned]
        for run in everything
        if isinstance(run, Train) and run.role in ("matrix", "own") and run.learned
    }
    assert used == {first: 1, second: 0, third: 0, ALL: 1}
    selected = {
        (run.arm, sources[run.learned])
        for run in everything
        if isinstance(run, Train) and run.role == "selection" and run.task == "one-hot"
    }
    assert selected == {(first, 0), (first, 1), (second, 0), (third, 0), (ALL, 0), (ALL, 1)}


def test_other_depths_repeat_the_final_runs_but_for_their_depth(store):
    plan = PLANS["paper"].images
    runs = [
        run for stage in fill(store, SECTIONS["transfer"]("paper", store)) for run in stage if isinstance(run, Train)
    ]
    finals = {(run.arm, run.data, run.seed): run for run in runs if run.role == "final"}
    deep = [run for run in runs if run.role == "depth"]
    assert len(deep) == len(set(deep)) == 4 * 3 * len(plan.depths) * len(plan.depth_seeds)
    for run in deep:
        final, depth = finals[run.arm, run.data, run.seed], run.network.depth
        assert depth in plan.depths and run.network.residual == (depth > 1)
        network = replace(run.network, depth=plan.depth, residual=True)
        assert replace(run, role="final", network=network) == final


# --- claims -----------------------------------------------------------------------------------------------------------


def settle(name, frame, missing=0):
    claim = next(claim for claim in claims.CLAIMS if claim.name == name)
    return claim.decide(lambda section: Given(frame, missing))


def grokking_runs(relu, learned):
    """Final runs on a+b mod 27 with these steps to 95 %."""
    rows = [("ReLU", s, n) for s, n in enumerate(relu)] + [("learned from zeros", s, n) for s, n in enumerate(learned)]
    return pd.DataFrame([
        {"role": "final", "arm": arm, "seed": seed, "data": "a+b mod 27", "steps": 60_000, "test_steps_to_95": steps}
        for arm, seed, steps in rows
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "reproduced"),
        ({ALL: {"mnist": 0.4, "cifar10": 0.2}}, "in part"),
        ({learned_on("cifar10"): {"mnist": 0.7, "cifar10": 0.1}, ALL: {"mnist": 0.4, "cifar10": 0.2},
          learned_on("mnist"): {"mnist": 0.1, "cifar10": 0.25}}, "not reproduced"),
    ],
)  # fmt: skip
def test_c18_each_dataset_likes_its_own_activation(changed, expected):
    assert settle("C18", image_runs(TABLE | changed)).verdict == expected


@pytest.mark.parametrize("name", ["C15", "C17", "C18"])
def test_missing_records_leave_a_claim_open(name):
    assert settle(name, grokking_runs([1, 2], [1]), missing=3) == verdict.NOT_RUN


def sweep_runs(settings):
    """settings: (width, held out) -> steps to 95 % of (ReLU, learned), one seed each."""
    return pd.DataFrame([
        {"role": "sweep", "arm": arm, "network.width": width, "validation": part, "steps": 1000, "test_steps_to_95": steps}
        for (width, part), pair in settings.items() for arm, steps in zip(("ReLU", "learned from zeros"), pair, strict=True)
    ])  # fmt: skip


def test_the_main_setting_counts_up_to_the_last_step_of_the_sweep():
    """Final runs of 60,000 steps beside a sweep of 1,000: what they reach later counts as never."""
    sweep = sweep_runs({(32, 0.0): (None, 100)}).assign(data="a+b mod 27", seed=1)
    main = grokking_runs([500] * 2, [5000] * 2).assign(**{"network.width": 256, "validation": 0.0})
    table = grokking_tables.settings_table(Given(pd.concat([sweep, main])))
    assert list(table.width) == [32, 256] and list(table.pairs) == [0.8, 0.8]
    assert table["ReLU"].tolist() == [np.inf, 500] and table["learned from zeros"].tolist() == [100, np.inf]


# --- Figure 19 --------------------------------------------------------------------------------------------------------


def depth_runs():
    """Two datasets, ReLU and two learned activations at depths 1, 2 and 4; at equal depth they differ by known gains."""
    gains = {RELU: (0, 0), learned_on("mnist"): (4, 1), learned_on("cifar10"): (-2, 3), ALL: (0, 0)}
    return pd.DataFrame([
        {"arm": arm, "data": data, "network.depth": depth, "seed": seed, "test_accuracy": (256 + 64 * depth + 8 * gain + seed) / 1024}
        for arm, pair in gains.items() for data, gain in zip(("mnist", "cifar10"), pair, strict=True)
        for depth in (1, 2, 4) for seed in (1, 2)
    ])  # fmt: skip


def test_architectures_are_compared_over_the_seeds_that_all_depths_have():
    runs = depth_runs()
    finals, deep = runs[runs["network.depth"] == 4], runs[(runs["network.depth"] < 4) & (runs.seed == 2)]
    table = transfer_tables.architectures(finals, deep)
    assert list(table.columns) == ["mnist", "cifar10"] and len(table) == 9  # without the one learned on all
    assert table.loc[(learned_on("mnist"), 4), "mnist"] == (256 + 64 * 4 + 8 * 4 + 2) / 1024
    lacking = deep[~((deep.arm == RELU) & (deep.data == "cifar10") & (deep["network.depth"] == 1))]
    assert (RELU, 1) not in transfer_tables.architectures(finals, lacking).index


def test_pairs_correlate_by_depth_but_their_changes_need_not():
    runs = depth_runs()
    table = transfer_tables.architectures(runs[runs["network.depth"] == 4], runs[runs["network.depth"] < 4])
    ((pair, (accuracy, change)),) = transfer_tables.pair_correlations(table).items()
    assert pair == ("mnist", "cifar10")
    assert accuracy.value > 0.8 and change.value == pytest.approx(-1)  # what helps one hurts the other
