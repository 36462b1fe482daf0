"""How records under several conventions decide C13, C14 and C16."""

from types import SimpleNamespace

import numpy as np
import pytest
from given import Given

from notebooks.paper.grokking import by_convention as verdicts
from notebooks.paper.grokking import rates

ZEROS, RANDOM = "learned from zeros", "learned from random"


def run(
    role,
    arm,
    init,
    rate,
    steps_to=None,
    *,
    seed=1,
    learned="",
    width=256,
    validation=0.0,
    steps=60_000,
    curve=(0.0, 1.0),
    merit=0.5,
    **more,
):
    arrays = {"test_accuracy": np.array(curve), "validation_accuracy": np.full(3, merit)}
    row = {
        "role": role, "arm": arm, "data": "a+b mod 27", "optimiser.lr": rate, "network.width": width, "validation": validation, "seed": seed,
        "learned": learned, "network.activation.alpha": 1.0, "steps": steps, "diverged": False, "test_steps_to_95": steps_to,
        "record": SimpleNamespace(arrays=arrays),
    }  # fmt: skip
    return row | ({} if init == "default" else {"network.initialisation": init}) | more


def read(conventions, grokking=(), missing=0):
    return lambda section: Given(list(conventions), missing) if section == "conventions" else Given(list(grokking))


def convention(init, rate, relu, learned, arm=ZEROS):
    """Final runs of both arms under a convention, and the trials that the learned one was chosen by."""
    key = f"learn-{init}-{rate}-{arm}"
    rows = [run("final", "ReLU", init, rate, steps, seed=i) for i, steps in enumerate(relu)]
    rows += [run("final", arm, init, rate, steps, seed=i, learned=key) for i, steps in enumerate(learned)]
    return rows + [run("trial", arm, init, rate, 100, learned=key, validation=0.1)]


def test_the_ratio_of_each_convention_is_that_of_the_medians_or_a_bound():
    rows = convention("default", 1.0, [None, None, 9000], [1000, 2000, 3000]) + convention(
        "glorot", 13.5, [3000, 5000, 4000], [900, None, 1100]
    )
    found = verdicts.table(Given(rows)).set_index(["initialisation", "rate"])
    assert found.ratio["default", 1.0] == 30 and found.bound["default", 1.0]
    assert found.ratio["glorot", 13.5] == pytest.approx(4000 / 1100) and not found.bound["glorot", 13.5]
    finding = verdicts.sooner_under_conventions(read(rows))
    assert finding.verdict == "in part"  # 1 of 2 is not most
    assert [(c.where, c.holds) for c in finding.conditions] == [
        ("default, mean over outputs", True),
        ("glorot, half the sum over outputs", False),
    ]
    assert np.isinf(finding.conditions[0].high) and np.isnan(finding.conditions[1].high)


def test_where_neither_gets_there_nothing_is_tested_and_where_only_relu_does_it_fails():
    rows = (
        convention("default", 1.0, [None], [None])
        + convention("he", 1.0, [500], [None])
        + convention("glorot", 1.0, [None], [100])
    )
    finding = verdicts.sooner_under_conventions(read(rows))
    assert [(c.where.split(",")[0], c.holds) for c in finding.conditions] == [("he", False), ("glorot", True)]
    assert "1 not tested" in finding.ours


def test_a_start_that_departs_from_the_paper_makes_it_hold_in_part_only():
    strong = [None], [100]
    of_paper = convention("default", 1.0, *strong) + convention("he", 1.0, *strong)
    assert verdicts.sooner_under_conventions(read(of_paper)).verdict == "reproduced"
    random = convention("default", 1.0, *strong, RANDOM) + convention("he", 1.0, *strong, RANDOM)
    assert verdicts.sooner_under_conventions(read(random)).verdict == "in part"


def test_of_several_starts_the_best_in_its_trials_counts():
    rows = convention("default", 1.0, [None], [100], ZEROS) + convention("default", 1.0, [None], [6000], RANDOM)[1:]
    rows[-1]["record"].arrays["validation_accuracy"][:] = 0.9  # the trial of the random start
    (row,) = verdicts.table(Given(rows)).itertuples()
    assert row.arm == RANDOM and row.ratio == 10


