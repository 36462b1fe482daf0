"""Does the best frequency depend on the modulus (Figure 12)? Several restarts per modulus, in the range that z lies in.

What is compared are the learned functions: the spread between moduli against the spread within one. So there are more
restarts, each of which is used from several seeds, and no comparison with ReLU.
"""

from dataclasses import dataclass, replace

from lib.metalearning import Settings
from lib.networks import Activation, Network
from lib.training import Optimiser

from ..experiments.learn import Learn
from ..experiments.protocol import Stages, check_profile, usable
from ..experiments.train import Train
from ..records.store import Store
from .plan import CONSTANT, SPLIT


@dataclass(frozen=True)
class Plan:
    """How much a profile computes.

    tasks: one per modulus. points: n_c, each with as many restarts. reach: control points lie in [-reach, reach]; nine
    tenths of the pre-activations of the main task are within 0.23. seeds, steps: of the runs that tell whether a
    network with the function generalises, and where its pre-activations are.
    """

    tasks: tuple[str, ...]
    points: tuple[int, ...]
    restarts: int
    reach: float
    learning: Settings
    lr: float
    learning_width: int
    width: int
    seeds: tuple[int, ...]
    steps: int


PLANS = {
    "smoke": Plan(
        tasks=("a+b mod 5", "a+b mod 7"),
        points=(20,),
        restarts=2,
        reach=0.5,
        learning=replace(CONSTANT, episodes=3, n_tr_start=10, n_tr_max=10, unroll=3),
        lr=1.0,
        learning_width=16,
        width=32,
        seeds=(1,),
        steps=30,
    ),
    "paper": Plan(
        tasks=tuple(f"a+b mod {modulus}" for modulus in (13, 27, 29, 41)),
        points=(200, 400),
        restarts=4,
        reach=0.5,
        learning=replace(CONSTANT, unroll=10, outer=Optimiser("adam", 0.003), patience=30),
        lr=1.0,
        learning_width=128,
        width=256,
        seeds=(1, 2),
        steps=5000,
    ),
}


def moduli(profile: str, store: Store) -> Stages:
    """Activations learned for several moduli, and runs with each."""
    check_profile(profile)
    plan = PLANS[profile]
    for task in plan.tasks:
        settings = replace(plan.learning, inner=Optimiser("sgd", plan.lr))
        restarts = [
            Learn(
                section="moduli",
                arm="learned from zeros",
                data=(task,),
                task="one-hot",
                network=Network(
                    width=plan.learning_width,
                    depth=1,
                    activation=Activation("spline", points=n, low=-plan.reach, high=plan.reach),
                ),
                settings=settings,
                seed=seed,
                split=SPLIT,
            )
            for n in plan.points
            for seed in range(plan.restarts)
        ]
        yield restarts
        yield [
            Train(
                section="moduli",
                role="final",
                arm=learn.arm,
                data=task,
                task="one-hot",
                network=replace(learn.network, width=plan.width),
                optimiser=settings.inner,
                steps=plan.steps,
                seed=seed,
                split=SPLIT,
                learned=store.key(learn),
                validation=0.0,
                evaluations=min(150, plan.steps),
                log_spaced=True,
                complexity=False,
            )
            for learn in usable(store, restarts)
            for seed in plan.seeds
        ]
