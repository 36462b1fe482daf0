"""What the records say of the learner that picks its start, task by task; see :mod:`.learner` and ``learner.toml``."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ..experiments.race import GROUPS
from ..figures.looks import plus_minus
from ..figures.plots import signed
from ..records.frames import Collected
from ..records.intervals import interval, paired_by_seed
from .collages import PLANS as COLLAGES
from .collages import TILE
from .learner import (
    CHOICE,
    FAMILIES,
    HAND,
    LEARNED,
    LONGER,
    MORE,
    PLANS,
    RANDOM,
    RANKS,
    RELU,
    SEARCHED,
    STARTS,
    Setting,
    margins,
)
from .plan import DEFAULT
from .variants import ARMS

SEARCHES = (LEARNED, HAND, RANDOM)
HIDDEN_ONLY, FEWER = "learner, hidden functions only", "by hand, fewer races"
EARLIER = "Algorithm 1, its section's settings"
EARLIER_RUNS = {  # of a task: the section and the arm of what was learned there, with settings found by trial
    "a+b mod 27, default, rate 1": ("grokking", "learned from zeros"),
    "a+b mod 27, Glorot, rate 13.5": ("conventions", "learned from random"),
    "Fashion-MNIST regression, depth 1": ("ablations", DEFAULT),
}


@dataclass(frozen=True, eq=False)
class TaskResults:
    """The runs of one task.

    steps: whether the measure is the steps to 95 % test accuracy (where a run that never gets there has its horizon),
    or else the test accuracy in %. finals: by arm the measure per seed; where the learner may choose between hidden and
    input activations LEARNED is what it chose, HAND has as many more races; HIDDEN_ONLY and FEWER are without that.
    candidates: one row per function that was tried, with columns search (of SEARCHES), restart, kind ("race", "learn",
    "inputs", "pick" or "ReLU"), merit (on validation rows) and result (median steps, infinite where 95 % is not
    reached, or mean accuracy) over its trials, and inner_steps (all that its restart took until it was there). ends: by
    restart of the learner the same measure over final runs of its function, where there are such.
    """

    name: str
    setting: Setting
    margin: float
    steps: bool
    finals: dict[str, pd.Series]
    candidates: pd.DataFrame
    ends: Mapping[int, float] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The name for readers."""
        return self.name.replace("default", "PyTorch's")

    @property
    def relu(self) -> float:
        """What ReLU's final runs reach."""
        return self.middle(self.finals[RELU])

    @property
    def horizon(self) -> int | None:
        """The last step of ReLU's runs, where the measure is a number of steps."""
        return self.finals[RELU].attrs.get("horizon")

    def middle(self, values: pd.Series) -> float:
        """The median of steps, the mean of accuracies."""
        return float(values.median() if self.steps else values.mean())

    def restarts(self) -> pd.DataFrame:
        """The best of each restart of the learner by validation: of the race, what was learned, ReLU."""
        own = self.candidates[self.candidates.search == LEARNED]
        best = own.loc[own.groupby("restart").merit.idxmax()]
        return best.assign(result=best.restart.map(self.ends).fillna(best.result))

    def successes(self) -> tuple[int, int]:
        """How many restarts are above ReLU minus the margin, and how many there are."""
        results = self.restarts().result
        least = self.relu * self.margin if self.steps else self.relu - self.margin
        good = results <= least if self.steps else results >= least
        return int(good.sum()), len(good)

    def over(self, arm: str) -> tuple[float, float]:
        """The learner over another arm, paired by seed, with the half width of the 95 % interval: points, or for steps
        the logarithm (base 2) of how many times sooner."""
        one, other = self.finals[LEARNED], self.finals[arm]
        return paired_by_seed(np.log2(other), np.log2(one)) if self.steps else paired_by_seed(one, other)

    def holds(self) -> bool | None:
        """Whether the rule holds; None without the search by hand."""
        if HAND not in self.finals:
            return None
        good, of = self.successes()
        gain, half = self.over(HAND)
        return good >= 0.9 * of and gain - half > -(math.log2(self.margin) if self.steps else self.margin)

    def progress(self, search: str) -> pd.DataFrame:
        """After each restart: all inner steps so far, and the result of what is best by validation so far."""
        own = self.candidates[self.candidates.search == search].sort_values(["restart", "inner_steps"])
        spent = own.groupby("restart").inner_steps.max().cumsum()
        best = [own[own.restart <= restart].merit.idxmax() for restart in spent.index]
        return pd.DataFrame({"inner_steps": spent.to_numpy(), "result": own.result[best].to_numpy()})

    def shown(self, arm: str) -> str:
        """An arm's final runs in words."""
        if arm not in self.finals:
            return "—"
        values = self.finals[arm]
        if not self.steps:
            return plus_minus(*interval(values), scale=1)
        reached = values[values < values.attrs["horizon"]]
        if not len(reached):
            return f"never in {values.attrs['horizon']:,}"
        notes = [f"{len(reached)} of {len(values)}"] if len(reached) < len(values) else []
        notes += [f"{values.attrs['lost']} below it at the end"] if values.attrs["lost"] else []
        return f"{reached.median():,.0f}" + (f" ({', '.join(notes)})" if notes else "")

    def row(self) -> dict[str, str]:
        """The row of the table."""
        good, of = self.successes()
        gain = "—"
        if HAND in self.finals:
            mean, half = self.over(HAND)
            low, middle, high = (2**value for value in (mean - half, mean, mean + half))
            gain = f"×{middle:.2f} [{low:.2f}, {high:.2f}]" if self.steps else f"{signed(mean)} ± {half:.1f}"
        arms = {RELU: self.shown(RELU), "by hand": self.shown(HAND), LEARNED: self.shown(LEARNED)}
        rule = {True: "yes", False: "no", None: "—"}[self.holds()]
        about = {"restarts no worse": f"{good} of {of}", "over by hand": gain, "rule": rule}
        return {"task": self.title, **arms, **about}

    def more(self) -> dict[str, str]:
        """The row of the second table: the other arms, and the cost."""
        learner, hand = (self.candidates[self.candidates.search == search] for search in (LEARNED, HAND))
        spent, by_hand = (own.groupby("restart").inner_steps.max().sum() for own in (learner, hand))
        arms = {arm: self.shown(arm) for arm in (EARLIER, RANDOM, STARTS, SEARCHED, *FAMILIES)}
        return {"task": self.title, **arms, "steps, learner": f"{spent:,.0f}", "steps, by hand": f"{by_hand:,.0f}"}


