"""The paper's 18 claims: what it says, how our records decide, and the verdict.

The rule of each verdict is stated with the claim and was written before the full-scale runs were read. A verdict is
"reproduced", "in part", "not reproduced" or "not yet run".
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from lib import figures, splines
from lib.curves import activation_distance
from lib.intervals import spearman
from lib.reading import Collected

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
    zeros = summary[summary.arm == "learned from zeros"]
    better = [row.gain - row.gain_half_width > 0 for row in summary.dropna().itertuples()]
    means = summary.pivot(index="data", columns="arm", values="mean")
    best = list(means["learned from zeros"] >= means["learned from ReLU"])
    assert len(zeros)
    return Finding(_gains(summary), verdict(better + best))


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
    learned = runs[runs.arm == "learned from zeros"].steps_to_95
    if learned.isna().any() or learned.empty:
        return Finding(f"learned: {int(learned.notna().sum())} of {len(learned)} seeds reach 95 %", "not reproduced")
    relu = runs[runs.arm == "ReLU"].steps_to_95
    bounded = relu.isna().any()
    ratio = float(relu.fillna(runs.steps.max()).median() / learned.median())
    ours = (
        f"ratio of median steps {'at least ' if bounded else ''}{ratio:.1f}: learned {learned.median():,.0f}, "
        f"ReLU {'not by ' + format(int(runs.steps.max()), ',') if bounded else format(relu.median(), ',.0f')} "
        f"({int(relu.notna().sum())} of {len(relu)} seeds reach 95 %)"
    )
    return Finding(ours, "reproduced" if ratio >= 5 else "in part" if ratio >= 2 else "not reproduced")


def learned_overfits_later(read: Read) -> Finding:
    """C16."""
    results = read("grokking")
    if results.missing:
        return NOT_RUN
    runs = steps_table(results)
    falls = runs.assign(fall=runs.test_accuracy_max - runs.test_accuracy_last)
    learned, relu = (falls[falls.arm == arm] for arm in ("learned from zeros", "ReLU"))
    stays = (relu.fall <= 0.02) | (relu.test_accuracy_max < 0.05)
    ours = (
        f"test accuracy falls by up to {100 * learned.fall.max():.0f} points from its highest with learned activations "
        f"({int((learned.fall > 0.05).sum())} of {len(learned)} runs by more than 5), "
        f"by up to {100 * relu.fall.max():.1f} with ReLU"
    )
    return Finding(ours, verdict([(learned.fall > 0.05).any(), bool(stays.all())]))


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
    Claim("C10", "shortcuts", "ReLU relies on MNIST only; accuracy on the CIFAR tile is at chance.", "10 %", "ReLU's CIFAR accuracy within 2 points of 10 %."),
    Claim("C11", "shortcuts", "An activation learned for either tile steers accuracy toward it.", "Figure 9", "Each learned activation raises its tile's accuracy above ReLU's, with 95 % confidence."),
    Claim("C12", "shortcuts", "CIFAR stays below a model trained on plain CIFAR; without early stopping the model ends on the simple tile.", "Figure 9", "Both, with 95 % confidence."),
    Claim(
        "C13", "grokking", "On a+b mod 27 the learned activation reaches 95 % test accuracy about 10 times sooner than ReLU.",
        "about 10×",
        "Ratio of the median steps at least 5: reproduced; at least 2: in part.",
        faster_on_addition,
    ),
    Claim("C14", "grokking", "Sooner across fractions of training data and widths.", "Figure 13", "Sooner than ReLU at every fraction and width where both reach 95 %."),
    Claim("C15", "grokking", "The learned functions are sine-like; their frequency depends on the modulus.", "Figure 12", "More than half of the power in one spectral peak; its frequency differs between moduli."),
    Claim(
        "C16", "grokking", "Some learned-activation models overfit later; ReLU models never generalise, or grok and stay.",
        "Figures 11, 28",
        "Some learned run falls by more than 5 points from its highest test accuracy, and no ReLU run that generalises falls by more than 2.",
        learned_overfits_later,
    ),
    Claim("C17", "transfer", "Learned activations transfer across algorithmic tasks; one for all tasks is best.", "19.9 (ReLU), 54.0 (own), 61.5 % (all)", "Mean scores in this order."),
    Claim("C18", "transfer", "Image regression: an activation helps its own dataset most; one learned on all helps slightly.", "Table 4: +0.4 ± 1.5 (all)", "Each column's best is its own activation; all datasets at once not below ReLU."),
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
