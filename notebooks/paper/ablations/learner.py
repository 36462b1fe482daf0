"""A learner that picks its start (lib/learner.py) against a search among functions made by hand, task by task.

``learner.toml`` has the tasks, the margins and the rule of success, which were fixed before the runs.

There are two plans. In "learner" a race's trainings last a quarter of a whole training at most, and each seed has a
split of its own. What was seen there led to "longer": a function that is ahead after a quarter is often not at the end,
a race among functions may pick one that is worse than ReLU, and on tables the test rows of one split are training rows
of another. So there the last heat is a whole training; the three functions of that heat, what was learned from the
first of them and ReLU are the candidates of a restart; and there is one split. On tables Algorithm 1 also learns input
activations beside ReLU, and the learner chooses; the search by hand then has more races.
"""

import tomllib
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

from lib.networks import Activation, Network
from lib.training import Optimiser

from ..experiments.learn import Learn
from ..experiments.parts import learned_psi
from ..experiments.protocol import ByProfile, Stages, best_of, speed, usable, validation_accuracy
from ..experiments.race import EPISODES, GROUPS, PLACES, Pick, Race, auto_settings
from ..experiments.search import Search
from ..experiments.together import Together
from ..experiments.train import Train
from ..grokking.conventions import PLANS as CONVENTIONS
from ..grokking.conventions import Conventions
from ..grokking.plan import PLANS as GROKKING
from ..grokking.plan import Grokking
from ..records.store import Store

RELU, HAND, RANDOM, STARTS, LEARNED = "ReLU", "best made by hand", "best random", "best start", "learner"
SEARCHED, TRAININGS = "best of a Bayesian search", 30  # of each restart, about as many inner steps as a learner's
RATIONAL, DITAC = "rational, trained with the weights", "DiTAC, trained with the weights"
FAMILIES, SHARES = {RATIONAL: "rational", DITAC: "DiTAC"}, (1.0, 0.1, 0.01)  # rates of functions over those of weights
CHOICE, MORE = "learner, hidden or input", "best made by hand, more races"  # on tables
RANKS = "columns by rank, ReLU"  # a scaling made by hand that input activations could do
Function = tuple[Network, str]  # the network with its activations, and the key of the record that they are in


@dataclass(frozen=True)
class Setting:
    """One task, and how much of it is computed.

    optimiser, batch: tuned with ReLU, as other sections found them. network: of final runs, races and learnings. race:
    steps of a race's last heat. steps: of trainings; patience: see :class:`..experiments.train.Train`. seeds: of final
    runs.
    """

    data: str
    task: str
    network: Network
    optimiser: Optimiser
    batch: int
    race: int
    steps: int
    seeds: tuple[int, ...]
    patience: int = 0
    scaling: str = "default"


@dataclass(frozen=True)
class Plan:
    """restarts: of the learner, each with a race and a learning. races: of the search by hand, whose inner steps are
    about as many as those of the learner; more_races: where that learns input activations too. points: of a hidden
    spline; half of them of an input activation. trials: seeds of the runs that a function is chosen by. longer: whether
    races are as long as trainings, with all of the last heat and ReLU as candidates, and one split for all."""

    settings: dict[str, Setting]
    restarts: int
    races: int
    points: int
    trials: tuple[int, ...]
    longer: bool = False
    more_races: int = 0


