import os
import pty
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from experiments_for_tests import KINDS, Failing, Resuming, Silent, Small, Squares, Surroundings, fingerprints
from prepared_files import write_images

from lib.datasets import download, load
from lib.datasets.catalogue import fingerprint
from lib.files import locked
from notebooks.paper.__main__ import main
from notebooks.paper.records.store import Outcome, Store
from notebooks.paper.records.sweep import Progress, duration, missing_of, run, run_here
from notebooks.paper.records.workers import Event, Pool

TESTS = Path(__file__).parent


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results", fingerprints)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


def runs(log):
    """How often each value was computed."""
    return Counter(float(line.split()[0]) for line in log.read_text().splitlines())


def names(store, experiments):
    return {store.key(experiment) for experiment in experiments}


def start_sweep(store, experiments, terminal=None):
    """Start a sweep of one stage in a process of its own, in a group of its own, as from a shell."""
    code = (
        # a shell that starts the tests in the background makes them, and their children, deaf to Ctrl-C
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from experiments_for_tests import *; from notebooks.paper.records.store import Store; from notebooks.paper.records.sweep import run\n"
        f"summary = run([{experiments!r}], Store({str(store.root)!r}, fingerprints))\n"
        "raise SystemExit(1 if summary.failed else 0)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def workers(log):
    return {int(line.split()[1]) for line in log.read_text().splitlines()}


# --- in this process --------------------------------------------------------------------------------


def test_run_here_computes_what_is_missing(store, log, capsys):
    experiments = [Small(value, str(log)) for value in (1, 2, 1)]
    first = run_here([experiments[:1]], store)
    assert first.done == (store.key(experiments[0]),) and first.skipped == ()
    second = run_here([experiments], store)
    assert second.done == (store.key(experiments[1]),) and second.skipped == first.done and second.failed == {}
    assert runs(log) == {1: 1, 2: 1} and store.get(experiments[1]).numbers == {"square": 4}
    assert capsys.readouterr().out == ""


def test_run_here_hands_on_the_data_folder_and_reports(tmp_path):
    told, store = [], Store(tmp_path / "results", lambda name: "sha", data_dir=tmp_path)
    run_here([[Surroundings()], [Small(1, seconds=0.02)]], store, told.append)
    assert store.get(Surroundings()).numbers["data_dir"] == str(tmp_path) and "value 1" in told


def test_run_here_does_not_hide_a_failure(store):
    with pytest.raises(RuntimeError, match="failed by design"):
        run_here([[Failing("design")]], store)
    assert not list(store.records()) and not list(store.root.rglob("*.lock"))


def test_a_later_stage_reads_earlier_records(store):
    parts = (Small(1), Small(2))

    def stages():
        yield list(parts)
        assert all(store.has(part) for part in parts)
        yield [Squares(parts)]

    for summary in (run_here(stages(), store), run(stages(), store, progress=False)):
        assert summary.failed == {}
    assert store.get(Squares(parts)).numbers == {"sum": 5}


def test_a_checkpoint_survives_a_failure_and_goes_with_success(store, tmp_path):
    with pytest.raises(RuntimeError, match="stopped half-way"):
        run_here([[Resuming()]], store)
    assert len(list(tmp_path.glob("checkpoints/resuming-*/half"))) == 1
    run_here([[Resuming(), Small(1)]], store)
    assert store.get(Resuming()).numbers == {"resumed_from": 7}
    assert not list(tmp_path.glob("checkpoints/*"))


# --- in worker processes ----------------------------------------------------------------------------


def test_run_computes_each_once_and_skips_what_is_there(store, log, capsys):
    experiments = [Small(value, str(log)) for value in (1, 2, 3)]
    run_here([[experiments[0]]], store)
    summary = run([[*experiments, experiments[1]]], store)
    assert set(summary.done) == names(store, experiments[1:]) and len(summary.done) == 2
    assert summary.skipped == (store.key(experiments[0]),) and summary.failed == {}
    assert runs(log) == {1: 1, 2: 1, 3: 1} and all(store.has(one) for one in experiments)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "stage 1: 2 to compute"
    assert lines[1].startswith("stage 1 [1/2] small-") and ", about " in lines[1] and lines[1].endswith("left")
    assert lines[2].startswith("stage 1 [2/2] small-") and len(lines) == 3
    assert run([experiments], store).done == () and capsys.readouterr().out == ""


def test_workers_have_one_thread_each(store, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    run([[Surroundings()]], store, processes=1, progress=False)
    record = store.get(Surroundings())
    assert {name: record.numbers[name] for name in ("threads", "OMP_NUM_THREADS", "OMP_WAIT_POLICY")} == {
        "threads": 1,
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "passive",
    }
    assert record.numbers["pid"] != os.getpid() and record.provenance["threads"] == 1
    assert os.environ["OMP_NUM_THREADS"] == "7" and "OMP_WAIT_POLICY" not in os.environ


def test_failures_are_reported_and_stop_only_the_next_stage(store, capsys):
    class Local(Small):  # a worker cannot import it
        pass

    stage = [Failing("design"), Failing("killed"), Failing("no outcome"), Local(5), Small(1), Small(2)]
    summary = run([stage, [Small(3)]], store)
    assert set(summary.failed) == names(store, stage[:3]) | {store.key(Local(5))}
    design, killed, outcome, local = (summary.failed[store.key(one)] for one in stage[:4])
    assert "experiments_for_tests.py" in design and "RuntimeError: failed by design" in design
    assert "the worker process died with exit code -9" in killed
    assert "run must return an Outcome, got dict" in outcome and "Local" in local
    assert set(summary.done) == names(store, [Small(1), Small(2)]) and not store.has(Small(3))
    printed = capsys.readouterr().out
    assert printed.count("FAILED") == 4 and "RuntimeError: failed by design" in printed
    assert not list(store.root.rglob("*.lock")) or {path.stem for path in store.root.rglob("*.lock")} == {
        store.key(Failing("killed"))
    }


def test_processes_must_be_at_least_1(store):
    with pytest.raises(ValueError, match="processes must be at least 1, got 0"):
        run([], store, processes=0)


def test_missing_of_is_ordered_by_cost(store):
    run_here([[Small(2)]], store)
    stage = [Squares(()), Small(3), Small(2), Small(9), Small(3)]
    assert list(missing_of(stage, store).values()) == [Small(9), Small(3), Squares(())]


def test_a_killed_sweep_goes_on_with_the_rest(store, log):
    experiments = [Small(value, str(log), 0.8) for value in range(6)]
    process = start_sweep(store, experiments)
    wait_until(lambda: list(store.root.rglob("*.json")))
    process.kill()
    process.wait()
    wait_until(lambda: not any(map(is_alive, workers(log))))
    there = {record.key for record in store.records()}
    assert 1 <= len(there) < 6
    summary = run([experiments], store, processes=1, progress=False)
    assert set(summary.skipped) == there and set(summary.done) == names(store, experiments) - there
    counts = runs(log)
    assert all(counts[store.read(key).config["value"]] == 1 for key in there)
    assert all(store.has(one) for one in experiments) and len(list(store.root.rglob("*.json"))) == 6


def test_workers_end_with_a_killed_sweep(store, log):
    process = start_sweep(store, [Silent(1, str(log), 100.0)])
    wait_until(lambda: log.exists() and log.read_text().endswith("\n"))
    process.kill()
    process.wait()
    wait_until(lambda: not any(map(is_alive, workers(log))))
    assert not list(store.records())


def test_ctrl_c_ends_the_workers_and_keeps_the_records(store, log):
    experiments = [Small(value, str(log), 0.8) for value in range(6)]
    process = start_sweep(store, experiments, subprocess.DEVNULL)
    wait_until(lambda: list(store.root.rglob("*.json")))
    os.killpg(process.pid, signal.SIGINT)  # to all of them, as a terminal does
    assert process.wait(60) != 0
    assert not any(map(is_alive, workers(log)))
    there = {record.key for record in store.records()}
    assert 1 <= len(there) < 6 and not list(store.root.rglob("*.tmp"))
    assert set(missing_of(experiments, store)) == names(store, experiments) - there


def test_two_sweeps_at_once_share_the_work(store, log):
    experiments = [Small(value, str(log), 0.3) for value in range(6)]
    both = [start_sweep(store, experiments), start_sweep(store, experiments)]
    assert [process.wait(120) for process in both] == [0, 0]
    assert runs(log) == dict.fromkeys(range(6), 1) and all(store.has(one) for one in experiments)
    assert not list(store.root.rglob("*.lock"))


def test_a_sweep_waits_for_what_another_process_computes(store, log):
    one = Small(1, str(log))
    with Pool(1) as pool:
        statuses = []
        lock = locked(store.path(one).with_suffix(".lock"))
        lock.__enter__()
        for event in pool.run({"one": one}, store):
            statuses.append(event.status)
            if event.status == "busy":  # the other process finishes
                store.put(one, Outcome({"square": -1}), datetime.now(UTC), 1.0)
                lock.__exit__(None, None, None)
    assert [status for status in statuses if status != "tick"] == ["started", "busy", "started", "skipped"]
    assert store.get(one).numbers == {"square": -1} and not log.exists()


def test_leaving_the_pool_ends_what_it_is_doing(store, log):
    with Pool(1) as pool:
        for _ in pool.run({"one": Small(1, str(log), 600.0)}, store):
            if log.exists() and log.read_text().endswith("\n"):
                break
    assert not any(map(is_alive, workers(log))) and not store.has(Small(1, str(log), 600.0))


# --- progress ---------------------------------------------------------------------------------------


def test_a_record_says_how_much_processor_time_its_run_took(store, log, monkeypatch):
    ticks = iter((10.0, 12.5))
    monkeypatch.setattr(time, "process_time", lambda: next(ticks))
    run_here([[Small(1.0, str(log))]], store)
    assert store.get(Small(1.0, str(log))).provenance["duration_s"] == 2.5


def test_durations_in_words():
    assert [duration(s) for s in (0, 89, 90, 5399, 5400)] == ["0 s", "89 s", "2 min", "90 min", "1.5 h"]


def test_the_remaining_time_follows_from_the_costs(monkeypatch):
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    progress = Progress(1, {"a": Small(10), "b": Small(20), "c": Small(40)}, 2, visible=False)
    progress.show(Event("a", "started"))
    progress.show(Event("b", "started"))
    assert progress.remaining() == ""
    clock.now += 20
    progress.show(Event("a", "done", 20.0))  # 2 s per unit of cost
    assert progress.remaining() == ", about 80 s left"  # c takes the longest: 80 s; b has 20 s to go
    progress.show(Event("c", "started"))
    clock.now += 20
    progress.show(Event("b", "done", 40.0))
    assert progress.remaining() == ", about 60 s left"
    progress.show(Event("c", "failed", "traceback"))
    assert progress.remaining() == ""


def test_a_terminal_has_a_live_line_with_reports(store, log):
    ours, theirs = pty.openpty()
    process = start_sweep(store, [Small(1, str(log), 1.0), Small(2, str(log), 0.1)], theirs)
    os.close(theirs)
    shown = b""
    while chunk := read_terminal(ours):
        shown += chunk
    assert process.wait(60) == 0
    text = shown.decode()
    assert "\r\x1b[K2 to go | " in text and "value 1" in text and "1 to go, about " in text
    lines = [line.rpartition("\x1b[K")[2] for line in text.split("\r\n")]
    assert sum(line.startswith("stage 1 [") for line in lines) == 2


def read_terminal(descriptor):
    try:
        return os.read(descriptor, 65536)
    except OSError:  # what Linux says when the other end is closed
        return b""


# --- command line -----------------------------------------------------------------------------------


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
    assert last.startswith("the stages after this one were not started; failed: failing-")


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
    store = Store(tmp_path / "results", data_dir=tmp_path)
    experiment = Loading("mnist")
    name = store.key(experiment)  # of the committed manifest's copy
    with pytest.raises(ValueError, match=f"the data of 'mnist' must be the copy that the record {name} is named after"):
        run_here([[experiment]], store)
    assert not list(store.records())
    again = Store(tmp_path / "results", data_dir=tmp_path)
    summary = run_here([[experiment]], again)
    assert summary.done == (again.key(experiment),) and again.key(experiment) != name
    assert again.get(experiment).data == {"mnist": fingerprint("mnist", tmp_path)}
