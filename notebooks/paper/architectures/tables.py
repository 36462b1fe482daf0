"""What the records say of the two studies, by the rule of ``rule.toml``."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..figures import words as page_words
from ..figures.looks import plus_minus
from ..records.frames import Collected
from ..records.intervals import interval, paired_interval
from .plan import ARMS, HAND, LEARNED, PLANS, RELU, Study


@dataclass(frozen=True, eq=False)
class Result:
    """The runs of a study.

    finals: final runs, indexed by seed, by arm. trials, learnings: the other records.
    """

    name: str
    study: Study
    finals: dict[str, pd.DataFrame]
    trials: pd.DataFrame
    learnings: pd.DataFrame

    @property
    def timed(self) -> bool:
        """Whether the steps to 95 % are compared: with pairs, if any run gets there. Otherwise it is the accuracy."""
        return self.study.pairs and any(self.arrived(arm) for arm in self.finals)

    def measured(self, arm: str) -> pd.Series:
        """Per seed the steps to 95 % test accuracy, or the last step; or else the test accuracy in %."""
        runs = self.finals[arm]
        if self.timed:
            return runs.test_steps_to_95.astype(float).fillna(float(self.study.steps))
        return 100 * runs.test_accuracy

    def arrived(self, arm: str) -> int:
        """How many runs get to 95 % test accuracy."""
        return int(self.finals[arm].test_steps_to_95.notna().sum())

    def over(self, arm: str, other: str) -> tuple[float, float]:
        """An arm over another, paired by seed, with the half width of the 95 % interval: points, or the logarithm (base
        2) of how many times sooner."""
        one, than = self.measured(arm), self.measured(other)
        return paired_interval(np.log2(than), np.log2(one)) if self.timed else paired_interval(one, than)

    def verdict(self, other: str) -> str:
        """Whether the learned function is "better" than another arm, "worse", "not told apart" or "undecided"."""
        if self.study.pairs and not self.arrived(LEARNED) and not self.arrived(other):
            return "undecided"
        mean, half = self.over(LEARNED, other)
        return "better" if mean - half > 0 else "worse" if mean + half < 0 else "not told apart"

    def shown(self, arm: str) -> str:
        """An arm's final runs in words."""
        values, runs = self.measured(arm), self.finals[arm]
        if not self.study.pairs:
            return f"{plus_minus(*interval(values), scale=1)} %"
        n = self.arrived(arm)
        if not n:
            return f"never in {self.study.steps:,} (then at {100 * runs.test_accuracy.mean():.0f} %)"
        part = "" if n == len(values) else f" ({n} of {len(values)} runs)"
        return f"{self.finals[arm].test_steps_to_95.median():,.0f}{part}"

    def difference(self, other: str) -> str:
        """The learned function over another arm, in words: times sooner, or points."""
        mean, half = self.over(LEARNED, other)
        if not self.timed:
            return f"{mean:+.1f} ± {half:.1f} points"
        low, middle, high = (2**value for value in (mean - half, mean, mean + half))
        return f"{self.bound(LEARNED, other)}×{middle:.2g} [{low:.2g}, {high:.2g}]"

    def bound(self, arm: str, other: str) -> str:
        """What a ratio of steps is, where some runs of one of the two do not get to 95 %."""
        late = [self.timed and self.arrived(name) < len(self.finals[name]) for name in (arm, other)]
        return {(False, True): "at least ", (True, False): "at most "}.get(tuple(late), "")


def collect(results: Collected, profile: str) -> dict[str, Result]:
    """The studies whose final runs are all there."""
    runs, learns, found = results.frame("train-module"), results.frame("learn-module"), {}
    for name, study in PLANS[profile].items():
        own = runs[runs["subject.data"] == study.subject.data] if len(runs) else runs
        finals = own[own.role == "final"].groupby("arm") if len(own) else {}
        by_arm = {arm: part.set_index("seed").sort_index() for arm, part in finals}
        if all(len(by_arm.get(arm, ())) == len(study.seeds) for arm in ARMS):
            learned = learns[learns["subject.data"] == study.subject.data].sort_values("seed")
            found[name] = Result(name, study, by_arm, own[own.role == "trial"], learned)
    return found


def comparison(found: dict[str, Result]) -> pd.DataFrame:
    """A row per study and arm: its final runs, and what the learned function is against it."""
    rows = []
    for result in found.values():
        for arm in ARMS:
            over = "—" if arm == LEARNED else f"{result.difference(arm)}, {result.verdict(arm)}"
            rows.append((result.name, arm, result.shown(arm), over))
    return pd.DataFrame(rows, columns=["study", "function", "result", "learned over it"])


def details(found: dict[str, Result]) -> pd.DataFrame:
    """A row per study and arm: its rate, the rates tried, accuracies at the step that counts."""
    rows = []
    for result in found.values():
        for arm, runs in ((arm, result.finals[arm]) for arm in ARMS):
            tried = sorted(set(result.trials[result.trials.arm == arm]["optimiser.lr"]))
            ends = [f"{100 * runs[f'{part}_accuracy'].mean():.1f}" for part in ("train", "test")]
            tried = ", ".join(f"{rate:g}" for rate in tried)
            rows.append((result.name, arm, f"{runs['optimiser.lr'].iloc[0]:g}", tried, *ends))
    return pd.DataFrame(rows, columns=["study", "function", "rate", "tried", "train", "test"])


