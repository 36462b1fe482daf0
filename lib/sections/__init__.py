"""The sections of the paper as generators of stages, one plan per profile.

A section yields lists of experiments. Those of one list are independent; when they are done, the generator goes on and
reads their records to decide what comes next (a learning rate, a restart).
"""

from collections.abc import Callable

from lib.results import Store
from lib.sections.grokking import grokking
from lib.sections.images import images, regression
from lib.sections.plans import PROFILES, Stages

SECTIONS: dict[str, Callable[[str, Store], Stages]] = {
    "images": images,
    "regression": regression,
    "grokking": grokking,
}

__all__ = ["PROFILES", "SECTIONS", "Stages"]
