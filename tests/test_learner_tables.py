"""The learner against a search by hand: its rule on numbers made up, and the small plan run for real."""

import math

import pandas as pd
import pytest
from matplotlib import pyplot as plt

from notebooks.paper import sections
from notebooks.paper.ablations import figures, learner_tables
from notebooks.paper.ablations.learner import HAND, LEARNED, LONGER, PLANS, RANDOM, RANKS, RELU, STARTS, margins
from notebooks.paper.ablations.learner_tables import SEARCHES, TaskResults

COLUMNS = ["search", "restart", "kind", "merit", "result", "inner_steps"]


def results(steps, finals, rows, margin):
    series = {arm: pd.Series(values, index=[1, 2, 3], dtype=float) for arm, values in finals.items()}
    for values in series.values():
        values.attrs |= {"horizon": 1000, "lost": 1}
    return TaskResults("t", next(iter(PLANS["smoke"].settings.values())), margin, steps, series,
                       pd.DataFrame(rows, columns=COLUMNS))  # fmt: skip


ROWS = [
    (LEARNED, 0, "race", 0.6, 61.0, 10), (LEARNED, 0, "learn", 0.7, 66.0, 30),
    (LEARNED, 1, "race", 0.5, 52.0, 10), (LEARNED, 1, "learn", 0.4, 70.0, 20),
    (HAND, 0, "race", 0.6, 61.0, 10), (HAND, 1, "race", 0.9, 50.0, 10),
]  # fmt: skip


def test_the_rule_on_accuracies():
    task = results(False, {RELU: [60, 61, 62], LEARNED: [65, 66, 67], HAND: [65, 65.5, 66.9]}, ROWS, 0.5)
    assert task.restarts().result.tolist() == [66.0, 52.0]  # by validation, not by the result
    assert task.successes() == (1, 2) and not task.holds()
    gain, half = task.over(HAND)
    assert gain == pytest.approx(0.2) and half == pytest.approx(4.302653 * 0.2645751 / 3**0.5, rel=1e-4)
    assert task.progress(LEARNED).to_numpy().tolist() == [[30, 66], [50, 66]]
    assert task.progress(HAND).to_numpy().tolist() == [[10, 61], [20, 50]]
    rows = [(*row[:4], 66.0, row[5]) for row in ROWS]
    assert not results(False, task.finals, rows, 0.4).holds()  # the lower end is at -0.46
    assert results(False, task.finals, rows, 0.5).holds()
    assert results(False, {RELU: [60, 61, 62], LEARNED: [65, 66, 67]}, rows, 0.5).holds() is None
    assert task.more()["steps, learner"] == "50" and task.more()["best start"] == "—"


def test_the_rule_on_steps_where_never_is_no_success():
    rows = [(search, i, learned, merit, 500 if result > 60 else math.inf, steps)
            for search, i, learned, merit, result, steps in ROWS]  # fmt: skip
    task = results(True, {RELU: [1000] * 3, LEARNED: [400, 500, 1000], HAND: [800, 1000, 1000]}, rows, 1.25)
    assert task.successes() == (1, 2)
    assert task.over(HAND)[0] == pytest.approx((1 + 1 + 0) / 3)  # twice as soon, twice, as soon
    assert (
        task.shown(RELU) == "never in 1,000"
        and task.shown(LEARNED) == "450 (2 of 3, 1 below it at the end)"
        and task.shown(RANDOM) == "—"
    )


def test_what_never_gets_there_is_no_success_however_short_its_horizon():
    runs = pd.DataFrame({"test_steps_to_95": [None, None, 90.0], "steps": 100, "test_accuracy_last": 0.5})
    assert (
        learner_tables.measure(runs, True).tolist() == [100, 100, 90] and learner_tables.typical(runs, True) == math.inf
    )
    assert learner_tables.typical(runs.assign(test_steps_to_95=[80.0, None, 90.0]), True) == 90
    assert learner_tables.typical(pd.DataFrame({"test_accuracy": [0.5, 0.7]}), False) == pytest.approx(60)


def test_learning_counts_where_it_is_better_in_validation():
    task = results(False, {RELU: [60, 61, 62], LEARNED: [65, 66, 67]}, ROWS, 0.5)
    assert learner_tables.gains_of_learning({"t": task}).better.tolist() == [True, False]


