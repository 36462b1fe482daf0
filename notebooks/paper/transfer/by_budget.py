"""How the matrix with several seeds and equal budgets (plan "budgets") decides C17."""

from dataclasses import replace

import pandas as pd

from ..figures.looks import plus_minus
from ..figures.words import words
from ..records.frames import Collected
from ..records.intervals import paired_interval
from ..verdict import NAN, NOT_RUN, Condition, Finding, Read, above, lost, verdict
from .matrix import ALL, RELU, learned_on
from .tables import Scores, matrix_scores

say = words("transfer", "findings").fill


def scores(runs: pd.DataFrame) -> Scores:
    """The scores of Figure 14 as means over the seeds; tasks are easy, and the rows in the order, of the first seed."""
    tables = [matrix_scores(part) for _, part in runs.groupby("seed")]
    mean = pd.concat([one.score for one in tables]).groupby(level=0, sort=False).mean()
    best = pd.concat([one.best for one in tables]).groupby(level=0, sort=False).mean()
    return replace(tables[0], score=mean, best=best)


def cells(results: Collected) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The runs on all tasks, and those on the few with one activation for them, whose arm is ALL too."""
    runs = results.frame()
    equal, few = runs[runs.role == "equal"], runs[runs.role == "four"]
    first = runs[runs.role.isin(["matrix", "own"]) & runs.seed.isin(equal.seed) & (runs.arm != ALL)]
    own = first[first.data.isin(few.data) & first.arm.isin([RELU, *map(learned_on, few.data)])]
    return pd.concat([first, equal]), pd.concat([own, few.assign(arm=ALL)])


def control(results: Collected) -> str:
    """What an activation for a few tasks with equal inner steps in total gains over those of single ones, in words."""
    return _told(_control(results))


def _told(found: tuple[float, int] | None) -> str:
    if found is None:
        return say("no-four")
    gain, tasks = found
    return say("four", tasks=tasks, gain=f"{gain:+.1f}", kept="" if gain > 0 else say("of-budget"))


def _control(results: Collected) -> tuple[float, int] | None:
    """The gain in points and the number of tasks; None if nothing was learned on them."""
    runs = cells(results)[1]
    if runs.empty or not (runs.arm == ALL).any():
        return None
    few = scores(runs)
    return 100 * float((few.score[ALL] - few.specific.mean(axis=1)).mean()), len(few.score)


def transfer_across_tasks(read: Read) -> Finding:
    """C17."""
    results = read("budgets")
    if results.missing or not results.records:
        return NOT_RUN
    runs, _ = cells(results)
    conditions, name_of_control = [], "one for all, equal in total"
    found = scores(runs) if len(runs) else None
    score, specific = (found.score, found.specific) if found else (pd.DataFrame(), pd.DataFrame())
    if specific.shape[1] < 2 or ALL not in score:
        return Finding(say("nothing-learned"), "not reproduced")
    others = pd.Series({task: row.drop(learned_on(task), errors="ignore").mean() for task, row in specific.iterrows()})
    own = pd.Series({task: row[learned_on(task)] for task, row in specific.iterrows() if learned_on(task) in row})
    pairs = {
        "transfer": (others, score[RELU]),
        "own above ReLU": (own, score[RELU][own.index]),
        "one for all": (score[ALL], specific.mean(axis=1)),
    }
    for name, (one, other) in pairs.items():
        gain = paired_interval(one, other[one.index])
        conditions.append(above(name, f"{len(one)} tasks", *gain, unit="points"))
    decides, few = verdict(condition.holds for condition in conditions), _control(results)
    if few is None:
        conditions.append(lost(name_of_control, ""))
    else:
        gain, tasks = few
        conditions.append(Condition(name_of_control, f"{tasks} tasks", gain, NAN, NAN, 0.0, gain > 0, "points"))
    means = {"ReLU": score[RELU], "others": others, "own": own, "all": score[ALL]}
    ours = say("budgets", **{name: f"{100 * values.mean():.1f}" for name, values in means.items()},
               ahead=plus_minus(*paired_interval(score[ALL], specific.mean(axis=1))))  # fmt: skip
    return Finding(f"{ours}. {_told(few)}", decides, tuple(conditions))
