"""Execute notebooks with papermill, check what came out, keep executed copies until their inputs change."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nbformat
import papermill
import yaml
from nbformat import NotebookNode

from lib import pairs, prepared
from lib.display import MIME, alt_problem
from lib.files import write_atomically

LIBRARY = Path(__file__).resolve().parent.parent  # the folder that `import lib` needs on the path
CELL_TIMEOUT = 1800  # seconds; a cell that takes longer hangs
BUILD_ONLY = {
    "book",
    "execution",
    "figure_directive",
    "htmlcheck",
    "pages",
    "pairs",
}  # modules no notebook uses
FIGURES_EXPECTED = "notebooks/"  # pages in this folder must have at least one figure


@dataclass(frozen=True)
class Executed:
    """An executed page: `name` as in `_toc.yml`, problems that forbid publishing it, notes for the log."""

    name: str
    path: Path
    seconds: float
    reused: bool
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def fingerprint(root: Path, name: str, parameters: dict) -> str:
    """Hash of what an executed page depends on: script, parameters, library, stored results, data, packages."""
    digest = hashlib.sha256(
        json.dumps([name, parameters, platform.python_version()], sort_keys=True).encode()
    )
    files = [root / f"{name}.py", root / "requirements.txt", root / "_config.yml"]
    library = sorted(path for ending in ("py", "cpp") for path in (LIBRARY / "lib").rglob(f"*.{ending}"))
    files += [path for path in library if path.stem not in BUILD_ONLY]
    for folder in ("data/results", "data/activations"):
        files += sorted(path for path in (root / folder).rglob("*") if path.suffix in (".json", ".npz", ".safetensors"))
    data_dir = prepared.directory(parameters.get("data_dir"))
    for path in sorted([*data_dir.glob("images/*.npz"), *data_dir.glob("tabular/*.parquet")]):
        digest.update(f"{prepared.stamp(path)}\n".encode())
    for path in files:
        if path.is_file():
            digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def execute(root: Path, name: str, parameters: dict, folder: Path) -> Executed:
    """Execute the page `name` of `root` into `folder`, at its path in the repository, unless that is done.

    Args:
        root: of the repository.
        name: path of the script without its ending, such as "notebooks/images".
        parameters: papermill parameters; one that the notebook does not declare is a problem.
        folder: for executed copies; a copy is used again as long as its fingerprint holds.
    """
    target = folder / f"{name}.ipynb"
    stamp = target.with_suffix(".json")
    key = fingerprint(root, name, parameters)
    if (done := _stamp(stamp)) and done["key"] == key and target.is_file():
        return Executed(name, target, done["seconds"], True, notes=tuple(done["notes"]))
    stamp.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="companion-") as scratch:
        source = Path(scratch) / "source.ipynb"
        try:
            source.write_text(pairs.text(root / f"{name}.py"), encoding="utf-8")
        except ValueError as error:
            return Executed(name, target, 0.0, False, (f"{name}: {error}",))
        if unknown := unknown_parameters(source, parameters):
            return Executed(name, target, 0.0, False, (f"{name}: {unknown}",))
        log = _papermill(source, target, parameters, scratch)
    if not target.is_file():
        return Executed(name, target, 0.0, False, (f"{name}: papermill wrote no notebook\n{log}",))
    executed = nbformat.read(target, as_version=4)
    seconds = executed.metadata.get("papermill", {}).get("duration") or 0.0
    problems = [f"{name}: {problem}" for problem in check(executed, name.startswith(FIGURES_EXPECTED))]
    if log and not problems:
        problems = [f"{name}: papermill failed\n{log}"]
    notes = tuple(f"{name}: {note}" for note in stderr_notes(executed))
    if not problems:
        write_atomically(stamp, json.dumps({"key": key, "seconds": seconds, "notes": notes}).encode())
    return Executed(name, target, seconds, False, tuple(problems), notes)


def unknown_parameters(notebook: Path, parameters: dict) -> str | None:
    """What is wrong with the names of the parameters, or None (papermill itself would only warn)."""
    known = papermill.inspect_notebook(str(notebook))
    unknown = sorted(set(parameters) - set(known))
    if not unknown:
        return None
    return (
        f"unknown parameter {', '.join(unknown)}; its parameters cell declares {', '.join(known) or 'none'}"
    )


def check(executed: NotebookNode, needs_figure: bool = False) -> list[str]:
    """What forbids publishing an executed notebook: exceptions, cells not run, missing figures or alts."""
    problems = (
        ["papermill recorded an exception"] if executed.metadata.get("papermill", {}).get("exception") else []
    )
    last, figures = 0, 0
    for index, cell in enumerate(executed.cells):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        errors = [output for output in cell.outputs if output.output_type == "error"]
        if errors:  # the cells below were not executed because of it
            return [*problems, *(f"cell {index} raised {_trace(error)}" for error in errors)]
        count = cell.execution_count
        if count is None:
            problems.append(f"cell {index} was not executed")
        elif count <= last:
            problems.append(f"cell {index} was executed out of order: [{count}] after [{last}]")
        last = count or last
        shown = [output.data[MIME] for output in cell.outputs if MIME in output.get("data", {})]
        drawn = [figure for figure in shown if figure["kind"] == "figure"]
        figures += len(drawn)
        if count is not None and len(drawn) < (wanted := figures_promised(cell.source)):
            problems.append(f"cell {index} calls show {wanted} times and gave {len(drawn)} figures")
        problems += [
            f"cell {index} alt text {bad}" for figure in drawn if (bad := alt_problem(figure["alt"]))
        ]
        problems += [f"cell {index} {bad}" for output in cell.outputs if (bad := _bare_image(cell, output))]
    if needs_figure and not figures and not problems:
        problems.append("has no figure")
    return problems


def figures_promised(source: str) -> int:
    """The number of figures that a cell must give: its calls of `show` that no condition or loop encloses.

    >>> figures_promised("show(draw, alt=a, caption=c)\\nif extra:\\n    show(more, alt=a, caption=c)")
    1
    """
    try:
        body = ast.parse(source).body
    except SyntaxError:  # a cell with magics
        return 0
    calls = [line.value for line in body if isinstance(line, ast.Expr) and isinstance(line.value, ast.Call)]
    return sum(isinstance(call.func, ast.Name) and call.func.id == "show" for call in calls)


def stderr_notes(executed: NotebookNode) -> list[str]:
    """First lines of what cells wrote to stderr, which the pages do not show."""
    notes = []
    for index, cell in enumerate(executed.cells):
        text = "".join(
            output.text for output in cell.get("outputs", []) if output.get("name") == "stderr"
        ).strip()
        if text:
            notes.append(f"cell {index} wrote to stderr: {text.splitlines()[0][:160]}")
    return notes


def _trace(error: NotebookNode) -> str:
    """An exception with the end of its traceback."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback)).splitlines()
    return "\n".join([f"{error.ename}: {error.evalue}", *(f"    {line}" for line in lines[-12:])])


