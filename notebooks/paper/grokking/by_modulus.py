"""How the records of the plan "moduli" decide C15."""

import numpy as np
import pandas as pd
import torch

from lib import splines

from ..figures.looks import span
from ..figures.similarity import Frequency, dominant_frequency
from ..figures.words import words
from ..records.frames import Collected
from ..records.intervals import share_of_shuffles
from ..verdict import NAN, NOT_RUN, Condition, Finding, Read, judge
from .tables import highest_frequency

say = words("grokking", "findings").fill
LEAST_RESTARTS, LEAST_MODULI, SHARE = 2, 3, 0.95


def restarts(results: Collected) -> pd.DataFrame:
    """The restarts that generalise: a fresh network of the final width reaches 95 % test accuracy with the function.

    Returns:
        Columns task, key (of the restart's record), points, frequency (cycles per unit of z), sharpness (part of the
        power in the peak), sine_like. The function is weighted by where the pre-activations are, in the network that
        arrives with the least seed; frequency and sharpness are NaN for a function without an oscillation there.
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
        rows.append((run.data, run.learned, len(psi), found.frequency, found.sharpness, sine))
    columns = ["task", "key", "points", "frequency", "sharpness", "sine_like"]
    return pd.DataFrame(rows, columns=columns).astype({"sine_like": bool})


def by_task(results: Collected) -> pd.DataFrame:
    """A row per modulus: how many of its restarts generalise, how many of these are like a sine, their frequencies."""
    found, learns, rows = restarts(results), results.frame("learn"), []
    for task, of in learns.groupby(learns.data.map(lambda names: names[0]), sort=False).size().items():
        own = found[found.task == task]
        sines = own[own.sine_like].frequency
        of_these = f"{len(sines)} of {len(own)}" if len(own) else "—"
        rows.append((task, f"{len(own)} of {of}", of_these, span(sines, 1) if len(sines) else "—"))
    return pd.DataFrame(
        rows, columns=["task", "restarts that generalise", "of these like a sine", "cycles per unit of z"]
    )


def between(found: pd.DataFrame) -> tuple[int, float]:
    """With how many moduli there are restarts like a sine, and whether their frequencies depend on the modulus.

    The second is the share of shuffles of the moduli with a smaller variance of the logarithm of the frequency between
    moduli, relative to that within; NaN with too few to say.

    Args:
        found: from :func:`restarts`.
    """
    sines = found[found.sine_like]
    moduli = sines.task.nunique()
    enough = LEAST_MODULI <= moduli < len(sines)
    return moduli, share_of_shuffles(np.log(sines.frequency), sines.task) if enough else NAN


def spread(found: pd.DataFrame) -> str:
    """What :func:`between` says, in words."""
    moduli, share = between(found)
    return say("spread", share=100 * share) if np.isfinite(share) else say("no-spread", moduli=moduli)


def frequency_depends_on_the_modulus(read: Read) -> Finding:
    """C15."""
    results = read("moduli")
    if results.missing or not results.records:
        return NOT_RUN
    found, conditions = restarts(results), []
    for task in dict.fromkeys(record.config["data"][0] for record in results.records if record.kind == "learn"):
        own = found[found.task == task]
        part = float(own.sine_like.mean()) if len(own) else NAN
        enough = bool(len(own) >= LEAST_RESTARTS and part > 0.5)
        name = f"{task}: {len(own)} restarts generalise"
        conditions.append(Condition("sine-like", name, part, NAN, NAN, 0.5, enough))
    moduli, share = between(found)
    conditions.append(
        Condition("depends on the modulus", f"{moduli} moduli", share, NAN, NAN, SHARE, bool(share > SHARE))
    )
    each = []
    for task, generalise, sines_of, frequencies in by_task(results).itertuples(index=False):
        more = {} if sines_of == "—" else {"sines": sines_of, "frequencies": frequencies}
        each.append(say("modulus" if more else "modulus-none", task=task, generalise=generalise, **more))
    return judge(f"{'; '.join(each)}. {spread(found)}", conditions)
