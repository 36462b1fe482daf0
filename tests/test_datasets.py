import json

import numpy as np
import pandas as pd
import pytest
import sklearn.datasets
import torch
from hypothesis import given
from hypothesis import strategies as st

from lib import algorithmic, datasets, download, prepared, sources
from lib.datasets import load, split, targets

SIZES = {"mnist": (28, 28), "fashion_mnist": (28, 28), "svhn": (32, 32, 3), "cifar10": (32, 32, 3)}


@pytest.fixture(autouse=True)
def no_download(monkeypatch):
    def refuse(*arguments):
        pytest.fail(f"a download was tried: {arguments}")

    monkeypatch.setattr(download, "images", refuse)
    monkeypatch.setattr(download, "table", refuse)


@pytest.fixture
def manifest(monkeypatch, tmp_path):
    path = tmp_path / "manifest" / "datasets.json"
    monkeypatch.setattr(sources, "MANIFEST", path)
    return path


def write_images(root, name, **changes):
    """Write a small prepared file; `changes` replace its arrays, None leaves one out."""
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.integers(0, 256, (40, *SIZES[name]), dtype=np.uint8),
        "y_train": np.arange(40, dtype=np.uint8) % 10,
        "x_test": rng.integers(0, 256, (20, *SIZES[name]), dtype=np.uint8),
        "y_test": np.arange(20, dtype=np.uint8) % 10,
    } | changes
    path = root / "images" / f"{name}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **{key: array for key, array in arrays.items() if array is not None})
    return path, arrays


def write_table(root, n=50, name="credit", **changes):
    rng = np.random.default_rng(0)
    columns = {"a": rng.normal(size=n), "b": rng.integers(0, 9, n), "target": np.arange(n) % 2} | changes
    frame = pd.DataFrame({key: column for key, column in columns.items() if column is not None})
    path = root / "tabular" / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path)
    return path, frame


# Images


@pytest.mark.parametrize(
    ("name", "window", "shape"),
    [
        ("mnist", np.s_[:, 5:23, 5:23], (18, 18)),
        ("fashion_mnist", np.s_[:], (28, 28)),
        ("svhn", np.s_[:, :, 8:24], (32, 16, 3)),
        ("cifar10", np.s_[:], (32, 32, 3)),
    ],
)
def test_images_are_cropped_scaled_and_flattened(tmp_path, name, window, shape):
    _, arrays = write_images(tmp_path, name, test_exact=np.ones(20, dtype=bool))
    data = load(name, tmp_path)
    assert data.name == name and data.shape == shape and data.classes == 10
    assert data.pairs_train is None and data.pairs_test is None
    for part, n in (("train", 40), ("test", 20)):
        x, y = getattr(data, f"x_{part}"), getattr(data, f"y_{part}")
        assert x.dtype == torch.float32 and y.dtype == torch.int64
        expected = (arrays[f"x_{part}"][window] / np.float32(255)).reshape(n, -1)
        np.testing.assert_array_equal(x.numpy(), expected)
        np.testing.assert_array_equal(y.numpy(), arrays[f"y_{part}"])
    assert data.x_train.max() == 1.0 and data.x_train.min() == 0.0


def test_images_can_be_changed_without_changing_the_next_load(tmp_path):
    write_images(tmp_path, "mnist")
    first = load("mnist", tmp_path)
    kept = first.x_train.clone()
    first.x_train.zero_()
    first.y_train.zero_()
    assert load("mnist", tmp_path).x_train.equal(kept) and load("mnist", tmp_path).y_train.max() == 9


def test_the_embedded_digits_are_scikit_learns():
    bundle, data = sklearn.datasets.load_digits(), load("digits")
    assert data.shape == (8, 8) and len(data.x_train) == 1437 and len(data.x_test) == 360
    np.testing.assert_array_equal(torch.cat([data.x_train, data.x_test]).numpy(), bundle.data / 16)
    np.testing.assert_array_equal(torch.cat([data.y_train, data.y_test]).numpy(), bundle.target)


