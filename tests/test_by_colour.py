"""How collages in colour with one long horizon decide C10 to C12: by hand, and on a small plan."""

from types import SimpleNamespace

import numpy as np
import pytest
from given import Given

from notebooks.paper import sections
from notebooks.paper.shortcuts import verdicts
from notebooks.paper.shortcuts.plan import LEARNED, RELU

FIRST, SECOND = LEARNED["first"], LEARNED["second"]
WOBBLE = (0.0, 0.002, -0.001, 0.001, -0.002)
PAPER = {  # of each arm: for the first tile, for the second, at the last step on both
    RELU: (0.95, 0.12, 0.95, 0.10),
    FIRST: (0.97, 0.11, 0.97, 0.10),
    SECOND: (0.90, 0.30, 0.92, 0.15),
}
BOUNDS = {RELU: 0.40, SECOND: 0.45}


def collages(arms, bounds=BOUNDS, top=0.30):
    """Runs without and with normalisation; top: the highest of the course on the second tile."""
    rows = []
    for spectral in (False, True):
        about = {"kind": "train_collage", "first": "mnist", "second": "cifar10-full", "network.spectral": spectral}
        for seed, wobble in enumerate(WOBBLE):
            here = about | {"seed": seed, "record": SimpleNamespace(arrays={"test_second": np.array([0.1, top, 0.1])})}
            for arm, values in arms.items():
                numbers = ("by_first_first", "by_second_second", "last_first", "last_second")
                given = dict(zip(numbers, (value + wobble * (1 + i) for i, value in enumerate(values)), strict=True))
                rows.append(here | {"role": "final", "arm": arm} | given)
            rows += [
                here | {"role": "upper bound", "arm": arm, "by_second_second": value - wobble}
                for arm, value in bounds.items()
            ]
    return rows


def decide(name, rows, missing=0):
    return getattr(verdicts, name)({"colour": Given(rows, missing)}.__getitem__)


CLAIMS = ("relu_takes_the_shortcut", "activations_steer", "ends_on_the_simple_tile")


@pytest.mark.parametrize(("name", "count"), [*zip(CLAIMS, (4, 8, 6), strict=True)])
def test_as_in_the_paper_all_conditions_hold_with_and_without_normalisation(name, count):
    finding = decide(name, collages(PAPER))
    assert finding.verdict == "reproduced" and len(finding.conditions) == count


@pytest.mark.parametrize(
    ("name", "change", "bounds", "top", "holds"),
    [
        (CLAIMS[0], {RELU: (0.95, 0.2, 0.95, 0.13)}, BOUNDS, 0.3, (False, True)),
        (CLAIMS[0], {RELU: (0.95, 0.2, 0.70, 0.11)}, BOUNDS, 0.3, (True, False)),
        (CLAIMS[1], {SECOND: (0.98, 0.30, 0.92, 0.15)}, BOUNDS, 0.3, (True, False, True, True)),  # raises both tiles
        (CLAIMS[1], {FIRST: (0.94, 0.31, 0.97, 0.10)}, BOUNDS, 0.3, (False, True, True, False)),
        (CLAIMS[2], {}, {RELU: 0.40, SECOND: 0.25}, 0.3, (True, True, True)),  # the higher one is the bound
        (CLAIMS[2], {}, {RELU: 0.25, SECOND: 0.28}, 0.3, (False, True, True)),
        (CLAIMS[2], {SECOND: (0.90, 0.30, 0.14, 0.15)}, BOUNDS, 0.3, (True, False, True)),
        (CLAIMS[2], {SECOND: (0.90, 0.15, 0.92, 0.15)}, BOUNDS, 0.15, (True, True, False)),
    ],
)
def test_each_condition_can_fail(name, change, bounds, top, holds):
    finding = decide(name, collages(PAPER | change, bounds, top))
    assert finding.holds == 2 * holds


@pytest.mark.parametrize(("name", "lost"), [(name, 6) for name in CLAIMS[1:]])
def test_what_diverged_fails(name, lost):
    rows = [row for row in collages(PAPER) if row["arm"] != SECOND]
    finding = decide(name, rows)
    assert sum(np.isnan(one.value) for one in finding.conditions) == lost and not any(
        one.holds for one in finding.conditions if np.isnan(one.value)
    )


@pytest.mark.parametrize("name", CLAIMS)
def test_without_all_records_nothing_is_said(name):
    assert decide(name, collages(PAPER), missing=1) == verdicts.NOT_RUN
    assert decide(name, []) == verdicts.NOT_RUN


def test_a_small_plan_decides(tmp_path):
    results = sections.results("colour", "smoke")
    assert results.missing == 0
    final, upper = (results.frame("train_collage", role=role) for role in ("final", "upper bound"))
    assert set(final.arm) == {RELU, FIRST, SECOND} and set(upper.arm) == {RELU, SECOND}
    assert set(upper.unambiguous) == {"second"} and set(final.unambiguous) == {""}
    trials = results.frame("train_collage", role="trial")
    learning = results.frame("learn_collage")
    assert set(trials.split) == set(learning.split) == {0} and set(final.split) == set(final.seed)
    for name in CLAIMS:
        assert getattr(verdicts, name)(lambda section: results).conditions
