"""What the two pages on images show of their tables: cells and lists in words, and the numbers of sentences."""

from collections.abc import Iterable, Mapping

import pandas as pd

from lib.splines import is_constant

from ..ablations.plan import DEFAULT
from ..experiments import committed
from ..figures import looks
from ..records.frames import Collected
from ..records.intervals import paired_interval
from ..transfer.tables import PAPER_DATASETS, PAPER_TABLE
from ..verdict import Condition
from . import tables
from .plan import ARMS, BY_HAND, INITS, LONGER, RANDOM


def in_words(summary: pd.DataFrame, arms: bool = True) -> str:
    """Differences to ReLU in points, such as "MNIST, learned from zeros: +1.0 ± 0.5; ...".

    Args:
        arms: whether to name them.
    """
    rows = summary.dropna(subset="gain").itertuples()
    return "; ".join(
        looks.name_of(row.data) + f", {row.arm}" * arms + f": {100 * row.gain:+.1f} ± {100 * row.gain_half_width:.1f}"
        for row in rows
    )


def briefly(summary: pd.DataFrame) -> str:
    """The differences to ReLU in points, such as "MNIST (from ReLU +1.7, from zeros +0.9)", or "none"."""
    said = []
    for data, part in summary.groupby("data", sort=False):
        gains = [f"{row.arm.removeprefix('learned ')} {100 * row.gain:+.1f}" for row in part.itertuples()]
        said.append(f"{looks.name_of(data)} ({', '.join(gains)})")
    return ", ".join(said) or "none"


