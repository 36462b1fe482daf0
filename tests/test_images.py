"""What the pages on images read from their records, on records made up by hand."""

from types import SimpleNamespace

import matplotlib.pyplot
import numpy as np
import pandas as pd
import pytest
from given import Given

from notebooks.paper.images import figures, shown
from notebooks.paper.images import tables as images_tables
from notebooks.paper.images import verdicts as images_verdicts
from notebooks.paper.images.plan import ARMS, BY_HAND, LONGER, RANDOM
from notebooks.paper.records import intervals
from notebooks.paper.records.intervals import Correlation, interval
from notebooks.paper.verdict import NOT_RUN

SGD, ADAM = ("sgd", 0.2), ("adam", 0.001)


def run(role, data, arm="ReLU", optimiser=ADAM, seed=0, accuracy=0.5, depth=1):
    return {
        "role": role, "data": data, "arm": arm, "optimiser.name": optimiser[0], "optimiser.lr": optimiser[1], "seed": seed,
        "validation_accuracy": accuracy, "test_accuracy": accuracy, "network.depth": depth, "network.width": 128,
    }  # fmt: skip


def finals(data, optimiser, seeds=(1, 2), arms=ARMS):
    return [run("final", data, arm, optimiser, seed) for arm in arms for seed in seeds]


def test_finals_are_those_of_finished_comparisons():
    rows = finals("mnist", ADAM) + finals("mnist", SGD, arms=ARMS[:2]) + finals("cifar10", ADAM)[:-1]
    left = images_tables.finals(Given(rows, missing=3))
    assert set(left.data) == {"mnist"} and set(left["optimiser.name"]) == {"adam"} and len(left) == 6
    assert len(images_tables.finals(Given(rows, missing=0))) == len(rows)  # nothing is missing: an arm diverged
    assert images_tables.finals(Given(rows[:2], missing=3)).empty


def test_the_tuned_optimiser_is_the_best_on_validation_rows():
    rows = [
        run("tuning", "mnist", optimiser=o, accuracy=a) for o, a in ((SGD, 0.4), (ADAM, 0.6), (("adam", 0.01), 0.5))
    ]
    results = Given(rows + finals("mnist", SGD) + finals("mnist", ADAM))
    assert set(images_tables.tuned(results)["optimiser.lr"]) == {0.001}
    assert list(images_tables.summaries(results.frame(role="final"), results.frame(role="tuning"))) == [
        "the tuned optimiser",
        "plain gradient descent",
    ]
    only = Given(rows + finals("mnist", ADAM))
    assert list(images_tables.summaries(only.frame(role="final"), only.frame(role="tuning"))) == ["the tuned optimiser"]


def test_controls_and_learned_activations_are_chosen_by_validation_rows_and_compared_seed_by_seed():
    def runs(role, arm, validation, test, seeds=(1, 2, 3), data="mnist"):
        return [run(role, data, arm, ADAM, s, validation) | {"test_accuracy": test + s / 100} for s in seeds]

    rows = [run("tuning", data, optimiser=ADAM) for data in ("mnist", "cifar10")]
    rows += runs("final", "ReLU", 0.5, 0.5) + runs("final", ARMS[1], 0.6, 0.6) + runs("final", ARMS[2], 0.55, 0.9)
    rows += runs("control", BY_HAND, 0.7, 0.57) + runs("control", RANDOM, 0.6, 0.8)
    rows += finals("cifar10", ADAM) + runs("control", BY_HAND, 0.7, 0.9, data="cifar10")  # the others are missing there
    assert images_tables.with_controls(Given(rows)).empty
    rows += runs("control", LONGER, 0.65, 0.1, seeds=(1, 2))
    both = images_tables.with_controls(Given(rows))
    assert set(both.data) == {"mnist"} and len(both) == 17
    (row,) = images_tables.over_controls(both).itertuples()
    assert (row.learned, row.control) == (ARMS[1], BY_HAND)  # though others are better on test rows
    assert (row.gain, row.half_width) == pytest.approx((0.03, 0), abs=1e-9)
    assert images_tables.with_controls(Given(finals("mnist", ADAM))).empty


def test_depths_compare_the_same_seeds():
    rows = [run("tuning", "mnist", optimiser=ADAM)] + finals("mnist", ADAM, seeds=(1, 2, 3))
    deep = [run("depth", "mnist", arm, ADAM, seed, 0.7 + seed / 100, 2) for arm in ARMS for seed in (1, 2)]
    table = images_tables.by_depth(Given(rows + deep))
    assert set(table.depth) == {1, 2} and set(table.n) == {2}  # seed 3 was not run at depth 2
    row = table[(table.depth == 2) & (table.arm == "ReLU")].iloc[0]
    assert (row["mean"], row.half_width) == pytest.approx(tuple(interval([0.71, 0.72])))
    assert row.validation == pytest.approx(0.715)
    assert images_tables.by_depth(Given(rows + deep, missing=1, lacking=["depth"])).empty
    assert (
        images_tables.by_depth(Given(rows)).empty
        and images_tables.at_best_depth(images_tables.depth_runs(Given(rows))).empty
    )
    one = images_tables.by_depth(Given(rows + [r for r in deep if r["seed"] == 1]))
    assert set(one.n) == {1} and one.half_width.isna().all()


