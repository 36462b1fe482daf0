import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from prepared_files import write_images, write_table

from book.press.release import enter_new
from lib.datasets import algorithmic, catalogue, download, load, prepared
from notebooks.paper.experiments import committed


@pytest.fixture(autouse=True)
def no_download(monkeypatch):
    def refuse(*arguments):
        pytest.fail(f"a download was tried: {arguments}")

    monkeypatch.setattr(download, "images", refuse)
    monkeypatch.setattr(download, "table", refuse)


@pytest.fixture
def manifest(monkeypatch, tmp_path):
    path = tmp_path / "manifest" / "datasets.json"
    monkeypatch.setattr(committed, "MANIFEST", path)
    return path


def test_fingerprints_are_of_what_the_runs_see(tmp_path, manifest):
    path, arrays = write_images(tmp_path, "mnist")
    before = catalogue.fingerprint("mnist", tmp_path)
    assert before == load("mnist", tmp_path).sha256 and len(before) == 64
    border = arrays["x_train"].copy()
    border[:, 0, 0] += 1  # cropped off
    write_images(tmp_path, "mnist", x_train=border, note=np.zeros(3))
    assert catalogue.fingerprint("mnist", tmp_path) == before
    border[0, 14, 14] += 1
    write_images(tmp_path, "mnist", x_train=border)
    assert catalogue.fingerprint("mnist", tmp_path) != before


def test_fingerprints_of_unchanged_files_are_remembered(tmp_path, manifest, monkeypatch):
    write_images(tmp_path, "mnist")
    first = catalogue.fingerprint("mnist", tmp_path)
    monkeypatch.setattr(prepared, "digest", lambda *_: pytest.fail("computed again"))
    assert catalogue.fingerprint("mnist", tmp_path) == first


def test_fingerprints_tell_datasets_apart():
    names = ["digits", "noisy_digits", "breast_cancer", "wine", "diabetes", *algorithmic.TASKS]
    assert len({catalogue.fingerprint(name) for name in names}) == len(names)


def test_the_fingerprint_of_a_task_is_fixed():
    # It is part of the names of stored results: a change of this number makes them count as missing.
    expected = "3e9bd9c7a0b117a713e60b8369810d936ee31b77c16aa8bde029dc2d82d20729"
    assert catalogue.fingerprint("a+b mod 27") == expected


def test_without_the_data_the_manifest_answers(tmp_path, manifest):
    write_images(tmp_path, "cifar10")
    write_table(tmp_path, n=50)
    committed.enter(["cifar10"], tmp_path)
    committed.enter(["credit", "a+b mod 27", "digits", "wine"], tmp_path)
    entries = json.loads(manifest.read_text())
    assert list(entries) == ["a+b mod 27", "cifar10", "credit", "digits", "wine"]
    assert (
        entries["cifar10"]["note"] == "40 training and 20 test images of 32x32x3; the official training set has 50,000"
    )
    assert entries["credit"]["note"] == "50 rows x 2 columns; the official table has 16,714 rows"
    assert entries["a+b mod 27"]["note"] == "all 729 pairs of operands"
    assert entries["wine"]["note"] == "178 rows x 13 columns"
    for name in ("cifar10", "credit"):
        assert committed.fingerprint(name, tmp_path / "elsewhere") == catalogue.fingerprint(name, tmp_path)
    assert [file.name for file in manifest.parent.iterdir()] == [manifest.name]


@pytest.fixture
def copies(monkeypatch):
    """Two copies of one dataset of 40 training images: the first 30, and all."""
    few = replace(catalogue.IMAGES["cifar10"], first=30, official=40)
    whole = replace(catalogue.IMAGES["cifar10-full"], official=40)
    monkeypatch.setitem(catalogue.IMAGES, "cifar10", few)
    monkeypatch.setitem(catalogue.IMAGES, "cifar10-full", whole)


