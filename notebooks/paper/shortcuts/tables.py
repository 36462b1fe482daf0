"""What the records of shortcut learning say, as tables and numbers (Section 3.4)."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from lib import splines
from lib.files import compressed, write_atomically

from ..experiments import collage
from ..experiments.collage import TILES
from ..figures.looks import name_of, plus_minus, span
from ..figures.similarity import activation_distance
from ..records.frames import Collected
from ..records.intervals import Interval, interval, paired_interval
from .plan import BY_HAND, LEARNED, RELU

CHANCE = 0.1  # accuracy on a tile that a model ignores, with ten classes
SAMPLES = Path(__file__).parent / "collages.npz"  # a few to look at, for readers without the datasets
SETS = ("train", "test_first", "test_second")


def samples(first: str, second: str, count: int = 4, **load) -> tuple[np.ndarray, np.ndarray]:
    """A few collages of each of SETS, the first of different classes.

    Args:
        load: `half`, and where the data are; see :func:`.experiments.collage.load`.

    Returns:
        images (3, count, height, width[, 3]) in [0, 1], labels (3, count).
    """
    data = collage.load(first, second, split=1, **load)
    parts = [(data.x_train, data.y_train), data.test_first, data.test_second]
    chosen = [np.sort(np.unique(y.numpy(), return_index=True)[1])[:count] for _, y in parts]
    images = [x[rows].reshape(count, *data.shape).numpy() for (x, _), rows in zip(parts, chosen, strict=True)]
    return np.stack(images), np.stack([y[rows].numpy() for (_, y), rows in zip(parts, chosen, strict=True)])


def write_samples() -> None:
    """Write the committed collages anew, from the datasets."""
    images, labels = samples("mnist", "cifar10-full", half=False)
    images = np.rint(255 * images).astype(np.uint8)
    write_atomically(SAMPLES, compressed(images=images, labels=labels.astype(np.uint8)))


def runs(results: Collected, role: str) -> pd.DataFrame:
    """The runs of a role ("final", "upper bound", "selection"); with the columns pair and spectral."""
    frame = results.frame(kind="train_collage", role=role)
    if len(frame):
        pairs = list(zip(frame["first"], frame["second"], strict=True))
        frame = frame.assign(pair=pairs, spectral=frame["network.spectral"])
    return frame


def compared(colour: Collected, grey: Collected) -> list[Collected]:
    """Whose runs the page shows: those in colour first, where they are complete, and those on grey collages."""
    first, others = runs(colour, "final"), runs(grey, "final")
    apart = len(first) and len(others) and not set(first.pair) & set(others.pair)
    return [colour, grey] if apart and not colour.missing else [grey]


def names(pair: tuple[str, str]) -> dict[str, str]:
    """What the tiles of a pair are called.

    Example:
        >>> names(("mnist", "cifar10"))["second"]
        'grey CIFAR-10'
    """
    known = {"noisy_digits": "noisy digits", "digits": "clean digits"}
    known |= {"cifar10": f"grey {name_of('cifar10')}", "cifar10-full": name_of("cifar10")}
    return {tile: known.get(data, name_of(data)) for tile, data in zip(TILES, pair, strict=True)}


def arm_name(arm: str, pair: tuple[str, str]) -> str:
    """An arm with the dataset in place of "first tile" or "second tile".

    Example:
        >>> arm_name("learned for the second tile", ("mnist", "cifar10"))
        'learned for grey CIFAR-10'
    """
    for tile, name in names(pair).items():
        arm = arm.replace(f"the {tile} tile", name)
    return arm


def normalisation(spectral: bool) -> str:
    """How a panel is titled."""
    return "with spectral normalisation" if spectral else "without normalisation"


def scale(part: pd.DataFrame) -> str:
    """Of the final runs of one pair: tiles, steps and batches, in words."""
    tiles = "grey tiles of half the resolution" if part.half.all() else "tiles at their full resolution"
    counts = part.groupby("spectral").steps.first()
    steps = ", ".join(f"{steps:,} steps {normalisation(spectral)}" for spectral, steps in counts.items())
    if counts.nunique() == 1:
        steps = f"{counts.iloc[0]:,} steps"
    return f"{' above '.join(names(part.pair.iloc[0]).values())}, {tiles}, {steps} on batches of {part.batch.iloc[0]:,}"


def bounds(upper: pd.DataFrame, pair: tuple[str, str], spectral: bool) -> dict[str, Interval]:
    """The upper bound of each tile: accuracy after training on collages in which only this one predicts.

    Early stopping by that tile's validation set, ReLU.
    """
    found = {}
    for tile in TILES:
        part = upper[(upper.pair == pair) & (upper.spectral == spectral) & (upper.unambiguous == tile)]
        part = part[part.learned == ""]
        if len(part):
            found[tile] = interval(part[f"by_{tile}_{tile}"])
    return found


def gain(final: pd.DataFrame, arm: str, number: str, reference: str = RELU) -> Interval:
    """Difference of two arms in one of the runs' numbers, paired by seed; `final` is of one setting."""
    a, b = (final[final.arm == name].set_index("seed")[number] for name in (arm, reference))
    return paired_interval(a, b.loc[a.index])


