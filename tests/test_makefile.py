"""The environment that make looks after."""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_an_environment_without_a_python_that_works_is_made_again(tmp_path):
    """As after an update of the system's Python; the same holds for one without pip."""
    shutil.copyfile(ROOT / "Makefile", tmp_path / "Makefile")
    (tmp_path / "requirements.lock").write_text("# nothing\n")
    venv.create(tmp_path / ".venv", with_pip=False)
    for name in ("python", "python3"):
        (tmp_path / ".venv" / "bin" / name).unlink(missing_ok=True)
        (tmp_path / ".venv" / "bin" / name).symlink_to(tmp_path / "gone")
    (stamp,) = subprocess.run(
        ["make", "-pn"], cwd=tmp_path, capture_output=True, text=True
    ).stdout.partition("INSTALLED := ")[2].splitlines()[:1]  # fmt: skip
    (tmp_path / ".venv" / stamp.replace("$(VENV)/", "").rpartition("/")[2]).touch()
    run = subprocess.run(["make", f"PYTHON={sys.executable}", "lint"], cwd=tmp_path, capture_output=True, text=True)
    assert ".venv has no Python that works, or no pip: it is made again" in run.stdout
    assert "No module named ruff" in run.stderr  # the new one has what the empty list asks for
    subprocess.run([tmp_path / ".venv" / "bin" / "python", "-c", "import pip"], check=True)


def test_a_python_that_is_too_old_is_refused_in_words(tmp_path):
    shutil.copyfile(ROOT / "Makefile", tmp_path / "Makefile")
    (tmp_path / "requirements.lock").write_text("# nothing\n")
    old = tmp_path / "old"
    old.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c \"import sys; sys.version_info = (3, 9); sys.version = '3.9.2 x'; exec('''$2''')\"\n"
    )
    old.chmod(0o755)
    run = subprocess.run(["make", f"PYTHON={old}", "lint"], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode and "Python 3.11 or newer is needed" in run.stderr and "is 3.9.2" in run.stderr
    assert not (tmp_path / ".venv").exists()
