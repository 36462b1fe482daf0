"""How a matrix with several seeds and equal budgets decides C17: by hand, and what its plan runs."""

import itertools
from datetime import UTC, datetime

import numpy as np
import pytest
from given import Given

from notebooks.paper.experiments.learn import Learn
from notebooks.paper.experiments.train import Train
from notebooks.paper.records.store import Outcome, Store
from notebooks.paper.sections import SECTIONS, collect
from notebooks.paper.transfer import by_budget
from notebooks.paper.transfer.budgets import FOUR, MORE_SEEDS, TASKS
from notebooks.paper.transfer.matrix import ALL, MATRICES, RELU, learned_on

NAMES = ("p", "q", "r", "s")


def matrix(own, others, joint, relu=0.2, few=None, seeds=(1, 2, 3)):
    """Hard tasks: the accuracy of each task's own activation, of the others' on it, of the joint one, of ReLU."""
    rows = []
    for seed in seeds:
        for i, task in enumerate(NAMES):
            step = (i + seed) / 1000
            about = {"data": task, "seed": seed, "test_steps_to_95": None}

            def add(role, arm, accuracy, about=about, step=step):
                rows.append(about | {"role": role, "arm": arm, "test_accuracy_last": accuracy + step})

            add("matrix" if seed == 1 else "own", RELU, relu)
            for other in NAMES:
                same = other == task
                role = "own" if same and seed > 1 else "matrix"
                add(role, learned_on(other), own if same else others)
            add("equal", ALL, joint)
            if few is not None and task in NAMES[:2]:
                add("four", FOUR, few)
    return [*rows, {"data": "p", "seed": 4, "role": "own", "arm": RELU, "test_accuracy_last": 0.9}]


def decide(rows, missing=0):
    return by_budget.transfer_across_tasks({"budgets": Given(rows, missing)}.__getitem__)


@pytest.mark.parametrize(
    ("numbers", "verdict", "holds"),
    [
        ({"own": 0.9, "others": 0.5, "joint": 0.8, "few": 0.85}, "reproduced", (True, True, True, True)),
        ({"own": 0.9, "others": 0.5, "joint": 0.8, "few": 0.3}, "reproduced", (True, True, True, False)),  # a control
        ({"own": 0.9, "others": 0.15, "joint": 0.3, "few": 0.9}, "in part", (False, True, False, True)),
        ({"own": 0.1, "others": 0.15, "joint": 0.1, "few": 0.9}, "not reproduced", (False, False, False, True)),
    ],
)
def test_three_conditions_decide_and_the_fourth_is_a_control(numbers, verdict, holds):
    finding = decide(matrix(**numbers))
    assert (finding.verdict, finding.holds) == (verdict, holds)
    assert ("one of budget" in finding.ours) == (not holds[3])


def test_scores_are_means_over_seeds():
    rows = matrix(own=0.9, others=0.5, joint=0.8)
    both = by_budget.scores(by_budget.cells(Given(rows))[0]).score
    alone = [by_budget.scores(by_budget.cells(Given([r for r in rows if r["seed"] == s]))[0]).score for s in (1, 2, 3)]
    assert both.loc["p", RELU] == pytest.approx(np.mean([one.loc["p", RELU] for one in alone]))
    assert both.loc["p", learned_on("p")] == 1.0


def test_without_the_few_the_control_fails_and_without_all_records_nothing_is_said():
    finding = decide(matrix(own=0.9, others=0.5, joint=0.8))
    assert finding.verdict == "reproduced" and finding.holds[3] is False
    assert decide(matrix(own=0.9, others=0.5, joint=0.8), missing=1) == by_budget.NOT_RUN
    assert decide([]) == by_budget.NOT_RUN
    without = [row for row in matrix(own=0.9, others=0.5, joint=0.8) if row["arm"] != ALL]
    assert decide(without).verdict == "not reproduced"


def test_all_cells_have_equal_seeds_and_the_budgets_are_equal(tmp_path):
    store, runs = Store(tmp_path, fingerprints=lambda name: f"sha256 of {name}"), []
    for stage in SECTIONS["budgets"]("smoke", store):
        runs += stage
        for run in stage:
            arrays = {"validation_accuracy": np.ones(3), "psi_hidden": np.arange(9.0)}
            store.put(run, Outcome({"diverged": False}, arrays), datetime.now(UTC), 1.0)
    plan, learns = MATRICES["smoke"], [run for run in runs if isinstance(run, Learn)]
    (further,) = [run for run in learns if run.start]
    first = next(run for run in learns if store.key(run) == further.start)
    assert first.arm == further.arm == ALL and further.seed not in {run.seed for run in learns if run != further}
    assert first.settings.episodes + further.settings.episodes == plan.learning.episodes * len(plan.tasks)
    few = [run for run in learns if run.arm == FOUR]
    assert {run.data for run in few} == {TASKS["smoke"]}
    assert {run.settings.episodes for run in few} == {plan.learning.episodes}
    trained = [run for run in runs if isinstance(run, Train)]
    cells = {(run.data, run.arm, run.seed) for run in trained if run.role in ("matrix", "own")}
    seeds = (plan.seed, *plan.own_seeds[: MORE_SEEDS["smoke"]])
    for task, arm, seed in itertools.product(plan.tasks, (RELU, *map(learned_on, plan.tasks)), seeds):
        assert (task, arm, seed) in cells
    equal = [run for run in trained if run.role == "equal"]
    assert {run.learned for run in equal} == {store.key(further)} and len(equal) == len(seeds) * len(plan.tasks)
    assert collect("budgets", "smoke", store).missing == 0


def test_the_control_is_on_four_tasks_of_the_matrix():
    assert len(TASKS["paper"]) == 4 and set(TASKS["paper"]) < set(MATRICES["paper"].tasks)
