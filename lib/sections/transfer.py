"""Transfer of learned activations across tasks (Section 4, Appendix E.3)."""

import itertools
from collections.abc import Generator
from dataclasses import dataclass, replace

from lib import algorithmic
from lib.experiments import Learn, Train
from lib.metalearning import Settings
from lib.networks import Activation, Network
from lib.results import Store
from lib.sections.grokking import CONSTANT, SPLIT
from lib.sections.grokking import PLANS as GROKKING
from lib.sections.plans import Stages, check_profile, usable, validation_accuracy, validation_speed
from lib.splines import is_constant
from lib.training import Optimiser

RELU, ALL = "ReLU", "learned on all"


@dataclass(frozen=True)
class Matrix:
    """How much of Figure 14 a profile computes.

    tasks: names of algorithmic tasks, the rows and the columns. steps, width, seed: of the networks of the matrix.
    own_seeds: the other seeds of each task with ReLU and with its own activation (Figure 28).
    lr: for tasks with up to ``outputs`` results. batch: of the tasks that have more pairs than that. restarts: n_c, t,
    eta; the seed is the position. learning: Algorithm 1's other settings for one task, jointly: for all tasks at once,
    with the first restart alone.
    """

    tasks: tuple[str, ...]
    steps: int
    width: int
    lr: float
    outputs: int
    batch: int
    seed: int
    own_seeds: tuple[int, ...]
    restarts: tuple[tuple[int, int, float], ...]
    learning: Settings
    jointly: Settings
    learning_width: int


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


# What the paper profile costs, from measured times on an idle core:
#   matrix    24 columns x 22 rows x 5,000 steps                                   about 90 core-minutes
#   learning  240,000 inner steps per task and restart at width 128                320 core-minutes
#             4.4 million inner steps on all at once                               75 core-minutes
#   selection 22 tasks, 4 restarts                                                 16 core-minutes
#   images    3 datasets, 2 restarts, 5 seeds, 4 hidden layers, batches of 1024    about 75 core-minutes
#   depths    3 datasets, 4 activations, 3 depths                                  about 12 core-minutes a seed
# NOTE[DIFF]: batches of 1,024 for the algorithmic tasks with more pairs (modulus 53 and S5), in place of all pairs.
# NOTE[DIFF]: for these the learning rate is in proportion to the number of results (1 for modulus 27). The loss is a
# mean over the outputs, so with rate 1 they would need as many more steps.
# NOTE[DIFF]: 5,000 steps in place of up to 60,000, the same for every cell. "Solved with ReLU" therefore means: within
# these steps. One restart for the activation of all tasks.
# NOTE[DIFF]: image batches of 1,024 in place of 4,096, for all columns. A run of 4 layers takes 15 to 50 s.
PLANS = {
    "smoke": Plan(
        Matrix(
            tasks=("a+b mod 7", "a-b mod 7", "a+b mod 11"),
            steps=300,
            width=64,
            lr=1.0,
            outputs=7,
            batch=60,
            seed=1,
            own_seeds=(2, 3),
            restarts=((60, 5, 0.01), (40, 5, 0.01)),
            learning=Settings(episodes=30, n_tr_start=30, n_tr_step=2, validation=0.1, watch=0.0),
            jointly=Settings(episodes=45, n_tr_start=30, n_tr_step=1, validation=0.1, watch=0.0),
            learning_width=32,
        ),
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
    "paper": Plan(
        Matrix(
            tasks=algorithmic.TASKS,
            steps=5000,
            width=256,
            lr=1.0,
            outputs=27,
            batch=1024,
            seed=1,
            own_seeds=(2, 3, 4, 5),
            restarts=GROKKING["paper"].constant_restarts,
            learning=CONSTANT,
            jointly=replace(CONSTANT, episodes=2200),  # 100 rounds
            learning_width=GROKKING["paper"].learning_width,
        ),
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
            depth_seeds=(1, 2, 3),
        ),
    ),
}


def transfer(profile: str, store: Store) -> Stages:
    """Section 4: Table 4 on images, the matrix over the algorithmic tasks, then Figure 19."""
    check_profile(profile)
    plan = PLANS[profile]
    finals = yield from table_4(plan.images, store)
    yield from matrix(plan.matrix, store)
    yield from other_depths(plan.images, finals)


