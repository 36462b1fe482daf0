"""Images as classification and as regression (Sections 3.1 and 3.2, Appendix E.2)."""

from dataclasses import dataclass, replace

from lib.metalearning import Settings
from lib.networks import Activation, Network
from lib.training import Optimiser

from ..experiments.controls import Draw
from ..experiments.learn import Learn
from ..experiments.protocol import (
    ByProfile,
    Stages,
    best_restart,
    chosen_optimisers,
    restarts,
    trials_of,
    using,
    validation_accuracy,
)
from ..experiments.train import Train
from ..records.store import Store


@dataclass(frozen=True)
class Plan:
    """How much of Sections 3.1 and 3.2 a profile computes.

    datasets: names. optimisers: the candidates for tuning with ReLU. steps, width: of the networks that are compared.
    seeds: of the final runs. restarts: n_c, t, eta per restart. learning: Algorithm 1's other settings.
    learning_width: of the networks inside Algorithm 1. by_hand, lengths, longer: of the controls: the activations, the
    correlation lengths of the random splines, how many times as many steps. depths, depth_seeds, more: other depths and
    the seeds there, other datasets, as far as their data are here. batch: of all runs.
    """

    datasets: tuple[str, ...]
    optimisers: tuple[Optimiser, ...]
    steps: int
    width: int
    seeds: tuple[int, ...]
    restarts: tuple[tuple[int, int, float], ...]
    learning: Settings
    learning_width: int
    by_hand: tuple[Activation, ...]
    lengths: tuple[float, ...]
    longer: int
    depths: tuple[int, ...]
    depth_seeds: tuple[int, ...]
    more: tuple[str, ...]
    batch: int = 4096


HAND_MADE = (
    *(Activation(name) for name in ("gelu", "silu", "tanh")),
    *(Activation("sine", alpha=alpha) for alpha in (1.0, 3.0)),
)
PLANS = ByProfile(
    smoke=Plan(
        datasets=("digits",),
        optimisers=(Optimiser("sgd", 0.2), Optimiser("adam", 0.003)),
        steps=80,
        width=32,
        seeds=(1, 2, 3),
        restarts=((50, 5, 0.02),),
        learning=Settings(episodes=10, n_tr_start=20, n_tr_step=5),
        learning_width=32,
        by_hand=HAND_MADE[2:],
        lengths=(0.5, 2.0),
        longer=4,
        depths=(2,),
        depth_seeds=(1, 2),
        more=(),
    ),
    paper=Plan(
        datasets=("mnist", "fashion_mnist"),
        optimisers=tuple(
            Optimiser(name, lr)
            for name, rates in {
                "sgd": (0.05, 0.2, 0.5),
                "rmsprop": (3e-4, 1e-3, 3e-3),
                "adam": (3e-4, 1e-3, 3e-3, 1e-2),
            }.items()
            for lr in rates
        ),
        steps=1500,
        width=128,
        seeds=(1, 2, 3, 4, 5),
        restarts=((50, 5, 0.02), (100, 10, 0.01), (50, 10, 0.01), (100, 5, 0.02)),
        learning=Settings(episodes=60, n_tr_start=50, n_tr_step=10),
        learning_width=32,
        # The learning takes longer than that (the page has the numbers), but the longer runs stop early: they are best
        # before step 2,500.
        by_hand=HAND_MADE,
        lengths=(0.3, 0.3, 0.6, 0.6, 1.2, 1.2, 2.4, 2.4),
        longer=8,
        depths=(2, 3, 4),
        depth_seeds=(1, 2, 3, 4, 5),
        more=("cifar10", "svhn"),
    ),
)
BY_HAND, RANDOM, LONGER = "best by hand", "best random spline", "ReLU, longer"
ARMS = ("ReLU", "learned from ReLU", "learned from zeros")
INITS = {"relu": ARMS[1], "zeros": ARMS[2]}
LAYERS = "layer-specific"


CLASSIFICATION_EPISODES = {"smoke": 10, "paper": 40}  # a scaled-down choice: fewer than for regression, to afford both


def images(profile: str, store: Store) -> Stages:
    """Section 3.1: image classification, with the tuned optimiser only."""
    plan = PLANS[profile]
    learning = replace(plan.learning, episodes=CLASSIFICATION_EPISODES[profile])
    plan = replace(plan, learning=learning)
    section = Images("images", "classification", plan, store)
    yield from section.comparison(blocks=1)
    yield from section.further(shorter_classification(plan))


