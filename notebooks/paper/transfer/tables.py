"""What the records of transfer say: the scores of Figure 14, Table 4, restarts, sines made by hand (Section 4)."""

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd

from ..figures.looks import name_of, plus_minus
from ..records.intervals import Correlation, Interval, interval, mean_of, paired_interval, spearman
from .matrix import ALL, RELU, learned_on, learned_something
from .plan import Images

PAPER_SCORES = {"ReLU": 19.9, "task-specific": 54.0, "all tasks": 61.5}  # Figure 14, mean per column in %
PAPER_SPREAD = (22.2, 80.5)  # least and greatest of the task-specific columns


@dataclass(frozen=True, eq=False)
class Scores:
    """The matrix of Figure 14.

    Args:
        score: tasks x activations, in [0, 1]: 1 is the best activation of that task.
        easy: per task, whether the ReLU network solves it.
        best: per task, the best test accuracy at the end, a fraction.
    """

    score: pd.DataFrame
    easy: pd.Series
    best: pd.Series

    def of(self, tasks: list[str]) -> "Scores":
        """The rows of these tasks, in this order."""
        return Scores(self.score.loc[tasks], self.easy[tasks], self.best[tasks])

    @property
    def noise(self) -> list[str]:
        """The tasks on which no network is above 10 % test accuracy: their scores compare noise."""
        return list(self.best.index[self.best < 0.1])

    @property
    def specific(self) -> pd.DataFrame:
        """The columns of the activations that were learned on one task each."""
        return self.score.drop(columns=[RELU, ALL], errors="ignore")


def transfer_scores(steps: pd.DataFrame, accuracy: pd.DataFrame, reference: str = RELU) -> Scores:
    """Score each activation on each task as in Figure 14.

    Easy tasks, solved with the reference: fraction of the best convergence speed, where the speed is 1 / steps and 0 if
    never. Hard tasks: fraction of the best accuracy.

    Args:
        steps: tasks x activations, steps to 95 % test accuracy, NaN if never.
        accuracy: tasks x activations, test accuracy at the end, fractions.
        reference: the column that decides which tasks are easy.

    Raises:
        ValueError: tables that disagree, no reference, steps below 1, accuracies outside [0, 1] or missing.

    Example:
        >>> steps = pd.DataFrame({"ReLU": [100.0, np.nan], "g": [50.0, np.nan]}, ["easy", "hard"])
        >>> accuracy = pd.DataFrame({"ReLU": [1.0, 0.1], "g": [1.0, 0.4]}, ["easy", "hard"])
        >>> transfer_scores(steps, accuracy).score.to_numpy().tolist()
        [[0.5, 1.0], [0.25, 1.0]]
    """
    if not (steps.index.equals(accuracy.index) and steps.columns.equals(accuracy.columns)):
        raise ValueError(
            f"steps and accuracy must have the same rows and columns, got {steps.shape} and {accuracy.shape}"
        )
    if reference not in steps:
        raise ValueError(f"the reference must be a column, got {reference!r}")
    if (steps < 1).any(axis=None):
        raise ValueError(f"steps must be at least 1, got {steps.min(axis=None)}")
    if not accuracy.ge(0).all(axis=None) or not accuracy.le(1).all(axis=None):
        raise ValueError(f"accuracies must lie in [0, 1], got {accuracy.min(axis=None)} to {accuracy.max(axis=None)}")
    easy = steps[reference].notna()
    merit = (1 / steps).fillna(0.0).where(easy, accuracy)
    best = merit.max(axis=1)
    return Scores(merit.div(best.where(best > 0, 1.0), axis=0), easy, accuracy.max(axis=1))


def matrix_scores(runs: pd.DataFrame) -> Scores:
    """Scores from the runs with role "matrix": easy tasks first, the columns in the order of the rows."""
    order = list(dict.fromkeys(runs.data))
    columns = [arm for arm in [RELU, *map(learned_on, order), ALL] if (runs.arm == arm).any()]
    runs = runs.assign(steps=pd.to_numeric(runs.test_steps_to_95))
    steps, accuracy = (
        runs.pivot(index="data", columns="arm", values=value).loc[order, columns].astype(float)
        for value in ("steps", "test_accuracy_last")
    )
    scores = transfer_scores(steps, accuracy)
    rows = sorted(order, key=lambda task: not scores.easy[task])
    columns = [arm for arm in [RELU, *map(learned_on, rows), ALL] if arm in columns]
    return replace(scores, score=scores.score[columns]).of(rows)


