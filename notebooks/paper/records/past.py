"""Compute a record again with the code that it was computed with, in a working tree of its commit.

Run as a script there: it uses nothing of this project but what that commit has, be it of today's layout or of the first
one (all in ``lib``). It reads ``task.json`` and the arrays of earlier records from a folder, and writes the outcome.
"""

import importlib
import json
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file


class Past:
    """Working trees of earlier commits, made when they are needed and deleted at the end of the ``with`` block."""

    def __init__(self, repository: Path):
        self.repository = repository

    def __enter__(self) -> "Past":
        self.folder = tempfile.TemporaryDirectory(prefix="past-")
        return self

    def __exit__(self, *error: object) -> None:
        for tree in Path(self.folder.name).glob("tree-*"):
            self._git("worktree", "remove", "--force", str(tree))
        self.folder.cleanup()

    def compute(self, record: Any, earlier: list[Any], data_dir: Path | None) -> SimpleNamespace:
        """The numbers and arrays that the record's own commit gives now.

        Raises:
            RuntimeError: if it does not, with what it printed.
        """
        tree = Path(self.folder.name) / f"tree-{record.provenance['commit']}"
        if not tree.exists():
            self._git("worktree", "add", "--detach", "--quiet", str(tree), record.provenance["commit"])
        with tempfile.TemporaryDirectory(dir=self.folder.name) as place:
            tasks = [{"key": one.key, "config": one.config, "numbers": one.numbers} for one in [record, *earlier]]
            Path(place, "task.json").write_text(json.dumps({"tasks": tasks, "data_dir": data_dir and str(data_dir)}))
            for one in earlier:
                save_file(one.arrays, Path(place, f"{one.key}.safetensors"))
            command = [sys.executable, str(Path(__file__).resolve()), place]
            done = subprocess.run(command, cwd=tree, capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"commit {record.provenance['commit'][:12]}: {(done.stdout + done.stderr)[-2000:]}")
            numbers = json.loads(Path(place, "numbers.json").read_text())
            return SimpleNamespace(numbers=numbers, arrays=load_file(Path(place, "arrays.safetensors")))

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.repository, check=True, capture_output=True, timeout=120)


def main(place: Path) -> None:
    """Compute the task of a folder with the code in the current one."""
    sys.path[0] = str(Path.cwd())  # in place of the folder of this file
    configuration = _first("notebooks.paper.records.configuration", "lib.configurations")
    kinds = _first("notebooks.paper.sections", "lib.sections").KINDS
    importlib.import_module("torch").set_num_threads(1)
    content = json.loads((place / "task.json").read_text())
    task, *others = content["tasks"]
    for other in others:
        other["arrays"] = load_file(place / f"{other['key']}.safetensors")
    earlier = {other["key"]: SimpleNamespace(**other) for other in others}
    known = {json.dumps(other["config"], sort_keys=True): earlier[other["key"]] for other in others}
    data_dir = content["data_dir"] and Path(content["data_dir"])
    store = SimpleNamespace(
        read=earlier.get,
        get=lambda one: known[json.dumps(configuration.config(one), sort_keys=True)],
        data_dir=data_dir,
    )
    checkpoint = SimpleNamespace(load=lambda: None, save=lambda state: None)
    outcome = configuration.rebuild(task["config"], kinds).run(
        SimpleNamespace(store=store, checkpoint_dir=place, checkpoint=checkpoint, report=print, data_dir=data_dir)
    )
    (place / "numbers.json").write_text(json.dumps(configuration.plain(outcome.numbers, finite=False)))
    arrays = {name: np.asarray(array, order="C") for name, array in outcome.arrays.items()}
    save_file(arrays, place / "arrays.safetensors")


def _first(*names: str) -> Any:
    """The first of these modules that there is."""
    for name in names:
        with suppress(ImportError):
            return importlib.import_module(name)
    raise ImportError(f"there is none of {names}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
