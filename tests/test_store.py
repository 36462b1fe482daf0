import hashlib
import io
import json
import multiprocessing
import os
import subprocess
import sys
import warnings
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from experiments_for_tests import Small, Squares, fingerprints

from lib.files import locked
from notebooks.paper.records import configuration, provenance
from notebooks.paper.records.store import Outcome, Store

ROOT = Path(__file__).resolve().parents[1]
STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))
OUTCOME = Outcome(
    {"accuracy": [0.5, np.float32(0.25)]}, {"curve": np.arange(6.0).reshape(2, 3), "names": np.array("a")}
)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results", fingerprints)


def put(store, experiment, outcome=OUTCOME):
    return store.put(experiment, outcome, STARTED, 1.5)


def edit(path, **fields):
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_record_is_read_as_it_was_written(store):
    assert store.get(Small(1)) is None and not store.has(Small(1))
    written = put(store, Small(1))
    for record in (written, store.get(Small(1)), Store(store.root, fingerprints).read(written.key)):
        assert record.key == store.key(Small(1)) and record.kind == "small" and record.version == 1
        assert record.config == configuration.config(Small(1)) and record.data == {"numbers": "sha256 of numbers"}
        assert record.numbers == {"accuracy": [0.5, 0.25]}
        assert set(record.arrays) == {"curve", "names"} and record.arrays["names"] == "a"
        np.testing.assert_array_equal(record.arrays["curve"], OUTCOME.arrays["curve"])
    assert store.has(Small(1)) and not store.has(Small(2))


def test_files_of_a_record(store):
    record = put(store, Small(1))
    assert record.path == store.path(Small(1)) == store.root / "small" / f"{record.key}.json"
    content = json.loads(record.path.read_text())
    assert content["arrays"]["shapes"] == {"curve": [2, 3], "names": []}
    npz = record.path.with_suffix(".npz").read_bytes()
    assert content["arrays"]["sha256"] == hashlib.sha256(npz).hexdigest()
    with np.load(io.BytesIO(npz), allow_pickle=False) as file:
        np.testing.assert_array_equal(file["curve"], OUTCOME.arrays["curve"])
    assert sorted(path.name for path in record.path.parent.iterdir()) == [
        f"{record.key}.json",
        f"{record.key}.npz",
    ]


def test_equal_arrays_make_equal_files(store, monkeypatch):
    first = put(store, Small(1)).path.with_suffix(".npz").read_bytes()
    monkeypatch.setattr("time.time", lambda: 2e9)
    assert put(store, Small(1)).path.with_suffix(".npz").read_bytes() == first


def test_a_record_without_arrays(store):
    put(store, Small(1))
    record = put(store, Small(1), Outcome({"a": 1}))  # in place of one with arrays
    assert record.arrays == {} and store.get(Small(1)).numbers == {"a": 1}
    assert not record.path.with_suffix(".npz").exists()


def test_numbers_that_are_not_finite_are_none(store):
    outcome = Outcome({"a": np.nan, "b": [np.inf, 1.0]}, {"c": np.array([np.nan, -np.inf])})
    put(store, Small(1), outcome)
    record = store.get(Small(1))
    assert record.numbers == {"a": None, "b": [None, 1.0]}
    np.testing.assert_array_equal(np.array(record.numbers["b"], dtype=float), [np.nan, 1.0])
    np.testing.assert_array_equal(record.arrays["c"], [np.nan, -np.inf])
    json.loads(record.path.read_text(), parse_constant=pytest.fail)


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        ({"a": 1}, "run must return an Outcome, got dict"),
        (Outcome({"a": {1, 2}}), r"numbers\.a must be of JSON types"),
        (Outcome({}, {"a": np.array([None])}), "got 'a' of the type object"),
        (Outcome({}, {"a": [object()]}), "got 'a' of the type object"),
    ],
)
def test_put_refuses_what_it_cannot_store(store, outcome, message):
    with pytest.raises(ValueError, match=message):
        put(store, Small(1), outcome)
    assert not store.root.exists() or not list(store.root.rglob("*"))


def test_put_needs_a_time_zone(store):
    with pytest.raises(ValueError, match="started must have a time zone"):
        store.put(Small(1), OUTCOME, datetime(2026, 1, 1), 1.0)


def test_the_default_fingerprints_are_those_of_the_datasets(tmp_path, monkeypatch):
    from lib.datasets import catalogue

    monkeypatch.setattr(catalogue, "fingerprint", lambda name, data_dir: f"of {name} in {data_dir}")
    assert put(Store(tmp_path, data_dir="here"), Small(1)).data == {"numbers": "of numbers in here"}