def test_each_activation_is_compared_at_the_depth_that_validation_rows_choose():
    rows = [run("tuning", "mnist", optimiser=ADAM)]
    for arm, validation, test in (
        (ARMS[0], (0.5, 0.7, 0.6), 0.6),
        (ARMS[1], (0.5, 0.6, 0.8), 0.65),
        (ARMS[2], (0.9, 0.6, 0.7), 0.5),
    ):
        for depth, merit in zip((1, 2, 3), validation, strict=True):
            role = "final" if depth == 1 else "depth"
            rows += [
                run(role, "mnist", arm, ADAM, seed, merit, depth) | {"test_accuracy": test + depth / 100 + seed / 1000}
                for seed in (1, 2)
            ]
    rows += [run("depth", "mnist", "layer-specific", ADAM, seed, 0.99, 2) for seed in (1, 2)]
    table = images_tables.at_best_depth(images_tables.depth_runs(Given(rows))).set_index("arm")
    assert table.depth.to_dict() == {ARMS[0]: 2, ARMS[1]: 3, ARMS[2]: 1}
    assert table.gain[ARMS[1]] == pytest.approx(0.06) and table.gain[ARMS[2]] == pytest.approx(-0.11)


def test_markers_are_late_evaluations_with_some_variation():
    arrays = {
        "step": np.array([0, 5, 10, 100]),
        "tv": np.array([1.0, 1.0, 0.0, 2.0]),
        "test_accuracy": np.array([0.1, 0.2, 0.3, 0.4]),
        "train_accuracy": np.array([0.5, 0.6, 0.7, 0.8]),
    }
    runs = pd.DataFrame(
        [
            {
                "data": "mnist",
                "arm": "ReLU",
                "learned": "",
                "optimiser.name": "sgd",
                "optimiser.lr": 0.2,
                "network.width": 128,
                "network.depth": 1,
                "steps": 100,
                "record": SimpleNamespace(arrays=arrays),
            }
        ]
    )
    points = images_tables.markers(runs)
    assert not images_tables.nearly_constant(points).any()
    assert images_tables.nearly_constant(
        pd.DataFrame({"data": list("aaabbb"), "tv": [1, 10, 0.01, 40, 10, 1]})
    ).tolist() == [False, False, True, False, False, False]
    assert points[["tv", "train_accuracy", "test_accuracy"]].to_numpy().tolist() == [
        [2.0, 0.8, 0.4]
    ]  # from step 10 on; a TV of 0 has no logarithm


def test_the_correlation_over_markers_counts_every_moment_of_a_run():
    def course(seed, offset):  # a run in which both rise, above one in which all is a little different
        arrays = {
            "step": np.array([10, 50, 100]),
            "tv": np.array([1.0, 2.0, 3.0]) + offset,
            "test_accuracy": np.array([0.1, 0.2, 0.3]) - offset,
            "train_accuracy": np.ones(3),
        }
        return {"data": "mnist", "arm": "ReLU", "learned": str(seed), "optimiser.name": "sgd", "optimiser.lr": 0.2, "steps": 100,
                "network.width": 128, "network.depth": 1, "tv": 3.0 + offset, "test_accuracy": 0.3 - offset, "record": SimpleNamespace(arrays=arrays)}  # fmt: skip

    runs = pd.DataFrame([course(seed, seed / 100) for seed in range(4)])
    assert images_tables.correlations(runs)["mnist"].value == pytest.approx(-1)
    assert images_tables.marker_correlations(images_tables.markers(runs))["mnist"].value > 0.7


def test_the_gap_between_training_and_test_is_per_dataset_and_arm():
    runs = pd.DataFrame(
        {
            "data": ["a", "a", "a", "b", "b"],
            "arm": ["x", "x", "y", "x", "x"],
            "train_accuracy": [1.0, 1.0, 0.5, 0.9, 0.7],
            "test_accuracy": [0.8, 0.6, 0.5, 0.9, 0.7],
        }
    )
    found = images_tables.gaps(pd.concat([runs, runs[runs.arm == "y"]])).set_index(["data", "arm"])
    assert found["mean"].round(12).to_dict() == {("a", "x"): 0.3, ("a", "y"): 0.0, ("b", "x"): 0.0}
    assert found.half_width["a", "x"] == pytest.approx(
        0.1 * 12.706, rel=1e-3
    )  # t of one degree of freedom; SD 0.1 sqrt 2


