"""The state of an unfinished run: found again when it is started anew with the same code, and only then."""

import hashlib
import json
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path

from lib.files import remove_parts, write_atomically

from .record import parse, read_file


class Checkpoint:
    """A file for the state of one run, under a checksum, with the processor time that it took so far.

    Args:
        path: the file.
        code: what tells the version of the code; a state that another version left is not used.
    """

    def __init__(self, path: Path, code: str):
        self.path, self.code = path, code
        self.started, self.before = datetime.now(UTC), 0.0  # of the whole run, and its seconds up to this process
        self.clock = time.process_time()

    @property
    def seconds(self) -> float:
        """The processor time that the run took so far, whatever else the machine did."""
        return self.before + time.process_time() - self.clock

    def load(self) -> bytes | None:
        """The state that was saved last; None if there is none, or a damaged one or another version's (a warning)."""
        try:
            header, _, state = read_file(self.path).partition(b"\n")
            about = parse(header)
            if about["sha256"] != _checksum(about, state):
                raise ValueError("it is damaged")
            if about["code"] != self.code:
                raise ValueError("it was left by another version of the code")
            self.started, self.before = datetime.fromisoformat(about["started"]), float(about["seconds"])
            return state
        except FileNotFoundError:
            return None
        except (ValueError, OSError, KeyError, TypeError) as error:
            warnings.warn(f"{self.path}: {error}; the run begins anew", stacklevel=2)
            return None

    def save(self, state: bytes) -> None:
        """Replace the state."""
        about = {"code": self.code, "started": self.started.isoformat(), "seconds": self.seconds}
        header = json.dumps(about | {"sha256": _checksum(about, state)})
        write_atomically(self.path, header.encode() + b"\n" + state)

    def remove(self) -> None:
        """Delete the file if there is one."""
        remove(self.path)


def remove(path: Path) -> None:
    """Delete a checkpoint if there is one, and what is left of it by writers that were killed."""
    path.unlink(missing_ok=True)
    remove_parts(path)


def _checksum(about: dict, state: bytes) -> str:
    parts = [about["code"], about["started"], about["seconds"]]
    return hashlib.sha256(json.dumps(parts).encode() + state).hexdigest()
