"""What the records of the algorithmic tasks say, as tables and numbers (Section 3.5)."""

import functools
import math
from collections.abc import Iterable
from contextlib import suppress

import numpy as np
import pandas as pd
import torch

from lib import splines

from ..experiments import scores
from ..figures.similarity import Frequency, dominant_frequency
from ..records.frames import Collected
from ..records.store import Record
from .plan import LEARNED

LEVEL = 0.95  # test accuracy at which a task counts as solved (Section 3.5)


def steps_to(runs: pd.DataFrame, level: float, part: str = "test") -> pd.Series:
    """The first step with a test (or train) accuracy of at least ``level`` (a fraction), per run; NaN if never."""
    arrays = [record.arrays for record in runs.record]
    steps = [scores.steps_to(found["step"], found[f"{part}_accuracy"], level) for found in arrays]
    return pd.Series(steps, index=runs.index, dtype=float)


def delays(runs: pd.DataFrame) -> pd.DataFrame:
    """How much later a run generalises than it memorises.

    Returns:
        Columns train, test (steps to 95 % accuracy, NaN if never), ratio (of test to train) and gap (test less train),
        both with the last step in place of a test step that is never reached, bound (whether that is so), per run.
    """
    train, test = (steps_to(runs, LEVEL, part) for part in ("train", "test"))
    until = test.fillna(runs.steps)
    return pd.DataFrame(
        {"train": train, "test": test, "ratio": until / train, "gap": until - train, "bound": test.isna()}
    )


def steps_table(finals: pd.DataFrame) -> pd.DataFrame:
    """Per seed and arm: steps to 95 % training and test accuracy and the delay between them; the ratio of the arms.

    Where 95 % test accuracy is not reached, delay and ratio are bounds.

    Args:
        finals: the runs with role "final" of one task.
    """
    last, rows = int(finals.steps.max()), []
    arms, seeds = ("ReLU", LEARNED), sorted(finals.seed.unique())
    found = finals[["arm", "seed"]].join(delays(finals)).set_index(["arm", "seed"])
    found = found.reindex(pd.MultiIndex.from_product([arms, seeds]))  # NaN where there is no run
    for seed in seeds:
        relu, learned = (found.test[arm, seed] for arm in arms)
        first = last if np.isnan(relu) else relu
        ratio = "—" if np.isnan(learned) else bound_in_words(first / learned, np.isnan(relu))
        cells = []
        for run in (found.loc[arm, seed] for arm in arms):
            cells += [f"not within {last:,}" if np.isnan(n) else f"{n:,.0f}" for n in (run.train, run.test)]
            cells.append("—" if np.isnan(run.ratio) else bound_in_words(run.ratio, run.bound))
        rows.append([seed, *cells, ratio])
    parts = ("95 % training", "95 % test", "delay")
    columns = [f"{arm.removesuffix(' from zeros')}: {part}" for arm in arms for part in parts]
    return pd.DataFrame(rows, columns=["seed", *columns, "ratio"])


def delay_words(runs: pd.DataFrame) -> str:
    """In a few sentences: what remains of the delay with the learned activation; medians over the runs of each arm."""
    relu, learned = (delays(runs[runs.arm == arm]) for arm in ("ReLU", LEARNED))
    if any(found.empty or found.train.isna().any() for found in (relu, learned)) or learned.bound.any():
        return "How much of the delay remains cannot be said: not every run that it needs reaches 95 %."
    before, after = (found[["train", "ratio", "gap"]].median() for found in (relu, learned))
    words = functools.partial(bound_in_words, bounded=bool(relu.bound.any()))
    first = "Memorising still comes first" if (learned.ratio > 1).all() else "Memorising does not always come first"
    said = (
        f"{first} with the learned activation: 95 % of the training pairs after a median of {after.train:,.0f} "
        f"steps, 95 % of the test pairs {after.ratio:.1f} times as late. With ReLU it is {before.train:,.0f} "
        f"steps, and then {words(before.ratio)} times as late."
    )
    if (after > before).any():
        return said
    return (
        f"{said} So both come sooner. The delay as a ratio shrinks by a factor of {words(before.ratio / after.ratio)}, "
        f"and counted in steps, from {words(before.gap, digits=0)} to {after.gap:,.0f}, by "
        f"{words(before.gap / after.gap, digits=0)}."
    )


def frequency_of(values: np.ndarray, low: float, high: float) -> Frequency:
    """Dominant frequency of control values (n_c,) on [low, high]."""
    return dominant_frequency(splines.grid(len(values), low, high), torch.from_numpy(np.asarray(values)))


