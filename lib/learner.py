"""Where Algorithm 1 starts: a race of short trainings among functions made by hand and at random.

The paper starts from zeros or from a ReLU, draws the other settings at random and makes several restarts. From there
the outer gradient often leads nowhere: where a network memorises, the loss on V is at chance for every psi nearby. What
can be found without gradients is a function to start from; training with it tells at once.

NOTE[DIFF]: none of this is in the paper. :func:`race` tries functions by successive halving (Jamieson and Talwalkar,
"Non-stochastic best arm identification and hyperparameter optimization", AISTATS 2016); all are in units of the
pre-activations of a ReLU network, so that one family serves all tasks.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from .episodes import Report, Settings, Task, episode_generator, from_scratch, ordinary_torch, silent, watch_split
from .metalearning import Learned, at, learn
from .networks import Psi
from .splines import smooth_random
from .training import Optimiser

Function = Callable[[Tensor], Tensor]
STARTS = ("best", "relu", "zeros", "random")  # of restarts; see openings
HEATS = ((4, 1.0), (2, 0.3), (1, 0.1))  # trainings of 1/4, 1/2 and all of the steps, with these shares of the functions


def family(scale: float, seed: int = 0) -> dict[str, Function]:
    """Functions to start from, by name: sines, tanh, ReLU, GELU, SiLU and smooth random ones.

    Args:
        scale: s, the standard deviation of the pre-activations; amplitudes and lengths are in units of it.
        seed: of the random functions, and of where between two values of a grid the slopes and amplitudes are: races
            with several seeds search a finer grid.

    Example:
        >>> functions = family(0.5)
        >>> len(functions), functions["ReLU"](torch.tensor([-1.0, 2.0]))
        (28, tensor([0., 2.]))
    """
    if not scale > 0:
        raise ValueError(f"scale must be positive, got {scale}")
    generator, found = episode_generator(seed, 999_961), {"ReLU": torch.relu}  # of no episode

    def between(value: float) -> float:  # this value of a grid in powers of 2, or one up to half a step from it
        shift = float(torch.rand((), generator=generator)) - 0.5
        return value * 2 ** (shift if seed else 0.0)

    for amplitude in (0.5, 1.0, 2.0):
        for slope in (1.0, 2.0, 4.0, 8.0, 16.0):
            a, k = between(amplitude), between(slope)
            found[f"sine, A = {a:.3g} s, k = {k:.3g} / s"] = lambda z, a=a, k=k: a * scale * torch.sin(k * z / scale)
    for slope in (0.5, 1.0, 2.0, 4.0):
        k = between(slope)
        found[f"tanh, k = {k:.3g} / s"] = lambda z, k=k: scale / k * torch.tanh(k * z / scale)
    for name, function in (("GELU", F.gelu), ("SiLU", F.silu)):
        for slope in (1.0, 4.0):
            k = between(slope)
            found[f"{name}, k = {k:.3g} / s"] = lambda z, f=function, k=k: scale / k * f(k * z / scale)
    for amplitude in (0.5, 1.0):
        for length in (0.3, 1.0):
            own = int(torch.randint(2**31, (), generator=generator))
            found[f"random, A = {amplitude:g} s, length {length:g} s"] = lambda z, a=amplitude, r=length, own=own: (
                a * scale * smooth_random(z, r * scale, torch.Generator().manual_seed(own))
            )
    return found


@dataclass(frozen=True, eq=False)
class Start:
    """A function of a race. losses: on held-out rows, in each heat that it was in."""

    name: str
    psi: Psi
    losses: tuple[float, ...]


def race(
    task: Task,
    functions: dict[str, Function],
    *,
    inner: Optimiser,
    batch: int,
    steps: int,
    seed: int,
    report: Report = silent,
) -> list[Start]:
    """Train fresh networks with each function; the better ones again and longer. The best come first.

    Trainings are plain, without a gradient in psi. Those of one heat begin with the same weights.

    Args:
        task: its network has the hidden spline whose control points the functions are evaluated at. They are judged on
            a fifth of its rows, or on the given rows where it brings such.
        inner, batch: how networks are trained. steps: of the last heat. seed: of weights, batches and held-out rows.
    """
    if steps < 1 or not functions:
        raise ValueError(f"a race needs functions and at least 1 step, got {len(functions)} and {steps}")
    if "hidden" not in task.network.functions:
        raise ValueError("a race needs a network with a learned hidden activation")
    settings, device = Settings(inner=inner, batch=batch), task.x.device
    if task.given is None:
        rows, held = watch_split(len(task.x), 0.2, seed)
    else:
        rows, held = torch.arange(len(task.x) + len(task.given[0])).split([len(task.x), len(task.given[0])])
        x, y = (torch.cat(both) for both in zip((task.x, task.y), task.given, strict=True))
        task = replace(task, x=x, y=y, given=None)
    starts = {name: task.network.init_psi(function) for name, function in functions.items()}
    psis = {name: {k: values.to(device) for k, values in psi.items()} for name, psi in starts.items()}
    losses: dict[str, tuple[float, ...]] = dict.fromkeys(psis, ())

    def order(name):  # who came further first, then by the loss
        return -len(losses[name]), losses[name][-1] if losses[name] else 0.0

    with ordinary_torch(device):
        for heat, (divisor, share) in enumerate(HEATS):
            n = max(1, steps // divisor)
            for name in sorted(psis, key=order)[: max(1, round(share * len(psis)))]:
                generator = episode_generator(seed, 800_000 + heat)  # of no episode
                losses[name] += (from_scratch(task, psis[name], rows, held, n, settings, generator)[1],)
            best = min(psis, key=order)
            report(f"race, {n} steps: best is {best}, loss {losses[best][-1]:.4g} on held-out rows")
    return [Start(name, psis[name], losses[name]) for name in sorted(psis, key=order)]


def outer_rate(start: Psi, otherwise: float = 1.0) -> float:
    """The rate of Adam on psi at which a step moves a control point by at most about 3 % of the deviation of all, or of
    ``otherwise`` where psi is a constant; of the hidden function's points, or without one of the input activations'."""
    return 0.03 * (float(start.get("hidden", start.get("input")).std()) or otherwise)


def check_names(name: str, value, known: tuple[str, ...], least: int = 1) -> None:
    """ValueError if a parameter is no tuple of at least so many known names."""
    if not isinstance(value, tuple | list) or not set(value) <= set(known) or len(value) < least:
        raise ValueError(f"{name} must be a tuple of names of {known}, got {value!r}")


def openings(starts: tuple[str, ...], restarts: int, raced: list[Start]) -> list[str | Start]:
    """What each restart begins from: the starts in turn, where "best" is the best of a race, then the next, and so on.

    Example:
        >>> first, second = Start("a", {}, ()), Start("b", {}, ())
        >>> [getattr(start, "name", start) for start in openings(("best", "relu"), 3, [first, second])]
        ['a', 'relu', 'b']
    """
    names, best = [starts[i % len(starts)] for i in range(restarts)], iter(raced)
    return [next(best, "zeros") if name == "best" else name for name in names]


def learn_from(start: str | Start, task: Task, settings: Settings, *, seed: int, report: Report = silent) -> Learned:
    """Algorithm 1 from a start by its name in the settings, or from one of a race."""
    if isinstance(start, str):
        return learn([task], replace(settings, init=start), seed=seed, report=report)
    return learn([task], settings, seed=seed, state=at(start.psi, task.network, settings), report=report)
