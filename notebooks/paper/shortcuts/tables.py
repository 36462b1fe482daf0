"""What the records of shortcut learning say, as tables and numbers (Section 3.4)."""

import pandas as pd

from ..experiments.collage import TILES
from ..figures.looks import name_of
from ..records.frames import Collected
from ..records.intervals import Interval, interval, paired_interval
from .plan import RELU

CHANCE = 0.1  # accuracy on a tile that a model ignores, with ten classes


def runs(results: Collected, role: str) -> pd.DataFrame:
    """The runs of a role ("final", "upper bound", "selection"); with the columns pair and spectral."""
    frame = results.frame(kind="train_collage", role=role)
    if len(frame):
        pairs = list(zip(frame["first"], frame["second"], strict=True))
        frame = frame.assign(pair=pairs, spectral=frame["network.spectral"])
    return frame


def names(pair: tuple[str, str]) -> dict[str, str]:
    """What the tiles of a pair are called.

    Example:
        >>> names(("mnist", "cifar10"))["second"]
        'CIFAR-10'
    """
    known = {"noisy_digits": "noisy digits", "digits": "clean digits"}
    return {tile: known.get(data, name_of(data)) for tile, data in zip(TILES, pair, strict=True)}


def arm_name(arm: str, pair: tuple[str, str]) -> str:
    """An arm with the dataset in place of "first tile" or "second tile".

    Example:
        >>> arm_name("learned for the second tile", ("mnist", "cifar10"))
        'learned for CIFAR-10'
    """
    for tile, name in names(pair).items():
        arm = arm.replace(f"the {tile} tile", name)
    return arm


def normalisation(spectral: bool) -> str:
    """How a panel is titled."""
    return "with spectral normalisation" if spectral else "without normalisation"


def bounds(upper: pd.DataFrame, pair: tuple[str, str], spectral: bool) -> dict[str, Interval]:
    """The upper bound of each tile: accuracy after training on collages in which only this one predicts.

    Early stopping by that tile's validation set, ReLU.
    """
    found = {}
    for tile in TILES:
        part = upper[(upper.pair == pair) & (upper.spectral == spectral) & (upper.unambiguous == tile)]
        if len(part):
            found[tile] = interval(part[f"by_{tile}_{tile}"])
    return found


def gain(final: pd.DataFrame, arm: str, number: str, reference: str = RELU) -> Interval:
    """Difference of two arms in one of the runs' numbers, paired by seed; `final` is of one setting."""
    a, b = (final[final.arm == name].set_index("seed")[number] for name in (arm, reference))
    return paired_interval(a, b.loc[a.index])
