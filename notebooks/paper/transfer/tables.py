"""What the records say of restarts, of a task's own activation and of sines made by hand, across algorithmic tasks."""

import numpy as np
import pandas as pd

from lib.figures import plus_minus
from lib.figures_transfer import Scores
from lib.intervals import paired_interval
from lib.sections.transfer_matrix import ALL, RELU, learned_on, learned_something


def learned_nothing(learning: pd.DataFrame) -> pd.Series:
    """Per task, how many restarts diverged or left the function a constant.

    Args:
        learning: Learn records with the columns task, record.
    """
    nothing = [not learned_something(record) for record in learning.record]
    return pd.Series(nothing, learning.index, dtype=int).groupby(learning.task, sort=False).sum()


def own_scores(scores: Scores) -> pd.DataFrame:
    """Per task with an activation of its own: scores of that activation and of the one for all tasks.

    Returns:
        Columns own: on the task; others: mean over the other tasks; all: of the activation for all tasks on this one,
        NaN without one.
    """
    specific, rows = scores.specific, {}
    for task in specific.index:
        if (arm := learned_on(task)) in specific:
            joint = scores.score[ALL][task] if ALL in scores.score else np.nan
            rows[task] = specific[arm][task], specific[arm].drop(task).mean(), joint
    return pd.DataFrame.from_dict(rows, orient="index", columns=["own", "others", "all"])


def restarts_apart(selection: pd.DataFrame) -> pd.DataFrame:
    """Per arm with several restarts: the best and worst validation accuracy at the end of the runs that select.

    A restart on several tasks counts by its mean over them.
    """
    ends = selection.assign(end=[run.record.arrays["validation_accuracy"][-1] for run in selection.itertuples()])
    of_restart = ends.groupby(["arm", "learned"], sort=False).end.mean()
    by_arm = of_restart.groupby(level=0, sort=False).agg(best="max", worst="min", restarts="size")
    return by_arm.loc[by_arm.restarts > 1, ["best", "worst"]]


def sines(trials: pd.DataFrame, runs: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Test accuracy at the last step with activations that were made by hand, the control for learned ones.

    Args:
        trials: the runs that select, runs: those that are compared; each of them has every arm on every task.

    Returns:
        Per task the accuracy with the arm that learns earliest on held-out pairs of the task (column chosen) and with
        the one that does so on average over the tasks (shared); and the name of the latter.
    """
    merits = [run.record.arrays["validation_accuracy"].mean() for run in trials.itertuples()]
    merit = pd.Series(merits, pd.MultiIndex.from_frame(trials[["data", "arm"]])).unstack()
    accuracy = runs.pivot(index="data", columns="arm", values="test_accuracy_last").astype(float)
    shared, chosen = merit.mean().idxmax(), merit.idxmax(axis=1)
    best = [accuracy.loc[task, chosen[task]] for task in accuracy.index]
    return pd.DataFrame({"chosen": best, "shared": accuracy[shared]}, accuracy.index), shared


def against_sines(cells: pd.DataFrame, trials: pd.DataFrame, runs: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Mean test accuracy at the last step over the tasks: ReLU, sines made by hand, and what was learned.

    Args:
        cells: the runs of the matrix. trials, runs: those of the sines, see :func:`sines`.

    Returns:
        Per kind of activation: mean (a fraction), tasks (how many), and for the learned ones ahead and half_width: the
        difference to the sine that was chosen in the same way, for all tasks or for each, paired by task. And the sine
        that was chosen for all.
    """
    accuracy = cells.pivot(index="data", columns="arm", values="test_accuracy_last").astype(float)
    by_hand, shared = sines(trials, runs)
    own = {task: accuracy.loc[task, learned_on(task)] for task in accuracy.index if learned_on(task) in accuracy}
    kinds = {
        "ReLU": (accuracy[RELU], None),
        "one sine for all tasks": (by_hand.shared, None),
        "a sine for each task": (by_hand.chosen, None),
        "learned on all tasks": (accuracy.get(ALL, pd.Series(dtype=float)), by_hand.shared),
        "learned on the task": (pd.Series(own, dtype=float), by_hand.chosen),
    }
    rows = {}
    for name, (values, sine) in kinds.items():
        if len(values):
            paired = sine is not None and len(values) > 1
            ahead = paired_interval(values, sine[values.index]) if paired else (np.nan, np.nan)
            rows[name] = values.mean(), len(values), *ahead
    return pd.DataFrame.from_dict(rows, orient="index", columns=["mean", "tasks", "ahead", "half_width"]), shared


def sines_in_words(compared: pd.DataFrame) -> str:
    """How the learned ones stand to the sines, from :func:`against_sines`."""
    words = []
    for name, row in compared.dropna().iterrows():
        side = "not told apart from"
        if abs(row.ahead) > row.half_width:
            side = "above" if row.ahead > 0 else "below"
        numbers = f"{100 * row['mean']:.0f} against {100 * (row['mean'] - row.ahead):.0f} % mean test accuracy"
        words.append(f"what was {name} is {side} the sine ({numbers}, {plus_minus(row.ahead, row.half_width)} points)")
    return "; ".join(words)
