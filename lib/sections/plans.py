"""What the sections share: profiles, and the choice among runs by validation data."""

from collections.abc import Iterator

from lib.experiments import Learn, Train
from lib.results import Store
from lib.training import Optimiser

PROFILES = ("smoke", "paper")
Stages = Iterator[list]


def check_profile(profile: str) -> None:
    """Raise a ValueError unless the profile is known."""
    if profile not in PROFILES:
        raise ValueError(f"profile must be one of {PROFILES}, got {profile!r}")


def validation_accuracy(store: Store, run: Train) -> float:
    """Validation accuracy of a stored run at its best step."""
    return store.get(run).numbers["validation_accuracy"]


def validation_speed(store: Store, run: Train) -> float:
    """Mean validation accuracy over a stored run's evaluations, in equal ratios of steps: high if it learns early."""
    return float(store.get(run).arrays["validation_accuracy"].mean())


def chosen_optimisers(store: Store, runs: list[Train]) -> list[Optimiser]:
    """The optimiser with the best validation accuracy, and the best plain SGD if there is one and it is another."""

    def best(candidates):
        return max(candidates, key=lambda run: validation_accuracy(store, run)).optimiser

    plain = [run for run in runs if run.optimiser.name == "sgd"]
    return list(dict.fromkeys(best(group) for group in (runs, plain) if group))


def usable(store: Store, runs: list[Learn]) -> list[Learn]:
    """The restarts that did not diverge."""
    return [run for run in runs if not store.get(run).numbers["diverged"]]
