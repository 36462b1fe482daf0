"""Tables: trees against networks with ReLU, tuned tanh and learned activations (Section 3.3, Appendix E.4).

The stages go through the datasets one after the other, so that those that are done can be read while the
others are missing. Everything of a dataset uses one split (number 0): an activation was learned on its
training rows, which are test rows of another split.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from lib.baselines import MODELS, Baseline
from lib.experiments import Learn, Train
from lib.networks import Activation, Network
from lib.planes import Panels, Paths
from lib.ranks import Ranks
from lib.results import Store
from lib.sections.plans import Stages, check_profile, usable, validation_accuracy
from lib.sections.tabular_plans import PLANS, Plan, inputs, spline
from lib.training import Optimiser

SECTION, SPLIT = "tabular", 0
ZEROS, FROM_RELU, INPUTS = "learned from zeros", "learned from ReLU", "learned inputs"
ARMS = ("ReLU", "tanh", FROM_RELU, ZEROS, INPUTS)
RANKED = "ReLU, columns by rank"  # a control


def tabular(profile: str, store: Store) -> Stages:
    """Section 3.3, dataset by dataset, and then a control on all of them."""
    check_profile(profile)
    plan = PLANS[profile]
    tables = [Table(plan, data, store) for data in plan.datasets]
    for table in tables:
        yield from table.stages()
    for stages in zip(*(table.ranked() for table in tables), strict=True):
        yield [experiment for stage in stages for experiment in stage]


@dataclass(frozen=True, eq=False)
class Table:
    """The experiments with one dataset."""

    plan: Plan
    data: str
    store: Store

    def stages(self) -> Stages:
        plan, relu, tuning = self.plan, self.relu, self.tuning()
        yield tuning + self.baselines()

        optimiser = self.best(tuning).optimiser
        slopes = [
            self.train(
                "tuning",
                "tanh",
                replace(relu, activation=Activation("tanh", alpha=alpha)),
                slower(optimiser, alpha),
                0,
            )
            for alpha in plan.alphas
        ]
        learning = [self.learn(arm, optimiser, seed) for arm in ARMS[2:] for seed in range(len(plan.restarts))]
        variants = self.variants(optimiser) if self.data == plan.datasets[0] else []
        yield slopes + learning + variants

        chosen = {"ReLU": self.best(tuning), "tanh": self.best(slopes)}
        selection = [self.reuse("selection", learn, relu, optimiser, 0) for learn in usable(self.store, learning)]
        yield selection + [
            self.reuse("variant", learn, relu, optimiser, seed)
            for learn in usable(self.store, variants)
            for seed in plan.width_seeds
        ]
        for arm in ARMS[2:]:
            if runs := [run for run in selection if run.arm == arm]:
                chosen[arm] = self.best(runs)

        focus = self.data in plan.focus
        deciding = plan.focus_depth_seeds if focus else plan.depth_seeds
        seeds = plan.seeds[:deciding]
        final = {
            (arm, depth): [self.again("final", run, seed, depth=depth) for seed in seeds]
            for arm, run in chosen.items()
            for depth in plan.depths
        }
        yield [run for runs in final.values() for run in runs]
        deep = {arm: best_depth({d: self.validation(final[arm, d]) for d in plan.depths}) for arm in chosen}
        yield [
            self.again("final", run, seed, depth=deep[arm])
            for arm, run in chosen.items()
            for seed in plan.seeds[deciding:]
        ]
        if not focus:
            return
        pictured = [run for arm in ("ReLU", "tanh", ZEROS, INPUTS) if arm in deep for run in final[arm, deep[arm]][:1]]
        first = plan.seeds[0]
        pictured += [run for run in self.baselines() if run.model != "linear" and run.seed == first]
        landscape, sliced = plan.resolutions
        yield (
            [
                self.again("width", chosen[arm], seed, width=width)
                for arm in ("ReLU", FROM_RELU, ZEROS, INPUTS)
                if arm in chosen
                for width in plan.widths
                for seed in plan.width_seeds
            ]
            + self.paths(relu, optimiser)
            + [Panels(run, resolution=landscape, slice_resolution=sliced) for run in pictured]
        )

    def ranked(self) -> Stages:
        """The control for learned inputs: ReLU on columns by rank, at the depth that does best on validation rows."""
        plan, wide = self.plan, inputs(self.plan.restarts[0][0])
        ranks = Ranks(SECTION, RANKED, self.data, SPLIT, wide.points, wide.low, wide.high)
        yield [ranks]
        network, optimiser = replace(self.relu, input_activation=wide), self.best(self.tuning()).optimiser
        run = self.train("control", RANKED, network, optimiser, 0, self.store.key(ranks))
        seeds = plan.seeds[: plan.depth_seeds]
        tried = {depth: [self.again("control", run, seed, depth=depth) for seed in seeds] for depth in plan.depths}
        yield [run for runs in tried.values() for run in runs]
        depth = best_depth({d: self.validation(runs) for d, runs in tried.items()})
        yield [self.again("control", run, seed, depth=depth) for seed in plan.seeds[plan.depth_seeds :]]

    @property
    def relu(self) -> Network:
        return Network(1, 1, self.plan.width, self.plan.middle)

    def tuning(self) -> list[Train]:
        return [self.train("tuning", "ReLU", self.relu, optimiser, 0) for optimiser in self.plan.optimisers]

    def train(self, role: str, arm: str, network: Network, optimiser: Optimiser, seed: int, learned: str = "") -> Train:
        steps, batch = self.plan.steps, self.plan.batch
        return Train(
            SECTION, role, arm, self.data, "binary", network, optimiser, steps, seed, SPLIT, learned, batch
        )  # fmt: skip

    def baselines(self) -> list[Baseline]:
        """Trees with each seed; the others have no randomness."""
        searches = [(model, seed) for model in MODELS for seed in self.plan.seeds]
        return [
            Baseline(SECTION, "final", model, self.data, model, seed, SPLIT, self.plan.trials if trees else 1)
            for model, seed in searches
            if (trees := model == "boosted trees") or seed == self.plan.seeds[0]
        ]

    def learn(self, arm: str, optimiser: Optimiser, seed: int) -> Learn:
        """One restart of Algorithm 1, in a narrow network."""
        points, unroll, eta = self.plan.restarts[seed]
        network = Network(1, 1, self.plan.learning_width, self.plan.middle)
        if arm == INPUTS:
            network = replace(network, input_activation=inputs(points))
        else:
            network = replace(network, activation=spline(points))
        settings = replace(
            self.plan.learning,
            init="relu" if arm == FROM_RELU else "zeros",
            unroll=unroll,
            outer=replace(self.plan.learning.outer, lr=eta),
            inner=optimiser,
        )
        return Learn(SECTION, arm, (self.data,), "binary", network, settings, seed, SPLIT)

    def variants(self, optimiser: Optimiser) -> list[Learn]:
        return [
            Learn(
                SECTION, variant.name, (self.data,), "binary", variant.network,
                replace(variant.settings, inner=optimiser), 0, SPLIT,
            )
            for variant in self.plan.variants
        ]  # fmt: skip

    def paths(self, like: Network, optimiser: Optimiser) -> list[Paths]:
        """Networks with tanh of many slopes, for the comparison of the measures (first dataset only)."""
        if self.data != self.plan.datasets[0]:
            return []
        alphas, seeds = self.plan.measured
        networks = [replace(like, activation=Activation("tanh", alpha=alpha)) for alpha in alphas]
        return [
            Paths(self.train("measured", "tanh", network, slower(optimiser, network.activation.alpha), seed))
            for network in networks
            for seed in self.plan.seeds[:seeds]
        ]

    def reuse(self, role: str, learn: Learn, like: Network, optimiser: Optimiser, seed: int) -> Train:
        """Train a network as wide and deep as another, with a learned activation fixed."""
        network = replace(learn.network, width=like.width, depth=like.depth)
        return self.train(role, learn.arm, network, optimiser, seed, self.store.key(learn))

    def again(self, role: str, run: Train, seed: int, **changes: int) -> Train:
        """A run with another seed, and another depth or width."""
        return replace(run, role=role, seed=seed, network=replace(run.network, **changes))

    def validation(self, runs: Iterable[Train]) -> list[float]:
        return [validation_accuracy(self.store, run) for run in runs]

    def best(self, runs: list[Train]) -> Train:
        return max(runs, key=lambda run: validation_accuracy(self.store, run))


def slower(optimiser: Optimiser, alpha: float) -> Optimiser:
    """The learning rate divided by alpha (Appendix E.4)."""
    return replace(optimiser, lr=optimiser.lr / alpha)


def best_depth(accuracies: dict[int, list[float]]) -> int:
    """The depth with the highest mean validation accuracy; the lowest of equals.

    Example:
        >>> best_depth({1: [0.8, 0.9], 2: [0.85, 0.85], 3: [0.7, 0.9]})
        1
    """
    return max(sorted(accuracies), key=lambda depth: sum(accuracies[depth]) / len(accuracies[depth]))
