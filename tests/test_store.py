"""Records and the store: what is written is read, and nothing else counts as a record."""

import json
import multiprocessing
import os
import shutil
import stat
import struct
import subprocess
import sys
import warnings
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from experiments_for_tests import Numbers, Small, Squares

from notebooks.paper.records import pack, provenance
from notebooks.paper.records import store as stores
from notebooks.paper.records.checkpoint import Checkpoint
from notebooks.paper.records.configuration import config, datasets
from notebooks.paper.records.record import FORM, Outcome, checksum, decode, encode
from notebooks.paper.records.store import Store

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))
OUTCOME = Outcome(
    {"accuracy": [0.5, np.float32(0.25)]},
    {"curve": np.arange(6.0).reshape(2, 3), "counts": np.arange(2, dtype=np.uint8)},
)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results", data=Numbers())


def put(store, experiment, outcome=OUTCOME, **other):
    origin = provenance.provenance(STARTED, 1.5) | {"dirty": False, "commit": "0" * 40} | other
    data = {name: store.data.fingerprint(name) for name in datasets(experiment)}
    return store.write(store.key(experiment), stores.new(experiment, data, outcome, origin))


def again(store):
    """The store as another process sees it."""
    return Store(store.root, data=Numbers())


def same(one, other):
    assert one.content() == other.content() and one.arrays.keys() == other.arrays.keys()
    for name, array in one.arrays.items():
        assert array.dtype == other.arrays[name].dtype
        np.testing.assert_array_equal(array, other.arrays[name])


def test_a_record_is_read_as_it_was_written(store):
    assert store.get(Small(1)) is None and not store.has(Small(1))
    written = put(store, Small(1))
    for record in (written, store.get(Small(1)), again(store).read(written.key)):
        assert record.key == store.key(Small(1)) and record.kind == "small" and record.version == 1
        assert record.config == config(Small(1)) and record.data == {"numbers": "sha256 of numbers"}
        assert record.numbers == {"accuracy": [0.5, 0.25]} and set(record.arrays) == {"curve", "counts"}
        assert record.arrays["counts"].dtype == np.uint8
        np.testing.assert_array_equal(record.arrays["curve"], OUTCOME.arrays["curve"])
        record.arrays["curve"][0] = 3.0  # can be written to
        record.arrays["curve"][0] = OUTCOME.arrays["curve"][0]
    assert store.has(Small(1)) and not store.has(Small(2))
    assert [path.name for path in (store.root / "loose").iterdir()] == [f"{written.key}.safetensors"]


def test_a_record_without_arrays_and_numbers_that_are_not_finite(store):
    put(store, Small(1))
    assert put(store, Small(1), Outcome({"a": np.nan, "b": [np.inf, 1.0]})).arrays == {}  # in place of one with arrays
    assert again(store).get(Small(1)).numbers == {"a": None, "b": [None, 1.0]}
    record = put(store, Small(2), Outcome({}, {"c": np.array([np.nan, -np.inf]), "empty": np.zeros((0, 3))}))
    np.testing.assert_array_equal(record.arrays["c"], [np.nan, -np.inf])
    assert record.arrays["empty"].shape == (0, 3)


def test_equal_outcomes_make_equal_files(store):
    first = put(store, Small(1)).path.read_bytes()
    assert put(store, Small(1)).path.read_bytes() == first


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        ({"a": 1}, "run must return an Outcome, got dict"),
        (Outcome({"a": {1, 2}}), r"numbers\.a must be of JSON types"),
        (Outcome({}, {"a": np.array([None])}), "got 'a' of the type object"),
        (Outcome({}, {"a": np.array("text")}), "got 'a' of the type <U4"),
        (Outcome({}, {"a": np.zeros(1, complex)}), "got 'a' of the type complex128"),
    ],
)
def test_put_refuses_what_it_cannot_store(store, outcome, message):
    with pytest.raises(ValueError, match=message):
        put(store, Small(1), outcome)
    assert not list(store.root.rglob("*"))


def test_other_data_or_another_version_is_another_record(store, recwarn):
    class Others(Numbers):
        def fingerprint(self, name):
            return "other"

    put(store, Small(1))
    newer = type("Small", (Small,), {"version": 2})
    assert store.get(newer(1)) is None and Store(store.root, data=Others()).get(Small(1)) is None
    assert [record.version for record in store.records()] == [1] and not recwarn


@pytest.mark.parametrize("packed", [False, True])
def test_records_are_all_the_valid_ones(store, packed):
    for value in (1, 2, 3):
        put(store, Small(value))
    put(store, Squares(()), Outcome({"sum": 0}))
    (store.root / "datasets.json").write_text("{}")  # no record
    if packed:
        pack.pack(store)
    assert [record.kind for record in again(store).records()] == ["small"] * 3 + ["squares"]
    assert len(list(again(store).records("small"))) == 3 and not list(store.records("other"))


