"""The figures of the method page. Each draws and returns a figure, for :func:`.figures.display.show`."""

import inspect
from collections.abc import Callable, Sequence

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from lib import splines

from .plots import panels


class Source:
    """The lines of a function, to quote from; a quotation that the code has moved on from fails.

    >>> def halve(x):
    ...     # what it does
    ...     return x / 2  # a half
    >>> Source(halve).lines("return")
    '```python\\n   return x / 2\\n   ```'
    """

    def __init__(self, function: Callable):
        self.text = inspect.getsource(function).splitlines()

    def lines(self, *parts: str, more: Sequence[str] = ()) -> str:
        """The one line that has each part in it, and more below, as code in a numbered list."""
        found = []
        for part in parts:
            here = [text.strip().split("  #")[0] for text in self.text if part in text]
            if len(here) != 1:
                raise ValueError(f"one line with {part!r} must be there, found {here}")
            found += here
        code = [*found, *([""] if more else []), *more]
        return "\n   ".join(["```python", *code, "```"])

    def between(self, first: str, last: str) -> list[str]:
        """The lines from the one before `first` to the last before another, without their common indentation."""
        begin = next(i for i, text in enumerate(self.text) if first in text)
        end = next(i for i, text in enumerate(self.text) if last in text and i > begin)
        return inspect.cleandoc("\n".join(self.text[begin - 1 : end])).splitlines()

    def rest(self, first: str) -> str:
        """What begins with a line, to the end of the function."""
        begin = next(i for i, text in enumerate(self.text) if text.strip().startswith(first))
        return inspect.cleandoc("\n".join(self.text[begin:]))


def outer_gradient(narrow: bool = False) -> Figure:
    """A schematic: theta_0 to theta_n in a row, psi above, and the way back through the last t steps."""
    figure, ax = plt.subplots(figsize=(3.7, 2.6) if narrow else (7, 3.0))
    small, large, head = (9, 10.5, 8) if narrow else (10, 13.5, 12)
    ax.set(xlim=(-0.5, 9.7), ylim=(-1.8 if narrow else -1.35, 2.6))
    ax.set_axis_off()
    names = (r"\theta_0", r"\theta_1", r"\cdots", r"\theta_{n_{tr}-t}", r"\cdots", r"\theta_{n_{tr}}")
    for i, name in enumerate(names):
        ax.text(1.5 * i, 0, f"${name}$", ha="center", va="center", fontsize=large)
    ax.text(9.2, 0, r"$\mathcal{L}_V$", ha="center", va="center", fontsize=large)
    ax.text(5.2, 2.2, r"$\psi$", ha="center", va="center", fontsize=large, color="C1")

    def arrow(start, end, colour, **style):
        properties = {"arrowstyle": "-|>", "color": colour, "mutation_scale": head, "linewidth": head / 8} | style
        ax.annotate("", end, start, arrowprops=properties)

    line = plt.rcParams["axes.edgecolor"]
    steps = [(0.35, 1.15), (1.85, 2.6), (3.4, 3.8), (5.2, 5.6), (6.4, 7.0)]
    for start, end in [*steps, (8.05, 8.8)]:
        arrow((start, 0), (end, 0), line)
    for start, end in steps[3:]:
        middle = (start + end) / 2
        arrow((middle, 0.18), (5.2 + 0.12 * np.sign(middle - 5.2), 1.95), "C1", linestyle="--")
    arrow((9.1, 0.3), (5.5, 2.2), "C1", linestyle="--", connectionstyle="arc3,rad=0.22")
    arrow((9.1, -0.3), (7.6, -0.35), "C1", linestyle="--", connectionstyle="arc3,rad=-0.3")
    arrow((7.4, -0.35), (6.1, -0.3), "C1", linestyle="--", connectionstyle="arc3,rad=-0.3")
    arrow((5.9, -0.3), (4.7, -0.35), "C1", linestyle="--", connectionstyle="arc3,rad=-0.3")
    ax.text(8.1, 1.85, "direct", color="C1", fontsize=small)
    for start, end, words, colour in (
        (0.0, 4.2, "$n_{tr} - t$ steps\nwithout autograd" if narrow else "$n_{tr} - t$ steps without autograd", "C0"),
        (4.6, 7.5, "last $t$ steps,\nunrolled" if narrow else "last $t$ steps, unrolled", "C1"),
    ):
        ax.plot([start, end], [-0.85, -0.85], color=colour, linewidth=2.5, solid_capstyle="butt")
        ax.text((start + end) / 2, -1.0, words, ha="center", va="top", fontsize=small, color=colour)
    return figure


