"""How the records under each convention decide C13, C14 and C16."""

import numpy as np
import pandas as pd

from ..figures.looks import WEIGHTS
from ..figures.words import words
from ..records.frames import Collected
from ..verdict import NAN, NOT_RUN, Condition, Finding, Read, at_least, judge
from . import plan as first_plan
from .conventions import PLANS, RELU, STARTS, TUNED
from .tables import LEVEL, bound_in_words, median_steps, settings_table

say = words("grokking", "findings").fill
SOONER = 5.0  # times, C13
PAPER_STARTS = (STARTS["zeros"], STARTS["relu"])
BEST = "ReLU's best rate"


def runs_of(results: Collected, *roles: str) -> pd.DataFrame:
    """The runs with these roles: of each arm, convention, setting and seed the longest.

    Returns:
        The columns of `Collected.frame`, and initialisation, rate, width, pairs (part of all pairs that is trained on)
        and steps_to_95 (infinite if never).
    """
    runs = results.frame()
    runs = runs[runs.role.isin(roles)] if len(runs) else runs
    if runs.empty:
        return pd.DataFrame()
    initialisation = runs["network.initialisation"].fillna("default") if "network.initialisation" in runs else "default"
    runs = runs.assign(
        initialisation=initialisation, rate=runs["optimiser.lr"], width=runs["network.width"],
        pairs=0.8 * (1 - runs.validation), steps_to_95=pd.to_numeric(runs.test_steps_to_95).fillna(np.inf),
    )  # fmt: skip
    return _longest(runs)


def _longest(runs: pd.DataFrame) -> pd.DataFrame:
    """Of runs that differ in their steps and their section only, the longest."""
    same = ["role", "arm", "initialisation", "rate", "width", "pairs", "seed", "learned", "network.activation.alpha"]
    return runs.sort_values("steps").drop_duplicates(same, keep="last").reset_index(drop=True)


def best_rates(results: Collected) -> dict[str, float]:
    """ReLU's best rate for each initialisation: the highest mean validation accuracy over the course of its trials."""
    trials = runs_of(results, "rate trial")
    trials = trials[trials.arm == RELU] if len(trials) else trials
    if trials.empty:
        return {}
    merit = _merit(trials).groupby([trials.initialisation, trials.rate]).mean()
    return {init: float(part.idxmax()[1]) for init, part in merit.groupby(level=0)}


def _merit(runs: pd.DataFrame) -> pd.Series:
    means = [float(record.arrays["validation_accuracy"].mean()) for record in runs.record]
    return pd.Series(means, runs.index).where(~runs.diverged.astype(bool), 0.0)


def pretty(convention: str) -> str:
    """A convention as it is written in figures and tables.

    Example:
        >>> pretty("default, rate 13.5")
        "PyTorch's, rate 13.5"
    """
    initialisation, rate = convention.split(", ")
    return f"{WEIGHTS[initialisation]}, {rate}"


def table(results: Collected) -> pd.DataFrame:
    """ReLU against the learned activation under each convention, where both have final runs.

    Returns:
        Columns initialisation, convention (the rate in words), rate, arm (the start that validation pairs chose), relu,
        learned (median steps to 95 % test accuracy; infinite if never), last (ReLU's last step), ratio, bound, tested.
    """
    finals, trials, best, rows = runs_of(results, "final"), runs_of(results, "trial"), best_rates(results), []
    if finals.empty:
        return pd.DataFrame()
    plan = PLANS["paper" if (finals.data == PLANS["paper"].task).any() else "smoke"]
    for init in dict.fromkeys(finals.initialisation):
        rates = {"mean over outputs": plan.mean, "half the sum over outputs": plan.half_sum}
        if init in best:
            rates[BEST] = best[init]
        for name, rate in rates.items():
            here = finals[(finals.initialisation == init) & (finals.rate == rate)]
            relu, arm = here[here.arm == RELU], _chosen(here, trials)
            learned = here[here.arm == arm]
            tuned = finals.arm.str.endswith(TUNED) & finals.arm.str.startswith("learned")
            own = finals[(finals.initialisation == init) & tuned]
            if name == BEST and len(own):
                arm, learned = own.arm.iloc[0], own
            elif name == BEST and rate in (plan.mean, plan.half_sum):
                continue  # the same runs again: one convention, not two
            if relu.empty or learned.empty:
                continue
            of_relu, of_learned = median_steps(relu.steps_to_95), median_steps(learned.steps_to_95)
            last = int(relu.steps.max())
            tested = np.isfinite(of_relu) or np.isfinite(of_learned)
            ratio = min(of_relu, last) / of_learned if np.isfinite(of_learned) else (0.0 if tested else np.nan)
            rows.append((init, name, rate, arm, of_relu, of_learned, last, ratio, not np.isfinite(of_relu), tested))
    columns = ["initialisation", "convention", "rate", "arm", "relu", "learned", "last", "ratio", "bound", "tested"]
    return pd.DataFrame(rows, columns=columns)


