"""The manifest of the datasets that the committed records were computed on: fingerprints, rows, what copy each is."""

import json
import os

from lib.datasets import algorithmic, catalogue, prepared
from lib.files import write_atomically

MANIFEST = prepared.ROOT / "data" / "results" / "datasets.json"


def fingerprint(name: str, data_dir: str | os.PathLike | None = None) -> str:
    """The fingerprint of a dataset: of the data if they are here, else of the copy in the manifest. Never downloads.

    Raises:
        ValueError: if the name is unknown, the local file is damaged, or there is neither file nor entry.
    """
    if catalogue.available(name, data_dir):
        return catalogue.fingerprint(name, data_dir)
    if (recorded := sha256(name)) is None:
        file = catalogue.path(name, data_dir)
        raise ValueError(f"no fingerprint of {name!r}: {file} is missing and {MANIFEST} has no entry for it")
    return recorded


def known(name: str, data_dir: str | os.PathLike | None = None) -> bool:
    """Whether :func:`fingerprint` has an answer: a dataset's data are here, or it is in the manifest."""
    return catalogue.available(name, data_dir) or name in _manifest()


def sha256(name: str) -> str | None:
    """The fingerprint in the manifest: of the copy that the stored results were computed on, if any."""
    entry = _manifest().get(name)
    return entry and entry["sha256"]


def rows(name: str) -> tuple[int, int] | None:
    """The rows (training images) that the stored results used, and the official number; None if not recorded.

    >>> rows("digits") is None
    True
    """
    entry, official = _manifest().get(name), official_rows(name)
    return (entry["rows"], official) if entry and official else None


def official_rows(name: str) -> int | None:
    """The number of rows (training images) of the official dataset; None for embedded ones and tasks."""
    if name in catalogue.IMAGES:
        return catalogue.IMAGES[name].official
    return catalogue.TABLES[name][1] if name in catalogue.TABLES else None


def enter(names: list[str], data_dir: str | os.PathLike | None = None) -> None:
    """Merge the fingerprints of datasets into the manifest, each with its rows and a note on what copy it is of.

    Args:
        names: datasets of which the data are here; other entries of the manifest stay as they are.
        data_dir: see :func:`lib.datasets.prepared.directory`.

    Raises:
        ValueError: if the data of one of them are not here (nothing is written then).
    """
    missing = [str(catalogue.path(name, data_dir)) for name in names if not catalogue.available(name, data_dir)]
    if missing:
        raise ValueError(f"fingerprints are recorded of data that are here; missing: {', '.join(missing)}")
    entries = {}
    for name in names:
        first, *others = catalogue.arrays(name, data_dir)
        about = {"rows": len(first), "note": _note(name, first, others)}
        entries[name] = {"sha256": catalogue.fingerprint(name, data_dir)} | about
    merged = dict(sorted((_manifest() | entries).items()))
    write_atomically(MANIFEST, (json.dumps(merged, indent=2) + "\n").encode())


def _manifest() -> dict:
    if not MANIFEST.exists():
        return {}
    try:
        entries = json.loads(MANIFEST.read_text(encoding="utf-8"))
        valid = all(isinstance(entry["sha256"], str) and entry["rows"] > 0 for entry in entries.values())
    except (ValueError, AttributeError, KeyError, TypeError):
        valid = False
    if not valid:
        raise ValueError(f"{MANIFEST} is damaged: restore it from the repository's history")
    return entries


def _note(name, first, others) -> str:
    """What copy of a dataset these arrays are."""
    if algorithmic.is_task(name):
        return f"all {len(first):,} pairs of operands"
    if len(others) == 3:  # images
        note = f"{len(first):,} training and {len(others[1]):,} test images of {'x'.join(map(str, first.shape[1:]))}"
        whole = "; the official training set has {:,}"
    else:
        note, whole = f"{len(first):,} rows x {first.shape[1]} columns", "; the official table has {:,} rows"
    official = official_rows(name)
    return note + (whole.format(official) if official not in (None, len(first)) else "")
