"""Compile kernels.cpp at first use into a library that is cached per user, source, compiler and CPU.

The environment variable SPLINE_BACKEND, "torch" or "cpp", forces PyTorch or the compiled kernels on the CPU.
"""

import ctypes
import functools
import hashlib
import logging
import os
import platform
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from ..files import cache_folder, locked, write_atomically

SOURCES = [Path(__file__).with_name(name) for name in ("steps.cpp", "kernels.cpp")]  # the first includes the second
SIGNATURES = {  # of their functions, per argument: int, pointer, int64, double
    "spline": "ipppppnnnnrr",
    "paths": "ppppppnnnnrr",
    "forward": "ppppppnnnrr",
    "backward": "pppnn",
    "scatter": "pppppnnn",
    "squared": "pppppnnr",
    "head": "ppppppppppnnnrri",
    "update": "ippppnrrr",
}
BASE_FLAGS = ["-O3", "-std=c++17", "-shared", "-fPIC", "-w", "-fno-trapping-math", "-fno-math-errno"]
VERSION_SECONDS, BUILD_SECONDS, SAID_AFTER = 20, 120, 15  # when a compiler is given up, and when it is said to be slow
FLAG_SETS = (["-march=native", "-mprefer-vector-width=512"], ["-march=native"], [])  # the first that a compiler knows
_log = logging.getLogger(__name__)


@functools.cache
def library() -> ctypes.CDLL | None:
    """Return the compiled kernels, or None if PyTorch is to be used; decided once per process.

    A failure (no compiler, a failed build, a cache that cannot be written) is one line of warning.

    Raises:
        ValueError: if SPLINE_BACKEND is neither torch nor cpp.
        RuntimeError: if SPLINE_BACKEND is cpp and the kernels cannot be compiled.
    """
    choice = os.environ.get("SPLINE_BACKEND", "")
    if choice not in ("", "torch", "cpp"):
        raise ValueError(f"SPLINE_BACKEND must be torch or cpp, got {choice!r}")
    if choice == "torch":
        return None
    try:
        return compiled()
    except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
        lines = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        reason = lines[0] if lines else type(error).__name__
        if choice == "cpp":
            raise RuntimeError(f"SPLINE_BACKEND is cpp, but there are no kernels: {reason}") from error
        _log.warning("spline kernels: PyTorch is used, compiling failed (%s)", reason)
        return None


def compiled(flag_sets: tuple[list[str], ...] = FLAG_SETS) -> ctypes.CDLL:
    """Return the kernels from the cache, or compile them with the first set of flags that works. OSError, RuntimeError
    or subprocess.SubprocessError if there is no compiler or cache, or no set of flags works."""
    compiler, folder = _compiler(), cache_folder()
    _make_ours(folder)
    stuck = folder / f"{_digest(shlex.join(compiler))}.stuck"
    if stuck.exists() and 0 <= (age := time.time() - stuck.stat().st_mtime) < 3600:
        raise RuntimeError(f"{compiler[0]} gave no answer {age / 60:.0f} minutes ago; to try again, delete {stuck}")
    slow = threading.Timer(SAID_AFTER, _log.warning, [f"spline kernels: still waiting for {shlex.join(compiler)}"])
    slow.daemon = True
    slow.start()
    try:
        return _first_that_works(compiler, flag_sets, folder)
    except subprocess.TimeoutExpired:
        write_atomically(stuck, b"")
        raise
    finally:
        slow.cancel()


def _first_that_works(compiler, flag_sets, folder):
    version = _output([*compiler, "--version"], VERSION_SECONDS)
    for flags in flag_sets:
        command = [*compiler, *BASE_FLAGS, *flags]
        name = "kernels-" + _digest(*(source.read_text() for source in SOURCES), version, shlex.join(command), _cpu())
        with suppress(FileNotFoundError):
            return _cached(folder, name)
        with locked(folder / f"{name}.lock"):  # one process builds, the others wait for it
            with suppress(FileNotFoundError):
                return _cached(folder, name)
            try:
                _build(command, folder, name)
                return _cached(folder, name)
            except subprocess.CalledProcessError:
                if flags is flag_sets[-1]:
                    raise


def _cached(folder, name):
    """Load a library whose content has the checksum in its name, is ours and closed to others; delete it if not."""
    for path in sorted(folder.glob(f"{name}-*.so")):
        status = path.lstat()
        ours = stat.S_ISREG(status.st_mode) and status.st_uid == _user() and not status.st_mode & 0o022
        if ours and path.name == f"{name}-{_digest(path.read_bytes())}.so":
            return _open(path)
        path.unlink()
    raise FileNotFoundError(f"there is no {folder / name}-*.so: the compiler made none")


def _make_ours(folder):
    """Make the folder if need be, and close it to others: what lies there is run. OSError if it is of another user."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    if status.st_uid != _user():
        raise PermissionError(f"{folder} belongs to another user")
    if status.st_mode & 0o022:
        folder.chmod(status.st_mode & 0o755)


def _user():
    return os.getuid() if hasattr(os, "getuid") else 0  # as st_uid without users


def _digest(*parts):
    content = b"\n".join(part if isinstance(part, bytes) else part.encode() for part in parts)
    return hashlib.sha256(content).hexdigest()[:16]


def _open(path):
    library = ctypes.CDLL(str(path))
    library.spline_backend.restype = ctypes.c_char_p
    kinds = {"i": ctypes.c_int, "p": ctypes.c_void_p, "n": ctypes.c_int64, "r": ctypes.c_double}
    for name, arguments in SIGNATURES.items():
        for dtype in ("float32", "float64"):  # each is a pointer to a function
            function = ctypes.CFUNCTYPE(None, *(kinds[kind] for kind in arguments))
            setattr(library, f"{name}_{dtype}", function.in_dll(library, f"{name}_{dtype}"))
    return library


def _build(command, folder, name):
    """Compile to a temporary neighbour, and move it to the name with its checksum."""
    handle, temporary = tempfile.mkstemp(suffix=".tmp", prefix=name, dir=folder)
    os.close(handle)
    temporary = Path(temporary)
    try:
        for_c = ["-lstdc++"] if os.environ.get("CC") and not os.environ.get("CXX") else []  # which it does not add
        _output([*command, str(SOURCES[0]), "-o", str(temporary), *for_c], BUILD_SECONDS)
        temporary.chmod(0o700)
        if content := temporary.read_bytes():
            os.replace(temporary, folder / f"{name}-{_digest(content)}.so")
    finally:
        temporary.unlink(missing_ok=True)


def _compiler():
    """Return the command of the C++ compiler: $CXX, $CC as one for C++, or the first that is installed."""
    if command := os.environ.get("CXX"):
        return shlex.split(command)
    if command := os.environ.get("CC"):
        return [*shlex.split(command), "-x", "c++"]
    for name in ("g++", "clang++", "c++"):
        if shutil.which(name):
            return [name]
    raise FileNotFoundError("no C++ compiler found")


def _cpu():
    """Describe what -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    described = ("model name", "cpu family", "model\t", "stepping", "flags", "Features", "CPU part")
    return "\n".join(sorted({line for line in lines if line.startswith(described)}))


def _output(command, seconds):
    """Run a command; end it, with all that it started, after some time. Raises SubprocessError."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, start_new_session=True) as process:
        try:
            out, errors = process.communicate(timeout=seconds)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
            raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, out, errors)
    return out