def steering(final: pd.DataFrame) -> pd.DataFrame:
    """What each activation that was made for a tile adds to that tile's accuracy, stopped early for it.

    Returns:
        One row per pair, kind of weights, tile, and way to make it ("learned", "by hand"): columns pair, spectral,
        tile, made, mean, half_width (over ReLU, paired by seed), other, other_half_width (over the one learned for the
        other tile), last, last_half_width (the same at the last step); fractions, NaN where there is none.
    """
    rows = []
    for (pair, spectral), part in final.groupby(["pair", "spectral"], sort=False):
        for tile in TILES:
            for made, arms in (("learned", LEARNED), ("by hand", BY_HAND)):
                if not (part.arm == arms[tile]).any():
                    continue
                other = next(arm for name, arm in LEARNED.items() if name != tile)
                compared = made == "learned" and (part.arm == other).any()
                numbers = (f"by_{tile}_{tile}", f"last_{tile}")
                beside = [gain(part, arms[tile], n, other) if compared else (np.nan, np.nan) for n in numbers]
                rows.append([pair, spectral, tile, made, *gain(part, arms[tile], numbers[0]), *beside[0], *beside[1]])
    columns = "pair spectral tile made mean half_width other other_half_width last last_half_width".split()
    return pd.DataFrame(rows, columns=columns)


def sides(mean: pd.Series, half_width: pd.Series) -> dict[str, int]:
    """How many differences are above 0, and below it, with their intervals.

    Example:
        >>> sides(pd.Series([1.0, -2.0, 3.0]), pd.Series([2.0, 1.0, 1.0]))
        {'higher': 1, 'lower': 1}
    """
    return {"higher": int((mean > half_width).sum()), "lower": int((mean < -half_width).sum())}


def courses(final: pd.DataFrame) -> pd.DataFrame:
    """The accuracy of every run on both tiles: columns arm, spectral, seed, step, test_first, test_second."""
    parts = [
        pd.DataFrame({name: run.record.arrays[name] for name in ("step", "test_first", "test_second")}).assign(
            arm=run.arm, spectral=run.spectral, seed=run.seed
        )
        for run in final.itertuples()
    ]
    return pd.concat(parts, ignore_index=True)


def ends(part: pd.DataFrame) -> dict[str, str | float]:
    """Where the training of one pair ends: the range of the mean accuracies over arms and kinds of weights, in %.

    Returns:
        easy, hard: on the first and the second tile at the last step. peak: the highest mean on the second tile.
    """
    course = courses(part[part.arm.isin([RELU, *LEARNED.values()])])
    mean = 100 * course.groupby(["arm", "spectral", "step"])[["test_first", "test_second"]].mean()
    last = mean.groupby(["arm", "spectral"]).last()
    return {"easy": span(last.test_first), "hard": span(last.test_second), "peak": mean.test_second.max()}


