"""What to expect of a learned activation on tables: ``python -m benchmarks.tables`` measures, small, and records.

Tables that are named, as in ``python -m benchmarks.tables wine pol``, are measured alone and take their places in the
record, where each table has the commit that it was measured at.

Per table at most 2,000 training rows (a fifth of them for every choice) and 4,000 test rows. Learned functions, ReLU
and tanh by the estimators; boosted trees and a linear model with their main parameter chosen on the same share of rows.
The record, data/results/tables.json, is what the book's page "Your own data" shows.
"""

import json
import multiprocessing
import sys
import time
from datetime import UTC, datetime

import pandas as pd
import torch
from sklearn import datasets as bundled
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer

from benchmarks.timing import ROOT, keep
from lib.datasets import catalogue
from lib.estimators import LearnedActivationClassifier, LearnedActivationRegressor
from notebooks.paper.records.provenance import provenance

SEEDS = 3
BUNDLED = {
    "wine": bundled.load_wine,
    "breast cancer": bundled.load_breast_cancer,
    "digits": bundled.load_digits,
    "diabetes": bundled.load_diabetes,
}
TABLES = (
    "electricity", "wine", "california", "diabetes", "pol", "breast cancer", "covertype", "house_16H", "digits",
    "MagicTelescope", "credit", "eye_movements", "MiniBooNE", "heloc", "jannis", "bank-marketing", "Higgs",
    "Bioresponse", "Diabetes130US", "default-of-credit-card-clients",
)  # fmt: skip
SMALL = {"restarts": 2, "episodes": 40, "episode_steps": 100, "steps": 1500, "random_state": 0}


def load(name: str) -> tuple[pd.DataFrame, pd.Series]:
    """A table and its target."""
    if name in BUNDLED:
        return BUNDLED[name](return_X_y=True, as_frame=True)
    columns, target = catalogue.table_arrays(name)
    return pd.DataFrame(columns, columns=[f"x{i}" for i in range(columns.shape[1])]), pd.Series(target)


def chosen(models, X, y, X_test, y_test) -> tuple[float, float]:
    """Test score of the model that is best on a fifth of the training rows, fitted on the rest; and seconds."""
    started = time.process_time()
    part, held, y_part, y_held = train_test_split(X, y, test_size=0.2, random_state=0)
    fitted = [model.fit(part, y_part) for model in models]
    best = max(fitted, key=lambda model: model.score(held, y_held))
    return best.score(X_test, y_test), time.process_time() - started


def measure(name: str) -> dict:
    """Scores on test rows, and processor time, of all methods on one table."""
    torch.set_num_threads(1)
    X, y = load(name)
    regression = name == "diabetes"
    sizes = {"train_size": min(2000, round(0.7 * len(X))), "test_size": min(4000, round(0.3 * len(X)) - 1)}
    X, X_test, y, y_test = train_test_split(X, y, random_state=0, stratify=None if regression else y, **sizes)
    Own = LearnedActivationRegressor if regression else LearnedActivationClassifier
    Trees = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    arms, seconds, about = {}, {}, {}
    for where in ("hidden", "input"):
        started = time.process_time()
        model = Own(where=where, baselines=("tanh",) if where == "hidden" else (), **SMALL).fit(X, y)
        seconds[where] = time.process_time() - started
        found = model.compare(X_test, y_test, seeds=SEEDS)
        arms[where] = found.loc["learned"].to_dict()
        if where == "hidden":
            arms |= {"relu": found.loc["relu"].to_dict(), "tanh": found.loc["tanh"].to_dict()}
        about[where] = {"chosen": model.chosen_, "gain": model.gain_, "rates": model.learning_rate_}
    trees = [Trees(learning_rate=rate, early_stopping=True, random_state=0) for rate in (0.03, 0.1, 0.3)]
    if regression:
        kinds = [Ridge(alpha=alpha) for alpha in (0.1, 10, 1000)]
    else:
        kinds = [LogisticRegression(C=C, max_iter=1000) for C in (0.01, 1, 100)]
    linear = [make_pipeline(QuantileTransformer(n_quantiles=100, output_distribution="normal"), kind) for kind in kinds]
    instead = {}
    instead["trees"], seconds["trees"] = chosen(trees, X, y, X_test, y_test)
    instead["linear"], seconds["linear"] = chosen(linear, X, y, X_test, y_test)
    return {
        "table": name, "rows": len(X), "columns": X.shape[1], "test_rows": len(X_test),
        "classes": 0 if regression else int(y.nunique()), "arms": arms, "instead": instead,
        "seconds": {key: round(value, 2) for key, value in seconds.items()}, "about": about,
    }  # fmt: skip


def main(names: list[str]):
    started, path = datetime.now(UTC), ROOT / "tables.json"
    before = json.loads(path.read_text("utf-8")) if path.exists() else {}
    same = (before.get("settings"), before.get("seeds")) == (SMALL, SEEDS)
    found = [one for one in before["tables"] if one["table"] not in names] if same else []
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for result in pool.imap(measure, names):
            found.append(result | {"commit": provenance(started, 0.0)["commit"]})
            print(result, flush=True)
            keep("tables.json", {"settings": SMALL, "seeds": SEEDS, "tables": found}, started)


if __name__ == "__main__":
    main(sys.argv[1:] or list(TABLES))
