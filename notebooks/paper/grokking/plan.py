"""Algorithmic tasks and grokking (Section 3.5, Appendix E.6)."""

from dataclasses import dataclass, replace

from lib.metalearning import Settings
from lib.networks import Activation, Network
from lib.training import Optimiser

from ..experiments.learn import Learn
from ..experiments.protocol import ByProfile, Stages, best_restart, restarts, trials_of, using, validation_speed
from ..experiments.train import Train
from ..records.store import Store

Restarts = tuple[tuple[int, int, float], ...]


@dataclass(frozen=True)
class Plan:
    """How much of Section 3.5 a profile computes; see :class:`.images.plan.Plan`.

    task: of Figures 11 to 13. lr: of plain gradient descent. restarts: n_c, t, eta; the seed is the position.
    widths, held_out: of Figure 13, other widths, and parts of the training pairs that are left out; sweep_steps and
    sweep_seeds are those of its runs. moduli: other tasks to learn an activation for (C15), with constant_restarts, and
    with constant: Algorithm 1 with episodes of one length.
    """

    task: str
    steps: int
    width: int
    lr: float
    seeds: tuple[int, ...]
    restarts: Restarts
    learning: Settings
    learning_width: int
    widths: tuple[int, ...]
    held_out: tuple[float, ...]
    sweep_steps: int
    sweep_seeds: tuple[int, ...]
    moduli: tuple[str, ...]
    constant: Settings
    constant_restarts: Restarts


# With episodes of 2,000 steps from the start, a+b mod 27 takes a third of the time to learn (one trial: 80 episodes,
# then 99 % test accuracy at 3,000 steps). The growing ones of the main task stay: its results were there first.
CONSTANT = Settings(episodes=120, n_tr_start=2000, n_tr_step=0, n_tr_max=2000, validation=0.1, watch=0.0, patience=120)
PLANS = ByProfile(
    smoke=Plan(
        task="a+b mod 17",
        steps=1500,
        width=128,
        lr=2.0,
        seeds=(1, 2),
        restarts=((60, 10, 0.006),),
        learning=Settings(episodes=140, n_tr_start=150, n_tr_step=1, validation=0.15, watch=0.0, patience=140),
        learning_width=64,
        widths=(64,),
        held_out=(0.25,),
        sweep_steps=1500,
        sweep_seeds=(1, 2),
        moduli=("a+b mod 11",),
        constant=Settings(episodes=60, n_tr_start=250, n_tr_step=0, validation=0.15, watch=0.0, patience=60),
        constant_restarts=((60, 10, 0.006),),
    ),
    paper=Plan(
        task="a+b mod 27",
        steps=60_000,
        width=256,
        lr=1.0,
        seeds=(1, 2, 3, 4, 5),
        restarts=((200, 20, 0.003), (200, 20, 0.003), (400, 20, 0.003), (200, 10, 0.01)),
        learning=Settings(
            episodes=200, n_tr_start=500, n_tr_step=10, n_tr_max=2500, validation=0.1, watch=0.0, patience=200
        ),
        learning_width=128,
        widths=(32, 64, 128, 512),
        held_out=(0.125, 0.25, 0.375, 0.5),  # leaves 70, 60, 50 and 40 % of all pairs
        sweep_steps=20_000,
        sweep_seeds=(1, 2, 3, 4, 5),
        moduli=("a+b mod 13", "a+b mod 29", "a+b mod 41"),
        constant=CONSTANT,
        constant_restarts=((200, 10, 0.01), (200, 10, 0.01), (200, 20, 0.003), (400, 20, 0.003)),
    ),
)
SPLIT = 0  # the 80/20 split of a task is one and the same for learning and for every final run
RELU, LEARNED = "ReLU", "learned from zeros"


def learn_on_pairs(
    section: str, arm: str, tasks: tuple[str, ...], network: Network, settings: Settings, seed: int = 0
) -> Learn:
    """A learning on algorithmic tasks."""
    about = {"section": section, "arm": arm, "data": tasks, "task": "one-hot", "split": SPLIT}
    return Learn(network=network, settings=settings, seed=seed, **about)