@pytest.mark.parametrize(
    "name",
    ["", "small", "../small-0123456789ab", "..-0123456789ab", "/-0123456789ab", "small-0123", "Small-0123456789ab"],
)
def test_read_refuses_what_is_no_key(store, name):
    with pytest.raises(ValueError, match="a key must be like"):
        store.read(name)


# --- damage -----------------------------------------------------------------------------------------------------------


def rewrite(path, **parts):
    """A record with other parts, and as it should be otherwise."""
    record = decode(path.read_bytes(), path.stem)
    content = record.content() | parts
    content["sha256"] = parts.get("sha256") or checksum(content, record.arrays)
    path.write_bytes(encode(content, record.arrays))


def raw(path, text):
    header = json.dumps({"__metadata__": {"record": text}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)


def replaced(path, make):
    path.unlink()
    make(path)


DAMAGE = {
    "no safetensors": lambda path: path.write_bytes(path.read_bytes()[:-40]),
    "an empty file": lambda path: path.write_bytes(b""),
    "another encoding": lambda path: path.write_bytes(b"\xff\xfe" + path.read_bytes()),
    "a bit": lambda path: path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1])),
    "a number": lambda path: path.write_bytes(path.read_bytes().replace(b"0.25", b"0.35")),
    "the time": lambda path: path.write_bytes(path.read_bytes().replace(b"1.5", b"2.5")),
    "no JSON": lambda path: raw(path, "{"),
    "deep JSON": lambda path: raw(path, "[" * 100_000),
    "deep JSON in numbers": lambda path: rewrite(path, numbers={"a": eval("[" * 90 + "]" * 90)}),
    "a list": lambda path: raw(path, "[1]"),
    "unknown": lambda path: rewrite(path, colour="red"),
    "config": lambda path: rewrite(path, config={"kind": "small", "value": 1, "log": "", "seconds": 0.0, "widht": 3}),
    "config of another form": lambda path: rewrite(path, config=[1]),
    "config without a kind": lambda path: rewrite(path, config={}),
    "version": lambda path: rewrite(path, version=2),
    "version of another type": lambda path: rewrite(path, version=True),
    "kind": lambda path: rewrite(path, kind="other"),
    "data": lambda path: rewrite(path, data={"numbers": 1}),
    "numbers": lambda path: rewrite(path, numbers="x"),
    "arrays": lambda path: rewrite(path, arrays=None),
    "arrays of another form": lambda path: rewrite(path, arrays={"curve": 5}),
    "fewer arrays": lambda path: rewrite(path, arrays={}),
    "provenance": lambda path: rewrite(path, provenance={}),
    "sha256": lambda path: rewrite(path, sha256="0" * 64),
    "a pipe": lambda path: replaced(path, os.mkfifo),
    "a folder": lambda path: replaced(path, os.mkdir),
    "a device": lambda path: replaced(path, lambda path: os.symlink("/dev/zero", path)),
    "too large": lambda path: os.truncate(path, 2**40),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_record_is_reported_by_name_and_counts_as_missing(store, damage):
    path = put(store, Small(1)).path
    try:
        damage(path)
    except ValueError:  # it cannot even be made
        return
    if damage is DAMAGE["deep JSON in numbers"]:  # valid after all
        assert store.has(Small(1))
        return
    with pytest.warns(UserWarning, match="counts as missing") as caught:
        assert again(store).get(Small(1)) is None
    assert len(caught) == 1 and str(caught[0].message).startswith(f"{path}: ")
    assert "\n" not in str(caught[0].message) and len(str(caught[0].message)) < 1000
    with pytest.warns(UserWarning, match="counts as missing"):
        assert not list(again(store).loose())
    if path.is_dir():
        path.rmdir()
    put(store, Small(1))
    assert store.has(Small(1))


def test_every_flipped_byte_is_seen(store):
    content = put(store, Small(1)).path.read_bytes()
    for at in range(0, len(content), 7):
        changed = content[:at] + bytes([content[at] ^ 0x20]) + content[at + 1 :]
        try:
            record = decode(changed, store.key(Small(1)))
        except ValueError:
            continue
        same(record, store.get(Small(1)))  # white space of the header, which means nothing


def test_a_record_under_the_name_of_another_is_none(store):
    put(store, Small(1)).path.rename(store.path(store.key(Small(2))))
    with pytest.warns(UserWarning, match="must fit together and to the name"):
        assert store.get(Small(2)) is None


def test_a_full_disk_leaves_no_record_and_no_temporary_file(store, monkeypatch):
    def full(source, target):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(os, "replace", full)
        put(store, Small(1))
    assert not store.has(Small(1)) and not list(store.root.rglob("*.*"))


