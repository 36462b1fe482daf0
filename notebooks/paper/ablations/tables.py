"""What the records of the ablations say, as tables (Appendix D)."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..figures.looks import plus_minus
from ..figures.plots import signed
from ..records.frames import Collected
from ..records.intervals import interval, paired_interval
from .plan import ARMS, DEFAULT, FEWER

AVERAGE = "average over restarts"
PAPER = {
    "ReLU": "53.1 ± 0.4", DEFAULT: "57.2 ± 0.5", "nearest-neighbour interpolation": "55.1 ± 0.9",
    "cubic interpolation": "57.3 ± 0.7", "training loss (naive)": "56.7 ± 0.3", "test loss (cheating)": "56.9 ± 0.5",
    AVERAGE: "56.6 ± 0.7",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Compared:
    """Final runs per arm, and the default that has as many restarts as the other arms.

    accuracies: arm -> test accuracy (fraction) by seed; the default also as the average over restarts and as `equal`.
    equal: name of the default with the best of `few` restarts; "" if it is not there.
    restarts: test accuracy of each restart of the default over seeds, with `validation` of its selection run.
    """

    accuracies: dict[str, pd.Series]
    equal: str
    few: int
    restarts: pd.DataFrame

    def summary(self) -> pd.DataFrame:
        """Columns arm, paper, mean, half_width (fractions), gain, gain_half_width to the equal default (points)."""
        rows = []
        for arm, own in self.accuracies.items():
            other = self.accuracies.get(self.equal)
            gain = (np.nan, np.nan) if other is None or arm == self.equal else paired_interval(own, other)
            rows.append([arm, PAPER.get(arm, "—"), *interval(own), *(100 * np.array(gain))])
        return pd.DataFrame(rows, columns=["arm", "paper", "mean", "half_width", "gain", "gain_half_width"])

    def shown(self) -> pd.DataFrame:
        """The summary with names for readers: those of the default say how many restarts they are of.

        The default is left out where it has no more restarts than the others, as it is the equal one then.
        """
        summary, many = self.summary(), len(self.restarts)
        if self.few == many:
            summary = summary[summary.arm != DEFAULT]
        names = {DEFAULT: f"default, best of {many} restarts", AVERAGE: f"default, average of {many} restarts"}
        return summary.assign(arm=summary.arm.replace(names))

    def table(self) -> pd.DataFrame:
        """The summary as a page shows it."""
        shown = self.shown()
        gains = [
            "—" if np.isnan(row.gain) else f"{signed(row.gain)} ± {row.gain_half_width:.1f}"
            for row in shown.itertuples()
        ]
        ours = [plus_minus(row.mean, row.half_width) for row in shown.itertuples()]
        columns = {"arm": shown.arm, "paper (%)": shown.paper, "ours (%)": ours, "difference (points)": gains}
        return pd.DataFrame(columns)

    def told_apart(self) -> dict[str, str]:
        """The variants that are worse than the default, not told apart from it, and better, by name."""
        groups: dict[str, list[str]] = {"worse": [], "alike": [], "better": []}
        for row in self.summary().dropna().itertuples():
            if row.arm not in ("ReLU", DEFAULT, AVERAGE):
                low, high = row.gain - row.gain_half_width, row.gain + row.gain_half_width
                groups["worse" if high < 0 else "better" if low > 0 else "alike"].append(row.arm)
        return {name: ", ".join(arms) or "none" for name, arms in groups.items()}

    def headline(self) -> list[str]:
        """The words that head the answer: variants against ReLU, and their spread against that of restarts."""
        variants = self.summary().dropna().query("arm not in ('ReLU', @DEFAULT, @AVERAGE)")["mean"]
        above = variants > self.accuracies["ReLU"].mean()
        alike = variants.std() <= 2 * self.restarts.test.std()
        return [
            "most-beat" if 2 * above.sum() > len(variants) else "few-beat",
            "like-restarts" if alike else "more-than-restarts",
        ]


def compare(results: Collected) -> Compared:
    """The arms that have all of their final runs."""
    finals, everything, learning = results.frame(role="final"), results.frame(), results.frame("learn")
    done = [arm for arm in ("ReLU", *ARMS) if len(finals) and (finals.arm == arm).sum() == finals.seed.nunique()]

    def by_seed(runs: pd.DataFrame) -> pd.Series:
        return runs.groupby("seed").test_accuracy.mean().sort_index()

    accuracies = {arm: by_seed(finals[finals.arm == arm]) for arm in done}
    runs = everything[(everything.arm == DEFAULT) & everything.role.isin(["final", "other restart"])]
    seeds = learning[learning.arm == DEFAULT].set_index("key").seed
    chosen = everything[(everything.role == "selection") & everything.learned.isin(seeds.index)].set_index("learned")
    restarts = pd.DataFrame(
        {
            "seed": seeds,
            "validation": chosen.validation_accuracy,
            "test": runs.groupby("learned").test_accuracy.mean(),
        }
    ).dropna()
    few = restarts[restarts.seed < FEWER]
    equal = f"default, best of {len(few)} restarts" if len(few) else ""
    if equal and DEFAULT in accuracies:
        middle = {AVERAGE: by_seed(runs)} if len(restarts) > 1 else {}
        middle[equal] = by_seed(runs[runs.learned == few.validation.idxmax()])
        accuracies = {"ReLU": accuracies.pop("ReLU"), **middle, **accuracies}
    return Compared(accuracies, equal, len(few), restarts)


def interpolated(results: Collected) -> dict[str, Tensor]:
    """The control values (n_c,) that final runs use, by the method of interpolation."""
    finals, records = results.frame(role="final"), {record.key: record for record in results.records}
    arms = [arm for arm in ARMS if arm == DEFAULT or "interpolation" in arm]
    keys = [finals[finals.arm == arm].learned.iloc[0] for arm in arms if (finals.arm == arm).any()]
    return {
        records[key].config["network"]["activation"]["method"]: torch.from_numpy(records[key].arrays["psi_hidden"])
        for key in keys
    }


def likeness(values: dict[str, Tensor]) -> dict[str, float]:
    """Largest correlation of control values with those of the linear spline, up to sign and reflection, by method."""
    linear = values["linear"].numpy()
    return {
        method: max(abs(np.corrcoef(linear, turned)[0, 1]) for turned in (psi.numpy(), psi.numpy()[::-1]))
        for method, psi in values.items()
        if method != "linear"
    }
