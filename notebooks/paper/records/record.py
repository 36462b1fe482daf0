"""A record: one result with its configuration and where it comes from, as one file under one checksum.

Numbers of an outcome are JSON. A number that is not finite (a restart that diverged) is stored as null and read as
None, which ``np.array(values, dtype=float)`` turns into NaN; arrays keep their NaNs. Times are no numbers, which must
come out the same when they are computed again: the provenance has them.

While it is computed a record is a safetensors file: its arrays, with everything else as JSON in the metadata.
"""

import functools
import hashlib
import json
import os
import re
import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from .configuration import key_of, plain

KEY = re.compile(r"([a-z][a-z0-9_-]*)-[0-9a-f]{12}")
LARGEST = 256 * 2**20  # bytes of a file that is read: hundreds of times the largest record so far
DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
NONE = type(None)
OPTIONAL = {"arithmetic", "products"}  # came later
# What each part of a record is: its types; or of a dictionary the parts it must have, `...` for those of any name.
FORM = {
    "key": (str,),
    "kind": (str,),
    "version": (int,),
    "config": {...: (str, int, float, bool, list, dict, NONE)},
    "data": {...: (str,)},
    "numbers": {...: (str, int, float, bool, list, dict, NONE)},
    "arrays": {...: {"dtype": (str,), "shape": (list,)}},
    "provenance": {
        "commit": (str,),
        "dirty": (bool, NONE),
        "python": (str,),
        "packages": {...: (str, NONE)},
        "hardware": {"cpu": (str,), "cores": (int,)},
        "threads": (int, NONE),
        "backend": (str, NONE),
        "products": (str, NONE),
        "arithmetic": (int,),
        "start": (str,),
        "duration_s": (int, float),
        "peak_memory_mb": (int, float, NONE),
    },
}


@dataclass(frozen=True, eq=False)
class Outcome:
    """What an experiment returns: ``numbers`` (dicts and lists of JSON scalars) and ``arrays`` by name."""

    numbers: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Record:
    """A stored result. ``config`` is ``config(experiment)``; ``data`` has the sha256 of each dataset.

    ``forms`` are dtype and shape of each array, ``sha256`` the checksum of the rest. ``path``: where it was read from.
    """

    key: str
    kind: str
    version: int
    config: dict[str, Any]
    data: dict[str, str]
    numbers: dict[str, Any]
    forms: dict[str, dict[str, Any]]
    provenance: dict[str, Any]
    sha256: str
    path: Path | None
    read_arrays: Callable[[], dict[str, np.ndarray]] = field(repr=False)

    @functools.cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays by name, read at the first use."""
        return self.read_arrays()

    def content(self) -> dict[str, Any]:
        """All parts as JSON can hold them, in the order of FORM, and "sha256"."""
        parts = {name: getattr(self, "forms" if name == "arrays" else name) for name in FORM}
        return parts | {"sha256": self.sha256}


def make(content: dict[str, Any], outcome: Any) -> dict[str, Any]:
    """The parts of a record as JSON can hold them, and "sha256".

    Args:
        content: key, kind, version, config, data and provenance.
        outcome: what the experiment's ``run`` returned.

    Raises:
        ValueError: if the outcome is of another type, or holds what JSON and safetensors cannot.
    """
    if not isinstance(outcome, Outcome):
        raise ValueError(f"run must return an Outcome, got {type(outcome).__name__}")
    arrays = arrays_of(outcome)
    for name, array in arrays.items():
        if array.dtype.name not in DTYPES:
            raise ValueError(f"arrays must hold numbers, got {name!r} of the type {array.dtype}")
    forms = {name: {"dtype": array.dtype.name, "shape": list(array.shape)} for name, array in arrays.items()}
    content = {**content, "numbers": plain(outcome.numbers, "numbers", finite=False), "arrays": forms}
    return content | {"sha256": checksum(content, arrays)}


def arrays_of(outcome: Outcome) -> dict[str, np.ndarray]:
    """The arrays of an outcome, contiguous, sorted by name."""
    return {name: np.asarray(array, order="C") for name, array in sorted(outcome.arrays.items())}


def checksum(content: dict[str, Any], arrays: dict[str, np.ndarray]) -> str:
    """The sha256 of all parts of a record but itself, the bytes of the arrays included."""
    parts = {name: content[name] for name in FORM}
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False).encode())
    for name in sorted(arrays):
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def check(content: Any, name: str) -> None:
    """Raise a ValueError unless the parts of a record have their types and make the key ``name``."""
    _check_form(content, FORM | {"sha256": (str,)}, "the record")
    if type(content["config"].get("kind")) is not str:
        raise ValueError("config must have a kind")
    expected = key_of(content["config"], content["version"], content["data"])
    if not (content["key"] == name == expected and content["kind"] == content["config"]["kind"]):
        raise ValueError(f"key, kind, version, config and data must fit together and to the name: they make {expected}")
    plain(content["numbers"], "numbers")  # no NaN, which Python reads though it is no JSON
    for array, form in content["arrays"].items():
        sizes = form["shape"]
        if form["dtype"] not in DTYPES or not all(type(size) is int and size >= 0 for size in sizes):
            raise ValueError(f"arrays.{array} must have a dtype of numbers and a shape, got {form}")


def check_arrays(content: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Raise a ValueError unless the checksum is that of the record with these arrays."""
    found = {name: {"dtype": array.dtype.name, "shape": list(array.shape)} for name, array in arrays.items()}
    if found != content["arrays"] or checksum(content, arrays) != content["sha256"]:
        raise ValueError("damaged: it is not what its checksum was made of")