def matrix(plan: Matrix, store: Store) -> Stages:
    """Figure 14: each activation (column) trained on each task (row). Figure 28: its diagonal and ReLU, more seeds.

    The activations are learned as those for other moduli in the grokking section.
    NOTE[DIFF]: one seed per cell, and one restart for all tasks. Where no restart learned anything, so that the
    function is a constant, it has no column: its networks cannot but predict a constant.
    """

    def optimiser(task: str) -> Optimiser:
        return Optimiser("sgd", plan.lr * max(1.0, algorithmic.examples(task)[2] / plan.outputs))

    def batch(tasks: tuple[str, ...]) -> int:
        large = any(len(algorithmic.examples(task)[0]) > plan.batch for task in tasks)
        return plan.batch if large else Settings.batch  # all pairs

    def learn(data: tuple[str, ...], settings: Settings, seed: int) -> Learn:
        points, unroll, eta = plan.restarts[seed]
        outer, inner = Optimiser("adam", eta), optimiser(data[0])
        if len(data) > 1:  # of a loss that is a sum over outputs
            inner = Optimiser("sgd", plan.lr / plan.outputs)
        settings = replace(settings, unroll=unroll, outer=outer, inner=inner, batch=batch(data))
        spline = Activation("spline", points=points, low=-1.0, high=1.0)
        arm = ALL if len(data) > 1 else learned_on(data[0])
        network = Network(1, 1, plan.learning_width, 1, spline)
        return Learn("transfer", arm, data, "one-hot", network, settings, seed, split=SPLIT)

    def run(role: str, arm: str, task: str, activation: Activation, learned: str, seed: int, held_out: float) -> Train:
        network = Network(1, 1, plan.width, 1, activation)
        return Train(
            "transfer", role, arm, task, "one-hot", network, optimiser(task), plan.steps, seed, SPLIT,
            learned, batch((task,)), validation=held_out, evaluations=150, log_spaced=True, complexity=False,
        )  # fmt: skip

    def reuse(source: Learn, role: str, task: str, seed: int, held_out: float = 0.0) -> Train:
        return run(role, source.arm, task, source.network.activation, store.key(source), seed, held_out)

    def selection(source: Learn) -> Train:
        """The run that a restart is judged by, as in the grokking section, on pairs taken from the training pairs."""
        return reuse(source, "selection", source.data[0], 0, held_out=0.1)

    seeds = range(len(plan.restarts))
    restarts = {task: [learn((task,), plan.learning, seed) for seed in seeds] for task in plan.tasks}
    jointly = learn(plan.tasks, plan.jointly, 0)
    relu = [run("matrix", RELU, task, Activation("relu"), "", plan.seed, 0.0) for task in plan.tasks]
    yield [jointly, *itertools.chain(*restarts.values()), *relu]
    varied = {
        task: [source for source in usable(store, sources) if not is_constant(store.get(source).arrays["psi_hidden"])]
        for task, sources in restarts.items()
    }
    yield [selection(source) for sources in varied.values() for source in sources]
    columns = [
        max(sources, key=lambda source: validation_speed(store, selection(source)))
        for sources in varied.values()
        if sources
    ]
    own = relu + [reuse(source, "matrix", source.data[0], plan.seed) for source in columns]
    yield own + [
        reuse(source, "matrix", task, plan.seed)
        for source in columns + usable(store, [jointly])
        for task in plan.tasks
        if source.data != (task,)
    ]
    yield [replace(cell, role="own", seed=seed) for seed in plan.own_seeds for cell in own]


def table_4(plan: Images, store: Store) -> Generator[list, None, list[Train]]:
    """Table 4: image regression, an activation learned on each dataset and on all, used on each.

    Returns the final runs.

    NOTE[DIFF]: one optimiser for all datasets, the one that is best with ReLU on average over them, so that an
    activation meets elsewhere the training that it was learned with. SVHN is not among the datasets.
    """

    def run(role, arm, data, activation, optimiser, seed, learned="") -> Train:
        network = Network(1, 1, plan.width, plan.depth, activation, residual=True)
        return Train("transfer", role, arm, data, "regression", network, optimiser, plan.steps, seed, seed, learned,
                     batch=plan.learning.batch, complexity=False)  # fmt: skip

    relu = Activation("relu")
    tuning = {
        optimiser: [run("tuning", RELU, data, relu, optimiser, 0) for data in plan.datasets]
        for optimiser in plan.optimisers
    }
    yield [run for runs in tuning.values() for run in runs]
    optimiser = max(tuning, key=lambda name: mean_validation(store, tuning[name]))

    sources = {learned_on(data): ((data,), plan.learning) for data in plan.datasets}
    sources[ALL] = (plan.datasets, plan.jointly)
    learning = {
        arm: [
            Learn(
                "transfer",
                arm,
                data,
                "regression",
                Network(1, 1, plan.learning_width, plan.depth, Activation("spline", points=points), residual=True),
                replace(settings, init=init, unroll=unroll, outer=Optimiser("adam", eta), inner=optimiser),
                seed,
            )
            for seed, (init, points, unroll, eta) in enumerate(plan.restarts)
        ]
        for arm, (data, settings) in sources.items()
    }
    yield [source for restarts in learning.values() for source in restarts]

    def reuse(source: Learn, role: str, data: str, seed: int) -> Train:
        return run(role, source.arm, data, source.network.activation, optimiser, seed, store.key(source))

    selection = {  # on the dataset that the activation was learned on; on all of them for the last
        arm: [
            (source, [reuse(source, "selection", data, 0) for data in source.data])
            for source in usable(store, restarts)
        ]
        for arm, restarts in learning.items()
    }
    yield [run for pairs in selection.values() for _, runs in pairs for run in runs]

    finals = [run("final", RELU, data, relu, optimiser, seed) for data in plan.datasets for seed in plan.seeds]
    for pairs in selection.values():
        if pairs:
            best, _ = max(pairs, key=lambda pair: mean_validation(store, pair[1]))
            finals += [reuse(best, "final", data, seed) for data in plan.datasets for seed in plan.seeds]
    yield finals
    return finals


def other_depths(plan: Images, finals: list[Train]) -> Stages:
    """Figure 19: the activations of Table 4, but for the one learned on all datasets, in networks of other depths.

    NOTE[DIFF]: the activations were learned with the depth of Table 4. With one hidden layer there is no residual
    connection, which the sizes do not allow.
    """
    for seed in plan.depth_seeds:
        yield [
            replace(run, role="depth", network=replace(run.network, depth=depth, residual=depth > 1))
            for run in finals
            if run.seed == seed and run.arm != ALL
            for depth in plan.depths
        ]


def learned_on(data: str) -> str:
    """The arm of an activation that was learned on one dataset.

    Example:
        >>> learned_on("a+b mod 27")
        'learned on a+b mod 27'
    """
    return f"learned on {data}"


def mean_validation(store: Store, runs: list[Train]) -> float:
    """Mean validation accuracy of stored runs at their best steps."""
    return sum(validation_accuracy(store, run) for run in runs) / len(runs)
