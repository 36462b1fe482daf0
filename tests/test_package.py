"""`pip install .`: the library alone, under a name of its own, without the repository."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
USE = """
import os, pathlib, torch, simplicity_bias
from simplicity_bias import kernels, metalearning, networks, splines, training
from simplicity_bias.datasets import prepared

here = pathlib.Path(simplicity_bias.__file__).parent
assert here == pathlib.Path(os.environ["PYTHONPATH"]) / "simplicity_bias", here
g = splines.Spline(torch.sin(torch.linspace(-5, 5, 50)), -5, 5)
assert torch.allclose(g(torch.tensor([0.3])), torch.sin(torch.tensor([0.3])), atol=0.01)
assert prepared.directory() == pathlib.Path(os.environ["XDG_CACHE_HOME"]) / "simplicity-bias-companion" / "data"
print(kernels.backend())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--quiet",
        "-w",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_has_the_library_with_its_kernels_and_nothing_else(wheel):
    names = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    tracked = subprocess.run(
        ["git", "ls-files", "lib"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert set(names) == {name.replace("lib/", "simplicity_bias/", 1) for name in tracked}
    assert any(name.endswith(".cpp") for name in names)


def test_it_works_beside_a_folder_lib_and_without_the_repository(wheel, tmp_path):
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    zipfile.ZipFile(wheel).extractall(site)
    (elsewhere / "lib").mkdir(parents=True)
    (elsewhere / "lib" / "__init__.py").write_text("raise ImportError('the wrong one')")
    environment = {**os.environ, "PYTHONPATH": str(site), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment.pop("SIMPLICITY_DATA", None)
    environment.pop("SPLINE_BACKEND", None)
    run = subprocess.run([sys.executable, "-c", USE], cwd=elsewhere, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(("cpp", "torch"))