def write_often(root, seed, barrier):
    store = Store(root, data=Numbers())
    barrier.wait()
    for i in range(40):
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
    assert record.numbers["value"] in (1039, 2039) and (record.arrays["values"] == record.numbers["value"]).all()
    assert len(list(store.root.rglob("*.*"))) == 1


# --- packed -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def packed(store):
    """A store with a shard of three records, one without arrays, and the same records as they were."""
    before = [put(store, Small(value)) for value in (1, 2)] + [put(store, Small(3), Outcome({"sum": 0}))]
    (path,) = pack.pack(store)
    return again(store), path, before


def test_packed_records_are_those_that_were_loose(packed):
    store, path, before = packed
    assert sorted(file.name for file in store.root.rglob("*.*")) == [path.name, path.with_suffix(".parquet").name]
    for record in before:
        same(store.read(record.key), record)
        assert store.read(record.key).path == path
    assert pack.pack(store) == []


def test_arrays_of_one_name_keep_their_types(store):
    """As the history of a learning that diverged in its first episode, which is empty and then of floats."""
    kinds = [np.array([30, 36]), np.array([]), np.array([0.5, 1.0]), np.array([], dtype=np.int64)]
    before = [put(store, Small(i), Outcome({}, {"n_tr": array})) for i, array in enumerate(kinds)]
    pack.pack(store)
    for record, array in zip(before, kinds, strict=True):
        found = again(store).read(record.key).arrays["n_tr"]
        assert found.dtype == array.dtype and found.tolist() == array.tolist()


def test_what_would_be_read_as_another_is_not_packed(store):
    put(store, Small(1), Outcome({}, {"n": np.array([2**60 + 1])}))
    put(store, Small(2), Outcome({}, {"n": np.array([0.5])}))
    with pytest.raises(
        ValueError, match="the arrays 'n' of these records do not fit into one column: .*1152921504606846977"
    ):
        pack.pack(store)
    assert len(list(again(store).records())) == 2 and not list(store.root.rglob("*.parquet"))


def test_a_line_of_pandas_reads_them(packed):
    _, path, before = packed
    frame = pd.read_json(path, lines=True)
    assert list(frame.key) == sorted(record.key for record in before)
    assert frame.set_index("key").numbers[before[0].key] == {"accuracy": [0.5, 0.25]}
    assert list(frame.columns) == [*FORM, "sha256"]
    arrays = pd.read_parquet(path.with_suffix(".parquet")).set_index("key")
    np.testing.assert_array_equal(arrays.curve[before[0].key], np.arange(6.0))


def test_each_section_has_its_own_shards(store):
    put(store, Small(1))
    put(store, Squares(()), Outcome({}))
    assert [path.parent.name for path in pack.pack(store)] == ["small", "squares"]
    assert pack.section_of({"kind": "train", "network": {"section": "a"}, "section": "b"}) == "b"
    with pytest.raises(ValueError, match=r"a section must be .* got '\.\./x'"):
        pack.section_of({"kind": "train", "section": "../x"})


def test_a_shard_that_changed_is_checked_line_by_line(packed):
    store, path, before = packed
    lines = path.read_bytes().splitlines(keepends=True)
    number, *others = sorted(range(3), key=lambda i: b"0.25" not in lines[i])
    lines[number], lines[others[1]] = lines[number].replace(b"0.25", b"0.95"), b"{\n"
    path.write_bytes(b"".join(lines))
    with pytest.warns(UserWarning) as caught:
        found = again(store).packed
    assert list(found) == [json.loads(lines[others[0]])["key"]]
    messages = [str(warning.message) for warning in caught]
    assert len(messages) == 2 and all(message.startswith(f"{path}") for message in messages)
    assert any(f"line {number + 1}: damaged" in message for message in messages)
    assert any(f"line {others[1] + 1}: not valid JSON" in message for message in messages)


@pytest.mark.parametrize("damage", ["truncated", "missing", "another", "pipe"])
def test_arrays_that_changed_are_reported(packed, damage):
    store, path, before = packed
    arrays = path.with_suffix(".parquet")
    if damage == "truncated":
        arrays.write_bytes(arrays.read_bytes()[:-10])
    elif damage == "another":
        put(store, Small(7), Outcome({}, {"curve": np.zeros(2)}))
        shutil.copy(pack.pack(store)[0].with_suffix(".parquet"), arrays)
    else:
        arrays.unlink()
        if damage == "pipe":
            os.mkfifo(arrays)
    with pytest.warns(UserWarning, match="count as missing|counts as missing") as caught:
        found = again(store).packed
    assert before[0].key not in found and all(str(path) in str(warning.message) for warning in caught)