TEN = tuple(range(1, 11))
MODULAR = Setting("a+b mod 27", "one-hot", Network(width=256), Optimiser("sgd", 1.0), 4096, 1200, 3000, TEN)
IMAGES = Setting("fashion_mnist", "regression", Network(width=128), Optimiser("adam", 0.001), 1024, 300, 1500, TEN)
TABLE = Setting(
    "electricity", "binary", Network(width=256, depth=2), Optimiser("rmsprop", 0.003), 512, 400, 3000, TEN, patience=15
)
# NOTE[DIFF]: functions are learned at the width of the final runs: at rate 13.5 one that trains a network of 64 units
# makes one of 256 diverge.
# NOTE[DIFF]: the tables' learning rates are those that the comparison on tables found, with networks of 2 layers.
PLANS = ByProfile(
    smoke=Plan(
        {
            "a+b mod 7": replace(MODULAR, data="a+b mod 7", network=Network(width=16), race=40, steps=60, seeds=(1, 2)),
            "digits": replace(IMAGES, data="digits", network=Network(width=8), race=20, steps=40, seeds=(1, 2)),
        },
        restarts=2,
        races=3,
        points=40,
        trials=(0, 11),
    ),
    paper=Plan(
        {
            "a+b mod 27, default, rate 1": MODULAR,
            "a+b mod 27, Glorot, rate 13.5": replace(
                MODULAR, network=Network(width=256, initialisation="glorot"), optimiser=Optimiser("sgd", 13.5)
            ),
            "Fashion-MNIST regression, depth 1": IMAGES,
            "electricity": TABLE,
            "Fashion-MNIST regression, depth 4": replace(IMAGES, network=Network(width=128, depth=4, residual=True)),
            "credit": replace(TABLE, data="credit", optimiser=Optimiser("rmsprop", 0.0003)),
        },
        restarts=4,
        races=8,
        points=200,
        trials=(0, 11, 12),
    ),
)


