"""Train a network once, with its activation fixed (Appendix E.1)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .networks import LOSSES, Data, Network, Params, Psi
from .steps import Steps, products

AVERAGED_STEPS = 50  # Appendix E.1: evaluation uses the mean of the weights over the last 50 steps


@dataclass(frozen=True)
class Optimiser:
    """One update rule, as a pure function of weights, gradients and state; equal to torch.optim's (tested).

    ``name`` is "sgd", "rmsprop" (smoothing 0.99) or "adam" (0.9, 0.999); ``momentum`` is for "sgd" only.
    """

    name: str = "sgd"
    lr: float = 0.01
    momentum: float = 0.0

    def __post_init__(self):
        if self.name not in ("sgd", "rmsprop", "adam"):
            raise ValueError(f"optimiser must be sgd, rmsprop or adam, got {self.name!r}")
        if not self.lr > 0 or not 0 <= self.momentum < 1:
            raise ValueError(f"lr must be positive and momentum in [0, 1), got {self.lr} and {self.momentum}")
        if self.momentum and self.name != "sgd":
            raise ValueError(f"momentum is for sgd only, got it for {self.name!r}")

    def init(self, params: Params) -> dict:
        """The state before the first step."""
        slots = {"sgd": ["momentum"] if self.momentum else [], "rmsprop": ["square"], "adam": ["mean", "square"]}
        return {"steps": 0} | {slot: [torch.zeros_like(p) for p in params] for slot in slots[self.name]}

    def step(self, params: Params, grads: Params, state: dict) -> tuple[Params, dict]:
        """New weights and new state; nothing is changed in place, and autograd can record it."""
        steps = state["steps"] + 1
        if self.name == "sgd" and not self.momentum:
            return [p - self.lr * g for p, g in zip(params, grads, strict=True)], {"steps": steps}
        if self.name == "sgd":
            mean = [torch.add(g, m, alpha=self.momentum) for m, g in zip(state["momentum"], grads, strict=True)]
            return [p - self.lr * m for p, m in zip(params, mean, strict=True)], {"steps": steps, "momentum": mean}
        decay = 0.99 if self.name == "rmsprop" else 0.999
        square = [(decay * v).addcmul(g, g, value=1 - decay) for v, g in zip(state["square"], grads, strict=True)]
        if self.name == "rmsprop":
            new = [p - self.lr * g / (_root(v) + 1e-8) for p, g, v in zip(params, grads, square, strict=True)]
            return new, {"steps": steps, "square": square}
        mean = [torch.lerp(m, g, 0.1) for m, g in zip(state["mean"], grads, strict=True)]
        rate, correction = self.lr / (1 - 0.9**steps), (1 - 0.999**steps) ** 0.5
        new = [p - rate * m / (_root(v) / correction + 1e-8) for p, m, v in zip(params, mean, square, strict=True)]
        return new, {"steps": steps, "mean": mean, "square": square}


def _root(v: Tensor) -> Tensor:
    """Square root with derivative 0 (not infinite) at 0, where a weight never had a gradient."""
    if not v.requires_grad:
        return v.sqrt()
    positive = v > 0
    return torch.where(positive, torch.where(positive, v, 1.0).sqrt(), 0.0)


class Batches:
    """Row indices of the steps' batches: all n rows if they fit, else a fresh permutation cut into full batches.

    ``rows`` (n,) are the indices to choose from where those are not 0 to n - 1.
    """

    def __init__(self, n: int, size: int, generator: torch.Generator, rows: Tensor | None = None):
        if size < 1 or n < 1:
            raise ValueError(f"the batch and the data must have at least 1 row, got {size} and {n}")
        self.n, self.size, self.generator = n, size, generator
        self.order, self.position, self.rows = None, n, rows

    def next(self) -> Tensor | None:
        """Indices (size,), or None for "all rows"."""
        if self.size >= self.n:
            return None
        if self.position + self.size > self.n:
            self.order, self.position = torch.randperm(self.n, generator=self.generator), 0
        self.position += self.size
        chosen = self.order[self.position - self.size : self.position]
        return chosen if self.rows is None else self.rows[chosen]


def take(data: tuple[Tensor, ...], rows: Tensor | None) -> tuple[Tensor, ...]:
    """The rows of a batch of each tensor; all for None. (``index_select`` takes half the time of indexing here.)"""
    return data if rows is None else tuple(part.index_select(0, rows.to(part.device)) for part in data)


@dataclass(frozen=True)
class Trained:
    """The outcome of :func:`train`.

    params: weights (averaged) at the best step. best_step: that step. history: per monitored quantity, one value per
    evaluation, and "step". snapshots: raw weights at the evaluations, flattened, (k, p), or None. diverged: whether
    training stopped early at a loss that was not finite. stopped: whether it ended before its last step because
    ``patience`` evaluations in a row were no better.
    """

    params: Params
    best_step: int
    history: dict[str, list[float]]
    snapshots: Tensor | None
    diverged: bool
    stopped: bool = False


def train(
    network: Network,
    psi: Psi,
    data: Data,
    *,
    loss: str,
    optimiser: Optimiser,
    evaluate_at: Sequence[int],
    monitor: Callable[[Params], dict[str, float]],
    generator: torch.Generator,
    batch: int = 4096,
    snapshots: bool = False,
    best: str | None = "validation_accuracy",
    patience: int = 0,
) -> Trained:
    """Train from fresh weights with psi fixed, and keep the step with the best monitored value.

    Args:
        data: inputs (n, d_in) and targets, see :func:`lib.networks.loss_and_delta`.
        evaluate_at: increasing steps at which to evaluate; training ends at the last. Step 0 is the initial network.
        monitor: from weights (the average over the last 50 steps) to named numbers.
        batch: rows per step (Appendix E.1: 4096); full batch if there are fewer.
        snapshots: also keep the raw weights at each evaluation (for landscapes).
        best: which monitored number decides early stopping; higher is better, the first of equals is kept. None keeps
            the last step.
        patience: end after so many evaluations in a row without a better one; 0 for never.

    Raises:
        ValueError: for data that do not fit (see :func:`check_data`), a psi that is not the network's, other steps than
            increasing ones, a ``best`` that is not monitored, or patience without a ``best``.
    """
    if patience < 0 or patience and best is None:
        raise ValueError(f"patience must be at least 0, and 0 if no number is the best, got {patience}")
    evaluate_at = [int(step) for step in evaluate_at]
    if evaluate_at != sorted(set(evaluate_at)) or not evaluate_at or evaluate_at[0] < 0:
        raise ValueError(f"evaluate_at must be increasing steps from 0, got {evaluate_at[:10]}")
    check_data(network, *data, loss)
    check_psi(network, psi)
    with torch.no_grad(), products("float32"):
        params = network.init(generator)
        check_precision(data, params[0].dtype)
        x, y = network.embed(psi, data[0]), data[1]
        steps = Steps(network, psi, params, (x, y), loss, optimiser, Batches(len(x), batch, generator))
        average = WindowAverage(steps.flat, evaluate_at)
        history: dict[str, list[float]] = {"step": []}
        kept, best_params, best_value, best_step, diverged = [], params, -float("inf"), 0, False
        waited, stopped = 0, False
        for step in range(evaluate_at[-1] + 1):
            if step > 0:
                steps.step()
            window = average.update(step, steps.flat)
            if window is None:
                continue
            averaged = steps.unflatten(window)
            if step > 0 and not bool(torch.isfinite(steps.loss())):
                diverged = True
                break
            for name, number in ({"step": step} | monitor(averaged)).items():
                history.setdefault(name, []).append(number)
            if snapshots:
                kept.append(torch.cat([p.flatten() for p in steps.unflatten(steps.flat)]))
            if best is not None and best not in history:
                raise ValueError(f"best must be one of the monitored {sorted(history)}, got {best!r}")
            value = float("inf") if best is None else history[best][-1]
            waited += 1
            if best is None or value > best_value:
                best_params, best_value, best_step, waited = averaged, value, step, 0
            if stopped := 0 < patience <= waited and step < evaluate_at[-1]:
                break
    if best_value == -float("inf") and not diverged:  # `best` was never a number
        diverged = not bool(steps.flat.isfinite().all())
        if not diverged:
            raise ValueError(f"the monitored {best!r} must be a number, got {history[best][-1]} at every evaluation")
    return Trained(best_params, best_step, history, torch.stack(kept) if kept else None, diverged, stopped)


def check_psi(network: Network, psi: Psi) -> None:
    """Raise a ValueError unless psi has the names and shapes of the network's learned activations."""
    if not isinstance(psi, dict) or not all(isinstance(values, Tensor) for values in psi.values()):
        hint = ": write psi=learned.psi" if hasattr(psi, "psi") else ""
        raise ValueError(f"psi must be a dict of tensors, got {type(psi).__name__}{hint}")
    wanted, got = ({name: tuple(values.shape) for name, values in p.items()} for p in (network.init_psi(), psi))
    if wanted != got:
        raise ValueError(f"psi must have the network's names and shapes, {wanted}, got {got}")


