"""How verdicts come about, on records made up by hand."""

import numpy as np
import pandas as pd
import pytest
from prepared_files import write_images

from notebooks.paper import sections
from notebooks.paper.data import open_store
from notebooks.paper.images import verdicts as images_verdicts
from notebooks.paper.records import frames
from notebooks.paper.verdict import above, at_least, below, judge, lost, verdict


@pytest.mark.parametrize(
    ("passed", "expected"),
    [([True, True], "reproduced"), ([True, False], "in part"), ([False], "not reproduced"), ([], "not reproduced")],
)
def test_a_verdict_needs_a_condition_that_holds(passed, expected):
    assert verdict(passed) == expected


def test_conditions_compare_the_end_of_an_interval_or_the_value():
    sure, unsure = (above("gain", "mnist", 0.02, half, unit="points") for half in (0.01, 0.03))
    assert (sure.value, sure.low, sure.high, sure.threshold, sure.holds) == (2.0, 1.0, 3.0, 0.0, True)
    assert not unsure.holds and not above("gain", "", float("nan"), float("nan")).holds
    assert at_least("", "", 5.0, 5.0).holds and not below("", "", 5.0, 5.0).holds
    missing = lost("gain", "svhn")
    assert not missing.holds and np.isnan(missing.value)
    finding = judge("", [sure, unsure, missing])
    assert (finding.holds, finding.label) == ((True, False, False), "in part (1 of 3 conditions)")


@pytest.mark.parametrize(
    ("arms", "lacking", "failed"),
    [(3, (), 0), (2, (), 1), (3, ("tuning",), 1), (3, ("learn",), 1), (3, ("depth",), 0), (2, ("selection",), 2)],
)
def test_what_diverged_or_is_missing_fails_a_condition_of_the_image_claims(arms, lacking, failed):
    summary = pd.DataFrame({"data": "mnist", "arm": list(images_verdicts.tables.ARMS[:arms])})
    results = frames.Collected([], len(lacking), frozenset(lacking))
    assert [condition.holds for condition in images_verdicts._incomplete(results, summary)] == [False] * failed


def test_other_data_do_not_hide_the_committed_records(tmp_path, monkeypatch):
    committed = len(sections.results("images", "paper").records)
    write_images(tmp_path, "mnist")
    store = open_store(data_dir=tmp_path)
    assert len(sections.collect("images", "paper", store).records) < committed and store.data.differs()
    assert len(sections.results("images", "paper", tmp_path).records) == committed
