"""Execute notebooks with papermill, check what came out, keep executed copies until their inputs change."""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import nbformat
import papermill
import psutil
from nbformat import NotebookNode

from lib.files import write_atomically
from notebooks.paper.figures.display import MIME, alt_problem

from . import pairs

LIBRARY = Path(__file__).resolve().parents[2]  # the folder that `import lib` needs on the path: the repository's root
PRESS = LIBRARY / "book" / "press"
CELL_TIMEOUT = 1800  # seconds; a cell that takes longer hangs
COMPLAINT = re.compile(r"\b(?:ERROR|CRITICAL|WARNING|\w*(?:Warning|Error)(?=:))\b")
FIGURES_EXPECTED = "notebooks/"  # pages in this folder must have at least one figure
_running: set[subprocess.Popen] = set()


@dataclass(frozen=True)
class Executed:
    """An executed page: `name` as in `_toc.yml`, and the problems that forbid publishing it."""

    name: str
    path: Path
    seconds: float
    reused: bool
    problems: tuple[str, ...] = ()


def fingerprint(root: Path, name: str, parameters: dict) -> str:
    """Hash of what every execution of a page depends on: script, parameters, packages, and which data are there.

    What else the page reads, modules and results, is observed while it runs (`reads`).
    """
    data_dir = Path(parameters.get("data_dir") or os.environ.get("SIMPLICITY_DATA") or root / "data")
    datasets = sorted([*data_dir.glob("images/*.npz"), *data_dir.glob("tabular/*.parquet")])
    fixed = [
        name,
        parameters,
        platform.python_version(),
        digest(root / f"{name}.py"),
        digest(root / "requirements.lock"),
        digest(root / "data" / "results"),  # which folders there are; of what is in them only what is read matters
        *map(_stat, datasets),
    ]
    return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()


def digest(path: Path) -> str:
    """Hash of a file's content, or of the names in a folder; "missing" if there is neither."""
    if path.is_dir():
        names = sorted(entry.name for entry in path.iterdir() if entry.name[0] != "." and entry.name != "__pycache__")
        return hashlib.sha256("\n".join(names).encode()).hexdigest()
    return _content(_stat(path)) if path.is_file() else "missing"


def _stat(path: Path) -> tuple[str, int, int]:
    """Path, modification time and size: what a hash or a dataset is remembered by."""
    status = path.stat()
    return str(path.absolute()), status.st_mtime_ns, status.st_size


@functools.cache
def _content(stat: tuple[str, int, int]) -> str:
    with open(stat[0], "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def reads(root: Path, log: Path, started: float) -> dict[str, str] | None:
    """What a page read of the repository, each with its hash; None if some of it changed after `started`.

    Of data, the whole folder of a file counts: compiled code reads files without a trace, and what is not there yet
    matters too. Datasets do not count here, since `fingerprint` has them.
    """
    data, found = root / "data", set()
    read = set(map(Path, log.read_text(encoding="utf-8").splitlines())) if log.is_file() else set()
    folders = {path if path.is_dir() else path.parent for path in read if path.is_relative_to(data)}
    for folder in folders - {data / "images", data / "tabular"}:
        found |= {folder, *(entry for entry in folder.glob("*") if entry.is_file())}
    found |= {path for path in read if not path.is_relative_to(data)}
    if any(path.stat().st_mtime >= started for path in found if path.is_file()):
        return None
    names = {path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path): path for path in found}
    return {name: digest(names[name]) for name in sorted(names)}


def execute(root: Path, name: str, parameters: dict, folder: Path) -> Executed:
    """Execute the page `name` of `root` into `folder`, at its path in the repository, unless that is done.

    Args:
        root: of the repository.
        name: path of the script without its ending, such as "notebooks/images".
        parameters: papermill parameters; one that the notebook does not declare is a problem.
        folder: for executed copies; a copy is used again as long as its fingerprint and all that it read are the same.
    """
    target = folder / f"{name}.ipynb"
    stamp = target.with_suffix(".json")
    key = fingerprint(root, name, parameters)
    done = _stamp(stamp)
    if done and done["key"] == key and target.is_file():
        if all(digest(root / path) == known for path, known in done["reads"].items()):
            return Executed(name, target, done["seconds"], True)
    stamp.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    started = time.time()
    with tempfile.TemporaryDirectory(prefix="companion-", ignore_cleanup_errors=True) as scratch:
        source = Path(scratch) / "source.ipynb"
        try:
            source.write_text(pairs.text(root / f"{name}.py"), encoding="utf-8")
        except ValueError as error:
            return Executed(name, target, 0.0, False, (f"{name}: {error}",))
        if unknown := unknown_parameters(source, parameters):
            return Executed(name, target, 0.0, False, (f"{name}: {unknown}",))
        log = _papermill(root, source, target, parameters, Path(scratch))
        read = reads(root, Path(scratch) / "reads", started)
    if not target.is_file():
        return Executed(name, target, 0.0, False, (f"{name}: papermill wrote no notebook\n{log}",))
    executed = nbformat.read(target, as_version=4)
    seconds = executed.metadata.get("papermill", {}).get("duration") or 0.0
    problems = check(executed, name.startswith(FIGURES_EXPECTED))
    if log and not any(" raised " in problem for problem in problems):
        problems = [f"{_last_cell(executed)}{log}", *problems]
    problems += complaints(executed)
    if not problems and read is not None:
        note = {"key": key, "seconds": seconds, "reads": read}
        write_atomically(stamp, json.dumps(note).encode())
    return Executed(name, target, seconds, False, tuple(f"{name}: {problem}" for problem in problems))


