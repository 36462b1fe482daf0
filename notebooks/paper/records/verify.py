"""Compute a random sample of the records again and compare: do untouched records still hold?

Two numbers agree if they differ by at most ``tolerance`` relative to the larger one, or by at most 1e-6; two arrays of
numbers if no difference is larger than that relative to the largest number in them. Everything else must be equal. On
another processor, or with other versions, sums are rounded differently, which long training runs amplify: the sample is
of records that were computed as they would be here, if there are any.
"""

import math
import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from lib import ARITHMETIC

from .cluster import Cluster
from .compute import compute_again, task_of
from .configuration import rebuild
from .past import Past
from .provenance import REPOSITORY, hardware, packages, provenance, rounding
from .record import KEY, Record, decode
from .store import Store
from .sweep import limit_of

TOLERANCE = 1e-3
ABSOLUTE = 1e-6


@dataclass(frozen=True)
class Check:
    """What came of one record.

    ``largest`` is the largest relative difference among the ``compared`` numbers, those in arrays included;
    ``problem`` is empty if they agree.
    """

    key: str
    compared: int
    largest: float
    problem: str

    @property
    def agrees(self) -> bool:
        return not self.problem


def choose(
    store: Store,
    kinds: dict[str, type],
    sample: int,
    *,
    seed: int,
    minutes: float = math.inf,
    everything: bool = False,
) -> list[Record]:
    """Return up to ``sample`` random records of the present arithmetic that took at most ``minutes`` in all.

    Where some of them were computed on a processor and with packages like those here, only these are chosen from.
    everything: of any arithmetic.
    """
    if sample < 1:
        raise ValueError(f"sample must be at least 1, got {sample}")
    if not minutes > 0:
        raise ValueError(f"minutes must be positive, got {minutes}")
    records = [record for record in store.records() if everything or is_present(record, kinds)]
    here = rounding(provenance(datetime.now(UTC), 0))
    like_here = [record for record in records if rounding(record.provenance) == here]
    known = ", ".join(f"{name} {version}" for name, version in packages().items())
    print(f"{len(like_here)} of {len(records)} records were computed as here, with {hardware()['cpu']}, {known}")
    if not like_here:
        print("long runs round differently elsewhere, so their numbers will not agree; means over seeds should")
    candidates = like_here or records
    random.Random(seed).shuffle(candidates)
    chosen, left = [], 60 * minutes
    for record in candidates:
        if len(chosen) < sample and record.provenance["duration_s"] <= left:
            chosen.append(record)
            left -= record.provenance["duration_s"]
    print(f"{len(chosen)} of {len(candidates)} are computed again")
    return chosen


def is_present(record: Record, kinds: dict[str, type]) -> bool:
    """Whether a record was computed as it would be now: by the present version of its kind and of the arithmetic."""
    present = record.kind in kinds and record.version == kinds[record.kind].version
    return present and record.provenance.get("arithmetic", 1) == ARITHMETIC


def verify(records: list[Record], store: Store, kinds: dict[str, type], cluster: Cluster) -> list[Check]:
    """Compute the records again in workers, print a table and return its rows.

    Those of another arithmetic or version are computed at their own commit, after the others.
    """
    checks, past, by_key = [], [], {record.key: record for record in records}

    def note(check: Check) -> None:
        checks.append(check)
        _print(check, by_key[check.key])

    print(f"{'record':32} {'recorded':>9} {'numbers':>8} {'largest difference':>19}")
    for record in records:
        if not is_present(record, kinds):
            past.append(record)
            continue
        try:
            experiment = rebuild(record.config, kinds)
            if (now := store.key(experiment)) != record.key:
                raise ValueError(f"data or code differ from the record's: its key would now be {now}")
            cluster.submit(compute_again, task_of(record.key, experiment, store, folder=None), limit_of(experiment))
        except ValueError as error:
            note(Check(record.key, 0, math.nan, str(error)))
    while cluster.runs:
        for event in cluster.wait():
            if event.status == "done":
                note(compare(by_key[event.name], decode(event.detail, event.name)))
            elif event.status == "failed":
                note(Check(event.name, 0, math.nan, event.detail.rstrip()))
    with Past(REPOSITORY) as commits:
        for record in past:
            try:
                again = commits.compute(record, earlier(record, store), store.data.folder)
                note(compare(record, again))
            except (RuntimeError, subprocess.SubprocessError) as error:
                note(Check(record.key, 0, math.nan, str(error)))
    print(f"{sum(check.agrees for check in checks)} of {len(checks)} agree")
    return checks


