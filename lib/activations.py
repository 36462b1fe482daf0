"""Files of learned functions, and the learned functions that come with the repository.

A file holds functions with their whole meaning: values, range and interpolation of each, what they were learned on, for
functions of columns the columns' names and scaling, and a checksum. ``load("transfer-aplusb-mod-53-sgd-zeros")`` is a
function of the repository, ready to use; :func:`find` says what there is.
"""

import difflib
import hashlib
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_bytes
from torch import Tensor

from .files import write_atomically
from .splines import Spline

if TYPE_CHECKING:
    from .metalearning import Learned

FOLDER = Path(__file__).resolve().parents[1] / "data" / "activations"
KEY = "activation"  # in the metadata of a file
OPTIMISERS = {"sgd": "SGD", "adam": "Adam", "rmsprop": "RMSprop"}  # as they are written
LARGEST = 2**22  # characters of metadata


def save(path: str | Path, functions: "Spline | Learned | dict[str, Spline]", **info) -> None:
    """Write learned functions as safetensors, atomically; :func:`read` gives them back.

    Args:
        path: a file name that ends in ``.safetensors``.
        functions: a spline, what :func:`lib.metalearning.learn` returned, or splines by name ("hidden", "input").
        info: what to know about them, as JSON knows it: learned_on="my table"; added to each function's own info.

    Raises:
        ValueError: for another path or something else than functions; a value that is not finite in float32.

    Example:
        >>> import tempfile
        >>> import torch
        >>> path = tempfile.mkdtemp() + "/mine.safetensors"
        >>> save(path, Spline(torch.tensor([0.0, 1.0]), -2, 2), learned_on="my table")
        >>> Spline.load(path)(torch.tensor([0.0])), Spline.load(path).info
        (tensor([0.5000]), {'learned_on': 'my table'})
    """
    path = _checked(path)
    if hasattr(functions, "splines"):
        functions = functions.splines()
    functions = functions if isinstance(functions, dict) else {"hidden": functions}
    for name, g in functions.items():
        if not isinstance(g, Spline):
            hint = "make a Spline of the values, with their range: Spline(values, low, high)"
            raise ValueError(f"functions must be splines, got {type(g).__name__} for {name!r}: {hint}")
    tensors = {name: g.values.detach().float().contiguous().cpu() for name, g in functions.items()}
    about = {
        name: {"low": g.low, "high": g.high, "method": g.method, "dim": g.dim, "info": {**g.info, **info}}
        for name, g in functions.items()
    }
    try:
        text = json.dumps(about, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"info must be what JSON knows, finite numbers, texts, lists and dicts: {error}") from None
    _splines(path, tensors, about)
    metadata = {KEY: json.dumps({"functions": text, "sha256": _digest(text, tensors)})}
    write_atomically(path, save_bytes(tensors, metadata=metadata))


def read(path: str | Path) -> dict[str, Spline]:
    """The functions of a file that :func:`save` wrote, by name.

    Raises:
        ValueError: if the file is damaged, was changed, or says something that no spline can be.
    """
    path = _checked(path)
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(KEY, "")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        if len(text) > LARGEST:
            raise ValueError(f"its metadata has {len(text)} characters, more than {LARGEST}")
        outer = json.loads(text)
        about = json.loads(outer["functions"])
        if outer["sha256"] != _digest(outer["functions"], tensors):
            raise ValueError("its checksum does not fit: it was changed or damaged")
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = f"{error}" if isinstance(error, ValueError | SafetensorError) else repr(error)
        raise ValueError(f"{path} is not a readable file of activations: {reason}") from None
    return _splines(path, tensors, about)


def only(functions: dict[str, Spline], path: str | Path) -> Spline:
    """The hidden function, or the one that there is; ValueError if there are several others."""
    if "hidden" in functions or len(functions) == 1:
        return functions.get("hidden") or next(iter(functions.values()))
    raise ValueError(f"{path} holds several functions, {sorted(functions)}: choose from lib.activations.read(path)")


def _checked(path: str | Path) -> Path:
    if Path(path).suffix != ".safetensors":
        raise ValueError(f"a file of activations must end in .safetensors, got {Path(path).name!r}")
    return Path(path)


def _digest(text: str, tensors: dict[str, Tensor]) -> str:
    checksum = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        values = tensors[name].contiguous()
        checksum.update(f"{name} {values.dtype} {tuple(values.shape)};".encode())
        checksum.update(values.numpy().tobytes())
    return checksum.hexdigest()