def collect(
    results: Collected,
    profile: str,
    read: Callable[[str], Collected] | None = None,
    longer: bool = False,
    collages: bool = False,
) -> tuple[dict[str, TaskResults], list[str]]:
    """The tasks whose learner has final runs, and the names of the others.

    Args:
        results: of the section "learner", of "longer" or of "collages". read: from a section's name to its records, for
            the runs of EARLIER; they are left out without it.
    """
    found, absent, margin = {}, [], margins()
    settings = (LONGER if longer else PLANS)[profile].settings
    for name, setting in (COLLAGES[profile].settings if collages else settings).items():
        task = of_task(results, name, setting, margin.get(name, 1.25 if setting.task == "one-hot" else 0.5))
        if read and name in EARLIER_RUNS:
            section, arm = EARLIER_RUNS[name]
            runs = read(section).frame(role="final")
            same = (runs.data == setting.data) & (runs["network.initialisation"] == setting.network.initialisation)
            same &= (runs["optimiser.lr"] == setting.optimiser.lr) & (runs.arm == arm)
            if same.any():
                task.finals[EARLIER] = measure(runs[same].set_index("seed").sort_index(), task.steps)
        if LEARNED in task.finals and RELU in task.finals:
            found[name] = task
        else:
            absent.append(name)
    return found, absent


def measure(runs: pd.DataFrame, steps: bool) -> pd.Series:
    """Per run the steps to 95 % test accuracy, its horizon if it never gets there; or the test accuracy in %."""
    if not steps:
        return 100 * runs.test_accuracy
    reached = runs.test_steps_to_95.astype(float).fillna(runs.steps.astype(float))
    reached.attrs["horizon"] = int(runs.steps.max())
    reached.attrs["lost"] = int((runs.test_steps_to_95.notna() & (runs.test_accuracy_last < 0.95)).sum())
    return reached


def typical(runs: pd.DataFrame, steps: bool) -> float:
    """The median of the steps, infinite where 95 % is not reached (whatever the horizon), or the mean accuracy."""
    found = measure(runs, steps)
    return float(found.where(runs.test_steps_to_95.notna(), math.inf).median() if steps else found.mean())


