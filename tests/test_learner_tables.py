"""The learner against a search by hand: its rule on numbers made up, and the small plan run for real."""

import math

import pandas as pd
import pytest
from matplotlib import pyplot as plt

from notebooks.paper import sections
from notebooks.paper.ablations import figures, learner_tables
from notebooks.paper.ablations.learner import HAND, LEARNED, PLANS, RANDOM, RELU, margins
from notebooks.paper.ablations.learner_tables import TaskResults

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


def test_learning_counts_where_it_is_better_in_validation():
    task = results(False, {RELU: [60, 61, 62], LEARNED: [65, 66, 67]}, ROWS, 0.5)
    assert learner_tables.gains_of_learning({"t": task}).better.tolist() == [True, False]


def test_every_task_has_a_margin():
    assert set(PLANS["paper"].settings) <= set(margins()) and all(margin > 0 for margin in margins().values())


@pytest.mark.parametrize("section", ["learner", "longer"])
def test_the_small_plan_gives_a_row_and_a_panel_per_task(section, monkeypatch):
    collected, longer = sections.results(section, "smoke"), section == "longer"
    tasks, absent = learner_tables.collect(collected, "smoke", longer=longer)
    assert not collected.missing and list(tasks) == list(PLANS["smoke"].settings) and not absent
    table, more = learner_tables.table(tasks), learner_tables.more(tasks)
    assert table.shape == (2, 7) and not (table == "—").any().any()
    lacking = 2 if longer else 6  # nothing earlier; in the first plan no Bayesian search, nothing trained with weights
    assert more.shape == (2, 8) and (more == "—").sum().sum() == lacking
    assert learner_tables.counted(tasks)[1] == 4
    for task in tasks.values():
        counts = task.candidates.groupby("search").restart.nunique()
        assert counts[LEARNED] == counts[RANDOM] == 2 and counts[HAND] == 3
        kinds = task.candidates[task.candidates.search == LEARNED].groupby("restart").kind.agg(set)
        assert all(found == {"race", "learn", *["pick", "ReLU"] * longer} for found in kinds)
        assert set(task.ends) == ({0, 1} if longer else set())
        best = task.restarts().set_index("restart").result
        assert not longer or best.to_dict() == task.ends
    if longer:  # one split; races are as long as trainings
        runs = collected.frame()
        of_images = runs[runs.data == "digits"]
        assert set(of_images.split) == {0} and set(collected.frame("race", data="digits").steps) == set(of_images.steps)
    monkeypatch.setattr(learner_tables, "EARLIER_RUNS", {"digits": ("another section", f"{RANDOM}: digits")})
    earlier = learner_tables.collect(collected, "smoke", {"another section": collected}.get, longer)[0]["digits"].finals
    assert earlier[learner_tables.EARLIER].tolist() == earlier[RANDOM].tolist()
    figure = figures.searches(tasks)
    assert [ax.get_title() for ax in figure.axes] == list(tasks)
    plt.close(figure)
    empty = learner_tables.collect(type(collected)([], 0, kinds=collected.kinds), "smoke")
    assert empty == ({}, list(PLANS["smoke"].settings))
