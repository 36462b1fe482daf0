# ruff: noqa: E501 (a claim is easier to read on one line)
"""The paper's 18 claims: what it says, how our records decide, and the verdict.

The rule of each verdict is stated with the claim and was written before the full-scale runs were read. A verdict is
"reproduced", "in part", "not reproduced" or "not yet run".
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from lib import figures, figures_shortcuts, figures_transfer, splines
from lib.curves import Frequency, activation_distance, dominant_frequency
from lib.intervals import interval, paired_interval, spearman
from lib.reading import Collected
from lib.sections.shortcuts import LEARNED, RELU
from lib.sections.transfer import ALL, learned_on

Read = Callable[[str], Collected]  # from a section's name to its records


@dataclass(frozen=True)
class Finding:
    """What our records say about a claim: the numbers in words, and the verdict."""

    ours: str
    verdict: str


NOT_RUN = Finding("—", "not yet run")


@dataclass(frozen=True)
class Claim:
    """One claim.

    Args:
        name: C1 ... C18. section: the notebook that has the evidence.
        statement: what the paper says. paper: its number or figure. rule: when it counts as reproduced or in part.
        decide: from the sections' records to a Finding; None while nothing is computed for it.
    """

    name: str
    section: str
    statement: str
    paper: str
    rule: str
    decide: Callable[[Read], Finding] | None = None

    def settle(self, read: Read) -> Finding:
        """The finding; "not yet run" where records are missing."""
        if self.decide is None:
            return NOT_RUN
        return self.decide(read)


def verdict(passed: Iterable[bool]) -> str:
    """All conditions: reproduced; some: in part; none: not reproduced.

    Example:
        >>> verdict([True, False])
        'in part'
    """
    passed = list(passed)
    return "reproduced" if all(passed) else "in part" if any(passed) else "not reproduced"


def tuned(results: Collected) -> pd.DataFrame:
    """The final runs with each dataset's tuned optimiser."""
    finals, tuning = results.frame(role="final"), results.frame(role="tuning")
    best = tuning.loc[tuning.groupby("data").validation_accuracy.idxmax()].set_index("data")
    name = best["optimiser.name"].reindex(finals.data).to_numpy()
    rate = best["optimiser.lr"].reindex(finals.data).to_numpy()
    return finals[(finals["optimiser.name"] == name) & (finals["optimiser.lr"] == rate)]


def _gains(summary: pd.DataFrame) -> str:
    rows = summary.dropna().itertuples()
    return "; ".join(
        f"{figures.name_of(r.data)}, {r.arm}: {figures.plus_minus(r.gain, r.gain_half_width)} points" for r in rows
    )


def classification_is_equal(read: Read) -> Finding:
    """C1."""
    results = read("images")
    if results.missing:
        return NOT_RUN
    runs = tuned(results)
    summary = figures.summary(runs, "test_accuracy", ["data"])
    equal = [abs(row.gain) <= 0.01 for row in summary.dropna().itertuples()]
    records, near = {record.key: record for record in results.records}, []
    for row in runs[runs.arm == "learned from ReLU"].drop_duplicates("learned").itertuples():
        psi = torch.from_numpy(records[row.learned].arrays["psi_hidden"])
        grid, density = splines.grid(len(psi), -5, 5), torch.from_numpy(row.record.arrays["pre_activations"])
        near.append([activation_distance(grid, psi, f, density=density).distance for f in (torch.nn.functional.gelu, torch.relu)])
    distances = ", ".join(f"{gelu:.2f} (ReLU {relu:.2f})" for gelu, relu in near)
    like = [gelu <= 0.15 and gelu < relu for gelu, relu in near]
    return Finding(f"{_gains(summary)}. Distance from GELU: {distances}", verdict(equal + like))


def regression_gains(read: Read) -> Finding:
    """C2."""
    results = read("regression")
    if results.missing:
        return NOT_RUN
    summary = figures.summary(tuned(results), "test_accuracy", ["data"])
    better = [row.gain - row.gain_half_width > 0 for row in summary.dropna().itertuples()]
    means = summary.pivot(index="data", columns="arm", values="mean")
    best = list(means["learned from zeros"] >= means["learned from ReLU"])
    finals = results.frame(role="final")
    plain = figures.summary(finals[finals["optimiser.name"] == "sgd"], "test_accuracy", ["data"])
    ours = f"tuned optimiser: {_gains(summary)}. With plain gradient descent: {_gains(plain)}"
    return Finding(ours, verdict(better + best))