def at_rate(row) -> str:
    """The rate of a row of :func:`table`, as it is written beside the initialisation."""
    return "best rates" if row.convention == BEST else f"rate {row.rate:g}"


def _chosen(here: pd.DataFrame, trials: pd.DataFrame) -> str:
    """Of the starts with final runs under a convention, the one whose chosen restart is best in its trials."""
    starts = here[here.arm.isin(STARTS.values())].drop_duplicates("arm")
    if starts.empty or trials.empty:
        return ""
    merit = {}
    for row in starts.itertuples():
        own = trials[
            (trials.learned == row.learned) & (trials.initialisation == row.initialisation) & (trials.rate == row.rate)
        ]
        merit[row.arm] = _merit(own).mean() if len(own) else -1.0
    return max(merit, key=merit.get)


def ratio_in_words(row) -> str:
    """The ratio of a row of :func:`table`, "at least" one that is a bound; "never" where only ReLU gets there."""
    return bound_in_words(row.ratio, row.bound) if row.ratio else "never"


def sooner_under_conventions(read: Read) -> Finding:
    """C13."""
    results = read("conventions")
    found = table(results)
    if results.missing or found.empty:
        return NOT_RUN
    tested = found[found.tested.astype(bool)]
    conditions = [
        at_least("times sooner", f"{WEIGHTS[row.initialisation]}, {row.convention}", row.ratio, SOONER,
                 high=np.inf if row.bound else NAN, unit="times")
        for row in tested.itertuples()
    ]  # fmt: skip
    holds = np.array([condition.holds for condition in conditions], dtype=bool)
    of_paper = holds & tested.arm.isin(PAPER_STARTS).to_numpy()
    most = 2 * holds.sum() > len(holds) and 2 * of_paper.sum() > len(holds)
    verdict = "reproduced" if most else "in part" if holds.any() else "not reproduced"
    ratios = "; ".join(
        f"{WEIGHTS[row.initialisation]}, {row.convention} {ratio_in_words(row)}" for row in tested.itertuples()
    )
    ours = say("conventions", times=SOONER, holds=holds.sum(), of=len(holds), of_paper=of_paper.sum(),
               untested=len(found) - len(tested), ratios=ratios)  # fmt: skip
    return Finding(ours, verdict, tuple(conditions))


