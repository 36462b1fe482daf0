"""Was learning needed? Functions made by hand and random splines, where the first comparison has none.

Beside classification, and regression on CIFAR-10, of the sections "images" and "regression". Scale: of 5 functions made
by hand and of 8 random ones a run chooses one, as among restarts: 13 runs of a wide network against the about 40,000
inner steps of a narrow one that the restarts of a start take. Without ReLU at a longer training.
"""

from dataclasses import replace

from ..experiments.protocol import Stages
from ..records.store import Store
from .plan import PLANS, Images, longer_regression, shorter_classification

OTHER = "cifar10"


def controls(profile: str, store: Store) -> Stages:
    """Classification on each dataset, then regression."""
    plan = PLANS[profile]
    others = tuple(data for data in plan.more if data == OTHER)
    for section, task, own in (
        ("images", "classification", plan),
        ("images", "classification", replace(shorter_classification(plan), datasets=others)),
        ("regression", "regression", replace(longer_regression(plan), datasets=others)),
    ):
        here = Images(section, task, own, store)
        yield [run for data in own.datasets for run in here.tuning(data)]  # of the section itself
        yield from here.controls(longer_seeds=0)
