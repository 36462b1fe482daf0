"""The sections of the paper as generators of stages, one plan per profile.

A section yields lists of experiments. Those of one list are independent; when they are done, the generator goes on and
reads their records to decide what comes next (a learning rate, a restart). :func:`collect` walks through a section and
returns what the store has of it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pandas as pd

from lib.experiments import Learn, Train
from lib.metalearning import Settings
from lib.networks import Activation, Network
from lib.results import Record, Store
from lib.training import Optimiser

PROFILES = ("smoke", "paper")
Stages = Iterator[list]


def check_profile(profile: str) -> None:
    """Raise a ValueError unless the profile is known."""
    if profile not in PROFILES:
        raise ValueError(f"profile must be one of {PROFILES}, got {profile!r}")


# --- images and regression (Sections 3.1 and 3.2) ---------------------------------------------------------------------


@dataclass(frozen=True)
class ImagePlan:
    """How much of Sections 3.1 and 3.2 a profile computes.

    datasets: names. optimisers: the candidates for tuning with ReLU. steps, width: of the networks that are compared.
    seeds: of the final runs. restarts: n_c, t, eta per restart. learning: Algorithm 1's other settings.
    learning_width: of the networks inside Algorithm 1.
    """

    datasets: tuple[str, ...]
    optimisers: tuple[Optimiser, ...]
    steps: int
    width: int
    seeds: tuple[int, ...]
    restarts: tuple[tuple[int, int, float], ...]
    learning: Settings
    learning_width: int


IMAGES = {
    "smoke": ImagePlan(
        datasets=("digits",),
        optimisers=(Optimiser("sgd", 0.2), Optimiser("adam", 0.003)),
        steps=200,
        width=64,
        seeds=(1, 2),
        restarts=((50, 5, 0.02),),
        learning=Settings(episodes=20, n_tr_start=20, n_tr_step=5),
        learning_width=32,
    ),
    "paper": ImagePlan(
        datasets=("mnist", "fashion_mnist"),
        optimisers=tuple(
            Optimiser(name, lr)
            for name, rates in {"sgd": (0.05, 0.2, 0.5), "rmsprop": (3e-4, 1e-3, 3e-3), "adam": (1e-3, 3e-3, 1e-2)}.items()
            for lr in rates
        ),
        steps=1500,
        width=128,
        seeds=(1, 2, 3, 4, 5),
        restarts=((50, 5, 0.02), (100, 10, 0.01)),
        learning=Settings(episodes=60, n_tr_start=50, n_tr_step=10),
        learning_width=32,
    ),
}
ARMS = ("ReLU", "learned from ReLU", "learned from zeros")


def images(profile: str, store: Store) -> Stages:
    """Section 3.1: image classification."""
    yield from _images("images", "classification", profile, store)


def regression(profile: str, store: Store) -> Stages:
    """Section 3.2: the same images, regression on the class id."""
    yield from _images("regression", "regression", profile, store)


def _images(section: str, task: str, profile: str, store: Store) -> Stages:
    check_profile(profile)
    plan = IMAGES[profile]
    tuning = {
        data: [
            Train(section, "tuning", "ReLU", data, task, Network(1, 1, plan.width), optimiser, plan.steps, 0, 0)
            for optimiser in plan.optimisers
        ]
        for data in plan.datasets
    }
    yield [run for runs in tuning.values() for run in runs]
    chosen = {data: chosen_optimisers(store, runs) for data, runs in tuning.items()}

    learning = {
        (data, optimiser, init): [
            Learn(
                section,
                f"learned from {'ReLU' if init == 'relu' else 'zeros'}",
                (data,),
                task,
                Network(1, 1, plan.learning_width, 1, Activation("spline", points=points)),
                replace(plan.learning, init=init, unroll=unroll, outer=Optimiser("adam", eta), inner=optimiser),
                seed,
            )
            for seed, (points, unroll, eta) in enumerate(plan.restarts)
        ]
        for data, optimisers in chosen.items()
        for optimiser in optimisers
        for init in ("relu", "zeros")
    }
    yield [run for runs in learning.values() for run in runs]

    def reuse(learn: Learn, role: str, optimiser: Optimiser, seed: int) -> Train:
        network = replace(learn.network, width=plan.width)
        key = store.key(learn)
        return Train(section, role, learn.arm, learn.data[0], task, network, optimiser, plan.steps, seed, seed, key)

    usable = {group: [run for run in runs if not store.get(run).numbers["diverged"]] for group, runs in learning.items()}
    selection = {
        group: [(run, reuse(run, "selection", group[1], 0)) for run in runs] for group, runs in usable.items() if runs
    }
    yield [run for pairs in selection.values() for _, run in pairs]

    finals = [
        Train(section, "final", "ReLU", data, task, Network(1, 1, plan.width), optimiser, plan.steps, seed, seed)
        for data, optimisers in chosen.items()
        for optimiser in optimisers
        for seed in plan.seeds
    ]
    for (_, optimiser, _), pairs in selection.items():
        best, _ = max(pairs, key=lambda pair: store.get(pair[1]).numbers["validation_accuracy"])
        finals += [reuse(best, "final", optimiser, seed) for seed in plan.seeds]
    yield finals


def chosen_optimisers(store: Store, runs: list[Train]) -> list[Optimiser]:
    """The optimiser with the best validation accuracy, and the best plain SGD if that is another one."""

    def best(candidates):
        return max(candidates, key=lambda run: store.get(run).numbers["validation_accuracy"]).optimiser

    plain = [run for run in runs if run.optimiser.name == "sgd"]
    return list(dict.fromkeys([best(runs), best(plain)]))


# --- grokking (Section 3.5) -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GrokkingPlan:
    """How much of Section 3.5 a profile computes; see :class:`ImagePlan`.

    tasks: names of algorithmic tasks. lr: of plain gradient descent. restarts: n_c, t, eta.
    """

    tasks: tuple[str, ...]
    steps: int
    width: int
    lr: float
    seeds: tuple[int, ...]
    restarts: tuple[tuple[int, int, float], ...]
    learning: Settings
    learning_width: int


GROKKING = {
    "smoke": GrokkingPlan(
        tasks=("a+b mod 13",),
        steps=3000,
        width=128,
        lr=1.0,
        seeds=(1, 2),
        restarts=((100, 20, 0.003),),
        learning=Settings(episodes=60, n_tr_start=100, n_tr_step=5, validation=0.1, watch=0.0),
        learning_width=64,
    ),
    "paper": GrokkingPlan(
        tasks=("a+b mod 27",),
        steps=60_000,
        width=256,
        lr=1.0,
        seeds=(1, 2, 3, 4, 5),
        restarts=((200, 20, 0.003), (200, 20, 0.003), (400, 20, 0.003), (200, 10, 0.01)),
        learning=Settings(
            episodes=200, n_tr_start=500, n_tr_step=10, n_tr_max=2500, validation=0.1, watch=0.0, patience=200
        ),
        learning_width=128,
    ),
}
SPLIT = 0  # the 80/20 split of a task is one and the same for learning and for every final run


def grokking(profile: str, store: Store) -> Stages:
    """Section 3.5: algorithmic tasks, ReLU against activations learned from zeros."""
    check_profile(profile)
    plan = GROKKING[profile]
    optimiser = Optimiser("sgd", plan.lr)

    def run(role, arm, task, activation, seed, learned="", validation=0.0):
        return Train(
            "grokking", role, arm, task, "one-hot", Network(1, 1, plan.width, 1, activation), optimiser, plan.steps,
            seed, SPLIT, learned, validation=validation, evaluations=300, log_spaced=True, complexity=False,
        )  # fmt: skip

    learning = {
        task: [
            Learn(
                "grokking",
                "learned from zeros",
                (task,),
                "one-hot",
                Network(1, 1, plan.learning_width, 1, Activation("spline", points=points, low=-1.0, high=1.0)),
                replace(plan.learning, unroll=unroll, outer=Optimiser("adam", eta), inner=optimiser),
                seed,
                split=SPLIT,
            )
            for seed, (points, unroll, eta) in enumerate(plan.restarts)
        ]
        for task in plan.tasks
    }
    relus = [run("final", "ReLU", task, Activation("relu"), seed) for task in plan.tasks for seed in plan.seeds]
    yield [learn for runs in learning.values() for learn in runs] + relus

    def reuse(learn, role, seed, validation=0.0):
        return run(role, learn.arm, learn.data[0], learn.network.activation, seed, store.key(learn), validation)

    usable = {task: [learn for learn in runs if not store.get(learn).numbers["diverged"]] for task, runs in learning.items()}
    selection = {task: [(learn, reuse(learn, "selection", 0, 0.1)) for learn in runs] for task, runs in usable.items()}
    yield [run for pairs in selection.values() for _, run in pairs]

    def merit(pair):  # the sooner and the higher on validation rows, the better
        curve = store.get(pair[1]).arrays["validation_accuracy"]
        return float(curve.mean())  # over evaluations in equal ratios of steps

    yield [
        reuse(max(pairs, key=merit)[0], "final", seed) for pairs in selection.values() if pairs for seed in plan.seeds
    ]


SECTIONS: dict[str, Callable[[str, Store], Stages]] = {"images": images, "regression": regression, "grokking": grokking}


# --- reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Collected:
    """What the store has of a section: records in the order of the stages, and the number of experiments without one.

    `missing` counts up to the first stage that is not complete: what follows it is not known yet.
    """

    records: list[Record]
    missing: int

    def frame(self, kind: str = "train", **equal: str) -> pd.DataFrame:
        """One row per record of a kind, with its configuration (nested keys joined by a dot), numbers, key and record.

        Args:
            equal: keep rows whose column has this value, e.g. ``role="final"``.
        """
        rows = []
        for record in self.records:
            if record.kind == kind:
                flat = pd.json_normalize(record.config).iloc[0].to_dict()
                rows.append(flat | record.numbers | {"key": record.key, "record": record})
        frame = pd.DataFrame(rows)
        for column, value in equal.items():
            frame = frame[frame[column] == value] if len(frame) else frame
        return frame.reset_index(drop=True)


def collect(section: str, profile: str, store: Store) -> Collected:
    """Read all records of a section that the store has.

    Example:
        >>> collect("grokking", "paper", Store()).frame(role="final").columns[:3].tolist()  # doctest: +SKIP
        ['kind', 'section', 'role']
    """
    records = []
    for stage in SECTIONS[section](profile, store):
        found = [store.get(experiment) for experiment in stage]
        records += [record for record in found if record is not None]
        if None in found:
            return Collected(records, found.count(None))
    return Collected(records, 0)