def column_means(scores: Scores) -> dict[str, Interval]:
    """Mean score over the tasks, with its 95 % interval over them: of ReLU, task-specific and all-tasks activations.

    The mean of the task-specific ones is over all their columns and all tasks, as in the paper.
    """
    specific = scores.specific
    means = {"ReLU": interval(scores.score[RELU])}
    if specific.shape[1]:
        means["task-specific"] = interval(specific.mean(axis=1))
    if ALL in scores.score:
        means["all tasks"] = interval(scores.score[ALL])
    return means


def own_gains(runs: pd.DataFrame) -> pd.DataFrame:
    """What a task's own activation gains over ReLU in test accuracy at the last step, paired by seed (Figure 28).

    Returns:
        The task as index, columns gain, half_width (NaN for one seed): fractions; tasks without own activation are left
        out.
    """
    rows = {}
    for task, part in runs.groupby("data", sort=False):
        own, relu = (
            part[part.arm == arm].set_index("seed").test_accuracy_last.astype(float) for arm in (learned_on(task), RELU)
        )
        if len(own):
            rows[task] = mean_of(own - relu[own.index])
    return pd.DataFrame.from_dict(rows, orient="index", columns=["gain", "half_width"])


def in_words(means: dict[str, Interval]) -> str:
    """Means with their intervals, from :func:`column_means`."""
    return "; ".join(f"{name} {plus_minus(*mean)} %" for name, mean in means.items())


def means_in_words(scores: Scores) -> str:
    """The :func:`column_means`, and those without the tasks whose scores compare noise, if there are some."""
    means, rest = in_words(column_means(scores)), rest_in_words(scores)
    without = f"without the {len(scores.noise)} tasks on which no network is above 10 %"
    return f"{means} ({without}: {rest})" if rest else means


def rest_in_words(scores: Scores) -> str:
    """The :func:`column_means` without the tasks whose scores compare noise; empty if there are none, or few others."""
    rest = [task for task in scores.score.index if task not in scores.noise]
    return in_words(column_means(scores.of(rest))) if scores.noise and len(rest) > 1 else ""


def score_table(scores: Scores) -> pd.DataFrame:
    """Mean scores per column, the paper's beside ours."""
    specific, rows = 100 * scores.specific.mean(), []
    ends = PAPER_SPREAD, (specific.min(), specific.max())
    spreads = [f" (columns from {least:.1f} to {most:.1f})" for least, most in ends]
    for name, found in column_means(scores).items():
        paper, ours = spreads if name == "task-specific" else ("", "")
        rows.append([name, f"{PAPER_SCORES[name]}{paper}", plus_minus(*found) + ours])
    return pd.DataFrame(rows, columns=["activation", "mean score in the paper (%)", "ours (%)"])


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


def sine_merits(trials: pd.DataFrame) -> pd.DataFrame:
    """How early each sine (columns) learns on held-out pairs of each task (the index): mean validation accuracy."""
    merits = [run.record.arrays["validation_accuracy"].mean() for run in trials.itertuples()]
    return pd.Series(merits, pd.MultiIndex.from_frame(trials[["data", "arm"]])).unstack()