def _splines(path: Path, tensors: dict[str, Tensor], about: dict) -> dict[str, Spline]:
    """Splines from what a file says, or a ValueError that names the rule."""
    try:
        if not tensors or set(tensors) != set(about):
            raise ValueError(f"it must say the same of each function, got {sorted(tensors)} and {sorted(about)}")
        found = {}
        for name, values in tensors.items():
            entry, kinds = about[name], {"low": float, "high": float, "method": str, "dim": int, "info": dict}
            if set(entry) != set(kinds) or not all(type(entry[key]) is kind for key, kind in kinds.items()):
                raise ValueError(f"{name!r} must say {sorted(kinds)}, each of its type, got {str(entry)[:200]}")
            if not values.is_floating_point() or not bool(values.isfinite().all()):
                raise ValueError(f"the values of {name!r} must be finite floating-point numbers")
            found[name] = Spline(values, **entry)
        return found
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{path.name}: {error}") from None


def index(folder: Path = FOLDER) -> dict[str, dict]:
    """What there is: name -> section, data, task, arm, record, file, kind ("hidden" or "input"); depth, width,
    optimiser and rate of the networks that it was learned in; the range low, high and number of control points of the
    function, or of each; picture: its shape in a line of text (of several, the first's); and gain, half_width, seeds:
    the gain over ReLU (None where there are no such runs, or, for the half width, one seed); steps: for one
    algorithmic task, the steps to 95 % test accuracy (None if never) with it ("own") and with ReLU, and the "last".

    Raises:
        ValueError: if the index is missing or damaged.
    """
    return _json(folder / "index.json")


def constants(folder: Path = FOLDER) -> list[dict]:
    """Section and data of the activations that are not here, as learning them gave a constant; ValueError: as above."""
    return _json(folder / "constants.json")


def _json(path: Path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path} is not readable ({error}); write it anew with python -m book.press.release"
        ) from error


def load(name: str, folder: Path = FOLDER) -> Spline:
    """A learned activation as a module; input activations are one spline per column, for inputs (..., d). ``info`` says
    what it was learned on, and for input activations the names and the scaling of the columns.

    Raises:
        ValueError: if there is none of that name (the message names near ones), or its file is damaged.
    """
    known = index(folder)
    if name not in known:
        near = difflib.get_close_matches(str(name), known, 3, 0.3)
        words = f"near are {', '.join(map(repr, near))}" if near else f"there are {len(known)}"
        raise ValueError(f"no activation is called {name!r}; {words}; lib.activations.find() lists all")
    return only(read(folder / known[name]["file"]), name)


def find(task: str | None = None, kind: str | None = None, min_gain: float | None = None) -> pd.DataFrame:
    """The activations that there are, as a table: best gain first, one row per name.

    Args:
        task: words of the name in words, such as "regression", "algorithmic", "mod 27", "electricity".
        kind: "hidden" or "input".
        min_gain: least gain in test accuracy over ReLU, in [0, 1], by the lower end of its 95 % interval.

    Returns:
        name (index), in_words, data, task, kind, picture, gain and half_width (accuracy over ReLU, same optimiser),
        seeds, depth, width, optimiser, rate, points, low, high.

    Example:
        >>> find(task="mod 13", kind="hidden").index.tolist()
        ['grokking-aplusb-mod-13-sgd-zeros']
    """
    if kind not in (None, "hidden", "input"):
        raise ValueError(f"kind must be 'hidden' or 'input', got {kind!r}")
    rows = []
    for name, entry in index().items():
        lower = -math.inf if entry["half_width"] is None else entry["gain"] - entry["half_width"]
        text = f"{entry['section']} {words(name, entry)}".lower()
        if (task and task.lower() not in text) or kind not in (None, entry["kind"]):
            continue
        if min_gain is None or lower >= min_gain:
            rows.append({"name": name, "in_words": words(name, entry)} | entry)
    columns = "in_words data task kind picture gain half_width seeds depth width optimiser rate points low high".split()
    table = pd.DataFrame(rows, columns=["name", *columns]).set_index("name")
    return table.sort_values("gain", ascending=False, key=lambda gains: gains.astype(float))


def words(name: str, entry: dict) -> str:
    """A name that needs no decoding.

    Example:
        >>> words("grokking-aplusb-mod-13-sgd-zeros", index()["grokking-aplusb-mod-13-sgd-zeros"])
        'a+b mod 13, algorithmic task, for hidden layers, learned from zeros with SGD'
    """
    starts = {"zeros": "learned from zeros", "relu": "learned from a ReLU", "random": "learned from a random start"}
    optimiser = OPTIMISERS.get(entry["optimiser"], entry["optimiser"])
    what = "one function per column" if entry["kind"] == "input" else "for hidden layers"
    start = starts.get(name.rsplit("-", 1)[-1], "learned")
    task = {"one-hot": "algorithmic task", "binary": "table"}.get(entry["task"], entry["task"])
    return f"{entry['data']}, {task}, {what}, {start} with {optimiser}"
