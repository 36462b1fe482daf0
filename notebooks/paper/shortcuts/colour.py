"""Collages in colour at full resolution, with one long horizon for all arms (Section 3.4): what decides C10 to C12.

Scale: all images of CIFAR-10, 3,000 steps, 5 seeds; two restarts per tile, of which two seeds choose one; batches of
512, not 4,096. What is not here: the bound of the first tile, hand-made activations, other pairs of datasets; the
section "shortcuts" has them on small grey collages.
"""

from dataclasses import replace

from lib.networks import Activation

from ..experiments.collage import TILES
from ..experiments.protocol import ByProfile, Stages, best_of, usable
from ..records.store import Store
from .plan import PLANS as GREY
from .plan import RELU, Shortcuts, stopped_for

SECOND, SPLIT = "second", 0
PLANS = ByProfile(
    smoke=replace(GREY["smoke"], steps=(40, 40), learning=replace(GREY["smoke"].learning, episodes=3)),
    paper=replace(
        GREY["paper"],
        pairs=(("mnist", "cifar10-full"),),
        half=False,
        steps=(3000, 3000),
        restarts=GREY["paper"].restarts[:2],
        learning=replace(GREY["paper"].learning, batch=512),
        batch=512,
    ),
)
TRIALS = {"smoke": (11,), "paper": (11, 12)}


def colour(profile: str, store: Store) -> Stages:
    """ReLU, with the bound of the second tile; then, setting by setting, what is learned for either tile."""
    here = Shortcuts("colour", PLANS[profile], store)
    seeds, relu = here.plan.seeds, Activation()
    yield [here.run(setting, "final", RELU, relu, seed) for seed in seeds for setting in here.settings]
    yield [
        here.run(setting, "upper bound", RELU, relu, seed, unambiguous=SECOND)
        for seed in seeds
        for setting in here.settings
    ]
    for setting in here.settings:
        restarts = {tile: here.restarts(setting, tile) for tile in reversed(TILES)}
        yield [learn for runs in restarts.values() for learn in runs]
        trials = {
            tile: {
                learn: [replace(here.reuse(learn, setting, "trial", seed), split=SPLIT) for seed in TRIALS[profile]]
                for learn in usable(store, runs)
            }
            for tile, runs in restarts.items()
        }
        yield [run for tried in trials.values() for runs in tried.values() for run in runs]
        best = {tile: best_of(store, tried, stopped_for(tile)) for tile, tried in trials.items() if tried}
        bound = [best[SECOND]] if SECOND in best else []
        yield [
            run
            for seed in seeds  # which share their collages
            for run in (
                *(here.reuse(learn, setting, "final", seed) for learn in best.values()),
                *(here.reuse(learn, setting, "upper bound", seed, unambiguous=SECOND) for learn in bound),
            )
        ]
