"""A user's time: a whole process that learns an activation until the loss on V is as low as stated, with each tool.

Run from the repository's root: ``python -m benchmarks.whole``. Each process starts Python, loads the data, and runs
episodes of Algorithm 1 until the mean loss on V of the last 5 reaches the target: what 10 episodes of this library
reach. Inner steps are by SGD. Seeds, rows and weights are the same, so the episodes are the same up to rounding.
"""

import importlib.util
import json
import subprocess
import sys
import time
import warnings
from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch
from torch import nn

from benchmarks.metastep import IndexedSpline
from lib.episodes import draw_episode, episode_generator, inner_loop
from lib.metalearning import Settings, Task
from lib.networks import Activation, Network, loss_and_delta
from lib.steps import has_bfloat16, products
from lib.training import Batches, Optimiser, take
from notebooks.paper.experiments.parts import LOSS_OF, load_parts

TOOLS = ("ours", "ours, bfloat16", "torchopt", "higher")
SPLINE = Activation("spline", points=50)


@dataclass(frozen=True)
class Goal:
    """A dataset, a network, the settings of Algorithm 1."""

    data: str
    task: str
    network: Network
    settings: Settings


GOALS = {
    "an image set": Goal(
        "fashion_mnist", "regression", Network(width=32, depth=1, activation=SPLINE),
        Settings("relu", episodes=60, n_tr_start=50, n_tr_step=0, inner=Optimiser("sgd", 0.05)),
    ),
    "a table": Goal(
        "electricity", "binary", Network(width=64, depth=2, activation=SPLINE),
        Settings("relu", episodes=60, n_tr_start=100, n_tr_step=0, batch=1024, inner=Optimiser("sgd", 0.5)),
    ),
}  # fmt: skip


def by_modules(task, psi, theta, rows, settings, generator, unrolled):
    """The inner loop with modules and torch.optim, the last steps by a library; returns the loss as a function of V."""
    net, g, layers = task.network, task.network.activation, []
    for i, o in zip(net.sizes, net.sizes[1:], strict=False):
        layers += [nn.Linear(i, o), IndexedSpline(psi["hidden"].detach(), g.low, g.high)]
    model = nn.Sequential(*layers[:-1])
    for parameter, value in zip(model.parameters(), theta, strict=True):
        parameter.data.copy_(value)
    measure = nn.functional.mse_loss if task.loss == "mse" else nn.functional.binary_cross_entropy_with_logits
    optimiser = torch.optim.SGD(model.parameters(), settings.inner.lr)
    data, batches = take((task.x, task.y), rows), Batches(len(rows), settings.batch, generator)
    for _ in range(settings.n_tr_start - settings.unroll):
        x, y = take(data, batches.next())
        optimiser.zero_grad()
        measure(model(x), y).backward()
        optimiser.step()
    for layer in model:
        if isinstance(layer, IndexedSpline):
            layer.psi[0] = psi["hidden"]
    unrolled_batches = [take(data, batches.next()) for _ in range(settings.unroll)]
    return lambda v: unrolled(model, unrolled_batches, v, settings.inner.lr, measure)


def learned(goal: Goal, tool: str, target: float | None) -> tuple[int, float]:
    """Run episodes until the target is reached, or 10; how many there were, and the mean of the last 5 losses on V."""
    parts = load_parts(goal.data, goal.task, split=0, validation=0.1)
    network = replace(goal.network, inputs=parts.inputs, outputs=parts.outputs)
    task, settings = Task(network, parts.train.x, parts.train.y, LOSS_OF[goal.task]), goal.settings
    if tool == "ours, bfloat16":
        settings = replace(settings, products="bfloat16")
    psi, losses, pool = network.init_psi(settings.init), [], torch.arange(len(task.x))
    names, state = sorted(psi), settings.outer.init([psi[k] for k in sorted(psi)])
    for episode in range(settings.episodes):
        generator = episode_generator(0, episode)
        rows, held = draw_episode(task, settings, pool, generator)
        theta = network.init(generator)
        leaf = {name: values.detach().requires_grad_() for name, values in psi.items()}
        v = take((task.x, task.y), held)
        if tool not in UNROLLED:
            trained = inner_loop(task, leaf, theta, rows, settings.n_tr_start, settings, generator)
            loss = loss_and_delta(network.forward(trained, leaf, v[0]), v[1], task.loss)[0]
        else:
            loss = by_modules(task, leaf, theta, rows, settings, generator, UNROLLED[tool])(v)
        grads = torch.autograd.grad(loss, [leaf[name] for name in names])
        norm = float(sum(g.square().sum() for g in grads)) ** 0.5
        clipped = [g * min(1.0, settings.clip / (norm + 1e-12)) for g in grads]
        values, state = settings.outer.step([psi[name] for name in names], clipped, state)
        psi = dict(zip(names, values, strict=True))
        losses.append(loss.item())
        mean = sum(losses[-5:]) / 5
        if len(losses) >= 5 and (len(losses) == 10 if target is None else mean <= target):
            break
    return len(losses), mean


def unroll_higher(model, batches, v, lr, measure):
    import higher

    with higher.innerloop_ctx(model, torch.optim.SGD(model.parameters(), lr), copy_initial_weights=False) as (fast, on):
        for x, y in batches:
            on.step(measure(fast(x), y))
        return measure(fast(v[0]), v[1])


def unroll_torchopt(model, batches, v, lr, measure):
    import torchopt

    optimiser = torchopt.MetaSGD(model, lr=lr)
    for x, y in batches:
        optimiser.step(measure(model(x), y))
    return measure(model(v[0]), v[1])


UNROLLED = {"higher": unroll_higher, "torchopt": unroll_torchopt}


def process(goal: str, tool: str, target: float | None) -> dict:
    """Seconds of the clock of one whole process, the episodes that it took and the loss that it reached."""
    command = [sys.executable, "-m", "benchmarks.whole", goal, tool, json.dumps(target)]
    start = time.perf_counter()
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {"seconds": time.perf_counter() - start, **json.loads(out)}


def measure(repeats: int = 1) -> dict:
    """Per goal: the target, and per tool the fastest of its processes: one, or two with 10 repeats."""
    found = {}
    for goal in GOALS:
        target = 1.001 * process(goal, "ours", None)["loss"]  # as much for rounding
        tools = [tool for tool in TOOLS if tool not in UNROLLED or importlib.util.find_spec(tool)]
        tools = [tool for tool in tools if has_bfloat16() or "bfloat16" not in tool]
        runs = {tool: [process(goal, tool, target) for _ in range(1 if repeats < 10 else 2)] for tool in tools}
        found[goal] = {"target": target, "tools": {k: min(v, key=lambda run: run["seconds"]) for k, v in runs.items()}}
    return found


if __name__ == "__main__":
    if len(sys.argv) > 2:
        warnings.simplefilter("ignore")
        torch.set_num_threads(1)
        with nullcontext() if sys.argv[2] in UNROLLED else products("float32"):
            episodes, reached = learned(GOALS[sys.argv[1]], sys.argv[2], json.loads(sys.argv[3]))
        print(json.dumps({"episodes": episodes, "loss": reached}))
    else:
        print(json.dumps(measure(), indent=1))