def interpolations(values: np.ndarray, target, counts: Sequence[int], narrow: bool = False) -> Figure:
    """Left: three interpolations of the same values. Right: a function of z with few and many control points.

    Args:
        values: (n,), at points in [-0.8, 0.8]. target: the function. counts: three numbers of control points.
    """
    figure, (left, right) = panels(2, narrow, (3.6, 6.4), (7, 3.2))
    z = torch.linspace(-1, 1, 1601, dtype=torch.float64)
    psi = torch.as_tensor(values, dtype=torch.float64)
    for method, colour, line in (("nearest", "C3", ":"), ("linear", "C0", "-"), ("cubic", "C1", "--")):
        g = splines.interpolate(z, psi, -0.8, 0.8, method)
        left.plot(z, g, color=colour, linestyle=line, label=method)
    left.plot(splines.grid(len(psi), -0.8, 0.8), psi, "o", color="C0", markersize=5, label="control points")
    left.set(title="between the control points", xlabel="$z$", ylabel="$g(z)$")
    left.margins(y=0.15)
    left.yaxis.set_major_locator(MaxNLocator(5))  # ticks that go by the height would keep the layout from settling
    for count, colour, line in zip(counts, ("C3", "C1", "C0"), (":", "--", "-"), strict=True):
        g = splines.interpolate(z, target(splines.grid(count, -1, 1)), -1, 1)
        right.plot(z, g, color=colour, linestyle=line, linewidth=1.5, label=f"$n_c$ = {count}")
    right.set(title="more points hold steeper functions", xlabel="$z$", xlim=(-1, 1))
    for ax in (left, right):
        ax.grid()
        ax.legend(fontsize=8.5, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=4 if ax is right else 2)
    return figure


def truncation(steps: Sequence[int], cosines: dict[float, np.ndarray], narrow: bool = False) -> Figure:
    """Cosine between the outer gradient through the last t steps and the whole, a panel per learning rate.

    Args:
        steps: t of each column. cosines: per learning rate, (episodes, len(steps)).
    """
    figure, axes = panels(len(cosines), narrow, (3.6, 2.6 * len(cosines)), (7, 2.9), sharey=True)
    places = range(len(steps))
    for ax, (rate, values) in zip(axes, cosines.items(), strict=True):
        for episode in values:
            ax.plot(places, episode, color="C0", linewidth=1.5, alpha=0.7)
        ax.plot(places, values.mean(axis=0), "o-", color="C1", linewidth=3)
        ax.set_xticks(places, [str(t) for t in steps])
        ax.set(title=f"inner learning rate {rate:g}", xlabel="$t$, unrolled inner steps")
        ax.grid()
    for ax in axes if narrow else axes[:1]:
        ax.set_ylabel("cosine to the gradient\nthrough all steps")
    return figure


def paths(models: Sequence[tuple[str, np.ndarray, float]], narrow: bool = False) -> Figure:
    """A model's output along one path, the straight line that is subtracted, and what is left (Figure 30).

    Args:
        models: (title, outputs along the path (points,), total variation of this path) of each model.
    """
    figure, axes = panels(len(models), narrow, (3.6, 2.7 * len(models)), (7, 3.0), sharey=True)
    for ax, (title, outputs, variation), colour in zip(axes, models, ("C0", "C2"), strict=True):
        t = np.linspace(0, 1, len(outputs))
        straight = np.linspace(outputs[0], outputs[-1], len(outputs))
        ax.fill_between(t, straight, outputs, color=colour, alpha=0.2, linewidth=0, label="deviation")
        ax.plot(t, outputs, color=colour, label="output $f$")
        ax.plot(t, straight, color="C1", linestyle="--", linewidth=1.3, label="straight line")
        ax.plot([0, 1], [outputs[0], outputs[-1]], "o", color="C1", markersize=6)
        ax.set(title=f"{title}: TV of this path {variation:.2f}", xlabel=r"position $\lambda$ on the path")
        ax.grid()
        ax.legend(fontsize=8.5, loc="best")
    for ax in axes if narrow else axes[:1]:
        ax.set_ylabel("output (scaled class id)")
    return figure


def measures(
    alphas: Sequence[float], variation: Sequence[float], frequency: Sequence[float], narrow: bool = False
) -> Figure:
    """Total variation against the Fourier measure, one marker per model, shaded by the slope of its tanh."""
    figure, ax = plt.subplots(figsize=(3.7 if narrow else 5.5, 3.2))
    edge = plt.rcParams["axes.labelcolor"]
    look = {"cmap": "viridis", "s": 45, "linewidths": 0.7, "edgecolors": edge}
    dots = ax.scatter(variation, frequency, c=np.log2(alphas), **look)
    bar = figure.colorbar(dots, ax=ax, label=r"$\alpha$ in $\tanh(\alpha z)$", ticks=[-3, -1, 1, 3])
    bar.set_ticklabels(["1/8", "1/2", "2", "8"])
    ax.set(xscale="log", xlabel="total variation (output units)", ylabel="mean frequency\n(cycles per path)")
    ax.xaxis.set_major_locator(LogLocator(subs=(1,)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.grid()
    return figure


def growth(stages: dict[int, np.ndarray], low: float, high: float, narrow: bool = False) -> Figure:
    """psi from zeros, after several numbers of episodes."""
    figure, ax = plt.subplots(figsize=(3.7 if narrow else 5.5, 3.0))
    looks = zip(("C3", "C0", "C2"), (":", "--", "-"), strict=True)
    for (episodes, values), (colour, line) in zip(stages.items(), looks, strict=True):
        grid = splines.grid(len(values), low, high)
        ax.plot(grid, values, color=colour, linestyle=line, label=f"{episodes} episodes")
    ax.set(xlabel="pre-activation $z$", ylabel="$g(z)$")
    ax.grid()
    ax.legend(fontsize=9)
    return figure
