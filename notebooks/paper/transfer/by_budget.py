"""How the matrix with several seeds and equal budgets (plan "budgets") decides C17, by the rule to come."""

import pandas as pd

from ..figures.looks import plus_minus
from ..figures.words import words
from ..records.frames import Collected
from ..records.intervals import paired_interval
from ..verdict import NAN, NOT_RUN, Condition, Finding, Read, above, lost, verdict
from .matrix import ALL, RELU, learned_on
from .tables import matrix_scores

say = words("transfer", "findings").fill


def scores(runs: pd.DataFrame) -> pd.DataFrame:
    """The scores of Figure 14, tasks x activations, a mean over the seeds."""
    tables = [matrix_scores(part).score for _, part in runs.groupby("seed")]
    return pd.concat(tables).groupby(level=0, sort=False).mean()


def cells(results: Collected) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The runs on all tasks, and those on the few with one activation for them, whose arm is ALL too."""
    runs = results.frame()
    equal, few = runs[runs.role == "equal"], runs[runs.role == "four"]
    first = runs[runs.role.isin(["matrix", "own"]) & runs.seed.isin(equal.seed) & (runs.arm != ALL)]
    own = first[first.data.isin(few.data) & first.arm.isin([RELU, *map(learned_on, few.data)])]
    return pd.concat([first, equal]), pd.concat([own, few.assign(arm=ALL)])


def transfer_across_tasks(read: Read) -> Finding:
    """C17."""
    results = read("budgets")
    if results.missing or not results.records:
        return NOT_RUN
    runs, on_few = cells(results)
    conditions, control = [], "one for all, equal in total"
    score = scores(runs) if len(runs) else pd.DataFrame()
    specific = score.drop(columns=[RELU, ALL], errors="ignore")
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
    decides, told = verdict(condition.holds for condition in conditions), say("no-four")
    if len(on_few) and (on_few.arm == ALL).any():
        few = scores(on_few)
        gain = 100 * (few[ALL] - few.drop(columns=[RELU, ALL]).mean(axis=1)).mean()
        conditions.append(Condition(control, f"{len(few)} tasks", gain, NAN, NAN, 0.0, bool(gain > 0), "points"))
        told = say("four", tasks=len(few), gain=f"{gain:+.1f}", kept="" if gain > 0 else say("of-budget"))
    else:
        conditions.append(lost(control, ""))
    means = {"ReLU": score[RELU], "others": others, "own": own, "all": score[ALL]}
    ours = say("budgets", **{name: f"{100 * values.mean():.1f}" for name, values in means.items()},
               ahead=plus_minus(*paired_interval(score[ALL], specific.mean(axis=1))))  # fmt: skip
    return Finding(f"{ours}. {told}", decides, tuple(conditions))
