"""What ended at a limit that the plan set: a table or figure that rests on it has to say so.

A run with patience that ended at its last step may not have converged; a learning whose episodes ran out may not have
finished; a rate that is best at the edge of those tried may not be the best.
"""

import pandas as pd

from ..records.frames import Collected
from .looks import name_of, name_of_arm, optimiser

GROUP = ["data", "arm", "network.depth", "network.initialisation", "optimiser.name", "scaling"]


def capped(results: Collected) -> pd.DataFrame:
    """How many final runs and learnings ended at their cap.

    Returns:
        Columns data, arm, kind ("train": final runs with patience, "learn"), n, capped; a row per group that has some.
    """
    runs, learned, rows = results.frame(role="final"), results.frame("learn"), []
    if len(runs) and "stopped" in runs:
        runs = runs[runs.patience > 0]
        rows += [(*group, "train", len(part), int((part.stopped == "cap").sum()))
                 for group, part in runs.groupby(["data", "arm"])]  # fmt: skip
    if len(learned):
        names = learned.data.map(lambda data: data[0] if len(data) == 1 else f"{len(data)} datasets")
        ended = (learned.episodes == learned["settings.episodes"]) & ~learned.diverged.astype(bool)
        rows += [(*group, "learn", len(part), int(ended[part.index].sum()))
                 for group, part in learned.groupby([names, learned.arm])]  # fmt: skip
    return pd.DataFrame(rows, columns=["data", "arm", "kind", "n", "capped"])


def at_edge(results: Collected) -> pd.DataFrame:
    """The searches for a rate whose best, on validation rows, is the least or the greatest that was tried.

    Returns:
        Columns of GROUP, best, least, greatest; one row per search that ended at an edge.
    """
    runs = results.frame(role="rate trial")
    rows = []
    for group, part in runs.groupby(GROUP, sort=False) if len(runs) else ():
        means = part.validation_accuracy.groupby(part["optimiser.lr"]).mean()
        best, least, greatest = means.idxmax(), means.index.min(), means.index.max()
        if best in (least, greatest):
            rows.append((*group, best, least, greatest))
    return pd.DataFrame(rows, columns=[*GROUP, "best", "least", "greatest"])


def in_words(results: Collected) -> str:
    """A sentence about what ended at a limit, for below a table; empty if nothing did.

    Example:
        >>> in_words(Collected([], 0))
        ''
    """
    words = []
    found = capped(results)
    for kind, name in (("train", "final runs"), ("learn", "learnings")):
        part = found[found.kind == kind]
        if part.capped.sum():
            where = ", ".join(
                f"{name_of_arm(row.arm)} on {name_of(row.data)} {row.capped}"
                for row in part[part.capped > 0].itertuples()
            )
            words.append(f"{part.capped.sum()} of {part.n.sum()} {name} ended at their cap ({where})")
    edge = at_edge(results)
    if len(edge):
        where = ", ".join(f"{name_of_arm(row.arm)} on {name_of(row.data)} {row.best:g}" for row in edge.itertuples())
        words.append(f"{len(edge)} rates are the least or greatest that was tried ({where})")
    return f"At a limit: {'; '.join(words)}." if words else ""


def of_fixed_steps(results: Collected) -> str:
    """The same about plans whose runs all take a fixed number of steps and keep the best one; empty if nothing did.

    Says where the rate that was tuned with ReLU is at an edge of its grid, and how many final runs are best at their
    last step, so that they may not have converged.

    Example:
        >>> of_fixed_steps(Collected([], 0))
        ''
    """
    words = []
    tuning, finals = results.frame(role="tuning"), results.frame(role="final")
    tuning = tuning[tuning.arm == "ReLU"] if len(tuning) else tuning
    searches, edges, used = 0, [], ["data", "optimiser.name", "optimiser.lr"]
    for data, name, rate in (
        finals[used].drop_duplicates().itertuples(index=False) if len(tuning) and len(finals) else ()
    ):
        rates = tuning[(tuning.data == data) & (tuning["optimiser.name"] == name)]["optimiser.lr"]
        searches += rates.nunique() > 1
        if rates.nunique() > 1 and rate in (rates.min(), rates.max()):
            edges.append(f"{name_of(data)} with {optimiser(name)} {rate:g}")
    if edges:
        where = (
            f"{len(edges)} of the {searches} rates that were tuned with ReLU are the least or greatest that was tried"
        )
        words.append(f"{where} ({', '.join(edges)})")
    if len(finals) and "best_step" in finals and (last := finals.best_step >= finals.steps).any():
        arms = last.groupby(finals.arm, sort=False).agg(["sum", "size"])
        arms.index = [" ".join(map(name_of, name_of_arm(arm).split())) for arm in arms.index]  # "learned on mnist"
        each = ", ".join(f"{arm} {row['sum']} of {row['size']}" for arm, row in arms.iterrows() if row["sum"])
        many = f"{last.sum()} of {len(finals)} final runs are best at their last step"
        words.append(f"{many}, so they may not have converged ({each})")
    return f"At a limit: {'; '.join(words)}." if words else ""
