"""How records of tables with training until nothing improves decide C5 and C6."""

import numpy as np
import pytest
from given import Given

from notebooks.paper.tabular import by_convergence
from notebooks.paper.tabular.converged import INPUTS, RANGE, RANK, RELU, TANH

TABLES = ("a", "b", "c", "d", "e", "f")
WOBBLE = (0.0, 0.002, -0.001, 0.001, -0.002)


def runs(data, arm, accuracy, *, kind="train", scaling=RANGE, tv=1.0, validation=None):
    return [
        {
            "kind": kind, "role": "final", "data": data, "arm": arm, "scaling": scaling, "seed": seed, "tv": tv,
            "test_accuracy": accuracy + wobble, "validation_accuracy": accuracy if validation is None else validation,
        }
        for seed, wobble in enumerate(WOBBLE)
    ]  # fmt: skip


def tables(of):
    """All arms on each table; of: from the table's number to accuracies over ReLU's, by arm, and total variations."""
    rows = []
    for i, data in enumerate(TABLES):
        gains, tv = of(i)
        base = 0.7 + i / 50
        for arm, gain in gains.items():
            kind = "baseline" if arm == "boosted trees" else "train"
            rows += runs(data, arm, base + gain, kind=kind, tv=tv.get(arm, 1.0))
    return rows


def by_rank():
    """ReLU and input activations on columns by rank."""
    return [
        row
        for data in TABLES
        for arm, accuracy in ((RELU, 0.71), (INPUTS, 0.715))
        for row in runs(data, arm, accuracy, scaling=RANK)
    ]


def as_the_paper(i):
    gains = {RELU: 0.0, "boosted trees": 0.05, TANH: 0.03, "learned from zeros": 0.01, "learned from ReLU": 0.03}
    inputs = 0.06 if i == 0 else 0.035 + i / 1000
    return gains | {INPUTS: inputs}, {INPUTS: np.exp(i / 4)}


def decide(rows, missing=0, ranks=()):
    read = {"tables": Given(rows, missing), "ranks": Given([*ranks], 0 if ranks else 1)}.__getitem__
    return by_convergence.gap_to_trees(read), by_convergence.another_complexity_for_each_table(read)


def test_all_conditions_hold_where_tables_are_as_in_the_paper():
    gap, complexity = decide(tables(as_the_paper), ranks=by_rank())
    assert gap.verdict == "reproduced" and len(gap.conditions) == 6
    assert gap.conditions[0].value == pytest.approx(5.0) and gap.conditions[0].where == "on 6 of 6 tables"
    assert gap.conditions[2].value == pytest.approx(0.4)  # the part of the gap that the better start leaves
    assert "add +0.5 ± 0.0" in gap.ours and "by rank" not in decide(tables(as_the_paper))[0].ours
    assert complexity.holds[:2] == (True, True) and len(complexity.conditions) == 3
    assert complexity.conditions[1].value == pytest.approx(1.0) and "on f 3.49 times" in complexity.conditions[1].where


def test_the_start_of_hidden_activations_is_chosen_by_validation():
    rows = [row for row in tables(as_the_paper) if row["arm"] != "learned from zeros"]
    rows += [row for data in TABLES for row in runs(data, "learned from zeros", 0.99, validation=0.1)]
    assert decide(rows)[0].conditions[2].value == pytest.approx(0.4)


def test_where_nothing_gains_nothing_holds_but_the_trees():
    none = dict.fromkeys((RELU, TANH, "learned from ReLU", INPUTS), 0.0) | {"learned from zeros": -0.01}
    gap, complexity = decide(tables(lambda i: (none | {"boosted trees": 0.05}, {})))
    assert gap.holds == (True, False, False, False, False, False) and gap.verdict == "in part"
    assert complexity.verdict == "not reproduced" and np.isnan(complexity.conditions[2].value)


def test_an_arm_that_diverged_everywhere_fails():
    gap, _ = decide([row for row in tables(as_the_paper) if row["arm"] != TANH])
    assert not gap.conditions[1].holds and np.isnan(gap.conditions[1].value)


def test_without_all_records_nothing_is_said():
    assert decide(tables(as_the_paper), missing=1) == (by_convergence.NOT_RUN, by_convergence.NOT_RUN)
    assert decide([]) == (by_convergence.NOT_RUN, by_convergence.NOT_RUN)