def of_task(results: Collected, name: str, setting: Setting, margin: float) -> TaskResults:
    """The runs of one task, as far as they are there."""
    runs, steps = _runs(results, setting), setting.task == "one-hot"
    finals = {}
    for arm in (RELU, HAND, RANDOM, STARTS, LEARNED, SEARCHED, CHOICE, MORE, RANKS):
        part = runs[(runs.role == "final") & _is_of(runs, arm, name, setting)] if len(runs) else runs
        if len(part) >= (min(5, len(setting.seeds)) if arm == RELU else len(setting.seeds)):  # ReLU: of other sections
            finals[arm] = measure(part.set_index("seed").sort_index(), steps)
    for arm in FAMILIES:
        together = results.frame("together", role="final", arm=f"{arm}: {name}")
        if len(together) == len(setting.seeds):
            finals[arm] = measure(together.set_index("seed").sort_index(), steps)
    candidates, learner = _candidates(results, name, setting), LEARNED
    if CHOICE in finals and MORE in finals:
        learner, finals[HIDDEN_ONLY], finals[FEWER] = CHOICE, finals[LEARNED], finals[HAND]
        finals |= {LEARNED: finals.pop(CHOICE), HAND: finals.pop(MORE)}
    else:  # not all of it is there
        finals = {arm: values for arm, values in finals.items() if arm not in (CHOICE, MORE)}
        candidates = candidates[candidates.kind != "inputs"]
    ends = {}
    for restart in candidates[candidates.search == LEARNED].restart.unique():
        arm = f"{learner}, restart {restart}: {name}"
        if len(own := runs[(runs.role == "restart") & (runs.arm == arm)]):
            ends[int(restart)] = typical(own, steps)
    return TaskResults(name, setting, margin, steps, finals, candidates, ends)


def _is_of(runs: pd.DataFrame, arm: str, name: str, setting: Setting) -> pd.Series:
    if arm != RELU or setting.task == "collage":
        return runs.arm == f"{arm}: {name}"
    same = (runs.data == setting.data) & (runs["optimiser.lr"] == setting.optimiser.lr) & (runs.task == setting.task)
    network = {key: runs[f"network.{key}"] == getattr(setting.network, key) for key in ("depth", "initialisation")}
    return same & runs.arm.str.startswith(RELU) & network["depth"] & network["initialisation"]


def _runs(results: Collected, setting: Setting) -> pd.DataFrame:
    """The trainings; on collages accuracies are those on the tile that V names, where V stops."""
    if setting.task != "collage":
        return results.frame()
    of_tile = {f"by_{TILE}_{TILE}": "test_accuracy", f"by_{TILE}_validation": "validation_accuracy"}
    return results.frame("train_collage").rename(columns=of_tile)


def _candidates(results: Collected, name: str, setting: Setting) -> pd.DataFrame:
    like, steps = "_collage" * (setting.task == "collage"), setting.task == "one-hot"
    races, learns, picks, searches = (results.frame(kind) for kind in (f"race{like}", f"learn{like}", "pick", "search"))
    trials, rows, relu = _runs(results, setting), [], ()
    trials = trials[trials.role == "trial"] if len(trials) else trials
    of = {
        key: row
        for frame in (races, learns, picks, searches)
        if len(frame)
        for key, row in frame.set_index("key").iterrows()
    }
    trials = trials[trials.arm == f"one of several: {name}"] if len(trials) else trials
    for key, runs in trials.groupby("learned", sort=False) if len(trials) else ():
        if steps:
            curves = [record.arrays["validation_accuracy"] for record in runs.record]
            merit = np.mean([0.0 if bad else curve.mean() for curve, bad in zip(curves, runs.diverged, strict=True)])
            result = float(np.median(runs.test_steps_to_95.astype(float).fillna(math.inf)))
        else:
            merit, result = runs.validation_accuracy.mean(), float(100 * runs.test_accuracy.mean())
        if not key:
            relu = (merit, result)
            continue
        source = of[key]
        if source.kind == "search":  # its cost is that of its plan
            continue
        kind = "inputs" if source.arm == f"{LEARNED}, inputs: {name}" else source.kind.removesuffix(like)
        spent = source.inner_steps if kind in ("learn", "inputs") else 0
        if kind == "inputs":  # after what was learned from the race's best
            hidden = learns[(learns.arm == f"{LEARNED}: {name}") & (learns.seed == source.seed)].iloc[0]
            spent, source = spent + hidden.inner_steps, hidden
        race = of[{"learn": source.get("start"), "pick": source.get("race")}.get(source.kind.removesuffix(like), key)]
        search = {GROUPS[0]: HAND, GROUPS[1]: RANDOM}.get(source.get("group"), LEARNED)
        rows.append((search, race.seed, kind, merit, result, race.inner_steps + spent))
    if relu:
        rows += [(*row[:2], "ReLU", *relu, row[5]) for row in rows if row[0] == LEARNED and row[2] == "race"]
    return pd.DataFrame(rows, columns=["search", "restart", "kind", "merit", "result", "inner_steps"])