def test_a_dataset_is_fingerprinted_once(tmp_path):
    asked = []
    store = Store(tmp_path, lambda name: asked.append(name) or "sha")
    put(store, Small(1))
    assert store.has(Small(1)) and asked == ["numbers"]


def test_other_data_or_another_version_is_another_record(store, tmp_path, recwarn):
    put(store, Small(1))
    newer = type("Small", (Small,), {"version": 2})
    assert store.get(newer(1)) is None
    assert Store(store.root, lambda name: "other").get(Small(1)) is None
    assert [record.version for record in store.records()] == [1] and not recwarn


def test_records_are_all_the_valid_ones(store):
    for value in (1, 2, 3):
        put(store, Small(value))
    put(store, Squares(()), Outcome({"sum": 0}))
    (store.root / "datasets.json").write_text("{}")  # no record: it is not in the folder of a kind
    assert [record.kind for record in store.records()] == ["small"] * 3 + ["squares"]
    assert len(list(store.records("small"))) == 3 and not list(store.records("other"))
    store.path(Small(2)).write_text("{")
    with pytest.warns(UserWarning, match="not valid JSON"):
        assert {record.config["value"] for record in store.records("small")} == {1, 3}


@pytest.mark.parametrize("name", ["", "small", "../small-0123", "a/small-0123"])
def test_read_refuses_what_is_no_key(store, name):
    with pytest.raises(ValueError, match="a key must be like"):
        store.read(name)


# --- damage -----------------------------------------------------------------------------------------


def damage_json(path, npz):
    path.write_bytes(path.read_bytes()[:-40])


def damage_empty(path, npz):
    path.write_bytes(b"")


def damage_encoding(path, npz):
    path.write_bytes(b"\xff\xfe" + path.read_bytes())


def damage_list(path, npz):
    path.write_text("[1]")


def damage_unknown(path, npz):
    edit(path, colour="red")


def damage_config(path, npz):
    edit(path, config={"kind": "small", "value": 1, "log": "", "seconds": 0.0, "widht": 3})


def damage_config_form(path, npz):
    edit(path, config=[1])


def damage_version(path, npz):
    edit(path, version=2)


def damage_kind(path, npz):
    edit(path, kind="other")


def damage_arrays_form(path, npz):
    edit(path, arrays={"shapes": {}})


def damage_npz_byte(path, npz):
    content = bytearray(npz.read_bytes())
    content[100] ^= 1
    npz.write_bytes(content)


def damage_npz_short(path, npz):
    npz.write_bytes(npz.read_bytes()[:-1])


def damage_npz_missing(path, npz):
    npz.unlink()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (damage_json, "not valid JSON"),
        (damage_empty, "not valid JSON"),
        (damage_encoding, "can't decode"),
        (damage_list, "missing or unknown fields: list"),
        (damage_unknown, r"missing or unknown fields: \['colour'\]"),
        (damage_config, "key, kind, version, config and data must fit together"),
        (damage_config_form, "a field of the wrong form"),
        (damage_version, "key, kind, version, config and data must fit together"),
        (damage_kind, "key, kind, version, config and data must fit together"),
        (damage_arrays_form, "a field of the wrong form"),
        (damage_npz_byte, r"small-\w+\.npz is damaged: its sha256 is"),
        (damage_npz_short, r"small-\w+\.npz is damaged"),
        (damage_npz_missing, r"small-\w+\.npz is missing"),
    ],
)
def test_a_damaged_record_is_reported_and_counts_as_missing(store, damage, reason):
    path = put(store, Small(1)).path
    assert store.has(Small(1))
    damage(path, path.with_suffix(".npz"))
    with pytest.warns(UserWarning, match=reason) as caught:
        assert store.get(Small(1)) is None
    assert len(caught) == 1 and str(caught[0].message).startswith(f"{path}: ")
    assert "\n" not in str(caught[0].message)
    put(store, Small(1))
    assert store.has(Small(1))


def test_a_record_under_the_name_of_another_is_none(store):
    put(store, Small(1)).path.rename(store.path(Small(2)))
    with pytest.warns(UserWarning, match="must fit together"):
        assert store.get(Small(2)) is None


def test_a_full_disk_leaves_no_record_and_no_temporary_file(store, monkeypatch):
    def full(source, target):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(os, "replace", full)
        put(store, Small(1))
    assert not store.has(Small(1)) and not list(store.root.rglob("*.*"))


def test_files_that_a_killed_writer_left_are_ignored(store, recwarn):
    path = put(store, Small(1)).path
    (path.parent / f".{path.name}.abc.tmp").write_text("{")
    path.with_suffix(".write.lock").write_text("1 some time ago")
    path.with_suffix(".lock").write_text("1 some time ago")
    assert len(list(store.records())) == 1
    put(store, Small(1))
    assert len(list(store.records())) == 1 and not recwarn


