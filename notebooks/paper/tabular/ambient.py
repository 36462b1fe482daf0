"""Complexity around the solutions in weight space (Figure 7b), of all networks of an activation: what decides C8.

The networks are those of the section "tabular", whose pictures show the first of each. Scale: 15 x 15 points of each
plane, not 50 x 50 (only means are compared), and a plane and paths of its own for each network.
"""

from ..experiments.panels import Panels
from ..experiments.protocol import Stages, best_of, validation_accuracy
from ..records.store import Store
from .plan import FROM_RELU, INPUTS, PLANS, ZEROS, Table

RESOLUTION = {"smoke": 4, "paper": 15}


def ambient(profile: str, store: Store) -> list[Stages]:
    """A chain of stages for each table that the paper pictures."""
    plan = PLANS[profile]
    return [measured(Table(plan, data, store), RESOLUTION[profile]) for data in plan.focus]


def measured(table: Table, resolution: int) -> Stages:
    """The networks of a table, and the landscapes of four arms; of the hidden activations the better start."""
    _, runs = yield from table.compared()
    hidden = {arm: runs[arm] for arm in (FROM_RELU, ZEROS) if arm in runs}
    arms = ["ReLU", "tanh", *([best_of(table.store, hidden, validation_accuracy)] if hidden else []), INPUTS]
    yield [
        Panels(run, seed=run.seed, resolution=resolution, slice_resolution=20, slices=1)
        for same_seed in zip(*(runs[arm] for arm in arms if arm in runs), strict=True)
        for run in same_seed
    ]