def settings_table(results: Collected) -> pd.DataFrame:
    """Median step to 95 % test accuracy of each arm, for each width and part of the pairs (Figure 13).

    Returns:
        Columns width, pairs (fraction of all pairs that is trained on), one per arm (infinite if the median run never
        gets there), last (the last step).
    """
    runs, finals = results.frame(role="sweep"), results.frame(role="final")
    if runs.empty:
        return pd.DataFrame()
    last = int(runs.steps.max())
    if len(finals):  # the main setting: the final runs, up to the same step
        runs = pd.concat([runs, finals[(finals.data == runs.data[0]) & finals.seed.isin(runs.seed)]])
    steps = pd.to_numeric(runs.test_steps_to_95)
    runs = runs.assign(
        width=runs["network.width"],
        pairs=0.8 * (1 - runs.validation),
        steps_to_95=steps.where(steps <= last, np.inf),
        last=last,
    )
    medians = runs.pivot_table(index=["width", "pairs", "last"], columns="arm", values="steps_to_95", aggfunc="median")
    return medians.reset_index()


def highest_frequency(record: Record) -> float:
    """The highest frequency that the control points of a Learn record can show, in cycles per unit of z."""
    activation = record.config["network"]["activation"]
    return (activation["points"] - 1) / (2 * (activation["high"] - activation["low"]))


def learned_frequency(record) -> Frequency:
    """Dominant frequency of a learned activation, from its Learn record."""
    activation = record.config["network"]["activation"]
    return frequency_of(record.arrays["psi_hidden"], activation["low"], activation["high"])


def bound_in_words(value: float, bounded: bool, digits: int = 1) -> str:
    """A number, or "at least" a lower bound, which is rounded down so that it stays one.

    Example:
        >>> bound_in_words(54.96, False), bound_in_words(54.96, True), bound_in_words(57271.9, True, 0)
        ('55.0', 'at least 54.9', 'at least 57,271')
    """
    if not bounded:
        return f"{value:,.{digits}f}"
    down = math.floor(round(value * 10**digits, 9)) / 10**digits  # 10 times 0.1 is a whole number
    return f"at least {down:,.{digits}f}"


def median_steps(steps: pd.Series) -> float:
    """Median of the steps to 95 %; infinite where it is a run that never gets there.

    Example:
        >>> median_steps(pd.Series([100, 300, None]))
        300.0
    """
    return float(pd.to_numeric(steps).fillna(np.inf).median()) if len(steps) else np.inf


def median_in_words(steps: pd.Series, last: int) -> str:
    """The median step to 95 %, or that it is not reached."""
    middle = median_steps(steps)
    return f"{middle:,.0f} steps" if np.isfinite(middle) else f"not within {last:,} steps"


def frequency_in_words(record: Record) -> str:
    """Dominant frequency of a learned function and its part of the power."""
    try:
        found = learned_frequency(record)
    except ValueError:  # a line: nothing was learned
        return "no oscillation"
    return f"{found.frequency:.1f} cycles per unit, {100 * found.sharpness:.0f} % of the power"


def sharpness_in_words(records: Iterable[Record]) -> str:
    """The part of the power at the dominant frequency, from the least to the greatest of learned functions."""
    parts = []
    for record in records:
        with suppress(ValueError):  # a line: nothing was learned
            parts.append(learned_frequency(record).sharpness)
    return f"{100 * min(parts):.0f} to {100 * max(parts):.0f} %" if parts else "not there"


def restarts_table(results: Collected, task: str) -> pd.DataFrame:
    """The restarts of the learning on a task: settings, the episode that was kept, frequency, what selects, key."""
    finals, selection = results.frame(role="final"), results.frame(role="selection")
    chosen, rows = set(finals[finals.data == task].learned), []
    learning = results.frame("learn")
    for run in learning[learning.data.map(lambda data: list(data) == [task])].itertuples():
        settings = run.record.config["settings"]
        trained = selection[(selection.data == task) & (selection.learned == run.key)]
        merit = (
            f"{100 * trained.record.iloc[0].arrays['validation_accuracy'].mean():.1f}" if len(trained) else "diverged"
        )
        rows.append(
            {
                "restart": f"{run.seed}" + (", selected" if run.key in chosen else ""),
                "$n_c$": run.record.config["network"]["activation"]["points"],
                "$t$": settings["unroll"],
                r"$\eta$": settings["outer"]["lr"],
                "kept at episode": f"{run.best_episode} of {run.episodes}",
                "dominant frequency": frequency_in_words(run.record),
                "mean validation accuracy (%)": merit,
                "key": run.key,
            }
        )
    return pd.DataFrame(rows)


def headline(relu: pd.DataFrame, learned: pd.DataFrame) -> list[str]:
    """The words that head the answer: "much" if the learned activation at least halves the median steps."""
    slow, fast = median_steps(relu.test_steps_to_95), median_steps(learned.test_steps_to_95)
    return ["much" if np.isfinite(fast) and slow >= 2 * fast else "little"]