def test_noisy_digits_are_digits_with_the_same_noise_each_time():
    clean, noisy = load("digits"), load("noisy_digits")
    assert noisy.x_train.equal(load("noisy_digits").x_train) and noisy.y_train.equal(clean.y_train)
    assert 0 <= noisy.x_train.min() and noisy.x_train.max() <= 1
    distance = (noisy.x_train - clean.x_train).abs().mean()
    assert 0.1 < distance < 0.5 and noisy.sha256 != clean.sha256


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, "it lacks y_test; it must have x_train, y_train, x_test, y_test"),
        ({"x_train": np.zeros((40, 28, 28))}, "x_train must be uint8, got float64"),
        ({"y_train": np.zeros(40, dtype=np.int64)}, "y_train must be uint8, got int64"),
        (
            {"x_train": np.zeros((40, 18, 18), dtype=np.uint8)},
            r"x_train must have shape \(n, 28, 28\), got \(40, 18, 18\)",
        ),
        (
            {"x_test": np.zeros((20, 28, 28, 3), dtype=np.uint8)},
            r"x_test must have shape .*got \(20, 28, 28, 3\)",
        ),
        ({"y_test": np.zeros((20, 1), dtype=np.uint8)}, r"y_test must have shape \(n\), got \(20, 1\)"),
        ({"x_test": np.zeros((0, 28, 28), dtype=np.uint8)}, r"x_test must have shape .*got \(0, 28, 28\)"),
        ({"y_train": np.zeros(39, dtype=np.uint8)}, "x_train has 40 images but y_train has 39 labels"),
        ({"y_test": np.full(20, 10, dtype=np.uint8)}, "y_test must hold labels from 0 to 9, got 10"),
        ({"x_train": np.array([{}], dtype=object)}, "damaged or not an .npz file"),
    ],
)
def test_image_files_of_another_form_are_refused(tmp_path, changes, message):
    path, _ = write_images(tmp_path, "mnist", **changes)
    with pytest.raises(ValueError, match=message) as caught:
        load("mnist", tmp_path)
    assert str(caught.value).startswith(f"{path} cannot be used: ")
    assert "Delete it (and mnist.npz.sha256, if there is one)" in str(caught.value)


def damage(path, how):
    content = bytearray(path.read_bytes())
    if how == "empty":
        content.clear()
    elif how == "truncated":
        del content[len(content) // 2 :]
    elif how == "flipped":
        middle = len(content) // 3
        content[middle : middle + 64] = bytes(255 - byte for byte in content[middle : middle + 64])
    else:
        content[:] = b"<html>Please log in</html>"
    path.write_bytes(bytes(content))
    if how == "a single array":
        with path.open("wb") as file:
            np.save(file, np.zeros((40, 28, 28), dtype=np.uint8))


@pytest.mark.parametrize("how", ["empty", "truncated", "flipped", "a web page", "a single array"])
def test_damaged_image_files_are_refused(tmp_path, how):
    path, _ = write_images(tmp_path, "cifar10")
    damage(path, how)
    for use in (load, datasets.fingerprint):
        with pytest.raises(ValueError, match="it is damaged or not an .npz file .*Delete it"):
            use("cifar10", tmp_path)


@pytest.mark.parametrize("how", ["empty", "truncated", "a web page"])
def test_damaged_tables_are_refused(tmp_path, how):
    path, _ = write_table(tmp_path)
    damage(path, how)
    with pytest.raises(ValueError, match="it is damaged or not a parquet file .*Delete it") as caught:
        load("credit", tmp_path, seed=0)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["mnist", "credit"])
def test_a_checksum_beside_a_file_must_match(tmp_path, name):
    path, _ = write_images(tmp_path, name) if name == "mnist" else write_table(tmp_path)
    prepared.sidecar(path).write_text(f"{prepared.file_checksum(path)}  {path.name}\n")
    load(name, tmp_path, seed=0)
    path.with_name("copy").write_bytes(path.read_bytes())
    path.with_name("copy").replace(path)  # the same content, read anew
    load(name, tmp_path, seed=0)
    for wrong in ("0" * 64 + f"  {path.name}\n", ""):
        prepared.sidecar(path).write_text(wrong)
        path.touch()
        with pytest.raises(ValueError, match=f"does not match the checksum in {path.name}.sha256"):
            load(name, tmp_path, seed=0)


# Tables


def test_tables_are_split_by_seed_and_scaled_by_their_training_rows(tmp_path):
    _, frame = write_table(tmp_path, n=200, constant=np.full(200, 7.0), target=None, z=None)
    frame["target"] = (frame["a"] > 0).astype(int)
    frame.to_parquet(tmp_path / "tabular" / "credit.parquet")
    data = load("credit", tmp_path, seed=3)
    assert data.x_train.shape == (140, 3) and data.x_test.shape == (60, 3) and data.shape == (3,)
    assert data.classes == 2 and data.x_train.dtype == torch.float32 and data.y_train.dtype == torch.int64
    assert data.x_train[:, :2].amin(0).tolist() == [-1, -1] and data.x_train[:, :2].amax(0).tolist() == [1, 1]
    assert (data.x_train[:, 2] == 0).all() and (data.x_test[:, 2] == 0).all()
    train, test = (rows.numpy() for rows in split(200, 0.3, 3))
    raw = frame.to_numpy()
    low, high = raw[train, 0].min(), raw[train, 0].max()
    np.testing.assert_allclose(data.x_test[:, 0], 2 * (raw[test, 0] - low) / (high - low) - 1, rtol=1e-6)
    np.testing.assert_array_equal(data.y_test, raw[test, -1])
    again, other = load("credit", tmp_path, seed=3), load("credit", tmp_path, seed=4)
    assert data.x_train.equal(again.x_train) and not data.x_train.equal(other.x_train)
    assert data.sha256 == other.sha256


