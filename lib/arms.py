"""Train and compare networks with different activations: the rate of each tuned, early stopping on validation rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy import special
from torch import Tensor, nn

from .episodes import Report
from .networks import Data, Network, Params, Psi, loss_and_delta
from .training import Optimiser, take, train

RATES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)  # of Adam; further ones are tried where the best is at an end
MODULES = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh}
Arm = tuple[Network, Psi]


@dataclass(frozen=True)
class Run:
    """A trained network: weights at its best step, its score on validation rows there, its rank (the score, less a bit
    for the loss, which decides between equals), that step, and whether it had stopped improving before the last."""

    params: Params
    score: float
    rank: float
    step: int
    finished: bool


@dataclass(frozen=True, eq=False)
class Trainer:
    """How each arm of a comparison is trained.

    Args:
        train, validation: inputs (n, d) and targets; see :func:`lib.networks.loss_and_delta`.
        loss: its name. score: from outputs and targets to a number of which more is better.
        steps: most steps; 12 evaluations without a better score end a run.
        batch: rows per step. seed: of the comparison.
        rows: rows to train on, repeated where they count more; None for each once.
    """

    train: Data
    validation: Data
    loss: str
    score: Callable[[Tensor, Tensor], float]
    steps: int
    batch: int
    seed: int
    rows: Tensor | None = None

    def run(self, arm: Arm, rate: float, seed: int) -> Run:
        """Train one network from scratch with Adam."""
        (network, psi), (x, y), every = arm, self.validation, max(10, min(50, self.steps // 20))

        def monitor(params):
            outputs = network.predict(params, psi, x)
            loss, score = float(loss_and_delta(outputs, y, self.loss)[0]), self.score(outputs, y)
            return {"score": score, "rank": score - 1e-4 * min(loss, 100.0)}

        data = take(self.train, self.rows)
        generator = torch.Generator().manual_seed(self.seed + 1_000_003 * seed)
        done = train(
            network, psi, data, loss=self.loss, optimiser=Optimiser("adam", rate), batch=self.batch,
            evaluate_at=range(0, self.steps + every, every), monitor=monitor, best="rank", patience=12,
            generator=generator,
        )  # fmt: skip
        score, rank = max(zip(done.history["score"], done.history["rank"], strict=True), key=lambda pair: pair[1])
        return Run(done.params, score, rank, done.best_step, done.stopped)

    def tune(self, arm: Arm, report: Report, late: Callable[[], bool]) -> tuple[float, Run]:
        """The rate that is best on validation rows and its run; at an end of the rates further ones are tried.

        Args:
            report: called with a line per rate. late: whether to stop with the rates that have been tried.
        """
        found: dict[float, Run] = {}
        rates = list(RATES)
        while rates and not (found and late()):
            rate = rates.pop(0)
            found[rate] = self.run(arm, rate, 0)
            report(f"rate {rate:g}: {found[rate].score:.4f} on validation rows")
            best = max(found, key=lambda rate: found[rate].rank)
            if not rates and best in (min(found), max(found)) and 1e-5 < best < 1:
                rates = [best / 3 if best == min(found) else best * 3]
        return best, found[best]


def module(arm: Arm, params: Params) -> nn.Sequential:
    """A trained network as a module of its own, for inputs (n, d)."""
    network, psi = arm
    parts: list[nn.Module] = [network.input_activation.module(psi["input"])] if "input" in psi else []
    for layer in range(network.depth + 1):
        linear = nn.utils.skip_init(nn.Linear, *reversed(params[2 * layer].shape))  # draws no random numbers
        linear.load_state_dict({"weight": params[2 * layer], "bias": params[2 * layer + 1]})
        parts.append(linear)
        if layer < network.depth:
            g = network.activation
            parts.append(g.module(psi["hidden"]) if g.name == "spline" else MODULES[g.name]())
    return nn.Sequential(*parts)


def paired(scores: dict[str, Sequence[float]], reference: str) -> pd.DataFrame:
    """Means with the half widths of their 95 % intervals over seeds, and gains over a reference, paired by seed.

    Args:
        scores: per arm one number per seed, at least 2.

    Example:
        >>> paired({"relu": [0.1, 0.2], "learned": [0.3, 0.4]}, "relu").round(2)
                 score  half_width  gain  gain_half_width
        relu      0.15        0.64   0.0              0.0
        learned   0.35        0.64   0.2              0.0
    """
    rows = {}
    for name, own in scores.items():
        own, difference = np.asarray(own), np.subtract(own, scores[reference])
        t = special.stdtrit(len(own) - 1, 0.975) / np.sqrt(len(own))
        rows[name] = [own.mean(), t * own.std(ddof=1), difference.mean(), t * difference.std(ddof=1)]
    return pd.DataFrame.from_dict(rows, "index", columns=["score", "half_width", "gain", "gain_half_width"])
