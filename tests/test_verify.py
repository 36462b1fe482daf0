from datetime import UTC, datetime

import numpy as np
import pytest
from experiments_for_tests import KINDS, Drifting, Failing, Resuming, Small, Squares, fingerprints

from notebooks.paper.records import provenance
from notebooks.paper.records.cluster import Cluster
from notebooks.paper.records.provenance import hardware
from notebooks.paper.records.store import Outcome, Store
from notebooks.paper.records.sweep import run_here
from notebooks.paper.records.verify import choose, compare, verify


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results", fingerprints)


def put(store, experiment, numbers, seconds=1.0):
    return store.put(experiment, Outcome(numbers), datetime.now(UTC), seconds)


@pytest.mark.parametrize(
    ("old", "new", "agrees"),
    [
        ({"a": 1.0, "b": [2, 3]}, {"b": [2, 3], "a": 1.0}, True),
        ({"a": 1.0}, {"a": 1.0009}, True),
        ({"a": 1.0}, {"a": 1.0011}, False),
        ({"a": -1.0}, {"a": 1.0}, False),
        ({"a": 1e-9}, {"a": 5e-7}, True),
        ({"a": 60000}, {"a": 60020}, True),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": None, "b": 1}, {"a": np.nan, "b": 1}, True),
        ({"a": None}, {"a": 0.0}, False),
        ({"a": True}, {"a": 1}, False),
        ({"a": "x"}, {"a": "y"}, False),
        ({"a": [1, 2]}, {"a": [1]}, False),
        ({"a": 1}, {"b": 1}, False),
        ({"a": {"b": [{"c": 1.0}]}}, {"a": {"b": [{"c": 2.0}]}}, False),
    ],
)
def test_numbers_are_compared_one_by_one(store, old, new, agrees):
    record = put(store, Small(1), old)
    now = put(store, Small(2), new).numbers  # as a record has them
    assert compare(record, Outcome(now)).agrees == agrees


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([1.0, np.nan], [1.0, np.nan], 0.0),
        ([1e-9, 0.0], [0.0, 0.0], 0.0),
        ([0.0, 2.0], [0.001, 2.0], 0.0005),  # relative to the largest number, not to 0
        ([0.0, 2.0], [0.0, 2.5], 0.2),
        ([1, 2], [1, 4], 0.5),
        ([1.0, np.nan], [np.nan, 1.0], np.inf),
        ([1.0, np.inf], [1.0, 3.0], np.inf),
    ],
)
def test_arrays_are_compared_relative_to_their_largest_number(store, old, new, difference):
    record = store.put(Small(1), Outcome({}, {"psi": np.array(old)}), datetime.now(UTC), 1.0)
    check = compare(record, Outcome({}, {"psi": np.array(new)}))
    assert check.largest == pytest.approx(difference) and check.agrees == (difference <= 1e-3)
    assert check.compared == len(old) and ("arrays.psi: differs" in check.problem) != check.agrees


def test_arrays_of_other_shapes_and_names_do_not_agree_nor_does_an_empty_record(store):
    record = store.put(Small(1), Outcome({}, {"psi": np.zeros(3)}), datetime.now(UTC), 1.0)
    check = compare(record, Outcome({}, {"psi": np.zeros(2), "more": np.zeros(1)}))
    assert check.problem == (
        "arrays.more: none in the record, now float64 (1,)\narrays.psi: float64 (3,) in the record, now float64 (2,)"
    )
    assert (
        "nothing to compare" in compare(put(store, Small(2), {"diverged": False}), Outcome({"diverged": False})).problem
    )


def test_a_check_says_what_differs_and_by_how_much(store):
    record = put(store, Small(1), {"a": [1.0, 2.0], "b": {"c": 4.0}, "d": "x"})
    other = Outcome({"a": [1.0, 2.0001], "b": {"c": 5.0}, "d": "x"})
    check = compare(record, other)
    assert check.compared == 3 and check.largest == pytest.approx(0.2)
    assert check.problem == "numbers.b.c: 4.0 in the record, now 5.0"
    assert compare(record, Outcome(record.numbers)).largest == 0
    assert compare(record, other, tolerance=0.3).agrees


