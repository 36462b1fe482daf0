"""Prepared files: one file per downloaded dataset, which is what every run reads.

``images/<name>.npz`` holds uint8 arrays x_train, y_train, x_test, y_test (images uncropped, other arrays are
ignored); ``tabular/<name>.parquet`` holds columns of numbers or booleans and, last, ``target`` with 0 and 1. A file
that was put there by hand is as good as a downloaded one. If ``<file>.sha256`` is beside it, the file must match it.
"""

import functools
import hashlib
import os
from pathlib import Path

import numpy as np
import pandas as pd

from ..files import cache_folder

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "SIMPLICITY_DATA"
NAMES = ("x_train", "y_train", "x_test", "y_test")


def directory(data_dir: str | os.PathLike | None = None) -> Path:
    """The data directory: the argument, else the variable SIMPLICITY_DATA, else ``data`` of the repository.

    Where the library is installed without a repository, it is a folder in the user's cache.
    """
    here = ROOT / "data" if (ROOT / "data" / "README.md").is_file() else cache_folder() / "data"
    return Path(data_dir or os.environ.get(VARIABLE) or here).expanduser().absolute()


def digest(*arrays: np.ndarray) -> str:
    """SHA-256 of arrays: their types, shapes and contents, in this order."""
    checksum = hashlib.sha256()
    for array in arrays:
        checksum.update(f"{array.dtype.str} {array.shape};".encode())
        checksum.update(np.ascontiguousarray(array).data)
    return checksum.hexdigest()


def file_checksum(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sidecar(path: Path) -> Path:
    """Where the checksum of a prepared file is kept: ``<file>.sha256``, in the format of ``sha256sum``."""
    return path.with_name(path.name + ".sha256")


def stamp(path: Path) -> tuple[str, int, int]:
    """Path, modification time and size of a file: what cached reads are remembered by."""
    status = path.stat()
    return str(path.absolute()), status.st_mtime_ns, status.st_size


def read_images(path: Path, size: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Read and check a prepared image file.

    Returns:
        x_train (n, *size), y_train (n,), x_test, y_test: uint8, read-only; size is height, width and, for colour, 3.
        Two files stay in memory.

    Raises:
        ValueError: if the file is damaged or is not as described above; it names the file and what to do.
    """
    return _read_images(stamp(path), size)


def read_table(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read and check a prepared table: columns (n, d) float64 and target (n,) int64, read-only; the latest four stay in
    memory. ValueError as for images."""
    return _read_table(stamp(path))


def _refuse(path: Path, reason: str) -> ValueError:
    return ValueError(
        f"{path} cannot be used: {reason}. Delete it (and {sidecar(path).name}, if there is one), then load "
        "the dataset again to download it, or put a good copy there; data/README.md describes the form."
    )


def _check_sidecar(path: Path) -> None:
    if sidecar(path).exists():
        words = sidecar(path).read_text(encoding="utf-8", errors="replace").split()
        if file_checksum(path) != (words[0] if words else None):
            raise _refuse(path, f"it does not match the checksum in {sidecar(path).name}")


@functools.lru_cache(maxsize=2)  # two, for collages
def _read_images(file: tuple[str, int, int], size: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    path = Path(file[0])
    _check_sidecar(path)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            missing = [name for name in NAMES if name not in archive.files]
            arrays = {name: archive[name] for name in NAMES if name not in missing}
    except Exception as error:  # which of many kinds depends on where the damage is
        raise _refuse(path, f"it is damaged or not an .npz file ({error or type(error).__name__})") from error
    if missing:
        raise _refuse(path, f"it lacks {', '.join(missing)}; it must have {', '.join(NAMES)}")
    for name, array in arrays.items():
        if array.dtype != np.uint8:
            raise _refuse(path, f"{name} must be uint8, got {array.dtype}")
        expected = ("n", *size) if name.startswith("x") else ("n",)
        if array.ndim != len(expected) or array.shape[1:] != expected[1:] or len(array) == 0:
            raise _refuse(path, f"{name} must have shape ({', '.join(map(str, expected))}), got {array.shape}")
        array.flags.writeable = False
    for part in ("train", "test"):
        images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if len(images) != len(labels):
            raise _refuse(path, f"x_{part} has {len(images)} images but y_{part} has {len(labels)} labels")
        if labels.max() > 9:
            raise _refuse(path, f"y_{part} must hold labels from 0 to 9, got {labels.max()}")
    return tuple(arrays[name] for name in NAMES)


@functools.lru_cache(maxsize=4)
def _read_table(file: tuple[str, int, int]) -> tuple[np.ndarray, np.ndarray]:
    path = Path(file[0])
    if not path.is_file():
        raise _refuse(path, "it is a folder, and must be one file")
    _check_sidecar(path)
    try:
        frame = pd.read_parquet(path)
    except Exception as error:  # which of many kinds depends on where the damage is
        raise _refuse(path, f"it is damaged or not a parquet file ({error or type(error).__name__})") from error
    if problem := table_problem(frame):
        raise _refuse(path, problem)
    values = _numbers(frame)
    columns = np.ascontiguousarray(values[:, :-1])  # (n, d)
    target = values[:, -1].astype(np.int64)  # (n,)
    columns.flags.writeable = target.flags.writeable = False
    return columns, target


def table_problem(frame: pd.DataFrame) -> str | None:
    """What keeps a table from being in the prepared form, or None."""
    if frame.shape[1] < 2 or frame.columns[-1] != "target":
        return f"its last of at least 2 columns must be 'target', got the columns {list(frame.columns)[-3:]}"
    if frame.index.name is not None or not pd.api.types.is_integer_dtype(frame.index.dtype):
        return f"its index {frame.index.name!r} would be lost: make it a column, or save it with index=False"
    for name, dtype in frame.dtypes.items():
        if not pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_complex_dtype(dtype):  # booleans are numeric
            return f"column {name!r} must be numeric, got {dtype}"
        if pd.api.types.is_integer_dtype(dtype) and not frame[name].dropna().between(-(2**53), 2**53).all():
            return f"column {name!r} has integers beyond 2^53, which are not exact as float64: divide or rank them"
    values = _numbers(frame)
    finite = np.isfinite(values).all(axis=0)
    if not finite.all():
        return f"column {frame.columns[int(np.argmin(finite))]!r} has missing or non-finite values"
    values = sorted(set(frame["target"].tolist()))
    if values != [0, 1]:
        return f"target must hold 0 and 1, both, got {values[:5]}"
    return None


def _numbers(frame: pd.DataFrame) -> np.ndarray:
    """All columns in float64, (n, d + 1), whatever kind of numbers they are; missing ones become NaN."""
    return frame.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
