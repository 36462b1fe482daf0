"""The learner that picks its start on collages: an activation for the tile that ReLU ignores; see :mod:`.learner`.

The rule and its margin are those of ``learner.toml``. V names the second tile, as in Section 3.4: functions race for it
and Algorithm 1 learns on half of it, the other half tells where trainings stop and what is chosen.
"""

from dataclasses import dataclass, replace

from lib.networks import Network
from lib.training import Optimiser

from ..experiments.collage import LearnCollage, RaceCollage, TrainCollage
from ..experiments.parts import learned_psi
from ..experiments.protocol import ByProfile, Stages, tuned
from ..experiments.race import auto_settings
from ..records.store import Store
from ..shortcuts.plan import stopped_for
from . import learner
from .learner import LEARNED, RELU, Function

TILE = "second"
RATES = (0.03, 0.1, 0.3, 1.0)  # where the search for ReLU's begins
NAME = "MNIST and CIFAR-10 collages"
SETTING = learner.Setting(
    "mnist + cifar10", "collage", Network(width=32), Optimiser("sgd", 0.1), 4096, 1000, 1000, learner.TEN
)
SMALL = replace(SETTING, data="digits + noisy_digits", network=Network(width=8), race=50, steps=50, seeds=(1, 2))
PLANS = ByProfile(
    smoke=replace(learner.LONGER["smoke"], settings={"digits collages": SMALL}),
    paper=replace(learner.LONGER["paper"], settings={NAME: SETTING}),
)


def collages(profile: str, store: Store) -> list[Stages]:
    """The comparison on one kind of collages."""
    return [OneCollage(PLANS[profile], *task, store).stages() for task in PLANS[profile].settings.items()]


@dataclass(frozen=True, eq=False)
class OneCollage(learner.OneTask):
    """The experiments; ReLU's rate is tuned first, and is that of all arms."""

    def stages(self) -> Stages:
        rates = yield from tuned(self.store, {RELU: self.rate_trials}, RATES, self.merit)
        tuned_setting = replace(self.setting, optimiser=Optimiser("sgd", rates[RELU]))
        yield from learner.OneTask.stages(replace(self, setting=tuned_setting))

    def rate_trials(self, rate: float) -> list[TrainCollage]:
        """ReLU at a rate."""
        s = self.setting
        at = replace(self, setting=replace(s, optimiser=Optimiser("sgd", rate)))
        return [at.run("rate trial", RELU, (s.network, ""), seed) for seed in self.plan.trials]

    def merit(self, store: Store, run: TrainCollage) -> float:
        return stopped_for(TILE)(store, run)

    def relu(self) -> list[TrainCollage]:
        return [self.run("final", RELU, (self.setting.network, ""), seed) for seed in self.setting.seeds]

    def race(self, seed: int) -> RaceCollage:
        return RaceCollage(**vars(super().race(seed)), tile=TILE)

    def learn(self, race: RaceCollage) -> LearnCollage:
        s, key = self.setting, self.store.key(race)
        self.store.get(race)
        settings = auto_settings(s.optimiser, s.batch, s.race, learned_psi(self.store, key))
        return LearnCollage(
            section="ablations", arm=self.arm(LEARNED), first=race.first, second=race.second, tile=TILE,
            network=self.function(race)[0], settings=replace(settings, objective="given", watch=0.0), seed=race.seed,
            start=key,
        )  # fmt: skip

    def run(self, role: str, arm: str, function: Function, seed: int) -> TrainCollage:
        """A training on the same collages, whatever the seed."""
        s, (network, learned) = self.setting, function
        first, second = s.data.split(" + ")
        return TrainCollage(
            section="ablations", role=role, arm=self.arm(arm), first=first, second=second, network=network,
            optimiser=s.optimiser, steps=s.steps, seed=seed, split=0, learned=learned, batch=s.batch,
        )  # fmt: skip
