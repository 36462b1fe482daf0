"""Other ways to the outer gradient than Algorithm 1's, with the signature of :func:`lib.episodes.unrolled`.

NOTE[DIFF]: none is in the paper. They are tried side by side with it in the ablations, with as many inner steps.
"""

import math
from dataclasses import replace

import numpy as np
import torch

from lib.episodes import from_scratch, inner_loop, outer_loss, unrolled
from lib.splines import grid, smooth_random

PARTS = 4  # of an inner training, at whose ends the loss on V is taken
RUNS = 3  # inner trainings that a gradient is averaged over
PAIRS = 2  # of opposite changes of psi
SIZE = 0.1  # of such a change, as a share of psi's deviation
REACH = 0.025  # of smoothing, and of the correlation of such a change, as a share of psi's range


def along(task, psi, rows, held, n_tr, settings, generator):
    """The mean of the losses on V along the training, which have a gradient where the last one is still at chance.

    NOTE[DIFF]: the state of the inner optimiser begins anew with each part; plain gradient descent has none.
    """
    theta = [w.to(task.x.device) for w in task.network.init(generator)]
    names, total, slopes = sorted(psi), 0.0, {name: torch.zeros_like(values) for name, values in psi.items()}
    for part in range(PARTS):
        leaves = {name: values.detach().requires_grad_() for name, values in psi.items()}
        steps = n_tr * (part + 1) // PARTS - n_tr * part // PARTS
        theta = inner_loop(task, leaves, [w.detach() for w in theta], rows, steps, settings, generator)
        loss = outer_loss(task, leaves, theta, held) / PARTS
        for name, slope in zip(names, torch.autograd.grad(loss, [leaves[name] for name in names]), strict=True):
            slopes[name] += slope
        total += loss.item()
    return total, slopes, theta


def smoothed(task, psi, rows, held, n_tr, settings, generator):
    """A Sobolev gradient: it moves the neighbours of a control point too, which few pre-activations may touch.

    With L the second difference along psi and r the reach in points, (1 + r^2 L)^-1 times the gradient.
    """
    loss, slopes, theta = unrolled(task, psi, rows, held, n_tr, settings, generator)
    smooth = {}
    for name, slope in slopes.items():
        n = slope.shape[-1]
        step = torch.diff(torch.eye(n, dtype=torch.float64), dim=0)  # (n - 1, n)
        operator = torch.eye(n, dtype=torch.float64) + (REACH * n) ** 2 * step.T @ step
        smooth[name] = torch.linalg.solve(operator, slope.double().reshape(-1, n).T).T.reshape(slope.shape).to(slope)
    return loss, smooth, theta


def averaged(task, psi, rows, held, n_tr, settings, generator):
    """The mean over inner trainings with other weights and batches on the same rows."""
    found = [unrolled(task, psi, rows, held, n_tr, settings, generator) for _ in range(RUNS)]
    slopes = {name: torch.stack([each[name] for _, each, _ in found]).mean(0) for name in psi}
    return sum(loss for loss, _, _ in found) / RUNS, slopes, found[-1][2]


def evolved(task, psi, rows, held, n_tr, settings, generator):
    """Evolution strategies: differences of the loss on V between opposite smooth random changes of psi.

    No derivative goes through the training, so a chaotic one does no harm (Metz et al., "Understanding and correcting
    pathologies in the training of learned optimizers", ICML 2019). Both runs of a pair have the same weights.
    """
    losses, slopes = [], {name: torch.zeros_like(values) for name, values in psi.items()}
    for _ in range(PAIRS):
        change = {name: _smooth_like(values, generator) for name, values in psi.items()}
        seed = int(torch.randint(2**31, (), generator=generator))
        pair = []
        for sign in (1, -1):
            moved = {name: values + sign * change[name] for name, values in psi.items()}
            theta, _ = from_scratch(task, moved, rows, rows[:0], n_tr, settings, torch.Generator().manual_seed(seed))
            with torch.no_grad():
                pair.append(outer_loss(task, moved, theta, held).item())
        for name, values in change.items():
            slopes[name] += (pair[0] - pair[1]) / 2 * values / float(values.square().mean()) / PAIRS
        losses += pair
    return sum(losses) / len(losses), slopes, theta


@torch.no_grad()
def persistent(task, psi, rows, held, n_tr, settings, generator):
    """Persistent evolution strategies: psi is changed anew in each part of a training, and the loss at the end of a
    part counts for the sum of all changes until then.

    So cutting the training in parts does not bias the gradient of the losses along it (Vicol, Metz and Sohl-Dickstein,
    "Unbiased gradient estimation in unrolled computation graphs with persistent evolution strategies", ICML 2021).

    NOTE[DIFF]: psi itself moves after a whole training only; the state of the inner optimiser begins anew with each
    part.
    """
    losses, slopes = [], {name: torch.zeros_like(values) for name, values in psi.items()}
    plain, ends = replace(settings, unroll=0), [n_tr * part // PARTS for part in range(PARTS + 1)]
    for _ in range(PAIRS):
        total, theta, seed = {name: torch.zeros_like(values) for name, values in psi.items()}, {}, None
        for steps in np.diff(ends):
            change = {name: _smooth_like(values, generator) for name, values in psi.items()}
            total = {name: values + change[name] for name, values in total.items()}
            if seed is None:
                seed = int(torch.randint(2**31, (), generator=generator))
                drawn = {sign: torch.Generator().manual_seed(seed) for sign in (1, -1)}
                theta = {sign: [w.to(task.x.device) for w in task.network.init(drawn[sign])] for sign in drawn}
            pair = []
            for sign in drawn:
                moved = {name: values + sign * change[name] for name, values in psi.items()}
                theta[sign] = inner_loop(task, moved, theta[sign], rows, int(steps), plain, drawn[sign])
                pair.append(outer_loss(task, moved, theta[sign], held).item())
            for name, values in total.items():
                size = float(change[name].square().mean())
                slopes[name] += (pair[0] - pair[1]) / 2 * values / size / PAIRS / PARTS
            losses += pair
    return sum(losses) / len(losses), slopes, theta[-1]


def _smooth_like(values: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A smooth random change of psi."""
    size = SIZE * (float(values.std()) or 1.0)
    points = grid(values.shape[-1], 0.0, 1.0)
    rows = [smooth_random(points, REACH, generator) for _ in range(math.prod(values.shape[:-1]))]
    return size * torch.stack(rows).reshape(values.shape).to(values)


WAYS = {
    "unrolled": unrolled,
    "along": along,
    "smoothed": smoothed,
    "averaged": averaged,
    "evolved": evolved,
    "persistent": persistent,
}
TRAININGS = {
    "averaged": RUNS,
    "evolved": 2 * PAIRS,
    "persistent": 2 * PAIRS,
}  # inner trainings of an episode, where it has several
