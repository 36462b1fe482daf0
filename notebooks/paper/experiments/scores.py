"""What runs are scored by, beside accuracy: the nearest class of a regression, and the steps to reach an accuracy."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from lib import metrics


def nearest_class_accuracy(outputs: Tensor, classes: int, y: Tensor) -> float:
    """Accuracy of a regression on class ids: the id nearest to the output (Section 3.2).

    Args:
        outputs: predictions (n, 1), on the scale where ids 0 ... classes - 1 are spread evenly over [-1, 1].
        classes: number of classes.
        y: class ids (n,), integers.

    >>> nearest_class_accuracy(torch.tensor([[-1.2], [0.1], [0.6]]), 3, torch.tensor([0, 1, 1]))
    0.6666666666666666
    """
    if classes < 2:
        raise ValueError(f"classes must be at least 2, got {classes}")
    if outputs.ndim != 2 or outputs.shape[1] != 1:
        raise ValueError(f"outputs must have shape (n, 1), got {tuple(outputs.shape)}")
    nearest = ((outputs + 1) / 2 * (classes - 1)).clamp(0, classes - 1).round()
    chosen = (nearest == torch.arange(classes, device=nearest.device)) + 0 * nearest  # (n, classes); NaN stays
    return metrics.accuracy(chosen, y)


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
