"""The sections of the paper: the plan of each, and what the store has of it, read or computed here, small."""

import functools
import os
import tempfile
from collections.abc import Callable, Iterable

from .ablations.plan import ablations
from .experiments.baseline import Baseline
from .experiments.collage import LearnCollage, TrainCollage
from .experiments.controls import Draw, Ranks
from .experiments.learn import Learn
from .experiments.panels import Panels, Paths
from .experiments.protocol import Stages
from .experiments.train import Train
from .grokking.conventions import conventions
from .grokking.moduli import moduli
from .grokking.plan import grokking
from .images.converged import deep, shallow
from .images.plan import images, regression
from .records import sweep
from .records.frames import Collected
from .records.store import Store
from .shortcuts.plan import shortcuts
from .tabular.converged import tables
from .tabular.plan import tabular
from .transfer.plan import transfer

SECTIONS: dict[str, Callable[[str, Store], Stages]] = {
    "images": images,
    "regression": regression,
    "tabular": tabular,
    "grokking": grokking,
    "conventions": conventions,
    "moduli": moduli,
    "shallow": shallow,
    "tables": tables,
    "deep": deep,
    "transfer": transfer,
    "shortcuts": shortcuts,
    "ablations": ablations,
}
KINDS = {cls.kind: cls for cls in (Train, Learn, Draw, Baseline, Panels, Paths, Ranks, TrainCollage, LearnCollage)}


NO_DATA = os.devnull  # a data directory that has no files: a store's keys are then those of the committed manifest


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
            lacking = frozenset(getattr(experiment, "role", experiment.kind) for experiment in absent)
            return Collected(records, len(absent), lacking, KINDS)
    return Collected(records, 0, kinds=KINDS)


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