def test_test_rows_may_lie_outside_the_range_and_a_column_that_is_constant_in_training_is_0(tmp_path):
    column, constant = np.linspace(-1, 1, 50), np.zeros(50)
    _, test = split(50, 0.3, 0)
    column[test[0]], constant[test[0]] = 9.0, 5.0
    write_table(tmp_path, a=column, b=constant)
    data = load("credit", tmp_path, seed=0)
    assert data.x_test[0, 0] > 5 and (data.x_test[:, 1] == 0).all()


def test_tables_give_at_most_10000_rows_for_training_and_50000_for_the_test(tmp_path):
    write_table(tmp_path, n=14_000)
    assert len(load("credit", tmp_path, seed=0).x_train) == 9_800
    write_table(tmp_path, n=15_001)
    data = load("credit", tmp_path, seed=0)
    assert (len(data.x_train), len(data.x_test)) == (10_000, 5_001)
    write_table(tmp_path, n=70_000)
    data = load("credit", tmp_path, seed=0)
    assert (len(data.x_train), len(data.x_test)) == (10_000, 50_000)


def test_training_and_test_rows_are_different_rows(tmp_path):
    write_table(tmp_path, n=30_000, a=np.arange(30_000.0))
    data = load("credit", tmp_path, seed=0)
    values = torch.cat([data.x_train[:, 0], data.x_test[:, 0]])
    assert len(values.unique()) == 30_000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"a": np.r_[np.nan, np.zeros(49)]}, "column 'a' has missing or non-finite values"),
        ({"b": np.r_[np.zeros(49), np.inf]}, "column 'b' has missing or non-finite values"),
        ({"a": np.array(["x"] * 50)}, "column 'a' must be numeric, got"),
        ({"target": np.arange(50) % 3}, r"target must hold 0 and 1, both, got \[0, 1, 2\]"),
        ({"target": np.ones(50, dtype=int)}, r"target must hold 0 and 1, both, got \[1\]"),
        ({"target": np.arange(50) % 2 * 0.5}, r"both, got \[0.0, 0.5\]"),
        ({"target": np.array(["no", "yes"] * 25)}, "column 'target' must be numeric"),
        ({"target": None}, r"must be 'target', got the columns \['a', 'b'\]"),
        ({"after": np.zeros(50)}, r"must be 'target', got the columns \['b', 'target', 'after'\]"),
        ({"a": None, "b": None}, "its last of at least 2 columns"),
    ],
)
def test_tables_of_another_form_are_refused(tmp_path, changes, message):
    path, _ = write_table(tmp_path, **changes)
    with pytest.raises(ValueError, match=message) as caught:
        load("credit", tmp_path, seed=0)
    assert str(caught.value).startswith(f"{path} cannot be used: ") and "Delete it" in str(caught.value)


@pytest.mark.parametrize(("name", "columns"), [("breast_cancer", 30), ("wine", 13), ("diabetes", 10)])
def test_embedded_tables_are_binary(name, columns):
    data = load(name, seed=0)
    assert data.shape == (columns,) and data.classes == 2
    assert data.y_train.unique().tolist() == data.y_test.unique().tolist() == [0, 1]
    assert data.x_train.min() == -1 and data.x_train.max() == 1


def test_suite_337_has_16_tables():
    assert len(sources.TABLES) == 16 == len({task for task, _ in sources.TABLES.values()})
    assert sources.TABLES["electricity"][0] == 361060 and sources.TABLES["heloc"][0] == 361278


# Algorithmic tasks


