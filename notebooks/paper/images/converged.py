"""Images until nothing improves (Sections 3.1 and 3.2, Table 4): a tuned ReLU, and activations learned to the end.

In regression the activations are learned at each depth. An arm trains until its validation accuracy does not improve
any more, with a rate from a grid whose best is inside; restarts are chosen with several seeds. With plain SGD, whose
speed is the question, all arms have one long horizon.

Classification is on CIFAR-10 alone, with all of its images: on the others it converges in the section "images".
"""

from collections.abc import Generator
from dataclasses import dataclass, replace

from lib.metalearning import Settings
from lib.networks import Activation, Network
from lib.training import Optimiser

from ..experiments.learn import Learn
from ..experiments.protocol import ByProfile, Stages, best_of, restarts, tuned, usable, validation_accuracy
from ..experiments.train import Train
from ..records.store import Store

RELU, ALL = "ReLU", "learned on all"
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
    rate with, to choose a restart with, and of the final runs. restarts: n_c, t, eta. learning: Algorithm 1. joint: how
    many restarts each start has on all datasets at once (Table 4); 0 for no such comparison. longer: of as many more
    restarts, None for none. depths: other numbers of
    hidden layers that the functions and the rate of each setting are used at.
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
    joint: int = 0
    longer: Settings | None = None
    task: str = "regression"
    depths: tuple[int, ...] = ()


