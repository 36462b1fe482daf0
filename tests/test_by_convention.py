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
        ("PyTorch's, mean over outputs", True),
        ("Glorot, half the sum over outputs", False),
    ]
    assert np.isinf(finding.conditions[0].high) and np.isnan(finding.conditions[1].high)


def test_where_neither_gets_there_nothing_is_tested_and_where_only_relu_does_it_fails():
    rows = (
        convention("default", 1.0, [None], [None])
        + convention("he", 1.0, [500], [None])
        + convention("glorot", 1.0, [None], [100])
    )
    finding = verdicts.sooner_under_conventions(read(rows))
    assert [(c.where.split(",")[0], c.holds) for c in finding.conditions] == [("He", False), ("Glorot", True)]
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
    assert rates.called(row) == "PyTorch's, best rates"


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

    again = [rows[0] | {"steps": 50_000}]  # the same run in the first plan, shorter: it counts once
    assert "of the 5 ReLU runs" in verdicts.learned_overfits_relu_stays(read(rows, again)).ours

    rows[0] = run("final", "ReLU", "default", 13.5, 100, seed=0, curve=(0.1, 0.99, 0.96))  # falls by 3
    assert [c.holds for c in verdicts.learned_overfits_relu_stays(read(rows)).conditions] == [True, False, True]
    rows[0] = run("final", "ReLU", "default", 13.5, 40_000, seed=0, curve=high)  # too late to be tested: four are left
    assert [c.holds for c in verdicts.learned_overfits_relu_stays(read(rows)).conditions] == [True, False, True]
    rows.append(run("final", "ReLU", "glorot", 1.0, None, curve=(0.1, 0.5, 0.7)))  # neither of the two
    conditions = verdicts.learned_overfits_relu_stays(read(rows)).conditions
    assert [(c.where, c.holds) for c in conditions[2:]] == [("PyTorch's, rate 13.5", True), ("Glorot, rate 1", False)]


def test_how_sure_the_page_is_says_where_relu_gets_there_too():
    bounds = convention("he", 13.5, [None, None], [6000, 6000]) + convention("he", 1.0, [None], [None])
    words = rates.how_sure(verdicts.table(Given(bounds)))
    assert "Of the 1 [conventions]" in words and "under 1. ReLU gets there under none" in words
    words = rates.how_sure(verdicts.table(Given(bounds + convention("default", 13.5, [2000], [1000]))))
    assert "under 1. Where ReLU gets there too, the ratio is 2.0 (PyTorch's, rate 13.5)." in words


def test_the_figure_of_conventions_has_a_row_for_each_and_arrows_at_the_last_step():
    rows = convention("default", 13.5, [2000], [1000]) + convention("he", 1.0, [None], [600])
    (ax,) = rates.ratios(verdicts.table(Given(rows))).axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["PyTorch's, rate 13.5", "He, rate 1"]
    assert [text.get_text() for text in ax.texts if "×" in text.get_text()] == ["2.0 ×", "≥ 100.0 ×"]
    arrows = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == rates.NEVER]
    assert arrows == [60_000] and [text.get_fontweight() for text in ax.texts if "×" in text.get_text()] == [
        "normal",
        "bold",
    ]


def test_the_figure_of_settings_has_ratios_and_bounds_and_leaves_out_what_nobody_reaches():
    rows = settings("default", [2500, None])
    rows += [run("figure 13", arm, "default", 13.5, steps, width=256, validation=0.5, steps=10_000)
             for arm, steps in (("ReLU", None), (RANDOM, 2000))]  # fmt: skip
    rows += [run("figure 13", arm, "default", 13.5, None, width=512, steps=10_000) for arm in ("ReLU", RANDOM)]
    table = verdicts.settings(Given(rows), Given([]))
    figure = rates.settings(table)
    shown = {(x, y, line.get_marker()) for ax in figure.axes for line in ax.lines if line.get_linestyle() == "None"
             for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True) if np.isfinite(y)}  # fmt: skip
    assert shown == {(64, 2.0, "o"), (128, 0.5, r"$\downarrow$"), (40, 5.0, rates.BOUND)}
    words = rates.settings_table(table).set_index(["width", "pairs (%)"])
    assert words.learned[128, 80] == "not within 10,000 steps" and words.ReLU[64, 80] == "5,000 steps"


def test_what_becomes_of_the_runs_is_told_by_convention_and_arm():
    rows = [run("final", "ReLU", "he", 1.0, 100, seed=i, curve=(0.1, 0.96, end)) for i, end in enumerate((0.96, 0.9))]
    rows += [run("final", ZEROS, "he", 1.0, None, learned="learn-1", curve=(0.1, 0.5, 0.4))]
    found = rates.falls_table(verdicts.falls(Given(rows), Given([])))
    assert found.iloc[:, 1:].to_numpy().tolist() == [
        ["ReLU", "2 of 2", "6.0 points", "90 to 96 %"], [ZEROS, "0 of 1", "—", "40 %"]
    ]  # fmt: skip
