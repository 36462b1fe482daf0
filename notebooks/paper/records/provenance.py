"""Where a record comes from: code, packages, hardware, time and memory; not whose machine it was."""

import functools
import hashlib
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lib import ARITHMETIC

REPOSITORY = Path(__file__).resolve().parents[3]
CODE = ("lib", "notebooks/paper")  # what results depend on
PACKAGES = ("torch", "numpy", "scikit-learn")


def provenance(started: datetime, duration: float) -> dict[str, Any]:
    """Return the provenance of what began at ``started`` (with a time zone) and took ``duration`` seconds.

    They are processor time; of records from before the version of the arithmetic is named, time by the clock.
    """
    if started.tzinfo is None:
        raise ValueError(f"started must have a time zone, got {started}")
    return {
        **code(),
        "python": platform.python_version(),
        "packages": packages(),
        "hardware": hardware(),
        "threads": sys.modules["torch"].get_num_threads() if "torch" in sys.modules else None,
        **_implementations(),
        "arithmetic": ARITHMETIC,
        "start": started.astimezone(UTC).isoformat(timespec="seconds"),
        "duration_s": round(float(duration), 3),
        "peak_memory_mb": peak_memory_mb(),
    }


@functools.cache
def code(*paths: str) -> dict[str, Any]:
    """Return the commit and whether the paths (CODE if none is given) differ from it, as of the first call.

    "unknown" without git.
    """

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=30
        ).stdout.strip()

    with suppress(OSError, subprocess.SubprocessError):
        if Path(git("rev-parse", "--show-toplevel")).resolve() == REPOSITORY:
            dirty = bool(git("status", "--porcelain", "--", *(paths or CODE)))
            return {"commit": git("rev-parse", "HEAD"), "dirty": dirty}
    return {"commit": "unknown", "dirty": None}


@functools.cache
def version() -> str:
    """Return the sha256 of the sources that results depend on and of the packages' versions, as of the first call."""
    digest = hashlib.sha256(repr(packages()).encode())
    for path in sorted(path for folder in CODE for path in (REPOSITORY / folder).rglob("*")):
        if path.suffix in (".py", ".cpp"):
            digest.update(f"{path.relative_to(REPOSITORY)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


@functools.cache
def packages() -> dict[str, str | None]:
    """Return the installed versions of the packages that results depend on."""
    versions: dict[str, str | None] = dict.fromkeys(PACKAGES)
    for name in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


@functools.cache
def hardware() -> dict[str, Any]:
    """Return the processor's model and the number of cores that this process may use."""
    model = platform.processor() or platform.machine()
    with suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        model = found.group(1).strip() if found else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cpu": model, "cores": cores}


def rounding(provenance: dict[str, Any]) -> tuple:
    """What tells, of a provenance, how results are rounded: processor, kernels, products, our arithmetic, packages.

    Records from before the arithmetic was noted are of version 1; of those from before what multiplies was, it was
    PyTorch's own choice.
    """
    made_by = provenance["backend"], provenance.get("products", "default"), provenance.get("arithmetic", 1)
    return provenance["hardware"]["cpu"], *made_by, *sorted(provenance["packages"].items())


def _implementations() -> dict[str, str | None]:
    """The spline kernels, and what multiplies matrices; None where they were not in use."""
    kernels, steps = sys.modules.get("lib.kernels"), sys.modules.get("lib.steps")
    return {"backend": kernels and kernels.backend(), "products": steps and steps.multiplies()}


def peak_memory_mb() -> float | None:
    """Return the largest memory of this process in MB, since :func:`reset_peak_memory` on Linux."""
    with suppress(OSError, AttributeError):
        status = Path("/proc/self/status").read_text()
        return round(int(re.search(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE).group(1)) / 1024, 1)
    with suppress(ImportError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return round(peak / (1024**2 if sys.platform == "darwin" else 1024), 1)
    return None


def reset_peak_memory() -> None:
    """Start a new measurement, so that a process that runs several experiments tells them apart (Linux)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