def train_on_pairs(
    section: str, role: str, arm: str, task: str, network: Network, optimiser: Optimiser, **about
) -> Train:
    """A training on an algorithmic task; about: steps, evaluations, seed, validation, and what else differs."""
    about |= {"split": SPLIT, "log_spaced": True, "complexity": False}
    return Train(
        section=section, role=role, arm=arm, data=task, task="one-hot", network=network, optimiser=optimiser, **about
    )


def grokking(profile: str, store: Store) -> Stages:
    """Section 3.5: algorithmic tasks, ReLU against activations learned from zeros."""
    yield from Grokking(PLANS[profile], store).stages()


@dataclass(frozen=True, eq=False)
class Grokking:
    """The experiments of the section."""

    plan: Plan
    store: Store

    def stages(self) -> Stages:
        plan = self.plan
        learning = self.learn(plan.task, plan.learning, plan.restarts)
        yield learning + [self.run("final", RELU, plan.task, Activation(), "", seed) for seed in plan.seeds]
        yield trials_of(self.store, learning, self.selection)
        if (best := self.best(learning)) is None:
            return
        yield [self.reuse(best, "final", seed) for seed in plan.seeds]

        # NOTE[DIFF]: the paper's Figure 13 with the one activation, learned at one width with all training pairs.
        relu, learned = Activation(), (best.network.activation, self.store.key(best))
        sweep = [(width, 0.0) for width in plan.widths] + [(plan.width, part) for part in plan.held_out]
        yield [
            self.run("sweep", arm, plan.task, *activation, seed, width=width, held_out=part, steps=plan.sweep_steps)
            for width, part in sweep
            for arm, activation in ((RELU, (relu, "")), (LEARNED, learned))
            for seed in plan.sweep_seeds
        ]
        # NOTE[DIFF]: for other moduli fewer steps than for the main task.
        for task in plan.moduli:
            learning = self.learn(task, plan.constant, plan.constant_restarts)
            yield learning
            yield trials_of(self.store, learning, lambda learn: self.selection(learn, plan.sweep_steps))
            best = self.best(learning, plan.sweep_steps)
            yield [
                run
                for seed in plan.sweep_seeds
                for run in (
                    self.run("modulus", RELU, task, relu, "", seed, steps=plan.sweep_steps),
                    *([self.reuse(best, "modulus", seed, plan.sweep_steps)] if best else []),
                )
            ]

    def learn(self, task: str, learning: Settings, grid: Restarts) -> list[Learn]:
        """The restarts of Algorithm 1 on a task."""
        network = Network(width=self.plan.learning_width, activation=Activation("spline", low=-1.0, high=1.0))
        settings = replace(learning, inner=Optimiser("sgd", self.plan.lr))
        return restarts(learn_on_pairs("grokking", LEARNED, (task,), network, settings), grid)

    def run(self, role, arm, task, activation, learned, seed, *, width=0, held_out=0.0, steps=0) -> Train:
        """One run. held_out: part of the training pairs that it goes without; its curves are on the others."""
        network = Network(width=width or self.plan.width, activation=activation)
        about = {"steps": steps or self.plan.steps, "evaluations": 300, "seed": seed, "validation": held_out}
        optimiser = Optimiser("sgd", self.plan.lr)
        return train_on_pairs("grokking", role, arm, task, network, optimiser, learned=learned, **about)

    def reuse(self, learn: Learn, role: str, seed: int, steps: int = 0, held_out: float = 0.0) -> Train:
        run = self.run(role, learn.arm, learn.data[0], Activation(), "", seed, steps=steps, held_out=held_out)
        return using(run, learn, self.store)

    def selection(self, learn: Learn, steps: int = 0) -> list[Train]:
        """The run that a restart is judged by, on pairs that were taken from the training pairs."""
        return [self.reuse(learn, "selection", 0, steps, held_out=0.1)]

    def best(self, runs: list[Learn], steps: int = 0) -> Learn | None:
        """The restart whose selection run learns earliest."""
        return best_restart(self.store, runs, lambda learn: self.selection(learn, steps), validation_speed)
