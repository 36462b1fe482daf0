"""The lock file: what `make` installs, made from requirements.txt."""

import re
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
ENTRIES = re.split(
    r"\n(?=[a-zA-Z0-9])", "\n".join(line for line in LOCK.splitlines() if not line.lstrip().startswith("#"))
)


def requirement(entry):
    return Requirement(re.split(r"\s*\\?\n", entry, maxsplit=1)[0])


def name(requirement):
    return re.sub(r"[-_.]+", "-", requirement.name).lower()


def test_every_package_of_the_lock_is_pinned_with_hashes_and_names_no_server():
    assert len(ENTRIES) > 100
    for entry in ENTRIES:
        assert re.fullmatch(r"==[^,*]+", str(requirement(entry).specifier)) and requirement(entry).url is None, entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry
    assert "://" not in LOCK and "--index" not in LOCK and "--find-links" not in LOCK


def test_the_lock_has_the_versions_of_requirements_txt():
    """Otherwise: `make lock`."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    locked = [requirement(entry) for entry in ENTRIES]
    for python in ("3.11", "3.12", "3.13"):
        here = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
        found = {name(entry): entry for entry in locked if not entry.marker or entry.marker.evaluate(here)}
        for package in wanted:
            assert str(found[name(package)].specifier) == str(package.specifier), f"{package} with Python {python}"