def test_every_task_has_a_margin():
    assert set(PLANS["paper"].settings) <= set(margins()) and all(margin > 0 for margin in margins().values())


@pytest.mark.parametrize("section", ["learner", "longer"])
def test_the_small_plan_gives_a_row_and_a_panel_per_task(section, monkeypatch):
    collected, longer = sections.results(section, "smoke"), section == "longer"
    tasks, absent = learner_tables.collect(collected, "smoke", longer=longer)
    settings = (LONGER if longer else PLANS)["smoke"].settings
    assert not collected.missing and list(tasks) == list(settings) and not absent
    table, more = learner_tables.table(tasks), learner_tables.more(tasks)
    assert table.shape == (len(tasks), 7) and not (table == "—").any().any()
    lacking = 3 if longer else 8  # nothing earlier; in the first plan no Bayesian search, nothing trained with weights
    assert more.shape == (len(tasks), 9) and (more == "—").sum().sum() == lacking
    assert learner_tables.counted(tasks)[1] == 2 * len(tasks)
    choices = learner_tables.choices(tasks)
    assert choices.get("task", []).tolist() == ["breast_cancer"] if longer else choices.empty
    for name, task in tasks.items():
        counts, wider = task.candidates.groupby("search").restart.nunique(), name == "breast_cancer"
        assert counts[LEARNED] == counts[RANDOM] == 2 and counts[HAND] == (5 if wider else 3)
        own = task.candidates[task.candidates.search == LEARNED]
        kinds = own.groupby("restart").kind.agg(set)
        assert all(found == {"race", "learn", *["pick", "ReLU"] * longer, *["inputs"] * wider} for found in kinds)
        if wider:  # its steps are those of the race, of the hidden function, and its own
            cost = own.pivot_table(index="restart", columns="kind", values="inner_steps")
            assert (cost.inputs > cost.learn).all() and (cost.learn > cost.race).all()
        assert set(task.ends) == ({0, 1} if longer else set())
        best = task.restarts().set_index("restart").result
        assert not longer or best.to_dict() == task.ends
    if longer:  # one split; races are as long as trainings
        runs = collected.frame()
        of_images = runs[runs.data == "digits"]
        by_rank = runs[runs.arm == f"{RANKS}: breast_cancer"]
        assert set(by_rank.scaling) == {"quantile"} and set(by_rank.role) == {"final"} and len(by_rank) == 2
        assert set(of_images.split) == {0} and set(collected.frame("race", data="digits").steps) == set(of_images.steps)
    monkeypatch.setattr(learner_tables, "EARLIER_RUNS", {"digits": ("another section", f"{RANDOM}: digits")})
    earlier = learner_tables.collect(collected, "smoke", {"another section": collected}.get, longer)[0]["digits"].finals
    assert earlier[learner_tables.EARLIER].tolist() == earlier[RANDOM].tolist()
    figure = figures.searches(tasks)
    assert [ax.get_title() for ax in figure.axes] == list(tasks)
    plt.close(figure)
    empty = learner_tables.collect(type(collected)([], 0, kinds=collected.kinds), "smoke")
    assert empty == ({}, list(PLANS["smoke"].settings))


def test_on_collages_the_tile_that_v_names_counts():
    collected = sections.results("collages", "smoke")
    tasks, absent = learner_tables.collect(collected, "smoke", longer=True, collages=True)
    (task,) = tasks.values()
    assert not collected.missing and not absent and set(task.finals) == {*SEARCHES, RELU, STARTS}
    runs = collected.frame("train_collage", role="final", arm=f"{LEARNED}: {task.name}").set_index("seed")
    assert task.finals[LEARNED].to_dict() == (100 * runs.by_second_second).to_dict() and set(runs.split) == {0}
    assert set(runs["optimiser.lr"]) == set(collected.frame("race_collage")["optimiser.lr"])  # ReLU's best, all alike
    own = task.candidates[task.candidates.search == LEARNED]
    assert own.groupby("restart").kind.agg(set).tolist() == [{"race", "learn", "pick", "ReLU"}] * 2
    assert task.restarts().set_index("restart").result.to_dict() == task.ends and task.row()["task"] == task.name