def counted(tasks: dict[str, TaskResults]) -> tuple[int, int]:
    """How many restarts of all tasks are above ReLU minus the margin, and how many there are."""
    good, of = zip(*(task.successes() for task in tasks.values()), strict=True)
    return sum(good), sum(of)


def rule() -> dict[str, float]:
    """The margins of the rule: the least and the largest in points, and the factor of steps."""
    points = [margin for margin in margins().values() if margin < 1]
    return {"low": min(points), "high": max(points), "factor": max(margins().values())}


def table(tasks: dict[str, TaskResults]) -> pd.DataFrame:
    """A row per task."""
    return pd.DataFrame([task.row() for task in tasks.values()])


def trained_together(tasks: dict[str, TaskResults]) -> dict[str, str]:
    """How functions that are trained with the weights stand to the learner where both have accuracies, by family."""
    found = {}
    for arm, family in FAMILIES.items():
        over = {task.title: task.over(arm) for task in tasks.values() if not task.steps and arm in task.finals}
        if said := "; ".join(f"{name}: {signed(-mean)} ± {half:.1f}" for name, (mean, half) in over.items()):
            found[family] = said
    return found


def more(tasks: dict[str, TaskResults]) -> pd.DataFrame:
    """The other arms and the cost, a row per task."""
    return pd.DataFrame([task.more() for task in tasks.values()])


def choices(tasks: dict[str, TaskResults]) -> pd.DataFrame:
    """Where the learner may choose between hidden and input activations: what that brings, and what it chose."""
    rows = []
    for task in tasks.values():
        if HIDDEN_ONLY in task.finals:
            kinds = task.restarts().kind
            chosen = f"{(kinds == 'inputs').sum()} of {len(kinds)}"
            arms = {arm: task.shown(arm) for arm in (RELU, FEWER, HIDDEN_ONLY)} | {CHOICE: task.shown(LEARNED)}
            rows.append({"task": task.title, **arms, "chose inputs": chosen, RANKS: task.shown(RANKS)})
    return pd.DataFrame(rows)


def gains_of_learning(tasks: dict[str, TaskResults]) -> pd.DataFrame:
    """What Algorithm 1 added to each start, in validation: columns task, restart, better (whether it is higher)."""
    rows = []
    for name, task in tasks.items():
        own = task.candidates[(task.candidates.search == LEARNED) & task.candidates.kind.isin(["race", "learn"])]
        merit = own.pivot(index="restart", columns="kind", values="merit").dropna()
        rows += [(name, restart, bool(row["learn"] > row["race"])) for restart, row in merit.iterrows()]
    return pd.DataFrame(rows, columns=["task", "restart", "better"])


def of_variants(results: Collected, tasks: dict[str, TaskResults]) -> pd.DataFrame:
    """Of each task and arm of :mod:`.variants`: how many restarts are above tuned ReLU, and the median of all.

    Args:
        tasks: from :func:`collect`, with ReLU's runs and the margins.
    """
    runs, rows = results.frame(role="trial"), []
    for name, task in tasks.items():
        for arm in ARMS:
            own = runs[runs.arm == f"{arm}: {name}"] if len(runs) else runs
            if own.empty:
                continue
            found = pd.Series([typical(part, task.steps) for _, part in own.groupby("learned")])
            good = found <= task.relu * task.margin if task.steps else found >= task.relu - task.margin
            middle = task.middle(found)
            words = f"{middle:.1f} %" if not task.steps else f"{middle:,.0f}" if middle < math.inf else "not reached"
            rows.append((name, arm, f"{int(good.sum())} of {len(found)}", words))
    return pd.DataFrame(rows, columns=["task", "arm", "restarts no worse", "median: steps to 95 %, or accuracy"])
