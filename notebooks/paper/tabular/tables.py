"""What the records of the section "tabular" say, as tables (Section 3.3)."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..experiments import committed
from ..experiments.panels import fine_structure
from ..figures import looks
from ..records.frames import Collected, at_best_depth
from ..records.intervals import Interval, interval, mean_of, paired_interval
from ..records.store import Record
from .plan import ARMS, INPUTS, ZEROS

TREES, NEIGHBOURS = "boosted trees", "k-NN"
ORDER = ("linear", NEIGHBOURS, *ARMS, TREES)
ABOUT = tomllib.loads((Path(__file__).parent / "columns.toml").read_text(encoding="utf-8"))


def columns_of(data: str) -> list[str]:
    """The names of the columns of a table that is pictured, in order.

    Example:
        >>> columns_of("electricity")[:2]
        ['date', 'period']
    """
    return ABOUT[data]["names"]


def about(datasets: Sequence[str]) -> pd.DataFrame:
    """What is in the tables: rows that are here (of the official table's), columns, classes."""
    rows = []
    for data in datasets:
        of, here = ABOUT[data], committed.rows(data)
        count = "—" if here is None else f"{here[0]:,}" + (f" of {here[1]:,}" if here[0] != here[1] else "")
        rows.append([data, count, of["count"], of["classes"]])
    return pd.DataFrame(rows, columns=["table", "rows", "columns", "the two classes"])


def comparison(results: Collected) -> pd.DataFrame:
    """Per dataset and arm the test accuracy, for the datasets whose main comparison is complete.

    Returns:
        Columns data, arm, depth (0: no network), n (seeds), mean, half_width (NaN for one value), gain,
        gain_half_width (over ReLU, paired by seed), validation: fractions.
    """
    finals, others = results.frame(role="final"), results.frame("baseline", role="final")
    if not len(finals) or not len(others):
        return pd.DataFrame()
    needed = ["data", "arm", "seed", "test_accuracy", "validation_accuracy"]
    rows, runs, others = [], at_best_depth(finals)[[*needed, "network.depth"]], others[needed]
    for data, part in runs.groupby("data", sort=False):
        relu = part[part.arm == "ReLU"].set_index("seed").test_accuracy
        baselines = others[others.data == data]
        if len(relu) < 2 or set(baselines.arm) != {"linear", NEIGHBOURS, TREES} or _incomplete(part):
            continue
        if not set(relu.index) <= set(baselines[baselines.arm == TREES].seed):
            continue
        for arm, own in pd.concat([baselines, part]).groupby("arm", sort=False):
            values = own.set_index("seed").test_accuracy
            # a model without randomness counts once, against each seed of ReLU
            paired = pd.Series(values.iloc[0], relu.index) if len(values) == 1 else values[relu.index]
            mean, half = mean_of(values)
            gain = paired_interval(paired, relu) if arm != "ReLU" else (0.0, np.nan)
            depth = 0 if arm not in ARMS else int(own["network.depth"].iloc[0])
            rows.append([data, arm, depth, len(values), mean, half, *gain, own.validation_accuracy.mean()])
    columns = ["data", "arm", "depth", "n", "mean", "half_width", "gain", "gain_half_width", "validation"]
    return pd.DataFrame(rows, columns=columns)


def _incomplete(runs: pd.DataFrame) -> bool:
    """Whether arms of a dataset lack seeds that ReLU has, or the other way round."""
    seeds = [set(part.seed) for _, part in runs.groupby("arm")]
    return any(own != seeds[0] for own in seeds)


def averages(table: pd.DataFrame) -> pd.DataFrame:
    """The mean over datasets of each arm's accuracy and gain over ReLU, with an interval over datasets.

    Args:
        table: from :func:`comparison`.

    Returns:
        Columns arm, datasets, mean, gain, half_width (of the gain; NaN for one dataset), in ORDER's order.
    """
    rows = []
    for arm in [arm for arm in ORDER if (table.arm == arm).any()]:
        own = table[table.arm == arm]
        half = mean_of(own.gain).half_width if arm != "ReLU" else np.nan
        rows.append([arm, len(own), own["mean"].mean(), own.gain.mean(), half])
    return pd.DataFrame(rows, columns=["arm", "datasets", "mean", "gain", "half_width"])


def width_runs(results: Collected, data: str) -> pd.DataFrame:
    """The runs on one dataset with other widths, and those of the comparison with the same depth, arms and seeds."""
    finals, widths = results.frame(role="final"), results.frame(role="width")
    runs, widths = finals[finals.data == data], widths[widths.data == data]
    same = runs[runs["network.depth"].isin(widths["network.depth"]) & runs.arm.isin(widths.arm)]
    return pd.concat([widths, same[same.seed.isin(widths.seed)]])


def width_gains(results: Collected, data: str) -> pd.DataFrame:
    """What each arm adds to ReLU at each width, seed by seed: columns arm, width, seed, gain (a fraction)."""
    runs = width_runs(results, data).rename(columns={"network.width": "width"})
    table = runs.pivot_table(index=["width", "seed"], columns="arm", values="test_accuracy")
    gains = table.drop(columns="ReLU").sub(table["ReLU"], axis=0)
    return gains.melt(ignore_index=False, value_name="gain").dropna().reset_index()


def average_by_depth(results: Collected, datasets: Sequence[str]) -> pd.DataFrame:
    """The average over the datasets of what each arm gains at each depth over ReLU with one hidden layer.

    Over the seeds that every depth of every arm has, which is one on most tables.

    Returns:
        Columns arm, depth, n (datasets), mean, half_width, failed: fractions, with an interval over the datasets, and
        on how many of them the arm is more than 10 points below.
    """
    finals = results.frame(role="final")
    finals = finals[finals.data.isin(datasets)].rename(columns={"network.depth": "depth"})
    if finals.data.nunique() < 2:
        return pd.DataFrame()
    table = finals.pivot_table(index=["data", "seed"], columns=["arm", "depth"], values="test_accuracy").dropna()
    gains = table.sub(table["ReLU", 1], axis=0).groupby("data").mean()
    rows = [[*of, len(gains), *interval(gains[of]), (gains[of] < -0.1).sum()] for of in gains]
    columns = ["arm", "depth", "n", "mean", "half_width", "failed"]
    return pd.DataFrame(rows, columns=columns).sort_values(["arm", "depth"])


def with_depth(table: pd.DataFrame) -> dict[str, str | int]:
    """What each arm gains from one layer to the most that were tried, in points.

    Args:
        table: from :func:`average_by_depth`.
    """
    wide = 100 * table.pivot(index="arm", columns="depth", values="mean")
    change = wide[wide.columns.max()] - wide[wide.columns.min()]
    said = ", ".join(f"{looks.label(arm)} {points:+.1f}" for arm, points in change.items())
    return {"deepest": int(wide.columns.max()), "changes": said}


def course(results: Collected, data: str) -> pd.DataFrame:
    """The training of each arm at its best depth on a dataset, from the third evaluation on.

    Returns:
        Columns arm, step, tv, test_accuracy, validation_accuracy: means over seeds.
    """
    runs = at_best_depth(results.frame(role="final"))
    runs, parts = runs[runs.data == data], []
    for arm in [arm for arm in ARMS if (runs.arm == arm).any()]:
        names = ("step", "tv", "test_accuracy", "validation_accuracy")
        records = runs[runs.arm == arm].record
        means = {name: np.mean([record.arrays[name][2:] for record in records], axis=0) for name in names}
        parts.append(pd.DataFrame(means).assign(arm=arm))
    return pd.concat(parts, ignore_index=True)


def gaps(results: Collected, datasets: Sequence[str]) -> pd.DataFrame:
    """How far training is ahead of test, per dataset and arm at its best depth: columns data, arm, gap (a fraction)."""
    runs = at_best_depth(results.frame(role="final"))
    runs = runs[runs.data.isin(datasets)].assign(gap=lambda runs: runs.train_accuracy - runs.test_accuracy)
    return runs.groupby(["data", "arm"], sort=False).gap.mean().reset_index()


def complexities(results: Collected, datasets: Sequence[str]) -> pd.DataFrame:
    """The total variation of each arm at its best depth and step (claim C6).

    Returns:
        Columns data, arm, tv, ratio (to ReLU's), best (whether it is the most accurate one on validation rows).
    """
    runs, parts = at_best_depth(results.frame(role="final")), []
    for data in datasets:
        means = runs[runs.data == data].groupby("arm")[["validation_accuracy", "tv"]].mean().reset_index()
        best = means.index == means.validation_accuracy.idxmax()
        relu = means[means.arm == "ReLU"].tv.item()
        parts.append(means.assign(data=data, ratio=means.tv / relu, best=best))
    return pd.concat(parts, ignore_index=True)[["data", "arm", "tv", "ratio", "best"]]


def best_complexities(results: Collected, datasets: Sequence[str]) -> pd.DataFrame:
    """Per dataset (the index), its most accurate network arm on validation rows, and that arm's total variation
    absolute and relative to ReLU's (claim C6): columns arm, tv, ratio."""
    found = complexities(results, datasets)
    return found[found.best].set_index("data").rename_axis(None)[["arm", "tv", "ratio"]]


def panels(results: Collected, data: str) -> dict[str, Record]:
    """The records of Figure 7's panels on a dataset, by arm."""
    found = [r for r in results.records if r.kind == "panels" and r.config["run_of"]["data"] == data]
    found = {record.config["run_of"]["arm"]: record for record in found}
    return {arm: found[arm] for arm in ("ReLU", "tanh", ZEROS, INPUTS, NEIGHBOURS, TREES) if arm in found}


def best_learned(table: pd.DataFrame) -> str:
    """The learned arm with the highest validation accuracy on average over the tables that all of them have."""
    learned = table[table.arm.str.startswith("learned")].pivot(index="data", columns="arm", values="validation")
    return learned.dropna().mean().idxmax()


def fine_structures(found: dict[str, Record]) -> pd.DataFrame:
    """Share along one column and size of the fine structure of each model's slices (claim C7).

    Args:
        found: from :func:`panels`.

    Returns:
        Columns arm, slice, share, size: see :func:`notebooks.paper.experiments.panels.fine_structure`.
    """
    rows = [
        (arm, i, *fine_structure(values))
        for arm, record in found.items()
        for i, values in enumerate(record.arrays["slices"])
    ]
    return pd.DataFrame(rows, columns=["arm", "slice", "share", "size"])


def pictured(found: Mapping[str, dict[str, Record]]) -> pd.DataFrame:
    """Three numbers of each pictured model (claims C7 and C8).

    Args:
        found: by dataset, from :func:`panels`.

    Returns:
        Columns data, arm, test_accuracy, share and size (means over slices of :func:`fine_structures`), around (mean
        total variation over a random plane around the solution; NaN for models without weights).
    """
    rows = []
    for data, arms in found.items():
        fine = fine_structures(arms).groupby("arm")[["share", "size"]].mean()
        for arm, record in arms.items():
            numbers = record.numbers
            rows.append([data, arm, numbers["test_accuracy"], *fine.loc[arm], numbers.get("tv_around", np.nan)])
    return pd.DataFrame(rows, columns=["data", "arm", "test_accuracy", "share", "size", "around"])


def fewer_layers(results: Collected, table: pd.DataFrame, arm: str) -> pd.DataFrame:
    """What an arm reaches with fewer layers than validation rows choose for ReLU (claim C9).

    Args:
        table: from :func:`comparison`.

    Returns:
        The index is data: tables where ReLU has 2 hidden layers or more. Columns relu (its layers), layers (of the arm,
        the best of the fewer ones on validation rows), gain (its mean test accuracy less ReLU's).
    """
    runs = results.frame(role="final")
    means = runs.groupby(["data", "arm", "network.depth"])[["validation_accuracy", "test_accuracy"]].mean()
    rows = {}
    for data, layers in table[table.arm == "ReLU"].set_index("data").depth.items():
        tried = means.loc[(data, arm)] if (data, arm) in means.index.droplevel(2) else means.iloc[:0].droplevel([0, 1])
        tried = tried[tried.index < layers]
        if len(tried):
            best = tried.validation_accuracy.idxmax()
            rows[data] = (layers, best, tried.test_accuracy[best] - means.test_accuracy[data, "ReLU", layers])
    return pd.DataFrame.from_dict(rows, orient="index", columns=["relu", "layers", "gain"])


def measures(results: Collected) -> pd.DataFrame:
    """Networks measured in both ways: columns data, alpha, seed, tv, fourier, test_accuracy, record."""
    runs = results.frame("paths")
    names = {"run_of.data": "data", "run_of.network.activation.alpha": "alpha", "run_of.seed": "seed"}
    own = ["tv", "fourier", "test_accuracy", "record"]
    return runs[[*names, *own]].rename(columns=names) if len(runs) else pd.DataFrame(columns=[*names.values(), *own])


def ranked(results: Collected, table: pd.DataFrame) -> pd.DataFrame:
    """The control with columns by rank, on the datasets that have it with as many seeds as ReLU.

    Args:
        table: from :func:`comparison`.

    Returns:
        The index is data. Columns: accuracy of the control, its gain over ReLU, and how far beyond it the learned input
        activations are: fractions, means over seeds.
    """
    runs, rows = results.frame(role="control"), {}
    means = table.pivot(index="data", columns="arm", values="mean")
    seeds = table[table.arm == "ReLU"].set_index("data").n
    for data, own in at_best_depth(runs).groupby("data") if len(runs) else ():
        if data in means.index and len(own) == seeds[data] and INPUTS in means:
            mean = own.test_accuracy.mean()
            rows[data] = {"accuracy": mean, "gain": mean - means["ReLU"][data], "beyond": means[INPUTS][data] - mean}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["accuracy", "gain", "beyond"])


