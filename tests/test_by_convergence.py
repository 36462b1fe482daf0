"""How records of training until nothing improves decide C2 and C18."""

import pytest
from given import Given

from notebooks.paper.images import by_convergence

SEEDS = range(5)


def runs(data, depth, arm, accuracy, *, validation=None, learned="", role="final", optimiser="adam"):
    wobble = (0.0, 0.002, -0.001, 0.001, -0.002)
    return [
        {
            "data": data, "network.depth": depth, "arm": arm, "test_accuracy": accuracy + wobble[seed], "seed": seed,
            "validation_accuracy": accuracy if validation is None else validation, "role": role, "learned": learned,
            "optimiser.name": optimiser,
        }
        for seed in SEEDS
    ]  # fmt: skip


def compared(zeros, from_relu, relu=0.6, data="fashion_mnist"):
    """Shallow and deep runs of one dataset, best at depth 4, as much above with one layer."""
    shallow, deep = [], []
    for arm, accuracy in (("ReLU", relu), ("learned from zeros", zeros), ("learned from ReLU", from_relu)):
        shallow += runs(data, 1, arm, accuracy - 0.1) + runs(data, 1, arm, 0.99, optimiser="sgd")
        deep += runs(data, 4, arm, accuracy)
    return shallow, deep


def read(shallow, deep, missing=0):
    sections = {"shallow": Given(shallow, missing), "deep": Given(deep)}
    return sections.__getitem__


@pytest.mark.parametrize(
    ("zeros", "from_relu", "verdict", "holds"),
    [
        (0.66, 0.63, "reproduced", (True, True, True, True)),
        (0.63, 0.66, "in part", (True, True, False, True)),
        (0.55, 0.58, "not reproduced", (False, False, False, False)),
    ],
)
def test_gains_in_regression(zeros, from_relu, verdict, holds):
    finding = by_convergence.regression_gains(read(*compared(zeros, from_relu)))
    assert (finding.verdict, finding.holds) == (verdict, holds)
    assert finding.conditions[0].value == pytest.approx(100 * (zeros - 0.6))


def test_each_arm_is_at_the_depth_that_validation_chooses():
    shallow, deep = compared(0.66, 0.63)
    worse = runs("fashion_mnist", 4, "ReLU", 0.9, validation=0.1)  # a test accuracy that validation does not see
    deep = [row for row in deep if row["arm"] != "ReLU"] + worse
    finding = by_convergence.regression_gains(read(shallow, deep))
    assert finding.conditions[0].value == pytest.approx(16.0) and "ReLU 1" in finding.ours


def test_an_arm_that_diverged_fails():
    shallow, deep = ([row for row in part if "zeros" not in row["arm"]] for part in compared(0.66, 0.63))
    assert by_convergence.regression_gains(read(shallow, deep)).holds == (False, True, False, True)


def test_without_all_records_nothing_is_said():
    assert by_convergence.regression_gains(read(*compared(0.66, 0.63), missing=1)) == by_convergence.NOT_RUN
    assert by_convergence.transfer_across_images(read([], [])) == by_convergence.NOT_RUN


def across(own, other, joint):
    """Two datasets with ReLU at 60 %, each one's own function, the other's, and one of both."""
    rows = []
    for data, elsewhere in (("mnist", "cifar10-full"), ("cifar10-full", "mnist")):
        rows += runs(data, 4, "ReLU", 0.6) + runs(data, 4, "learned from zeros", own, learned=f"of {data}")
        rows += runs(data, 4, f"learned on {elsewhere}", other, learned=f"of {elsewhere}", role="transfer")
        rows += runs(data, 4, "learned on all", joint, learned="of all", role="transfer")
    return rows


@pytest.mark.parametrize(
    ("own", "other", "joint", "holds"),
    [
        (0.65, 0.62, 0.61, (True, True, True, True)),
        (0.65, 0.58, 0.66, (True, True, False, False)),  # none transfers; all helps more than their own
        (0.59, 0.62, 0.59, (False, False, True, False)),
    ],
)
def test_transfer_across_images(own, other, joint, holds):
    finding = by_convergence.transfer_across_images(read([], across(own, other, joint)))
    assert finding.holds == holds
    assert finding.conditions[0].value == pytest.approx(100 * (own - 0.6))