def sorted_out(summary: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows that are above ReLU, and those that are below it, with 95 % confidence."""
    return summary[summary.gain > summary.gain_half_width], summary[-summary.gain > summary.gain_half_width]


def counted(summary: pd.DataFrame | None) -> str:
    """How many learned activations are above ReLU, in words."""
    if summary is None:
        return "nothing was run"
    above, _ = sorted_out(summary)
    return f"{len(above)} of {summary.gain.count()}, by up to {100 * summary.gain.max():.1f}"


def counts(summary: pd.DataFrame) -> dict[str, int]:
    """How many differences to ReLU there are, and how many are above it and below, with 95 % confidence."""
    above, below = map(len, sorted_out(summary))
    return {"total": int(summary.gain.count()), "better": above, "below": below}


def from_gelu(distances: pd.DataFrame) -> str:
    """The distances of the learned functions from a GELU, by what they were learned from.

    Args:
        distances: in words, from :func:`.tables.functions`.
    """
    known = distances[distances["distance to GELU"] != "—"]
    ends = known.groupby("activation")["distance to GELU"].agg(["min", "max"])
    return ", ".join(f"{arm} {float(low):.2f} to {float(high):.2f}" for arm, low, high in ends.itertuples()) or "none"


def correlations_in_words(conditions: Iterable[Condition]) -> dict[str, str]:
    """The rank correlations of C3 in regression, and their sizes in classification."""

    def found(name, number):
        return ", ".join(f"{one.where} {one.value:{number}}" for one in conditions if one.name == name)

    return {"regression": found("regression", "+.2f"), "classification": found("classification, in size", ".2f")}


def sizes(finals: pd.DataFrame) -> str:
    """What each dataset was trained with."""
    said = []
    for run in finals.drop_duplicates("data").itertuples():
        counts = committed.rows(run.data)
        part = "" if counts is None or counts[0] == counts[1] else f"{counts[0]:,} of {counts[1]:,} training images, "
        said.append(f"{looks.name_of(run.data)} ({part}{run.steps:,} steps on batches of {run.batch:,})")
    return ", ".join(said)


def cell(row) -> str:
    """Accuracy and, in brackets, the difference to ReLU, of a row of :func:`.records.intervals.summary`."""
    own = looks.plus_minus(row.mean, row.half_width)
    return own if row.gain != row.gain else f"{own} ({100 * row.gain:+.1f} ± {100 * row.gain_half_width:.1f})"


def accuracy_table(summaries: Mapping[str, pd.DataFrame], tuning: pd.DataFrame) -> pd.DataFrame:
    """A row per dataset and optimiser, a column per activation."""
    best, rows = tables.chosen(tuning)["optimiser.name"], []
    for title, summary in summaries.items():
        for data, part in summary.groupby("data", sort=False):
            optimiser = f"{looks.optimiser(best[data])}, tuned" if "tuned" in title else "plain SGD"
            found = {row.arm: cell(row) for row in part.itertuples()}
            rows.append([looks.name_of(data), optimiser, *(found.get(arm, "diverged") for arm in ARMS)])
    return pd.DataFrame(rows, columns=["dataset", "optimiser", *ARMS]).sort_values("dataset", kind="stable")


def depth_table(deep: pd.DataFrame) -> pd.DataFrame:
    """A row per dataset, a column per activation at its best depth, which is named."""
    rows = []
    for data, part in deep.groupby("data", sort=False):
        layers = {row.arm: f"{row.depth} layer{'s' * (row.depth != 1)}: {cell(row)}" for row in part.itertuples()}
        rows.append([looks.name_of(data), *(layers.get(arm, "diverged") for arm in ARMS)])
    return pd.DataFrame(rows, columns=["dataset", *ARMS])


def near_chance(summary: pd.DataFrame) -> pd.DataFrame:
    """The datasets on which every activation is near chance: columns data, low, high."""
    ends = summary.groupby("data", sort=False)["mean"].agg(low="min", high="max").reset_index()
    return ends[ends.high < tables.NEAR_CHANCE]


def starts(results: Collected) -> pd.DataFrame:
    """Zeros against a ReLU as the start of the learning, paired by seed.

    Returns:
        Columns data, arm (the optimiser), gain, gain_half_width; without those that diverged.
    """
    runs, rows = tables.finals(results), []
    tuned = tables.tuned(results)
    plain = runs[(runs["optimiser.name"] == "sgd") & ~runs.data.isin(tuned[tuned["optimiser.name"] == "sgd"].data)]
    for title, part in (("tuned optimiser", tuned), ("plain SGD", plain)):
        for data, own in part.groupby("data", sort=False):
            wide = own.pivot(index="seed", columns="arm", values="test_accuracy")
            if {*INITS.values()} <= {*wide}:
                rows.append((data, title, *paired_interval(wide[INITS["zeros"]], wide[INITS["relu"]])))
    return pd.DataFrame(rows, columns=["data", "arm", "gain", "gain_half_width"])


def sides(summary: pd.DataFrame) -> dict[str, int]:
    """How many differences are above 0, below it, and neither, with 95 % confidence."""
    above, below = map(len, sorted_out(summary))
    return {"better": above, "worse": below, "alike": len(summary) - above - below}


def gaps_table(results: Collected) -> pd.DataFrame:
    """How far training accuracy is ahead of test accuracy, in points: a row per dataset, a column per activation."""
    found = tables.gaps(tables.tuned(results))
    found["ahead"] = [looks.plus_minus(row.mean, row.half_width) for row in found.itertuples()]
    wide = found.pivot(index="data", columns="arm", values="ahead").reindex(columns=ARMS).fillna("diverged")
    return wide.rename(index=looks.name_of).rename_axis("dataset", axis=0).reset_index()


def as_grid(functions: pd.DataFrame, tuned: pd.DataFrame) -> pd.DataFrame:
    """The functions for a figure: the kind is whether the optimiser is the tuned one; tuned ones first."""
    used = set(zip(tuned.data, tuned["optimiser.name"], strict=True))
    pairs = zip(functions.data, functions.kind, strict=True)
    kinds = ["tuned optimiser" if pair in used else "plain SGD" for pair in pairs]
    return functions.assign(kind=kinds).sort_values(["kind", "arm"], ascending=[False, True], kind="stable")


def constant(functions: pd.DataFrame) -> str:
    """Which learned functions are constant."""
    rows = functions[[is_constant(psi) for psi in functions.psi]].itertuples() if len(functions) else ()
    return "; ".join(f"{looks.name_of(row.data)}, {row.kind}, {row.arm}" for row in rows)


def search_sizes(results: Collected) -> dict[str, int]:
    """How many hand-made activations and random splines the controls tried, and how much longer ReLU trained."""
    both, tried = tables.with_controls(results), results.frame(role="control trial")
    counts = tried[tried.data.isin(both.data)].groupby("arm").size() // both.data.nunique()
    steps = both.groupby("data").steps
    return {"hand": counts[BY_HAND], "random": counts[RANDOM], "longer": int((steps.max() / steps.min()).max())}


def costs(results: Collected) -> dict[str, str]:
    """What learning and the costliest control took, in trainings with ReLU."""
    both, tried, learning = (
        tables.with_controls(results),
        results.frame(role="control trial"),
        results.frame("learn").rename(columns={"settings.inner.name": "name", "settings.inner.lr": "lr"}),
    )
    took, control = [], []
    for data, part in both.groupby("data", sort=False):
        relu, longer = part[part.arm == ARMS[0]], part[part.arm == LONGER]
        name, lr = relu[["optimiser.name", "optimiser.lr"]].iloc[0]
        same = learning[(learning.data.str[0] == data) & (learning.name == name) & (learning.lr == lr)]
        own, one = same[same.arm.isin(ARMS)], _seconds(relu) / len(relu)
        trials = [_seconds(rows) for _, rows in tried[tried.data == data].groupby("arm")]
        took.append(f"{_seconds(own) / one:.0f} ({looks.name_of(data)}, {len(own)} restarts of both starts)")
        control.append(f"{max(_seconds(longer) / len(longer), *trials) / one:.0f} ({looks.name_of(data)})")
    return {"learning": " and ".join(took), "control": " and ".join(control)}


def _seconds(runs: pd.DataFrame) -> float:
    """What runs took together."""
    return sum(record.provenance["duration_s"] for record in runs.record)


def baselines(results: Collected, deep: pd.DataFrame) -> dict[str, str]:
    """How our ReLU networks compare with the paper's in image regression.

    Args:
        deep: the final runs of the transfer section, which are the paper's Table 4.
    """
    runs, deep = tables.finals(results), deep[deep.arm == ARMS[0]]
    runs = runs[(runs.arm == ARMS[0]) & (runs.data == "fashion_mnist")]
    means = runs.groupby("optimiser.name").test_accuracy.mean().sort_values(ascending=False)
    paper = dict(zip(PAPER_DATASETS, PAPER_TABLE[ARMS[0]], strict=False))
    found = deep.groupby("data", sort=False).test_accuracy.mean()
    return {
        "shallow": " and ".join(f"{100 * mean:.1f} % with {looks.optimiser(name)}" for name, mean in means.items()),
        "depth": f"{deep['network.depth'].iloc[0]} hidden layers",
        "optimiser": looks.optimiser(deep["optimiser.name"].iloc[0]),
        "deep": ", ".join(f"{looks.name_of(data)} {100 * mean:.1f} % ({paper[data]})" for data, mean in found.items()),
    }


def of_ablations(runs: pd.DataFrame) -> dict:
    """The comparison of ReLU and of what is learned from zeros in the runs of the ablations."""
    runs = runs[runs.role.isin(["final", "other restart"])]
    relu, zeros = runs[runs.arm == ARMS[0]].set_index("seed").sort_index(), runs[runs.arm == DEFAULT]
    best = zeros[zeros.role == "final"].set_index("seed").test_accuracy[relu.index]
    average = zeros.groupby("seed").test_accuracy.mean()[relu.index]
    of_restart = zeros.groupby("learned").test_accuracy.mean()
    return {
        "data": looks.name_of(relu.data.iloc[0]),
        "batch": relu.batch.iloc[0],
        "restarts": zeros.learned.nunique(),
        "best": looks.plus_minus(*paired_interval(best, relu.test_accuracy)),
        "average": looks.plus_minus(*paired_interval(average, relu.test_accuracy)),
        "apart": 100 * (of_restart.max() - of_restart.min()),
    }


def headline(tuned: pd.DataFrame) -> list[str]:
    """The words that head classification: "alike" if most activations are within a point of ReLU."""
    near = tuned.gain.abs() <= 0.01
    return ["alike" if 2 * near.sum() > tuned.gain.count() else "apart"]


def regression_headline(summaries: Mapping[str, pd.DataFrame], deep: pd.DataFrame) -> list[str]:
    """The words that head regression: whether most activations are above ReLU, and if depth leaves half their gain.

    Where it does not, and more are below ReLU than above it, ReLU is better there.
    """
    shallow = pd.concat(summaries.values())
    above, _ = sorted_out(shallow)
    said = ["helps" if 2 * len(above) > shallow.gain.count() else "helps-few"]
    if len(deep):
        better, worse = sorted_out(deep)
        less = "deeper-worse" if len(worse) > len(better) else "deeper-less"
        said.append(less if deep.gain.mean() < shallow.gain.mean() / 2 else "deeper-too")
    return said
