"""Images as classification and as regression (Sections 3.1 and 3.2, Appendix E.2)."""

from dataclasses import dataclass, replace

from lib.experiments import Draw, Learn, Train
from lib.metalearning import Settings
from lib.networks import Activation, Network
from lib.results import Store
from lib.sections.plans import Stages, check_profile, chosen_optimisers, usable, validation_accuracy
from lib.training import Optimiser


@dataclass(frozen=True)
class Plan:
    """How much of Sections 3.1 and 3.2 a profile computes.

    datasets: names. optimisers: the candidates for tuning with ReLU. steps, width: of the networks that are compared.
    seeds: of the final runs. restarts: n_c, t, eta per restart. learning: Algorithm 1's other settings.
    learning_width: of the networks inside Algorithm 1. by_hand, lengths, longer: of the controls: the activations, the
    correlation lengths of the random splines, how many times as many steps.
    """

    datasets: tuple[str, ...]
    optimisers: tuple[Optimiser, ...]
    steps: int
    width: int
    seeds: tuple[int, ...]
    restarts: tuple[tuple[int, int, float], ...]
    learning: Settings
    learning_width: int
    by_hand: tuple[Activation, ...]
    lengths: tuple[float, ...]
    longer: int


HAND_MADE = (
    *(Activation(name) for name in ("gelu", "silu", "tanh")),
    *(Activation("sine", alpha=alpha) for alpha in (1.0, 3.0)),
)
PLANS = {
    "smoke": Plan(
        datasets=("digits",),
        optimisers=(Optimiser("sgd", 0.2), Optimiser("adam", 0.003)),
        steps=200,
        width=64,
        seeds=(1, 2, 3),
        restarts=((50, 5, 0.02),),
        learning=Settings(episodes=20, n_tr_start=20, n_tr_step=5),
        learning_width=32,
        by_hand=HAND_MADE[2:],
        lengths=(0.5, 2.0),
        longer=4,
    ),
    "paper": Plan(
        datasets=("mnist", "fashion_mnist"),
        optimisers=tuple(
            Optimiser(name, lr)
            for name, rates in {
                "sgd": (0.05, 0.2, 0.5),
                "rmsprop": (3e-4, 1e-3, 3e-3),
                "adam": (3e-4, 1e-3, 3e-3, 1e-2),
            }.items()
            for lr in rates
        ),
        steps=1500,
        width=128,
        seeds=(1, 2, 3, 4, 5),
        restarts=((50, 5, 0.02), (100, 10, 0.01)),
        learning=Settings(episodes=60, n_tr_start=50, n_tr_step=10),
        learning_width=32,
        # Two restarts of 20,700 steps at width 32 take about 7 times as long as 1,500 steps at width 128.
        by_hand=HAND_MADE,
        lengths=(0.3, 0.3, 0.6, 0.6, 1.2, 1.2, 2.4, 2.4),
        longer=8,
    ),
}
BY_HAND, RANDOM, LONGER = "best by hand", "best random spline", "ReLU, longer"
ARMS = ("ReLU", "learned from ReLU", "learned from zeros")


CLASSIFICATION_EPISODES = {"smoke": 20, "paper": 40}  # a scaled-down choice: fewer than for regression, to afford both


def images(profile: str, store: Store) -> Stages:
    """Section 3.1: image classification, with the tuned optimiser only."""
    check_profile(profile)
    plan = PLANS[profile]
    learning = replace(plan.learning, episodes=CLASSIFICATION_EPISODES[profile])
    yield from _images("images", "classification", replace(plan, learning=learning), store, blocks=1)


def regression(profile: str, store: Store) -> Stages:
    """Section 3.2: the same images, regression on the class id; with the tuned optimiser and with plain SGD."""
    check_profile(profile)
    yield from _images("regression", "regression", PLANS[profile], store, blocks=2)
    yield from controls(PLANS[profile], store)


def tuning(section: str, task: str, plan: Plan) -> dict[str, list[Train]]:
    """Per dataset, the runs with ReLU that choose the optimiser."""
    return {
        data: [
            Train(section, "tuning", "ReLU", data, task, Network(1, 1, plan.width), optimiser, plan.steps, 0, 0)
            for optimiser in plan.optimisers
        ]
        for data in plan.datasets
    }


def controls(plan: Plan, store: Store) -> Stages:
    """What else the search could have been spent on, for regression with the tuned optimiser.

    Hand-made activations and random splines, of which validation rows choose one as they do among restarts; and ReLU
    trained for as much longer as learning takes.
    """
    wide = Activation("spline", points=50)
    of = ("regression", RANDOM, wide.points, wide.low, wide.high)
    draws = [Draw(*of, length, seed) for seed, length in enumerate(plan.lengths)]
    yield draws
    for data, runs in reversed(tuning("regression", "regression", plan).items()):
        optimiser = chosen_optimisers(store, runs)[0]

        def run(role, arm, activation, seed, steps=1, learned="", data=data, optimiser=optimiser):
            network = Network(1, 1, plan.width, 1, activation)
            of = ("regression", role, arm, data, "regression", network, optimiser, steps * plan.steps)
            return Train(*of, seed=seed, split=seed, learned=learned)

        candidates = {
            BY_HAND: [(g, "") for g in plan.by_hand],
            RANDOM: [(wide, store.key(draw)) for draw in draws],
        }
        trials = {
            arm: [run("control trial", arm, g, 0, learned=learned) for g, learned in pairs]
            for arm, pairs in candidates.items()
        }
        yield [trial for runs in trials.values() for trial in runs]
        best = [max(runs, key=lambda trial: validation_accuracy(store, trial)) for runs in trials.values()]
        yield [
            replace(trial, role="control", seed=seed, split=seed) for trial in best for seed in plan.seeds
        ] + [run("control", LONGER, Activation(), seed, plan.longer) for seed in plan.seeds[:3]]


def _images(section: str, task: str, plan: Plan, store: Store, blocks: int) -> Stages:
    tuned = tuning(section, task, plan)
    yield [run for runs in tuned.values() for run in runs]
    chosen = {data: chosen_optimisers(store, runs)[:blocks] for data, runs in tuned.items()}

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

    for block in range(max(map(len, chosen.values()))):  # the tuned optimiser first: of use when partly done
        groups = {
            (data, optimiser, init): usable(store, runs)
            for (data, optimiser, init), runs in learning.items()
            if chosen[data].index(optimiser) == block
        }
        selection = {
            group: [(run, reuse(run, "selection", run.settings.inner, 0)) for run in runs]
            for group, runs in groups.items()
            if runs
        }
        yield [run for pairs in selection.values() for _, run in pairs]

        finals = [
            Train(section, "final", "ReLU", data, task, Network(1, 1, plan.width), optimiser, plan.steps, seed, seed)
            for data, optimiser in dict.fromkeys((data, optimiser) for data, optimiser, _ in groups)
            for seed in plan.seeds
        ]
        for (_, optimiser, _), pairs in selection.items():
            best, _ = max(pairs, key=lambda pair: validation_accuracy(store, pair[1]))
            finals += [reuse(best, "final", optimiser, seed) for seed in plan.seeds]
        yield finals