def with_long_races(plan: Plan) -> Plan:
    """The plan with races as long as trainings."""
    settings = {name: replace(s, race=s.steps) for name, s in plan.settings.items()}
    return replace(plan, longer=True, more_races=plan.races * 5 // 3, settings=settings)


LONGER = ByProfile({profile: with_long_races(plan) for profile, plan in PLANS.items()})
SMALL_TABLE = replace(TABLE, data="breast_cancer", network=Network(width=8), race=100, steps=100, seeds=(1, 2))
LONGER["smoke"].settings["breast_cancer"] = SMALL_TABLE


def margins() -> dict[str, float]:
    """The margin of each task; see ``learner.toml``."""
    rules = tomllib.loads(Path(__file__).with_name("learner.toml").read_text(encoding="utf-8"))
    return {name: rule["margin"] for name, rule in rules["tasks"].items()}


def learner(profile: str, store: Store) -> list[Stages]:
    """The comparison, a chain of stages per task; what is compared with first is what the rule needs."""
    return _chains(PLANS[profile], store)


def longer(profile: str, store: Store) -> list[Stages]:
    """The same with races as long as trainings."""
    return _chains(LONGER[profile], store)


def _chains(plan: Plan, store: Store) -> list[Stages]:
    return [OneTask(plan, name, setting, store).stages() for name, setting in plan.settings.items()]


@dataclass(frozen=True, eq=False)
class OneTask:
    """The experiments of a task; ``name`` is part of the arms, as two tasks may have the same data."""

    plan: Plan
    name: str
    setting: Setting
    store: Store

    def stages(self) -> Stages:
        plan, relu = self.plan, (self.setting.network, "")
        races = [self.race(seed) for seed in range(plan.races)]
        own = races[: plan.restarts]
        yield own
        learns = [self.learn(race) for race in own]
        places = {self.pick(LEARNED, race, place): race for race in own for place in PLACES * plan.longer}
        yield learns + list(places)
        starts = [self.function(race) for race in own] + [self.function(race, pick) for pick, race in places.items()]
        learned = {learn.seed: self.function(learn) for learn in usable(self.store, learns)}
        candidates = starts + list(learned.values()) + [relu] * plan.longer
        yield from self.finals(LEARNED, candidates)
        of_restart = {
            race.seed: [
                self.function(race),
                *(self.function(race, pick) for pick, of in places.items() if of == race),
                *([learned[race.seed]] if race.seed in learned else []),
                relu,
            ]
            for race in own
        }
        if plan.longer:
            yield from self.restarts(LEARNED, of_restart)
        yield self.relu()
        at_random = {race: self.pick(RANDOM, race, GROUPS[1]) for race in own}
        yield list(at_random.values())
        yield from self.finals(STARTS, starts)
        yield from self.finals(RANDOM, [self.function(race, pick) for race, pick in at_random.items()])
        made = yield from self.by_hand(HAND, races)
        if not plan.longer or self.setting.task == "collage":
            return
        if self.setting.task == "binary":
            yield from self.choice(candidates, of_restart, made)
        searches = [self.search(race) for race in own]
        yield searches
        yield from self.finals(SEARCHED, [self.function(search) for search in searches])
        for arm in FAMILIES:
            tried = {share: [self.together(arm, "trial", share, seed) for seed in plan.trials] for share in SHARES}
            yield [run for runs in tried.values() for run in runs]
            best = best_of(self.store, tried, self.merit)
            yield [self.together(arm, "final", best, seed) for seed in self.setting.seeds]

    def by_hand(self, arm: str, races: list[Race], made: list[Function] = ()) -> Generator[list, None, list[Function]]:
        """Further races, and final runs of the best function made by hand of all; returns these functions."""
        yield races
        picks = {race: self.pick(HAND, race, GROUPS[0]) for race in races}
        yield list(picks.values())
        made = [*made, *(self.function(race, pick) for race, pick in picks.items())]
        yield from self.finals(arm, made)
        return made

    def choice(self, found: list[Function], of_restart: dict[int, list[Function]], made: list[Function]) -> Stages:
        """Input activations too, and a search by hand with as many more inner steps; and columns by rank."""
        plan = self.plan
        tuned = [self.run("trial", "one of several", (self.setting.network, ""), seed) for seed in plan.trials]
        needed = int(max(self.store.get(run).numbers["best_step"] for run in tuned))
        learns = [self.learn_inputs(seed, max(needed, self.setting.race // 10)) for seed in of_restart]
        yield learns
        inputs = {learn.seed: self.function(learn) for learn in usable(self.store, learns)}
        yield from self.finals(CHOICE, found + list(inputs.values()))
        wider = {seed: own + [inputs[seed]] * (seed in inputs) for seed, own in of_restart.items()}
        yield from self.restarts(CHOICE, wider)
        yield from self.by_hand(MORE, [self.race(seed) for seed in range(plan.races, plan.more_races)], made)
        yield [
            replace(self.run("final", RANKS, (self.setting.network, ""), seed), scaling="quantile")
            for seed in self.setting.seeds
        ]

    def finals(self, arm: str, functions: list[Function]) -> Stages:
        """Trials, and the final runs of the best."""
        best = yield from self.chosen(functions)
        yield [self.run("final", arm, best, seed) for seed in self.setting.seeds]

    def restarts(self, arm: str, of_restart: dict[int, list[Function]]) -> Stages:
        """Final runs of the best function of each restart."""
        for restart, functions in of_restart.items():
            best = yield from self.chosen(functions)
            yield [self.run("restart", f"{arm}, restart {restart}", best, seed) for seed in self.setting.seeds]

    def chosen(self, functions: list[Function]) -> Generator[list, None, Function]:
        """Trials of each function, and the best one."""
        trials = {f: [self.run("trial", "one of several", f, seed) for seed in self.plan.trials] for f in functions}
        yield [run for runs in trials.values() for run in runs]
        return best_of(self.store, trials, self.merit)

    def merit(self, store: Store, run: Train) -> float:
        """What a trial is judged by: how early it learns, or its validation accuracy."""
        return (speed if self.setting.task == "one-hot" else validation_accuracy)(store, run)

    def relu(self) -> list[Train]:
        """The runs of ReLU; where another section has the same, those."""
        s, relu = self.setting, (Activation(), "")
        convention = (s.network.initialisation, s.optimiser.lr)
        if s.data == MODULAR.data and convention == ("default", MODULAR.optimiser.lr):
            grokking = Grokking(GROKKING["paper"], self.store)
            return [grokking.run("final", RELU, s.data, *relu, seed) for seed in grokking.plan.seeds]
        if s.data == MODULAR.data:
            of = Conventions(CONVENTIONS["paper"], self.store)
            return [of.run("final", RELU, convention, relu, seed) for seed in of.plan.seeds]
        runs = [self.run("final", RELU, (s.network, ""), seed) for seed in s.seeds]
        return [replace(run, arm=RELU) for run in runs] if s == IMAGES else runs  # as in the ablations

    # --- runs ---------------------------------------------------------------------------------------------------------

    def arm(self, arm: str) -> str:
        return f"{arm}: {self.name}"

    def about(self) -> dict:
        s = self.setting
        return {"section": "ablations", "task": s.task, "scaling": s.scaling}

    def race(self, seed: int) -> Race:
        s = self.setting
        network = replace(s.network, activation=Activation("spline", points=self.plan.points))
        about = {"data": s.data, "network": network, "optimiser": s.optimiser, "batch": s.batch, "steps": s.race}
        return Race(arm=self.arm("race"), seed=seed, **about, **self.about())

    def search(self, race: Race) -> Search:
        about = vars(race) | {"arm": self.arm(SEARCHED)}
        return Search(race=self.store.key(race), trainings=TRAININGS, **about)

    def learn(self, race: Race) -> Learn:
        s, key = self.setting, self.store.key(race)
        self.store.get(race)  # where plans are followed as far as there are records, this says that it is not there
        start = learned_psi(self.store, key)
        settings = auto_settings(s.optimiser, s.batch, s.race, start)
        about = {"data": (s.data,), "network": self.function(race)[0], "settings": settings, "seed": race.seed}
        return Learn(arm=self.arm(LEARNED), start=key, **about, **self.about())

    def learn_inputs(self, seed: int, steps: int) -> Learn:
        """Input activations beside ReLU, from the identity, with about as many inner steps as for a hidden function.

        steps: of an episode, as long as ReLU needs; in longer ones its networks overfit, whatever the inputs are.
        """
        s = self.setting
        inputs = Activation("spline", points=self.plan.points // 2, low=-1.0, high=1.0)
        network = replace(s.network, input_activation=inputs)
        episodes = EPISODES * s.race // steps
        auto = auto_settings(s.optimiser, s.batch, steps, network.init_psi(), episodes)
        # half of the rows are V, as on all tables: with a fifth, input activations overfit those that V is drawn from
        settings = replace(auto, validation=0.5, patience=episodes // 2)
        about = {"data": (s.data,), "network": network, "settings": settings, "seed": seed}
        return Learn(arm=self.arm(f"{LEARNED}, inputs"), **about, **self.about())

    def pick(self, arm: str, race: Race, group: str) -> Pick:
        return Pick(section="ablations", arm=self.arm(arm), race=self.store.key(race), group=group)

    def function(self, source: Race | Learn | Search, pick: Pick | None = None) -> Function:
        """What a race, a learning or a search found, or what was picked from a race."""
        key = self.store.key(pick or source)
        if not isinstance(source, Race):  # a learning, whose range is known
            return source.network, key
        found = self.store.get(source).numbers
        activation = replace(source.network.activation, low=found["low"], high=found["high"])
        return replace(source.network, activation=activation), key

    def together(self, arm: str, role: str, share: float, seed: int) -> Together:
        """A training with a function that is trained with the weights."""
        run = self.run(role, arm, (self.setting.network, ""), seed)
        return Together(**vars(run) | {"complexity": False}, share=share, family=FAMILIES[arm])

    def run(self, role: str, arm: str, function: Function, seed: int) -> Train:
        """A training; on modular tasks trials are judged on a tenth of the training pairs, and final runs have all."""
        s, (network, learned) = self.setting, function
        modular = s.task == "one-hot"
        about = {"evaluations": min(100, s.steps), "log_spaced": True, "complexity": False} if modular else {}
        if modular:
            about |= {"validation": 0.1 if role == "trial" else 0.0}
        if s.patience:
            about |= {"patience": s.patience, "evaluations": s.steps // 50, "complexity": False}
        return Train(
            role=role, arm=self.arm(arm), data=s.data, network=network, optimiser=s.optimiser, batch=s.batch,
            steps=s.steps, seed=seed, split=0 if modular or self.plan.longer else seed, learned=learned,
            **about, **self.about(),
        )  # fmt: skip