def sines(trials: pd.DataFrame, runs: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Test accuracy at the last step with activations that were made by hand, the control for learned ones.

    Args:
        trials: the runs that select, runs: those that are compared; each of them has every arm on every task.

    Returns:
        Per task the accuracy with the arm that learns earliest on held-out pairs of the task (column chosen) and with
        the one that does so on average over the tasks (shared); and the name of the latter.
    """
    merit = sine_merits(trials)
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
        ahead, half = row.ahead, row.half_width
        side = "above" if ahead > half else "below" if -ahead > half else "not told apart from"
        numbers = f"{100 * row['mean']:.0f} against {100 * (row['mean'] - ahead):.0f} % mean test accuracy"
        words.append(f"what was {name} is {side} the sine ({numbers}, {plus_minus(ahead, half)} points)")
    return "; ".join(words)


PAPER_TABLE = {  # Table 4: accuracy in % on mnist, fashion_mnist, svhn, cifar10; mean change and its spread
    RELU: (76.7, 73.9, 42.9, 16.1, 0.0, 0.0),
    "learned on mnist": (79.7, 73.0, 41.0, 18.2, 0.6, 2.3),
    "learned on fashion_mnist": (64.3, 75.1, 39.7, 23.7, -1.7, 8.4),
    "learned on svhn": (61.0, 73.2, 54.1, 19.2, -0.5, 11.3),
    "learned on cifar10": (57.6, 74.5, 41.0, 22.6, -3.5, 11.0),
    ALL: (76.2, 72.8, 45.0, 17.4, 0.4, 1.5),
}
CHANGE = "mean change ± standard deviation over datasets"  # a deviation, as in the paper's table
PAPER_DATASETS = ("mnist", "fashion_mnist", "svhn", "cifar10")


def mean_changes(table: pd.DataFrame) -> pd.DataFrame:
    """Per arm: the mean over datasets of the change against ReLU, and its standard deviation over them, as in Table 4.

    Args:
        table: from :func:`.records.intervals.summary`, by dataset.
    """
    gains = table[table.arm != RELU].groupby("arm", sort=False).gain
    return pd.DataFrame({"mean": gains.mean(), "deviation": gains.std(ddof=1)})


def image_table(table: pd.DataFrame) -> pd.DataFrame:
    """Table 4 with ours: accuracy in % per arm and dataset, the paper's in brackets where it has the cell."""
    datasets, average, rows = list(dict.fromkeys(table.data)), mean_changes(table), []
    for arm, part in table.groupby("arm", sort=False):
        cells, paper, part = [arm_name(arm)], PAPER_TABLE.get(arm), part.set_index("data")
        for data in datasets:
            cell = plus_minus(part["mean"][data], part.half_width[data])
            if paper and data in PAPER_DATASETS:
                cell += f" ({paper[PAPER_DATASETS.index(data)]})"
            cells.append(f"**{cell}**" if arm == learned_on(data) else cell)
        mean, deviation = average.loc[arm] if arm in average.index else (0.0, 0.0)
        of_paper = f" ({paper[4]:+.1f} ± {paper[5]})" if paper and set(datasets) & set(PAPER_DATASETS) else ""
        rows.append([*cells, f"{100 * mean:+.1f} ± {100 * deviation:.1f}{of_paper}"])
    return pd.DataFrame(rows, columns=["activation", *map(name_of, datasets), CHANGE])


def architectures(finals: pd.DataFrame, deep: pd.DataFrame) -> pd.DataFrame:
    """Mean test accuracy of each architecture (an activation and a depth), over the seeds that all depths have.

    The activation that was learned on all datasets is left out, as in the paper.

    Args:
        finals, deep: the runs of Table 4 and those with role "depth".

    Returns:
        One column per dataset (fractions); index (arm, depth). Architectures that lack a dataset are left out.
    """
    runs = pd.concat([finals[finals.seed.isin(deep.seed)], deep])
    runs = runs[runs.arm != ALL].rename(columns={"network.depth": "depth"})
    means = runs.pivot_table(index=["arm", "depth"], columns="data", values="test_accuracy", sort=False)
    return means[list(dict.fromkeys(finals.data))].dropna().rename_axis(columns=None)


def pair_correlations(table: pd.DataFrame) -> dict[tuple[str, str], tuple[Correlation, Correlation]]:
    """Per pair of datasets, two rank correlations over the architectures with a learned activation.

    Of their accuracies, and of their changes against ReLU at the same depth: the first is high already if one depth
    is better than another on both datasets.

    Args:
        table: from :func:`architectures`.
    """
    gains = (table - table.loc[RELU].reindex(table.index.get_level_values("depth")).to_numpy()).drop(RELU)
    return {
        (a, b): tuple(spearman(values[a], values[b]) for values in (table.drop(RELU), gains))
        for a, b in combinations(table.columns, 2)
    }


def table_complete(finals: pd.DataFrame, plan: Images) -> bool:
    """Whether the final runs of Table 4 are all there: every activation on every dataset with all seeds, and ReLU."""
    if not len(finals) or RELU not in set(finals.arm):
        return False
    seeds = finals.groupby(["arm", "data"]).seed.nunique()
    return len(seeds) == finals.arm.nunique() * len(plan.datasets) and bool((seeds == len(plan.seeds)).all())


def paper_own_best() -> dict[str, bool]:
    """Per dataset of the paper's Table 4: whether the activation learned on it is the best there (the rule of C18).

    Example:
        >>> paper_own_best()["mnist"]
        True
    """
    best = {data: max(PAPER_TABLE, key=lambda arm: PAPER_TABLE[arm][i]) for i, data in enumerate(PAPER_DATASETS)}
    return {data: arm == learned_on(data) for data, arm in best.items()}


def arm_name(arm: str) -> str:
    """The name of an activation for readers."""
    return f"learned on {name_of(arm.removeprefix('learned on '))}" if arm not in (RELU, ALL) else arm