def shorter_classification(plan: Plan) -> Plan:
    """The plan of classification on the other datasets.

    NOTE[DIFF]: batches of 1,024 and fewer candidates for the optimiser, to afford them.
    """
    return replace(plan, optimisers=plan.optimisers[1::2], batch=1024)


def regression(profile: str, store: Store) -> Stages:
    """Section 3.2: the same images, regression on the class id; with the tuned optimiser and with plain SGD."""
    plan = PLANS[profile]
    section = Images("regression", "regression", plan, store)
    yield from section.comparison(blocks=2)
    yield from section.controls()
    yield from section.further(longer_regression(plan))


def longer_regression(plan: Plan) -> Plan:
    """The plan of regression on the other datasets.

    NOTE[DIFF]: batches of 256 and four times as many steps, in the episodes too: with batches of 1,024 and 1,500 steps
    no network with one hidden layer was above chance on CIFAR-10.
    """
    learning = replace(plan.learning, n_tr_start=200, n_tr_step=40, n_tr_max=4000)
    return replace(plan, batch=256, steps=4 * plan.steps, learning=learning)


@dataclass(frozen=True, eq=False)
class Images:
    """The experiments of both sections."""

    section: str
    task: str
    plan: Plan
    store: Store

    def comparison(self, blocks: int) -> Stages:
        """ReLU and activations learned from a ReLU and from zeros, with up to ``blocks`` optimisers per dataset."""
        plan = self.plan
        tuning = {data: self.tuning(data) for data in plan.datasets}
        yield [run for runs in tuning.values() for run in runs]
        chosen = {data: chosen_optimisers(self.store, runs)[:blocks] for data, runs in tuning.items()}
        yield [
            run
            for data, optimisers in chosen.items()
            for optimiser in optimisers
            for init in INITS
            for run in self.restarts(data, optimiser, init)
        ]
        for block in range(max(map(len, chosen.values()))):  # the tuned optimiser first: of use when partly done
            used = {data: optimisers[block] for data, optimisers in chosen.items() if block < len(optimisers)}
            learning = [self.restarts(data, used[data], init) for data in used for init in INITS]
            yield [trial for runs in learning for trial in trials_of(self.store, runs, self.trials)]
            finals = [
                self.train("final", ARMS[0], data, Activation(), optimiser, seed)
                for data, optimiser in used.items()
                for seed in plan.seeds
            ]
            best = [found for runs in learning if (found := self.best(runs))]
            finals += [self.reuse(learn, "final", seed) for learn in best for seed in plan.seeds]
            yield finals

    def controls(self, longer_seeds: int = 3) -> Stages:
        """What else the search could have been spent on, with the tuned optimiser.

        Hand-made activations and random splines, of which validation rows choose one as they do among restarts; and
        ReLU trained for several times as many steps, with fewer seeds.
        """
        plan, wide = self.plan, Activation("spline", points=50)
        of = {"section": self.section, "arm": RANDOM, "points": wide.points, "low": wide.low, "high": wide.high}
        draws = [Draw(**of, length=length, seed=seed) for seed, length in enumerate(plan.lengths)]
        yield draws
        candidates = {
            BY_HAND: [(g, "") for g in plan.by_hand],
            RANDOM: [(wide, self.store.key(draw)) for draw in draws],
        }
        for data in reversed(plan.datasets):
            optimiser = self.tuned(data)
            trials = {
                arm: [self.train("control trial", arm, data, g, optimiser, 0, learned) for g, learned in pairs]
                for arm, pairs in candidates.items()
            }
            yield [trial for runs in trials.values() for trial in runs]
            best = [max(runs, key=lambda trial: validation_accuracy(self.store, trial)) for runs in trials.values()]
            longer = self.train("control", LONGER, data, Activation(), optimiser, 0)
            yield [
                *(replace(trial, role="control", seed=seed, split=seed) for trial in best for seed in plan.seeds),
                *(
                    replace(longer, steps=plan.longer * plan.steps, seed=seed, split=seed)
                    for seed in plan.seeds[:longer_seeds]
                ),
            ]

    def further(self, others: Plan) -> Stages:
        """The other datasets, each by the plan ``others``; other depths (Figure 17), and one activation per layer.

        NOTE[DIFF]: deeper networks use the activations that were learned with one hidden layer; the layer-specific ones
        are learned with two.
        """
        more = [
            (data, replace(self, plan=replace(others, datasets=(data,))))
            for data in filter(self.store.data.known, self.plan.more)
        ]
        for _, section in more:
            yield from section.comparison(blocks=1)
        for datasets in filter(None, ([(data, self) for data in self.plan.datasets], more)):
            yield from depths(datasets)

    def deeper(self, data: str, layers: list[Learn], seed: int) -> list[Train]:
        """One seed of Figure 17: every activation at every other depth, and the layer-specific one."""
        optimiser, runs = self.tuned(data), []
        shared = [self.best(self.restarts(data, optimiser, init)) for init in INITS]
        for depth in self.plan.depths:
            runs.append(self.train("depth", ARMS[0], data, Activation(), optimiser, seed, depth=depth))
            runs += [self.reuse(best, "depth", seed, depth) for best in shared if best]
        if best := self.best(layers, "layers"):
            runs.append(self.reuse(best, "depth", seed))
        return runs

    def tuning(self, data: str) -> list[Train]:
        """The runs with ReLU that choose the optimiser."""
        return [self.train("tuning", ARMS[0], data, Activation(), optimiser, 0) for optimiser in self.plan.optimisers]

    def tuned(self, data: str) -> Optimiser:
        return chosen_optimisers(self.store, self.tuning(data))[0]

    def restarts(self, data: str, optimiser: Optimiser, init: str, layerwise: bool = False) -> list[Learn]:
        """The restarts of Algorithm 1, in narrow networks."""
        plan, spline = self.plan, Activation("spline", layerwise=layerwise)
        network = Network(width=plan.learning_width, depth=2 if layerwise else 1, activation=spline, residual=layerwise)
        like = Learn(
            section=self.section, arm=LAYERS if layerwise else INITS[init], data=(data,), task=self.task,
            network=network, settings=replace(plan.learning, init=init, inner=optimiser, batch=plan.batch), seed=0,
        )  # fmt: skip
        return restarts(like, plan.restarts)

    def trials(self, learn: Learn, role: str = "selection") -> list[Train]:
        """The run that a restart is judged by."""
        return [self.reuse(learn, role, 0)]

    def best(self, runs: list[Learn], role: str = "selection") -> Learn | None:
        """The restart with the best validation accuracy after training from scratch; None if all diverged."""
        return best_restart(self.store, runs, lambda learn: self.trials(learn, role))

    def reuse(self, learn: Learn, role: str, seed: int, depth: int = 0) -> Train:
        """Train a wide network, of the depth of the learning or another, with a learned activation fixed."""
        g, optimiser = learn.network.activation, learn.settings.inner
        run = self.train(role, learn.arm, learn.data[0], g, optimiser, seed, depth=depth or learn.network.depth)
        return using(run, learn, self.store)

    def train(self, role, arm, data, activation, optimiser, seed, learned="", depth=1) -> Train:
        """One run; deeper networks are residual (Appendix E.2), with one hidden layer the sizes do not allow it."""
        plan = self.plan
        return Train(
            section=self.section, role=role, arm=arm, data=data, task=self.task,
            network=Network(width=plan.width, depth=depth, activation=activation, residual=depth > 1),
            optimiser=optimiser, steps=plan.steps, seed=seed, split=seed, learned=learned, batch=plan.batch,
        )  # fmt: skip


def depths(datasets: list[tuple[str, Images]]) -> Stages:
    """Figure 17 on these datasets, each with the section that has its plan."""
    layers = {data: of.restarts(data, of.tuned(data), "relu", layerwise=True) for data, of in datasets}
    yield [run for runs in layers.values() for run in runs]
    yield [
        trial
        for data, of in datasets
        for trial in trials_of(of.store, layers[data], lambda learn, of=of: of.trials(learn, "layers"))
    ]
    for seed in sorted({seed for _, of in datasets for seed in of.plan.depth_seeds}):  # of use when partly done
        yield [run for data, of in datasets for run in of.deeper(data, layers[data], seed)]