def check_data(network: Network, x: Tensor, y: Tensor, loss: str) -> None:
    """Raise a ValueError that names the first rule that inputs and targets break.

    Args:
        x: float32 or float64, (n, inputs); or one-hot pairs: int64, (n, 2), from 0 to inputs - 1.
        y: "cross_entropy": int64 labels (n,), from 0 to outputs - 1; "mse", "sse": of x's dtype (any floating one for
            pairs), (n, outputs); "logistic": as for "mse", with values 0 and 1.

    Nothing may be infinite or NaN.
    """
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {LOSSES}, got {loss!r}")
    for name, values in (("x", x), ("y", y)):
        if not isinstance(values, Tensor):
            got = type(values).__name__
            raise ValueError(f"{name} must be a torch.Tensor, got {got}: convert with torch.as_tensor")
        if values.requires_grad or values.is_inference():
            got = "requires grad" if values.requires_grad else "was made under torch.inference_mode"
            raise ValueError(f"{name} must be plain data, this {got}: give {name}.detach().clone()")
    if x.device != y.device:
        raise ValueError(f"x and y must be on one device, got {x.device} and {y.device}")
    pairs, floats = not x.is_floating_point(), (torch.float32, torch.float64)
    if pairs:
        _check_pairs(network, x)
    elif x.dtype not in floats or x.ndim != 2 or x.shape[1] != network.inputs:
        rule = f"x must be float32 or float64, (n, {network.inputs}) for a network with inputs={network.inputs}"
        raise ValueError(f"{rule}, got {_named(x)}")
    if y.shape[:1] != x.shape[:1]:
        raise ValueError(f"x and y must have one row per example, got {tuple(x.shape)} and {tuple(y.shape)}")
    if loss == "cross_entropy":
        rule = f"y must be int64 labels, (n,), from 0 to outputs - 1, here {network.outputs - 1}, for cross_entropy"
        if y.dtype != torch.int64 or y.ndim != 1:
            raise ValueError(f"{rule}, got {_named(y)}")
        if bool(((y < 0) | (y >= network.outputs)).any()):
            raise ValueError(f"{rule}, got labels from {int(y.min())} to {int(y.max())}")
    else:
        hint = ": reshape with y[:, None]" if y.ndim == 1 else ""
        if y.shape != (len(x), network.outputs):
            rule = f"y must be (n, outputs), here ({len(x)}, {network.outputs}), for the loss {loss!r}"
            raise ValueError(f"{rule}, got {tuple(y.shape)}{hint}")
        if y.dtype not in (floats if pairs else (x.dtype,)):
            rule = "float32 or float64" if pairs else f"{x.dtype} as x"
            raise ValueError(f"y must be {rule} for the loss {loss!r}, got {y.dtype}: convert with y.to(x.dtype)")
        if loss == "logistic" and not bool(((y == 0) | (y == 1)).all()):
            raise ValueError(f"y must be 0 or 1 for the loss 'logistic', got {y[(y != 0) & (y != 1)][0].item():g}")
    for name, values in (("x", x), ("y", y)):
        if not bool(values.isfinite().all()):
            count = int((~values.isfinite()).sum())
            raise ValueError(f"{name} must be finite, got {count} infinite or NaN of {values.numel()} values")