def test_arrays_that_changed_after_the_record_was_read_are_refused(store):
    record = put(store, Small(1))
    put(store, Small(1), Outcome({}, {"curve": np.zeros(3)}))
    with pytest.raises(ValueError, match="it changed since"):
        record.arrays  # noqa: B018


# --- several processes ------------------------------------------------------------------------------


def write_often(root, seed, barrier):
    store = Store(root, fingerprints)
    barrier.wait()
    for i in range(60):
        value = 1000 * seed + i
        put(store, Small(1), Outcome({"value": value}, {"values": np.full(3000 * seed, value)}))


def test_two_processes_that_write_the_same_record_leave_a_valid_one(store):
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(3)
    writers = [spawn.Process(target=write_often, args=(store.root, seed, barrier)) for seed in (1, 2)]
    for writer in writers:
        writer.start()
    barrier.wait()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a reader sees no damage at any time
        seen = set()
        while any(writer.is_alive() for writer in writers):
            if (record := store.get(Small(1))) is not None:
                seen.add(record.numbers["value"])
        record = store.get(Small(1))
    assert [writer.exitcode for writer in writers] == [0, 0] and len(seen) > 1
    assert record.numbers["value"] in (1059, 2059) and (record.arrays["values"] == record.numbers["value"]).all()
    assert len(list(store.root.rglob("*.*"))) == 2


def hold_and_die(path, held):
    with locked(path):
        held.set()
        os._exit(1)


def test_a_lock_excludes_others_and_ends_with_its_holder(tmp_path):
    path = tmp_path / "a.lock"
    with locked(path) as mine, locked(path, wait=False) as second:
        assert mine and not second and path.read_text().startswith(f"{os.getpid()} 20")
    assert not path.exists()
    spawn = multiprocessing.get_context("spawn")
    held = spawn.Event()
    holder = spawn.Process(target=hold_and_die, args=(path, held))
    holder.start()
    assert held.wait(60)
    holder.join()
    assert path.exists()
    with locked(path, wait=False) as mine:
        assert mine


# --- provenance -------------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "REPOSITORY", tmp_path)
    provenance.code.cache_clear()
    yield tmp_path
    provenance.code.cache_clear()


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_provenance_says_where_a_record_comes_from(store):
    found = put(store, Small(1)).provenance
    assert set(found) == {
        "commit", "dirty", "python", "packages", "hardware", "threads", "backend", "arithmetic", "start", "duration_s",
        "peak_memory_mb",
    }  # fmt: skip
    assert set(found["packages"]) == {"torch", "numpy", "scikit-learn"}
    assert found["packages"]["numpy"] == np.__version__
    assert found["start"] == "2026-01-02T01:04:05+00:00" and found["duration_s"] == 1.5
    assert found["hardware"]["cores"] >= 1 and found["hardware"]["cpu"]
    assert 10 < found["peak_memory_mb"] < 1e5


def test_provenance_without_git(repository):
    assert provenance.provenance(datetime.now(UTC), 1)["commit"] == "unknown"


def test_provenance_without_the_git_command(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.code() == {"commit": "unknown", "dirty": None}


def test_provenance_has_the_commit_and_whether_the_library_differs(repository):
    (repository / "lib").mkdir()
    (repository / "lib" / "a.py").write_text("1")
    git(repository, "init")
    git(repository, "add", ".")
    git(repository, "commit", "-m", "a")
    (repository / "results.json").write_text("{}")  # not code
    commit = git(repository, "rev-parse", "HEAD")
    assert provenance.code() == {"commit": commit, "dirty": False}
    (repository / "lib" / "a.py").write_text("2")
    provenance.code.cache_clear()
    assert provenance.code() == {"commit": commit, "dirty": True}
    inner = repository / "copy"  # of the project, without git, inside another repository
    inner.mkdir()
    provenance.REPOSITORY = inner
    provenance.code.cache_clear()
    assert provenance.code()["commit"] == "unknown"


PEAKS = """
import numpy as np
from notebooks.paper.records import provenance
provenance.reset_peak_memory()
before = provenance.peak_memory_mb()
block = np.ones(8_000_000)  # 61 MB
grown = provenance.peak_memory_mb()
del block
provenance.reset_peak_memory()
print(before, grown, provenance.peak_memory_mb())
"""


def test_peak_memory_grows_and_starts_anew():
    """In a fresh process: this one may have freed memory at hand, which is counted already."""
    done = subprocess.run([sys.executable, "-c", PEAKS], capture_output=True, text=True, check=True, cwd=ROOT)
    before, grown, anew = map(float, done.stdout.split())
    assert grown > before + 50
    if os.path.exists("/proc/self/clear_refs"):
        assert anew < grown - 40
