"""Does the best frequency depend on the modulus (Figure 12)? Several restarts per modulus, in the range that z lies in.

What is compared are the learned functions: the spread between moduli against the spread within one. So there are more
restarts, each of which is used from several seeds, and no comparison with ReLU.

None of the first 32 restarts learned a function with which networks generalise: at the start the loss on V stays at
chance for dozens of episodes, so that a patience of 30 ends the learning before it begins. The second 16 have all of
their episodes, as those of the main task. On modulus 27, under other conventions, restarts from small random functions
generalise; whether on the other moduli too is a plan of its own, "frequencies".
"""

from dataclasses import dataclass, replace
from functools import partial

from lib.metalearning import Settings
from lib.networks import Activation, Network
from lib.training import Optimiser

from ..experiments.learn import Learn
from ..experiments.protocol import ByProfile, Stages, restarts, trials_of, using
from ..records.store import Store
from .conventions import PLANS as CONVENTIONS
from .conventions import STARTS
from .plan import CONSTANT, LEARNED, learn_on_pairs, train_on_pairs


@dataclass(frozen=True)
class Plan:
    """How much a profile computes.

    tasks: one per modulus. learning: Algorithm 1, each with its n_c and as many restarts of each. reach: control points
    lie in [-reach, reach]; nine tenths of the pre-activations of the main task are within 0.23. seeds, steps: of the
    runs that tell whether a network with the function generalises, and where its pre-activations are.
    """

    tasks: tuple[str, ...]
    learning: tuple[tuple[Settings, tuple[int, ...]], ...]
    restarts: int
    reach: float
    lr: float
    learning_width: int
    width: int
    seeds: tuple[int, ...]
    steps: int


PLANS = ByProfile(
    smoke=Plan(
        tasks=("a+b mod 5", "a+b mod 7"),
        learning=((replace(CONSTANT, episodes=3, n_tr_start=10, n_tr_max=10, unroll=3), (20,)),),
        restarts=2,
        reach=0.5,
        lr=1.0,
        learning_width=16,
        width=32,
        seeds=(1,),
        steps=30,
    ),
    paper=Plan(
        tasks=tuple(f"a+b mod {modulus}" for modulus in (13, 27, 29, 41)),
        learning=(
            (replace(CONSTANT, unroll=10, outer=Optimiser("adam", 0.003), patience=30), (200, 400)),
            (replace(CONSTANT, unroll=20, outer=Optimiser("adam", 0.003)), (200,)),
        ),
        restarts=4,
        reach=0.5,
        lr=1.0,
        learning_width=128,
        width=256,
        seeds=(1, 2),
        steps=5000,
    ),
)


def moduli(profile: str, store: Store) -> Stages:
    """Activations learned for several moduli, and runs with each."""
    plan = PLANS[profile]
    for learning, points in plan.learning:
        for task in plan.tasks:
            spline = Activation("spline", low=-plan.reach, high=plan.reach)
            network = Network(width=plan.learning_width, activation=spline)
            settings = replace(learning, inner=Optimiser("sgd", plan.lr))
            yield from several(plan, store, learn_on_pairs("moduli", LEARNED, (task,), network, settings), points)


def frequencies(profile: str, store: Store) -> Stages:
    """The same from small random functions, for what zeros leave open. They are shown beside and decide nothing.

    NOTE[DIFF]: the start; and with Glorot weights a rate of 1 for half the sum over outputs, under which such functions
    are learned soonest on modulus 27 (see conventions).
    """
    plan, of = PLANS[profile], CONVENTIONS[profile]
    spline = Activation("spline", low=-1.0, high=1.0)
    network = Network(width=plan.learning_width, activation=spline, initialisation="glorot")
    for task in plan.tasks:
        outputs = int(task.split()[-1])
        settings = replace(of.learning, init="random", inner=Optimiser("sgd", outputs / 2))
        like = learn_on_pairs("frequencies", STARTS["random"], (task,), network, settings)
        yield from several(plan, store, like, (of.points,))


def several(plan: Plan, store: Store, like: Learn, points: tuple[int, ...]) -> Stages:
    """Restarts on one task, and runs with what they learned."""
    alike = [(n, like.settings.unroll, like.settings.outer.lr) for n in points]
    learns = [learn for one in alike for learn in restarts(like, [one] * plan.restarts)]
    yield learns
    network = replace(like.network, width=plan.width, activation=Activation())
    about = {"steps": plan.steps, "evaluations": min(150, plan.steps), "validation": 0.0}
    run = partial(train_on_pairs, like.section, "final", like.arm, like.data[0], network, like.settings.inner, **about)
    seeded = [run(seed=seed) for seed in plan.seeds]
    yield trials_of(store, learns, lambda learn: [using(one, learn, store) for one in seeded])
