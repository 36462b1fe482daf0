"""What the page on your own data shows of `python -m benchmarks.tables`: what to expect of learned functions."""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from ..records.store import ROOT

METHODS = ("hidden", "input", "trees", "linear")


def measured() -> list[dict]:
    """What was measured on each table; nothing if it was not."""
    path = ROOT / "tables.json"
    return json.loads(path.read_text())["tables"] if path.exists() else []


def learned(model, narrow: bool = False) -> Figure:
    """The function that an estimator learned, beside ReLU."""
    figure, ax = plt.subplots(figsize=(3.7, 3.2) if narrow else (5, 3.2))
    model.plot(ax).get_legend().remove()
    figure.legend(loc="outside upper center", ncols=2, fontsize=9)  # such a curve leaves no room inside
    return figure


def side(gain: float, half_width: float) -> str:
    """On which side of ReLU a gain is, by its interval, in words.

    >>> side(0.02, 0.01), side(-0.02, 0.03)
    ('above', 'not clearly apart from')
    """
    return "above" if gain > half_width else "below" if gain < -half_width else "not clearly apart from"


def gain_in_words(gain: float, half_width: float, digits: int = 3) -> str:
    """A gain with its interval.

    >>> gain_in_words(-0.0125, 0.01)
    '−0.013 ± 0.010'
    """
    return f"{gain:+z.{digits}f} ± {half_width:.{digits}f}".replace("-", "−")


def scores(tables: Sequence[dict]) -> pd.DataFrame:
    """A row for each table: ReLU's score, gains over it, and the scores of other methods."""
    rows = []
    for one in tables:
        scale, digits = (100, 1) if one["classes"] else (1, 3)
        arms, instead = one["arms"], one["instead"]
        row = {"table (training rows × columns)": f"{one['table']} ({one['rows']:,} × {one['columns']})"}
        row["ReLU"] = f"{scale * arms['relu']['score']:.{digits}f}"
        for arm in ("hidden", "input", "tanh"):
            row[arm] = gain_in_words(scale * arms[arm]["gain"], scale * arms[arm]["gain_half_width"], digits)
        rows.append(row | {name: f"{scale * instead[name]:.{digits}f}" for name in ("trees", "linear")})
    return pd.DataFrame(rows)


def in_sum(tables: Sequence[dict]) -> dict:
    """The values of the words on all tables: where functions are above and below ReLU, where trees win, and times."""
    found = {}
    for arm in ("hidden", "input"):
        sides = [side(one["arms"][arm]["gain"], one["arms"][arm]["gain_half_width"]) for one in tables]
        found[arm] = sides.count("above"), sides.count("below")
    best = [max(arm["score"] for arm in one["arms"].values()) for one in tables]
    trees = sum(one["instead"]["trees"] > score for one, score in zip(tables, best, strict=True))
    times = [f"{name} {np.median([one['seconds'][name] for one in tables]):.2g} s" for name in METHODS]
    return {"tables": len(tables), "trees": trees, "times": ", ".join(times), **found}
