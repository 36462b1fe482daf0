"""The command line of the records, and where their data come from."""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from experiments_for_tests import KINDS, Failing, Numbers, Small, Squares
from prepared_files import write_images

from lib.datasets import download, fingerprint, load
from notebooks.paper.__main__ import main
from notebooks.paper.data import open_store
from notebooks.paper.records.store import Outcome, Store
from notebooks.paper.records.sweep import run_here


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results", data=Numbers())


@dataclass(frozen=True)
class Labelled(Small):
    kind = "labelled"
    datasets = ()
    label = "the one with a label"


@pytest.fixture
def command(tmp_path, monkeypatch):
    """The command line, with sections of its own."""

    def good(profile, store):
        yield [Labelled(1), Labelled(2)] if profile == "paper" else [Labelled(1)]
        assert store.has(Labelled(1))
        yield [Squares(())]

    def bad(profile, store):
        yield [Failing("design")]
        yield [Labelled(3)]

    def stopped(profile, store):
        raise KeyboardInterrupt
        yield

    sections = {"good": good, "bad": bad, "stopped": stopped}
    kinds = KINDS | {"labelled": Labelled}
    monkeypatch.setitem(sys.modules, "notebooks.paper.sections", SimpleNamespace(SECTIONS=sections, KINDS=kinds))
    return lambda *arguments: main([*arguments, "--results", str(tmp_path / "results")])


def test_command_computes_a_section(command, capsys):
    assert command("good", "--processes", "1") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "3 computed, 0 there before, 0 failed"
    assert command("good") == 0
    assert capsys.readouterr().out == "0 computed, 3 there before, 0 failed\n"


def test_command_fails_when_an_experiment_does(command, capsys):
    assert command("bad") == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("what depends on these was not started; failed: failing-")


def test_command_lists_what_is_missing(command, capsys, store):
    assert command("good", "--list") == 0
    printed = capsys.readouterr().out
    assert printed.startswith("stage 1: 2 of 2 missing\n  labelled-") and "(the one with a label)" in printed
    assert "stage 2" not in printed and not store.root.exists()
    assert command("good", "--list", "--profile", "smoke") == 0
    assert capsys.readouterr().out.startswith("stage 1: 1 of 1 missing\n")
    run_here([[Labelled(1), Labelled(2)]], store)
    assert command("good", "--list") == 0
    assert capsys.readouterr().out.startswith("stage 1: 0 of 2 missing\nstage 2: 1 of 1 missing\n  squares-")


def test_command_says_that_it_goes_on_after_ctrl_c(command, capsys):
    assert command("stopped") == 130
    assert "the same command goes on from there" in capsys.readouterr().out


def test_command_packs_and_drops(command, capsys, store):
    assert command("pack") == 0 and capsys.readouterr().out == "no loose records\n"
    record = store.put(Labelled(1), Outcome({"square": 1}), datetime.now(UTC), 1.0)
    if record.provenance["dirty"] is not False:
        with pytest.raises(SystemExit, match="computed with code that is in no commit"):
            command("pack")
        return
    assert command("pack") == 0 and capsys.readouterr().out.endswith(".jsonl\n")
    assert command("drop", record.key) == 0
    assert command("good", "--list", "--profile", "smoke") == 0
    assert capsys.readouterr().out.startswith("stage 1: 1 of 1 missing\n")
    with pytest.raises(SystemExit, match="there is no record"):
        command("drop", record.key)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["unheard"], "invalid choice: 'unheard'"),
        (["good", "--profile", "quick"], "invalid choice: 'quick'"),
        (["good", "--processes", "0"], "must be at least 1, got 0"),
        (["verify", "--sample", "0"], "must be at least 1, got 0"),
        (["verify", "--at-most-minutes", "-1"], "must be at least 1, got -1"),
        (["verify", "--list"], "unrecognized arguments: --list"),
    ],
)
def test_command_refuses_what_it_does_not_know(command, arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        command(*arguments)
    assert stop.value.code == 2 and message in capsys.readouterr().err


def test_command_verifies(command, capsys, store):
    assert command("verify") == 1  # nothing to verify is no success
    run_here([[Labelled(1), Labelled(2), Squares(())]], store)
    assert command("verify", "--sample", "2", "--at-most-minutes", "5", "--seed", "3", "--processes", "1") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 of 2 agree"
    store.put(Labelled(1), Outcome({"square": 1.5}), datetime.now(UTC), 1.0)
    assert command("verify", "--processes", "1") == 1
    printed = capsys.readouterr().out
    assert "numbers.square: 1.5 in the record, now 1" in printed and printed.endswith("2 of 3 agree\n")


def test_sections_can_be_listed_without_the_data_that_nobody_has(tmp_path, capsys):
    for section in ("images", "regression"):  # their plans name SVHN
        (tmp_path / "empty").mkdir(exist_ok=True)
        arguments = [section, "--list", "--data-dir", str(tmp_path / "empty"), "--results", str(tmp_path / "results")]
        assert main(arguments) == 0
        assert capsys.readouterr().out.startswith("stage 1: ")


@dataclass(frozen=True)
class Loading:
    """Reads a dataset, as experiments do."""

    kind = "loading"
    version = 1

    name: str

    @property
    def datasets(self):
        return (self.name,)

    def run(self, context) -> Outcome:
        return Outcome({"rows": len(load(self.name, context.data_dir).x_train)})


def test_data_that_come_with_a_run_must_be_those_of_its_key(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "images", lambda name, path: write_images(tmp_path, name))
    store = open_store(tmp_path / "results", tmp_path)
    experiment = Loading("mnist")
    name = store.key(experiment)  # of the committed manifest's copy
    with pytest.raises(ValueError, match="the data of 'mnist' must be the copy that the record is named after"):
        run_here([[experiment]], store)
    assert not list(store.records())
    again = open_store(tmp_path / "results", tmp_path)
    summary = run_here([[experiment]], again)
    assert summary.done == (again.key(experiment),) and again.key(experiment) != name
    assert again.get(experiment).data == {"mnist": fingerprint("mnist", tmp_path)}
