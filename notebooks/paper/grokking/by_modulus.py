"""How the records of the plan "moduli" decide C15, by the rule to come of claims.toml."""

import numpy as np
import pandas as pd
import torch

from lib import splines

from ..figures.similarity import Frequency, dominant_frequency
from ..records.frames import Collected
from ..records.intervals import share_of_shuffles
from ..verdict import NAN, NOT_RUN, Condition, Finding, Read, judge
from .tables import highest_frequency

LEAST_RESTARTS, LEAST_MODULI, SHARE = 2, 3, 0.95


def restarts(results: Collected) -> pd.DataFrame:
    """The restarts that generalise: a fresh network of the final width reaches 95 % test accuracy with the function.

    Returns:
        Columns task, seed (of the restart), points, frequency (cycles per unit of z), sharpness (part of the power in
        the peak), sine_like. The function is weighted by where the pre-activations are, in the network that arrives
        with the least seed; frequency and sharpness are NaN for a function without an oscillation there.
    """
    runs, rows = results.frame(role="final"), []
    arrived = (
        runs[pd.to_numeric(runs.test_steps_to_95).notna()].sort_values("seed", kind="stable") if len(runs) else runs
    )
    for run in arrived.drop_duplicates("learned").itertuples() if len(runs) else ():
        record = results.by_key[run.learned]
        activation, psi = record.config["network"]["activation"], record.arrays["psi_hidden"]
        grid = splines.grid(len(psi), activation["low"], activation["high"])
        density = torch.from_numpy(np.asarray(run.record.arrays["pre_activations"]))
        try:
            found = dominant_frequency(grid, torch.from_numpy(np.asarray(psi)), density)
        except ValueError:  # a line, where the pre-activations are
            found = Frequency(NAN, NAN)
        by_points = found.frequency > 0.95 * highest_frequency(record)
        sine = bool(found.sharpness > 0.5 and not by_points)
        rows.append((run.data, record.config["seed"], len(psi), found.frequency, found.sharpness, sine))
    return pd.DataFrame(rows, columns=["task", "seed", "points", "frequency", "sharpness", "sine_like"])


def frequency_depends_on_the_modulus(read: Read) -> Finding:
    """C15."""
    results = read("moduli")
    if results.missing or not results.records:
        return NOT_RUN
    found, conditions, words = restarts(results), [], []
    tasks = dict.fromkeys(record.config["data"][0] for record in results.records if record.kind == "learn")
    for task in tasks:
        own = found[found.task == task]
        part = float(own.sine_like.mean()) if len(own) else NAN
        name = f"{task}: {len(own)} restarts generalise"
        conditions.append(
            Condition("sine-like", name, part, NAN, NAN, 0.5, bool(len(own) >= LEAST_RESTARTS and part > 0.5))
        )
        sines = own[own.sine_like].frequency
        span = f", {sines.min():.1f} to {sines.max():.1f} cycles per unit" if len(sines) else ""
        words.append(f"{name}, {len(sines)} of them like a sine{span}")
    sines = found[found.sine_like]
    moduli = sines.task.nunique()
    share = share_of_shuffles(np.log(sines.frequency), sines.task) if moduli >= LEAST_MODULI else NAN
    conditions.append(
        Condition("depends on the modulus", f"{moduli} moduli", share, NAN, NAN, SHARE, bool(share > SHARE))
    )
    said = (
        f"the spread between moduli relative to that within is above that of {100 * share:.1f} % of shuffles"
        if np.isfinite(share)
        else f"with sines under {moduli} moduli it cannot be said whether the frequency depends on it"
    )
    return judge(f"{'; '.join(words)}. As to the frequency, {said}", conditions)
