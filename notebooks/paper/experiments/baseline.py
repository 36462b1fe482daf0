"""What networks are compared with on tables: linear, nearest neighbours, boosted trees (Appendix E.4).

Each is tuned on the validation rows that the networks are tuned on, and tested once, with the choice made.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from lib import metrics

from ..records.store import Outcome
from .parts import Parts, Rows, load_parts

MODELS = ("linear", "k-NN", "boosted trees")
MOST_TREES = 1000  # early stopping ends most runs long before
PATIENCE = 20  # trees without a lower loss on validation rows
Scores = Callable[[Tensor], Tensor]  # points (n, d) to scores (n, 1), positive for class 1


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """Tune one baseline on validation data, and test the best.

    NOTE[DIFF]: the paper tunes k-NN and trees with Matlab's Bayesian search. Here k-NN is searched over a
    whole grid, and trees at random around scikit-learn's defaults, which are the first trial.
    NOTE[DIFF]: the paper's linear model is a network without hidden layers; here it is a logistic regression
    with a tuned penalty, trained to convergence.

    Args:
        section, role, arm: what the run is for, as in :class:`.experiments.train.Train`.
        data: a table with two classes.
        model: one of MODELS.
        seed: of the random search and of the trees. split, validation: as in :class:`.experiments.train.Train`.
        trials: settings to try; "boosted trees" only (the others try a grid).
        scaling: of the inputs, see :func:`.experiments.parts.load_parts`.
    """

    kind: ClassVar[str] = "baseline"
    version: ClassVar[int] = 1

    section: str
    role: str
    arm: str
    data: str
    model: str
    seed: int
    split: int
    trials: int = 1
    validation: float = 0.1
    scaling: str = field(default="default", metadata={"old": "default"})

    def __post_init__(self):
        _check_model(self.model)
        if self.trials < 1:
            raise ValueError(f"trials must be at least 1, got {self.trials}")

    @property
    def datasets(self) -> tuple[str, ...]:
        return (self.data,)

    @property
    def cost(self) -> float:  # in steps of a network, roughly
        return 200.0 * self.trials if self.model == "boosted trees" else 200.0

    def run(self, context) -> Outcome:
        parts = load_parts(self.data, "binary", self.split, self.validation, context.data_dir, self.scaling)
        best, tried = None, []
        for settings in candidates(self.model, self.trials, self.seed):
            scores = fit(self.model, settings, parts, self.seed)
            tried.append(accuracy(scores, parts.validation))
            if best is None or tried[-1] > best[0]:  # the first of equals
                best = (tried[-1], settings, scores)
            context.report(f"{len(tried)} settings tried, best validation accuracy {best[0]:.4f}")
        _, settings, scores = best
        numbers = {
            f"{name}_accuracy": accuracy(scores, getattr(parts, name)) for name in ("train", "validation", "test")
        }
        tv = metrics.total_variation(
            scores, parts.train.x, parts.train.labels, generator=torch.Generator().manual_seed(self.split)
        )
        numbers |= {"settings": settings, "tv": tv.mean, "tv_standard_error": tv.standard_error}
        return Outcome(numbers, {"tried": np.array(tried)})


def candidates(model: str, trials: int, seed: int) -> Iterator[dict]:
    """Settings to try, the simplest or usual ones first.

    Args:
        model: one of MODELS. trials, seed: of the random search, for "boosted trees".

    Example:
        >>> next(candidates("k-NN", 1, 0))
        {'neighbours': 1, 'metric': 'manhattan'}
    """
    _check_model(model)
    if model == "linear":
        yield from ({"inverse_penalty": float(c)} for c in 10.0 ** np.arange(-2, 4))
    elif model == "k-NN":
        counts = sorted({round(k) for k in np.geomspace(1, 200, 20)})
        yield from ({"neighbours": k, "metric": m} for k in counts for m in ("manhattan", "euclidean"))
    else:
        yield {
            "learning_rate": 0.1,
            "max_leaf_nodes": 31,
            "min_samples_leaf": 20,
            "l2": 0.0,
            "max_features": 1.0,
        }
        generator = np.random.default_rng(seed)

        def between(low: float, high: float) -> float:
            return float(np.exp(generator.uniform(np.log(low), np.log(high))))

        for _ in range(trials - 1):
            yield {
                "learning_rate": between(0.03, 0.3),
                "max_leaf_nodes": round(between(6, 200)),
                "min_samples_leaf": round(between(2, 100)),
                "l2": between(1e-3, 10),
                "max_features": float(generator.uniform(0.3, 1.0)),
            }


def fit(model: str, settings: dict, parts: Parts, seed: int) -> Scores:
    """Fit a baseline on the training rows; validation rows only stop the growing of trees.

    Args:
        settings: of :func:`candidates`. seed: of the columns that the trees draw.

    Returns:
        A function from points (n, d) to scores (n, 1): log-odds of class 1 (linear, trees), or the share of
        neighbours in class 1 minus 1/2.
    """
    from sklearn import ensemble, linear_model, neighbors  # here, because it takes seconds and few runs need it

    _check_model(model)
    x, y = parts.train.x.numpy(), parts.train.labels.numpy()
    if model == "linear":
        return _scores(
            linear_model.LogisticRegression(C=settings["inverse_penalty"], solver="newton-cholesky", max_iter=1000)
            .fit(x, y)
            .decision_function
        )
    if model == "k-NN":
        count = min(settings["neighbours"], len(x))
        knn = neighbors.KNeighborsClassifier(count, metric=settings["metric"]).fit(x, y)
        return _scores(lambda points: knn.predict_proba(points)[:, 1] - 0.5)
    trees = ensemble.HistGradientBoostingClassifier(
        learning_rate=settings["learning_rate"],
        max_leaf_nodes=settings["max_leaf_nodes"],
        min_samples_leaf=settings["min_samples_leaf"],
        l2_regularization=settings["l2"],
        max_features=settings["max_features"],
        max_iter=MOST_TREES,
        early_stopping=True,
        n_iter_no_change=PATIENCE,
        random_state=seed,
    )
    trees.fit(x, y, X_val=parts.validation.x.numpy(), y_val=parts.validation.labels.numpy())
    return _scores(trees.decision_function)


def accuracy(scores: Scores, rows: Rows) -> float:
    """Fraction of rows with a positive score in class 1, or another one in class 0."""
    return metrics.accuracy(scores(rows.x), rows.labels)


def _scores(function: Callable[[np.ndarray], np.ndarray]) -> Scores:
    return lambda x: torch.from_numpy(np.asarray(function(x.numpy()), dtype=np.float32))[:, None]


def _check_model(model: str) -> None:
    if model not in MODELS:
        raise ValueError(f"model must be one of {MODELS}, got {model!r}")
