"""The data of the book's interactive figures, from records: what `show(..., explore=(kind, data))` takes.

Each function gives a dict that JSON can hold; `book/_static/explore/` has a script of the same name, which says at its
top what the dict must have. Numbers are shortened to what a screen can show, and never so that a verdict changes.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from .looks import name_of, name_of_arm, optimiser

COLOURS = {
    "ReLU": 0,
    "learned from ReLU": 1,
    "learned from zeros": 2,
    "layer-specific": 3,
    "tanh": 3,
    "learned inputs": 4,
}


def percent(fractions: Sequence[float], digits: int = 2) -> list[float]:
    """Accuracies in %, rounded down, so that none is lifted over a whole percentage.

    >>> percent([0.94999, 0.95, 1.0])
    [94.99, 95.0, 100.0]
    """
    down = np.floor(np.asarray(fractions, dtype=float) * 100 * 10**digits + 1e-4) / 10**digits
    return [round(float(value), digits) for value in down]


def function(values: np.ndarray, low: float, high: float, digits: int = 4) -> dict:
    """A learned function: control values (n_c,) at evenly spaced points of [low, high]."""
    return {"low": float(low), "high": float(high), "values": [float(f"{v:.{digits}g}") for v in np.asarray(values)]}


def grokking(runs: pd.DataFrame, setting: Callable[[pd.Series], str], arms: Sequence[str], first: int = 10) -> dict:
    """Test accuracy over steps.

    Args:
        runs: one row per run, with the columns arm, seed, "optimiser.lr", steps and record.
        setting: from a row to the name of its setting (task, conventions, width, ...): only runs of one are compared.
        arms: the reference first. first: step at which the figure starts.
    """
    runs = runs[runs.arm.isin(arms)]
    settings = []
    for name, part in runs.groupby(runs.apply(setting, axis=1), sort=False):
        if set(part.arm) != set(arms):
            continue
        shown = [
            {
                "arm": list(arms).index(run.arm),
                "rate": run.rate,
                "seed": int(run.seed),
                "step": run.record.arrays["step"].tolist(),
                "test": percent(run.record.arrays["test_accuracy"]),
            }
            for run in part.rename(columns={"optimiser.lr": "rate"}).itertuples()
        ]
        settings.append({"name": name, "first": first, "last": int(part.steps.max()), "runs": shown})
    return {"arms": [{"name": arm, "short": short(arm), "colour": COLOURS[arm]} for arm in arms], "settings": settings}


def grokking_setting(run: pd.Series) -> str:
    """The task, the network and the share of all pairs that a run is trained on."""
    return f"{run['data']}, width {run['network.width']}, {80 * (1 - run.validation):.0f} % of the pairs"


def short(arm: str) -> str:
    """An arm in one word.

    >>> short("learned from zeros")
    'learned'
    """
    return arm.split()[0]


def complexity(runs: pd.DataFrame, records: Sequence, about: Callable[[pd.Series], str], name=name_of) -> dict:
    """Accuracy and total variation over training steps.

    Args:
        runs: one row per run, with columns data, arm, learned (key of the record it was learned in, or ""), record.
        records: those among which the learned ones are.
        about: from a row to what tells a run from the others of its arm. name: how a dataset is written.
    """
    arms = [arm for arm in COLOURS if (runs.arm == arm).any()]
    by_key = {record.key: record for record in records if record.kind == "learn"}
    datasets = []
    for data, part in runs[runs.arm.isin(arms)].groupby("data", sort=False):
        keys = list(dict.fromkeys(key for key in part.learned if key in by_key))
        functions, shown = {}, []
        for key in keys:
            g, psi = by_key[key].config["network"]["activation"], by_key[key].arrays.get("psi_hidden")
            if psi is not None and psi.ndim == 1:
                functions[str(keys.index(key))] = function(psi, g["low"], g["high"], 3)
        for _, run in part.iterrows():
            arrays, key = run.record.arrays, str(keys.index(run.learned)) if run.learned in keys else None
            if run.arm == "tanh":
                key = f"tanh {run['network.activation.alpha']:g}"
                functions[key] = function(np.tanh(run["network.activation.alpha"] * np.linspace(-5, 5, 101)), -5, 5, 3)
            shown.append(
                {
                    "arm": arms.index(run.arm),
                    "about": about(run),
                    "key": key,
                    "step": arrays["step"].tolist(),
                    "best": int(np.searchsorted(arrays["step"], run.best_step)),
                    "tv": [float(f"{value:.3g}") for value in arrays["tv"]],
                    "test": percent(arrays["test_accuracy"]),
                }
            )
        datasets.append({"name": name(data), "functions": functions, "runs": shown})
    relu = {"low": -5, "high": 5, "values": [0, 0, 5]}
    return {
        "arms": [{"name": name_of_arm(arm), "colour": COLOURS[arm]} for arm in arms],
        "relu": relu,
        "datasets": datasets,
    }


def training_run(run: pd.Series) -> str:
    """What tells a run of an arm from the others: how it was trained and what for."""
    return f"{optimiser(run['optimiser.name'])} {run['optimiser.lr']:g}, {run.role} run, seed {run.seed}"


def claims(tested: Sequence, findings: Mapping, titles: Mapping[str, str]) -> dict:
    """The claims with what was measured of each condition.

    Args:
        tested: the claims. findings: by the claim's name. titles: of the sections.
    """
    shown = []
    for claim in tested:
        finding = findings[claim.name]
        conditions = [
            {
                "name": one.name,
                "where": one.where,
                "value": _number(one.value),
                "low": _number(one.low),
                "high": _number(one.high),
                "bound": bool(one.high == np.inf),
                "infinite": bool(one.value == np.inf),
                "threshold": _number(one.threshold),
                "holds": bool(one.holds),
                "unit": one.unit,
            }
            for one in finding.conditions
        ]
        shown.append(
            {
                "name": claim.name,
                "section": titles[claim.section],
                "verdict": finding.verdict,
                "label": finding.label,
                "statement": claim.statement,
                "paper": claim.paper,
                "rule": claim.rule,
                "asked": [f"{one.name}: {one.test}" for one in claim.conditions],
                "history": [f"{row.date}: {row.change} Seen by then: {row.seen}." for row in claim.history],
                "evidence": claim.address.replace(".ipynb", ".html"),
                "anchor": f"#claim-{claim.name.lower()}",
                "conditions": conditions,
            }
        )
    return {"claims": shown}


def _number(value: float) -> float | None:
    return float(f"{value:.4g}") if np.isfinite(value) else None


def transfer(runs: pd.DataFrame, score: pd.DataFrame, easy: pd.Series, most: int = 40) -> dict:
    """The transfer matrix with the accuracy over steps behind each cell.

    Args:
        runs: one row per cell, with the columns data, arm and record. score: tasks x arms, in [0, 1]. easy: per task.
        most: steps of each curve.
    """
    step = runs.record.iloc[0].arrays["step"]
    kept = np.unique(np.linspace(int(np.argmax(step > 0)), len(step) - 1, most).round().astype(int))
    curves = {(run.data, run.arm): percent(run.record.arrays["test_accuracy"][kept], 0) for run in runs.itertuples()}
    return {
        "rows": [{"name": pretty(task), "easy": bool(easy[task])} for task in score.index],
        "columns": [pretty(arm.removeprefix("learned on ")) for arm in score.columns],
        "reference": list(score.columns).index("ReLU"),
        "score": (100 * score).round(1).to_numpy().tolist(),
        "step": step[kept].tolist(),
        "test": [[[int(value) for value in curves[task, arm]] for arm in score.columns] for task in score.index],
    }


def pretty(task: str) -> str:
    """An algorithmic task as it is written by hand.

    >>> pretty("a^2+ab+b^2 mod 27"), pretty("a.b.a^-1 S4"), pretty("a-b mod 7"), pretty("all")
    ('a²+ab+b² mod 27', 'a·b·a⁻¹ S4', 'a−b mod 7', 'all')
    """
    for plain, written in (("^-1", "⁻¹"), ("^2", "²"), ("^3", "³"), (".", "·"), ("a-b", "a−b")):
        task = task.replace(plain, written)
    return task
