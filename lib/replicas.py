"""Replicas of one configuration as a single batch: what a GPU needs; on a CPU, processes side by side do better.

Restarts and seeds of Algorithm 1, and final runs with several functions and seeds, differ in their random numbers and
in psi, not in shapes. Here their weights are stacked, (replicas, ...), the gradient goes through torch.func.vmap, and
a step is a few large operations. Nothing waits for the device but the end of an episode and an evaluation. Random
numbers are drawn on the CPU, as for one replica alone, so each is equal to its own `learn` or `train` up to rounding.
"""

import functools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.func import vmap

from .episodes import draw_episode, episode_generator, outer_loss, outer_source, watch_split
from .metalearning import Learned, Settings, Task, check, note
from .networks import Network, Params, Psi
from .training import Batches, Optimiser, Trained, WindowAverage, check_data, check_evaluations, check_precision, take


def learn_replicas(tasks: Sequence[Task], settings: Settings, *, seeds: Sequence[int]) -> list[Learned]:
    """Run Algorithm 1 once per seed, all at once, on the device of the tasks' data; see :func:`lib.metalearning.learn`.

    Returns:
        one Learned per seed, in order. A replica that stops early or diverges leaves the others alone.

    Raises:
        ValueError: as `learn`, or without a seed.
    """
    check(tasks, settings)
    if not seeds:
        raise ValueError("seeds must hold at least 1 seed, got none")
    count, device = len(seeds), tasks[0].x.device
    starts = [tasks[0].network.init_psi(settings.start(seed)) for seed in seeds]
    names = sorted(starts[0])
    psi = {name: torch.stack([start[name] for start in starts]).to(device) for name in names}
    outer_state = settings.outer.init([psi[name] for name in names])
    pools = [[watch_split(len(task.x), settings.watch, seed) for seed in seeds] for task in tasks]
    learned = [Learned({name: values[i] for name, values in psi.items()}) for i in range(count)]
    running = set(range(count))

    for episode in range(settings.episodes):
        waited = {i: episode - 1 - learned[i].best_episode for i in running}
        running = {i for i in running if waited[i] < settings.patience * len(tasks)}
        if not running:
            break
        generators = [episode_generator(seed, episode) for seed in seeds]
        k = episode % len(tasks)
        task, network = tasks[k], tasks[k].network
        n_tr = min(settings.n_tr_start + settings.n_tr_step * episode, settings.n_tr_max)
        rows = [draw_episode(task, settings, pools[k][i][0], g) for i, g in enumerate(generators)]
        train_rows, outer_rows = (torch.stack(part) for part in zip(*rows, strict=True))
        theta = _stack([network.init(g) for g in generators], device)
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
                if learned[i].diverged:
                    running.remove(i)
            factor = (settings.clip / (norm + 1e-12)).clamp(max=1)
            clipped = [g * factor.to(g.dtype).reshape(-1, *[1] * (g.dim() - 1)) for g in gradient]
            values, outer_state = settings.outer.step([psi[name] for name in names], clipped, outer_state)
            psi = dict(zip(names, values, strict=True))
    return learned


def train_replicas(
    network: Network,
    psi: Psi,
    data: tuple[Tensor, Tensor],
    *,
    seeds: Sequence[int],
    loss: str,
    optimiser: Optimiser,
    evaluate_at: Sequence[int],
    monitor: Callable[[Psi, Params], dict[str, Tensor]],
    batch: int = 4096,
    best: str | None = "validation_accuracy",
) -> list[Trained]:
    """Train one network per seed, all at once, on the device of the data; see :func:`lib.training.train`.

    Args:
        psi: a dict of control values with a leading dimension: replica i has seeds[i] and psi's row i; empty for other
            activations.
        data: inputs (n, d_in) and targets, the same for all.
        monitor: from one replica's psi and averaged weights to named scalars; it is batched by vmap.

    Returns:
        one Trained per seed, without snapshots. A replica that diverges keeps its best step until then.

    Raises:
        ValueError: if psi does not have one row per seed, or for what `train` refuses.
    """
    if not seeds or any(len(values) != len(seeds) for values in psi.values()):
        raise ValueError(f"psi must have one row per seed, {len(seeds)}, got {[len(v) for v in psi.values()]}")
    check_evaluations(evaluate_at)
    check_data(network, *data, loss)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    gradients, measure = _gradients(network, loss, shared=len(data[0]) <= batch), vmap(monitor)
    histories, diverged = [{"step": []} for _ in seeds], set()
    with torch.no_grad():
        params = _stack([network.init(g) for g in generators], data[0].device)
        check_precision(data, params[0].dtype)
        kept = [(-float("inf"), 0, [p[i] for p in params]) for i in range(len(seeds))]
        state, average = optimiser.init(params), WindowAverage(params, evaluate_at)
        batches = [Batches(len(data[0]), batch, g) for g in generators]
        for step in range(evaluate_at[-1] + 1):
            if step > 0:
                rows = [b.next() for b in batches]
                values, grads = gradients(params, psi, *(data if rows[0] is None else _rows(data, torch.stack(rows))))
                params, state = optimiser.step(params, grads, state)
            averaged = average.update(step, params)
            if averaged is None:
                continue
            if step > 0:
                diverged |= {i for i, finite in enumerate(values.isfinite().tolist()) if not finite}
            measured = {name: numbers.tolist() for name, numbers in measure(psi, averaged).items()}
            if best is not None and best not in measured:
                raise ValueError(f"best must be one of the monitored {sorted(measured)}, got {best!r}")
            for i in set(range(len(seeds))) - diverged:
                for name, number in ({"step": step} | {name: of[i] for name, of in measured.items()}).items():
                    histories[i].setdefault(name, []).append(number)
                if best is None or measured[best][i] > kept[i][0]:
                    value = float("inf") if best is None else measured[best][i]
                    kept[i] = (value, step, [p[i] for p in averaged])
    return [Trained(kept[i][2], kept[i][1], histories[i], None, i in diverged) for i in range(len(seeds))]


def _inner_loop(
    task: Task, psi: Psi, theta: Params, rows: Tensor, n_tr: int, settings: Settings, generators: list
) -> Params:
    """As :func:`lib.episodes.inner_loop`, with a leading dimension of replicas in psi, theta and rows."""
    unroll, n = min(settings.unroll, n_tr), rows.shape[1]
    batches = [Batches(n, settings.batch, g) for g in generators]
    state, gradients = settings.inner.init(theta), _gradients(task.network, task.loss)
    everything = _rows((task.x, task.y), rows) if n <= settings.batch else None

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


def _gradients(network: Network, loss: str, shared: bool = False) -> Callable:
    """Loss and its gradient in the weights, batched over weights and psi, and over the data unless they are shared."""

    def one(theta, psi, x, y):
        return network.loss_and_gradients(theta, psi, network.embed(psi, x), y, loss)

    return vmap(one, in_dims=(0, 0, None, None) if shared else 0)


def _rows(data: tuple[Tensor, ...], rows: Tensor) -> tuple[Tensor, ...]:
    """Rows (replicas, b) of each tensor: (replicas, b, ...)."""
    rows = rows.to(data[0].device, non_blocking=True)
    return tuple(part.unflatten(0, rows.shape) for part in take(data, rows.flatten()))


def _stack(replicas: list[Params], device: torch.device) -> Params:
    return [torch.stack(parts).to(device) for parts in zip(*replicas, strict=True)]
