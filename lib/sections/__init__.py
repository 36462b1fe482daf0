"""The sections of the paper as generators of stages, one plan per profile.

A section yields lists of experiments. Those of one list are independent; when they are done, the generator goes on and
reads their records to decide what comes next (a learning rate, a restart).
"""

from collections.abc import Callable

from lib import experiments
from lib.baselines import Baseline
from lib.collage_experiments import LearnCollage, TrainCollage
from lib.planes import Panels, Paths
from lib.ranks import Ranks
from lib.results import Store
from lib.sections.ablations import ablations
from lib.sections.conventions import conventions
from lib.sections.converged import deep, shallow
from lib.sections.grokking import grokking
from lib.sections.images import images, regression
from lib.sections.moduli import moduli
from lib.sections.plans import PROFILES, Stages
from lib.sections.shortcuts import shortcuts
from lib.sections.tables import tables
from lib.sections.tabular import tabular
from lib.sections.transfer import transfer

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
KINDS = experiments.KINDS | {cls.kind: cls for cls in (Baseline, Panels, Paths, Ranks, TrainCollage, LearnCollage)}

__all__ = ["KINDS", "PROFILES", "SECTIONS", "Stages"]
