"""How classification at the depth that suits each activation decides C1: by hand, and on a small plan."""

from types import SimpleNamespace

import numpy as np
import pytest
from given import Given
from scipy.special import ndtr

from notebooks.paper import sections
from notebooks.paper.images import by_depth
from notebooks.paper.images.by_convergence import FROM_RELU, RELU, ZEROS

GRID = np.linspace(-5, 5, 101)
MIDDLE = np.exp(-((GRID / 2) ** 2))
GELU = GRID * ndtr(GRID)
WOBBLE = (0.0, 0.001, -0.001)


def runs(role, data, arm, depth, accuracy, validation=None):
    learned = "" if arm == RELU else f"{arm} on {data}"
    return [
        {
            "role": role, "data": data, "arm": arm, "network.depth": depth, "seed": seed, "learned": learned,
            "test_accuracy": accuracy + wobble, "validation_accuracy": accuracy if validation is None else validation,
            "optimiser.name": "adam", "optimiser.lr": 0.001, "record": SimpleNamespace(arrays={"pre_activations": MIDDLE}),
        }
        for seed, wobble in enumerate(WOBBLE)
    ]  # fmt: skip


def on(data, from_relu, zeros, best=2):
    """Final runs with one layer and runs with two; the best depth has these accuracies, ReLU 90 %."""
    rows = []
    for arm, accuracy in ((RELU, 0.9), (FROM_RELU, from_relu), (ZEROS, zeros)):
        for role, depth in (("final", 1), ("depth", 2)):
            rows += runs(role, data, arm, depth, accuracy if depth == best else accuracy - 0.2)
    return [*rows, *runs("tuning", data, RELU, 1, 0.9)[:1]]


def decide(rows, full, function=GELU, missing=0):
    config = {"network": {"activation": {"low": -5.0, "high": 5.0}}}
    keys = {row["learned"] for row in [*rows, *full]}
    records = [SimpleNamespace(key=key, config=config, arrays={"psi_hidden": function}) for key in keys]
    sections = {"images": Given(rows, records=records), "full": Given(full, missing, records)}
    return by_depth.classification_is_equal(sections.__getitem__)


@pytest.mark.parametrize(
    ("from_relu", "zeros", "function", "verdict", "holds"),
    [
        (0.905, 0.895, GELU, "reproduced", (True, True, True)),
        (0.92, 0.905, GELU, "in part", (False, True, True)),
        (0.905, 0.88, np.maximum(GRID, 0), "in part", (True, False, False)),  # not nearer than ReLU
        (0.92, 0.88, np.sin(GRID), "not reproduced", (False, False, False)),
    ],
)
def test_each_condition_on_each_dataset(from_relu, zeros, function, verdict, holds):
    finding = decide(on("mnist", from_relu, zeros), on("cifar10-full", from_relu, zeros), function)
    assert (finding.verdict, finding.holds) == (verdict, 2 * holds)
    assert finding.conditions[0].value == pytest.approx(100 * (from_relu - 0.9))
    assert [one.where for one in finding.conditions[::3]] == ["MNIST", "CIFAR-10 (all)"]


def test_the_first_images_of_cifar_do_not_count_and_depths_are_chosen_by_validation():
    full = on("cifar10-full", 0.9, 0.9, best=1)
    finding = decide(on("mnist", 0.9, 0.9) + on("cifar10", 0.5, 0.5), full)
    assert len(finding.conditions) == 6 and finding.verdict == "reproduced"
    assert f"{FROM_RELU}: 0.0 ± 0.0 points (hidden layers: 1, ReLU 1)" in finding.ours


def test_an_arm_that_diverged_fails_and_without_all_records_nothing_is_said():
    full = [row for row in on("cifar10-full", 0.9, 0.9) if row["arm"] != FROM_RELU]
    assert decide(on("mnist", 0.9, 0.9), full).holds == (True, True, True, False, True, False)
    assert decide(on("mnist", 0.9, 0.9), full, missing=1) == by_depth.NOT_RUN
    assert decide(on("mnist", 0.9, 0.9), []) == by_depth.NOT_RUN


def test_distances_are_angles_between_functions():
    """Of ReLU to GELU as computed one by one; of a function that is a mixture of both it is less."""
    weights = MIDDLE / MIDDLE.sum()
    relu = np.maximum(GRID, 0)
    slope, offset = np.polyfit(GELU, relu, 1, w=np.sqrt(weights))
    residual = weights @ (relu - slope * GELU - offset) ** 2
    expected = np.sqrt(residual / (weights @ (relu - weights @ relu) ** 2))
    own, of_relu, random = by_depth.distances(GRID, (relu + GELU) / 2, MIDDLE)
    assert of_relu == pytest.approx(expected) and 0 < own < of_relu
    assert random > own  # half-way to GELU is farther to go at random
    assert by_depth.distances(GRID, relu, MIDDLE)[2] == pytest.approx(of_relu)  # nothing is perturbed


def test_a_random_step_as_long_rarely_leads_nearer_to_gelu():
    rng, nearer = np.random.default_rng(1), 0
    covariance = np.exp(-(((GRID[:, None] - GRID) / 1.0) ** 2) / 2)
    for drawn in rng.multivariate_normal(np.zeros(len(GRID)), covariance, 100, method="eigh"):
        own, relu, random = by_depth.distances(GRID, np.maximum(GRID, 0) + 0.05 * drawn, MIDDLE)
        nearer += own < min(relu, random)
    assert nearer <= 10


@pytest.mark.parametrize("function", [np.zeros(101), np.where(GRID < 0, GRID, 0)])
def test_where_a_function_is_straight_there_is_no_distance(function):
    left = np.where(GRID < 0, MIDDLE, 0.0)
    assert np.isnan(by_depth.distances(GRID, function, left)).all()


def test_a_small_plan_decides(tmp_path):
    full = sections.results("full", "smoke")
    runs = by_depth.compared(Given(on("mnist", 0.9, 0.9)), full)
    assert set(runs.data) == {"mnist", "digits"} and set(runs["network.depth"]) == {1, 2}
    images = Given(on("mnist", 0.9, 0.9), records=[
        SimpleNamespace(key=f"{FROM_RELU} on mnist", config={"network": {"activation": {"low": -5.0, "high": 5.0}}}, arrays={"psi_hidden": GELU})
    ])  # fmt: skip
    finding = by_depth.classification_is_equal({"images": images, "full": full}.__getitem__)
    assert len(finding.conditions) == 6 and "digits" in finding.conditions[-1].where
