"""Compute a random sample of the records again and compare the numbers: do untouched records still hold?

Two numbers agree if they differ by at most ``tolerance`` relative to the larger one, or by at most 1e-6. An
experiment may set its own ``tolerance``; integers are compared like other numbers, everything else must be
equal. Arrays are not compared. On another processor sums are rounded differently, which long training runs
amplify: there the comparison is fair only for experiments whose tolerance allows for it.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.configurations import rebuild
from lib.results import Record, Store
from lib.workers import Pool

TOLERANCE = 1e-3
ABSOLUTE = 1e-6


@dataclass(frozen=True)
class Check:
    """What came of one record.

    ``largest`` is the largest relative difference among the ``compared`` numbers; ``problem`` is empty if
    they agree.
    """

    key: str
    compared: int
    largest: float
    tolerance: float
    problem: str

    @property
    def agrees(self) -> bool:
        return not self.problem


def choose(
    store: Store, kinds: dict[str, type], sample: int, *, seed: int, minutes: float = math.inf
) -> list[Record]:
    """Return up to ``sample`` random records of the present versions that took at most ``minutes`` in all."""
    if sample < 1:
        raise ValueError(f"sample must be at least 1, got {sample}")
    if not minutes > 0:
        raise ValueError(f"minutes must be positive, got {minutes}")
    versions = {kind: cls.version for kind, cls in kinds.items()}
    records = [record for record in store.records() if record.version == versions.get(record.kind)]
    random.Random(seed).shuffle(records)
    chosen, left = [], 60 * minutes
    for record in records:
        if len(chosen) < sample and record.provenance["duration_s"] <= left:
            chosen.append(record)
            left -= record.provenance["duration_s"]
    print(f"{len(chosen)} of {len(records)} records of the present versions are computed again")
    return chosen


def verify(
    records: list[Record],
    store: Store,
    kinds: dict[str, type],
    processes: int = 2,
    data_dir: Path | None = None,
) -> list[Check]:
    """Compute the records again in worker processes, print a table and return its rows."""
    checks, experiments = [], {}
    print(f"{'record':32} {'recorded':>9} {'numbers':>8} {'largest difference':>19} {'tolerance':>10}")
    for record in records:
        try:
            experiment = rebuild(record.config, kinds)
            if (name := store.key(experiment)) != record.key:
                raise ValueError(f"data or code differ from the record's: its key would now be {name}")
            experiments[record.key] = experiment
        except Exception as error:
            checks.append(Check(record.key, 0, math.nan, math.nan, str(error)))
            _print(checks[-1], record)
    by_key = {record.key: record for record in records}
    with Pool(processes) as pool:
        for event in pool.run(experiments, store, data_dir, again=True):
            if event.status in ("again", "failed"):
                record = by_key[event.name]
                tolerance = float(getattr(experiments[event.name], "tolerance", TOLERANCE))
                if event.status == "failed":
                    checks.append(Check(event.name, 0, math.nan, tolerance, event.detail.rstrip()))
                else:
                    checks.append(compare(record, event.detail, tolerance))
                _print(checks[-1], record)
    print(f"{sum(check.agrees for check in checks)} of {len(checks)} agree")
    return checks


def compare(record: Record, numbers: dict[str, Any], tolerance: float = TOLERANCE) -> Check:
    """Compare a record with numbers that were computed again."""
    compared, largest, problems = 0, 0.0, []
    for where, old, new in _pairs("numbers", record.numbers, numbers):
        if _is_number(old) and _is_number(new):
            compared += 1
            if not math.isclose(old, new, rel_tol=0.0, abs_tol=ABSOLUTE):
                largest = max(largest, abs(old - new) / max(abs(old), abs(new)))
            agree = math.isclose(old, new, rel_tol=tolerance, abs_tol=ABSOLUTE)
        else:
            agree = type(old) is type(new) and old == new
        if not agree:
            problems.append(f"{where}: {old!r} in the record, now {new!r}")
    return Check(record.key, compared, largest, tolerance, "\n".join(problems))


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
    columns = f"{seconds:>9} {check.compared:>8} {check.largest:>19.2g} {check.tolerance:>10.2g}"
    print(f"{check.key:32} {columns}  {verdict}", *check.problem.splitlines(), sep="\n    ", flush=True)
