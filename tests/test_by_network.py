"""How several networks per activation decide C8: by hand, and on a small plan."""

from types import SimpleNamespace

import numpy as np
import pytest
from given import Given

from notebooks.paper import sections
from notebooks.paper.tabular import by_network
from notebooks.paper.tabular.plan import INPUTS, ZEROS

ARMS = ("ReLU", "tanh", ZEROS, INPUTS)


def networks(data, around, *, own=1.0, start=0.5, validation=None):
    """Networks of each arm: complexity around them, their own, that before training, and validation accuracies."""
    rows, rng = [], np.random.default_rng(0)
    for i, arm in enumerate(ARMS):
        for seed in range(5):
            noise = np.exp(0.02 * rng.normal(size=3))
            about = {"data": data, "arm": arm, "seed": seed}
            accuracy = (validation or {}).get(arm, 0.7 + i / 100)
            rows.append(
                about | {"role": "final", "network.depth": 2, "validation_accuracy": accuracy, "tv": own * noise[0],
                         "record": SimpleNamespace(arrays={"tv": np.array([start * noise[1], own * noise[0]])})}
            )  # fmt: skip
            panel = {f"run_of.{name}": value for name, value in about.items()}
            rows.append(
                {"kind": "panels", "seed": seed, "tv": own * noise[0], "tv_around": around[arm] * noise[2]} | panel
            )
    return rows


def decide(rows, missing=0):
    return by_network.ambient_complexity({"ambient": Given(rows, missing)}.__getitem__)


PAPER = dict(zip(ARMS, (2.0, 2.2, 2.5, 4.0), strict=True))


def test_as_in_the_paper_all_conditions_hold():
    finding = decide(networks("electricity", PAPER))
    assert finding.verdict == "reproduced" and finding.holds == (True,) * 8
    assert finding.conditions[0].value == pytest.approx(2.0, rel=0.05)
    assert "input activations 4.0" in finding.ours


@pytest.mark.parametrize(
    ("change", "fails"),
    [
        ({"around": PAPER | {"tanh": 4.1}}, {1}),
        ({"own": 4.5}, {3}),
        ({"own": 0.4}, {4, 5, 6, 7}),  # less than before training
    ],
)
def test_each_condition_can_fail(change, fails):
    finding = decide(networks("electricity", **({"around": PAPER} | change)))
    assert {i for i, holds in enumerate(finding.holds) if not holds} == fails and finding.verdict == "in part"


def test_only_tables_count_where_input_activations_are_the_most_accurate():
    other = networks("pol", PAPER | {"ReLU": 9.0}, validation={"ReLU": 0.9})
    assert decide(networks("electricity", PAPER) + other).verdict == "reproduced"
    alone = decide(other)
    assert (alone.verdict, alone.conditions) == ("not reproduced", ()) and "pol" in alone.ours


def test_without_all_records_nothing_is_said():
    assert decide(networks("electricity", PAPER), missing=1) == by_network.NOT_RUN
    assert decide([]) == by_network.NOT_RUN


def test_a_small_plan_measures_all_networks_of_four_arms(tmp_path):
    results = sections.results("ambient", "smoke")
    assert results.missing == 0 and len(results.frame("panels")) == 4 * 3
    found = by_network.complexities(results).dropna()
    assert len(found) == 12 and found.groupby("arm").seed.nunique().eq(3).all() and found.arm.nunique() == 4
    assert np.isfinite(found[["around", "tv", "start"]]).all(axis=None)
    table = by_network.by_arm(results).set_index("model")
    around = found[found.arm == "ReLU"].around
    assert table.loc["ReLU", "around the solution"].startswith(f"{np.exp(around.mean()):.2f} (") and len(table) == 4
    assert decide_on(results).verdict in ("in part", "reproduced", "not reproduced")


def decide_on(results):
    return by_network.ambient_complexity(lambda section: results)
