"""What the records of image classification and regression say, as tables for their two pages (Sections 3.1 and 3.2)."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

from lib import splines

from ..figures import looks
from ..figures.similarity import activation_distance
from ..records import frames, intervals
from ..records.frames import Collected
from ..records.intervals import Correlation, Interval, clustered_spearman, interval, mean_of, paired_interval
from ..records.store import Record
from .plan import ARMS, BY_HAND, LONGER, RANDOM

MAIN = ("tuning", "selection", "final")  # roles of the main comparison
CONTROLS = (BY_HAND, RANDOM, LONGER)
NEAR_CHANCE = 0.15  # accuracy of ReLU below which differences say little; all datasets have ten classes


def main_runs(results: Collected) -> pd.DataFrame:
    """All runs of the main comparison, without controls and other depths, on the datasets that are finished."""
    runs = results.frame()
    return runs[runs.role.isin(MAIN) & runs.data.isin(finals(results).data)]


def finals(results: Collected) -> pd.DataFrame:
    """The final runs of the datasets and optimisers that have all arms with the same seeds.

    Where nothing is missing, an arm without a run is one that diverged in every restart.
    """
    runs = results.frame(role="final")
    if runs.empty or not results.missing:
        return runs
    kept = []
    for _, part in runs.groupby(["data", "optimiser.name", "optimiser.lr"], sort=False):
        seeds = [sorted(part[part.arm == arm].seed) for arm in ARMS]
        kept += [part] if seeds[0] and seeds[0] == seeds[1] == seeds[2] else []
    return pd.concat(kept, ignore_index=True) if kept else runs.iloc[:0]


def chosen(tuning: pd.DataFrame) -> pd.DataFrame:
    """Per dataset (the index), the tuning run with the best validation accuracy."""
    return tuning.loc[tuning.groupby("data").validation_accuracy.idxmax()].set_index("data")


def tuned(results: Collected) -> pd.DataFrame:
    """The :func:`finals` with each dataset's tuned optimiser."""
    runs, best = finals(results), chosen(results.frame(role="tuning"))
    name, rate = (best[f"optimiser.{key}"].reindex(runs.data).to_numpy() for key in ("name", "lr"))
    return runs[(runs["optimiser.name"] == name) & (runs["optimiser.lr"] == rate)]


def tuning_table(tuning: pd.DataFrame) -> pd.DataFrame:
    """Validation accuracy in % per optimiser and learning rate (rows) and dataset."""
    shown = tuning.assign(
        optimiser=tuning["optimiser.name"] + " " + tuning["optimiser.lr"].map("{:g}".format),
        accuracy=(100 * tuning.validation_accuracy).map("{:.1f}".format),
        dataset=tuning.data.map(looks.name_of),
    )
    pivot = shown.pivot(index="optimiser", columns="dataset", values="accuracy")
    return pivot.reindex(shown.optimiser.unique()).fillna("—").reset_index()