def complexity_goes_with_regression(read: Read) -> Finding:
    """C3."""
    correlations = {}
    for section in ("regression", "images"):
        results = read(section)
        if results.missing:
            return NOT_RUN
        for data, runs in results.frame().groupby("data"):
            correlations[section, data] = spearman(runs.tv, runs.test_accuracy)
    words = "; ".join(
        f"{section}, {figures.name_of(data)}: {c.value:+.2f} [{c.low:+.2f}, {c.high:+.2f}]"
        for (section, data), c in correlations.items()
    )
    higher = [
        c.low > 0 and c.value > correlations["images", data].value
        for (section, data), c in correlations.items()
        if section == "regression"
    ]
    flat = [abs(c.value) < 0.3 for (section, _), c in correlations.items() if section == "images"]
    return Finding(f"rank correlation: {words}", verdict(higher + flat))


def of_collages(read: Read) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Final and upper-bound runs on collages with CIFAR-10 (on the first pair of datasets where it is not there)."""
    results = read("shortcuts")
    if results.missing:
        return None
    final, upper = figures_shortcuts.runs(results, "final"), figures_shortcuts.runs(results, "upper bound")
    pair = next((pair for pair in final.pair if pair[1] == "cifar10"), final.pair.iloc[0])
    return final[final.pair == pair], upper[upper.pair == pair]


def relu_takes_the_shortcut(read: Read) -> Finding:
    """C10."""
    if (runs := of_collages(read)) is None:
        return NOT_RUN
    words, near = [], []
    for spectral, part in runs[0][runs[0].arm == RELU].groupby("spectral"):
        second = interval(part.last_second)
        words.append(
            f"{figures_shortcuts.normalisation(spectral)} {figures.plus_minus(*interval(part.last_first))} % on the first "
            f"tile, {figures.plus_minus(*second)} % on the second"
        )
        near.append(abs(second.mean - 0.1) <= 0.02)
    return Finding("; ".join(words), verdict(near))


def activations_steer(read: Read) -> Finding:
    """C11."""
    if (runs := of_collages(read)) is None:
        return NOT_RUN
    words, better = [], []
    for spectral, part in runs[0].groupby("spectral"):
        for tile, arm in LEARNED.items():
            if (part.arm == arm).any():
                gain = figures_shortcuts.gain(part, arm, f"by_{tile}_{tile}")
                words.append(f"{tile} tile {figures_shortcuts.normalisation(spectral)} {figures.plus_minus(*gain)} points")
                better.append(gain.mean - gain.half_width > 0)
    return Finding("change against ReLU: " + "; ".join(words), verdict(better))


def ends_on_the_simple_tile(read: Read) -> Finding:
    """C12."""
    if (runs := of_collages(read)) is None:
        return NOT_RUN
    words, passed = [], []
    for spectral, part in runs[0][runs[0].arm == LEARNED["second"]].groupby("spectral"):
        part = part.sort_values("seed")
        bound = runs[1][(runs[1].spectral == spectral) & (runs[1].unambiguous == "second")].sort_values("seed")
        below = paired_interval(bound.by_second_second, part.by_second_second)
        ahead = paired_interval(part.last_first, part.last_second)
        words.append(
            f"{figures_shortcuts.normalisation(spectral)} {figures.plus_minus(*below)} points below the bound, and at the last step "
            f"{figures.plus_minus(*ahead)} points more on the first tile than on the second"
        )
        passed += [below.mean - below.half_width > 0, ahead.mean - ahead.half_width > 0]
    return Finding("; ".join(words), verdict(passed))


def steps_table(results: Collected) -> pd.DataFrame:
    """Per task and arm: the seeds' first steps with 95 % test accuracy (NaN if never), and the last step."""
    finals = results.frame(role="final")
    return finals.assign(steps_to_95=pd.to_numeric(finals.test_steps_to_95))


def faster_on_addition(read: Read) -> Finding:
    """C13."""
    results = read("grokking")
    if results.missing:
        return NOT_RUN
    runs = steps_table(results)
    runs = runs[runs.data == "a+b mod 27"] if (runs.data == "a+b mod 27").any() else runs
    last = int(runs.steps.max())
    learned, relu = (runs[runs.arm == arm].steps_to_95 for arm in ("learned from zeros", "ReLU"))
    median, of_relu = (arm.fillna(np.inf).median() if len(arm) else np.inf for arm in (learned, relu))  # never: last
    reached = f"{int(learned.notna().sum())} of {len(learned)} seeds with the learned activation, {int(relu.notna().sum())} of {len(relu)} with ReLU"
    if not np.isfinite(median):
        return Finding(f"95 % within {last:,} steps: {reached}", "not reproduced")
    bounded = not np.isfinite(of_relu)
    ratio = float((last if bounded else of_relu) / median)
    ours = (
        f"ratio of median steps {'at least ' if bounded else ''}{ratio:.1f}: learned {median:,.0f}, "
        f"ReLU {f'not within {last:,}' if bounded else f'{of_relu:,.0f}'} (95 % is reached by {reached})"
    )
    return Finding(ours, "reproduced" if ratio >= 5 else "in part" if ratio >= 2 else "not reproduced")