RESTARTS = ((50, 5, 0.02), (100, 10, 0.01), (50, 10, 0.01), (100, 5, 0.02))
# NOTE[DIFF]: batches of 1,024 in place of 4,096, for all arms.
# Cost: with one layer on Fashion-MNIST, ReLU at rate 0.001 is best at step 3,200 and ends at 5,200, after 35 s.
SHALLOW = Plan(
    settings=(
        *(Setting(data, 1, "adam", ADAM, 10, 4) for data in ("fashion_mnist", "mnist")),
        Setting("fashion_mnist", 1, "sgd", SGD, 0, 2),
        *(Setting(data, 2, "adam", ADAM, 10, 2) for data in ("fashion_mnist", "mnist")),
    ),
    steps=12_000,
    evaluations=60,
    batch=1024,
    width=128,
    rate_trials=(11, 12),
    trials=(11, 12, 13),
    seeds=(1, 2, 3, 4, 5),
    restarts=RESTARTS,
    learning=Settings(episodes=300, n_tr_start=50, n_tr_step=3, n_tr_max=500, batch=1024, patience=30),
    learning_width=32,
)
DEEP = replace(
    SHALLOW,
    settings=(
        *(Setting(data, 4, "adam", ADAM, 10, 4) for data in ("fashion_mnist", "mnist")),
        Setting("cifar10-full", 4, "adam", ADAM, 10, 3, "standard"),
        *(Setting(data, 3, "adam", ADAM, 10, 2) for data in ("fashion_mnist", "mnist")),
    ),
    joint=1,
)
PLAIN = replace(SHALLOW, settings=(Setting("fashion_mnist", 4, "sgd", SGD, 0, 2),))  # decides nothing
# Scale: two restarts of each start, three seeds, batches of 512; the cap is 102 passes over the images. Of these
# restarts all end at their last episode, the best or next to it: two more of each start have more episodes.
# In a trial (one layer, ReLU, rate 0.001) validation accuracy still rose slowly after 68: 50.2 %.
# NOTE[DIFF]: at all depths the functions that were learned with one hidden layer, as on the other datasets.
FULL = replace(
    SHALLOW,
    task="classification",
    settings=(Setting("cifar10-full", 1, "adam", ADAM, 6, 2),),
    steps=9000,
    evaluations=45,
    batch=512,
    rate_trials=(11,),
    trials=(11, 12),
    seeds=(1, 2, 3),
    learning=Settings(episodes=40, n_tr_start=50, n_tr_step=10, batch=512, patience=30),
    longer=replace(SHALLOW.learning, batch=512),
    depths=(2, 3, 4),
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
SMOKE_PLAIN = replace(SMOKE, settings=SMOKE.settings[1:])
SMOKE_DEEP = replace(
    SMOKE, settings=(*SMOKE.settings, Setting("noisy_digits", 1, "adam", ADAM, 2, 1, "standard")), joint=1
)
SMOKE_FULL = replace(SMOKE, task="classification", settings=(Setting("digits", 1, "adam", ADAM, 2, 2),), depths=(2,))
PLANS = {
    "shallow": ByProfile(smoke=SMOKE, paper=SHALLOW),
    "deep": ByProfile(smoke=SMOKE_DEEP, paper=DEEP),
    "plain": ByProfile(smoke=SMOKE_PLAIN, paper=PLAIN),
    "full": ByProfile(smoke=SMOKE_FULL, paper=FULL),
}


def shallow(profile: str, store: Store) -> Stages:
    """Regression with one and two hidden layers."""
    yield from Converged("shallow", PLANS["shallow"][profile], store).stages()


def deep(profile: str, store: Store) -> Stages:
    """Regression with residual networks of three and four hidden layers."""
    yield from Converged("deep", PLANS["deep"][profile], store).stages()


def plain(profile: str, store: Store) -> Stages:
    """Regression with four hidden layers and plain SGD: how much of a gain is speed."""
    yield from Converged("plain", PLANS["plain"][profile], store).stages()


def full(profile: str, store: Store) -> Stages:
    """Classification of all images of CIFAR-10, with one to four hidden layers."""
    yield from Converged("full", PLANS["full"][profile], store).stages()


@dataclass(frozen=True, eq=False)
class Converged:
    """The experiments of a plan."""

    section: str
    plan: Plan
    store: Store

    def stages(self) -> Stages:
        chosen = {}
        for setting in self.plan.settings:
            chosen[setting] = yield from self.compared(setting)
        for seed in self.plan.seeds if self.plan.depths else ():  # of use when partly done
            yield [run for setting, found in chosen.items() for run in self.deeper(setting, *found, seed)]
        if self.plan.joint:
            first = self.plan.settings[0]
            like = {s: of for s, of in chosen.items() if (s.depth, s.optimiser) == (first.depth, first.optimiser)}
            yield from self.across(like)

    def compared(self, setting: Setting) -> Generator[list, None, tuple[Optimiser, list[Learn]]]:
        """ReLU and the learned activations in one setting; returns ReLU's optimiser and the chosen restarts."""
        plan, relu = self.plan, Activation()

        def trials(rate):
            optimiser = Optimiser(setting.optimiser, rate)
            return [self.run("rate trial", RELU, setting, relu, optimiser, seed) for seed in plan.rate_trials]

        rates = yield from tuned(self.store, {RELU: trials}, setting.rates, validation_accuracy)
        optimiser = Optimiser(setting.optimiser, rates[RELU])
        learning = {start: self.restarts(setting, start, optimiser) for start in STARTS}
        yield [run for runs in learning.values() for run in runs]
        found = {
            start: {learn: self.trials(learn, setting) for learn in usable(self.store, runs)}
            for start, runs in learning.items()
        }
        yield [run for tried in found.values() for runs in tried.values() for run in runs]
        best = [best_of(self.store, tried, validation_accuracy) for tried in found.values() if tried]
        arms = [self.run("final", RELU, setting, relu, optimiser, 0), *(self.reuse("final", b, setting) for b in best)]
        measured = plan.task == "regression"  # total variation, which C1 does not ask for
        yield [replace(run, seed=seed, complexity=measured) for seed in plan.seeds for run in arms]
        return optimiser, best

    def deeper(self, setting: Setting, optimiser: Optimiser, best: list[Learn], seed: int) -> list[Train]:
        """One seed of ReLU and of the functions of a setting at other depths."""
        runs = []
        for deep in (replace(setting, depth=depth) for depth in self.plan.depths):
            runs.append(self.run("depth", RELU, deep, Activation(), optimiser, seed))
            runs += [replace(self.reuse("depth", learn, deep), seed=seed) for learn in best]
        return runs

    def across(self, chosen: dict[Setting, tuple[Optimiser, list[Learn]]]) -> Stages:
        """Table 4: each dataset's own function on the others, and one that was learned on all of them.

        NOTE[DIFF]: the runs on a dataset have the rate that is best for ReLU there; learning on all has the least of
        these.
        """
        plan, settings = self.plan, list(chosen)
        own = {
            setting: best_of(self.store, {learn: self.trials(learn, setting) for learn in best}, validation_accuracy)
            for setting, (_, best) in chosen.items()
            if best
        }
        yield [
            replace(
                self.reuse("transfer", learn, target),
                optimiser=chosen[target][0],
                arm=f"learned on {source.data}",
                seed=seed,
                complexity=True,
            )
            for source, learn in own.items()
            for target in settings
            for seed in plan.seeds
            if source != target
        ]

        slowest = min((optimiser for optimiser, _ in chosen.values()), key=lambda optimiser: optimiser.lr)
        joint = [
            replace(
                learn,
                arm=ALL,
                data=tuple(s.data for s in settings),
                scaling=tuple(s.scaling for s in settings),
                settings=replace(learn.settings, episodes=plan.learning.episodes * len(settings), n_tr_step=1),
            )
            for start in STARTS
            for learn in self.restarts(settings[0], start, slowest)[: plan.joint]
        ]
        yield joint

        def used(learn: Learn, setting: Setting) -> Train:
            return replace(self.reuse("trial", learn, setting), optimiser=chosen[setting][0])

        trials = {
            learn: [replace(used(learn, setting), seed=seed) for setting in settings for seed in plan.trials]
            for learn in usable(self.store, joint)
        }
        yield [run for runs in trials.values() for run in runs]
        if trials:
            best = best_of(self.store, trials, validation_accuracy)
            yield [
                replace(used(best, setting), role="transfer", seed=seed, complexity=True)
                for setting in settings
                for seed in plan.seeds
            ]

    def trials(self, learn: Learn, setting: Setting) -> list[Train]:
        """The runs that a restart is chosen by."""
        return [replace(self.reuse("trial", learn, setting), seed=seed) for seed in self.plan.trials]

    def network(self, setting: Setting, width: int, activation: Activation) -> Network:
        return Network(width=width, depth=setting.depth, activation=activation, residual=setting.depth > 1)

    def restarts(self, setting: Setting, start: str, optimiser: Optimiser) -> list[Learn]:
        """The restarts of Algorithm 1, in a narrow network as deep as it is used in."""
        plan = self.plan
        like = Learn(
            section=self.section, arm=STARTS[start], data=(setting.data,), task=plan.task, seed=0, split=SPLIT,
            network=self.network(setting, plan.learning_width, Activation("spline")), scaling=setting.scaling,
            settings=replace(plan.learning, init=start, inner=optimiser),
        )  # fmt: skip
        first = restarts(like, plan.restarts[: setting.restarts])
        if plan.longer is None:
            return first
        like = replace(like, settings=replace(plan.longer, init=start, inner=optimiser))
        return first + restarts(like, plan.restarts[setting.restarts : 2 * setting.restarts], len(first))

    def reuse(self, role: str, learn: Learn, setting: Setting) -> Train:
        """A wide network with a learned activation fixed; its seed is 0."""
        g, optimiser, key = learn.network.activation, learn.settings.inner, self.store.key(learn)
        return self.run(role, learn.arm, setting, g, optimiser, 0, key)

    def run(self, role, arm, setting: Setting, activation, optimiser: Optimiser, seed: int, learned: str = "") -> Train:
        plan = self.plan
        return Train(
            section=self.section,
            role=role,
            arm=arm,
            data=setting.data,
            task=plan.task,
            network=self.network(setting, plan.width, activation),
            optimiser=optimiser,
            steps=plan.steps,
            seed=seed,
            split=SPLIT,
            learned=learned,
            batch=plan.batch,
            evaluations=plan.evaluations,
            complexity=False,
            patience=setting.patience,
            scaling=setting.scaling,
        )
