# ruff: noqa: E501 (a claim is easier to read on one line)
"""The paper's 18 claims: what it says, its number, and the rule by which our records decide.

The rule of each verdict is stated with the claim; WHEN says which of them were written when. A verdict is "reproduced", "in part",
"not reproduced" or "not yet run".
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lib import findings_grokking, findings_images, findings_shortcuts, findings_tabular, findings_transfer
from lib.findings import NOT_RUN, Finding, Read


@dataclass(frozen=True)
class Claim:
    """One claim.

    Args:
        name: C1 ... C18. section, heading: the notebook and the part of it that have the evidence.
        statement: what the paper says. paper: its number or figure. rule: when it counts as reproduced or in part.
        decide: from the sections' records to a Finding.
    """

    name: str
    section: str
    heading: str
    statement: str
    paper: str
    rule: str
    decide: Callable[[Read], Finding]

    @property
    def address(self) -> str:
        """Where the evidence is, from a page of the folder "book"."""
        anchor = re.sub(r"[^\w -]", "", self.heading.lower()).replace(" ", "-")
        return f"../notebooks/{self.section}.ipynb#{anchor}"



CLAIMS = (
    Claim(
        "C1", "images", "Accuracy", "Classification: all activations do about equally well; from a ReLU the learned function resembles a GELU.",
        "Figures 2a, 3a (no numbers)",
        "With one hidden layer and the tuned optimiser, every mean difference to ReLU within 1 point, and the function learned from ReLU within a distance of 0.15 of GELU and closer to it than to ReLU, on every dataset.",
        findings_images.classification_is_equal,
    ),
    Claim(
        "C2", "regression", "Accuracy", "Regression: learned activations beat ReLU on every dataset; from zeros is best.",
        "Figure 2b; Fashion-MNIST 53.1 → 57.2 % (Table 1)",
        "With one hidden layer and the tuned optimiser, every paired difference to ReLU has its interval above 0, and zeros are at least as good as the ReLU start, on every dataset.",
        findings_images.regression_gains,
    ),
    Claim(
        "C3", "regression", "Accuracy against complexity", "Accuracy goes with total variation for regression, not for classification.",
        "Figures 4, 18 (no numbers)",
        "Rank correlation over the runs, on each dataset: for regression above 0 with its interval, and above that of classification; for classification below 0.3 in size. (The two conditions on regression count as one; for a while they were counted apart.)",
        findings_images.complexity_goes_with_regression,
    ),
    Claim("C4", "regression", "Accuracy against complexity", "SVHN: different accuracy at equal total variation.", "Figure 18", "At equal total variation the arms differ with 95 % confidence.", findings_images.different_accuracy_at_equal_complexity),
    Claim("C5", "tabular", "Which model type is best?", "ReLU MLPs are usually below trees; tuned tanh and learned activations close the gap; input activations are best.", "Figures 5, 20", "On average over the tables: trees above ReLU; the best learned arm (by validation) above ReLU with its interval; and its gap to trees at most half of ReLU's. (Made stricter when two tables had been seen: before, the gap had to be not above 0 with its interval, which few tables always give.)", findings_tabular.gap_to_trees),
    Claim("C6", "tabular", "Accuracy and complexity", "The best accuracy sits at a different total variation for each dataset.", "Figures 6, 22 to 24", "The total variation of the best model, relative to ReLU's, differs between datasets by more than a factor of 2. (A weak rule, as the finding says: it was not changed after the records were read.)", findings_tabular.another_complexity_for_each_table),
    Claim("C7", "tabular", "What the functions look like", "Learned activations give sharp, axis-aligned decision boundaries.", "Figure 7c (said of input activations above all)", "Larger share of axis-aligned gradient than with ReLU, with 95 % confidence. (The share was measured without smoothing before, which let any sharp step count as axis-aligned.)", findings_tabular.boundaries_along_the_axes),
    Claim("C8", "tabular", "What the functions look like", "Ambient complexity in weight space is higher for better models.", "Figure 7b", "The order of the arms by ambient complexity is their order by accuracy.", findings_tabular.ambient_complexity),
    Claim("C9", "tabular", "Depth and width", "Learned activations transfer across widths and often need fewer layers.", "Figures 8, 21", "Above ReLU at every width tried; best depth at most ReLU's on most datasets. (Of the best learned arm by validation, in means over seeds with two hidden layers, whatever their intervals. That the accuracy varies with the width as ReLU's does, which the paper says too, is not tested.)", findings_tabular.other_widths_and_depths),
    Claim("C10", "shortcuts", "Training in the plane of the two accuracies (Figures 9, 25 and 26)", "ReLU relies on MNIST only; accuracy on the CIFAR tile is at chance.", "10 %", "ReLU's CIFAR accuracy at the last step within 2 points of 10 %, with and without spectral normalisation. (The rules of C10 to C12 were written after trials with one seed had been seen.)", findings_shortcuts.relu_takes_the_shortcut),
    Claim("C11", "shortcuts", "How far the second tile can be reached, with early stopping and without", "An activation learned for either tile steers accuracy toward it.", "Figure 9", "On MNIST / CIFAR-10, each learned activation raises its tile's accuracy above ReLU's (early stopping for the tile), with 95 % confidence, with and without spectral normalisation.", findings_shortcuts.activations_steer),
    Claim("C12", "shortcuts", "How far the second tile can be reached, with early stopping and without", "CIFAR stays below a model trained on plain CIFAR; without early stopping the model ends on the simple tile.", "Figure 9", "Both, for the activation learned for CIFAR, with 95 % confidence.", findings_shortcuts.ends_on_the_simple_tile),
    Claim(
        "C13", "grokking", "Training curves", "On a+b mod 27 the learned activation reaches 95 % test accuracy about 10 times sooner than ReLU.",
        "about 10×",
        "Ratio of the median steps at least 5: reproduced; at least 2: in part.",
        findings_grokking.faster_on_addition,
    ),
    Claim("C14", "grokking", "Other widths, less training data", "Sooner across fractions of training data and widths.", "Figure 13", "Median step to 95 % test accuracy earlier than ReLU's (never counts as later) at every width and fraction where one of them gets there. (Reworded before the sweep ran: as ReLU does not reach 95 % in the main runs, “where both reach it” would have left nothing to compare.)", findings_grokking.sooner_in_every_setting),
    Claim("C15", "grokking", "Other moduli", "The learned functions are sine-like; their frequency depends on the modulus.", "Figure 12", "More than half of the power in one spectral peak for every modulus, below the highest frequency that the control points allow; and the frequency differs between moduli by more than 10 % and by more than between restarts on one modulus. (Made stricter after the records were read: before, a zigzag from one control point to the next counted as a sine, and restarts were not compared.)", findings_grokking.frequency_depends_on_the_modulus),
    Claim(
        "C16", "grokking", "Later overfitting", "Some learned-activation models overfit later; ReLU models never generalise, or grok and stay.",
        "Figures 11, 28",
        "Some learned run, of any restart and in any setting, falls by more than 5 points from its highest test accuracy since it fitted the training pairs (95 %), and no ReLU run by more than 2. (“Of any restart” was added with the first records: the runs of the selected one fall by less than 5 points. Falls were counted from step 0 on for a while, which took what an untrained ReLU network gets right by chance, 9 of 34 test pairs, for generalisation.)",
        findings_grokking.learned_overfits_later,
    ),
    Claim("C17", "transfer", "Across algorithmic tasks", "Learned activations transfer across algorithmic tasks; one for all tasks is best.", "19.9 (ReLU), 54.0 (mean over the task-specific columns), 61.5 % (all)", "Mean scores: the activation for all tasks above the mean of the task-specific columns, and that above ReLU.", findings_transfer.transfer_across_tasks),
    Claim("C18", "transfer", "Across image datasets", "Image regression: an activation helps its own dataset most; one learned on all helps slightly.", "Table 4: +0.4 ± 1.5 (all)", "Each column's best is its own activation; all datasets at once not below ReLU.", findings_transfer.transfer_across_images),
)  # fmt: skip

# From the history of the rules: first committed on 24 November 2026, before the first full-scale records of any section.
WHEN = (
    "Of the 18 rules, 8 are as they were before the full-scale results of their section were read (C3, C4, C6, C8, C9, C13, C17, C18; C3 was counted otherwise for a while); 2 were narrowed "
    "afterwards to the runs that count (C1, C2); 5 were changed after some results had been seen (C5, C7, C14, C15, C16); and 3 were written after trials with one seed (C10, C11, C12)."
)


def for_section(section: str) -> list[Claim]:
    """The claims whose evidence is in this notebook."""
    return [claim for claim in CLAIMS if claim.section == section]


def block(claim: Claim, finding: Finding, title: str, *more: str) -> str:
    """A claim as markdown that also a narrow page can show: title, statement, the paper's number, ours, more points."""
    ours = NOT_RUN.verdict if finding == NOT_RUN else finding.ours.rstrip(".")
    parts = re.split(r"(?<=[^ ])\. (?=[A-Z])", ours)  # a long finding is a list of sentences
    said = f" {ours}." if len(parts) == 1 else "".join(f"\n  - {part}." for part in parts)
    points = [f"**The paper's number**: {claim.paper.rstrip('.')}.", f"**Ours**:{said}", *more]
    return "\n\n".join([title, f"*{claim.statement}*", "\n".join(f"- {point}" for point in points)])


def section(name: str, read: Read) -> str:
    """The claims whose evidence is in this notebook, as the notebook shows them: with a link to the rule of each."""
    blocks = []
    for claim in for_section(name):
        finding = claim.decide(read)
        rule = f"**Rule**: [as stated for {claim.name}](#claim-{claim.name.lower()})."
        blocks.append(block(claim, finding, f"**{claim.name}: {finding.label}**", rule))
    return "\n\n".join([*blocks, "All claims and their rules are on the [claims page](../book/claims.ipynb)."])


def settled(read: Read) -> dict[str, Finding]:
    """The finding on each claim."""
    return {claim.name: claim.decide(read) for claim in CLAIMS}


def counts(findings: Iterable[Finding]) -> dict[str, int]:
    """How many claims have which verdict."""
    verdicts = [finding.verdict for finding in findings]
    order = ("reproduced", "in part", "not reproduced", "not yet run")
    return {name: verdicts.count(name) for name in order}