def _check_pairs(network: Network, x: Tensor) -> None:
    rule = f"integer x are one-hot pairs: int64, (n, 2), from 0 to inputs - 1, here {network.inputs - 1}"
    hint = "convert numbers with x.float()"
    if network.inputs == 2:  # two operands of one value each: these are numbers
        raise ValueError(f"{rule}, with inputs of at least 3; got {_named(x)} for inputs=2: {hint}")
    if x.dtype != torch.int64 or x.ndim != 2 or x.shape[1] != 2:
        raise ValueError(f"{rule}; got {_named(x)}: {hint}")
    if bool(((x < 0) | (x >= network.inputs)).any()):
        raise ValueError(f"{rule}; got values from {int(x.min())} to {int(x.max())}: {hint}")
    if network.input_activation is not None:
        raise ValueError(f"input activations need floating-point x, got {x.dtype}: {hint}")


def check_precision(data: Data, dtype: torch.dtype) -> None:
    """Raise a ValueError unless floating-point data have the dtype of the weights."""
    for name, values in zip("xy", data, strict=True):
        if values.is_floating_point() and values.dtype != dtype:
            hint = ": convert with .float()" if dtype == torch.float32 else ""
            raise ValueError(f"{name} must be {dtype} like the weights, got {values.dtype}{hint}")


def _named(x: Tensor) -> str:
    return f"{x.dtype} {tuple(x.shape)}"


class WindowAverage:
    """Mean of the weights over the last 50 steps (Appendix E.1), formed only where an evaluation needs it.

    Keeps the running sum in float64; a window is the difference of two sums.
    """

    def __init__(self, weights: Tensor, evaluate_at: Sequence[int]):
        self.ends = set(evaluate_at)
        self.starts = {step - AVERAGED_STEPS for step in evaluate_at if step >= AVERAGED_STEPS}
        self.total = torch.zeros_like(weights, dtype=torch.float64)
        self.saved: dict[int, Tensor] = {}

    def update(self, step: int, weights: Tensor) -> Tensor | None:
        """Add the weights after ``step``; at an evaluation step, return their average, else None."""
        if step > 0:  # the initial weights are no training step
            self.total.add_(weights)
        if step in self.starts:
            self.saved[step] = self.total.clone()
        if step not in self.ends:
            return None
        if step == 0:
            return weights.clone()
        if step < AVERAGED_STEPS:
            return (self.total / step).to(weights.dtype)
        return ((self.total - self.saved.pop(step - AVERAGED_STEPS)) / AVERAGED_STEPS).to(weights.dtype)
