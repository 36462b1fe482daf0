"""What the estimators for classes and for numbers share; see :mod:`lib.estimators`."""

import math
import time
from dataclasses import dataclass, replace
from functools import partial
from numbers import Real

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from .arms import MODULES, Arm, Run, Trainer, module, paired
from .columns import SCALINGS, Columns, frame_of
from .episodes import ordinary_torch
from .learner import STARTS, at, check_names, learn_from, openings
from .metalearning import Learned, Task
from .modules import default_settings, race_of, range_of
from .networks import Activation, Network, Params
from .splines import coverage
from .training import Optimiser

SELECTION_SEEDS = 3  # trainings per arm that the choice between arms is made with
NUMBERS = {  # what may stand instead of the number, the rule, and what the number must be above
    "low": ("auto", "'auto' or a number", -math.inf),
    "high": ("auto", "'auto' or a number", -math.inf),
    "learning_rate": ("tune", "'tune' or positive", 0),
    "time_limit": (None, "None or seconds", -1e-9),
}
COUNTS = ("restarts", "episodes", "episode_steps", "steps", "batch_size", "learning_width", "points")


@dataclass(kw_only=True, eq=False, repr=False)
class LearnedActivation(BaseEstimator):
    """What both estimators share; see :class:`LearnedActivationClassifier`."""

    where: str = "hidden"
    starts: tuple[str, ...] = ("best",)
    restarts: int = 4
    points: int = 50
    low: float | str = "auto"
    high: float | str = "auto"
    hidden_sizes: tuple[int, ...] = (128,)
    learning_width: int = 32
    scaling: str | None = "quantile"
    baselines: tuple[str, ...] = ("relu", "tanh")
    fallback: bool = True
    episodes: int = 60
    episode_steps: int = 150
    steps: int = 3000
    learning_rate: float | str = "tune"
    batch_size: int = 256
    val_fraction: float = 0.2
    n_jobs: int | None = None
    time_limit: float | None = None
    random_state: int | np.random.RandomState | None = None
    verbosity: int = 0

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.categorical = True
        return tags

    def __getstate__(self):
        left = ("_trainer", "_runs")  # they hold training rows
        return {name: value for name, value in super().__getstate__().items() if name not in left}

    def fit(self, X, y, X_val=None, y_val=None):
        """Tune the baselines, learn the function, choose on validation rows.

        Args:
            X: a DataFrame with numbers, booleans, categories, texts and gaps, or an array, (n, d). y: (n,).
            X_val, y_val: validation rows; without them, val_fraction of the rows are set aside.

        Raises:
            ValueError: for data or parameters that break a rule; the message has the column or parameter and the value.
        """
        self._check_parameters()
        self._started, self._seed = time.monotonic(), int(check_random_state(self.random_state).randint(2**31 - 1))
        frame = frame_of(self, X, reset=True)
        y = self._targets(y, len(frame))
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val must be given together, got one of them")
        if X_val is None:
            if len(y) < 8:
                raise ValueError(f"X must have at least 8 rows to learn and to validate on, got n_samples={len(y)}")
            held = self._held_out(y)
            parts = (frame[~held], y[~held]), (frame[held], y[held])
        else:
            other = frame_of(self, X_val, reset=False)
            parts = (frame, y), (other, self._encoded(y_val, len(other)))
        self._columns = Columns(parts[0][0], self.scaling)
        self.problems_ = list(self._columns.problems)
        data = [(self._columns.inputs(rows), self._tensor(targets)) for rows, targets in parts]
        rows, steps, batch = self._repeated(parts[0][1]), int(self.steps), int(self.batch_size)
        self._trainer = Trainer(*data, self._loss, self._score, steps, batch, self._seed, rows)
        with ordinary_torch(torch.device("cpu")):
            self._tune_baselines()
            self._learn_functions()
        return self

    def _tune_baselines(self):
        baselines = list(dict.fromkeys(("relu", *self.baselines)))
        self._done, self._planned = 0, len(baselines) * (4 + SELECTION_SEEDS) + self.restarts * (1 + SELECTION_SEEDS)
        self._planned += SELECTION_SEEDS * ("best" in self.starts)
        self._arms = {name: (self._network(Activation(name)), {}) for name in baselines}
        self.learning_rate_, self._runs = {}, {}
        for name, arm in self._arms.items():
            rate, tuned = self.learning_rate, []
            if rate == "tune":
                rate, run = self._trainer.tune(arm, lambda tried, name=name: self._tell(f"{name}, {tried}"), self._late)
                tuned = [run]
            self.learning_rate_[name] = rate = float(rate)
            self._runs[name] = tuned + self._repeat(name, arm, rate, SELECTION_SEEDS - len(tuned))
        self.baseline_scores_ = {name: _mean(runs) for name, runs in self._runs.items()}

    def _learn_functions(self):
        self._range = self._hidden_range(self._runs["relu"][0].params)
        rate, best, self.restarts_ = self.learning_rate_["relu"], None, []
        self.learning_rate_["learned"] = rate
        for start, learned in self._learn_all(rate):
            arm = self._spline_network(), learned.psi
            runs = self._repeat(f"from {start}", arm, rate, SELECTION_SEEDS)
            self.restarts_.append({"start": start, "score": _mean(runs), "problems": learned.problems})
            if best is None or _mean(runs, "rank") > _mean(best[2], "rank"):
                best = learned, arm, runs
        learned, self._arms["learned"], self._runs["learned"] = best
        self.history_ = learned.history
        about = {"learned_on": f"a table of {len(self._trainer.train[0])} rows"} | self._columns.about()
        scales = about.pop("scales")
        self.activation_, self.input_activations_ = None, {}
        if "hidden" in learned.psi:
            self.activation_ = learned.functions["hidden"].module(learned.psi["hidden"], info=about)
        if "input" in learned.psi:
            for (name, scale), values in zip(scales.items(), learned.psi["input"], strict=False):
                info = about | {"column": name, "scales": {name: scale}}  # what lib.columns.columns_for needs
                self.input_activations_[name] = learned.functions["input"].module(values, info=info)
        baseline = max(self.baseline_scores_, key=self.baseline_scores_.get)
        self.gain_ = _mean(self._runs["learned"]) - self.baseline_scores_[baseline]
        self.chosen_ = baseline if self.fallback and not self.gain_ > 0 else "learned"
        self._params = _best(self._runs[self.chosen_]).params
        self._judge(learned, baseline)

    def _judge(self, learned: Learned, baseline: str):
        """Fill coverage_ and problems_."""
        self.coverage_, (x, _) = {}, self._trainer.validation
        for outside in coverage(module(self._arms["learned"], _best(self._runs["learned"]).params), x).values():
            if outside.ndim:
                self.coverage_["input"] = dict(zip(self.input_activations_, outside.tolist(), strict=False))
            else:
                self.coverage_["hidden"] = max(float(outside), self.coverage_.get("hidden", 0.0))
        found, size = self.problems_, float(self._trainer.train[0].abs().max())
        if (share := self.coverage_.get("hidden", 0)) > 0.05:
            low, high = self._range
            found.append(f"{share:.0%} of the pre-activations are outside the range [{low:g}, {high:g}]: widen it")
        for name, share in self.coverage_.get("input", {}).items():
            if share > 0.05:
                found.append(f"{share:.0%} of column {name!r} are outside the range of its function: scale it")
        if self.scaling is None and size > 10:
            found.append(f"inputs are not scaled, and as large as {size:.3g}: try scaling='quantile'")
        for name, runs in self._runs.items():
            if not any(run.finished for run in runs):
                found.append(f"{name} was still improving after {self.steps} steps: give more")
        if all(restart["problems"] for restart in self.restarts_):
            found += learned.problems
        made = sum(not restart["start"].endswith("as it is") for restart in self.restarts_)
        if made < self.restarts:
            found.append(f"time_limit={self.time_limit:g}: {made} of {self.restarts} restarts were made")
        if self.gain_ <= 0:
            found.append(f"keep {baseline}: the learned function is not better on validation rows ({self.gain_:+.3g})")

    def _check_parameters(self):
        if self.where not in ("hidden", "input", "both"):
            raise ValueError(f"where must be 'hidden', 'input' or 'both', got {self.where!r}")
        if self.scaling not in SCALINGS:
            raise ValueError(f"scaling must be one of {SCALINGS}, got {self.scaling!r}")
        sizes = list(self.hidden_sizes) if isinstance(self.hidden_sizes, tuple | list) else []
        if not 1 <= len(sizes) <= 4 or not all(map(_counts, sizes)) or len(set(sizes)) > 1:
            raise ValueError(f"hidden_sizes must be 1 to 4 equal sizes, such as (128, 128), got {self.hidden_sizes!r}")
        for name in COUNTS:
            if not _counts(getattr(self, name)):
                raise ValueError(f"{name} must be an integer of at least 1, got {getattr(self, name)!r}")
        if not isinstance(self.val_fraction, Real) or not 0 < self.val_fraction < 1:
            raise ValueError(f"val_fraction must be between 0 and 1, got {self.val_fraction!r}")
        for name, (word, rule, least) in NUMBERS.items():
            value = getattr(self, name)
            said = isinstance(value, str | None) and value == word
            if not said and not (isinstance(value, Real) and least < value < math.inf):
                raise ValueError(f"{name} must be {rule}, got {value!r}")
        check_names("starts", self.starts, STARTS)
        check_names("baselines", self.baselines, tuple(MODULES), least=0)

    def _network(self, activation: Activation, inputs: Activation | None = None, width: int = 0) -> Network:
        sizes = {"width": width or int(self.hidden_sizes[0]), "depth": len(self.hidden_sizes)}
        columns = self._trainer.train[0].shape[1]
        return Network(columns, self._outputs, **sizes, activation=activation, input_activation=inputs)

    def _spline_network(self, width: int = 0) -> Network:
        spline = Activation("spline", points=int(self.points), low=self._range[0], high=self._range[1])
        low, high = self._columns.range
        inputs = None if self.where == "hidden" else replace(spline, low=low, high=high)
        return self._network(Activation() if self.where == "input" else spline, inputs, int(width))

    def _hidden_range(self, params: Params) -> tuple[float, float]:
        """low and high, where they are "auto" from the pre-activations of a trained ReLU network."""
        z, seen = self._trainer.train[0][:5000], []
        with torch.no_grad():
            for part in module(self._arms["relu"], params):
                seen += [z.flatten()] if isinstance(part, nn.ReLU) else []
                z = part(z)
        found = zip(range_of(torch.cat(seen)), (self.low, self.high), strict=True)
        return tuple(auto if given == "auto" else float(given) for auto, given in found)

    def _learn_all(self, rate: float):
        """Yield the best start as it is, then the start of each restart and what it learned, until the time is up.

        A race is as long as the training that suits ReLU.
        """
        task = Task(self._spline_network(self.learning_width), *self._trainer.train, self._loss)
        about = {"episodes": self.episodes, "n_tr_start": self.episode_steps, "n_tr_max": max(1000, self.episode_steps)}
        settings = partial(default_settings, Optimiser("adam", rate), batch=int(self.batch_size), **about)
        seeds, raced = np.random.SeedSequence(self._seed).generate_state(self.restarts), []
        if "best" in self.starts:  # at full width: what trains a narrow network may not train a wide one
            wide = Task(self._spline_network(), *self._trainer.train, self._loss)
            steps = max(self.episode_steps, *(run.step for run in self._runs["relu"]))
            raced = race_of(wide, settings(), steps, self._seed, lambda message: self._tell(message, 0))
        if raced:
            yield f"{raced[0].name}, as it is", at(raced[0].psi, task.network, settings()).best
        starts = openings(self.starts, self.restarts, raced)

        def one(i):
            return learn_from(starts[i], task, settings(starts[i]), seed=int(seeds[i]))

        made = Parallel(n_jobs=self.n_jobs, return_as="generator")(delayed(one)(i) for i in range(self.restarts))
        for i, learned in enumerate(made):
            self._tell(f"restart {i + 1} of {self.restarts}: best episode {learned.best_episode}")
            yield getattr(starts[i], "name", starts[i]), learned
            if self._late():
                break

    def _repeat(self, name: str, arm: Arm, rate: float, count: int) -> list[Run]:
        runs = [self._trainer.run(arm, rate, SELECTION_SEEDS - 1 - i) for i in range(count)]
        self._tell(f"{name}, rate {rate:g}, {count} seeds: {_mean(runs):.4f} on validation rows", count)
        return runs

    def _late(self) -> bool:
        return self.time_limit is not None and time.monotonic() - self._started > self.time_limit

    def _tell(self, message: str, units: int = 1):
        self._done += units
        if self.verbosity:
            passed = time.monotonic() - self._started
            left = passed / self._done * max(0, self._planned - self._done)
            print(f"{message} [{passed:.0f} s, about {left:.0f} s left]", flush=True)

    def inputs(self, X) -> Tensor:
        """The table as the network's inputs, (n, d) float32: scaled numbers, categories, gaps."""
        check_is_fitted(self)
        return self._columns.inputs(frame_of(self, X, reset=False))

    def to_torch(self) -> nn.Sequential:
        """The network that predicts, as a module of its own; it takes what :meth:`inputs` returns."""
        check_is_fitted(self)
        return module(self._arms[self.chosen_], self._params)

    def _predict(self, X) -> Tensor:
        """Outputs in float64, where a row's do not depend on how many rows there are."""
        x, model = self.inputs(X).double(), self.to_torch().double()
        with torch.no_grad():
            return model(x)

    def compare(self, X_test, y_test, seeds: int = 5) -> pd.DataFrame:
        """Train every arm anew with other seeds, and score it on rows that no choice was made with.

        Returns:
            per arm ("relu", other baselines, "learned") the mean score and its gain over ReLU, paired by seed, with the
            half widths of their 95 % intervals over seeds; see :func:`lib.arms.paired`.

        Raises:
            ValueError: after unpickling, as training rows are not pickled; or for fewer than 2 seeds.
        """
        check_is_fitted(self)
        if not hasattr(self, "_trainer"):
            raise ValueError("compare trains anew, and training rows are not pickled: call it where fit was called")
        if seeds < 2:
            raise ValueError(f"seeds must be at least 2, got {seeds}")
        x = self.inputs(X_test)
        y = self._tensor(self._encoded(y_test, len(x)))
        scores = {name: [] for name in self._arms}
        for name, (network, psi) in self._arms.items():
            for seed in range(100, 100 + seeds):
                params = self._trainer.run((network, psi), self.learning_rate_[name], seed).params
                scores[name].append(self._score(network.predict(params, psi, x), y))
        return paired(scores, "relu")

    def plot(self, ax=None):
        """Draw the learned function beside ReLU, or the functions of the columns; returns the axes."""
        from matplotlib import pyplot as plt

        check_is_fitted(self)
        ax = plt.subplots(figsize=(4.4, 3.2), layout="constrained")[1] if ax is None else ax
        if self.activation_ is not None:
            self.activation_.plot(ax=ax)
        for name, g in self.input_activations_.items():
            g.plot(ax=ax, label=name)
        if len(self.input_activations_) <= 10:
            ax.legend(fontsize=8)
        return ax


def _counts(value) -> bool:
    """Whether it is an integer of at least 1."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= 1


def _mean(runs: list[Run], what: str = "score") -> float:
    return float(np.mean([getattr(run, what) for run in runs]))


def _best(runs: list[Run]) -> Run:
    return max(runs, key=lambda run: run.rank)
