"""Replicas of one configuration as a single batch: what a GPU needs; on a CPU, processes side by side do better.

Restarts and seeds of Algorithm 1, and final runs with several functions and seeds, differ in their random numbers and
in psi, not in shapes. Here their weights are stacked, (replicas, ...), the gradient goes through torch.func.vmap, and
a step is a few large operations. Nothing waits for the device but the end of an episode and an evaluation. Random
numbers are drawn on the CPU, as for one replica alone, so each is equal to its own `learn` or `train` up to rounding.
"""

import functools
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.func import vmap

from .episodes import draw_episode, episode_generator, outer_loss, outer_source, watch_split
from .metalearning import Learned, Settings, Task, check, note
from .networks import Network, Params, Psi
from .training import Batches, take


def learn_replicas(tasks: Sequence[Task], settings: Settings, *, seeds: Sequence[int]) -> list[Learned]:
    """Run Algorithm 1 once per seed, all at once, on the device of the tasks' data; see :func:`lib.metalearning.learn`.

    Returns:
        one Learned per seed, in order. A replica that stops early or diverges leaves the others alone. ValueError as
        in `learn`, or without a seed.
    """
    check(tasks, settings)
    if modules := [task.network for task in tasks if not isinstance(task.network, Network)]:
        raise ValueError(f"restarts as one batch need a Network, got {modules[0]}: learn one by one with learn")
    if not seeds:
        raise ValueError("seeds must hold at least 1 seed, got none")
    count, device = len(seeds), tasks[0].x.device
    starts = [tasks[0].network.init_psi(settings.start(seed)) for seed in seeds]
    names = sorted(starts[0])
    psi = {name: torch.stack([start[name] for start in starts]).to(device) for name in names}
    outer_state = settings.outer.init([psi[name] for name in names])
    pools = [[watch_split(len(task.x), settings.watch, seed) for seed in seeds] for task in tasks]
    about = {"functions": tasks[0].network.functions, "settings": settings}
    learned = [Learned({name: values[i] for name, values in psi.items()}, **about) for i in range(count)]
    running = set(range(count))

    for episode in range(settings.episodes):
        waited = {i: episode - 1 - learned[i].best_episode for i in running if not learned[i].diverged}
        running = {i for i in waited if waited[i] < settings.patience * len(tasks)}
        if not running:
            break
        generators = [episode_generator(seed, episode) for seed in seeds]
        k = episode % len(tasks)
        task, network = tasks[k], tasks[k].network
        n_tr = min(settings.n_tr_start + settings.n_tr_step * episode, settings.n_tr_max)
        rows = [draw_episode(task, settings, pools[k][i][0], g) for i, g in enumerate(generators)]
        train_rows, outer_rows = (torch.stack(part) for part in zip(*rows, strict=True))
        theta = [torch.stack(parts).to(device) for parts in zip(*map(network.init, generators), strict=True)]
        leaves = {name: values.detach().requires_grad_() for name, values in psi.items()}
        theta = _inner_loop(task, leaves, theta, train_rows, n_tr, settings, generators)
        loss_of = vmap(functools.partial(outer_loss, task))
        loss = loss_of(leaves, theta, _rows(outer_source(task, settings), outer_rows))
        gradient = torch.autograd.grad(loss.sum(), [leaves[name] for name in names])

        with torch.no_grad():
            norm = sum(g.double().square().flatten(1).sum(1) for g in gradient).sqrt()
            watch = loss
            if pools[k][0][1].numel():
                watched = torch.stack([pool[1] for pool in pools[k]])
                watch = loss_of(psi, theta, _rows((task.x, task.y), watched))
            numbers = torch.stack([loss.double(), watch.double(), norm], 1).tolist()  # waits for the device
            for i in sorted(running):
                own = {name: values[i] for name, values in psi.items()}
                outer, watch, size = numbers[i]
                note(learned[i], own, episode, len(tasks), outer=outer, watch=watch, n_tr=n_tr, norm=size)
            factor = (settings.clip / (norm + 1e-12)).clamp(max=1)
            clipped = [g * factor.to(g.dtype).reshape(-1, *[1] * (g.dim() - 1)) for g in gradient]
            values, outer_state = settings.outer.step([psi[name] for name in names], clipped, outer_state)
            psi = dict(zip(names, values, strict=True))
    return learned


def _inner_loop(
    task: Task, psi: Psi, theta: Params, rows: Tensor, n_tr: int, settings: Settings, generators: list
) -> Params:
    """As :func:`lib.episodes.inner_loop`, with a leading dimension of replicas in psi, theta and rows."""
    unroll, n = min(settings.unroll, n_tr), rows.shape[1]
    batches = [Batches(n, settings.batch, g) for g in generators]
    state, network = settings.inner.init(theta), task.network
    everything = _rows((task.x, task.y), rows) if n <= settings.batch else None

    @vmap
    def gradients(theta, psi, x, y):
        return network.loss_and_gradients(theta, psi, network.embed(psi, x), y, task.loss)

    def step(theta, state, psi):
        data = everything
        if data is None:
            data = _rows((task.x, task.y), torch.stack([r[b.next()] for r, b in zip(rows, batches, strict=True)]))
        return settings.inner.step(theta, gradients(theta, psi, *data)[1], state)

    fixed = {name: values.detach() for name, values in psi.items()}
    with torch.no_grad():
        for _ in range(n_tr - unroll):
            theta, state = step(theta, state, fixed)
    for _ in range(unroll):
        theta, state = step(theta, state, psi)
    return theta


def _rows(data: tuple[Tensor, ...], rows: Tensor) -> tuple[Tensor, ...]:
    """Rows (replicas, b) of each tensor: (replicas, b, ...)."""
    rows = rows.to(data[0].device, non_blocking=True)
    return tuple(part.unflatten(0, rows.shape) for part in take(data, rows.flatten()))