def differences(found: dict[str, Result]) -> pd.DataFrame:
    """Each arm over ReLU: columns study, pairs, timed, arm, value, low, high, bound (see :meth:`Result.bound`).

    Values are points, or the logarithm (base 2) of how many times sooner.
    """
    rows = []
    for name, result in found.items():
        for arm in ARMS[1:]:
            mean, half = result.over(arm, RELU)
            rows.append(
                (name, result.study.pairs, result.timed, arm, mean, mean - half, mean + half, result.bound(arm, RELU))
            )
    return pd.DataFrame(rows, columns=["study", "pairs", "timed", "arm", "value", "low", "high", "bound"])


def restarts(found: dict[str, Result]) -> pd.DataFrame:
    """A row per restart: its start, the episode that was kept, and its function and the one by hand in validation."""
    rows = []
    for result in found.values():
        chosen = {arm: result.finals[arm].learned.iloc[0] for arm in (LEARNED, HAND)}
        for row in result.learnings.itertuples():
            merit = {arm: _merit(result, arm, row.key) for arm in (LEARNED, HAND)}
            marks = {arm: "**" if row.key == chosen[arm] else "" for arm in merit}
            shown = {f"{arm}, validation": f"{marks[arm]}{100 * value:.1f}{marks[arm]}" for arm, value in merit.items()}
            kept = f"{row.best_episode} of {row.episodes}"
            rows.append({"study": result.name, "restart": row.seed, "start": row.start, "kept episode": kept} | shown)
    return pd.DataFrame(rows)


def gains_of_learning(found: dict[str, Result]) -> tuple[int, int]:
    """How many learned functions are better in validation than the best one by hand of the same race; of how many."""
    pairs = [
        [_merit(result, arm, key) for arm in (LEARNED, HAND)]
        for result in found.values() for key in result.learnings.key
    ]  # fmt: skip
    return sum(learned > hand for learned, hand in pairs), len(pairs)


def _merit(result: Result, arm: str, key: str) -> float:
    """The mean merit of a function's trials, at ReLU's rate."""
    rate = result.learnings["optimiser.lr"].iloc[0]
    runs = result.trials
    runs = runs[(runs.arm == arm) & (runs.learned == key) & (runs["optimiser.lr"] == rate)]
    if result.study.pairs:
        return float(np.mean([record.arrays["validation_accuracy"].mean() for record in runs.record]))
    return float(runs.validation_accuracy.mean())


def hours(results: Collected) -> float:
    """Core-hours of all records."""
    return sum(record.provenance["duration_s"] for record in results.records) / 3600


def hours_of(result: Result, steps: int) -> float:
    """Core-hours that the final runs of a study would take with so many steps, by those that were made."""
    runs = pd.concat(result.finals.values())
    seconds = sum(record.provenance["duration_s"] for record in runs.record)
    return seconds / runs.steps.sum() * steps * len(runs) / 3600


def answer(found: dict[str, Result]) -> str:
    """The answer to the page's question, in words."""
    words = page_words.words("architectures")
    verdicts = {pairs: [r.verdict(RELU) for r in found.values() if r.study.pairs == pairs] for pairs in (True, False)}
    headlines = []
    if verdicts[True]:
        kind = {"better": "pairs-better", "undecided": "pairs-undecided"}.get(verdicts[True][0], "pairs-not")
        headlines.append(words.fill(kind))
    if verdicts[False]:
        better = verdicts[False].count("better")
        headlines.append(
            words.fill("images-better", of=len(verdicts[False]), n=better) if better else words.fill("images-not")
        )
    lines = [f"**{' '.join(headlines)}**"]
    for result in found.values():
        arms = {arm.split()[-1].lower(): result.shown(arm) for arm in ARMS}
        against = {f"over_{arm.split()[-1].lower()}": result.difference(arm) for arm in (RELU, HAND)}
        about = {"name": result.name, "rule": result.verdict(RELU), "rule_hand": result.verdict(HAND)}
        lines.append(words.fill("line-pairs" if result.study.pairs else "line-images", **about, **arms, **against))
    return "\n\n".join(lines)


def limits(found: dict[str, Result]) -> list[str]:
    """What ended at a limit, in words: final runs at their cap, learnings whose last episodes were the best, rates."""
    said = []
    for name, result in found.items():
        if result.study.patience:
            runs = pd.concat(result.finals.values())
            if capped := int((runs.stopped == "cap").sum()):
                said.append(f"on {name} {capped} of {len(runs)} final runs ended at their cap")
        for arm, runs in result.finals.items():
            tried = result.trials[result.trials.arm == arm]["optimiser.lr"]
            if (rate := runs["optimiser.lr"].iloc[0]) in (tried.min(), tried.max()):
                said.append(f"on {name} the rate of {arm}, {rate:g}, is at the edge of those tried")
    return said