@pytest.mark.parametrize("narrow", [False, True])
def test_the_figures_have_a_panel_per_dataset(narrow):
    runs = pd.DataFrame(
        {"data": ["mnist", "mnist", "cifar10"], "arm": "ReLU", "tv": [1.0, 30.0, 4.0], "test_accuracy": [0.4, 0.5, 0.2]}
    )
    axes = figures.best_steps(runs, dict.fromkeys(["mnist", "cifar10"], Correlation(0.5, 0.1, 0.9)), narrow).axes
    assert [ax.get_title() for ax in axes] == ["MNIST\nrank correlation +0.50", "CIFAR-10\nrank correlation +0.50"]
    assert axes[0].collections[0].get_offsets().tolist() == [[1.0, 40.0], [30.0, 50.0]]
    summary = summary_of(
        [run("final", d, arm, ADAM, s, 0.5 + s / 100) for d in ("mnist", "svhn") for arm in ARMS for s in (1, 2)]
    )
    axes = figures.gains(
        {"the tuned optimiser": summary, figures.PLAIN: summary[summary.data == "mnist"]}, narrow=narrow
    ).axes
    assert [len(ax.get_yticks()) for ax in axes] == [4, 2] and axes[0].get_title("left").startswith(
        "MNIST: ReLU 51.5 %"
    )
    assert axes[0].get_xlim() == axes[1].get_xlim()  # differences share their axis
    matplotlib.pyplot.close("all")


def summary_of(rows):
    return intervals.summary(pd.DataFrame(rows), "test_accuracy", ["data"])


def test_functions_stand_in_a_grid_and_are_scaled_to_the_same_spread():
    rows = pd.DataFrame(
        [("mnist", "learned from ReLU", "adam", np.array([0.0, 0, 100]), -5, 5, (-4.0, 4.0)),
         ("svhn", "learned from zeros", "adam", np.zeros(3), -5, 5, None)],
        columns=["data", "arm", "kind", "psi", "low", "high", "used"],
    )  # fmt: skip
    axes = figures.functions(rows).axes
    assert [ax.axison for ax in axes] == [True, False, False, True] and axes[0].get_ylim() == axes[3].get_ylim()
    assert shown.constant(rows) == "SVHN, adam, learned from zeros"
    assert figures.functions(rows[:1], narrow=True).get_size_inches()[0] == 3.6  # one dataset: its titles still fit
    matplotlib.pyplot.close("all")


def test_what_is_told_of_differences():
    rows = [
        run("final", "mnist", arm, ADAM, s, a + s / 1000)
        for arm, a in zip(ARMS, (0.5, 0.6, 0.45), strict=True)
        for s in (1, 2)
    ]
    summary = summary_of(rows)
    assert shown.in_words(summary) == "MNIST, learned from ReLU: +10.0 ± 0.0; MNIST, learned from zeros: -5.0 ± 0.0"
    above, below = shown.sorted_out(summary)
    assert (list(above.arm), list(below.arm)) == ([ARMS[1]], [ARMS[2]])
    assert shown.briefly(above) == "MNIST (from ReLU +10.0)" and shown.briefly(above[:0]) == "none"
    assert shown.counted(summary) == "1 of 2, by up to 10.0" and shown.counted(None) == "nothing was run"
    results = Given(rows + [run("tuning", "mnist", optimiser=ADAM)])
    assert shown.in_words(shown.starts(results)) == "MNIST, tuned optimiser: -15.0 ± 0.0"
    assert shown.sides(shown.starts(results)) == {"better": 0, "worse": 1, "alike": 0}


def test_plain_gradient_descent_is_shown_for_the_datasets_that_have_it():
    rows = [run("tuning", data, optimiser=ADAM) for data in ("mnist", "cifar10")]
    rows += finals("mnist", SGD) + finals("mnist", ADAM) + finals("cifar10", ADAM)
    results = Given(rows)
    blocks = images_tables.summaries(results.frame(role="final"), results.frame(role="tuning"))
    assert {title: set(table.data) for title, table in blocks.items()} == {
        "the tuned optimiser": {"mnist", "cifar10"},
        "plain gradient descent": {"mnist"},
    }


def test_the_tuning_table_has_a_dash_where_nothing_was_tried():
    rows = [run("tuning", "mnist", optimiser=o) for o in (SGD, ADAM)] + [run("tuning", "cifar10", optimiser=ADAM)]
    table = images_tables.tuning_table(Given(rows).frame()).set_index("optimiser")
    assert table.loc["sgd 0.2", "CIFAR-10"] == "—" and table.loc["adam 0.001", "CIFAR-10"] == "50.0"