def _check_form(value: Any, form: Any, where: str) -> None:
    types = (dict,) if isinstance(form, dict) else form
    if type(value) not in types:
        names = " or ".join(cls.__name__ for cls in types)
        raise ValueError(f"{where} must be of the type {names}, got {value!r:.80}")
    if isinstance(form, dict):
        odd = set() if ... in form else (set(form) - set(value) - OPTIONAL) | (set(value) - set(form))
        if odd:
            raise ValueError(f"{where} has missing or unknown parts: {sorted(odd)}")
        for name, item in value.items():
            _check_form(item, form.get(name, form.get(...)), f"{where}.{name}".removeprefix("the record."))


# --- one file ---------------------------------------------------------------------------------------------------------


def encode(content: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    """The file of a record."""
    return save(arrays, metadata={"record": json.dumps(content, ensure_ascii=False, allow_nan=False)})


def decode(file: bytes, name: str, path: Path | None = None) -> Record:
    """Read and check the file of the record ``name``; a ValueError says what is wrong with it."""
    try:
        (length,) = struct.unpack("<Q", file[:8])
        content = parse(parse(file[8 : 8 + length])["__metadata__"]["record"])
        arrays = load(file)
    except (KeyError, TypeError, struct.error) as error:
        raise ValueError(f"not the file of a record ({error!r})") from None
    except Exception as error:  # what safetensors raises is no class of its own in all versions
        raise ValueError(f"not a safetensors file of a record ({error})") from None
    check(content, name)
    check_arrays(content, arrays)
    return record(content, path, lambda: arrays)


def record(content: dict[str, Any], path: Path | None, read_arrays: Callable[[], dict[str, np.ndarray]]) -> Record:
    """The record that has these parts."""
    parts = {("forms" if name == "arrays" else name): part for name, part in content.items()}
    return Record(**parts, path=path, read_arrays=read_arrays)


def parse(text: str | bytes) -> Any:
    """Parse JSON from outside; a ValueError says what is wrong with it."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not valid JSON ({error})") from None


def read_file(path: Path) -> bytes:
    """Read a regular file of a sensible size; anything else (a pipe, a device) is a ValueError."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode):
            raise ValueError("not a regular file")
        if state.st_size > LARGEST:
            raise ValueError(f"larger than {LARGEST >> 20} MiB")
        return file.read()
