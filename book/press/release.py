"""``python -m book.press.release``: what follows from new records.

The datasets of new records are entered in the manifest of data/results (a clone without a dataset finds the records of
it by the manifest alone); data/samples.npz gets an image of each class of the image datasets that are here; and
data/activations/ is written anew from the committed records: one safetensors file for each activation that a section's
final runs use, index.json, and constants.json, which says where nothing was learned.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from lib import activations, datasets, splines
from lib.activations import FOLDER
from lib.datasets import catalogue
from lib.files import compressed, write_atomically
from notebooks.paper.data import open_store
from notebooks.paper.experiments import committed
from notebooks.paper.figures import samples
from notebooks.paper.grokking.tables import median_steps
from notebooks.paper.records.frames import Collected, at_best_depth
from notebooks.paper.records.intervals import interval
from notebooks.paper.records.store import Record, Store
from notebooks.paper.sections import results


def enter_new(store: Store, data_dir: str | Path | None = None) -> list[str]:
    """Enter downloaded datasets that records of the store used and that are here as the same copy; returns their names.

    Entries that are there stay as they are.
    """
    used = {(name, sha256) for record in store.records() for name, sha256 in record.data.items()}
    new = sorted(
        name
        for name, sha256 in used
        if committed.sha256(name) is None
        and catalogue.path(name, data_dir) is not None
        and catalogue.available(name, data_dir)
        and catalogue.fingerprint(name, data_dir) == sha256
    )
    if new:
        committed.enter(new, data_dir)
    return new


def write_samples(path: Path = samples.FILE, data_dir: str | Path | None = None) -> list[str]:
    """Write sample images of the downloaded datasets that are here, beside those in the file; returns all names."""
    known = dict(np.load(path)) if path.is_file() else {}
    there = [name for name in ("mnist", "fashion_mnist", "svhn", "cifar10") if catalogue.available(name, data_dir)]
    known |= {name: samples.one_of_each_class(name, data_dir) for name in there}
    write_atomically(path, compressed(**known))
    return sorted(known)


SECTIONS = ("images", "regression", "tabular", "grokking", "transfer")
ROLES = ("final", "modulus", "matrix", "own")  # of the runs that use an activation after it was selected


def gain(learned: Record, finals: pd.DataFrame) -> dict[str, float | int | None]:
    """Test accuracy above ReLU's with the same optimiser, on the data that the activation was learned on.

    For algorithmic tasks it is the highest accuracy of the run, else that at the best step, in networks of the depth
    that was selected. Paired by seed; several datasets are averaged first.

    Args:
        finals: the section's runs of ROLES at their best depths.
    """
    runs = finals[finals.data.isin(learned.config["data"]) & (finals["optimiser.name"] == _optimiser(learned))]
    score = "test_accuracy_max" if learned.config["task"] == "one-hot" else "test_accuracy"
    own, relu = (
        part.pivot(index="seed", columns="data", values=score).astype(float)
        for part in (runs[runs.learned == learned.key], runs[runs.arm == "ReLU"])
    )
    differences = (own - relu).mean(axis=1, skipna=False).dropna()
    algorithmic = learned.config["task"] == "one-hot" and len(learned.config["data"]) == 1
    about = {"steps": _steps(learned, runs) if algorithmic else None}
    if not len(differences):
        return about | {"gain": None, "half_width": None, "seeds": 0}
    half_width = round(interval(differences).half_width, 5) if len(differences) > 1 else None
    return about | {"gain": round(float(differences.mean()), 5), "half_width": half_width, "seeds": len(differences)}


def _steps(learned: Record, runs: pd.DataFrame) -> dict[str, int | None]:
    """Median steps to 95 % test accuracy, None if not reached: with the activation and with ReLU; and the last step."""
    arms = {"own": runs[runs.learned == learned.key], "relu": runs[runs.arm == "ReLU"]}
    medians = {arm: median_steps(part.test_steps_to_95) for arm, part in arms.items()}
    return {arm: int(n) if np.isfinite(n) else None for arm, n in medians.items()} | {"last": int(runs.steps.max())}


def export(sections: dict[str, Collected], folder: Path = FOLDER) -> list[str]:
    """Write the activations of the sections' final runs, but for constants, and the lists; returns their names.

    Other activations in the folder are deleted.

    Raises:
        ValueError: if records of a section are missing (nothing is written then).
    """
    if partly := [section for section, found in sections.items() if found.missing]:
        raise ValueError(f"records are missing of {', '.join(partly)}: run make results for these sections first")
    entries, lost = {}, []
    for section, found in sections.items():
        finals = found.frame()
        finals = at_best_depth(finals[finals.role.isin(ROLES)]) if len(finals) else pd.DataFrame({"learned": []})
        used, learned = set(finals.learned), [record for record in found.records if record.kind == "learn"]
        written = set()  # arms and data
        for record in (record for record in learned if record.key in used):
            config, names = record.config, [n for n in ("hidden", "input") if f"psi_{n}" in record.arrays]
            psi = {n: torch.from_numpy(record.arrays[f"psi_{n}"]) for n in names}
            if all(splines.is_constant(values) for values in psi.values()):
                continue
            written.add(_source(record))
            g = config["network"]["activation" if names == ["hidden"] else "input_activation"]
            data, task = _data(record), config["task"]
            start = config["settings"]["init"] if names == ["hidden"] else "inputs"
            words = (data if len(config["data"]) == 1 else f"all {task}").replace("+", "plus").replace("^", "").split()
            name = "-".join([section, *words, _optimiser(record), start])
            activations.save(folder / f"{name}.safetensors", as_splines(record, folder / f"{name}.safetensors"))
            about = {"section": section, "data": data, "task": task, "arm": config["arm"]}
            about |= {"optimiser": _optimiser(record), "rate": round(config["settings"]["inner"]["lr"], 6)}
            about |= {"depth": config["network"]["depth"], "width": config["network"]["width"]}
            about |= {"kind": "hidden" if "hidden" in names else "input", "picture": picture(psi[names[0]])}
            about |= {"low": g["low"], "high": g["high"], "points": psi[names[0]].shape[-1], "record": record.key}
            entries[name] = about | {"file": f"{name}.safetensors"} | gain(record, finals)
        for record in learned:
            values = [array for name, array in record.arrays.items() if name.startswith("psi_")]
            about = {"section": section, "data": _data(record)}
            if all(map(splines.is_constant, values)) and _source(record) not in written and about not in lost:
                lost.append(about)
    for path in folder.glob("*.safetensors"):  # of earlier records
        if path.stem not in entries:
            path.unlink()
    for name, content in (("index", entries), ("constants", lost)):
        text = json.dumps(content, indent=1, sort_keys=True) + "\n"
        write_atomically(folder / f"{name}.json", text.encode())
    return sorted(entries)


def picture(values: torch.Tensor, length: int = 16) -> str:
    """The shape of a function in a line of text, or of the first of several.

    Example:
        >>> picture(torch.tensor([0.0, 0.0, 1.0]), 5)
        '▁▁▁▄█'
    """
    own = values.reshape(-1, values.shape[-1])[0].double().numpy()
    heights = np.interp(np.linspace(0, 1, length), np.linspace(0, 1, len(own)), own)
    heights = (heights - heights.min()) / (np.ptp(heights) or 1)
    return "".join("▁▂▃▄▅▆▇█"[int(7.999 * height)] for height in heights)


def as_splines(learned: Record, path: Path) -> dict[str, splines.Spline]:
    """The functions of a record, with what they were learned on; for functions of columns also their names and scaling.

    Args:
        path: of a file that may know the columns where the dataset is not here.
    """
    found, network = {}, learned.config["network"]
    for kind in ("hidden", "input"):
        if f"psi_{kind}" in learned.arrays:
            g = network["activation" if kind == "hidden" else "input_activation"]
            info = {"learned_on": f"{_data(learned)}, {learned.config['task']}", "record": learned.key}
            info |= columns_of(learned, path) if kind == "input" else {}
            values = torch.from_numpy(learned.arrays[f"psi_{kind}"])
            found[kind] = splines.Spline(values, g["low"], g["high"], g["method"], info=info)
    return found


def columns_of(learned: Record, path: Path) -> dict:
    """Names of a table's columns, and of each the least and greatest value of the training rows, which became -1, 1."""
    (data,), split = learned.config["data"], learned.config["split"]
    file = catalogue.path(data)
    if file is not None and catalogue.available(data) and catalogue.fingerprint(data) == learned.data[data]:
        from pyarrow import parquet

        values, _ = catalogue.table_arrays(data)
        rows = datasets.table_split(len(values), split)[0]
        low, high = values[rows].min(axis=0).tolist(), values[rows].max(axis=0).tolist()
        names = parquet.read_schema(file).names[: values.shape[1]]
        return {
            "columns": names,
            "scaling": "minmax",
            "scales": dict(zip(names, zip(low, high, strict=True), strict=True)),
        }
    known = next(iter(activations.read(path).values())).info if path.exists() else {}
    return {key: known[key] for key in ("columns", "scaling", "scales") if key in known}


def _optimiser(learned: Record) -> str:
    return learned.config["settings"]["inner"]["name"]


def _source(learned: Record) -> tuple[str, ...]:
    return learned.config["arm"], *learned.config["data"], _optimiser(learned)


def _data(learned: Record) -> str:
    """What an activation was learned on, for readers."""
    data, task = learned.config["data"], learned.config["task"]
    return data[0] if len(data) == 1 else f"all {len(data)} {'algorithmic tasks' if task == 'one-hot' else 'datasets'}"


if __name__ == "__main__":
    print("\n".join(f"new in the manifest: {name}" for name in enter_new(open_store())) or "the manifest is complete")
    print(f"samples of {', '.join(write_samples())}")
    print("\n".join(export({section: results(section, "paper") for section in SECTIONS})))