def test_a_dropped_record_is_missing_until_it_is_computed_again(packed):
    store, path, before = packed
    pack.drop(store, before[0].key)
    assert not again(store).has(Small(1)) and again(store).has(Small(2))
    put(store, Small(1), Outcome({"accuracy": 1}), start="2026-02-01T00:00:00+00:00")
    assert again(store).get(Small(1)).numbers == {"accuracy": 1}
    (second,) = pack.pack(again(store))
    assert second != path and again(store).get(Small(1)).numbers == {"accuracy": 1}
    pack.drop(again(store), before[0].key)
    assert not again(store).has(Small(1))
    with pytest.raises(ValueError, match="there is no record 'small-"):
        pack.drop(again(store), before[0].key)


def test_of_two_packed_records_the_later_one_counts(store):
    for day, value in (("03", 3), ("01", 1), ("02", 2)):  # not in the order of the days
        put(store, Small(1), Outcome({"value": value}), start=f"2026-01-{day}T00:00:00+00:00")
        pack.pack(again(store))
    assert again(store).get(Small(1)).numbers == {"value": 3}


def test_records_of_uncommitted_code_are_not_packed(store):
    path = put(store, Small(1), dirty=True).path
    put(store, Small(2))
    with pytest.raises(ValueError, match=f"{path}: computed with code that is in no commit"):
        pack.pack(store)
    assert store.has(Small(1)) and not list(store.root.rglob("*.jsonl"))


def test_packing_that_was_killed_loses_nothing(store, monkeypatch):
    keys = [put(store, Small(value)).key for value in (1, 2)]
    for done in range(3):  # writes before it dies
        count = iter(range(done))

        def write(path, content, count=count):
            next(count)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)

        with monkeypatch.context() as patch, pytest.raises((StopIteration, KeyboardInterrupt)):
            patch.setattr(pack, "write_atomically", write)
            patch.setattr(pack.Path, "unlink", lambda path: (_ for _ in ()).throw(KeyboardInterrupt()))
            pack.pack(again(store))
        assert [record.key for record in again(store).records()] == sorted(keys)
    pack.pack(again(store))
    assert [record.key for record in again(store).records()] == sorted(keys) and not list(again(store).loose())


def test_committed_records_are_of_committed_code_and_as_they_were_written():
    for record in Store(stores.ROOT, data=Numbers()).packed.values():
        assert record.provenance["dirty"] is False and len(record.provenance["commit"]) == 40, record.key
        assert checksum(record.content(), record.arrays) == record.sha256, record.key


ELSEWHERE = """
import sys
sys.modules.update(dict.fromkeys(("dask", "distributed", "bokeh", "cattrs")))
from notebooks.paper import sections
from notebooks.paper.records import sweep, verify
results = sections.results("ablations", "paper")
assert not results.missing and len(results.frame().record[0].arrays["test_accuracy"])
"""


def test_records_are_read_without_the_packages_of_sweeps():
    """As in Colab, which has neither Dask nor cattrs."""
    subprocess.run([sys.executable, "-c", ELSEWHERE], check=True, cwd=Path(__file__).resolve().parents[1])


# --- checkpoints ------------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_found_by_the_same_code_and_adds_up_the_time(tmp_path):
    first = Checkpoint(tmp_path / "a.checkpoint", "1")
    assert first.load() is None
    first.clock -= 100
    first.save(b"state\n\x00")
    second = Checkpoint(tmp_path / "a.checkpoint", "1")
    assert second.load() == b"state\n\x00" and 100 <= second.seconds < 160 and second.started == first.started
    second.clock -= 100
    second.save(b"")
    assert Checkpoint(tmp_path / "a.checkpoint", "1").load() == b""
    third = Checkpoint(tmp_path / "a.checkpoint", "2")
    with pytest.warns(
        UserWarning, match="a.checkpoint: it was left by another version of the code; the run begins anew"
    ):
        assert third.load() is None
    assert third.seconds < 60
    third.remove()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"{}\nstate"),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes().replace(b'"seconds": ', b'"seconds": 9')),
        lambda path: path.write_bytes(b"[" * 100_000),
        lambda path: replaced(path, os.mkfifo),
    ],
)
def test_a_damaged_checkpoint_is_reported_and_begun_anew(tmp_path, damage):
    path = tmp_path / "a.checkpoint"
    Checkpoint(path, "1").save(b"state")
    damage(path)
    checkpoint = Checkpoint(path, "1")
    with pytest.warns(UserWarning, match="a.checkpoint: .*; the run begins anew"):
        assert checkpoint.load() is None
    checkpoint.save(b"new")
    assert Checkpoint(path, "1").load() == b"new" and stat.S_ISREG(path.stat().st_mode)
