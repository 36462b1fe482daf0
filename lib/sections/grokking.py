"""Algorithmic tasks and grokking (Section 3.5, Appendix E.6)."""

from dataclasses import dataclass, replace

from lib.experiments import Learn, Train
from lib.metalearning import Settings
from lib.networks import Activation, Network
from lib.results import Store
from lib.sections.plans import Stages, check_profile, usable
from lib.training import Optimiser


@dataclass(frozen=True)
class Plan:
    """How much of Section 3.5 a profile computes; see :class:`lib.sections.images.Plan`.

    tasks: names of algorithmic tasks. lr: of plain gradient descent. restarts: n_c, t, eta.
    """

    tasks: tuple[str, ...]
    steps: int
    width: int
    lr: float
    seeds: tuple[int, ...]
    restarts: tuple[tuple[int, int, float], ...]
    learning: Settings
    learning_width: int


PLANS = {
    "smoke": Plan(
        tasks=("a+b mod 17",),
        steps=1500,
        width=128,
        lr=2.0,
        seeds=(1, 2),
        restarts=((60, 10, 0.006),),
        learning=Settings(
            episodes=140, n_tr_start=150, n_tr_step=1, validation=0.15, watch=0.0, patience=140
        ),
        learning_width=64,
    ),
    "paper": Plan(
        tasks=("a+b mod 27",),
        steps=60_000,
        width=256,
        lr=1.0,
        seeds=(1, 2, 3, 4, 5),
        restarts=((200, 20, 0.003), (200, 20, 0.003), (400, 20, 0.003), (200, 10, 0.01)),
        learning=Settings(
            episodes=200, n_tr_start=500, n_tr_step=10, n_tr_max=2500, validation=0.1, watch=0.0, patience=200
        ),
        learning_width=128,
    ),
}
SPLIT = 0  # the 80/20 split of a task is one and the same for learning and for every final run


def grokking(profile: str, store: Store) -> Stages:
    """Section 3.5: algorithmic tasks, ReLU against activations learned from zeros."""
    check_profile(profile)
    plan = PLANS[profile]
    optimiser = Optimiser("sgd", plan.lr)

    def run(role, arm, task, activation, seed, learned="", validation=0.0):
        return Train(
            "grokking", role, arm, task, "one-hot", Network(1, 1, plan.width, 1, activation), optimiser, plan.steps,
            seed, SPLIT, learned, validation=validation, evaluations=300, log_spaced=True, complexity=False,
        )  # fmt: skip

    learning = {
        task: [
            Learn(
                "grokking",
                "learned from zeros",
                (task,),
                "one-hot",
                Network(1, 1, plan.learning_width, 1, Activation("spline", points=points, low=-1.0, high=1.0)),
                replace(plan.learning, unroll=unroll, outer=Optimiser("adam", eta), inner=optimiser),
                seed,
                split=SPLIT,
            )
            for seed, (points, unroll, eta) in enumerate(plan.restarts)
        ]
        for task in plan.tasks
    }
    relus = [run("final", "ReLU", task, Activation("relu"), seed) for task in plan.tasks for seed in plan.seeds]
    yield [learn for runs in learning.values() for learn in runs] + relus

    def reuse(learn, role, seed, validation=0.0):
        return run(role, learn.arm, learn.data[0], learn.network.activation, seed, store.key(learn), validation)

    selection = {
        task: [(learn, reuse(learn, "selection", 0, 0.1)) for learn in usable(store, runs)]
        for task, runs in learning.items()
    }
    yield [run for pairs in selection.values() for _, run in pairs]

    def merit(pair):  # the sooner and the higher on validation rows, the better
        curve = store.get(pair[1]).arrays["validation_accuracy"]
        return float(curve.mean())  # over evaluations in equal ratios of steps

    yield [
        reuse(max(pairs, key=merit)[0], "final", seed) for pairs in selection.values() if pairs for seed in plan.seeds
    ]
