"""The plan of the two studies: tune, learn, choose, tune again, repeat; ``rule.toml`` was there before."""

from dataclasses import dataclass, replace

from lib.training import Optimiser

from ..experiments.architectures import LearnModule, Subject, TrainModule
from ..experiments.protocol import ByProfile, Stages, best_of, speed, tuned, usable, validation_accuracy
from ..records.store import Store

RELU, GELU, HAND, LEARNED = ARMS = ("ReLU", "GELU", "best by hand", "learned")
Function = tuple[str, str]  # as in a TrainModule: its name and the key of the record that it is in


@dataclass(frozen=True)
class Study:
    """One architecture on one dataset, and how much of it is computed.

    rates: where the grids begin. steps: of final runs. trial: of those that choices go by. patience, evaluations: as in
    a TrainModule. race: steps of a race's last heat and of an episode. by_hand: what "by hand" means, see FOUND.
    """

    subject: Subject
    batch: int
    rates: tuple[float, ...]
    steps: int
    trial: int
    evaluations: int
    race: int
    episodes: int
    by_hand: str
    patience: int = 0
    restarts: int = 4
    points: int = 200
    trials: tuple[int, ...] = (101,)
    seeds: tuple[int, ...] = (1, 2, 3, 4, 5)

    @property
    def pairs(self) -> bool:
        """Whether the steps to 95 % count, and not the accuracy."""
        return self.subject.model == "transformer"


# Sizes are what an hour of half a core allows, by the time of a step; set before any run had ended.
ADDITION = Study(
    Subject("transformer", 32, "a+b mod 27", 0, 0.375), batch=4096, rates=(0.001, 0.003, 0.01, 0.0333, 0.111),
    steps=3000, trial=1500, evaluations=60, race=200, episodes=12, by_hand="sine",
)  # fmt: skip
FASHION = Study(
    Subject("cnn", 8, "fashion_mnist", 2000, 0.1), batch=128, rates=(0.001, 0.003, 0.01), steps=1000, trial=1000,
    evaluations=20, race=80, episodes=12, by_hand="by_hand", patience=4,
)  # fmt: skip
CIFAR = replace(FASHION, subject=replace(FASHION.subject, data="cifar10"))
TINY = {
    "race": 8,
    "episodes": 2,
    "restarts": 2,
    "points": 20,
    "seeds": (1, 2),
    "evaluations": 10,
    "steps": 60,
    "trial": 40,
}
PLANS = ByProfile(
    smoke={
        "a+b mod 7": replace(ADDITION, subject=Subject("transformer", 8, "a+b mod 7", 0, 0.375), **TINY),
        "digits": replace(FASHION, subject=Subject("cnn", 2, "digits", 200, 0.1), **TINY),
    },
    paper={"a+b mod 27": ADDITION, "Fashion-MNIST": FASHION, "CIFAR-10": CIFAR},
)


def architectures(profile: str, store: Store) -> list[Stages]:
    """A chain of stages per study."""
    return [OneStudy(study, store).stages() for study in PLANS[profile].values()]


@dataclass(frozen=True, eq=False)
class OneStudy:
    """The experiments of a study."""

    study: Study
    store: Store

    def stages(self) -> Stages:
        s, fixed = self.study, {RELU: (RELU, ""), GELU: (GELU, "")}
        rates = yield from self.rates(fixed)
        learns = [self.learn(rates[RELU], seed) for seed in range(s.restarts)]
        yield learns
        keys = [self.store.key(learn) for learn in usable(self.store, learns)]
        found = {}
        for arm, part in ((LEARNED, "hidden"), (HAND, s.by_hand)):
            trials = {(part, key): self.trials(arm, (part, key), rates[RELU]) for key in keys}
            yield [run for runs in trials.values() for run in runs]
            found[arm] = best_of(self.store, trials, self.merit)
        rates |= yield from self.rates(found)
        functions = fixed | found
        yield [self.run("final", arm, functions[arm], rates[arm], seed) for seed in s.seeds for arm in ARMS]

    def rates(self, functions: dict[str, Function]) -> Stages:
        """Trials with rates, and the best rate of each arm."""
        arms = {arm: lambda rate, arm=arm, f=f: self.trials(arm, f, rate) for arm, f in functions.items()}
        return (yield from tuned(self.store, arms, self.study.rates, self.merit))

    def merit(self, store: Store, run: TrainModule) -> float:
        """What choices go by: on validation rows, how soon, or the accuracy at the best step."""
        return speed(store, run) if self.study.pairs else validation_accuracy(store, run)

    def trials(self, arm: str, function: Function, rate: float) -> list[TrainModule]:
        """The runs that a function with a rate is judged by."""
        return [self.run("trial", arm, function, rate, seed) for seed in self.study.trials]

    def learn(self, rate: float, seed: int) -> LearnModule:
        s = self.study
        about = {"batch": s.batch, "steps": s.race, "episodes": s.episodes, "points": s.points, "seed": seed}
        about |= {"subject": s.subject, "optimiser": Optimiser("adam", rate)}
        return LearnModule(section="architectures", arm=LEARNED, **about)

    def run(self, role: str, arm: str, function: Function, rate: float, seed: int) -> TrainModule:
        """A training. Final runs on images have validation rows, and so training rows, of their own."""
        s, (name, learned), trial = self.study, function, role == "trial"
        return TrainModule(
            section="architectures", role=role, arm=arm, subject=s.subject, function=name, learned=learned,
            optimiser=Optimiser("adam", rate), batch=s.batch, steps=s.trial if trial else s.steps, seed=seed,
            evaluations=s.evaluations, log_spaced=s.pairs, patience=s.patience, split=0 if s.pairs or trial else seed,
        )  # fmt: skip