def frequency_depends_on_the_modulus(read: Read) -> Finding:
    """C15."""
    results = read("grokking")
    if results.missing:
        return NOT_RUN
    runs, records = results.frame(role="final"), {record.key: record for record in results.records}
    runs = runs[(runs.learned != "") & runs.data.str.startswith("a+b mod ")].drop_duplicates("data")
    found = {row.data: learned_frequency(records[row.learned]) for row in runs.itertuples()}
    words = "; ".join(
        f"{data}: {f.frequency:.1f} cycles per unit, {100 * f.sharpness:.0f} % of the power in the peak" for data, f in found.items()
    )
    if len(found) < 2:
        return Finding(f"{words} (one modulus does not settle it)" if words else "—", "not yet run")
    frequencies = [f.frequency for f in found.values()]
    return Finding(words, verdict([*(f.sharpness > 0.5 for f in found.values()), max(frequencies) > 1.1 * min(frequencies)]))


def learned_frequency(record) -> Frequency:
    """Dominant frequency of a learned activation, from its Learn record."""
    psi, activation = torch.from_numpy(record.arrays["psi_hidden"]), record.config["network"]["activation"]
    return dominant_frequency(splines.grid(len(psi), activation["low"], activation["high"]), psi)


def learned_overfits_later(read: Read) -> Finding:
    """C16."""
    results = read("grokking")
    if results.missing:
        return NOT_RUN
    runs = results.frame()  # the restarts that were not selected are learned-activation models too
    falls = runs.assign(fall=runs.test_accuracy_max - runs.test_accuracy_last)
    learned, relu = (falls[falls.arm == arm] for arm in ("learned from zeros", "ReLU"))
    stays = (relu.fall <= 0.02) | (relu.test_accuracy_max < 0.05)
    if not len(learned):
        return Finding("no learned activation: every restart diverged", "not reproduced")
    ours = (
        f"test accuracy falls by up to {100 * learned.fall.max():.0f} points from its highest with learned activations "
        f"({int((learned.fall > 0.05).sum())} of {len(learned)} runs by more than 5, over all {learned.learned.nunique()} restarts; "
        f"{int((learned[learned.role == 'final'].fall > 0.05).sum())} of those of the selected one), "
        f"by up to {100 * relu.fall.max():.1f} with ReLU"
    )
    return Finding(ours, verdict([(learned.fall > 0.05).any(), bool(stays.all())]))


def transfer_across_tasks(read: Read) -> Finding:
    """C17."""
    results = read("transfer")
    if results.missing:
        return NOT_RUN
    means = figures_transfer.column_means(figures_transfer.matrix_scores(results.frame(role="matrix")))
    ours = "; ".join(f"{name} {figures.plus_minus(*mean)} %" for name, mean in means.items())
    if len(means) < 3:
        return Finding(f"{ours}; the learning of the others diverged", "not reproduced")
    relu, specific, every = (means[name].mean for name in ("ReLU", "task-specific", "all tasks"))
    return Finding(ours, verdict([specific > relu, every > specific]))


def transfer_across_images(read: Read) -> Finding:
    """C18."""
    results = read("transfer")
    if results.missing:
        return NOT_RUN
    table = figures_transfer.changes(results.frame(role="final"))
    best = table.loc[table.groupby("data")["mean"].idxmax()].set_index("data").arm
    own = [arm == learned_on(data) for data, arm in best.items()]
    average = figures_transfer.mean_changes(table)
    words = "; ".join(f"{arm}: {figures.plus_minus(*row)} points" for arm, *row in average.itertuples())
    every = bool(ALL in average.index and average["mean"][ALL] >= 0)
    return Finding(f"{sum(own)} of {len(own)} datasets do best with their own; mean change {words}", verdict([*own, every]))


