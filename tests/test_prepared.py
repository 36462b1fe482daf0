import numpy as np
import pandas as pd
import pytest
from prepared_files import write_images, write_table

from lib.datasets import catalogue, download, load, prepared


@pytest.fixture(autouse=True)
def no_download(monkeypatch):
    def refuse(*arguments):
        pytest.fail(f"a download was tried: {arguments}")

    monkeypatch.setattr(download, "images", refuse)
    monkeypatch.setattr(download, "table", refuse)


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
    for use in (load, catalogue.fingerprint):
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
        ({"a": np.full(50, 2**53 + 1)}, r"column 'a' has integers beyond 2\^53"),
        ({"a": pd.array([None] + [1] * 49, dtype="Int64")}, "column 'a' has missing or non-finite values"),
    ],
)
def test_tables_of_another_form_are_refused(tmp_path, changes, message):
    path, _ = write_table(tmp_path, **changes)
    with pytest.raises(ValueError, match=message) as caught:
        load("credit", tmp_path, seed=0)
    assert str(caught.value).startswith(f"{path} cannot be used: ") and "Delete it" in str(caught.value)


def test_any_kind_of_numbers_is_taken(tmp_path):
    path, frame = write_table(tmp_path)
    plain = prepared.read_table(path)
    kinds = {"a": frame["a"].astype("double[pyarrow]"), "b": frame["b"].astype("Int64"), "target": frame["target"] == 1}
    for name, column in kinds.items():
        found = prepared.read_table(write_table(tmp_path, name="other", **{name: column})[0])
        for own, expected in zip(found, plain, strict=True):
            assert own.dtype == expected.dtype
            np.testing.assert_array_equal(own, expected)
        (tmp_path / "tabular" / "other.parquet").unlink()


def test_an_index_that_would_be_lost_and_a_folder_are_refused(tmp_path):
    path, frame = write_table(tmp_path)
    frame.set_index("a").to_parquet(path)
    with pytest.raises(ValueError, match="its index 'a' would be lost: make it a column"):
        load("credit", tmp_path, seed=0)
    path.unlink()
    path.mkdir()
    frame.to_parquet(path / "part.parquet")
    with pytest.raises(ValueError, match="it is a folder, and must be one file"):
        load("credit", tmp_path, seed=0)


def test_the_data_directory_is_the_argument_else_the_variable_else_the_repositorys(monkeypatch, tmp_path):
    monkeypatch.delenv(prepared.VARIABLE, raising=False)
    assert prepared.directory() == prepared.ROOT / "data"
    monkeypatch.setenv(prepared.VARIABLE, str(tmp_path / "variable"))
    assert prepared.directory() == tmp_path / "variable"
    assert prepared.directory(tmp_path) == tmp_path
    write_images(tmp_path / "variable", "mnist")
    assert len(load("mnist").x_train) == 40
