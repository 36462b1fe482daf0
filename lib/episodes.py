"""One episode of Algorithm 1: rows, the inner loop, the outer loss (Section 2.3, Appendix C).

:mod:`lib.metalearning` has the outer loop, :mod:`lib.settings` the classes Settings and Task.
"""

from __future__ import annotations

import operator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .networks import Network, Params, Psi
from .steps import Steps, products
from .training import Batches, take

if TYPE_CHECKING:
    from .settings import Settings, Task

LARGEST_SEED = 2**43  # times the 1,000,003 of an episode's randomness it is still a seed of torch


def check_seed(seed: int) -> int:
    """The seed as an int, or a ValueError."""
    try:
        value = operator.index(seed)
    except TypeError:
        raise ValueError(f"seed must be an integer, got {seed!r}") from None
    if abs(value) > LARGEST_SEED:
        raise ValueError(f"seed must be at most {LARGEST_SEED} in size, got {value}")
    return value


@contextmanager
def ordinary_torch(device: torch.device):
    """Gradients on, no autocast, the CPU as default device: whatever the caller's modes, the numbers are the same."""
    elsewhere = torch.get_default_device().type != "cpu"  # the mode below costs time at each operation
    with torch.inference_mode(False), torch.enable_grad(), torch.device("cpu") if elsewhere else nullcontext():
        with torch.autocast(device.type, enabled=False):
            yield


def episode_generator(seed: int, episode: int) -> torch.Generator:
    """The randomness of an episode, on the CPU."""
    return torch.Generator().manual_seed(seed * 1_000_003 + episode)


def watch_split(n: int, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Rows that the episodes draw from, and rows that they never see."""
    order = torch.randperm(n, generator=episode_generator(seed, 999_983))  # of no episode
    count = round(fraction * n)
    return order[count:], order[:count]


def draw_episode(task: Task, settings: Settings, pool: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The episode's training rows T', and the rows of outer_source that the outer loss is on (at most a batch)."""
    order = pool[torch.randperm(len(pool), generator=generator)]
    count = min(max(1, round(settings.validation * len(order))), len(order) - 1)
    train_rows, rows = order[count:], order[:count]
    if settings.objective == "given":
        rows = torch.randperm(len(task.given[0]), generator=generator)
    elif settings.objective == "training":
        rows = train_rows
    return train_rows, rows[: settings.batch]


def outer_source(task: Task, settings: Settings) -> tuple[Tensor, Tensor]:
    """The data (x, y) that the outer loss is measured on rows of."""
    return task.given if settings.objective == "given" else (task.x, task.y)


def inner_loop(
    task: Task, psi: Psi, theta: Params, rows: Tensor, n_tr: int, settings: Settings, generator: torch.Generator
) -> Params:
    """n_tr gradient steps on theta with psi fixed; the graph of the last t leads from the result back to psi."""
    network, unroll, among, (x, y) = task.network, min(settings.unroll, n_tr), None, (task.x, task.y)
    fast = isinstance(network, Network)
    if fast and network.input_activation is None and len(rows) > settings.batch:
        among = rows  # the batches are taken from all of the data
    else:
        x, y = take((x, y), rows)
    batches, state = Batches(len(rows), settings.batch, generator, among), settings.inner.init(theta)

    def step(theta, state, psi, embedded):
        batch = take((embedded, y), batches.next())
        _, grads = network.loss_and_gradients(theta, psi, *batch, task.loss)
        return settings.inner.step(theta, grads, state)

    with torch.no_grad():
        fixed = {name: values.detach() for name, values in psi.items()}
        embedded = network.embed(fixed, x)
        if fast:
            steps = Steps(network, fixed, theta, (embedded, y), task.loss, settings.inner, batches)
            with products(settings.products):
                for _ in range(n_tr - unroll):
                    steps.step()
            theta, state = steps.unflatten(steps.flat), steps.state()
        else:
            for _ in range(n_tr - unroll):
                theta, state = step(theta, state, fixed, embedded)
    if unroll:
        embedded = network.embed(psi, x)
        for _ in range(unroll):
            theta, state = step(theta, state, psi, embedded)
    return theta


def outer_loss(task: Task, psi: Psi, theta: Params, data: tuple[Tensor, Tensor]) -> Tensor:
    """The loss on V after training, a scalar that depends on psi directly and through theta."""
    return task.network.loss(theta, psi, *data, task.loss)


@torch.no_grad()
def watch_loss(task: Task, psi: Psi, theta: Params, watched: Tensor, otherwise: float) -> float:
    """Loss on the rows that no episode sees; the outer loss where none are watched."""
    if not len(watched):
        return otherwise
    return outer_loss(task, psi, theta, (task.x[watched], task.y[watched])).item()