CLAIMS = (
    Claim(
        "C1", "images", "Classification: all activations do about equally well; from a ReLU the learned function resembles a GELU.",
        "Figures 2a, 3a (no numbers)",
        "Every mean difference to ReLU within 1 point, and the function learned from ReLU within a distance of 0.15 of GELU and closer to it than to ReLU, on every dataset.",
        classification_is_equal,
    ),
    Claim(
        "C2", "regression", "Regression: learned activations beat ReLU on every dataset; from zeros is best.",
        "Figure 2b; Fashion-MNIST 53.1 → 57.2 % (Table 1)",
        "Every paired difference to ReLU has its interval above 0, and zeros are at least as good as the ReLU start, on every dataset.",
        regression_gains,
    ),
    Claim(
        "C3", "regression", "Accuracy goes with total variation for regression, not for classification.",
        "Figures 4, 18 (no numbers)",
        "Rank correlation over the runs: for regression above 0 with its interval and above that of classification; for classification below 0.3 in size.",
        complexity_goes_with_regression,
    ),
    Claim("C4", "regression", "SVHN: different accuracy at equal total variation.", "Figure 18", "At equal total variation the arms differ with 95 % confidence."),
    Claim("C5", "tabular", "ReLU MLPs are usually below trees; tuned tanh and learned activations close the gap; input activations are best.", "Figures 5, 20", "On average over the datasets: trees above ReLU, and the gap of the best learned arm not above 0 with its interval."),
    Claim("C6", "tabular", "The best accuracy sits at a different total variation for each dataset.", "Figures 6, 22 to 24", "The total variation of the best model, relative to ReLU's, differs between datasets by more than a factor of 2."),
    Claim("C7", "tabular", "Learned activations give sharp, axis-aligned decision boundaries.", "Figure 7c", "Larger share of axis-aligned gradient than with ReLU, with 95 % confidence."),
    Claim("C8", "tabular", "Ambient complexity in weight space is higher for better models.", "Figure 7b", "The order of the arms by ambient complexity is their order by accuracy."),
    Claim("C9", "tabular", "Learned activations transfer across widths and often need fewer layers.", "Figures 8, 21", "Above ReLU at every width tried; best depth at most ReLU's on most datasets."),
    Claim("C10", "shortcuts", "ReLU relies on MNIST only; accuracy on the CIFAR tile is at chance.", "10 %", "ReLU's CIFAR accuracy at the last step within 2 points of 10 %, with and without spectral normalisation.", relu_takes_the_shortcut),
    Claim("C11", "shortcuts", "An activation learned for either tile steers accuracy toward it.", "Figure 9", "Each learned activation raises its tile's accuracy above ReLU's (early stopping for the tile), with 95 % confidence, with and without spectral normalisation.", activations_steer),
    Claim("C12", "shortcuts", "CIFAR stays below a model trained on plain CIFAR; without early stopping the model ends on the simple tile.", "Figure 9", "Both, for the activation learned for CIFAR, with 95 % confidence.", ends_on_the_simple_tile),
    Claim(
        "C13", "grokking", "On a+b mod 27 the learned activation reaches 95 % test accuracy about 10 times sooner than ReLU.",
        "about 10×",
        "Ratio of the median steps at least 5: reproduced; at least 2: in part.",
        faster_on_addition,
    ),
    Claim("C14", "grokking", "Sooner across fractions of training data and widths.", "Figure 13", "Sooner than ReLU at every fraction and width where both reach 95 %."),
    Claim("C15", "grokking", "The learned functions are sine-like; their frequency depends on the modulus.", "Figure 12", "More than half of the power in one spectral peak for every modulus, and the greatest frequency above the least by more than 10 %.", frequency_depends_on_the_modulus),
    Claim(
        "C16", "grokking", "Some learned-activation models overfit later; ReLU models never generalise, or grok and stay.",
        "Figures 11, 28",
        "Some learned run, of any restart, falls by more than 5 points from its highest test accuracy, and no ReLU run that generalises at all (above 5 %) falls by more than 2.",
        learned_overfits_later,
    ),
    Claim("C17", "transfer", "Learned activations transfer across algorithmic tasks; one for all tasks is best.", "19.9 (ReLU), 54.0 (own), 61.5 % (all)", "Mean scores in this order.", transfer_across_tasks),
    Claim("C18", "transfer", "Image regression: an activation helps its own dataset most; one learned on all helps slightly.", "Table 4: +0.4 ± 1.5 (all)", "Each column's best is its own activation; all datasets at once not below ReLU.", transfer_across_images),
)  # fmt: skip


def for_section(section: str) -> list[Claim]:
    """The claims whose evidence is in this notebook."""
    return [claim for claim in CLAIMS if claim.section == section]


def frame(claims: Iterable[Claim], read: Read, *, rules: bool = True) -> pd.DataFrame:
    """Table of claims: statement, paper's number, ours, verdict, and the rule or the place of the evidence."""
    rows = []
    for claim in claims:
        finding = claim.settle(read)
        place = f"[{claim.section}](../notebooks/{claim.section}.ipynb)"
        rows.append([claim.name, claim.statement, claim.paper, finding.ours, f"**{finding.verdict}**", claim.rule if rules else place])
    last = "rule of the verdict" if rules else "evidence"
    return pd.DataFrame(rows, columns=["", "the paper says", "its number", "ours", "verdict", last])


def counts(read: Read) -> dict[str, int]:
    """How many claims have which verdict."""
    verdicts = [claim.settle(read).verdict for claim in CLAIMS]
    order = ("reproduced", "in part", "not reproduced", "not yet run")
    return {name: int(np.sum([v == name for v in verdicts])) for name in order}
