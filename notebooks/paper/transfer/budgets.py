"""Is one activation for all tasks the best at equal budgets, too (Section 4, Figure 14)? What decides C17.

The functions are those of the section "transfer", here with three seeds per cell. The one for all tasks had fewer inner
steps per task than each task's own: it is learned further, until it has as many. As it has many times more in total,
there is another one for four tasks, learned for as long as one task's own.

Scale: of the restarts on all tasks the chosen one is learned further.
"""

from dataclasses import replace

from lib.networks import Activation

from ..experiments.protocol import Stages
from ..records.store import Store
from .matrix import ALL, MATRICES, RELU, Matrix, chosen, learn, learned_on, matrix, reuse, trained

FOUR = "learned on four"
TASKS = {
    "smoke": MATRICES["smoke"].tasks[:2],
    "paper": ("a+b mod 27", "a-b mod 27", "ab mod 27", "a.b S4"),
}
MORE_SEEDS = {"smoke": 1, "paper": 2}


def budgets(profile: str, store: Store) -> Stages:
    """The activation for all tasks, learned further; the one for four; then the other cells, seed by seed."""
    plan, tasks = MATRICES[profile], TASKS[profile]
    seeds = (plan.seed, *plan.own_seeds[: MORE_SEEDS[profile]])
    columns = yield from matrix(plan, store)
    further = [learned_further(plan, store, source) for source in columns if source.arm == ALL]
    few = [replace(source, arm=FOUR) for source in learn(plan, tasks, plan.learning)]
    yield [*further, *few]
    best = yield from chosen(plan, store, [few])
    yield [
        reuse(plan, store, source, role, task, seed)
        for role, sources, used in (("equal", further, plan.tasks), ("four", best, tasks))
        for source in sources
        for task in used
        for seed in seeds
    ]
    own = [source for source in columns if source.arm != ALL]
    for seed in seeds:
        role = "matrix" if seed == plan.seed else "own"  # of the runs that the section on transfer has
        yield [
            *(trained(plan, role, RELU, task, Activation(), seed, 0.0) for task in plan.tasks),
            *(
                reuse(plan, store, source, role if source.arm == learned_on(task) else "matrix", task, seed)
                for source in own
                for task in plan.tasks
            ),
        ]


def learned_further(plan: Matrix, store: Store, source):
    """The learning that goes on from where another ended, until each task has had as many episodes as its own has."""
    episodes = plan.learning.episodes * len(plan.tasks) - plan.jointly.episodes
    return replace(
        source,
        settings=replace(source.settings, episodes=episodes),
        seed=source.seed + len(plan.restarts),
        start=store.key(source),
    )
