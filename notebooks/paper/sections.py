"""Read what the store has of a section; or compute it here, small."""

import functools
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pandas as pd

from lib import sweep
from lib.results import Record, Store
from lib.sections import SECTIONS

NO_DATA = os.devnull  # a data directory that has no files: a store's keys are then those of the committed manifest


@dataclass(frozen=True, eq=False)
class Collected:
    """What the store has of a section: records in the order of the stages, and the number of experiments without one.

    `missing` counts up to the first stage that is not complete: what follows it is not known yet. `lacking` are the
    roles of the runs that are missing there (for what has no role, the kinds).
    """

    records: list[Record]
    missing: int
    lacking: frozenset[str] = frozenset()
    _frames: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)  # per kind, made when asked for

    def frame(self, kind: str = "train", **equal: str) -> pd.DataFrame:
        """One row per record of a kind, with its configuration (nested keys joined by a dot), numbers, key and record.

        Args:
            equal: keep rows whose column has this value, e.g. ``role="final"``.
        """
        if kind not in self._frames:
            records = [record for record in self.records if record.kind == kind]
            rows = [_flat(r.config) | r.numbers | {"key": r.key, "record": r} for r in records]
            self._frames[kind] = pd.DataFrame(rows)
        frame = self._frames[kind]
        for column, value in equal.items():
            frame = frame[frame[column] == value] if len(frame) else frame
        return frame.reset_index(drop=True)


def _flat(config: dict, prefix: str = "") -> dict:
    """The values of nested dictionaries, their keys joined by a dot.

    >>> _flat({"a": 1, "b": {"c": {"d": 2}, "e": [3]}})
    {'a': 1, 'b.c.d': 2, 'b.e': [3]}
    """
    flat = {}
    for key, value in config.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


def stages(section: str, profile: str, store: Store) -> Iterable[list]:
    """The stages of a section. Raises ValueError if there is no such section."""
    if section not in SECTIONS:
        raise ValueError(f"section must be one of {', '.join(SECTIONS)}, got {section!r}")
    return SECTIONS[section](profile, store)


def collect(section: str, profile: str, store: Store) -> Collected:
    """Read all records of a section that the store has."""
    records = []
    for stage in stages(section, profile, store):
        found = [store.get(experiment) for experiment in stage]
        records += [record for record in found if record is not None]
        if None in found:
            absent = [experiment for experiment, record in zip(stage, found, strict=True) if record is None]
            return Collected(records, len(absent), frozenset(getattr(e, "role", e.kind) for e in absent))
    return Collected(records, 0)


def results(section: str, profile: str, data_dir=None) -> Collected:
    """The records of a section: the committed ones ("paper"), or small ones computed now ("smoke", seconds).

    Where the data here are another copy than that of the committed records, those computed with them are taken if there
    are as many.

    Example:
        >>> results("grokking", "paper").frame(role="final").columns[:3].tolist()  # doctest: +SKIP
        ['kind', 'section', 'role']
    """
    if profile == "paper":
        store = Store(data_dir=data_dir)
        found = collect(section, profile, store)
        if store.has_other_data():
            committed = collect(section, profile, Store(data_dir=NO_DATA))
            found = max(found, committed, key=lambda collected: len(collected.records))
        return found
    store = Store(tempfile.mkdtemp(dir=_scratch().name), data_dir=data_dir)
    sweep.run_here(stages(section, profile, store), store)
    return collect(section, profile, store)


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory:
    """A folder that is deleted when this process ends."""
    return tempfile.TemporaryDirectory(prefix="records-")


def reader(profile: str, data_dir=None, **known: Collected) -> Callable[[str], Collected]:
    """A function from a section's name to its records, which reads or computes each section once.

    Args:
        known: sections that are read already, by name.
    """
    sections = dict(known)

    def read(section: str) -> Collected:
        if section not in sections:
            sections[section] = results(section, profile, data_dir)
        return sections[section]

    return read
