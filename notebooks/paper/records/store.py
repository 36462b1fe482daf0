"""The store: one result, one record, under a name that is a hash of everything that changes the result.

A record is ``<kind>/<key>.json``, with ``<key>.npz`` beside it if there are arrays: configuration, outcome
and provenance. This module knows nothing of what it stores; :mod:`notebooks.paper.records.configuration` says what an experiment
is.

Numbers of an outcome are JSON. A number that is not finite (a restart that diverged) is stored as null and
read as None, which ``np.array(values, dtype=float)`` turns into NaN; arrays keep their NaNs. Times are no
numbers, which must come out the same when they are computed again: the provenance has them.
"""

import functools
import hashlib
import io
import json
import os
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from lib.files import locked, write_atomically

from .configuration import config, datasets, key, key_of, plain, rebuild
from .provenance import provenance

__all__ = ["Outcome", "Record", "Store", "config", "key", "locked", "provenance", "rebuild"]

ROOT = Path(__file__).resolve().parents[3] / "data" / "results"
FIELDS = {"key", "kind", "version", "config", "data", "numbers", "arrays", "provenance"}


@dataclass(frozen=True, eq=False)
class Outcome:
    """What an experiment returns: ``numbers`` (dicts and lists of JSON scalars) and ``arrays`` by name."""

    numbers: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Record:
    """A stored result. ``config`` is ``config(experiment)``; ``data`` has the sha256 of each dataset."""

    key: str
    kind: str
    version: int
    config: dict[str, Any]
    data: dict[str, str]
    numbers: dict[str, Any]
    provenance: dict[str, Any]
    path: Path
    arrays_sha256: str | None

    @functools.cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays, read from the neighbouring file at the first use."""
        if self.arrays_sha256 is None:
            return {}
        path = self.path.with_suffix(".npz")
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != self.arrays_sha256:
            raise ValueError(f"{path} must be as its record says, but it changed since; get the record again")
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}


class Store:
    """The records under a folder.

    Args:
        root: the folder; by default data/results of this repository.
        fingerprints: name of a dataset -> its sha256; by default ``lib.datasets.fingerprint``.
        data_dir: the folder of the data, see ``lib.datasets.prepared.directory``.
    """

    def __init__(
        self,
        root: Path | str | None = None,
        fingerprints: Callable[[str], str] | None = None,
        *,
        data_dir: Path | str | None = None,
    ):
        self.root = ROOT if root is None else Path(root)
        self.fingerprints = fingerprints
        self.data_dir = None if data_dir is None else Path(data_dir)
        self._sha256: dict[str, str] = {}  # of the datasets
        self._checked: dict[Path, tuple] = {}  # array files whose sha256 was verified, and their state then

    def fingerprint(self, name: str) -> str:
        """Return the sha256 of a dataset; it is asked for once."""
        if name not in self._sha256:
            if self.fingerprints is None:
                from lib.datasets.catalogue import fingerprint

                self._sha256[name] = fingerprint(name, self.data_dir)
            else:
                self._sha256[name] = self.fingerprints(name)
        return self._sha256[name]

    def has_data(self, name: str) -> bool:
        """Whether a dataset has a fingerprint: its data are here, or were where committed results come from."""
        if self.fingerprints is not None:
            return True
        from lib.datasets.catalogue import known

        return known(name, self.data_dir)

    def has_other_data(self) -> bool:
        """Whether a dataset that it was asked for is here as another copy than that of the committed results."""
        from lib.datasets.catalogue import recorded_fingerprint

        return any(recorded_fingerprint(name) not in (None, sha256) for name, sha256 in self._sha256.items())

    def get_data(self, experiment: Any) -> None:
        """Download what is missing of an experiment's data, and check that they are those of its key.

        Raises:
            ValueError: if they are another copy than the one that the key was made of.
            ConnectionError: if they cannot be downloaded.
        """
        if self.fingerprints is not None:
            return
        from lib.datasets.catalogue import download_if_missing, fingerprint

        for name in datasets(experiment):
            download_if_missing(name, self.data_dir)
            if (found := fingerprint(name, self.data_dir)) != self.fingerprint(name):
                raise ValueError(
                    f"the data of {name!r} must be the copy that the record {self.key(experiment)} is named after "
                    f"(sha256 {self.fingerprint(name)[:12]}...), but those downloaded are another ({found[:12]}...); "
                    "run the command again, and it computes with them"
                )

    def key(self, experiment: Any) -> str:
        """Return the name of the experiment's record."""
        return key(experiment, self.fingerprint)

    def path(self, experiment: Any) -> Path:
        """Return where the experiment's record is, or would be."""
        name = self.key(experiment)
        return self.root / type(experiment).kind / f"{name}.json"

    def has(self, experiment: Any) -> bool:
        """Return whether there is a valid record of the experiment."""
        return self.get(experiment) is not None

    def get(self, experiment: Any) -> Record | None:
        """Return the experiment's record; None if there is none, or only a damaged one (with a warning)."""
        return self._get(self.path(experiment))

    def read(self, name: str) -> Record | None:
        """Return the record with this key, as :meth:`get` does."""
        kind, dash, _ = name.rpartition("-")
        if not dash or Path(name).name != name:
            raise ValueError(f'a key must be like "kind-0123456789ab", got {name!r}')
        return self._get(self.root / kind / f"{name}.json")

    def records(self, kind: str | None = None) -> Iterator[Record]:
        """Iterate over all valid records (of one kind), older versions too, in the order of their names."""
        for path in sorted(self.root.glob(f"{kind or '*'}/*.json")):
            if (record := self._get(path)) is not None:
                yield record

    def put(self, experiment: Any, outcome: Outcome, started: datetime, duration: float) -> Record:
        """Write the record of an experiment; readers see the earlier one, if any, or this one.

        Args:
            outcome: what the experiment's ``run`` returned.
            started: when it began (with a time zone).
            duration: how long it took, in seconds of processor time.

        Raises:
            ValueError: if the outcome is of another type, or holds what JSON and .npz without pickle cannot.
        """
        if not isinstance(outcome, Outcome):
            raise ValueError(f"run must return an Outcome, got {type(outcome).__name__}")
        path = self.path(experiment)
        npz = _npz(outcome.arrays) if outcome.arrays else None
        content = {
            "key": path.stem,
            "kind": type(experiment).kind,
            "version": type(experiment).version,
            "config": config(experiment),
            "data": {name: self.fingerprint(name) for name in datasets(experiment)},
            "numbers": plain(outcome.numbers, "numbers", finite=False),
            "arrays": None,
            "provenance": provenance(started, duration),
        }
        if npz is not None:
            shapes = {name: list(np.shape(array)) for name, array in outcome.arrays.items()}
            content["arrays"] = {"sha256": hashlib.sha256(npz).hexdigest(), "shapes": shapes}
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        with locked(path.with_suffix(".write.lock")):
            if npz is None:
                path.with_suffix(".npz").unlink(missing_ok=True)
            else:
                write_atomically(path.with_suffix(".npz"), npz)
            write_atomically(path, text.encode())
            return self._read(path)

    def _get(self, path: Path) -> Record | None:
        try:
            try:
                return self._read(path)
            except ValueError:  # perhaps between the two files of a writer: look again when it has finished
                with locked(path.with_suffix(".write.lock")):
                    return self._read(path)
        except FileNotFoundError:
            return None
        except (ValueError, OSError) as error:
            warnings.warn(f"{path}: {error}; this record counts as missing", stacklevel=3)
            return None

    def _read(self, path: Path) -> Record:
        """Read and check one record; the ValueError says what is wrong with it."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise ValueError(f"not valid JSON ({error})") from None
        if not isinstance(content, dict) or set(content) != FIELDS:
            odd = sorted(FIELDS ^ set(content)) if isinstance(content, dict) else type(content).__name__
            raise ValueError(f"missing or unknown fields: {odd}")
        arrays = content.pop("arrays")
        try:
            expected = key_of(content["config"], content["version"], content["data"])
            kind, sha256 = content["config"]["kind"], arrays and arrays["sha256"]
        except (KeyError, TypeError) as error:
            raise ValueError(f"a field of the wrong form ({error!r})") from None
        if not (content["key"] == path.stem == expected and content["kind"] == path.parent.name == kind):
            raise ValueError(f"key, kind, version, config and data must fit together: they make {expected}")
        if sha256:
            self._check_arrays(path.with_suffix(".npz"), sha256)
        return Record(**content, path=path, arrays_sha256=sha256)

    def _check_arrays(self, path: Path, sha256: str) -> None:
        try:
            state = os.stat(path)
            state = (state.st_ino, state.st_mtime_ns, state.st_size, sha256)
            if self._checked.get(path) == state:
                return
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except FileNotFoundError:
            raise ValueError(f"{path.name} is missing") from None
        if found != sha256:
            raise ValueError(f"{path.name} is damaged: its sha256 is {found[:12]}..., not {sha256[:12]}...")
        self._checked[path] = state


def _npz(arrays: dict[str, Any]) -> bytes:
    """Return the content of an .npz file; equal arrays give equal bytes, since no time is written."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(arrays):
            array = np.asarray(arrays[name])
            if array.dtype.hasobject:
                raise ValueError(f"arrays must hold numbers or strings, got {name!r} of the type {array.dtype}")
            member = io.BytesIO()
            np.lib.format.write_array(member, array, allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            archive.writestr(info, member.getvalue(), compress_type=zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
