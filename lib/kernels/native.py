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
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("kernels.cpp")
BASE_FLAGS = ["-O3", "-std=c++17", "-shared", "-fPIC", "-w", "-fno-trapping-math", "-fno-math-errno"]
FLAG_SETS = (["-march=native"], [])  # the second for compilers that do not know the first


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
        logging.getLogger(__name__).warning("spline kernels: PyTorch is used, compiling failed (%s)", reason)
        return None


def cache_folder() -> Path:
    """Return the folder of the compiled libraries, below $XDG_CACHE_HOME or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "simplicity-bias-companion"


def compiled(flag_sets: tuple[list[str], ...] = FLAG_SETS) -> ctypes.CDLL:
    """Return the kernels from the cache, or compile them with the first set of flags that works.

    Raises:
        OSError, subprocess.SubprocessError: if there is no compiler or cache, or no set of flags works.
    """
    compiler = _compiler()
    version = _output([*compiler, "--version"])
    for last, flags in enumerate(flag_sets, 1 - len(flag_sets)):
        command = [*compiler, *BASE_FLAGS, *flags]
        identity = "\n".join([SOURCE.read_text(), version, shlex.join(command), _cpu()])
        path = cache_folder() / f"{SOURCE.stem}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.so"
        try:
            return _open(path)
        except OSError:  # not there, or damaged
            pass
        try:
            _build(command, path)
        except subprocess.SubprocessError:
            if last == 0:
                raise
        else:
            return _open(path)


def _open(path):
    library = ctypes.CDLL(str(path))
    library.spline_backend.restype = ctypes.c_char_p
    pointer, size, real = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double
    for function in (library.spline_float32, library.spline_float64):
        function.argtypes, function.restype = [ctypes.c_int, *[pointer] * 5, *[size] * 4, *[real] * 2], None
    for function in (library.paths_float32, library.paths_float64):
        function.argtypes, function.restype = [*[pointer] * 6, *[size] * 4, *[real] * 2], None
    return library


def _build(command, path):
    """Compile to a temporary neighbour and move it into place, so that processes can build at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(suffix=".tmp", prefix=path.stem, dir=path.parent)
    os.close(handle)
    try:
        _output([*command, str(SOURCE), "-o", temporary])
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _compiler():
    """Return the command of the C++ compiler: $CXX, or the first that is installed."""
    if os.environ.get("CXX"):
        return shlex.split(os.environ["CXX"])
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


def _output(command):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
