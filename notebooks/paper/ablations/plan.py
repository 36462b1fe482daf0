"""Ablations of the method (Appendix D): image regression, one hidden layer."""

from dataclasses import dataclass, replace

from lib.metalearning import Settings
from lib.networks import Activation, Network
from lib.training import Optimiser

from ..experiments.learn import Learn
from ..experiments.protocol import ByProfile, Stages, best_restart, trials_of, usable, using
from ..experiments.train import Train
from ..records.store import Store

DEFAULT = "default: linear, validation loss"

# What each arm changes: of the activation, and of Algorithm 1's settings.
ARMS: dict[str, tuple[dict, dict]] = {
    DEFAULT: ({}, {}),
    "nearest-neighbour interpolation": ({"method": "nearest"}, {}),
    "cubic interpolation": ({"method": "cubic"}, {}),
    "training loss (naive)": ({}, {"objective": "training"}),
    "test loss (cheating)": ({}, {"objective": "given"}),
    "first order (t = 0)": ({}, {"unroll": 0}),
    "t = 1": ({}, {"unroll": 1}),
    "t = 20": ({}, {"unroll": 20}),
    "t = 50": ({}, {"unroll": 50}),
    "25 control points": ({"points": 25}, {}),
    "100 control points": ({"points": 100}, {}),
    "400 control points": ({"points": 400}, {}),
    "outer SGD": ({}, {"outer": Optimiser("sgd", 1.0)}),
    "outer SGD with momentum": ({}, {"outer": Optimiser("sgd", 0.2, 0.9)}),
    "outer RMSprop": ({}, {"outer": Optimiser("rmsprop", 0.01)}),
}


@dataclass(frozen=True)
class Plan:
    """How much of Appendix D a profile computes; see :class:`.images.plan.Plan`.

    optimiser: the one that the regression section chose for ReLU. batch: of learning and of the final runs. restarts:
    seeds of the default arm's restarts; the other arms use the first two.
    """

    data: str
    arms: tuple[str, ...]
    optimiser: Optimiser
    steps: int
    batch: int
    width: int
    seeds: tuple[int, ...]
    restarts: tuple[int, ...]
    learning: Settings
    learning_width: int


PLANS = ByProfile(
    smoke=Plan(
        data="digits",
        arms=(DEFAULT, *list(ARMS)[1:4], "first order (t = 0)"),
        optimiser=Optimiser("sgd", 0.2),
        steps=200,
        batch=4096,
        width=64,
        seeds=(1, 2, 3),
        restarts=(0, 1),
        learning=Settings(episodes=20, n_tr_start=20, n_tr_step=5),
        learning_width=32,
    ),
    # NOTE[DIFF]: batches of 1024, not 4096, in the ablations: with 15 arms and 10 seeds a quarter of the cost decides
    # whether they are run at all. All arms are treated alike.
    paper=Plan(
        data="fashion_mnist",
        arms=tuple(ARMS),
        optimiser=Optimiser("adam", 0.001),
        steps=1500,
        batch=1024,
        width=128,
        seeds=tuple(range(1, 11)),
        restarts=(0, 1, 2, 3),
        learning=Settings(episodes=60, n_tr_start=50, n_tr_step=10),
        learning_width=32,
    ),
)


FEWER = 2  # restarts of the arms but the default


def ablations(profile: str, store: Store) -> Stages:
    """Appendix D: Tables 1 to 3, Figure 15, and three more: t, the number of control points, the outer optimiser.

    The default arm runs first and with all restarts (Table 1), so that the section is of use when it is partly done.
    """
    plan = PLANS[profile]

    def learn(arm: str, seed: int) -> Learn:
        activation, settings = ARMS[arm]
        settings = replace(plan.learning, inner=plan.optimiser, batch=plan.batch, **settings)
        network = Network(width=plan.learning_width, activation=replace(Activation("spline"), **activation))
        about = {"section": "ablations", "arm": arm, "data": (plan.data,), "task": "regression", "network": network}
        return Learn(**about, settings=settings, seed=seed, given="test" if settings.objective == "given" else "")

    def run(role: str, arm: str, seed: int) -> Train:
        return Train(
            section="ablations", role=role, arm=arm, data=plan.data, task="regression",
            network=Network(width=plan.width), optimiser=plan.optimiser, steps=plan.steps, seed=seed, split=seed,
            batch=plan.batch,
        )  # fmt: skip

    def reuse(role: str, source: Learn, seed: int) -> Train:
        return using(run(role, source.arm, seed), source, store)

    def trials(source: Learn) -> list[Train]:
        return [reuse("selection", source, 0)]

    yield [run("final", "ReLU", seed) for seed in plan.seeds]
    for arm in plan.arms:
        learns = [learn(arm, seed) for seed in (plan.restarts if arm == DEFAULT else plan.restarts[:FEWER])]
        yield learns
        yield trials_of(store, learns, trials)
        if (best := best_restart(store, learns, trials)) is None:
            continue
        yield [reuse("final", best, seed) for seed in plan.seeds]
        if arm == DEFAULT:  # Table 1: all restarts, for the average over them
            others = [source for source in usable(store, learns) if source != best]
            yield [reuse("other restart", source, seed) for source in others for seed in plan.seeds]
