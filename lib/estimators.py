"""Learned activations as scikit-learn estimators: a table in, an honest comparison with ReLU out."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, column_or_1d
from torch import Tensor

from .estimator_base import LearnedActivation


@dataclass(kw_only=True, eq=False, repr=False)
class LearnedActivationClassifier(ClassifierMixin, LearnedActivation):
    """A network whose activation function is learned for the table, beside ReLU networks that it has to beat.

    ``fit`` tunes the learning rate of each baseline (ReLU is always one), learns functions by Algorithm 1 in a narrow
    network, trains networks of full size with them from scratch, and takes what is best on validation rows: with
    ``fallback`` that is a baseline where no learned function is better. ``compare`` tells what the choice is worth on
    rows that had no part in it.

    Args:
        where: "hidden" learns one function for the hidden units, "input" one for each numeric column, "both" both.
        starts, restarts: what Algorithm 1 starts from, in turn, and how often: "best" is the best function of a race
            (:func:`lib.learner.race`), then the next one; or "relu", "zeros", "random".
        points, low, high: control points and range of the hidden function; "auto" from a trained ReLU network.
        hidden_sizes: of the networks, 1 to 4 equal sizes. learning_width: units of those that Algorithm 1 trains.
        scaling: of numeric columns, "quantile", "minmax" or None; see :class:`lib.columns.Columns`.
        baselines: of "relu", "tanh", "gelu", "silu".
        fallback: whether to predict with the best baseline if that is better on validation rows.
        episodes, episode_steps: of Algorithm 1, per restart. steps: most steps of a training, which ends early.
        learning_rate: of Adam; "tune" tries several for each baseline.
        batch_size, val_fraction: rows per step; share of the rows for validation.
        class_weight: None, "balanced" or a dict; rows of a heavy class are repeated in training (not in
            Algorithm 1), and scores on validation rows are weighted.
        n_jobs: processes for the restarts, as in joblib.
        time_limit: seconds after which no further rate is tried and no further restart begins.
        random_state: of everything random. verbosity: 1 prints progress with the remaining time.

    Attributes:
        activation_: the learned hidden function, a :class:`lib.splines.Spline`, or None.
        input_activations_: learned functions of columns, by name; they take scaled columns.
        chosen_: what predicts, "learned" or a baseline.
        baseline_scores_, gain_: mean scores on validation rows; the gain of the learned function over the best of
            them, which the choice among restarts flatters: see ``compare``.
        coverage_: shares of the values that fall outside the functions' ranges.
        history_: of the learning that was chosen. restarts_: start, score and problems of each.
        learning_rate_: by arm. problems_: what to know before use, in sentences.
        classes_: the labels, sorted. feature_names_in_, n_features_in_: as in scikit-learn.

    Example:
        >>> X, y = np.random.default_rng(0).uniform(-1, 1, (60, 2)).round(2), np.arange(60) % 2
        >>> quick = {"restarts": 1, "episodes": 2, "episode_steps": 5, "steps": 20, "learning_rate": 0.01}
        >>> LearnedActivationClassifier(random_state=0, **quick).fit(X, y).predict(X[:3]).shape
        (3,)
    """

    class_weight: dict | str | None = None
    _loss = "cross_entropy"

    @property
    def _outputs(self) -> int:
        return len(self.classes_)

    def _targets(self, y, n: int) -> np.ndarray:
        y = _check_labels(y, n)
        self.classes_, encoded = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y must hold at least 2 classes, got 1 class: {self.classes_[0]}")
        return encoded

    def _encoded(self, y, n: int) -> np.ndarray:
        y = _check_labels(y, n)
        if len(unknown := np.setdiff1d(y, self.classes_)):
            raise ValueError(f"y must hold the classes of fit, {self.classes_}, got {unknown[:3]}")
        return np.searchsorted(self.classes_, y)

    def _tensor(self, y: np.ndarray) -> Tensor:
        return torch.as_tensor(y, dtype=torch.int64)

    def _held_out(self, y: np.ndarray) -> np.ndarray:
        """Which rows are for validation: of each class its share, but never all of it."""
        rng, held = np.random.default_rng(self._seed), np.zeros(len(y), dtype=bool)
        for label in range(len(self.classes_)):
            rows = rng.permutation(np.flatnonzero(y == label))
            held[rows[: min(round(self.val_fraction * len(rows)), len(rows) - 1)]] = True
        if not held.any():
            held[rng.integers(len(y))] = len(y) > 1
        return held

    def _repeated(self, y: np.ndarray) -> Tensor | None:
        """Training rows, repeated in proportion to the weight of their class; None for all alike."""
        labels = self.classes_[y]
        present = np.unique(labels)
        weights = compute_class_weight(self.class_weight, classes=present, y=labels)
        self._weights = torch.zeros(len(self.classes_), dtype=torch.float64)
        self._weights[np.searchsorted(self.classes_, present)] = torch.as_tensor(weights)
        if self.class_weight is None:
            return None
        total, count = np.cumsum(self._weights.numpy()[y]), min(len(self.classes_), 10) * len(y)
        return torch.as_tensor(np.searchsorted(total, (np.arange(count) + 0.5) / count * total[-1]))

    def _score(self, outputs: Tensor, y: Tensor) -> float:
        right, weights = outputs.argmax(1) == y, self._weights[y]
        return float((right * weights).sum() / weights.sum())

    def predict_proba(self, X) -> np.ndarray:
        """Probabilities of the classes, in the order of ``classes_``; (n, classes)."""
        return self._predict(X).softmax(1).numpy()

    def predict(self, X) -> np.ndarray:
        """The most probable class of each row, (n,)."""
        chosen = self._predict(X).argmax(1).numpy()  # before classes_, which is missing if there was no fit
        return self.classes_[chosen]


class LearnedActivationRegressor(RegressorMixin, LearnedActivation):
    """As :class:`LearnedActivationClassifier`, for a number to predict; scores are R2."""

    _loss, _outputs = "mse", 1

    def _targets(self, y, n: int) -> np.ndarray:
        y = _check_numbers(y, n)
        self._mean, self._deviation = float(y.mean()), float(y.std()) or 1.0
        return y

    def _encoded(self, y, n: int) -> np.ndarray:
        return _check_numbers(y, n)

    def _tensor(self, y: np.ndarray) -> Tensor:
        return torch.as_tensor((y - self._mean) / self._deviation, dtype=torch.float32)[:, None]

    def _held_out(self, y: np.ndarray) -> np.ndarray:
        held, count = np.zeros(len(y), dtype=bool), min(max(1, round(self.val_fraction * len(y))), len(y) - 1)
        held[np.random.default_rng(self._seed).permutation(len(y))[:count]] = True
        return held

    def _repeated(self, y: np.ndarray) -> None:
        return None

    def _score(self, outputs: Tensor, y: Tensor) -> float:
        spread = float((y - y.mean()).square().mean())
        error = float((outputs - y).square().mean())
        return 1 - error / spread if spread else -error

    def predict(self, X) -> np.ndarray:
        """The prediction for each row, (n,)."""
        return (self._predict(X)[:, 0] * self._deviation + self._mean).numpy()


def _check_labels(y, n: int) -> np.ndarray:
    y = _check_targets(y, n)
    check_classification_targets(y)
    return y


def _check_numbers(y, n: int) -> np.ndarray:
    y = _check_targets(y, n)
    try:
        return y.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"y must hold numbers, got {error}") from None


def _check_targets(y, n: int) -> np.ndarray:
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    missing = int(pd.isna(pd.Series(np.asarray(y).ravel())).sum())
    if missing:
        raise ValueError(f"y must have no gaps, got {missing} missing: Input y contains NaN")
    if isinstance(getattr(y, "dtype", None), pd.api.extensions.ExtensionDtype):
        y = np.array(y.tolist())  # classes keep their type: nullable integers would become floats
    y = column_or_1d(y, warn=True)
    if y.dtype.kind in "fc" and not np.isfinite(y).all():
        raise ValueError("y must be finite: Input y contains infinity")
    if len(y) != n:
        check_consistent_length(np.empty(n), y)
    return y