def summaries(finals: pd.DataFrame, tuning: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Summaries over seeds, with the tuned optimiser and, where other runs are there, with plain gradient descent."""
    best = chosen(tuning)["optimiser.name"].reindex(finals.data).to_numpy()
    used = finals["optimiser.name"]
    blocks = {"the tuned optimiser": finals[used == best]}
    plain = finals[used == "sgd"]
    if (~plain.data.isin(finals[best == "sgd"].data)).any():
        blocks["plain gradient descent"] = plain
    return {title: intervals.summary(runs, "test_accuracy", ["data"]) for title, runs in blocks.items()}


def at_equal_complexity(results: Collected, data: str, arm: str, least: float, apart: float = 1.1) -> pd.DataFrame:
    """Pairs of trained networks, one with an arm and one with ReLU, of about the same total variation at the best step.

    Of any width, depth and rate; each run of the arm with the ReLU run that is nearest in total variation.

    Args:
        least: test accuracy below which a run does not count. apart: the largest factor between the two of a pair.

    Returns:
        Columns tv, relu_tv, accuracy, relu_accuracy, per pair.
    """
    runs = results.frame()
    runs = runs[(runs.data == data) & (runs.test_accuracy >= least) & (runs.tv > 0)] if len(runs) else runs
    relu, rows = runs[runs.arm == ARMS[0]] if len(runs) else runs, []
    for run in runs[runs.arm == arm].itertuples() if len(relu) else ():
        ratio = np.log(relu.tv / run.tv).abs()
        near = relu.loc[ratio.idxmin()]
        if ratio.min() <= np.log(apart):
            rows.append((run.tv, near.tv, run.test_accuracy, near.test_accuracy))
    return pd.DataFrame(rows, columns=["tv", "relu_tv", "accuracy", "relu_accuracy"])


def with_controls(results: Collected) -> pd.DataFrame:
    """The final runs with the tuned optimiser and the controls, on the datasets that have all controls."""
    control = results.frame(role="control")
    if control.empty:
        return control
    known = [data for data, part in control.groupby("data") if set(part.arm) == set(CONTROLS)]
    runs = pd.concat([tuned(results), control], ignore_index=True)
    return runs[runs.data.isin(known)]


def over_controls(runs: pd.DataFrame) -> pd.DataFrame:
    """What the best learned activation adds to the best control, both chosen by validation rows.

    Args:
        runs: from :func:`with_controls`.

    Returns:
        One row per dataset: data, learned, control, gain, half_width (test accuracy, paired by the seeds of both).
    """
    rows = []
    for data, part in runs.groupby("data", sort=False):
        seeds = set.intersection(*(set(own.seed) for _, own in part.groupby("arm")))  # each has its own validation rows
        merit = part[part.seed.isin(seeds)].groupby("arm").validation_accuracy.mean()
        best = [merit[merit.index.isin(arms)].idxmax() for arms in (ARMS[1:], CONTROLS)]
        learned, control = (part[part.arm == arm].set_index("seed").test_accuracy for arm in best)
        rows.append((data, *best, *intervals.paired_by_seed(learned, control)))
    return pd.DataFrame(rows, columns=["data", "learned", "control", "gain", "half_width"])


def depth_runs(results: Collected) -> pd.DataFrame:
    """The runs with the tuned optimiser at each depth, of the seeds that all have; empty while some are missing."""
    deep = results.frame(role="depth")
    if deep.empty or "depth" in results.lacking:
        return pd.DataFrame()
    shallow = tuned(results)
    return pd.concat([shallow[shallow.seed.isin(deep.seed) & shallow.data.isin(deep.data)], deep], ignore_index=True)


def by_depth(results: Collected) -> pd.DataFrame:
    """Test accuracy at each depth.

    Returns:
        Columns data, arm, depth, n, mean, half_width (NaN for one seed), validation (its mean accuracy, to choose a
        depth by); empty while other depths are missing.
    """
    runs, rows = depth_runs(results), []
    for group, part in runs.groupby(["data", "arm", "network.depth"], sort=False) if len(runs) else ():
        rows.append([*group, len(part), *mean_of(part.test_accuracy), part.validation_accuracy.mean()])
    columns = ["data", "arm", "depth", "n", "mean", "half_width", "validation"]
    return pd.DataFrame(rows, columns=columns if rows else None)


def gains_by_depth(results: Collected) -> pd.DataFrame:
    """The differences to ReLU with as many hidden layers (:func:`.intervals.summary`), by data and depth.

    Empty without other depths or with one seed.
    """
    runs = depth_runs(results)
    if runs.empty or runs[runs.arm == "ReLU"].groupby(["data", "network.depth"]).size().min() < 2:
        return pd.DataFrame()
    return intervals.summary(runs.rename(columns={"network.depth": "depth"}), "test_accuracy", ["data", "depth"])


def best_depths(deep: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`by_depth` with the depth that validation rows choose, without the layer-specific arm."""
    deep = deep[deep.arm.isin(ARMS)]
    return deep.loc[deep.groupby(["data", "arm"]).validation.idxmax()]


def at_best_depth(runs: pd.DataFrame) -> pd.DataFrame:
    """Each activation at the depth that validation rows choose, against ReLU at its own (:func:`.intervals.summary`).

    Args:
        runs: with several depths, as of :func:`depth_runs`.

    Returns:
        Its columns and depth; without the layer-specific activations, which have one depth; empty without two seeds.
    """
    if runs.empty or runs[runs.arm == "ReLU"].groupby(["data", "network.depth"]).size().min() < 2:
        return pd.DataFrame()
    chosen = frames.at_best_depth(runs[runs.arm.isin(ARMS)]).rename(columns={"network.depth": "depth"})
    chosen = chosen.sort_values("arm", key=lambda arms: arms.map(ARMS.index), kind="stable")
    best = chosen[["data", "arm", "depth"]].drop_duplicates()
    return intervals.summary(chosen, "test_accuracy", ["data"]).merge(best)


def distances(learned: Record, run: Record) -> tuple[float, float, float]:
    """Distances of a learned function from GELU and from ReLU, and of ReLU from GELU.

    All are weighted by where the trained network uses the learned function. NaN for one that is constant there; all are
    NaN where the network uses one side of 0 only, on which ReLU itself is straight.
    """
    psi, activation = torch.from_numpy(learned.arrays["psi_hidden"]), learned.config["network"]["activation"]
    grid = splines.grid(len(psi), activation["low"], activation["high"])
    density = torch.from_numpy(run.arrays["pre_activations"])
    gelu, relu = torch.nn.functional.gelu, torch.relu
    where = grid[density > 0]
    if where.min() >= 0 or where.max() <= 0:
        return (float("nan"),) * 3

    def distance(values: torch.Tensor, reference: Callable[[torch.Tensor], torch.Tensor]) -> float:
        used = values[density > 0]
        if used.max() == used.min():
            return float("nan")
        return activation_distance(grid, values, reference, density=density).distance

    return distance(psi, gelu), distance(psi, relu), distance(relu(grid), gelu)


def functions(results: Collected, share: float = 0.95) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The learned functions of the final runs, and their distances from GELU and ReLU.

    Returns:
        Columns data, arm, kind (the optimiser), psi, low, high, used (the middle ``share`` of the pre-activations of a
        trained network), one row per function; and the distances in words.
    """
    shown, rows = [], []
    runs = finals(results)
    for row in runs[runs.learned != ""].drop_duplicates("learned").itertuples():
        learned, density = results.by_key[row.learned], row.record.arrays["pre_activations"]
        optimiser, limits = learned.config["settings"]["inner"]["name"], learned.config["network"]["activation"]
        grid, below = np.linspace(limits["low"], limits["high"], len(density)), np.cumsum(density) / density.sum()
        used = tuple(float(grid[np.searchsorted(below, end)]) for end in ((1 - share) / 2, (1 + share) / 2))
        psi = learned.arrays["psi_hidden"]
        shown.append((row.data, row.arm, optimiser, psi, limits["low"], limits["high"], used))
        rows.append((looks.name_of(row.data), optimiser, row.arm, *distances(learned, row.record)))
    columns = ["dataset", "optimiser", "activation", "distance to GELU", "distance to ReLU", "ReLU to GELU"]
    frame = pd.DataFrame(rows, columns=columns).sort_values(["activation", "dataset"])
    frame[columns[3:]] = frame[columns[3:]].map("{:.3f}".format).replace("nan", "—")
    return pd.DataFrame(shown, columns=["data", "arm", "kind", "psi", "low", "high", "used"]), frame


def markers(runs: pd.DataFrame) -> pd.DataFrame:
    """Each run at each evaluation from 10 % of its steps on where TV is above 0.

    Returns:
        Columns tv, train_accuracy, test_accuracy, data, arm, cluster (see :func:`correlations`).
    """
    points = []
    for row, cluster in zip(runs.itertuples(), _clusters(runs), strict=True):
        arrays = row.record.arrays
        late = arrays["step"] >= 0.1 * row.steps
        values = {name: arrays[name][late] for name in ("tv", "train_accuracy", "test_accuracy")}
        points.append(pd.DataFrame(values).assign(data=row.data, arm=row.arm, cluster=cluster))
    return pd.concat(points, ignore_index=True).query("tv > 0")


def gaps(runs: pd.DataFrame) -> pd.DataFrame:
    """How far training accuracy is ahead of test accuracy at the best steps.

    Args:
        runs: those of :func:`tuned`: of one optimiser, with the same seeds for all arms.

    Returns:
        Columns data, arm, mean, half_width: fractions; the interval is over seeds.
    """
    ahead = (runs.train_accuracy - runs.test_accuracy).groupby([runs.data, runs.arm], sort=False)
    return ahead.agg(mean="mean", half_width=lambda part: interval(part)[1]).reset_index()


def nearly_constant(points: pd.DataFrame) -> pd.Series:
    """Which of the :func:`markers` have less than a twentieth of their dataset's median total variation."""
    return points.tv < points.groupby("data").tv.transform("median") / 20


def correlations(runs: pd.DataFrame) -> dict[str, Correlation]:
    """Per dataset, the rank correlation of test accuracy with total variation over the runs at their best step.

    Runs that share activation and optimiser are one cluster of the bootstrap: their seeds are not independent of that.
    """
    return marker_correlations(runs.assign(cluster=_clusters(runs)))


def marker_correlations(points: pd.DataFrame) -> dict[str, Correlation]:
    """Per dataset, the rank correlation over :func:`markers`, that is over runs throughout their training."""
    return {
        data: clustered_spearman(part.tv, part.test_accuracy, part.cluster)
        for data, part in points.groupby("data", sort=False)
    }


def _clusters(runs: pd.DataFrame) -> pd.Series:
    """One name for all runs that share activation, optimiser, width and depth."""
    own = ("optimiser.lr", "network.width", "network.depth")
    return sum((runs[name].astype(str) + " " for name in own), runs.arm + runs.learned + runs["optimiser.name"])


def points_of_all_depths(results: Collected) -> pd.DataFrame:
    """The :func:`markers` of selecting and final runs and of those at other depths, on finished datasets."""
    runs = results.frame()
    mine = runs.role.isin(["selection", "final", "depth"]) & runs.arm.isin(ARMS) & runs.data.isin(finals(results).data)
    return markers(runs[mine])


def complexity_over_relu(results: Collected, arm: str) -> dict[str, Interval]:
    """Per dataset, the logarithm of an arm's total variation over ReLU's, each at its best step and validated depth.

    Paired by seed; empty without other depths.
    """
    deep = by_depth(results)
    if deep.empty:
        return {}
    best = best_depths(deep)[["data", "arm", "depth"]]
    runs = depth_runs(results).rename(columns={"network.depth": "depth"}).merge(best)
    found = {}
    for data, part in runs.groupby("data", sort=False):
        own, relu = (part[part.arm == name].set_index("seed").tv for name in (arm, ARMS[0]))
        seeds = own.index.intersection(relu.index)
        if len(seeds) > 1:
            found[data] = paired_interval(np.log(own[seeds]), np.log(relu[seeds]))
    return found
