"""What the sections share: tune, restart, select, repeat, each by validation data; and the profiles.

A plan tunes an optimiser with ReLU (:func:`tuned`, :func:`chosen_optimisers`), learns with several :func:`restarts`,
trains a network from scratch with each that did not diverge (:func:`trials_of`, made with :func:`using`), takes the
best (:func:`best_restart`), and repeats it with all seeds.
"""

import statistics
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator
from dataclasses import replace

from lib.training import Optimiser

from ..records.store import Store
from .learn import Learn
from .train import Train

PROFILES = ("smoke", "paper")
WIDENINGS = 3  # how often a grid of rates is extended beyond its edge
Stages = Iterator[list]


class ByProfile(dict):
    """What each profile computes; another profile is a ValueError."""

    def __missing__(self, profile: str):
        raise ValueError(f"profile must be one of {PROFILES}, got {profile!r}")


def validation_accuracy(store: Store, run: Train) -> float:
    """Validation accuracy of a stored run at its best step."""
    return store.get(run).numbers["validation_accuracy"]


def validation_speed(store: Store, run: Train) -> float:
    """Mean validation accuracy over a stored run's evaluations, in equal ratios of steps: high if it learns early."""
    return float(store.get(run).arrays["validation_accuracy"].mean())


def speed(store: Store, run: Train) -> float:
    """As :func:`validation_speed`; 0 for a run that diverged, whose curve ends early."""
    return 0.0 if store.get(run).numbers["diverged"] else validation_speed(store, run)


def best_of(store: Store, trials: dict[Hashable, list[Train]], merit: Callable[[Store, Train], float]) -> Hashable:
    """What has the best merit, averaged over its trials; the first of equals."""
    return max(trials, key=lambda candidate: statistics.fmean(merit(store, run) for run in trials[candidate]))


def chosen_optimisers(store: Store, runs: list[Train]) -> list[Optimiser]:
    """The optimiser with the best validation accuracy, and the best plain SGD if there is one and it is another."""

    def best(candidates):
        return max(candidates, key=lambda run: validation_accuracy(store, run)).optimiser

    plain = [run for run in runs if run.optimiser.name == "sgd"]
    return list(dict.fromkeys(best(group) for group in (runs, plain) if group))


def restarts(like: Learn, grid: Iterable[tuple[int, int, float]], start: int = 0) -> list[Learn]:
    """Restarts of a learning, each with its own n_c, t and eta; the seed is the position, from ``start``."""

    def spread(activation, points):
        return replace(activation, points=points) if activation and activation.name == "spline" else activation

    return [
        replace(
            like,
            seed=seed,
            network=replace(
                like.network,
                activation=spread(like.network.activation, points),
                input_activation=spread(like.network.input_activation, points),
            ),
            settings=replace(like.settings, unroll=unroll, outer=replace(like.settings.outer, lr=eta)),
        )
        for seed, (points, unroll, eta) in enumerate(grid, start)
    ]


def using(run: Train, learn: Learn, store: Store, **changes) -> Train:
    """A run like another, with the activation of a restart fixed, and the optimiser and data of its learning."""
    learned = {"activation": learn.network.activation, "input_activation": learn.network.input_activation}
    about = {"arm": learn.arm, "data": learn.data[0], "optimiser": learn.settings.inner, "learned": store.key(learn)}
    return replace(run, network=replace(run.network, **learned), **{**about, **changes})


def usable(store: Store, runs: list[Learn]) -> list[Learn]:
    """The restarts that did not diverge."""
    return [run for run in runs if not store.get(run).numbers["diverged"]]


def trials_of(store: Store, runs: list[Learn], trials: Callable[[Learn], list[Train]]) -> list[Train]:
    """The runs that usable restarts are judged by."""
    return [trial for learn in usable(store, runs) for trial in trials(learn)]


def best_restart(
    store: Store,
    runs: list[Learn],
    trials: Callable[[Learn], list[Train]],
    merit: Callable[[Store, Train], float] = validation_accuracy,
) -> Learn | None:
    """The restart whose trials do best; the first of equals, None if all diverged."""
    tried = {learn: trials(learn) for learn in usable(store, runs)}
    return best_of(store, tried, merit) if tried else None


def tuned(
    store: Store,
    arms: dict[Hashable, Callable[[float], list[Train]]],
    rates: tuple[float, ...],
    merit: Callable[[Store, Train], float],
) -> Generator[list, None, dict[Hashable, float]]:
    """Stages that try rates for each arm, more and more until the best is not at an edge; returns the best of each.

    Args:
        arms: for each, the runs with a rate, over which the merit is averaged.
        rates: where to begin, increasing. At most WIDENINGS are added, each in the ratio of the edge that it extends.
    """
    grids = {arm: list(rates) for arm in arms}

    def best_of(arm) -> float:
        middle = statistics.median_low(grids[arm])
        of = {rate: statistics.fmean(merit(store, run) for run in arms[arm](rate)) for rate in grids[arm]}
        return max(of, key=lambda rate: (of[rate], rate == middle))  # of equals, none at an edge

    new = dict(grids)
    for left in range(WIDENINGS, -1, -1):
        yield [run for arm, added in new.items() for rate in added for run in arms[arm](rate)]
        new = {arm: added for arm in new if left and (added := beyond(grids[arm], best_of(arm)))}
        if not new:
            break
        grids |= {arm: sorted(grids[arm] + added) for arm, added in new.items()}
    return {arm: best_of(arm) for arm in arms}


def beyond(grid: list[float], best: float) -> list[float]:
    """The rate that extends an increasing grid whose best is at an edge; none if it is inside.

    Example:
        >>> beyond([1.0, 2.0, 8.0], 8.0), beyond([1.0, 2.0, 8.0], 1.0), beyond([1.0, 2.0, 8.0], 2.0)
        ([32.0], [0.5], [])
    """
    edges = {grid[0]: grid[0] ** 2 / grid[1], grid[-1]: grid[-1] ** 2 / grid[-2]}
    return [float(f"{edges[best]:.3g}")] if best in edges else []