@pytest.mark.parametrize("name", algorithmic.TASKS)
def test_tasks_are_split_80_to_20_and_complete(name):
    data = load(name, seed=1)
    pairs, results, size = algorithmic.examples(name)
    assert len(data.x_test) == round(0.2 * size**2) and len(data.x_train) + len(data.x_test) == size**2
    assert data.classes == size and data.shape == (2 * size,) == data.x_train.shape[1:]
    rows = torch.cat([data.pairs_train, data.pairs_test]) @ torch.tensor([size, 1])
    assert rows.sort().values.equal(torch.arange(size**2))
    np.testing.assert_array_equal(torch.cat([data.y_train, data.y_test]), results[rows])
    np.testing.assert_array_equal(data.x_test, algorithmic.one_hot(pairs, size)[rows[len(data.x_train) :]])


def test_the_fraction_of_training_pairs_can_be_set():
    assert len(load("a+b mod 13", seed=0, fraction=0.3).x_train) == 51
    assert not load("a+b mod 13", seed=0).y_train.equal(load("a+b mod 13", seed=1).y_train)


# Arguments


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("mnits",), {}, "unknown dataset 'mnits': did you mean 'mnist'"),
        (("",), {}, "unknown dataset ''"),
        (("a+b modulo 27",), {"seed": 0}, "unknown dataset 'a\\+b modulo 27'"),
        (("a*b mod 27",), {"seed": 0}, "unknown operation"),
        (("a+b mod 27",), {}, "'a\\+b mod 27' is split into training and test by a seed: give one, got None"),
        (("breast_cancer",), {}, "is split into training and test by a seed"),
        (("a+b mod 27",), {"seed": 0, "fraction": 1.0}, "both sides of a split must have examples"),
        (("a+b mod 27",), {"seed": 0, "fraction": 0.0}, "both sides of a split must have examples"),
        (("digits",), {"fraction": 0.5}, "only algorithmic tasks take a fraction, got 0.5 for 'digits'"),
    ],
)
def test_wrong_arguments_are_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        load(*arguments, **options)


def test_the_data_directory_is_the_argument_else_the_variable_else_the_repositorys(monkeypatch, tmp_path):
    monkeypatch.delenv(prepared.VARIABLE, raising=False)
    assert prepared.directory() == prepared.ROOT / "data"
    monkeypatch.setenv(prepared.VARIABLE, str(tmp_path / "variable"))
    assert prepared.directory() == tmp_path / "variable"
    assert prepared.directory(tmp_path) == tmp_path
    write_images(tmp_path / "variable", "mnist")
    assert len(load("mnist").x_train) == 40


# Targets and splits


def test_targets():
    y = torch.tensor([0, 9, 3])
    assert targets(y, 10, "classification").equal(y)
    regression = targets(y, 10, "regression")
    assert regression.dtype == torch.float32 and regression.shape == (3, 1)
    np.testing.assert_allclose(regression[:, 0], [-1, 1, -1 / 3], rtol=1e-6)
    one_hot = targets(y, 10, "one-hot")
    assert one_hot.dtype == torch.float32 and one_hot.argmax(1).equal(y) and (one_hot.sum(1) == 1).all()


@pytest.mark.parametrize(
    ("task", "shape"), [("classification", (0,)), ("regression", (0, 1)), ("one-hot", (0, 4))]
)
def test_targets_of_nothing(task, shape):
    assert targets(torch.empty(0, dtype=torch.int64), 4, task).shape == shape


@pytest.mark.parametrize(
    ("y", "classes", "task", "message"),
    [
        ([0, 1], 2, "ranking", "task must be .* got 'ranking'"),
        ([0], 1, "regression", "classes must be at least 2, got 1"),
        ([0, 4], 4, "one-hot", "class ids must be from 0 to 3, got 0 to 4"),
        ([-1, 2], 4, "regression", "got -1 to 2"),
    ],
)
def test_wrong_targets_are_refused(y, classes, task, message):
    with pytest.raises(ValueError, match=message):
        targets(torch.tensor(y), classes, task)


@given(n=st.integers(2, 500), held_out=st.floats(0.01, 0.99), seed=st.integers(0, 2**32))
def test_splits_are_partitions(n, held_out, seed):
    if not 0 < round(n * held_out) < n:
        with pytest.raises(ValueError, match=f"held_out={held_out} of {n}"):
            split(n, held_out, seed)
        return
    kept, rest = split(n, held_out, seed)
    assert kept.dtype == rest.dtype == torch.int64 and len(rest) == round(n * held_out)
    assert torch.cat([kept, rest]).sort().values.equal(torch.arange(n))
    assert all(a.equal(b) for a, b in zip((kept, rest), split(n, held_out, seed), strict=True))


