"""Starts and ways to the outer gradient, side by side on three of the learner's tasks, with as many inner steps."""

from dataclasses import dataclass, replace

from lib.learner import outer_rate
from lib.training import Optimiser

from ..experiments.learn import Learn
from ..experiments.protocol import ByProfile, Stages, usable
from ..experiments.race import Race, auto_settings
from ..experiments.ways import TRAININGS
from ..records.store import Store
from . import learner

ARMS = {  # where psi starts, and how its gradient is estimated
    "from zeros": ("zeros", "unrolled"),
    "from ReLU": ("relu", "unrolled"),
    "from random": ("random", "unrolled"),
    "from random, losses along the training": ("random", "along"),
    "from random, smoothed gradient": ("random", "smoothed"),
    "from random, mean over 3 trainings": ("random", "averaged"),
    "from random, evolution strategies": ("random", "evolved"),
    "from random, persistent evolution strategies": ("random", "persistent"),
}
DEVIATION, LENGTH = 0.5, 0.3  # of a random start, in units of the deviation of the pre-activations


@dataclass(frozen=True)
class Plan:
    """tasks: of the learner's. restarts: of each arm. episodes: of those with one training each. seeds: of the runs
    that a function is judged by."""

    tasks: tuple[str, ...]
    restarts: int
    episodes: int
    seeds: tuple[int, ...]


PLANS = ByProfile(
    smoke=Plan(("a+b mod 7",), restarts=2, episodes=4, seeds=(0,)),
    paper=Plan(
        ("a+b mod 27, default, rate 1", "a+b mod 27, Glorot, rate 13.5", "Fashion-MNIST regression, depth 1"),
        restarts=8,
        episodes=40,
        seeds=(0, 11),
    ),
)


def variants(profile: str, store: Store) -> list[Stages]:
    """A chain of stages per task."""
    plan, of = PLANS[profile], learner.PLANS[profile]
    tasks = {name: learner.OneTask(of, name, of.settings[name], store) for name in plan.tasks}
    return [stages(plan, task) for task in tasks.values()]


def stages(plan: Plan, task: learner.OneTask) -> Stages:
    """Races like the learner's give range and scale; then each arm learns, and each function is used."""
    races = [task.race(seed) for seed in range(plan.restarts)]
    yield races
    learns = [learn(plan, task, race, arm) for arm in ARMS for race in races]
    yield learns
    yield [
        replace(task.run("trial", "", task.function(one), seed), arm=one.arm)
        for one in usable(task.store, learns)
        for seed in plan.seeds
    ]


def learn(plan: Plan, task: learner.OneTask, race: Race, arm: str) -> Learn:
    """One restart. Episodes with several trainings are fewer, and their steps of psi as much larger."""
    (start, way), s = ARMS[arm], task.setting
    scale, trainings = task.store.get(race).numbers["scale"], TRAININGS.get(way, 1)
    network = task.function(race)[0]
    about = {"init": start, "deviation": DEVIATION * scale, "length": LENGTH * scale}
    settings = auto_settings(s.optimiser, s.batch, s.race, network.init_psi(), plan.episodes // trainings)
    # of a random start the deviation that it has on average: its own differs in the last digit between processors
    rate = outer_rate(network.init_psi("zeros" if start == "random" else start), otherwise=DEVIATION * scale)
    return Learn(
        arm=task.arm(arm), data=(s.data,), network=network, seed=race.seed, way=way,
        settings=replace(settings, outer=Optimiser("adam", trainings * rate), patience=plan.episodes, **about),
        **task.about(),
    )  # fmt: skip
