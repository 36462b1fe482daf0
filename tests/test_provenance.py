"""Where a record comes from."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from notebooks.paper.records import provenance

ROOT = Path(__file__).resolve().parents[1]
STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "REPOSITORY", tmp_path)
    provenance.code.cache_clear()
    yield tmp_path
    provenance.code.cache_clear()


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_provenance_says_where_a_record_comes_from():
    found = provenance.provenance(STARTED, 1.5)
    assert set(found) == {
        "commit", "dirty", "python", "packages", "hardware", "threads", "backend", "products", "arithmetic", "start", "duration_s",
        "peak_memory_mb",
    }  # fmt: skip
    assert set(found["packages"]) == {"torch", "numpy", "scikit-learn"}
    assert found["packages"]["numpy"] == np.__version__
    assert found["start"] == "2026-01-02T01:04:05+00:00" and found["duration_s"] == 1.5
    assert found["hardware"]["cores"] >= 1 and found["hardware"]["cpu"]
    assert 10 < found["peak_memory_mb"] < 1e5


def test_it_needs_a_time_zone():
    with pytest.raises(ValueError, match="started must have a time zone"):
        provenance.provenance(datetime(2026, 1, 1), 1.0)


def test_the_version_of_the_code_is_that_of_its_sources(repository):
    (repository / "lib").mkdir()
    (repository / "lib" / "a.py").write_text("1")
    first = provenance.version.__wrapped__()
    (repository / "lib" / "notes.txt").write_text("not code")
    assert provenance.version.__wrapped__() == first
    (repository / "lib" / "a.py").write_text("2")
    assert provenance.version.__wrapped__() != first


def test_provenance_without_git(repository):
    assert provenance.provenance(datetime.now(UTC), 1)["commit"] == "unknown"


def test_provenance_without_the_git_command(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.code() == {"commit": "unknown", "dirty": None}


def test_provenance_has_the_commit_and_whether_the_library_differs(repository):
    (repository / "lib").mkdir()
    (repository / "lib" / "a.py").write_text("1")
    git(repository, "init")
    git(repository, "add", ".")
    git(repository, "commit", "-m", "a")
    (repository / "results.json").write_text("{}")  # not code
    commit = git(repository, "rev-parse", "HEAD")
    assert provenance.code() == {"commit": commit, "dirty": False}
    (repository / "lib" / "a.py").write_text("2")
    provenance.code.cache_clear()
    assert provenance.code() == {"commit": commit, "dirty": True}
    inner = repository / "copy"  # of the project, without git, inside another repository
    inner.mkdir()
    provenance.REPOSITORY = inner
    provenance.code.cache_clear()
    assert provenance.code()["commit"] == "unknown"


PEAKS = """
import numpy as np
from notebooks.paper.records import provenance
provenance.reset_peak_memory()
before = provenance.peak_memory_mb()
block = np.ones(8_000_000)  # 61 MB
grown = provenance.peak_memory_mb()
del block
provenance.reset_peak_memory()
print(before, grown, provenance.peak_memory_mb())
"""


def test_peak_memory_grows_and_starts_anew():
    """In a fresh process: this one may have freed memory at hand, which is counted already."""
    done = subprocess.run([sys.executable, "-c", PEAKS], capture_output=True, text=True, check=True, cwd=ROOT)
    before, grown, anew = map(float, done.stdout.split())
    assert grown > before + 50
    if os.path.exists("/proc/self/clear_refs"):
        assert anew < grown - 40
