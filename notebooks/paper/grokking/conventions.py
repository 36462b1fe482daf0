"""Grokking under each convention that the paper leaves open (Section 3.5): initial weights, reduction of the loss.

"MSE with a learning rate of 1.0" is two things: with a mean over examples and outputs, and with the mean over examples
of half the sum over outputs, which is the default of some toolboxes. Plain gradient descent on the second with rate 1
is that on the first with rate outputs / 2. So a convention is here an initialisation and a rate for the first.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace

from lib.metalearning import Settings
from lib.networks import INITIALISATIONS, Activation, Network
from lib.training import Optimiser

from ..experiments.controls import Draw
from ..experiments.learn import Learn
from ..experiments.protocol import ByProfile, Stages, best_of, speed, tuned, usable
from ..experiments.train import Train
from ..records.store import Store
from .plan import learn_on_pairs, train_on_pairs

Convention = tuple[str, float]  # initialisation, rate for the mean over examples and outputs
Function = tuple[Activation, str]  # with the key of the record that it is in, or ""
Functions = dict[Convention, Function]

RELU, SINE, NOT_LEARNED = "ReLU", "by hand: a sine", "random, not learned"
STARTS = {"random": "learned from random", "zeros": "learned from zeros", "relu": "learned from ReLU"}
TUNED = ", at its best rate"
HARDLY = 0.1  # validation accuracy; a function with which no trial gets there has no final runs


@dataclass(frozen=True)
class Plan:
    """How much a profile computes.

    mean, half_sum: the paper's rate in both reductions. rates: where each search for a rate begins; rate_trials,
    rate_steps: seeds and length of its runs. restarts: of each learning, and random functions; trials: the seeds that
    one of them, or a sine with one of the slopes, is chosen with, in runs of ``short`` steps. All of these are judged
    on pairs that were taken from the training pairs. seeds, steps: of the final runs, whose horizon is ``steps``; where
    all have arrived within ``short`` steps they end there. widths, held_out, seeds_13: of Figure 13.
    """

    task: str
    mean: float
    half_sum: float
    rates: tuple[float, ...]
    rate_trials: tuple[int, ...]
    rate_steps: int
    steps: int
    short: int
    width: int
    seeds: tuple[int, ...]
    trials: tuple[int, ...]
    restarts: int
    learning: Settings
    learning_width: int
    points: int
    slopes: tuple[float, ...]
    widths: tuple[int, ...]
    held_out: tuple[float, ...]
    seeds_13: tuple[int, ...]


PLANS = ByProfile(
    smoke=Plan(
        task="a+b mod 7",
        mean=1.0,
        half_sum=3.5,
        rates=(2.0, 4.0, 8.0),
        rate_trials=(11,),
        rate_steps=30,
        steps=60,
        short=30,
        width=32,
        seeds=(1, 2),
        trials=(11,),
        restarts=2,
        learning=Settings(episodes=4, n_tr_start=10, n_tr_step=1, unroll=3, watch=0.0),
        learning_width=16,
        points=40,
        slopes=(20.0, 40.0),
        widths=(16,),
        held_out=(0.25,),
        seeds_13=(1,),
    ),
    paper=Plan(
        task="a+b mod 27",
        mean=1.0,
        half_sum=13.5,
        rates=(0.5, 1.0, 2.0, 4.0, 8.0, 13.5, 20.0),
        rate_trials=(11, 12),
        rate_steps=20_000,
        steps=60_000,
        short=10_000,
        width=256,
        seeds=(1, 2, 3, 4, 5),
        trials=(11, 12, 13),
        restarts=4,
        learning=Settings(
            episodes=240,
            n_tr_start=800,
            n_tr_step=3,
            n_tr_max=1500,
            unroll=10,
            outer=Optimiser("adam", 0.003),
            validation=0.1,
            watch=0.0,
            patience=60,
        ),  # fmt: skip
        learning_width=128,
        points=200,
        slopes=(10.0, 20.0, 40.0, 80.0),
        widths=(32, 64, 128, 512),
        held_out=(0.125, 0.25, 0.375, 0.5),
        seeds_13=(1, 2, 3),
    ),
)


def everywhere(rate: float) -> list[Convention]:
    """A rate with each initialisation."""
    return [(init, rate) for init in ("glorot", "default", "he")]


def conventions(profile: str, store: Store) -> Stages:
    """Section 3.5 under each convention; what decides most comes first."""
    yield from Conventions(PLANS[profile], store).stages()


def sines(profile: str, store: Store) -> Stages:
    """What is compared with it, and decides nothing: sines at their own best rates, random functions."""
    yield from Conventions(PLANS[profile], store, section="sines").controls()


@dataclass(frozen=True, eq=False)
class Conventions:
    """The experiments; section: that of their records."""

    plan: Plan
    store: Store
    section: str = "conventions"

    def stages(self) -> Stages:
        plan, relu, learned = self.plan, (Activation(), ""), {}
        half_sum, mean = everywhere(plan.half_sum), everywhere(plan.mean)
        of_relu = dict.fromkeys(half_sum, relu)
        yield self.finals(RELU, of_relu)
        for convention in half_sum:
            learned |= yield from self.learned("random", [convention])
        yield from self.by_hand(half_sum)
        yield self.longer(RELU, of_relu)
        yield from self.figure_13({convention: learned.get(convention) for convention in half_sum[:2]})
        rates = yield from self.rates({(RELU, init): relu for init in INITIALISATIONS})
        best = [(init, rate) for (_, init), rate in rates.items()]
        for group in (mean, [convention for convention in best if convention not in half_sum + mean]):
            of_relu = dict.fromkeys(group, relu)
            yield self.finals(RELU, of_relu)
            learned |= yield from self.learned("random", group)
            if group is mean:  # at ReLU's best rate sines have their own, see `controls`
                yield from self.by_hand(group)
            yield self.longer(RELU, of_relu)
        name = STARTS["random"] + TUNED
        own = {(name, init): learned[init, rate] for init, rate in best if (init, rate) in learned}
        yield from self.at_best_rates(own)
        starts = {convention: {STARTS["random"]: function} for convention, function in learned.items()}
        for start in ("zeros", "relu"):
            for convention, function in (yield from self.learned(start, half_sum + mean, longer=False)).items():
                starts.setdefault(convention, {})[STARTS[start]] = function
        late = []
        for convention, functions in starts.items():
            trials = {arm: self.trials(arm, convention, function) for arm, function in functions.items()}
            if (arm := best_of(self.store, trials, speed)) != STARTS["random"]:
                late += self.longer(arm, {convention: functions[arm]})
        yield late

    def controls(self) -> Stages:
        yield from self.at_best_rates(
            {(f"{SINE}, slope {slope:g}", init): (self.sine(slope), "")
             for init in INITIALISATIONS for slope in self.plan.slopes}
        )  # fmt: skip
        yield from self.not_learned(everywhere(self.plan.half_sum))

    # --- what is compared ---------------------------------------------------------------------------------------------

    def finals(self, arm: str, functions: Functions) -> list[Train]:
        """The final runs of an arm under conventions, as long as most need."""
        return [self.run("final", arm, c, f, seed) for c, f in functions.items() for seed in self.plan.seeds]

    def longer(self, arm: str, functions: Functions) -> list[Train]:
        """The final runs up to the horizon, where one of an arm has not arrived."""
        groups = [self.finals(arm, {c: f}) for c, f in functions.items()]
        late = [group for group in groups if None in [self.store.get(run).numbers["test_steps_to_95"] for run in group]]
        return [replace(run, steps=self.plan.steps) for group in late for run in group]

    def chosen(
        self, arm: str, candidates: dict[Convention, list[Function]], longer: bool = True
    ) -> Generator[list, None, Functions]:
        """Trials of functions, and the final runs of the one that learns earliest under each convention.

        Returns these functions. A convention under which none learned has none. longer: the final runs go up to the
        horizon where one has not arrived.
        """
        trials = {(c, f): self.trials(arm, c, f) for c, functions in candidates.items() for f in functions}
        yield [run for runs in trials.values() for run in runs]

        best = {}
        for convention, functions in candidates.items():
            function = best_of(self.store, {f: trials[convention, f] for f in functions}, speed)
            reached = max(self.store.get(run).numbers["validation_accuracy"] for run in trials[convention, function])
            if reached >= HARDLY:
                best[convention] = function
        yield self.finals(arm, best)
        if longer:
            yield self.longer(arm, best)
        return best

    def learned(
        self, start: str, conventions: list[Convention], longer: bool = True
    ) -> Generator[list, None, Functions]:
        """Activations learned under each convention; returns those that were chosen among the restarts."""
        restarts = {c: [self.learn(start, c, seed) for seed in range(self.plan.restarts)] for c in conventions}
        yield [run for runs in restarts.values() for run in runs]
        candidates = {
            c: [(run.network.activation, self.store.key(run)) for run in usable(self.store, runs)]
            for c, runs in restarts.items()
        }
        return (yield from self.chosen(STARTS[start], {c: found for c, found in candidates.items() if found}, longer))

    def by_hand(self, conventions: list[Convention]) -> Stages:
        """A sine of the best slope."""
        sines = [(self.sine(slope), "") for slope in self.plan.slopes]
        yield from self.chosen(SINE, dict.fromkeys(conventions, sines))

    def not_learned(self, conventions: list[Convention]) -> Stages:
        """The control for what learning adds: random functions like those that it starts from."""
        plan, settings = self.plan, self.plan.learning
        draws = [
            Draw(
                section=self.section,
                arm=NOT_LEARNED,
                points=plan.points,
                low=-1.0,
                high=1.0,
                length=settings.length,
                seed=seed,
                deviation=settings.deviation,
            )
            for seed in range(plan.restarts)
        ]
        yield draws
        functions = [(self.spline, self.store.key(draw)) for draw in draws]
        yield from self.chosen(NOT_LEARNED, dict.fromkeys(conventions, functions))

    def at_best_rates(self, arms: dict[tuple[str, str], Function]) -> Stages:
        """Functions, by arm and initialisation, each at its own best rate; the earliest of them has final runs."""
        rates = yield from self.rates(arms)
        for init in INITIALISATIONS:
            mine = [(arm, (init, rates[arm, init]), f) for (arm, where), f in arms.items() if where == init]
            if mine:
                arm, convention, function = best_of(self.store, {m: self.rate_trials(*m) for m in mine}, speed)
                name = arm.split(", slope")[0].removesuffix(TUNED) + TUNED
                yield self.finals(name, {convention: function})
                yield self.longer(name, {convention: function})

    def figure_13(self, learned: dict[Convention, Function | None]) -> Stages:
        """Figure 13: other widths, and fewer training pairs."""
        # NOTE[DIFF]: within 10,000 steps in place of 60,000.
        plan = self.plan
        settings = [(width, 0.0) for width in plan.widths] + [(plan.width, part) for part in plan.held_out]
        for convention, function in learned.items():
            arms = {RELU: (Activation(), "")} | ({STARTS["random"]: function} if function else {})
            yield [
                replace(run, network=replace(run.network, width=width), validation=held_out)
                for width, held_out in settings
                for arm, f in arms.items()
                for run in (self.run("figure 13", arm, convention, f, seed) for seed in plan.seeds_13)
            ]

    # --- runs ---------------------------------------------------------------------------------------------------------

    @property
    def spline(self) -> Activation:
        return Activation("spline", points=self.plan.points, low=-1.0, high=1.0)

    @staticmethod
    def sine(slope: float) -> Activation:
        return Activation("sine", alpha=slope, amplitude=0.1)

    def learn(self, start: str, convention: Convention, seed: int) -> Learn:
        """One restart."""
        plan, (initialisation, rate) = self.plan, convention
        network = Network(width=plan.learning_width, depth=1, activation=self.spline, initialisation=initialisation)
        settings = replace(plan.learning, init=start, inner=Optimiser("sgd", rate))
        return learn_on_pairs(self.section, STARTS[start], (plan.task,), network, settings, seed)

    def run(self, role: str, arm: str, convention: Convention, function: Function, seed: int, steps: int = 0) -> Train:
        """One run. Trials go without a tenth of the training pairs and are judged on these."""
        (initialisation, rate), (activation, learned), plan = convention, function, self.plan
        network = Network(width=plan.width, depth=1, activation=activation, initialisation=initialisation)
        steps, held_out = steps or plan.short, 0.1 if "trial" in role else 0.0
        about = {"steps": steps, "evaluations": min(300, steps), "seed": seed, "validation": held_out}
        optimiser = Optimiser("sgd", rate)
        return train_on_pairs(self.section, role, arm, plan.task, network, optimiser, learned=learned, **about)

    def trials(self, arm: str, convention: Convention, function: Function) -> list[Train]:
        return [self.run("trial", arm, convention, function, seed) for seed in self.plan.trials]

    def rate_trials(self, arm: str, convention: Convention, function: Function) -> list[Train]:
        plan = self.plan
        return [self.run("rate trial", arm, convention, function, seed, plan.rate_steps) for seed in plan.rate_trials]

    def rates(self, functions: dict[tuple[str, str], Function]) -> Generator[list, None, dict[tuple[str, str], float]]:
        """The best rate for each arm and initialisation."""

        def trials(arm, init, function):
            return lambda rate: self.rate_trials(arm, (init, rate), function)

        arms = {(arm, init): trials(arm, init, function) for (arm, init), function in functions.items()}
        return (yield from tuned(self.store, arms, self.plan.rates, speed))
