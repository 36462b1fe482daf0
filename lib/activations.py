"""The learned activations that come with the repository; ``load("grokking-aplusb-mod-27-sgd-zeros")`` is ready to use.

``python -m lib.activations`` writes data/activations/ anew from the committed records: one safetensors file for each
activation that a section's final runs use, and index.json.
"""

import json
from pathlib import Path

import torch

from lib import reading, splines
from lib.files import write_atomically
from lib.reading import Collected

FOLDER = Path(__file__).resolve().parents[1] / "data" / "activations"
SECTIONS = ("images", "regression", "tabular", "grokking", "transfer")
ROLES = ("final", "modulus", "matrix")  # of the runs that use an activation after it was selected


def index(folder: Path = FOLDER) -> dict[str, dict]:
    """What there is: name -> section, data, task, arm, optimiser, record, file, kind ("hidden" or "input"), and the
    range low, high and number of control points of the function, or of each function.

    Raises:
        ValueError: if the index is missing or damaged.
    """
    path = folder / "index.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not readable ({error}); write it anew with python -m lib.activations") from error


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


def export(sections: dict[str, Collected], folder: Path = FOLDER) -> list[str]:
    """Write the activations of the sections' final runs, but for constants, and the index; returns their names."""
    entries = {}
    for section, results in sections.items():
        records, finals = {record.key: record for record in results.records}, results.frame()
        finals = finals[finals.role.isin(ROLES) & (finals.learned != "")] if len(finals) else finals
        for row in finals.drop_duplicates("learned").itertuples() if len(finals) else ():
            learned = records[row.learned]
            config, names = learned.config, [n for n in ("hidden", "input") if f"psi_{n}" in learned.arrays]
            network, optimiser = config["network"], config["settings"]["inner"]["name"]
            g = network["activation" if names == ["hidden"] else "input_activation"]
            data = config["data"][0] if len(config["data"]) == 1 else f"all {config['task']}"
            start = config["settings"]["init"] if names == ["hidden"] else "inputs"
            name = "-".join([section, *data.replace("+", "plus").replace("^", "").split(), optimiser, start])
            psi = {n: torch.from_numpy(learned.arrays[f"psi_{n}"]) for n in names}
            if all(values.max() == values.min() for values in psi.values()):
                continue  # nothing was learned
            metadata = {"low": g["low"], "high": g["high"], "method": g["method"], "record": row.learned}
            splines.save(folder / f"{name}.safetensors", psi, **metadata, learned_on=f"{data}, {row.task}")
            about = {"section": section, "data": data, "task": row.task, "arm": config["arm"], "optimiser": optimiser}
            about |= {"kind": "hidden" if "hidden" in names else "input", "low": g["low"], "high": g["high"]}
            about |= {"points": psi[names[0]].shape[-1], "record": row.learned, "file": f"{name}.safetensors"}
            entries[name] = about
    write_atomically(folder / "index.json", (json.dumps(entries, indent=1, sort_keys=True) + "\n").encode())
    return sorted(entries)


if __name__ == "__main__":
    print("\n".join(export({section: reading.results(section, "paper") for section in SECTIONS})))