def crowded(results: Collected, most: float = 0.9) -> pd.DataFrame:
    """Columns of the control that are hardly spread by rank, because one piece of the spline holds nearly all rows.

    Half of the step between neighbouring control values is the share of the rows between the control points, with half
    of those that are equal to one. Rows at the column's ends are left out: those of an end have one rank in any case.

    Returns:
        The index is data. Columns: crowded, how many columns have more than the share `most` of the rows in one
        piece; columns, how many there are.
    """
    rows = {}
    for record in (record for record in results.records if record.kind == "ranks"):
        psi = record.arrays["psi_input"].astype(float)  # (d, n_c)
        ends, inside = np.stack([1 + psi[:, 0], 1 - psi[:, -1]], axis=1), np.diff(psi, axis=1) / 2
        inside[:, [0, -1]] -= ends / 2
        rows[record.config["data"]] = (int((inside.max(axis=1) > most * (1 - ends.sum(axis=1))).sum()), len(psi))
    return pd.DataFrame.from_dict(rows, orient="index", columns=["crowded", "columns"])


def variants(results: Collected) -> pd.DataFrame:
    """The ways to learn that were tried on the first dataset: columns arm, n, mean, half_width of test accuracy."""
    runs = results.frame(role="variant")
    rows = [
        [arm, len(part), *interval(part.test_accuracy), part.validation_accuracy.mean()]
        for arm, part in (runs.groupby("arm", sort=False) if len(runs) else ())
    ]
    return pd.DataFrame(rows, columns=["arm", "n", "mean", "half_width", "validation"])


def headline(inputs: Interval, ranks: Interval) -> list[str]:
    """The parts of the words that head the answer, by whether both gains over ReLU are above 0 with their intervals."""
    learned, ranked = (gain.mean > gain.half_width for gain in (inputs, ranks))
    first, second = ("columns-beat", "ranks-too") if learned else ("columns-do-not", "ranks-do")
    return [first, second if ranked else "ranks-do-not"]