@pytest.mark.parametrize(("n", "held_out"), [(10, 0.0), (10, 1.0), (10, -0.5), (10, 2.0), (1, 0.5), (0, 0.5)])
def test_splits_with_an_empty_side_are_refused(n, held_out):
    with pytest.raises(ValueError, match=f"got held_out={held_out} of {n}"):
        split(n, held_out, 0)


def test_splits_depend_on_the_seed_and_leave_the_global_generator_alone():
    state = torch.get_rng_state()
    assert not split(100, 0.5, 0)[0].equal(split(100, 0.5, 1)[0])
    assert torch.get_rng_state().equal(state)


# Fingerprints


def test_fingerprints_are_of_what_the_runs_see(tmp_path, manifest):
    path, arrays = write_images(tmp_path, "mnist")
    before = datasets.fingerprint("mnist", tmp_path)
    assert before == load("mnist", tmp_path).sha256 and len(before) == 64
    border = arrays["x_train"].copy()
    border[:, 0, 0] += 1  # cropped off
    write_images(tmp_path, "mnist", x_train=border, note=np.zeros(3))
    assert datasets.fingerprint("mnist", tmp_path) == before
    border[0, 14, 14] += 1
    write_images(tmp_path, "mnist", x_train=border)
    assert datasets.fingerprint("mnist", tmp_path) != before


def test_fingerprints_of_unchanged_files_are_remembered(tmp_path, manifest, monkeypatch):
    write_images(tmp_path, "mnist")
    first = datasets.fingerprint("mnist", tmp_path)
    monkeypatch.setattr(prepared, "digest", lambda *_: pytest.fail("computed again"))
    assert datasets.fingerprint("mnist", tmp_path) == first


def test_fingerprints_tell_datasets_apart():
    names = ["digits", "noisy_digits", "breast_cancer", "wine", "diabetes", *algorithmic.TASKS]
    assert len({datasets.fingerprint(name) for name in names}) == len(names)


def test_the_fingerprint_of_a_task_is_fixed():
    # It is part of the names of stored results: a change of this number makes them count as missing.
    expected = "3e9bd9c7a0b117a713e60b8369810d936ee31b77c16aa8bde029dc2d82d20729"
    assert datasets.fingerprint("a+b mod 27") == expected


def test_without_the_data_the_manifest_answers(tmp_path, manifest):
    write_images(tmp_path, "cifar10")
    write_table(tmp_path, n=50)
    datasets.record_fingerprints(["cifar10"], tmp_path)
    datasets.record_fingerprints(["credit", "a+b mod 27", "digits", "wine"], tmp_path)
    entries = json.loads(manifest.read_text())
    assert list(entries) == ["a+b mod 27", "cifar10", "credit", "digits", "wine"]
    assert (
        entries["cifar10"]["note"]
        == "40 training and 20 test images of 32x32x3; the official training set has 50,000"
    )
    assert entries["credit"]["note"] == "50 rows x 2 columns; the official table has 16,714 rows"
    assert entries["a+b mod 27"]["note"] == "all 729 pairs of operands"
    assert entries["wine"]["note"] == "178 rows x 13 columns"
    for name in ("cifar10", "credit"):
        assert datasets.fingerprint(name, tmp_path / "elsewhere") == datasets.fingerprint(name, tmp_path)
    assert [file.name for file in manifest.parent.iterdir()] == [manifest.name]


def test_fingerprints_of_data_that_are_nowhere(tmp_path, manifest):
    with pytest.raises(
        ValueError, match="no fingerprint of 'svhn': .*svhn.npz is missing and .*datasets.json has no"
    ):
        datasets.fingerprint("svhn", tmp_path)
    with pytest.raises(ValueError, match="unknown dataset 'svhm'"):
        datasets.fingerprint("svhm", tmp_path)
    with pytest.raises(ValueError, match="missing: .*svhn.npz"):
        datasets.record_fingerprints(["digits", "svhn"], tmp_path)
    assert not manifest.exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"svhn": {}}', '{"svhn": {"sha256": 5}}', '{"svhn": "x"}'])
def test_a_damaged_manifest_is_reported(tmp_path, manifest, content):
    manifest.parent.mkdir(parents=True)
    manifest.write_text(content)
    with pytest.raises(ValueError, match="datasets.json is damaged: restore it"):
        datasets.fingerprint("svhn", tmp_path)


def test_availability(tmp_path):
    assert (
        datasets.available("digits")
        and datasets.available("a.b S5")
        and not datasets.available("svhn", tmp_path)
    )
    write_images(tmp_path, "svhn")
    assert datasets.available("svhn", tmp_path)
    with pytest.raises(ValueError, match="unknown dataset"):
        datasets.available("svhm", tmp_path)
