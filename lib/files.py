"""Write files so that a reader sees the old or the new content, never a part; and locks between processes."""

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
import numpy as np


def cache_folder() -> Path:
    """The user's own folder for what can be made again: below $XDG_CACHE_HOME, or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "simplicity-bias-companion"


def compressed(**arrays: np.ndarray) -> bytes:
    """The content of a compressed .npz file with these arrays."""
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def write_atomically(path: str | Path, content: bytes) -> None:
    """Replace the file by ``content`` in one step, which a loss of power does not undo; folders are made as needed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # or a loss of power could leave the new name with an empty file
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # or it could bring back the old name
        finally:
            os.close(folder)


def remove_parts(path: Path) -> None:
    """Delete what writers that were killed have left of a file; nobody may be writing it."""
    for part in path.parent.glob(f".{path.name}.*.tmp"):
        part.unlink(missing_ok=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock between processes, which ends with its holder; the file at ``path`` stands for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