def stop() -> None:
    """End all executions of this process, with their kernels and whatever those started."""
    for run in list(_running):
        with suppress(psutil.NoSuchProcess):
            started = psutil.Process(run.pid)
            for process in [started, *started.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    process.kill()


def unknown_parameters(notebook: Path, parameters: dict) -> str | None:
    """What is wrong with the names of the parameters, or None (papermill itself would only warn)."""
    known = papermill.inspect_notebook(str(notebook))
    unknown = sorted(set(parameters) - set(known))
    if not unknown:
        return None
    return f"unknown parameter {', '.join(unknown)}; its parameters cell declares {', '.join(known) or 'none'}"


def check(executed: NotebookNode, needs_figure: bool = False) -> list[str]:
    """What forbids publishing an executed notebook: exceptions, cells not run, missing figures or alts."""
    problems = ["papermill recorded an exception"] if executed.metadata.get("papermill", {}).get("exception") else []
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
        problems += [f"cell {index} alt text {bad}" for figure in drawn if (bad := alt_problem(figure["alt"]))]
        problems += [f"cell {index} {bad}" for output in cell.outputs if (bad := _bare_image(cell, output))]
    if needs_figure and not figures and not problems:
        problems.append("has no figure")
    return problems


def figures_promised(source: str) -> int:
    """The number of figures that a cell must give: its calls of `show` or `.figure` that no condition or loop encloses.

    >>> figures_promised("show(draw, alt=a, caption=c)\\nif extra:\\n    show(more, alt=a, caption=c)")
    1
    """
    try:
        body = ast.parse(source).body
    except SyntaxError:  # a cell with magics
        return 0
    calls = [line.value for line in body if isinstance(line, ast.Expr) and isinstance(line.value, ast.Call)]
    names = [getattr(call.func, "id", getattr(call.func, "attr", "")) for call in calls]
    return sum(name in ("show", "figure") for name in names)


def complaints(executed: NotebookNode) -> list[str]:
    """What cells wrote to stderr, and warnings and errors among what they printed, which no reader would see."""
    found = []
    for index, cell in enumerate(executed.cells):
        streams = [output for output in cell.get("outputs", []) if output.output_type == "stream"]
        for name in ("stderr", "stdout"):
            lines = "".join(stream.text for stream in streams if stream.name == name).splitlines()
            bad = [line for line in lines if (name == "stderr" and line.strip()) or COMPLAINT.search(line)]
            if bad:
                found.append(f"cell {index} wrote to {name}: {bad[0].strip()[:160]}")
    return found


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
    return f"has an image without alternative text ({bad}); use notebooks.paper.figures.display.show" if bad else None


def _last_cell(executed: NotebookNode) -> str:
    """Where an execution that did not go to its end stopped."""
    cells = [cell.metadata.get("papermill", {}) for cell in executed.cells]  # a count may be lost with the kernel
    begun = [index for index, cell in enumerate(cells) if cell.get("start_time")]
    return f"at cell {begun[-1]}: " if begun else ""


def _stamp(path: Path) -> dict | None:
    """The note beside an executed copy, or None if there is none that can be used."""
    try:
        stamp = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return stamp if isinstance(stamp, dict) and set(stamp) == {"key", "seconds", "reads"} else None


def _papermill(root: Path, source: Path, target: Path, parameters: dict, scratch: Path) -> str:
    """Run papermill in its own process; returns its log if it failed, the last line first, else an empty string."""
    target.unlink(missing_ok=True)
    shutil.copyfile(PRESS / "reads.py", scratch / "sitecustomize.py")
    environment = {
        **os.environ,
        "IPYTHONDIR": str(scratch / "ipython"),  # no start-up files of the user
        "JUPYTER_PREFER_ENV_PATH": "1",  # the kernel of this environment
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "OMP_NUM_THREADS": "1",
        "PAGE_READS": os.pathsep.join([str(scratch / "reads"), *sorted({str(root), str(LIBRARY)})]),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(scratch), str(LIBRARY), os.environ.get("PYTHONPATH")])),
        "TMPDIR": str(scratch),  # so that nothing is left of a kernel that is ended
    }
    partial = scratch / "executed.ipynb"
    command = [sys.executable, "-P", str(PRESS / "run_notebook.py"), str(source), str(partial), str(target.parent)]
    command += [str(CELL_TIMEOUT), json.dumps(parameters)]
    pipe = subprocess.PIPE
    run = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )
    _running.add(run)
    try:
        output, errors = run.communicate()
    finally:
        _running.discard(run)
    if partial.is_file():
        shutil.move(partial, target)
    if not run.returncode:
        return ""
    *log, last = (errors or output).strip().splitlines()[-25:] or [f"papermill ended with status {run.returncode}"]
    return "\n".join([last, *(f"    {line}" for line in log)])  # the last line says what it was
