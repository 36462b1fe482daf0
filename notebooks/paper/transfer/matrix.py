"""The matrix of Figure 14: activations learned on each algorithmic task, and on all, used on each."""

import itertools
from collections.abc import Generator
from dataclasses import dataclass, replace

from lib.datasets import algorithmic
from lib.metalearning import Settings
from lib.networks import Activation, Network
from lib.splines import is_constant
from lib.training import Optimiser

from ..experiments.learn import Learn
from ..experiments.protocol import ByProfile, Stages, best_of, restarts, using, validation_speed
from ..experiments.train import Train
from ..grokking.plan import CONSTANT, learn_on_pairs, train_on_pairs
from ..grokking.plan import PLANS as GROKKING
from ..records.store import Record, Store

RELU, ALL = "ReLU", "learned on all"


@dataclass(frozen=True)
class Matrix:
    """How much of Figure 14 a profile computes.

    tasks: names of algorithmic tasks, the rows and the columns. steps, width, seed: of the networks of the matrix.
    own_seeds: the other seeds of each task with ReLU and with its own activation (Figure 28).
    lr: for tasks with up to ``outputs`` results. batch: of the tasks that have more pairs than that. restarts: n_c, t,
    eta; the seed is the position. learning: Algorithm 1's other settings for one task, jointly: for all tasks at once.
    by_hand: activations as a control for what learning adds.
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
    by_hand: tuple[Activation, ...]


SINES = tuple(Activation("sine", alpha=k, amplitude=0.1) for k in (20.0, 40.0, 80.0, 160.0))
# What the paper profile costs, from measured times on an idle core:
#   learning  240,000 inner steps per task and restart at width 128                360 core-minutes
#             4.4 million inner steps per restart on all at once                   240 core-minutes
#   selection 22 tasks, up to 4 restarts of their own and 4 of the joint one       30 core-minutes
#   matrix    up to 24 columns x 22 rows x 5,000 steps                             90 core-minutes
#   controls  4 sines, 2 runs on each task                                         25 core-minutes
#   own       ReLU and the task's own activation, 4 more seeds                     30 core-minutes
# NOTE[DIFF]: batches of 1,024 for the algorithmic tasks with more pairs (modulus 53 and S5), in place of all pairs.
# NOTE[DIFF]: for these the learning rate is in proportion to the number of results (1 for modulus 27). The loss is a
# mean over the outputs, so with rate 1 they would need as many more steps.
# NOTE[DIFF]: 5,000 steps in place of up to 60,000, the same for every cell. "Solved with ReLU" therefore means: within
# these steps.
MATRICES = ByProfile(
    smoke=Matrix(
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
        by_hand=SINES[:2],
    ),
    paper=Matrix(
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
        by_hand=SINES,
    ),
)


def matrix(plan: Matrix, store: Store) -> Generator[list, None, list[Learn]]:
    """Figure 14: each activation (column) trained on each task (row). Figure 28: its diagonal and ReLU, more seeds.

    Returns the activations of the columns. They are learned as those for other moduli in the grokking section.
    NOTE[DIFF]: one seed per cell. Where no restart learned anything, so that the function is a constant, it has no
    column: its networks cannot but predict a constant.
    """

    learning = [learn(plan, (task,), plan.learning) for task in plan.tasks] + [learn(plan, plan.tasks, plan.jointly)]
    relu = [trained(plan, "matrix", RELU, task, Activation(), plan.seed, 0.0) for task in plan.tasks]
    yield [*itertools.chain(*learning), *relu]
    columns = yield from chosen(plan, store, learning)
    cells = [reuse(plan, store, source, "matrix", task, plan.seed) for source in columns for task in plan.tasks]
    yield cells
    own = relu + [cell for cell in cells if cell.arm == learned_on(cell.data)]
    yield [replace(cell, role="own", seed=seed) for seed in plan.own_seeds for cell in own]
    return columns


def learn(plan: Matrix, data: tuple[str, ...], settings: Settings) -> list[Learn]:
    """The restarts on a task, or on several at once."""
    inner = optimiser_of(plan, data[0])
    if len(data) > 1:  # of a loss that is a sum over outputs
        inner = Optimiser("sgd", plan.lr / plan.outputs)
    network = Network(width=plan.learning_width, activation=Activation("spline", low=-1.0, high=1.0))
    arm = ALL if len(data) > 1 else learned_on(data[0])
    settings = replace(settings, inner=inner, batch=batch_of(plan, data))
    return restarts(learn_on_pairs("transfer", arm, data, network, settings), plan.restarts)


def reuse(plan: Matrix, store: Store, source: Learn, role: str, task: str, seed: int, held_out: float = 0.0) -> Train:
    """A run with a learned activation fixed, on any task."""
    run = trained(plan, role, source.arm, task, Activation(), seed, held_out)
    return using(run, source, store, data=task, optimiser=run.optimiser)


def chosen(plan: Matrix, store: Store, learning: list[list[Learn]]) -> Generator[list, None, list[Learn]]:
    """Of the restarts of each activation the best on pairs taken from the training pairs, as in grokking."""

    def selections(source: Learn) -> list[Train]:
        return [reuse(plan, store, source, "selection", task, 0, held_out=0.1) for task in source.data]

    varied = [[source for source in sources if learned_something(store.get(source))] for sources in learning]
    yield [run for source in itertools.chain(*varied) for run in selections(source)]
    return [
        best_of(store, {source: selections(source) for source in sources}, validation_speed)
        for sources in varied
        if sources
    ]


def optimiser_of(plan: Matrix, task: str) -> Optimiser:
    """Plain gradient descent with the rate of a task."""
    return Optimiser("sgd", plan.lr * max(1.0, algorithmic.examples(task)[2] / plan.outputs))


def batch_of(plan: Matrix, tasks: tuple[str, ...]) -> int:
    """All pairs at once, but for large tasks."""
    large = any(len(algorithmic.examples(task)[0]) > plan.batch for task in tasks)
    return plan.batch if large else Settings.batch


def trained(plan: Matrix, role: str, arm: str, task: str, g: Activation, seed: int, held_out: float) -> Train:
    """One run; held_out: the part of the training pairs that it goes without."""
    about = {"steps": plan.steps, "evaluations": 150, "seed": seed, "validation": held_out}
    network, optimiser = Network(width=plan.width, activation=g), optimiser_of(plan, task)
    return train_on_pairs("transfer", role, arm, task, network, optimiser, batch=batch_of(plan, (task,)), **about)


def controls(plan: Matrix) -> Stages:
    """Hand-made activations on every task: a run that selects among them, as among restarts, and one that is compared.

    They show what an oscillation does that was not learned.
    """
    arms = [(by_hand_arm(g), task, g) for g in plan.by_hand for task in plan.tasks]
    yield [trained(plan, "control trial", arm, task, g, 0, 0.1) for arm, task, g in arms]
    yield [trained(plan, "control", arm, task, g, plan.seed, 0.0) for arm, task, g in arms]


def by_hand_arm(g: Activation) -> str:
    """The arm of a sine that was made by hand.

    Example:
        >>> by_hand_arm(Activation("sine", alpha=20.0, amplitude=0.1))
        'sine, k = 20'
    """
    return f"sine, k = {g.alpha:g}"


def learned_something(record: Record) -> bool:
    """Whether a Learn record neither diverged nor left its function the constant that it started from."""
    return not record.numbers["diverged"] and not is_constant(record.arrays["psi_hidden"])


def learned_on(data: str) -> str:
    """The arm of an activation that was learned on one dataset.

    Example:
        >>> learned_on("a+b mod 27")
        'learned on a+b mod 27'
    """
    return f"learned on {data}"
