"""The sections of the paper: the plan of each, and what the store has of it, read or computed here, small."""

import functools
import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .ablations.collages import collages
from .ablations.learner import learner, longer
from .ablations.plan import ablations
from .ablations.variants import variants
from .architectures.plan import architectures
from .data import open_store
from .experiments.architectures import LearnModule, TrainModule
from .experiments.baseline import Baseline
from .experiments.collage import LearnCollage, RaceCollage, TrainCollage
from .experiments.controls import Draw, Ranks
from .experiments.learn import Learn
from .experiments.panels import Panels, Paths
from .experiments.race import Pick, Race
from .experiments.search import Search
from .experiments.together import Together
from .experiments.train import Train
from .grokking.conventions import conventions, sines
from .grokking.moduli import frequencies, moduli
from .grokking.plan import grokking
from .images.controls import controls
from .images.converged import deep, full, plain, shallow
from .images.plan import images, regression
from .records import sweep
from .records.configuration import config
from .records.frames import Collected
from .records.store import Record, Store
from .shortcuts.colour import colour
from .shortcuts.plan import shortcuts
from .tabular.ambient import ambient
from .tabular.converged import ranks, tables
from .tabular.plan import tabular
from .transfer.budgets import budgets
from .transfer.plan import transfer

SECTIONS: dict[str, Callable[[str, Store], sweep.Plan]] = {
    "images": images,
    "regression": regression,
    "tabular": tabular,
    "grokking": grokking,
    "conventions": conventions,
    "sines": sines,
    "moduli": moduli,
    "frequencies": frequencies,
    "shallow": shallow,
    "tables": tables,
    "ranks": ranks,
    "deep": deep,
    "plain": plain,
    "full": full,
    "ambient": ambient,
    "colour": colour,
    "budgets": budgets,
    "controls": controls,
    "transfer": transfer,
    "shortcuts": shortcuts,
    "ablations": ablations,
    "learner": learner,
    "longer": longer,
    "collages": collages,
    "variants": variants,
    "architectures": architectures,
}
# The notebook that shows the records of a section, where it is not one of that name.
SHOWN_IN = {
    "conventions": "grokking",
    "sines": "grokking",
    "moduli": "grokking",
    "frequencies": "grokking",
    "shallow": "regression",
    "deep": "regression",
    "plain": "regression",
    "full": "images",
    "ambient": "tabular",
    "colour": "shortcuts",
    "budgets": "transfer",
    "controls": "images",
    "tables": "tabular",
    "ranks": "tabular",
    "learner": "ablations",
    "longer": "ablations",
    "collages": "ablations",
    "variants": "ablations",
}
NAMES = {  # how a section is written where it is listed
    "images": "image classification",
    "regression": "image regression",
    "tabular": "tabular data",
    "grokking": "grokking",
    "conventions": "grokking under each convention",
    "sines": "sines and random functions under each convention",
    "moduli": "more moduli",
    "frequencies": "frequencies by modulus",
    "shallow": "image regression until nothing improves",
    "tables": "tables until nothing improves",
    "ranks": "tables by rank",
    "deep": "deeper image regression until nothing improves",
    "plain": "deeper image regression with plain gradient descent",
    "full": "image classification with all images",
    "ambient": "complexity in weight space",
    "colour": "shortcuts in colour",
    "budgets": "transfer at equal budgets",
    "controls": "functions by hand on images",
    "transfer": "transfer",
    "shortcuts": "shortcuts",
    "ablations": "ablations",
    "learner": "the learner that picks its start",
    "longer": "the learner with longer races",
    "collages": "the learner on collages",
    "variants": "other ways to the outer gradient",
    "architectures": "other architectures",
}
EXPERIMENTS = (
    Train,
    Learn,
    Draw,
    Baseline,
    Panels,
    Paths,
    Ranks,
    TrainCollage,
    LearnCollage,
    RaceCollage,
    Race,
    Pick,
    Search,
    Together,
)
KINDS = {cls.kind: cls for cls in (*EXPERIMENTS, TrainModule, LearnModule)}


def link(section: str) -> str:
    """A section in words, with a link from a page of the book to the notebook that shows it.

    Example:
        >>> link("moduli")
        '[more moduli](../notebooks/grokking.ipynb)'
    """
    return f"[{NAMES.get(section, section)}](../notebooks/{SHOWN_IN.get(section, section)}.ipynb)"


NO_DATA = os.devnull  # a data directory that has no files: a store's keys are then those of the committed manifest


def stages(section: str, profile: str, store: Store) -> sweep.Plan:
    """The plan of a section: a chain of stages, or several. Raises ValueError if there is no such section."""
    if section not in SECTIONS:
        raise ValueError(f"section must be one of {', '.join(SECTIONS)}, got {section!r}")
    return SECTIONS[section](profile, store)


class Missing(LookupError):
    """A plan asked for a record that is not there."""


class Reading(Store):
    """A store in which what is missing is an error, so that no plan decides without it."""

    def get(self, experiment: Any) -> Record:
        """The record of an experiment."""
        if (record := super().get(experiment)) is None:
            raise Missing(self.key(experiment))
        return record


def collect(section: str, profile: str, store: Store) -> Collected:
    """Read all records of a section that the store has; of a plan that is partly done, as far as it can be followed."""
    records, absent = {}, {}
    reading = Reading(store.root, data=store.data, section=store.section)
    for chain in sweep.chains_of(stages(section, profile, reading)):
        with suppress(Missing):
            for stage in chain:
                for experiment in stage:
                    name = store.key(experiment)
                    if name not in records and (record := store.read(name)) is not None:
                        records[name] = record
                    elif name not in records:
                        absent[name] = experiment
    lacking = frozenset(getattr(one, "role", one.kind) for one in absent.values())
    labels = tuple(sweep.describe(name, experiment) for name, experiment in absent.items())
    return Collected(list(records.values()), len(absent), lacking, labels, stale_of(absent, store), KINDS)


def stale_of(absent: dict[str, Any], store: Store) -> tuple[str, ...]:
    """Keys of records with the configurations of experiments whose own records are missing."""
    if not absent:
        return ()
    wanted = {json.dumps(config(experiment), sort_keys=True) for experiment in absent.values()}
    kinds = {experiment.kind for experiment in absent.values()}
    records = [record for record in store.records() if record.kind in kinds]
    return tuple(record.key for record in records if json.dumps(record.config, sort_keys=True) in wanted)


def results(section: str, profile: str, data_dir=None) -> Collected:
    """The records of a section: the committed ones ("paper"), or small ones computed now ("smoke", seconds).

    Small ones are kept, and those that are there are not computed again, in the folder that the environment variable
    SMOKE_RECORDS names: so the processes of the tests share them.

    Where the data here are another copy than that of the committed records, those computed with them are taken if there
    are as many.

    Example:
        >>> results("grokking", "paper").frame(role="final").columns[:3].tolist()  # doctest: +SKIP
        ['kind', 'section', 'role']
    """
    if profile == "paper":
        store = open_store(data_dir=data_dir, section=section)
        found = collect(section, profile, store)
        if store.data.differs():
            committed = collect(section, profile, open_store(data_dir=NO_DATA, section=section))
            found = max(found, committed, key=lambda collected: len(collected.records))
        return found
    store = open_store(os.environ.get("SMOKE_RECORDS") or tempfile.mkdtemp(dir=_scratch().name), data_dir)
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
