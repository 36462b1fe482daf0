"""Write files so that a reader sees the old or the new content, never a part; and locks between processes."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

try:
    import fcntl
except ImportError:  # not a POSIX system: files are still written atomically, but without locks
    fcntl = None


def cache_folder() -> Path:
    """The user's own folder for what can be made again: below $XDG_CACHE_HOME, or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "simplicity-bias-companion"


def write_atomically(path: str | Path, content: bytes) -> None:
    """Replace the file by ``content`` in one step; parent folders are made as needed.

    Example:
        >>> write_atomically(tempfile.mkdtemp() + "/a.json", b"{}")
    """
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


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold a lock between processes; yield False if another one has it and ``wait`` is False.

    The file at ``path`` says who holds it (process id and start). The system lets go of it when its holder
    dies: a file that was left behind stops nobody.
    """
    if fcntl is None:
        yield True
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(handle)
            yield False
            return
        if os.fstat(handle).st_nlink:  # otherwise its holder removed the file between our two calls: again
            break
        os.close(handle)
    try:
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()} {datetime.now(UTC).isoformat(timespec='seconds')}\n".encode())
        yield True
    finally:
        with suppress(FileNotFoundError):
            os.unlink(path)
        os.close(handle)
