"""The workflows: pinned, with the least permissions, and nothing is published before the tests."""

import re
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).resolve().parent.parent / ".github" / "workflows"
WORKFLOWS = {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.yml"))}


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job.get("steps", [])]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_actions_are_pinned_by_commit_and_the_default_is_to_read(name):
    text = (FOLDER / name).read_text(encoding="utf-8")
    used = re.findall(r"uses: (\S+)(.*)", text)
    assert used
    for action, comment in used:
        assert action.startswith("./.github/workflows/") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), action
        assert action.startswith("./") or re.fullmatch(r" # v\d+\.\d+\.\d+", comment), "the comment names the version"
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}
    assert not re.search(r"pip install(?!.*--require-hashes)", text)


def test_only_the_jobs_that_publish_may_write_and_they_install_nothing():
    writing = {
        (name, key): job
        for name, workflow in WORKFLOWS.items()
        for key, job in workflow["jobs"].items()
        if "write" in job.get("permissions", {}).values()
    }
    assert {key: job["permissions"] for key, job in writing.items()} == {
        ("publish.yml", "executed"): {"contents": "write"},
        ("publish.yml", "deploy"): {"pages": "write", "id-token": "write"},
    }
    for job in writing.values():
        assert not any(re.search(r"pip|make|python|apt", step.get("run", "")) for step in job["steps"])
        assert "schedule" in job["if"]


def test_nothing_is_published_before_all_tests_have_passed():
    jobs = WORKFLOWS["publish.yml"]["jobs"]

    def before(name):
        needed = jobs[name].get("needs", [])
        needed = {needed} if isinstance(needed, str) else set(needed)
        return needed.union(*map(before, needed))

    assert {"tests", "notebooks", "book"} <= before("deploy") and {"tests", "notebooks", "book"} <= before("executed")
    assert jobs["tests"]["uses"].endswith("/tests.yml") and jobs["notebooks"]["uses"].endswith("/notebooks.yml")


def test_papermill_executes_every_notebook_of_the_repository():
    names = WORKFLOWS["notebooks.yml"]["jobs"]["notebooks"]["strategy"]["matrix"]["notebook"]
    assert sorted(names) == sorted(path.stem for path in (FOLDER.parents[1] / "notebooks").glob("*.ipynb"))


def test_everything_is_built_anew_each_week():
    assert WORKFLOWS["publish.yml"][True]["schedule"] == [{"cron": "17 4 * * 1"}]  # YAML reads `on` as True
    assert "make links" in str(steps(WORKFLOWS["publish.yml"]))
