"""The store: one result, one record, under a name that is a hash of everything that changes the result.

A record that was just computed is a file of its own, ``loose/<key>.safetensors``; a release packs those of a section
into shards (:mod:`.pack`). This module knows nothing of what it stores; :mod:`.configuration` says what an experiment
is. What is damaged, or no record, counts as missing, and a warning names the file.
"""

import functools
import os
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import filelock

from lib.files import write_atomically

from . import pack
from .configuration import config, datasets, key
from .provenance import provenance
from .record import KEY, Outcome, Record, arrays_of, decode, encode, make, read_file

__all__ = ["ROOT", "Data", "Outcome", "Record", "Store", "new"]
ROOT = Path(__file__).resolve().parents[3] / "data" / "results"


class Data(Protocol):
    """The datasets as records know them. ``folder``: where the prepared ones are, None for the default."""

    folder: Path | None

    def fingerprint(self, name: str) -> str:
        """The sha256 of a dataset."""

    def known(self, name: str) -> bool:
        """Whether a dataset has a fingerprint."""

    def fetch(self, name: str, sha256: str) -> None:
        """Download a dataset if it is missing; raises a ValueError unless it is the one with this sha256."""


class Named:
    """Datasets of which nothing but the fingerprints is known."""

    folder = None

    def __init__(self, fingerprint: Callable[[str], str] | None):
        self._fingerprint = fingerprint

    def fingerprint(self, name: str) -> str:
        """The sha256 of a dataset."""
        if self._fingerprint is None:
            raise ValueError(f"this store knows no datasets, so none called {name!r}; it can be read by key")
        return self._fingerprint(name)

    def known(self, name: str) -> bool:
        """All are."""
        return True

    def fetch(self, name: str, sha256: str) -> None:
        """There is nothing to fetch."""


class Store:
    """The records under a folder.

    Args:
        root: the folder; by default data/results of this repository.
        section: whose packed records are read first; the others are read if some record is not among them.
        fingerprints: name of a dataset -> its sha256, if no data are given.
        data: the datasets.
    """

    def __init__(
        self,
        root: Path | str | None = None,
        fingerprints: Callable[[str], str] | None = None,
        *,
        data: Data | None = None,
        section: str = "",
    ):
        self.section = section
        self.root = ROOT if root is None else Path(root)
        self.data = data or Named(fingerprints)
        self._loose: dict[Path, tuple[tuple, Record | None]] = {}  # what was read, and the state of the file then

    def key(self, experiment: Any) -> str:
        """Return the name of the experiment's record."""
        return key(experiment, self.data.fingerprint)

    def path(self, name: str) -> Path:
        """Return the file of the record with this key while it is not packed.

        Raises:
            ValueError: if it is not the form of a key.
        """
        if not KEY.fullmatch(name):
            raise ValueError(f'a key must be like "kind-0123456789ab", got {name!r}')
        return self.root / "loose" / f"{name}.safetensors"

    def has(self, experiment: Any) -> bool:
        """Return whether there is a valid record of the experiment."""
        return self.get(experiment) is not None

    def get(self, experiment: Any) -> Record | None:
        """Return the experiment's record; None if there is none, or only a damaged one (with a warning)."""
        return self.read(self.key(experiment))

    def read(self, name: str) -> Record | None:
        """Return the record with this key, as :meth:`get` does."""
        return self._read_loose(self.path(name)) or self._own.get(name) or self.packed.get(name)

    def records(self, kind: str | None = None) -> Iterator[Record]:
        """Iterate over all valid records (of one kind), older versions too, in the order of their names."""
        found = self.packed | {record.key: record for record in self.loose()}
        yield from (found[name] for name in sorted(found) if kind in (None, found[name].kind))

    def loose(self) -> Iterator[Record]:
        """Iterate over the valid records that are not packed, in the order of their names."""
        found = map(self._read_loose, sorted(self.root.glob("loose/*.safetensors")))
        yield from (record for record in found if record is not None)

    @functools.cached_property
    def packed(self) -> dict[str, Record]:
        """The packed records by key, read once."""
        return pack.read_packed(self.root)

    @functools.cached_property
    def _own(self) -> dict[str, Record]:
        return pack.read_packed(self.root, self.section) if self.section else {}

    def put(self, experiment: Any, outcome: Outcome, started: datetime, duration: float) -> Record:
        """Write the record of an experiment that began at ``started`` (with a zone) and took ``duration`` seconds."""
        data = {name: self.data.fingerprint(name) for name in datasets(experiment)}
        return self.write(self.key(experiment), new(experiment, data, outcome, provenance(started, duration)))

    def write(self, name: str, file: bytes) -> Record:
        """Check and write the file of the record ``name``; readers see the earlier one, if any, or this one."""
        decode(file, name)
        write_atomically(self.path(name), file)
        return self.read(name)

    @property
    def checkpoints(self) -> Path:
        """The folder for the checkpoints of runs on this machine."""
        return self.root / "checkpoints"

    def claim(self, name: str) -> Callable[[], None] | None:
        """Claim the right to compute the record with this key; None if another process has it.

        Returns a function that gives it back. It ends with this process, too.
        """
        path = self.path(name).with_suffix(".lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(path)
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            return None

        def give_back() -> None:
            path.unlink(missing_ok=True)  # who waits for it looks for the record first
            lock.release()

        return give_back

    def _read_loose(self, path: Path) -> Record | None:
        try:
            state = state_of(path)
            if path not in self._loose or self._loose[path][0] != state:
                self._loose[path] = (state, None)  # a damaged file is reported once
                self._loose[path] = (state, decode(read_file(path), path.stem, path))
            return self._loose[path][1]
        except FileNotFoundError:
            return None
        except (ValueError, OSError, RecursionError) as error:
            warnings.warn(f"{path}: {error}; this record counts as missing", stacklevel=4)
            return None


def new(experiment: Any, data: dict[str, str], outcome: Outcome, origin: dict[str, Any]) -> bytes:
    """The file of a record.

    Args:
        data: the sha256 of each of the experiment's datasets.
        origin: its provenance.

    Raises:
        ValueError: if the outcome is no Outcome or cannot be stored.
    """
    cls = type(experiment)
    content = {"key": key(experiment, data.__getitem__), "kind": cls.kind, "version": cls.version}
    content |= {"config": config(experiment), "data": data, "provenance": origin}
    return encode(make(content, outcome), arrays_of(outcome))


def state_of(path: Path) -> tuple:
    """What changes when a file is replaced."""
    state = os.stat(path)
    return state.st_ino, state.st_mtime_ns, state.st_size