def _bare_image(cell: NotebookNode, output: NotebookNode) -> str | None:
    """What is wrong with an image that was not made by `show`, or None."""
    data = output.get("data", {})
    if MIME in data or not any(kind.startswith("image/") for kind in data):
        return None
    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt")
    bad = alt_problem(alt)
    return f"has an image without alternative text ({bad}); use lib.display.show" if bad else None


def _stamp(path: Path) -> dict | None:
    """The note beside an executed copy, or None if there is none that can be used."""
    try:
        stamp = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return stamp if isinstance(stamp, dict) and set(stamp) == {"key", "seconds", "notes"} else None


def _papermill(source: Path, target: Path, parameters: dict, scratch: str) -> str:
    """Run papermill in its own process; returns the end of its log if it failed, else an empty string."""
    target.unlink(missing_ok=True)
    environment = {
        **os.environ,
        "IPYTHONDIR": str(Path(scratch) / "ipython"),  # no start-up files of the user
        "JUPYTER_PREFER_ENV_PATH": "1",  # the kernel of this environment
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "OMP_NUM_THREADS": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(LIBRARY), os.environ.get("PYTHONPATH")])),
    }
    partial = Path(scratch) / "executed.ipynb"
    command = [sys.executable, "-m", "papermill", str(source), str(partial), "--cwd", str(target.parent)]
    command += ["--no-progress-bar", "--execution-timeout", str(CELL_TIMEOUT), "--parameters_yaml"]
    command.append(yaml.safe_dump(parameters))
    run = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if partial.is_file():
        shutil.move(partial, target)
    return "\n".join((run.stderr or run.stdout).strip().splitlines()[-25:]) if run.returncode else ""