def test_the_best_rate_of_relu_is_a_convention_and_the_longest_runs_count():
    rows = [
        run("rate trial", "ReLU", "default", rate, merit=merit, validation=0.1)
        for rate, merit in ((1.0, 0.2), (4.0, 0.6), (8.0, 0.5))
    ]
    rows += [run("final", "ReLU", "default", 4.0, None, steps=10_000), run("final", "ReLU", "default", 4.0, 20_000)]
    rows += convention("default", 4.0, [], [2000])
    (row,) = verdicts.table(Given(rows)).itertuples()
    assert (row.convention, row.rate, row.relu, row.last) == (verdicts.BEST, 4.0, 20_000, 60_000)


def test_a_best_rate_that_is_one_of_the_two_is_no_further_convention():
    rows = convention("default", 1.0, [9000], [1000]) + convention("default", 13.5, [4000], [1000])
    rows += [run("rate trial", "ReLU", "default", rate, merit=rate) for rate in (1.0, 13.5)]
    assert verdicts.table(Given(rows)).rate.tolist() == [1.0, 13.5]


def test_without_all_records_nothing_is_said():
    rows = convention("default", 1.0, [None], [100])
    for decide in (
        verdicts.sooner_under_conventions,
        verdicts.sooner_in_settings,
        verdicts.learned_overfits_relu_stays,
    ):
        assert decide(read(rows, missing=1)) == verdicts.NOT_RUN


def settings(init, learned):
    """Two widths of Figure 13 under a convention; ReLU needs 5,000 steps."""
    arms = (("ReLU", [5000, 5000]), (RANDOM, learned))
    return [
        run("figure 13", arm, init, 13.5, steps, width=width, steps=10_000)
        for arm, of in arms
        for width, steps in zip((64, 128), of, strict=True)
    ]


@pytest.mark.parametrize(
    ("default", "glorot", "verdict"),
    [
        ([100, 200], [100, 200], "reproduced"),
        ([100, 200], [100, None], "in part"),
        ([100, None], [None, 100], "not reproduced"),
        ([100, None], [100, 9000], "not reproduced"),
    ],
)
def test_settings_are_counted_by_convention(default, glorot, verdict):
    finding = verdicts.sooner_in_settings(read(settings("default", default) + settings("glorot", glorot)))
    assert finding.verdict == verdict and len(finding.conditions) == 4


def test_later_falls_count_only_after_95_percent():
    high, falls, never = (0.1, 0.96, 0.99), (0.1, 0.97, 0.8), (0.1, 0.6, 0.1)
    rows = [run("final", "ReLU", "default", 13.5, 100, seed=i, curve=high) for i in range(5)]
    rows += [
        run("final", ZEROS, "default", 13.5, 100, learned="learn-1", curve=falls),
        run("final", ZEROS, "he", 1.0, None, learned="learn-2", curve=never),
    ]
    finding = verdicts.learned_overfits_relu_stays(read(rows))
    assert finding.verdict == "reproduced" and finding.conditions[0].value == pytest.approx(17)

    rows[0] = run("final", "ReLU", "default", 13.5, 100, seed=0, curve=(0.1, 0.99, 0.96))  # falls by 3
    assert [c.holds for c in verdicts.learned_overfits_relu_stays(read(rows)).conditions] == [True, False, True]
    rows[0] = run("final", "ReLU", "default", 13.5, 40_000, seed=0, curve=high)  # too late to be tested: four are left
    assert [c.holds for c in verdicts.learned_overfits_relu_stays(read(rows)).conditions] == [True, False, True]
    rows.append(run("final", "ReLU", "glorot", 1.0, None, curve=(0.1, 0.5, 0.7)))  # neither of the two
    conditions = verdicts.learned_overfits_relu_stays(read(rows)).conditions
    assert [(c.where, c.holds) for c in conditions[2:]] == [("default, rate 13.5", True), ("glorot, rate 1", False)]


def test_how_sure_the_page_is_says_what_the_records_say_once_there_are_some():
    assert "in a trial" in rates.how_sure(Given([], 3)).lower()
    rows = convention("he", 13.5, [None, None], [6000, 6000])
    words = rates.how_sure(Given(rows, 3))
    assert "this many times sooner: He at least 10.0." in words and "trial" not in words
    assert "It is being measured under each convention" in words
