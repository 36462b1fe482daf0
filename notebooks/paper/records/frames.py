"""The records of a section as data frames."""

import functools
from dataclasses import dataclass, field

import pandas as pd

from .configuration import complete
from .store import Record


@dataclass(frozen=True, eq=False)
class Collected:
    """What the store has of a section: records in the order of the stages, and the number of experiments without one.

    What is chosen by a missing record is not known yet and does not count in `missing`. `lacking` are the roles of the
    runs that are missing (for what has no role, the kinds), `absent` their labels. `stale` are keys of records with
    the configuration of a missing run, but are of other data or of another version. `kinds`: the experiments' classes,
    by which frames have fields that came after a record was made, with the value that it ran with.
    """

    records: list[Record]
    missing: int
    lacking: frozenset[str] = frozenset()
    absent: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    kinds: dict[str, type] = field(default_factory=dict, repr=False)
    _frames: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False)  # per kind, made when asked for

    def missing_in_words(self) -> str:
        """How many records are missing and some of their names, and which are there of other data or another version.

        Example:
            >>> Collected([], 2, absent=("run-1 (mnist)", "run-2"), stale=("run-0",)).missing_in_words()
            '2 or more records are missing: run-1 (mnist), run-2; of other data or another version is run-0'
        """
        named = {"": self.absent, "; of other data or another version is ": self.stale}
        some = {words: ", ".join(names[:3]) + ", …" * (len(names) > 3) for words, names in named.items() if names}
        said = "".join(f"{words}{names}" for words, names in some.items())
        return f"{self.missing} or more records are missing" + (": " if self.absent else "") + said

    @functools.cached_property
    def by_key(self) -> dict[str, Record]:
        """The records by their names."""
        return {record.key: record for record in self.records}

    def frame(self, kind: str = "train", **equal: str) -> pd.DataFrame:
        """One row per record of a kind, with its configuration (nested keys joined by a dot), numbers, key and record.

        Args:
            equal: keep rows whose column has this value, e.g. ``role="final"``.
        """
        if kind not in self._frames:
            records = [record for record in self.records if record.kind == kind]
            known = kind in self.kinds
            configs = [complete(r.config, self.kinds[kind]) if known else r.config for r in records]
            rows = [_flat(c) | r.numbers | {"key": r.key, "record": r} for c, r in zip(configs, records, strict=True)]
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


def at_best_depth(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs of each dataset and arm at its depth: of the best mean validation accuracy, the lowest of equals.

    Args:
        runs: columns data, arm, seed, network.depth, validation_accuracy. The seeds that all depths have decide.
    """
    if runs.empty:
        return runs
    by, depth = ["data", "arm"], "network.depth"
    scores = runs.groupby([*by, "seed", depth])["validation_accuracy"].mean().dropna().reset_index()
    depths_of_seed = scores.groupby([*by, "seed"])[depth].transform("size")
    scores = scores[depths_of_seed == scores.groupby(by)[depth].transform("nunique")]
    means = scores.groupby([*by, depth])["validation_accuracy"].mean()
    best = pd.MultiIndex.from_frame(runs[[*by, depth]]).isin(means.groupby(by).idxmax())
    groups = runs.groupby(by, sort=False)
    kept = best | (groups[depth].transform("nunique") == 1)
    order = groups.ngroup()[kept].argsort(kind="stable")
    return runs[kept].iloc[order].reset_index(drop=True)
