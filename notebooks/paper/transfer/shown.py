"""What the page on transfer says of its tables: the numbers of sentences, and cells in words (Section 4)."""

import pandas as pd

from ..figures.explore import pretty
from ..figures.looks import name_of, plus_minus
from ..records.frames import Collected
from ..records.intervals import paired_interval
from . import tables
from .matrix import ALL, RELU, learned_on
from .tables import Scores


def means(scores: Scores) -> dict[str, float]:
    """The mean scores in %, by words that a sentence can name."""
    names = {"ReLU": "relu", "task-specific": "specific", "all tasks": "every"}
    return {names[name]: 100 * mean.mean for name, mean in tables.column_means(scores).items()}


def own(scores: Scores) -> dict[str, float | str]:
    """How activations score on their own task beside the one for all."""
    found = tables.own_scores(scores)
    return {
        "every": 100 * found["all"].mean(),
        "ahead": plus_minus(*paired_interval(found.own, found["all"])),
        "best": pretty(scores.specific.mean().idxmax().removeprefix("learned on ")),
    }


def learned(results: Collected) -> dict[str, float | int | str]:
    """How many restarts learned something, how far restarts are apart, and what the learning cost.

    Empty while there is no activation for all tasks, or one restart for each.
    """
    learning, tried = results.frame("learn", task="one-hot"), results.frame(role="selection", task="one-hot")
    if learning.empty or tried.empty:
        return {}
    alone = learning[learning.arm != ALL].assign(task=lambda frame: frame.data.str[0])
    together = learning[learning.arm == ALL]
    apart, joint = (tables.restarts_apart(tried[tried.arm.eq(ALL) == every]) for every in (False, True))
    if not (len(together) and len(apart) and len(joint)):
        return {}
    still, gap = tables.learned_nothing(alone), apart["best"] - apart["worst"]
    steps, all_steps = alone.inner_steps.median(), together.inner_steps.median()
    return {
        "restarts": len(alone),
        "nothing": int(still.sum()),
        "tasks": len(still),
        "all_learned": int((still == 0).sum()),
        "steps": steps,
        "all_steps": all_steps,
        "per_task": all_steps / len(still) / steps,
        "median": 100 * gap.median(),
        "most": 100 * gap.max(),
        "where": pretty(gap.idxmax().removeprefix("learned on ")),
        "worst_joint": 100 * joint["worst"].iloc[0],
        "best_joint": 100 * joint["best"].iloc[0],
    }


def without(results: Collected, cells: pd.DataFrame) -> list[str]:
    """The tasks on which nothing was learned, so that there is no column."""
    learning = results.frame("learn", task="one-hot")
    tasks = dict.fromkeys(learning[learning.arm != ALL].data.str[0]) if len(cells) else {}
    return [task for task in tasks if learned_on(task) not in set(cells.arm)]


def own_runs(results: Collected, cells: pd.DataFrame) -> pd.DataFrame:
    """The runs of each task with ReLU and with its own activation: in the matrix and, where done, of other seeds."""
    others = results.frame(role="own") if "own" not in results.lacking else cells.iloc[:0]
    return pd.concat([cells[(cells.arm == RELU) | (cells.arm == cells.data.map(learned_on))], others])


def gains(runs: pd.DataFrame, found: pd.DataFrame) -> dict[str, float | int | str]:
    """What own activations gain over ReLU at the last step.

    Args:
        runs: from :func:`own_runs`. found: from :func:`.tables.own_gains` of them.
    """
    mine = runs[runs.data.isin(found.index)]
    relu, own = (100 * mine[mine.arm.eq(RELU) == which].test_accuracy_last.mean() for which in (True, False))
    reached = mine.groupby(["data", "arm"]).test_accuracy_last.mean().groupby("data").max()
    return {
        "above": int((found.gain > found.half_width).sum()),
        "below": int((-found.gain > found.half_width).sum()),
        "tasks": len(found),
        "seeds": runs.seed.nunique(),
        "most": 100 * found.gain.max(),
        "where": pretty(found.gain.idxmax()),
        "relu": relu,
        "own": own,
        "low": int((reached < 0.1).sum()),
        "steps": runs.steps.iloc[0],
    }


def sines_table(compared: pd.DataFrame) -> pd.DataFrame:
    """The cells of :func:`.tables.against_sines`."""
    ahead = [plus_minus(row.ahead, row.half_width) if row.ahead == row.ahead else "—" for row in compared.itertuples()]
    columns = {
        "activation": compared.index,
        "mean test accuracy (%)": (100 * compared["mean"]).map("{:.1f}".format),
        "tasks": compared.tasks,
        "ahead of the sine (points)": ahead,
    }
    return pd.DataFrame(columns)


def pairs_table(accuracies: pd.DataFrame) -> pd.DataFrame:
    """The cells of :func:`.tables.pair_correlations`."""
    found = tables.pair_correlations(accuracies)
    rows = [(f"{name_of(a)} and {name_of(b)}", *map(str, both)) for (a, b), both in found.items()]
    return pd.DataFrame(rows, columns=["datasets", "of accuracies", "of changes against ReLU at equal depth"])


def changes(summary: pd.DataFrame) -> dict[str, str | int]:
    """Which datasets do best with their own activation, and the mean changes over the datasets."""
    means, average = summary.pivot(index="data", columns="arm", values="mean"), tables.mean_changes(summary)
    own = [name_of(data) for data in summary.data.unique() if means.loc[data].idxmax() == learned_on(data)]
    words = "; ".join(f"{tables.arm_name(arm)} {100 * mean:+.1f}" for arm, mean in average["mean"].items())
    return {"own": ", ".join(own) or "none", "total": len(means), "count": len(own), "words": words}


def paper_table() -> pd.DataFrame:
    """The paper's Table 4."""
    names = [name_of(data) for data in tables.PAPER_DATASETS]
    rows = [[tables.arm_name(arm), *row[:4], f"{row[4]:+.1f} ± {row[5]}"] for arm, row in tables.PAPER_TABLE.items()]
    return pd.DataFrame(rows, columns=["activation", *names, tables.CHANGE])


def headline(scores: Scores) -> list[str]:
    """The words on the matrix: "tasks-yes" if task-specific activations are above ReLU by their interval."""
    found = tables.column_means(scores)
    specific = found["task-specific"]
    return ["tasks-yes" if specific.mean - specific.half_width > found["ReLU"].mean else "tasks-hardly"]


def images_headline(summary: pd.DataFrame) -> list[str]:
    """The part of the words on images: "images-yes" if activations of other datasets gain a point on average."""
    others = summary[(summary.arm != RELU) & (summary.arm != summary.data.map(learned_on)) & (summary.arm != ALL)]
    return ["images-yes" if others.gain.mean() >= 0.01 else "images-hardly"]
