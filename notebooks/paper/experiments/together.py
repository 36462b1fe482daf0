"""An activation that is trained with the weights, in place of one that is learned before: one per layer.

NOTE[DIFF]: not in the paper. Padé activation units of Molina et al., "Padé activation units: end-to-end learning of
flexible activation functions in deep networks", ICLR 2020: P(z) / (1 + |Q(z)|), P of degree 5 and Q of degree 4 without
a constant, from a leaky ReLU. And DiTAC of Chelly et al., "Trainable highly-expressive activation functions", ECCV
2024: T(z) Phi(z), where T moves the points of [-3, 3] along a velocity field that is linear on 10 cells, from a GELU;
not in closed form but in four steps, each with the field at its middle, and without their regulariser.
"""

import functools
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import torch
from scipy.optimize import least_squares
from torch import Tensor
from torch.nn import functional as F

from lib.networks import ROWS, Activation, Network, Params, loss_and_delta
from lib.training import Batches, Trained, WindowAverage, take

from .parts import LOSS_OF, Parts, load_parts, schedule
from .train import Train

TOP, BOTTOM = 5, 4  # degrees
VELOCITY, FLOW = Activation("spline", points=11, low=-3.0, high=3.0), 4  # of DiTAC, with how many steps


def rational(z: Tensor, coefficients: Tensor) -> Tensor:
    """P(z) / (1 + |Q(z)|), shaped like z.

    Args:
        coefficients: of P from the constant on, then of Q from z on, (TOP + 1 + BOTTOM,).
    """
    top, bottom = coefficients[: TOP + 1], coefficients[TOP + 1 :]
    p, q = top[-1].expand_as(z), bottom[-1].expand_as(z)
    for c in top[:-1].flip(0):
        p = p * z + c
    for c in bottom[:-1].flip(0):
        q = q * z + c
    return p / (1 + (q * z).abs())


def warped(z: Tensor, velocities: Tensor) -> Tensor:
    """T(z) Phi(z), shaped like z; with velocities of 0 a GELU.

    Args:
        velocities: at the inner ends of the cells, (9,); at the ends of the interval they are 0.
    """
    psi = F.pad(velocities, (1, 1))
    inside = moved = z.clamp(VELOCITY.low, VELOCITY.high)
    for _ in range(FLOW):
        middle = moved + VELOCITY.value(moved, psi) / (2 * FLOW)
        moved = moved + VELOCITY.value(middle, psi) / FLOW
    return (z - inside + moved) * torch.special.ndtr(z)


@functools.cache
def leaky_relu() -> Tensor:
    """The coefficients that are nearest to a leaky ReLU of slope 0.01 on [-3, 3]."""
    z = torch.linspace(-3, 3, 601, dtype=torch.float64)
    target = F.leaky_relu(z, 0.01)

    def error(values):
        return (rational(z, torch.from_numpy(values)) - target).numpy()

    start = np.r_[0.02, 0.5, 1.0, 1.0, 0.5, 0.1, 0.1, 1.0, 0.1, 0.1]
    return torch.from_numpy(least_squares(error, start, max_nfev=400).x).float()


FAMILIES = {"rational": (rational, leaky_relu), "DiTAC": (warped, lambda: torch.zeros(VELOCITY.points - 2))}


@dataclass(frozen=True, kw_only=True)
class Together(Train):
    """As :class:`.train.Train`, with a function per layer that is trained with the weights.

    Args:
        share: the rate of the coefficients, as a share of that of the weights. family: one of FAMILIES.
    """

    kind: ClassVar[str] = "together"
    version: ClassVar[int] = 1

    share: float
    family: str = field(default="rational", metadata={"old": "rational"})

    def __post_init__(self):
        if self.family not in FAMILIES:
            raise ValueError(f"family must be one of {tuple(FAMILIES)}, got {self.family!r}")
        if self.learned or self.complexity:
            raise ValueError(
                "a function that is trained with the weights is not learned before, and TV is not measured"
            )

    def trained(self, context, snapshots: bool = False) -> tuple[Network, dict, Parts, Trained]:
        parts = _dense(load_parts(self.data, self.task, self.split, self.validation, context.data_dir, self.scaling))
        network = replace(self.network, inputs=parts.inputs, outputs=parts.outputs)
        generator = torch.Generator().manual_seed(self.seed)
        _, start = FAMILIES[self.family]
        theta = [*network.init(generator), start().repeat(max(1, network.depth), 1)]
        batches = Batches(len(parts.train), self.batch, generator)
        rates = (self.optimiser, replace(self.optimiser, lr=self.optimiser.lr * self.share))
        states = [rates[0].init(theta[:-1]), rates[1].init(theta[-1:])]
        evaluate_at = schedule(self.steps, self.evaluations, self.log_spaced)
        average = WindowAverage(torch.cat([w.flatten() for w in theta]), evaluate_at)
        history, best, waited, stopped, diverged = {"step": []}, (-1.0, 0, theta), 0, False, False
        for step in range(self.steps + 1):
            if step:
                loss, gradients = self._gradient(network, theta, take((parts.train.x, parts.train.y), batches.next()))
                if diverged := not bool(torch.isfinite(loss)):
                    break
                weights, states[0] = rates[0].step(theta[:-1], gradients[:-1], states[0])
                shapes, states[1] = rates[1].step(theta[-1:], gradients[-1:], states[1])
                theta = weights + shapes
            window = average.update(step, torch.cat([w.flatten() for w in theta]))
            if window is None:
                continue
            cut = window.split([w.numel() for w in theta])
            averaged = [part.view_as(w) for part, w in zip(cut, theta, strict=True)]
            for name, number in ({"step": step} | self._measure(network, averaged, parts)).items():
                history.setdefault(name, []).append(number)
            merit, waited = history["validation_accuracy"][-1] if self.validation else float(step), waited + 1
            if merit > best[0]:
                best, waited = (merit, step, averaged), 0
            if stopped := 0 < self.patience <= waited and step < self.steps:
                break
        return network, {}, parts, Trained(best[2], best[1], history, None, diverged, stopped)

    def _gradient(self, network: Network, theta: Params, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Params]:
        leaves = [w.detach().requires_grad_() for w in theta]
        loss, _ = loss_and_delta(self._outputs(network, leaves, batch[0]), batch[1], LOSS_OF[self.task])
        return loss.detach(), torch.autograd.grad(loss, leaves)

    @torch.no_grad()
    def _measure(self, network: Network, theta: Params, parts: Parts) -> dict[str, float]:
        return self.measured(
            lambda x: torch.cat([self._outputs(network, theta, part) for part in x.split(ROWS)]), parts
        )

    def _outputs(self, network: Network, theta: Params, x: Tensor) -> Tensor:
        function, _ = FAMILIES[self.family]
        for layer in range(network.depth):
            a = function(F.linear(x, theta[2 * layer], theta[2 * layer + 1]), theta[-1][layer])
            x = a + x if network.skips(layer) else a
        return F.linear(x, theta[2 * network.depth], theta[2 * network.depth + 1])


def _dense(parts: Parts) -> Parts:
    """Pairs of operands as vectors with two ones."""
    if parts.train.x.is_floating_point():
        return parts

    def spread(rows):
        return rows and replace(rows, x=F.one_hot(rows.x, parts.inputs).sum(1).float())

    return replace(parts, train=spread(parts.train), validation=spread(parts.validation), test=spread(parts.test))
