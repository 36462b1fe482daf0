"""Image regression until nothing improves (Section 3.2, Table 4): a tuned ReLU, and activations learned to the end.

At each depth the activations are learned there. An arm trains until its validation accuracy does not improve any more,
with a rate from a grid whose best is inside; restarts are chosen with several seeds. With plain SGD, whose speed is the
question, all arms have one long horizon.
"""

from dataclasses import dataclass, replace

from lib.metalearning import Settings
from lib.networks import Activation, Network
from lib.training import Optimiser

from ..experiments.learn import Learn
from ..experiments.protocol import Stages, best_of, check_profile, tuned, usable, validation_accuracy
from ..experiments.train import Train
from ..records.store import Store

RELU = "ReLU"
STARTS = {"zeros": "learned from zeros", "relu": "learned from ReLU"}
SPLIT = 0  # one for all: what the activations were not learned from, the runs are stopped and chosen by
ADAM, SGD = (3e-4, 1e-3, 3e-3), (0.05, 0.2, 0.5)


@dataclass(frozen=True)
class Setting:
    """Where arms are compared: data, hidden layers, optimiser with the first rates to try, patience, restarts.

    patience: evaluations without improvement; 0 for all steps of the plan. scaling: see load_parts.
    """

    data: str
    depth: int
    optimiser: str
    rates: tuple[float, ...]
    patience: int
    restarts: int
    scaling: str = "default"


@dataclass(frozen=True)
class Plan:
    """How much a profile computes.

    settings: in order. steps: the cap. evaluations: within it, evenly. rate_trials, trials, seeds: seeds to choose a
    rate with, to choose a restart with, and of the final runs. restarts: n_c, t, eta. learning: Algorithm 1.
    """

    settings: tuple[Setting, ...]
    steps: int
    evaluations: int
    batch: int
    width: int
    rate_trials: tuple[int, ...]
    trials: tuple[int, ...]
    seeds: tuple[int, ...]
    restarts: tuple[tuple[int, int, float], ...]
    learning: Settings
    learning_width: int


RESTARTS = ((50, 5, 0.02), (100, 10, 0.01), (50, 10, 0.01), (100, 5, 0.02))
# NOTE[DIFF]: batches of 1,024 in place of 4,096, for all arms.
SHALLOW = Plan(
    settings=tuple(
        Setting(data, depth, *optimiser, restarts)
        for depth, optimiser, restarts in (
            (1, ("adam", ADAM, 10), 4),
            (1, ("sgd", SGD, 0), 2),
            (2, ("adam", ADAM, 10), 2),
        )
        for data in ("fashion_mnist", "mnist")
    ),
    steps=12_000,
    evaluations=60,
    batch=1024,
    width=128,
    rate_trials=(11, 12),
    trials=(11, 12, 13),
    seeds=(1, 2, 3, 4, 5),
    restarts=RESTARTS,
    learning=Settings(episodes=300, n_tr_start=50, n_tr_step=3, n_tr_max=500, batch=1024, patience=40),
    learning_width=32,
)
DEEP = replace(
    SHALLOW,
    settings=(
        *(Setting(data, 4, "adam", ADAM, 10, 4) for data in ("fashion_mnist", "mnist")),
        Setting("cifar10-full", 4, "adam", ADAM, 10, 3, "standard"),
        *(Setting(data, 3, "adam", ADAM, 10, 4) for data in ("fashion_mnist", "mnist")),
        *(Setting(data, 4, "sgd", SGD, 0, 2) for data in ("fashion_mnist", "mnist")),
    ),
)
SMOKE = replace(
    SHALLOW,
    settings=(Setting("digits", 1, "adam", ADAM, 2, 2), Setting("digits", 2, "sgd", SGD, 0, 1, "standard")),
    steps=20,
    evaluations=5,
    width=16,
    rate_trials=(11,),
    trials=(11,),
    seeds=(1, 2),
    learning=Settings(episodes=2, n_tr_start=5, n_tr_step=1),
    learning_width=8,
)
PLANS = {"shallow": {"smoke": SMOKE, "paper": SHALLOW}, "deep": {"smoke": SMOKE, "paper": DEEP}}


def shallow(profile: str, store: Store) -> Stages:
    """Regression with one and two hidden layers."""
    check_profile(profile)
    yield from Converged("shallow", PLANS["shallow"][profile], store).stages()


def deep(profile: str, store: Store) -> Stages:
    """Regression with residual networks of three and four hidden layers."""
    check_profile(profile)
    yield from Converged("deep", PLANS["deep"][profile], store).stages()


@dataclass(frozen=True, eq=False)
class Converged:
    """The experiments of a plan."""

    section: str
    plan: Plan
    store: Store

    def stages(self) -> Stages:
        for setting in self.plan.settings:
            yield from self.compared(setting)

    def compared(self, setting: Setting) -> Stages:
        """ReLU and the learned activations in one setting."""
        plan, relu = self.plan, Activation()

        def trials(rate):
            optimiser = Optimiser(setting.optimiser, rate)
            return [self.run("rate trial", RELU, setting, relu, optimiser, seed) for seed in plan.rate_trials]

        rates = yield from tuned(self.store, {RELU: trials}, setting.rates, validation_accuracy)
        optimiser = Optimiser(setting.optimiser, rates[RELU])
        learning = {start: self.restarts(setting, start, optimiser) for start in STARTS}
        yield [run for runs in learning.values() for run in runs]
        found = {
            start: {
                learn: [self.reuse("trial", learn, setting, seed) for seed in plan.trials]
                for learn in usable(self.store, runs)
            }
            for start, runs in learning.items()
        }
        yield [run for tried in found.values() for runs in tried.values() for run in runs]
        best = [best_of(self.store, tried, validation_accuracy) for tried in found.values() if tried]
        yield [
            run
            for seed in plan.seeds
            for run in (
                self.run("final", RELU, setting, relu, optimiser, seed),
                *(self.reuse("final", learn, setting, seed) for learn in best),
            )
        ]

    def network(self, setting: Setting, width: int, activation: Activation) -> Network:
        return Network(1, 1, width, setting.depth, activation, residual=setting.depth > 1)

    def restarts(self, setting: Setting, start: str, optimiser: Optimiser) -> list[Learn]:
        """The restarts of Algorithm 1, in a narrow network as deep as it is used in."""
        plan = self.plan
        return [
            Learn(
                self.section, STARTS[start], (setting.data,), "regression",
                self.network(setting, plan.learning_width, Activation("spline", points=points)),
                replace(plan.learning, init=start, unroll=unroll, outer=Optimiser("adam", eta), inner=optimiser),
                seed, SPLIT, scaling=setting.scaling,
            )
            for seed, (points, unroll, eta) in enumerate(plan.restarts[: setting.restarts])
        ]  # fmt: skip

    def reuse(self, role: str, learn: Learn, setting: Setting, seed: int) -> Train:
        """A wide network with a learned activation fixed."""
        g, optimiser, key = learn.network.activation, learn.settings.inner, self.store.key(learn)
        return self.run(role, learn.arm, setting, g, optimiser, seed, key)

    def run(self, role, arm, setting: Setting, activation, optimiser: Optimiser, seed: int, learned: str = "") -> Train:
        plan = self.plan
        return Train(
            self.section, role, arm, setting.data, "regression", self.network(setting, plan.width, activation),
            optimiser, plan.steps, seed, SPLIT, learned, plan.batch, evaluations=plan.evaluations, complexity=False,
            patience=setting.patience, scaling=setting.scaling,
        )  # fmt: skip