def reached(part: pd.DataFrame, upper: pd.DataFrame) -> dict[str, str]:
    """Mean accuracies on the second tile of one pair in %: stopped early for it, at the last step, upper bound."""
    mean = 100 * part.groupby(["arm", "spectral"])[["by_second_second", "last_second"]].mean()
    above = [bounds(upper, part.pair.iloc[0], spectral).get("second") for spectral in part.spectral.unique()]
    bound = span(pd.Series([100 * one.mean for one in above if one])) if any(above) else "—"
    return {"early": span(mean.by_second_second), "late": span(mean.last_second), "bound": bound}


def accuracies_in_words(part: pd.DataFrame, number: str, arms: Iterable[str]) -> str:
    """Mean and interval of a number of each arm of one pair, for each kind of weights."""
    found = []
    for spectral, own in part.groupby("spectral"):
        pair, here = own.pair.iloc[0], [arm for arm in arms if (own.arm == arm).any()]
        values = (f"{arm_name(arm, pair)} {plus_minus(*interval(own[own.arm == arm][number]))}" for arm in here)
        found.append(f"{normalisation(spectral)}: {', '.join(values)}")
    return "; ".join(found)


def in_words(part: pd.DataFrame) -> str:
    """The gains of activations for one tile, from :func:`steering`, for each kind of weights."""
    return " and ".join(
        f"{plus_minus(row.mean, row.half_width)} points {normalisation(row.spectral)}" for row in part.itertuples()
    )


def setting(pair: tuple[str, str], spectral: bool) -> str:
    """The datasets of a setting and its kind of weights."""
    return f"{' / '.join(names(pair).values())} {normalisation(spectral)}"


def hand_made(runs: pd.DataFrame) -> str:
    """The hand-made activations of runs, by setting."""
    kinds = zip(runs["network.activation.name"], runs["network.activation.alpha"], strict=True)
    functions = [f"{name} (slope {alpha:g})" if name == "sine" else name for name, alpha in kinds]
    settings = [f"{setting(run.pair, run.spectral)}, {arm_name(run.arm, run.pair)}" for run in runs.itertuples()]
    return "; ".join(map(": ".join, zip(settings, functions, strict=True)))


def distances(results: Collected) -> pd.DataFrame:
    """The learned activations that final runs use: columns setting, arm, init (of the learning), distance.

    The distance is that from ReLU after the best scale, shift and input scale; see :func:`activation_distance`.
    """
    final, rows = runs(results, "final"), []
    for run in final[final.learned != ""].drop_duplicates("learned").itertuples():
        record = results.by_key[run.learned]
        psi, g = record.arrays["psi_hidden"], record.config["network"]["activation"]
        z = splines.grid(len(psi), g["low"], g["high"])
        distance = activation_distance(z, torch.as_tensor(psi), torch.relu).distance
        arm = arm_name(run.arm, run.pair)
        rows.append([setting(run.pair, run.spectral), arm, record.config["settings"]["init"], float(distance)])
    return pd.DataFrame(rows, columns=["setting", "arm", "init", "distance"])


def starts(found: pd.DataFrame) -> str:
    """What the learned activations started from, in a sentence.

    Args:
        found: from :func:`distances`.

    Example:
        >>> starts(pd.DataFrame({"setting": ["a", "b"], "arm": ["learned for x"] * 2, "init": ["relu", "zeros"]}))
        '1 of 2 started from zeros, the others from it.'
    """
    others = (found.init != "relu").sum()
    return f"{others} of {len(found)} started from zeros, the others from it." if others else "They started from it."


def headline(relu: pd.DataFrame, gains: pd.DataFrame) -> list[str]:
    """The parts of the words that head the answer; a quarter of what tells the tiles apart is much.

    Args:
        relu: final runs of ReLU, whose first tile is the easy one. gains: rows of :func:`steering` for the second tile.
    """
    easy, hard = relu.last_first.mean(), relu.last_second.mean()
    takes = "takes" if hard - CHANCE < (easy - CHANCE) / 4 else "takes-both"
    return [takes, "little" if gains["mean"].max() < (easy - hard) / 4 else "much"]
