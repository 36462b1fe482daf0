"""The learned activations that come with the repository; ``load("grokking-aplusb-mod-27-sgd-zeros")`` is ready to use.

``python -m book.press.release`` writes data/activations/ anew from the committed records.
"""

import json
from pathlib import Path

from . import splines

FOLDER = Path(__file__).resolve().parents[1] / "data" / "activations"


def index(folder: Path = FOLDER) -> dict[str, dict]:
    """What there is: name -> section, data, task, arm, optimiser, record, file, kind ("hidden" or "input"), the range
    low, high and number of control points of the function, or of each function; and gain, half_width, seeds:
    :func:`gain` over ReLU (None where there are no such runs, or, for the half width, one seed); steps: for one
    algorithmic task, the steps to 95 % test accuracy (None if never) with it ("own") and with ReLU, and the "last".

    Raises:
        ValueError: if the index is missing or damaged.
    """
    return _read(folder / "index.json")


def constants(folder: Path = FOLDER) -> list[dict]:
    """Section and data of the activations that are not here, as learning them gave a constant; ValueError: as above."""
    return _read(folder / "constants.json")


def _read(path: Path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        hint = "write it anew with python -m book.press.release"
        raise ValueError(f"{path} is not readable ({error}); {hint}") from error


def load(name: str, folder: Path = FOLDER) -> splines.Spline:
    """A learned activation as a module; input activations are one spline per column, for inputs (..., d).

    Raises:
        ValueError: if there is none of that name (the message lists them), or its file is damaged.
    """
    known = index(folder)
    if name not in known:
        raise ValueError(f"no activation is called {name!r}; there are {sorted(known)}")
    psi, metadata = splines.load(folder / known[name]["file"])
    values = psi["hidden" if "hidden" in psi else "input"]
    return splines.Spline(values, metadata["low"], metadata["high"], metadata["method"])
