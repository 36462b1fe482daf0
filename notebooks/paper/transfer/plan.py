"""Transfer of learned activations across tasks (Section 4, Appendix E.3)."""

from collections.abc import Generator
from dataclasses import dataclass, replace

from lib.metalearning import Settings
from lib.networks import Activation, Network
from lib.training import Optimiser

from ..experiments.learn import Learn
from ..experiments.protocol import (
    ByProfile,
    Stages,
    best_of,
    best_restart,
    restarts,
    trials_of,
    using,
    validation_accuracy,
)
from ..experiments.train import Train
from ..records.store import Store
from .matrix import ALL, MATRICES, RELU, Matrix, controls, learned_on, matrix


@dataclass(frozen=True)
class Images:
    """How much of Table 4 a profile computes: image regression, residual networks with ``depth`` hidden layers.

    optimisers: candidates, tuned with ReLU. restarts: initial psi, n_c, t, eta. learning, jointly: as in
    Matrix; their batch is that of all runs. depths, depth_seeds: of Figure 19, the other depths and their seeds.
    """

    datasets: tuple[str, ...]
    optimisers: tuple[Optimiser, ...]
    steps: int
    width: int
    depth: int
    seeds: tuple[int, ...]
    restarts: tuple[tuple[str, int, int, float], ...]
    learning: Settings
    jointly: Settings
    learning_width: int
    depths: tuple[int, ...]
    depth_seeds: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """Both parts of the section."""

    matrix: Matrix
    images: Images


# What the paper profile costs, from measured times on an idle core, besides the matrix:
#   images    3 datasets, 2 restarts, 5 seeds, 4 hidden layers, batches of 1024    about 75 core-minutes
#   depths    3 datasets, 4 activations, 3 depths                                  about 12 core-minutes a seed
# NOTE[DIFF]: image batches of 1,024 in place of 4,096, for all columns. A run of 4 layers takes 15 to 50 s.
PLANS = ByProfile(
    smoke=Plan(
        MATRICES["smoke"],
        Images(
            datasets=("digits", "noisy_digits"),
            optimisers=(Optimiser("sgd", 0.05), Optimiser("adam", 0.001)),
            steps=60,
            width=32,
            depth=4,
            seeds=(1, 2),
            restarts=(("zeros", 50, 5, 0.02),),
            learning=Settings(episodes=8, n_tr_start=10, n_tr_step=5),
            jointly=Settings(episodes=16, n_tr_start=10, n_tr_step=2),
            learning_width=16,
            depths=(1, 2),
            depth_seeds=(1,),
        ),
    ),
    paper=Plan(
        MATRICES["paper"],
        Images(
            datasets=("mnist", "fashion_mnist", "cifar10"),
            optimisers=(
                *(Optimiser("sgd", rate) for rate in (0.02, 0.05, 0.2)),
                *(Optimiser("adam", rate) for rate in (3e-4, 1e-3, 3e-3)),
            ),
            steps=1500,
            width=128,
            depth=4,
            seeds=(1, 2, 3, 4, 5),
            restarts=(("zeros", 50, 5, 0.02), ("relu", 100, 10, 0.01)),
            learning=Settings(episodes=60, n_tr_start=50, n_tr_step=10, batch=1024),
            jointly=Settings(episodes=180, n_tr_start=50, n_tr_step=3, batch=1024),
            learning_width=32,
            depths=(1, 2, 3),
            depth_seeds=(1, 2, 3, 4, 5),
        ),
    ),
)


def transfer(profile: str, store: Store) -> Stages:
    """Section 4: Table 4 on images, the matrix over the algorithmic tasks, Figure 19, then controls."""
    plan = PLANS[profile]
    finals = yield from table_4(plan.images, store)
    yield from matrix(plan.matrix, store)
    yield from other_depths(plan.images, finals)
    yield from controls(plan.matrix)


def table_4(plan: Images, store: Store) -> Generator[list, None, list[Train]]:
    """Table 4: image regression, an activation learned on each dataset and on all, used on each.

    Returns the final runs.

    NOTE[DIFF]: one optimiser for all datasets, the one that is best with ReLU on average over them, so that an
    activation meets elsewhere the training that it was learned with. SVHN is not among the datasets.
    """

    def run(role, arm, data, optimiser, seed) -> Train:
        return Train(
            section="transfer", role=role, arm=arm, data=data, task="regression",
            network=Network(width=plan.width, depth=plan.depth, residual=True), optimiser=optimiser, steps=plan.steps,
            seed=seed, split=seed, batch=plan.learning.batch, complexity=False,
        )  # fmt: skip

    tuning = {
        optimiser: [run("tuning", RELU, data, optimiser, 0) for data in plan.datasets] for optimiser in plan.optimisers
    }
    yield [run for runs in tuning.values() for run in runs]
    optimiser = best_of(store, tuning, validation_accuracy)

    def learn(arm: str, data: tuple[str, ...], settings: Settings) -> list[Learn]:
        network = Network(width=plan.learning_width, depth=plan.depth, activation=Activation("spline"), residual=True)
        about = {"section": "transfer", "arm": arm, "data": data, "task": "regression", "network": network}
        return [
            restart
            for seed, (init, *grid) in enumerate(plan.restarts)
            for restart in restarts(
                Learn(**about, settings=replace(settings, init=init, inner=optimiser), seed=0), [grid], seed
            )
        ]

    learning = [learn(learned_on(data), (data,), plan.learning) for data in plan.datasets]
    learning.append(learn(ALL, plan.datasets, plan.jointly))
    yield [source for runs in learning for source in runs]

    def reuse(source: Learn, role: str, data: str, seed: int) -> Train:
        return using(run(role, source.arm, data, optimiser, seed), source, store, data=data)

    def trials(source: Learn) -> list[Train]:
        """On the dataset that the activation was learned on; on all of them for the last."""
        return [reuse(source, "selection", data, 0) for data in source.data]

    yield [trial for runs in learning for trial in trials_of(store, runs, trials)]
    finals = [run("final", RELU, data, optimiser, seed) for data in plan.datasets for seed in plan.seeds]
    for runs in learning:
        if best := best_restart(store, runs, trials):
            finals += [reuse(best, "final", data, seed) for data in plan.datasets for seed in plan.seeds]
    yield finals
    return finals


def other_depths(plan: Images, finals: list[Train]) -> Stages:
    """Figure 19: the activations of Table 4, but for the one learned on all datasets, in networks of other depths.

    NOTE[DIFF]: the activations were learned with the depth of the paper's Table 4. With one hidden layer there is no
    residual connection, which the sizes do not allow.
    """
    for seed in plan.depth_seeds:
        yield [
            replace(run, role="depth", network=replace(run.network, depth=depth, residual=depth > 1))
            for run in finals
            if run.seed == seed and run.arm != ALL
            for depth in plan.depths
        ]