def settings(results: Collected, first: Collected) -> pd.DataFrame:
    """Median steps to 95 % at other widths and with fewer pairs (Figure 13), under each convention that has them.

    Args:
        results: of the section "conventions". first: of "grokking": default initialisation, mean over outputs.

    Returns:
        Columns convention, width, pairs, relu, learned (infinite if not within the last step), last (that step).
    """
    runs, parts = runs_of(results, "figure 13", "final"), []
    for (init, rate), both in runs.groupby(["initialisation", "rate"], sort=False) if len(runs) else ():
        here = both[both.role == "figure 13"]
        if here.empty:
            continue
        last, arm = here.steps.max(), next((arm for arm in here.arm if arm != RELU), "")
        both = both[both.arm.isin([RELU, arm]) & both.seed.isin(here.seed)]
        both = both.assign(steps_to_95=both.steps_to_95.where(both.steps_to_95 <= last, np.inf))
        medians = both.pivot_table(
            index=["width", "pairs"], columns="arm", values="steps_to_95", aggfunc="median"
        ).reset_index()
        if arm in medians and RELU in medians:
            medians = medians.rename(columns={RELU: "relu", arm: "learned"})
            parts.append(medians.assign(convention=f"{init}, rate {rate:g}", last=last))
    old = settings_table(first)
    if len(old):
        old = old.rename(columns={first_plan.RELU: "relu", first_plan.LEARNED: "learned"})
        parts.append(old.assign(convention=f"default, rate {first_plan.PLANS['paper'].lr:g}"))
    columns = ["convention", "width", "pairs", "relu", "learned", "last"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def sooner_in_settings(read: Read) -> Finding:
    """C14."""
    results = read("conventions")
    found = settings(results, read("grokking"))
    if results.missing or found.convention.nunique() < 2:
        return NOT_RUN
    tested = found[np.isfinite(found[["relu", "learned"]]).any(axis=1)]
    conditions = [
        Condition(
            "sooner", f"{pretty(row.convention)}, width {row.width:g}, {100 * row.pairs:.0f} % of the pairs",
            row.relu / row.learned if np.isfinite(row.learned) else 0.0, NAN, NAN, 1.0,
            bool(row.learned < row.relu), "times",
        )
        for row in tested.itertuples()
    ]  # fmt: skip
    holds = pd.Series([condition.holds for condition in conditions], tested.index)
    every = holds.groupby(tested.convention).all()
    some = every.any() or 2 * holds.sum() > len(holds)
    verdict = "reproduced" if 2 * every.sum() > len(every) else "in part" if some else "not reproduced"
    ours = say("convention-settings", holds=holds.sum(), of=len(holds), every=every.sum(), conventions=len(every))
    return Finding(ours, verdict, tuple(conditions))


def falls(results: Collected, first: Collected) -> pd.DataFrame:
    """The final runs on a+b mod 27, of all conventions, widths and parts of the pairs, and what becomes of them.

    Returns:
        Columns convention, arm, main (the main setting), steps, arrived (the step with 95 % test accuracy; infinite),
        fall (points from the highest test accuracy since then to the last), end (the last test accuracy).
    """
    runs = pd.concat([runs_of(results, "final", "figure 13"), runs_of(first, "final", "sweep")])
    if runs.empty:
        return pd.DataFrame()
    runs = _longest(runs[runs.data == runs.data.iloc[0]])
    ends, down = [], []
    for record in runs.record:
        test = record.arrays["test_accuracy"]
        there = test >= LEVEL
        ends.append(float(test[-1]))
        down.append(float(100 * (test[np.argmax(there) :].max() - test[-1])) if there.any() else np.nan)
    convention = runs.initialisation + ", rate " + runs.rate.map("{:g}".format)
    main = runs.role.isin(["final"])
    found = {"convention": convention, "arm": runs.arm, "main": main, "steps": runs.steps}
    return pd.DataFrame(found | {"arrived": runs.steps_to_95, "fall": down, "end": ends}).reset_index(drop=True)


def learned_overfits_relu_stays(read: Read) -> Finding:
    """C16."""
    results = read("conventions")
    found = falls(results, read("grokking"))
    if results.missing or found.empty:
        return NOT_RUN
    learned = found[found.arm.str.startswith("learned")]
    relu = found[found.arm == RELU]
    stays = relu[relu.arrived <= relu.steps / 2]
    top = float(learned.fall.max()) if learned.fall.notna().any() else np.nan
    worst = float(stays.fall.max()) if len(stays) else np.nan
    steady = bool(len(stays) >= 5 and worst <= 2)
    conditions = [
        Condition("some learned run overfits", "", top, NAN, NAN, 5.0, bool(top > 5), "points"),
        Condition("ReLU stays", f"{len(stays)} runs", worst, NAN, NAN, 2.0, steady, "points"),
    ]
    for convention, part in relu[relu.main].groupby("convention", sort=False):
        neither = int(((part.arrived == np.inf) & (part.end >= 0.2)).sum())
        where, holds = pretty(convention), neither == 0
        conditions.append(Condition("ReLU groks or never generalises", where, neither, NAN, NAN, 0.0, holds, "runs"))
    fallen = say("some-fall", fallen=(learned.fall > 5).sum(), top=top) if np.isfinite(top) else say("none-can-fall")
    stay = say("relu-stays", stays=len(stays), worst=worst) if np.isfinite(worst) else say("relu-untested")
    ours = say("convention-falls", arrived=learned.fall.count(), fallen=fallen, stay=stay)
    return judge(ours, conditions)
