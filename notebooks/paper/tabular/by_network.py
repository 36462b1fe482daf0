"""How several networks per activation, seen in weight space (plan "ambient"), decide C8."""

import numpy as np
import pandas as pd

from ..figures.looks import label
from ..figures.words import words
from ..records.frames import Collected, at_best_depth
from ..records.intervals import interval, paired_by_seed
from ..verdict import NOT_RUN, Condition, Finding, Read, judge
from .plan import INPUTS

say = words("tabular", "findings").fill
LEAST = 1e-12  # of a total variation whose logarithm is taken


def complexities(results: Collected) -> pd.DataFrame:
    """The networks: columns data, arm, seed, around, tv, start, validation.

    around: mean total variation over a random plane. tv: at the solution, on the same paths. start, end: before
    training and at the best step, on the paths of the training. All are logarithms; validation is an accuracy.
    """
    panels, runs = results.frame("panels"), at_best_depth(results.frame(role="final"))
    runs = runs.assign(start=[record.arrays["tv"][0] for record in runs.record], end=runs.tv)
    names = {f"run_of.{name}": name for name in ("data", "arm", "seed")} | {"tv_around": "around"}
    panels = panels.drop(columns="seed").rename(columns=names)[[*names.values(), "tv"]]
    columns = ["data", "arm", "seed", "start", "end", "validation_accuracy"]
    both = runs[columns].merge(panels, how="left").rename(columns={"validation_accuracy": "validation"})
    measured = ["around", "tv", "start", "end"]
    return both.assign(**np.log(both[measured].clip(lower=LEAST)))


def by_arm(results: Collected) -> pd.DataFrame:
    """Per table and arm the total variation around the solution, at it, and before training: geometric means.

    The first with its 95 % interval over networks; a last column has their mean validation accuracy in %.
    """
    found, rows = complexities(results).dropna(subset="around"), []
    for (data, arm), own in found.groupby(["data", "arm"], sort=False):
        mean, half = interval(own.around)
        around, low, high, solution, start = np.exp([mean, mean - half, mean + half, own.tv.mean(), own.start.mean()])
        ends = f"{around:.2f} ({low:.2f} to {high:.2f})"
        accuracy = f"{100 * own.validation.mean():.1f}"
        rows.append((data, label(arm), ends, f"{solution:.2f}", f"{start:.2g}", accuracy, len(own)))
    columns = ["table", "model", *(f"{where} the solution" for where in ("around", "at")), "before training"]
    return pd.DataFrame(rows, columns=[*columns, "validation (%)", "networks"])


def ambient_complexity(read: Read) -> Finding:
    """C8."""
    results = read("ambient")
    if results.missing or results.frame("panels").empty:
        return NOT_RUN
    conditions, told, highest = [], [], []
    for data, part in complexities(results).groupby("data", sort=False):
        best = part.groupby("arm").validation.mean().idxmax()
        arms = {arm: own.set_index("seed") for arm, own in part.dropna(subset="around").groupby("arm", sort=False)}
        means = ", ".join(f"{label(arm)} {np.exp(own.around.mean()):.2f}" for arm, own in arms.items())
        told.append(say("around", data=data, best=label(best), arms=means))
        highest.append(max(arms, key=lambda arm, arms=arms: arms[arm].around.mean()) == INPUTS)
        if best != INPUTS:
            continue
        inputs = arms[INPUTS]
        conditions += [
            _times("highest around input activations", f"{data}, over {label(arm)}", inputs.around, own.around)
            for arm, own in arms.items()
            if arm != INPUTS
        ]
        conditions.append(_times("above the solution's own", data, inputs.around, inputs.tv))
        conditions += [
            _times("rises in training", f"{data}, {label(arm)}", own.end, own.start) for arm, own in arms.items()
        ]
    told = ["; ".join(told), say("around-highest", highest=sum(highest), tables=len(highest))]
    return judge(". ".join(told), conditions)


def _times(name: str, where: str, one: pd.Series, other: pd.Series) -> Condition:
    """Holds if a ratio, of logarithms paired by seed, is above 1 with its interval."""
    mean, half = paired_by_seed(one, other)
    value, low, high = (float(np.exp(end)) for end in (mean, mean - half, mean + half))
    return Condition(name, where, value, low, high, 1.0, low > 1, "times")
