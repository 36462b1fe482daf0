"""What heads the answer of each page of results follows from its records: other numbers, another headline."""

import pandas as pd
import pytest

from notebooks.paper.ablations import tables as ablations
from notebooks.paper.grokking import tables as grokking
from notebooks.paper.images import shown as images
from notebooks.paper.records.intervals import Interval
from notebooks.paper.shortcuts import tables as shortcuts
from notebooks.paper.tabular import tables as tabular
from notebooks.paper.transfer import shown as transfer
from notebooks.paper.transfer.matrix import RELU, learned_on


def gains(*points):
    return pd.DataFrame({"gain": [point / 100 for point in points], "gain_half_width": 0.001})


@pytest.mark.parametrize(("points", "said"), [((0.5, -0.5, 3), ["alike"]), ((0.5, 2, -3), ["apart"])])
def test_classification(points, said):
    assert images.headline(gains(*points)) == said


@pytest.mark.parametrize(
    ("points", "deep", "said"),
    [
        ((3, 2, -1), (0.5, 0.2), ["helps", "deeper-less"]),
        ((3, 2, -1), (0.5, -1, -1), ["helps", "deeper-worse"]),
        ((3, 2, -1), (3, 3), ["helps", "deeper-too"]),
        ((3, -2, -1), (), ["helps-few"]),
    ],
)
def test_regression(points, deep, said):
    assert images.regression_headline({"tuned": gains(*points)}, gains(*deep)) == said


@pytest.mark.parametrize(
    ("inputs", "ranks", "said"),
    [
        (0.02, 0.02, ["columns-beat", "ranks-too"]),
        (0.02, 0.0, ["columns-beat", "ranks-do-not"]),
        (0.0, 0.02, ["columns-do-not", "ranks-do"]),
        (-0.02, 0.0, ["columns-do-not", "ranks-do-not"]),
    ],
)
def test_tables(inputs, ranks, said):
    assert tabular.headline(Interval(inputs, 0.01), Interval(ranks, 0.01)) == said


@pytest.mark.parametrize(
    ("easy", "hard", "gain", "said"),
    [
        (0.9, 0.12, 0.02, ["takes", "little"]),
        (0.9, 0.12, 0.4, ["takes", "much"]),
        (0.9, 0.5, 0.02, ["takes-both", "little"]),
    ],
)
def test_shortcuts(easy, hard, gain, said):
    relu = pd.DataFrame({"last_first": [easy], "last_second": [hard]})
    assert shortcuts.headline(relu, pd.DataFrame({"mean": [gain]})) == said


@pytest.mark.parametrize(
    ("relu", "learned", "said"),
    [([10_000], [1_000], "much"), ([None], [1_000], "much"), ([1_500], [1_000], "little"), ([1_000], [None], "little")],
)
def test_grokking(relu, learned, said):
    assert grokking.headline(*(pd.DataFrame({"test_steps_to_95": steps}) for steps in (relu, learned))) == [said]


@pytest.mark.parametrize(("gain", "said"), [(0.02, "images-yes"), (0.0, "images-hardly")])
def test_transfer_across_images(gain, said):
    arms = [RELU, learned_on("a"), learned_on("b")]
    table = pd.DataFrame({"data": "a", "arm": arms, "gain": [float("nan"), 0.3, gain]})
    assert transfer.images_headline(table) == [said]


@pytest.mark.parametrize(
    ("variants", "said"),
    [
        ((0.58, 0.60, 0.62), ["most-beat", "like-restarts"]),
        ((0.3, 0.4, 0.9), ["few-beat", "more-than-restarts"]),
    ],
)
def test_ablations(variants, said):
    seeds = pd.Series([0.0, 0.001, 0.002])
    accuracies = {"ReLU": 0.55 + seeds, "equal": 0.6 + seeds**2}
    accuracies |= {f"variant {i}": value + seeds**3 for i, value in enumerate(variants)}
    restarts = pd.DataFrame({"test": [0.58, 0.6, 0.62]})
    assert ablations.Compared(accuracies, "equal", 2, restarts).headline() == said
