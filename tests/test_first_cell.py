"""The first cell of every notebook: it finds this repository or fetches it, wherever and however often it runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from book.press import pairs

ROOT = pairs.ROOT
CELL = pairs.notebook(ROOT / "notebooks" / "images.py").cells[1].source
ASK = "import importlib.util as i; print(*[i.find_spec(name).origin for name in ('lib.splines', 'notebooks.paper.claims')])"


def run(folder, code=CELL, **environment):
    """Run the cell and then what asks where the imports came from, in a process of its own."""
    program = f"{code}\n{ASK}"
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment or None)


def came_from(result):
    assert result.returncode == 0, result.stderr
    return {str(Path(file).parents[1 + ("paper" in file)]) for file in result.stdout.split()[-2:]}


@pytest.fixture
def origin(tmp_path):
    """A small repository with what the imports need."""
    folder = tmp_path / "origin"
    for name, text in {
        "lib/__init__.py": "", "lib/splines.py": "", "notebooks/paper/__init__.py": "",
        "notebooks/paper/claims.py": "", "notebooks/paper/claims.toml": "",
    }.items():  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "all"],
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


@pytest.fixture
def elsewhere(tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def fetching(origin):
    return CELL.replace(pairs.address(), origin.as_uri())


@pytest.mark.parametrize("folder", ["", "notebooks"])
def test_in_a_clone_it_finds_the_clone(folder):
    assert came_from(run(ROOT / folder)) == {str(ROOT)}


def test_in_another_folder_it_fetches_the_repository_once(origin, elsewhere):
    assert came_from(run(elsewhere, fetching(origin))) == {str(elsewhere / "companion")}
    origin.rename(origin.with_name("gone"))
    assert came_from(run(elsewhere, fetching(origin) + "\n" + fetching(origin))) == {str(elsewhere / "companion")}
    assert [path.name for path in elsewhere.iterdir()] == ["companion"]


@pytest.mark.parametrize("half", ["lib/splines.py", ".git/HEAD"])
def test_half_a_clone_is_put_aside(origin, elsewhere, half):
    (elsewhere / "companion" / half).parent.mkdir(parents=True)
    (elsewhere / "companion" / half).write_text("half")
    assert came_from(run(elsewhere, fetching(origin))) == {str(elsewhere / "companion")}
    (aside,) = elsewhere.glob("companion-old-*")
    assert (aside / half).exists()


@pytest.mark.parametrize("foreign", ["lib/nothing.txt", "lib/__init__.py"])
@pytest.mark.parametrize("before", ["", "import lib\n"])
def test_another_lib_in_the_folder_is_not_taken(origin, elsewhere, foreign, before):
    (elsewhere / "lib").mkdir()
    (elsewhere / foreign).touch()
    assert came_from(run(elsewhere, before + fetching(origin))) == {str(elsewhere / "companion")}


def test_without_network_it_says_so_and_leaves_nothing(tmp_path, elsewhere):
    found = run(elsewhere, fetching(tmp_path / "gone"))
    assert found.returncode and "RuntimeError" in found.stderr and "could not be fetched: " in found.stderr
    assert list(elsewhere.iterdir()) == []


def test_in_colab_it_installs_what_colab_lacks(origin, elsewhere):
    installed = elsewhere / "installed.json"
    fake = "import sys, types, subprocess, json\nsys.modules['google.colab'] = types.ModuleType('colab')\nreal = subprocess.run\n"
    fake += "def run(command, **options):\n    if 'pip' not in command:\n        return real(command, **options)\n"
    fake += f"    open({str(installed)!r}, 'w').write(json.dumps(command[3:]))\nsubprocess.run = run\n"
    assert came_from(run(elsewhere, fake + fetching(origin))) == {str(elsewhere / "companion")}
    assert json.loads(installed.read_text())[:2] == ["install", "--quiet"]


def test_it_is_closed_in_colab_and_in_jupyter():
    for script in pairs.scripts():
        (cell,) = [cell for cell in pairs.notebook(script).cells if "set-up" in cell.metadata.get("tags", [])]
        assert cell.source == CELL and cell.metadata.cellView == "form" and cell.metadata.jupyter.source_hidden
        assert cell.source.startswith("# @title ")