def earlier(record: Record, store: Store) -> list[Record]:
    """The records that a run read, by its configuration: those that it names, and those of the runs that are in it."""
    values = list(record.config.values())
    values += [value for inner in values if isinstance(inner, dict) for value in inner.values()]
    named = {value for value in values if isinstance(value, str) and KEY.fullmatch(value)}
    inner = [value for value in values if isinstance(value, dict) and "section" in value]
    found = [store.read(name) for name in sorted(named)]
    found += [one for one in store.records() if one.config | {"kind": ""} in [value | {"kind": ""} for value in inner]]
    return [one for one in found if one is not None]


def compare(record: Record, again: Any, tolerance: float = TOLERANCE) -> Check:
    """Compare a record with what was computed again."""
    compared, largest, problems = 0, 0.0, []
    for where, old, new in _pairs("numbers", record.numbers, again.numbers):
        if _is_number(old) and _is_number(new):
            compared += 1
            if not math.isclose(old, new, rel_tol=0.0, abs_tol=ABSOLUTE):
                largest = max(largest, abs(old - new) / max(abs(old), abs(new)))
            agree = math.isclose(old, new, rel_tol=tolerance, abs_tol=ABSOLUTE)
        else:
            agree = type(old) is type(new) and old == new
        if not agree:
            problems.append(f"{where}: {old!r} in the record, now {new!r}")
    for name in sorted(record.arrays.keys() | again.arrays.keys()):
        old, new = record.arrays.get(name), again.arrays.get(name)
        if old is None or new is None or (old.shape, old.dtype) != (new.shape, new.dtype):
            old, new = (array is not None and f"{array.dtype} {array.shape}" for array in (old, new))
            problems.append(f"arrays.{name}: {old or 'none'} in the record, now {new or 'none'}")
            continue
        compared += old.size
        difference = _difference(old, new)
        largest = max(largest, difference)
        if difference > tolerance:
            problems.append(f"arrays.{name}: differs by {difference:.2g} of its largest number")
    if not compared and not problems:
        problems.append("nothing to compare: it has no numbers")
    return Check(record.key, compared, largest, "\n".join(problems))


def _difference(old: np.ndarray, new: np.ndarray) -> float:
    """The largest difference of two arrays of one shape, relative to their largest number; infinite for other types."""
    if np.array_equal(old, new, equal_nan=old.dtype.kind in "fc"):
        return 0.0
    if old.dtype.kind not in "fiu":
        return math.inf
    old, new = old.astype(float), new.astype(float)
    finite = np.isfinite(old)
    if not np.array_equal(old[~finite], new[~finite], equal_nan=True) or not np.isfinite(new[finite]).all():
        return math.inf
    apart = np.abs(old - new)[finite].max()
    return 0.0 if apart <= ABSOLUTE else float(apart / max(np.abs(old[finite]).max(), np.abs(new[finite]).max()))


def _pairs(where: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict) and set(old) == set(new):
        for name in old:
            yield from _pairs(f"{where}.{name}", old[name], new[name])
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from _pairs(f"{where}[{i}]", a, b)
    else:
        yield where, old, new


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _print(check: Check, record: Record) -> None:
    seconds = f"{record.provenance['duration_s']:.0f} s"
    verdict = "agrees" if check.agrees else "DIFFERS"
    columns = f"{seconds:>9} {check.compared:>8} {check.largest:>19.2g}"
    print(f"{check.key:32} {columns}  {verdict}", *check.problem.splitlines(), sep="\n    ", flush=True)
