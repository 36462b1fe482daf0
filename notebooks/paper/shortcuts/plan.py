"""Shortcut learning with collages of two images (Section 3.4, Appendix E.5)."""

from dataclasses import dataclass, replace
from itertools import product

from lib.metalearning import Settings
from lib.networks import Activation, Network
from lib.training import Optimiser

from ..experiments.collage import TILES, LearnCollage, TrainCollage
from ..experiments.protocol import ByProfile, Stages, best_of, usable
from ..records.store import Store

RELU = "ReLU"
LEARNED = {tile: f"learned for the {tile} tile" for tile in TILES}
BY_HAND = {tile: f"by hand for the {tile} tile" for tile in TILES}
Setting = tuple[tuple[str, str], bool]  # a pair of datasets, whether with spectral normalisation
UPPER = {tile: f"only the {tile} tile predicts" for tile in TILES}


@dataclass(frozen=True)
class Plan:
    """How much of Section 3.4 a profile computes.

    Args:
        pairs: datasets of the first and the second tile. half: whether tiles are grey and of half the size.
        normalisations: without spectral normalisation, with it, or both.
        lr: of plain SGD (without, with spectral normalisation). steps: likewise; width: of every network.
        seeds: of the final runs, each with collages of its own.
        restarts: init, n_c, [a, b], t, eta per restart. learning: Algorithm 1's other settings.
        by_hand: the control, activations of which a tile's validation set chooses one as among restarts. batch: of all
            runs.
    """

    pairs: tuple[tuple[str, str], ...]
    half: bool
    normalisations: tuple[bool, ...]
    lr: tuple[float, float]
    steps: tuple[int, int]
    width: int
    seeds: tuple[int, ...]
    restarts: tuple[tuple[str, int, float, float, int, float], ...]
    learning: Settings
    by_hand: tuple[Activation, ...] = ()
    batch: int = 4096


# NOTE[DIFF]: ten times the paper's learning rate of 0.01, with which training takes ten times as many steps.
PLANS = ByProfile(
    smoke=Plan(
        pairs=(("digits", "noisy_digits"),),
        half=False,
        normalisations=(True,),
        lr=(0.1, 0.1),
        steps=(200, 200),
        width=32,
        seeds=(1, 2),
        restarts=(("relu", 40, -2.0, 2.0, 5, 0.02),),
        learning=Settings(
            episodes=30, n_tr_start=20, n_tr_step=1, n_tr_max=50, watch=0.0, objective="given", patience=30
        ),
        by_hand=(Activation("tanh"), Activation("sine", alpha=4.0)),
    ),
    paper=Plan(
        pairs=(("mnist", "cifar10"), ("mnist", "fashion_mnist")),
        half=True,
        normalisations=(False, True),
        lr=(0.1, 0.1),
        steps=(1000, 300),
        width=32,
        seeds=(1, 2, 3, 4, 5),
        restarts=(
            ("zeros", 25, -2.0, 2.0, 10, 0.02),
            ("relu", 25, -2.0, 2.0, 10, 0.02),
            ("relu", 25, -2.0, 2.0, 10, 0.05),
        ),
        learning=Settings(
            episodes=300,
            n_tr_start=15,
            n_tr_step=1,
            n_tr_max=40,
            batch=1024,
            watch=0.0,
            objective="given",
            patience=300,
        ),
        by_hand=tuple(
            [Activation(name) for name in ("gelu", "silu", "tanh")]
            + [Activation("sine", alpha=alpha) for alpha in (1.0, 2.0, 3.0, 4.0, 6.0)]
        ),
    ),
)


def shortcuts(profile: str, store: Store) -> Stages:
    """Section 3.4: ReLU against activations learned for either tile, with the upper bound of each tile."""
    here = Shortcuts("shortcuts", PLANS[profile], store)
    plan, settings = here.plan, here.settings
    restarts = {(setting, tile): here.restarts(setting, tile) for setting in settings for tile in TILES}
    relu = [here.run(setting, "final", RELU, Activation(), seed) for setting in settings for seed in plan.seeds]
    bounds = [
        here.run(setting, "upper bound", UPPER[tile], Activation(), seed, unambiguous=tile)
        for setting in settings
        for tile in TILES
        for seed in plan.seeds
    ]
    by_hand = {s: [here.run(s, "selection", "by hand", g, 0) for g in plan.by_hand] for s in settings}
    yield [e for group in (restarts, by_hand) for runs in group.values() for e in runs] + relu + bounds

    selection = {
        (setting, tile): {one: [here.reuse(one, setting, "selection", 0)] for one in usable(store, runs)}
        for (setting, tile), runs in restarts.items()
    }
    yield [trial for tried in selection.values() for trials in tried.values() for trial in trials]

    finals = []
    for (setting, tile), tried in selection.items():
        if tried:
            best = best_of(store, tried, stopped_for(tile))
            finals += [here.reuse(best, setting, "final", seed) for seed in plan.seeds]
        hand = best_of(store, {trial: [trial] for trial in by_hand[setting]}, stopped_for(tile)).network.activation
        finals += [here.run(setting, "final", BY_HAND[tile], hand, seed) for seed in plan.seeds]
    yield finals


def stopped_for(tile: str):
    """What is best for a tile: its validation accuracy with early stopping for it."""
    return lambda store, run: store.get(run).numbers[f"by_{tile}_validation"]


@dataclass(frozen=True, eq=False)
class Shortcuts:
    """The experiments of a section with collages."""

    section: str
    plan: Plan
    store: Store

    @property
    def settings(self) -> list[Setting]:
        return list(product(self.plan.pairs, self.plan.normalisations))

    def run(
        self,
        setting: Setting,
        role: str,
        arm: str,
        activation: Activation,
        seed: int,
        learned: str = "",
        unambiguous: str = "",
    ) -> TrainCollage:
        """One run, with collages of its own."""
        plan, ((first, second), spectral) = self.plan, setting
        return TrainCollage(
            section=self.section,
            role=role,
            arm=arm,
            first=first,
            second=second,
            network=Network(width=plan.width, depth=1, activation=activation, spectral=spectral),
            optimiser=Optimiser("sgd", plan.lr[spectral]),
            steps=plan.steps[spectral],
            seed=seed,
            split=seed,
            learned=learned,
            unambiguous=unambiguous,
            half=plan.half,
            batch=plan.batch,
        )

    def restarts(self, setting: Setting, tile: str) -> list[LearnCollage]:
        """The restarts of Algorithm 1 for a tile."""
        plan, ((first, second), spectral) = self.plan, setting
        return [
            LearnCollage(
                section=self.section,
                arm=LEARNED[tile],
                first=first,
                second=second,
                tile=tile,
                network=Network(
                    width=plan.width,
                    depth=1,
                    activation=Activation("spline", points=points, low=low, high=high),
                    spectral=spectral,
                ),
                settings=replace(
                    plan.learning,
                    init=init,
                    unroll=unroll,
                    outer=Optimiser("adam", eta),
                    inner=Optimiser("sgd", plan.lr[spectral]),
                ),
                seed=seed,
                half=plan.half,
            )
            for seed, (init, points, low, high, unroll, eta) in enumerate(plan.restarts)
        ]

    def reuse(self, learn: LearnCollage, setting: Setting, role: str, seed: int, unambiguous: str = "") -> TrainCollage:
        """A run with a learned activation fixed."""
        return self.run(setting, role, learn.arm, learn.network.activation, seed, self.store.key(learn), unambiguous)