def at(arm, tv, accuracy, data="svhn", depth=1):
    """A run that has this total variation and accuracy at its best step."""
    return run("final", data, arm, accuracy=accuracy, depth=depth) | {"tv": tv}


def test_pairs_of_equal_complexity_are_of_trained_networks():
    rows = [at("ReLU", 1.0, 0.5), at("ReLU", 2.0, 0.6), at("ReLU", 4.05, 0.19), at("ReLU", 1.0, 0.9, "mnist")]
    rows += [
        at(ARMS[2], 1.05, 0.7),
        at(ARMS[2], 2.5, 0.7),
        at(ARMS[2], 4.0, 0.7),
        at(ARMS[2], 1.9, 0.2),
        at(ARMS[1], 1.0, 0.9),
    ]
    pairs = images_tables.at_equal_complexity(Given(rows), "svhn", ARMS[2], least=0.25)
    assert pairs.to_dict("records") == [{"tv": 1.05, "relu_tv": 1.0, "accuracy": 0.7, "relu_accuracy": 0.5}]
    assert images_tables.at_equal_complexity(Given(rows), "cifar10", ARMS[2], least=0.25).empty


@pytest.mark.parametrize(
    ("lift", "count", "expected"),
    [(0.1, 5, "reproduced"), (-0.1, 5, "in part"), (0.0, 5, "not reproduced"), (0.1, 4, "not reproduced")],
)
def test_svhn_decides_c4_once_its_records_are_there(lift, count, expected):
    rows = [at("ReLU", 1.0 + i, 0.5) for i in range(count)]
    rows += [at(ARMS[2], 1.02 + i, 0.5 + lift + 0.01 * (-1) ** i) for i in range(count)]
    finding = images_verdicts.different_accuracy_at_equal_complexity(lambda section: Given(rows))
    assert finding.verdict == expected
    without = images_verdicts.different_accuracy_at_equal_complexity(lambda section: Given(finals("mnist", ADAM)))
    assert without.verdict == NOT_RUN.verdict and "data not available here" in without.ours


def markers_of(data, arm, seed, depth, tv, accuracy):
    arrays = {"step": np.arange(10), "tv": tv, "train_accuracy": accuracy, "test_accuracy": accuracy}
    record = SimpleNamespace(arrays={name: np.array(values, dtype=float) for name, values in arrays.items()})
    return run("final", data, arm, seed=seed, depth=depth) | {
        "record": record,
        "steps": 10,
        "tv": tv[-1],
        "learned": arm,
    }


def test_c3_counts_all_depths_and_evaluations():
    rng = np.random.default_rng(0)

    def rows(goes):
        """Runs whose accuracy goes with total variation, or not."""
        found = [run("tuning", "mnist")]
        for arm in ARMS:
            for depth in (1, 2):
                for seed in (1, 2):
                    tv = rng.permutation(10) + 1 + rng.normal(scale=0.1, size=10)
                    found.append(markers_of("mnist", arm, seed, depth, tv, tv / 20 if goes else rng.random(10)))
        return [row | ({"role": "depth"} if row["network.depth"] == 2 else {}) for row in found]

    read = {"regression": Given(rows(True)), "images": Given(rows(False))}
    finding = images_verdicts.complexity_goes_with_regression(read.get)
    held = {condition.name: condition.holds for condition in finding.conditions}
    assert held["regression"] and held["classification, in size"] and held["regression above classification"]
    assert "(108 and 108 markers)" in finding.ours  # 12 runs, nine evaluations each
    turned = images_verdicts.complexity_goes_with_regression(
        {"regression": read["images"], "images": read["regression"]}.get
    )
    assert [condition.holds for condition in turned.conditions[:3]] == [False, False, False]


def test_a_function_that_is_constant_where_it_is_used_has_no_distance():
    def record(psi, density):
        limits = {"network": {"activation": {"low": -1.0, "high": 1.0}}}
        return SimpleNamespace(
            arrays={"psi_hidden": np.array(psi, np.float32), "pre_activations": np.array(density, np.float32)},
            config=limits,
        )

    flat = record([0, 0, 0, 1, 2], [1, 1, 1, 0, 0])
    assert np.isnan(images_tables.distances(flat, flat)).all()  # ReLU is constant there too
    one_side = record([0, 0, 0, 2, 1], [0, 0, 1, 1, 1])
    assert np.isnan(images_tables.distances(one_side, one_side)).all()  # ReLU is a line there
    hinge = record([0, 0, 0, 0.5, 1], [1, 1, 1, 1, 1])
    gelu, relu, own = images_tables.distances(hinge, hinge)
    assert relu == pytest.approx(0, abs=1e-6) and own == pytest.approx(gelu) and gelu > 0
