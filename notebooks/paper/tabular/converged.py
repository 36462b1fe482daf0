"""Tables until nothing improves (Section 3.3): what is left of input activations where ReLU has converged, over ranks.

Every arm trains until its validation accuracy has stopped to improve, at the depth and rate that do best on validation
rows. The plan "tables" has columns scaled by their range, as the paper, which decides; "ranks" the same by rank, with
what is compared there.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace

from lib.datasets.catalogue import TABLES
from lib.metalearning import Settings
from lib.training import Optimiser

from ..experiments.baseline import Baseline
from ..experiments.protocol import ByProfile, Stages, best_of, tuned, usable, validation_accuracy
from ..experiments.train import Train
from ..records.store import Store
from .plan import FOCUS, SPLIT, Runs

RELU, TANH, INPUTS = "ReLU", "tanh", "learned inputs"
HIDDEN = {"zeros": "learned from zeros", "relu": "learned from ReLU"}
RANGE, RANK = "default", "quantile"  # scalings
SECTIONS = {RANGE: "tables", RANK: "ranks"}


@dataclass(frozen=True)
class Plan:
    """How much a profile computes.

    rates: where the search for one begins. alphas: slopes of tanh. steps: the cap; patience: in evaluations. width: of
    the networks; middle: their depth until one of ``depths`` is chosen. rate_trials, trials, seeds: seeds to choose a
    rate, a slope or a depth with, to choose a restart with, and of the final runs. restarts: n_c, t, eta. learning:
    Algorithm 1, in networks of learning_width. tree_trials: of the search for trees, per seed. widths, width_seeds: to
    use the functions at, on the tables of ``focus``.
    """

    datasets: tuple[str, ...]
    focus: tuple[str, ...]
    rates: tuple[float, ...]
    alphas: tuple[float, ...]
    steps: int
    evaluations: int
    patience: int
    batch: int
    width: int
    middle: int
    depths: tuple[int, ...]
    rate_trials: tuple[int, ...]
    trials: tuple[int, ...]
    seeds: tuple[int, ...]
    restarts: tuple[tuple[int, int, float], ...]
    learning: Settings
    learning_width: int
    tree_trials: int
    widths: tuple[int, ...]
    width_seeds: tuple[int, ...]


PLANS = ByProfile(
    smoke=Plan(
        datasets=("breast_cancer",),
        focus=("breast_cancer",),
        rates=(1e-3, 3e-3, 1e-2),
        alphas=(0.5, 2.0),
        steps=20,
        evaluations=5,
        patience=2,
        batch=1024,
        width=16,
        middle=1,
        depths=(1, 2),
        rate_trials=(11,),
        trials=(11,),
        seeds=(1, 2),
        restarts=((20, 2, 0.02),),
        learning=Settings(episodes=2, n_tr_start=5, n_tr_step=1),
        learning_width=8,
        tree_trials=1,
        widths=(8,),
        width_seeds=(1,),
    ),
    # Cost: with two layers 3.2 s for 1,000 steps on electricity. ReLU at rate 0.001 was best there at step 4,400 with
    # both scalings, on credit at 1,800; so about 117 runs of 22 s and 16 restarts a table.
    # NOTE[DIFF]: batches of 512 in place of 4,096, for all arms and in the episodes.
    # NOTE[DIFF]: half of an episode's rows are V, as in the tabular section.
    paper=Plan(
        datasets=(*FOCUS[:2], *(name for name in TABLES if name not in FOCUS), FOCUS[2]),
        focus=FOCUS,
        rates=(3e-4, 1e-3, 3e-3, 1e-2),
        alphas=(0.25, 0.5, 1.0, 2.0, 4.0),
        steps=20_000,
        evaluations=100,
        patience=15,
        batch=512,
        width=256,
        middle=2,
        depths=(1, 2, 3),
        rate_trials=(11,),
        trials=(11, 12, 13),
        seeds=(1, 2, 3, 4, 5),
        restarts=((100, 5, 0.02), (200, 5, 0.01), (100, 5, 0.01), (200, 5, 0.02)),
        learning=Settings(
            episodes=100, n_tr_start=500, n_tr_step=15, n_tr_max=2000, batch=512, validation=0.5, patience=30
        ),
        learning_width=64,
        tree_trials=50,
        widths=(16, 64, 512),
        width_seeds=(1, 2, 3),
    ),
)


def tables(profile: str, store: Store) -> Stages:
    """Section 3.3 again, table by table; then other widths."""
    plan, chosen = PLANS[profile], {}
    for data in plan.datasets:
        chosen[data] = yield from Table(plan, data, store, RANGE).stages(INPUTS, *HIDDEN.values(), TANH)
    yield [
        replace(run, role="width", seed=seed, network=replace(run.network, width=width))
        for data in plan.focus
        for run in chosen[data]
        for width in plan.widths
        for seed in plan.width_seeds
        if run.arm != TANH
    ]


def ranks(profile: str, store: Store) -> Stages:
    """ReLU and input activations on columns by rank, table by table: do the latter do more than scale the columns?"""
    for data in PLANS[profile].datasets:
        yield from Table(PLANS[profile], data, store, RANK).stages(INPUTS)


@dataclass(frozen=True, eq=False)
class Table(Runs):
    """The experiments with one dataset, its columns scaled in one way."""

    scaling: str

    @property
    def section(self) -> str:
        return SECTIONS[self.scaling]

    def stages(self, *arms: str) -> Generator[list, None, list[Train]]:
        """Baselines, ReLU at its best rate, and each arm at the same; returns a final run of each."""
        plan = self.plan
        yield self.baselines()
        rates = yield from tuned(self.store, {RELU: self.rate_trials}, plan.rates, validation_accuracy)
        optimiser = Optimiser("rmsprop", rates[RELU])
        chosen = [(yield from self.final(self.train("rate trial", RELU, self.relu, optimiser, 0)))]
        for arm in arms:
            tried = (yield from self.slopes(optimiser)) if arm == TANH else (yield from self.learned(arm, optimiser))
            if tried:
                best = best_of(self.store, tried, validation_accuracy)
                chosen.append((yield from self.final(best)))
        return chosen

    def learned(self, arm: str, optimiser: Optimiser) -> Generator[list, None, dict[Train, list[Train]]]:
        """The restarts of an arm, and the trials of a run with each."""
        learning = self.learn(arm, optimiser)
        yield learning
        used = [self.reuse("trial", learn, 0) for learn in usable(self.store, learning)]
        trials = {run: [replace(run, role="trial", seed=seed) for seed in self.plan.trials] for run in used}
        yield [run for runs in trials.values() for run in runs]
        return trials

    def slopes(self, optimiser: Optimiser) -> Generator[list, None, dict[Train, list[Train]]]:
        """The trials of tanh with each slope."""
        trials = {}
        for alpha in self.plan.alphas:
            run = self.tanh("trial", alpha, optimiser, self.plan.rate_trials[0])
            trials[run] = [replace(run, seed=seed) for seed in self.plan.rate_trials]
        yield [run for runs in trials.values() for run in runs]
        return trials

    def final(self, run: Train) -> Generator[list, None, Train]:
        """Final runs like this trial, at the depth that does best on validation rows; returns one of them.

        At its own depth the trial itself tells how it does.
        """
        own, seeds, tried = run.network.depth, self.plan.rate_trials, {}
        for depth in self.plan.depths:
            other = replace(run, role="depth trial", network=replace(run.network, depth=depth))
            tried[depth] = [replace(run if depth == own else other, seed=seed) for seed in seeds]
        yield [one for depth, runs in tried.items() if depth != own for one in runs]
        best = tried[best_of(self.store, tried, validation_accuracy)][0]
        yield [replace(best, role="final", seed=seed, complexity=True) for seed in self.plan.seeds]
        return best

    def baselines(self) -> list[Baseline]:
        """A linear model and k-NN, which have no randomness; with columns by their range trees with each seed."""
        about = {"section": self.section, "role": "final", "data": self.data, "split": SPLIT}
        models = [
            Baseline(arm=model, model=model, seed=self.plan.seeds[0], scaling=self.scaling, **about)
            for model in ("linear", "k-NN")
        ]
        if self.scaling == RANK:
            return models
        trees = {"arm": "boosted trees", "model": "boosted trees", "trials": self.plan.tree_trials}
        return [Baseline(seed=seed, **trees, **about) for seed in self.plan.seeds] + models

    def rate_trials(self, rate: float) -> list[Train]:
        """What :func:`tuned` asks for: the runs with ReLU at a rate."""
        optimiser = Optimiser("rmsprop", rate)
        return [self.train("rate trial", RELU, self.relu, optimiser, seed) for seed in self.plan.rate_trials]

    def train(self, *of, **more) -> Train:
        about = {"evaluations": self.plan.evaluations, "patience": self.plan.patience, "complexity": False}
        return super().train(*of, **about, **more)
