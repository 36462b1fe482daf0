"""Accuracies and the steps to reach one."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from .complexity import _at_least

# ----------------------------------------------------------------------------- accuracy


def accuracy(outputs: Tensor, y: Tensor) -> float:
    """Fraction of points whose predicted class is the label.

    Args:
        outputs: scores (n, classes), the largest wins; or one logit (n, 1), positive for class 1.
        y: class ids (n,), integers.

    Returns:
        float in [0, 1]; a point with an output that is NaN counts as wrong.

    >>> import torch
    >>> accuracy(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 1]))
    0.5
    """
    _check_labels(outputs, y, max(2, outputs.shape[-1]))
    predicted = (outputs[:, 0] > 0).long() if outputs.shape[1] == 1 else outputs.argmax(dim=1)
    return _fraction(predicted, outputs, y)


def nearest_class_accuracy(outputs: Tensor, classes: int, y: Tensor) -> float:
    """Accuracy of a regression on class ids: the id nearest to the output (Section 3.2).

    Args:
        outputs: predictions (n, 1), on the scale where ids 0 ... classes - 1 are spread evenly over [-1, 1].
        classes: number of classes.
        y: class ids (n,), integers.

    >>> import torch
    >>> nearest_class_accuracy(torch.tensor([[-1.2], [0.1], [0.6]]), 3, torch.tensor([0, 1, 1]))
    0.6666666666666666
    """
    _at_least("classes", classes, 2)
    if outputs.ndim != 2 or outputs.shape[1] != 1:
        raise ValueError(f"outputs must have shape (n, 1), got {tuple(outputs.shape)}")
    _check_labels(outputs, y, classes)
    position = (outputs[:, 0] + 1) / 2 * (classes - 1)
    return _fraction(position.nan_to_num().clamp(0, classes - 1).round().long(), outputs, y)


def _check_labels(outputs: Tensor, y: Tensor, classes: int) -> None:
    if outputs.ndim != 2 or y.shape != outputs.shape[:1] or len(y) == 0:
        shapes = f"{tuple(outputs.shape)} and {tuple(y.shape)}"
        raise ValueError(f"outputs and y must have shapes (n, outputs) and (n,), n at least 1, got {shapes}")
    if y.is_floating_point() or y.min() < 0 or y.max() >= classes:
        got = f"{y.dtype} from {y.min().item()} to {y.max().item()}"
        raise ValueError(f"y must hold class ids from 0 to {classes - 1}, got {got}")


def _fraction(predicted: Tensor, outputs: Tensor, y: Tensor) -> float:
    right = (predicted == y) & ~outputs.isnan().any(dim=1)
    return right.double().mean().item()


def steps_to(steps: Sequence[int], accuracies: Sequence[float], level: float = 0.95) -> int | None:
    """First recorded step whose accuracy reaches the level, None if there is none (Section 3.5).

    Args:
        steps: training steps (k,), increasing.
        accuracies: accuracy at each, as fractions (k,).
        level: fraction in (0, 1].

    >>> steps_to([0, 100, 200], [0.1, 0.96, 0.94])
    100
    """
    steps, accuracies = np.asarray(steps), np.asarray(accuracies, dtype=float)
    if steps.ndim != 1 or steps.shape != accuracies.shape:
        shapes = f"{steps.shape} and {accuracies.shape}"
        raise ValueError(f"steps and accuracies must have one shape (k,), got {shapes}")
    if (np.diff(steps) <= 0).any():
        raise ValueError(f"steps must increase, got {steps.tolist()}")
    if not 0 < level <= 1 or (accuracies > 1).any():
        raise ValueError(f"level and accuracies must be fractions, got {level} and up to {accuracies.max()}")
    reached = np.flatnonzero(accuracies >= level)
    return int(steps[reached[0]]) if len(reached) else None
