"""How the records of the algorithmic tasks decide C13, C14 and C16."""

import numpy as np
import pandas as pd

from ..figures.words import words
from ..records.frames import Collected
from ..verdict import NAN, NOT_RUN, Condition, Finding, Read, at_least, judge
from .plan import LEARNED, RELU
from .tables import (
    bound_in_words,
    later_fall,
    median_steps,
    settings_table,
    unfinished,
    with_steps,
)

say = words("grokking", "findings").fill


def faster_on_addition(read: Read) -> Finding:
    """C13."""
    results = read("grokking")
    if unfinished(results):
        return NOT_RUN
    runs = with_steps(results)
    runs = runs[runs.data == "a+b mod 27"] if (runs.data == "a+b mod 27").any() else runs
    last = int(runs.steps.max())
    learned, relu = (runs[runs.arm == arm].steps_to_95 for arm in (LEARNED, RELU))
    median, of_relu = map(median_steps, (learned, relu))
    reached = say("reached", learned=learned.count(), of_learned=len(learned), relu=relu.count(), of_relu=len(relu))
    if not np.isfinite(median):
        return Finding(say("not-reached", last=last, reached=reached), "not reproduced")
    bounded = not np.isfinite(of_relu)
    ratio = float((last if bounded else of_relu) / median)
    ours = say("addition", ratio=bound_in_words(ratio, bounded), learned=median, relu=_steps(of_relu, last),
               reached=reached)  # fmt: skip
    if bounded:
        ours += ". " + say("addition-open", by_width=_by_width(results))
    sooner = at_least("times sooner", "a+b mod 27", ratio, 5.0, high=np.inf if bounded else NAN, unit="times")
    return Finding(ours, "reproduced" if ratio >= 5 else "in part" if ratio >= 2 else "not reproduced", (sooner,))


def _by_width(results: Collected) -> str:
    """How far ReLU gets with other widths, as a part of a sentence; empty until all these runs are there."""
    finals, sweep = (results.frame(role=role, arm=RELU) for role in ("final", "sweep"))
    if sweep.empty or "sweep" in results.lacking:
        return ""
    last, same = int(sweep.steps.max()), finals[(finals.data == sweep.data.iloc[0]) & finals.seed.isin(sweep.seed)]
    if same.empty:
        return ""
    runs = pd.concat([same, sweep[sweep.validation == same.validation.iloc[0]]])
    reached = [float(np.interp(last, record.arrays["step"], record.arrays["test_accuracy"])) for record in runs.record]
    means = runs.assign(reached=reached).groupby("network.width").reached.mean()
    means = ", ".join(f"{100 * mean:.0f} % at width {width}" for width, mean in means.items())
    return say("by-width", last=last, means=means)


def _steps(median: float, last: int) -> str:
    return f"{median:,.0f}" if np.isfinite(median) else f"not within {last:,}"


def sooner_in_every_setting(read: Read) -> Finding:
    """C14."""
    results = read("grokking")
    table = settings_table(results)
    if table.empty or "sweep" in results.lacking:
        return NOT_RUN
    settled = table[np.isfinite(table[[RELU, LEARNED]]).any(axis=1)]
    medians = "; ".join(
        say("setting", width=row.width, pairs=100 * row.pairs, learned=_steps(row[LEARNED], int(row["last"])),
            relu=_steps(row[RELU], int(row["last"])))
        for _, row in table.iterrows()
    )  # fmt: skip
    sooner = [
        Condition(
            "sooner", f"width {row['width']:.0f}, {100 * row['pairs']:.0f} % of the pairs",
            min(row[RELU], row["last"]) / row[LEARNED], NAN, NAN if np.isfinite(row[RELU]) else np.inf,
            1.0, bool(row[LEARNED] < row[RELU]), "times",
        )
        for _, row in settled.iterrows()
    ]  # fmt: skip
    ours = say("settings", sooner=sum(one.holds for one in sooner), settled=len(sooner),
               neither=len(table) - len(sooner), all=len(table), medians=medians)  # fmt: skip
    return judge(ours, sooner)


def learned_overfits_later(read: Read) -> Finding:
    """C16."""
    results = read("grokking")
    if unfinished(results):
        return NOT_RUN
    runs = results.frame()
    runs = runs.assign(fall=[later_fall(record) for record in runs.record])
    main = runs[runs.role.isin(["final", "selection"]) & (runs.data == results.frame(role="final").data.iloc[0])]
    others = runs.drop(main.index)
    if not (runs.arm == LEARNED).any():
        return Finding(say("diverged"), "not reproduced")
    learned, relu = (main[main.arm == arm] for arm in (LEARNED, RELU))
    task = main.data.iloc[0]
    ours = [
        say("falls", task=task, learned=f"{100 * learned.fall.max():.0f}", fallen=(learned.fall > 0.05).sum(),
            runs=len(learned), restarts=learned.learned.nunique(), relu=f"{100 * relu.fall.max():.1f}")
    ]  # fmt: skip
    if len(others):
        worst = {arm: part.loc[part.fall.idxmax()] for arm, part in others.groupby("arm")}
        falls = (
            say("fall", fall=100 * row.fall, arm="ReLU" if arm == RELU else "learned ones", data=row.data,
                pairs=100 * 0.8 * (1 - row.validation), width=row["network.width"])
            for arm, row in worst.items()
        )  # fmt: skip
        ours.append(say("other-falls", falls=" and ".join(falls)))
    own = runs[(runs.arm == RELU) & (runs.data == task)]
    own = own.assign(steps_to_95=pd.to_numeric(own.test_steps_to_95))
    there = own[own.steps_to_95.notna()]
    if not (there.steps_to_95 < there.steps).any():
        at_end = "".join(f"; one does at its last step, with width {width}" for width in there["network.width"])
        ours.append(say("none-arrives", runs=len(own), task=task, at_end=at_end))
    ends = [record.arrays["test_accuracy"][-1] for record in relu[relu.role == "final"].record]
    between = [end for end in ends if 0.2 < end < 0.95]
    if between:
        low, high = 100 * min(between), 100 * max(between)
        ours.append(say("between", runs=len(between), of=len(ends), low=low, high=high))
    top, most = (float(100 * runs[runs.arm == arm].fall.max()) for arm in (LEARNED, RELU))
    overfits = Condition("some learned run falls", "", top, NAN, NAN, 5.0, top > 5, "points")
    stays = Condition("no ReLU run falls", "", most, NAN, NAN, 2.0, most <= 2, "points")
    return judge(". ".join(ours), [overfits, stays])
