"""How often the predicted class is right."""

from torch import Tensor


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
    if outputs.ndim != 2 or y.shape != outputs.shape[:1] or len(y) == 0:
        shapes = f"{tuple(outputs.shape)} and {tuple(y.shape)}"
        raise ValueError(f"outputs and y must have shapes (n, outputs) and (n,), n at least 1, got {shapes}")
    if y.is_floating_point() or y.min() < 0 or y.max() >= max(2, outputs.shape[1]):
        got = f"{y.dtype} from {y.min().item()} to {y.max().item()}"
        raise ValueError(f"y must hold class ids from 0 to {max(2, outputs.shape[1]) - 1}, got {got}")
    predicted = (outputs[:, 0] > 0).long() if outputs.shape[1] == 1 else outputs.argmax(dim=1)
    return ((predicted == y) & ~outputs.isnan().any(dim=1)).double().mean().item()