def test_the_sample_is_random_limited_and_of_the_present_versions(store):
    for value in range(10):
        put(store, Small(value), {}, seconds=60.0)
    put(store, type("Small", (Small,), {"version": 0})(1), {})
    put(store, type("Old", (Small,), {"kind": "old"})(1), {})
    assert len(choose(store, KINDS, 100, seed=0)) == 10
    first, again, other = (choose(store, KINDS, 4, seed=seed) for seed in (0, 0, 1))
    assert [r.key for r in first] == [r.key for r in again] != [r.key for r in other] and len(first) == 4
    assert len(choose(store, KINDS, 100, seed=0, minutes=3.5)) == 3
    put(store, Squares(()), {}, seconds=6.0)
    assert "squares" in [record.kind for record in choose(store, KINDS, 100, seed=0, minutes=10.1)]


def test_the_sample_is_of_records_computed_as_here_if_there_are_any(store, monkeypatch, capsys):
    monkeypatch.setattr(provenance, "hardware", lambda: {"cpu": "another", "cores": 2})
    elsewhere = [put(store, Small(value), {}).key for value in range(3)]
    monkeypatch.setattr(provenance, "packages", lambda: {"torch": "1.0"})
    elsewhere.append(put(store, Small(3), {}).key)
    monkeypatch.undo()
    assert {record.key for record in choose(store, KINDS, 9, seed=0)} == set(elsewhere)
    assert (
        "0 of 4 records were computed as here" in (printed := capsys.readouterr().out) and "will not agree" in printed
    )
    monkeypatch.setattr(provenance, "hardware", lambda: {**hardware(), "cores": 999})  # changes no rounding
    here = [put(store, Small(value), {}).key for value in (4, 5)]
    assert {record.key for record in choose(store, KINDS, 9, seed=0)} == set(here)
    assert "2 of 6 records were computed as here" in (printed := capsys.readouterr().out) and "will not" not in printed


@pytest.mark.parametrize(("arguments", "rule"), [((0, 1), "sample must be"), ((1, 0), "minutes must be")])
def test_choose_refuses(store, arguments, rule):
    with pytest.raises(ValueError, match=rule):
        choose(store, KINDS, arguments[0], seed=0, minutes=arguments[1])


def test_records_are_computed_again(store, tmp_path, capsys):
    drift = tmp_path / "drift"
    drift.write_text("0")
    parts = (Small(1), Small(2))
    drifting = [Drifting(1000.0, str(drift)), Drifting(1.0, str(drift))]
    run_here([[*parts, *drifting], [Squares(parts)]], store)
    drift.write_text("0.5")
    put(store, Failing("design"), {})
    put(store, Resuming(), {"resumed_from": 7})  # needs its checkpoint, of which there must be no use
    records = list(store.records())
    before = {record.key: record.path.read_bytes() for record in records}
    with Cluster(2) as cluster:
        checks = {check.key: check for check in verify(records, store, KINDS, cluster)}
    assert len(checks) == 7 and {record.key: record.path.read_bytes() for record in records} == before
    good = [*parts, drifting[0], Squares(parts)]
    assert {key for key, check in checks.items() if check.agrees} == {store.key(one) for one in good}
    assert "numbers.number: 1.0 in the record, now 1.5" in checks[store.key(drifting[1])].problem
    assert "RuntimeError: failed by design" in checks[store.key(Failing("design"))].problem
    assert "RuntimeError: stopped half-way" in checks[store.key(Resuming())].problem
    printed = capsys.readouterr().out
    assert printed.count("agrees") == 4 and printed.count("DIFFERS") == 3
    assert printed.endswith("4 of 7 agree\n")


def test_what_cannot_be_rebuilt_does_not_agree(store):
    record = put(store, Small(1), {})
    other_data = Store(store.root, lambda name: "other data")
    cluster = Cluster(1)  # no worker is started
    (check,) = verify([record], other_data, KINDS, cluster)
    assert not check.agrees and "data or code differ from the record's: its key would now be" in check.problem
    (check,) = verify([record], store, {"small": type("Squares", (Squares,), {"kind": "small"})}, cluster)
    assert not check.agrees and "unknown keys" in check.problem


def test_how_results_round_depends_on_what_computed_them_which_old_records_do_not_all_name():
    old = {"hardware": {"cpu": "A"}, "packages": {"torch": "2"}, "backend": "cpp-avx2"}
    assert provenance.rounding(old) == provenance.rounding(old | {"arithmetic": 1, "products": "default"})
    for other in ({"arithmetic": 2}, {"products": "oneDNN"}, {"backend": "cpp-avx512"}):
        assert provenance.rounding(old) != provenance.rounding(old | other)