def test_two_copies_of_a_dataset_come_from_one_file(tmp_path, manifest, copies):
    _, arrays = write_images(tmp_path, "cifar10")
    few, whole = load("cifar10", tmp_path), load("cifar10-full", tmp_path)
    assert (len(few.x_train), len(whole.x_train)) == (30, 40)
    assert np.array_equal(few.x_train, whole.x_train[:30]) and np.array_equal(few.y_train, whole.y_train[:30])
    assert np.array_equal(few.x_test, whole.x_test) and len(few.x_test) == 20
    assert few.sha256 != whole.sha256

    # A file with the first images alone has the same first copy, and is refused as the whole.
    first = {name: arrays[name][:30] for name in ("x_train", "y_train")}
    write_images(tmp_path / "older", "cifar10", **first)
    assert load("cifar10", tmp_path / "older").sha256 == few.sha256
    with pytest.raises(ValueError, match="'cifar10-full' must have all 40 training images, got 30 in .*cifar10.npz"):
        load("cifar10-full", tmp_path / "older")


def test_the_manifest_holds_both_copies(tmp_path, manifest, copies):
    write_images(tmp_path, "cifar10")
    here = {name: catalogue.fingerprint(name, tmp_path) for name in ("cifar10", "cifar10-full")}
    committed.enter(list(here), tmp_path)
    assert {name: committed.fingerprint(name, tmp_path / "elsewhere") for name in here} == here
    assert committed.rows("cifar10") == (30, 40) and committed.rows("cifar10-full") == (40, 40)


def test_a_missing_copy_is_downloaded_under_the_name_of_its_file(tmp_path, monkeypatch, copies):
    monkeypatch.setattr(download, "images", lambda name, path: write_images(path.parents[1], name))
    assert len(load("cifar10-full", tmp_path).x_train) == 40
    assert [file.name for file in (tmp_path / "images").iterdir()] == ["cifar10.npz"]


def test_the_committed_manifest_has_the_copies_of_cifar10():
    # The first hash is in the names of the stored results: it is of the first 20,000 images of the file of all.
    assert committed.sha256("cifar10").startswith("ee15e60c3856")
    assert committed.rows("cifar10") == (20_000, 50_000) and committed.rows("cifar10-full") == (
        50_000,
        50_000,
    )


def test_fingerprints_of_data_that_are_nowhere(tmp_path, manifest):
    with pytest.raises(ValueError, match="no fingerprint of 'svhn': .*svhn.npz is missing and .*datasets.json has no"):
        committed.fingerprint("svhn", tmp_path)
    with pytest.raises(ValueError, match="unknown dataset 'svhm'"):
        committed.fingerprint("svhm", tmp_path)
    with pytest.raises(ValueError, match="missing: .*svhn.npz"):
        committed.enter(["digits", "svhn"], tmp_path)
    assert not manifest.exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"svhn": {}}', '{"svhn": {"sha256": 5}}', '{"svhn": "x"}'])
def test_a_damaged_manifest_is_reported(tmp_path, manifest, content):
    manifest.parent.mkdir(parents=True)
    manifest.write_text(content)
    with pytest.raises(ValueError, match="datasets.json is damaged: restore it"):
        committed.fingerprint("svhn", tmp_path)


def test_availability(tmp_path):
    assert catalogue.available("digits") and catalogue.available("a.b S5") and not catalogue.available("svhn", tmp_path)
    write_images(tmp_path, "svhn")
    assert catalogue.available("svhn", tmp_path)


def test_what_has_a_fingerprint(tmp_path, manifest):
    assert committed.known("digits") and not committed.known("svhn", tmp_path)
    write_images(tmp_path, "svhn")
    assert committed.known("svhn", tmp_path)
    committed.enter(["svhn"], tmp_path)
    assert committed.known("svhn", tmp_path / "elsewhere") and not committed.known("mnist", tmp_path / "elsewhere")


def test_availability_of_what_is_unknown(tmp_path):
    with pytest.raises(ValueError, match="unknown dataset"):
        catalogue.available("svhm", tmp_path)


def test_datasets_of_new_records_enter_the_manifest_if_their_copy_is_here(tmp_path, manifest):
    write_images(tmp_path, "svhn")
    write_images(tmp_path, "mnist")
    shas = {
        "svhn": catalogue.fingerprint("svhn", tmp_path),
        "mnist": "of another copy",
        "digits": catalogue.fingerprint("digits"),
        "cifar10": "not here",
    }
    store = SimpleNamespace(records=lambda: [SimpleNamespace(data={name: sha}) for name, sha in shas.items()])
    assert enter_new(store, tmp_path) == ["svhn"] and list(json.loads(manifest.read_text())) == ["svhn"]
    assert enter_new(store, tmp_path) == []
