"""Sweeps in worker processes: nothing is computed twice, nothing is lost, nothing is left behind."""

import functools
import os
import pty
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import dask
import psutil
import pytest
from experiments_for_tests import Counting, Failing, Hanging, Numbers, Resuming, Small, Squares, Surroundings

from notebooks.paper.records import sweep
from notebooks.paper.records.cluster import Cluster
from notebooks.paper.records.store import Store
from notebooks.paper.records.sweep import Event, Progress, Work, duration, missing_of, run, run_here

TESTS = Path(__file__).parent


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results", data=Numbers())


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


@pytest.fixture(scope="module")
def cluster():
    with Cluster(2) as started:
        yield started


def runs(log):
    """How often each value was computed."""
    return Counter(float(line.split()[0]) for line in log.read_text().splitlines())


def names(store, experiments):
    return {store.key(experiment) for experiment in experiments}


def start_sweep(root, experiments=(), terminal=None, options="", chains=""):
    """Start a sweep of one stage in a process of its own, in a group of its own, as from a shell."""
    code = (
        # a shell that starts the tests in the background makes them, and their children, deaf to Ctrl-C
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from experiments_for_tests import *\n"
        "from notebooks.paper.records.cluster import Cluster\n"
        "from notebooks.paper.records.store import Store\n"
        "from notebooks.paper.records.sweep import run\n"
        f"with Cluster({options}) as cluster:\n"
        f"    summary = run({f'[{chains}]' if chains else [list(experiments)]}, Store({str(root)!r}, data=Numbers()), cluster)\n"
        "raise SystemExit(1 if summary.failed else 0)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stdout=terminal or subprocess.DEVNULL,
        stderr=terminal,
        start_new_session=True,
    )


def wait_until(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def family(process):
    """The process and all that it has started, as long as it lives."""
    try:
        parent = psutil.Process(process.pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def is_worker(process):
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.Error:  # it has ended meanwhile
        return False


def all_gone(processes):
    return not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes)


# --- in this process --------------------------------------------------------------------------------------------------


def test_run_here_computes_what_is_missing_once(store, log):
    experiments = [Small(value, str(log)) for value in (1, 2)]
    summary = run_here([experiments, experiments[:1]], store)
    assert set(summary.done) == names(store, experiments) and summary.failed == {}
    assert set(run_here([experiments], store).skipped) == set(summary.done)
    assert runs(log) == {1: 1, 2: 1} and store.get(experiments[1]).numbers == {"square": 4}


def test_what_killed_processes_left_of_a_run_goes_when_it_is_done(store):
    name, other = store.key(Small(1)), store.key(Small(2))
    for path in (store.path(name), store.path(other), store.checkpoints / f"{name}.checkpoint"):
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / f".{path.name}.a1b2c3.tmp").write_bytes(b"half of it")
    run_here([[Small(1)]], store)
    assert [path.name for path in store.root.rglob("*.tmp")] == [f".{other}.safetensors.a1b2c3.tmp"]


def test_run_here_does_not_hide_a_failure(store):
    with pytest.raises(RuntimeError, match="failed by design"):
        run_here([[Failing("design")]], store)
    assert not list(store.records()) and not list(store.root.rglob("*.lock"))


def test_an_experiment_may_only_read_what_it_declares(store):
    undeclared = type("Squares", (Squares,), {"reads": ()})
    run_here([[Small(1)]], store)
    with pytest.raises((ValueError, KeyError)):
        run_here([[undeclared((Small(1),))]], store)
    with pytest.raises(
        ValueError, match="the store has no record 'small-.*', which squares-.* reads; compute it first"
    ):
        run_here([[Squares((Small(2),))]], store)


def test_a_checkpoint_survives_a_failure_and_goes_with_success(store):
    with pytest.raises(RuntimeError, match="stopped half-way"):
        run_here([[Resuming()]], store)
    assert [path.name for path in store.checkpoints.iterdir()] == [f"{store.key(Resuming())}.checkpoint"]
    run_here([[Resuming()]], store)
    record = store.get(Resuming())
    assert record.numbers == {"resumed_from": 7} and record.provenance["duration_s"] >= 0.1  # of both runs
    assert not list(store.checkpoints.iterdir())


def test_neighbouring_stores_have_their_own_checkpoints(tmp_path):
    one, other = (Store(tmp_path / name, data=Numbers()) for name in ("one", "other"))
    for store in (one, other):
        with pytest.raises(RuntimeError, match="stopped half-way"):
            run_here([[Resuming()]], store)


# --- chains -----------------------------------------------------------------------------------------------------------


def chain(store, *values):
    parts = tuple(Small(value) for value in values)
    yield list(parts)
    assert all(store.has(part) for part in parts)
    yield [Squares(parts)]


def test_chains_do_not_wait_for_each_other(store):
    work = Work([chain(store, 1, 2), chain(store, 3)], store)
    assert list(work.open.values()) == [Small(2), Small(1), Small(3)]  # the first chain, and of it the largest cost
    run_here([[Small(3)]], store)
    work.settle(store.key(Small(3)))
    assert list(work.open.values()) == [Small(2), Small(1), Squares((Small(3),))]
    run_here([[Small(1)]], store)
    work.settle(store.key(Small(1)))
    work.settle(store.key(Small(2)), "a problem")
    assert list(work.open.values()) == [Squares((Small(3),))]  # the first chain ends
    assert work.known == 4 and list(work.failed.values()) == ["a problem"]


def test_an_experiment_of_two_chains_is_computed_once(store, log):
    shared = Small(1, str(log))

    def other():
        yield [shared]
        yield [Small(2, str(log))]

    summary = run_here([iter([[shared]]), other()], store)
    assert set(summary.done) == names(store, [shared, Small(2, str(log))]) and runs(log) == {1: 1, 2: 1}


def test_missing_of_is_ordered_by_cost(store):
    run_here([[Small(2)]], store)
    stage = [Squares(()), Small(3), Small(2), Small(9), Small(3)]
    assert list(missing_of(stage, store).values()) == [Small(9), Small(3), Squares(())]


# --- in workers -------------------------------------------------------------------------------------------------------


def test_run_computes_each_once_and_skips_what_is_there(store, log, cluster, capsys):
    experiments = [Small(value, str(log)) for value in (1, 2, 3)]
    run_here([experiments[:1]], store)
    summary = run([iter([[*experiments, experiments[1]]]), chain(store, 4, 5)], store, cluster)
    assert set(summary.done) >= names(store, experiments[1:]) and len(summary.done) == 5
    assert summary.skipped == (store.key(experiments[0]),) and summary.failed == {}
    assert runs(log) == {1: 1, 2: 1, 3: 1} and store.get(Squares((Small(4), Small(5)))).numbers == {"sum": 41}
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("4 to compute so far; what the workers do: http://127.0.0.1:")
    assert lines[1].startswith("[1/4] small-") and ", about " in lines[1] and lines[1].endswith("left")
    assert lines[5].startswith("[5/5] ") and len(lines) == 6 and sum("] squares-" in line for line in lines) == 1
    assert run([experiments], store, cluster).done == () and capsys.readouterr().out == ""


def test_workers_have_one_thread_each_and_end_with_this_process(store, cluster):
    run([[Surroundings()]], store, cluster, progress=False)
    record = store.get(Surroundings())
    assert {name: record.numbers[name] for name in ("threads", "OMP_NUM_THREADS", "OMP_WAIT_POLICY")} == {
        "threads": 1,
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "passive",
    }
    assert record.numbers["pid"] != os.getpid() and record.provenance["threads"] == 1


def test_failures_are_reported_and_end_only_their_chain(store, cluster, capsys):
    stage = [Failing("design"), Failing("killed"), Failing("no outcome"), Small(1)]
    summary = run([iter([stage, [Small(3)]]), iter([[Small(2)], [Small(4)]])], store, cluster)
    assert set(summary.failed) == names(store, stage[:3])
    design, killed, outcome = (summary.failed[store.key(one)] for one in stage[:3])
    assert "experiments_for_tests.py" in design and "RuntimeError: failed by design" in design
    assert killed == "its worker process died, perhaps for lack of memory; given up after 3 tries"
    assert "run must return an Outcome, got dict" in outcome
    assert set(summary.done) == names(store, [Small(1), Small(2), Small(4)]) and not store.has(Small(3))
    printed = capsys.readouterr().out
    assert printed.count("FAILED") == 3 and printed.count("it is run again") == 2
    assert not list(store.root.rglob("*.lock"))


def test_no_task_is_sent_to_a_worker_that_was_ended(cluster):
    for address in cluster.client.nthreads():
        cluster._restart(address)
        assert address not in cluster.client.nthreads()


@pytest.mark.parametrize("how", ["asleep", "lock"])  # the second holds the interpreter's lock
def test_what_hangs_is_run_again_and_then_given_up(store, log, cluster, how, monkeypatch):
    monkeypatch.setattr(sweep, "SLOWEST_S", 0.0)
    monkeypatch.setattr(sweep, "SLACK_S", 6.0)
    summary = run([[Hanging(how, str(log)), Small(1)]], store, cluster, progress=False)
    assert list(summary.failed.values()) == ["it took more than 6 s; given up after 3 tries"]
    assert summary.done == (store.key(Small(1)),)
    wait_until(lambda: not any(psutil.pid_exists(int(line.split()[1])) for line in log.read_text().splitlines()))


def test_what_grows_too_large_is_ended(store):
    with Cluster(1, memory="700MB") as small:
        summary = run([[Hanging("large"), Small(1)]], store, small, progress=False)
    assert "perhaps for lack of memory; given up after 3 tries" in summary.failed[store.key(Hanging("large"))]
    assert store.has(Small(1))


def test_a_worker_that_is_given_up_is_replaced(store):
    """Dask does so with a process that does not come back in time, and starts no other by itself."""
    with Cluster(1) as one:
        run([[Small(1)]], store, one, progress=False)
        with dask.config.set({"distributed.deploy.lost-worker-timeout": "0.1s"}):
            os.kill(next(iter(one.local.workers.values())).pid, signal.SIGKILL)
            wait_until(lambda: not one.local.workers)
        assert run([[Small(2)]], store, one, progress=False).done == (store.key(Small(2)),)


def test_processes_must_be_at_least_1():
    with pytest.raises(ValueError, match="processes must be at least 1, got 0"):
        Cluster(0)


# --- several processes, and signals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("busy", ["asleep", "lock"])
def test_no_process_is_left_behind(store, log, how, busy):
    process = start_sweep(store.root, [Hanging(busy, str(log)), Counting(1), Counting(2)])
    wait_until(lambda: log.exists() and len(list(store.loose())) == 2)
    processes = family(process)
    assert len(processes) >= 3
    (os.killpg if how == signal.SIGINT else os.kill)(process.pid, how)  # a terminal sends it to all of them
    assert process.wait(60) != 0
    wait_until(lambda: all_gone(processes), 20)
    assert len(list(store.loose())) == 2 and not list(store.root.rglob("*.tmp"))


def test_two_sweeps_at_once_share_the_work(store, log):
    experiments = [Small(value, str(log), 1.0) for value in range(8)]
    both = [start_sweep(store.root, experiments, options="1"), start_sweep(store.root, experiments, options="1")]
    assert [process.wait(200) for process in both] == [0, 0]
    assert runs(log) == dict.fromkeys(range(8), 1) and all(store.has(one) for one in experiments)
    assert not list(store.root.rglob("*.lock"))


def test_an_existing_cluster_without_a_shared_disk(store, tmp_path):
    """A scheduler and two workers, as on other machines: only their addresses are known."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])}
    address = "tcp://127.0.0.1:{}"
    port = 20000 + os.getpid() % 20000
    dask = [sys.executable, "-m", "dask"]
    commands = [[*dask, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]]
    commands += [[*dask, "worker", address.format(port), "--nthreads", "1", "--no-dashboard"]] * 2
    started = [
        subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for command in commands
    ]
    try:
        with Cluster(address=address.format(port)) as cluster:
            wait_until(lambda: cluster.free() == 2)
            summary = run([chain(store, 1, 2), iter([[Failing("killed")]])], store, cluster, progress=False)
            wait_until(lambda: cluster.free() == 2)
        assert store.get(Squares((Small(1), Small(2)))).numbers == {"sum": 5} and len(summary.done) == 3
        assert "given up" in summary.failed[store.key(Failing("killed"))]
        assert all(process.poll() is None for process in started)  # it is not ours to end
    finally:
        processes = [one for process in started for one in family(process)]
        for process in processes:
            process.kill()
        for process in started:
            process.wait()
    with pytest.raises(ConnectionError, match="no scheduler answers at tcp://127.0.0.1:9"):
        Cluster(address="tcp://127.0.0.1:9").free()


CHAINS = "chain_of_all(0), chain_of_all(100)"


def contents(store):
    """All records, without what a clock or another process changes."""
    found = {}
    for record in store.records():
        origin = {name: value for name, value in record.provenance.items()
                  if name not in ("start", "duration_s", "peak_memory_mb")}  # fmt: skip
        arrays = {name: (array.dtype.str, array.shape, array.tobytes()) for name, array in record.arrays.items()}
        found[record.key] = (record.config, record.data, record.numbers, origin, arrays)
    return found


def test_killed_sweeps_end_in_the_store_of_an_undisturbed_one(tmp_path):
    """SIGKILL at random moments to the sweep, to one of its workers, or to all at once."""
    kills, seed = int(os.environ.get("KILLS") or (100 if os.environ.get("LONG") else 4)), random.randrange(2**32)
    print(f"{kills} kills, seed {seed}")
    draw, counts = random.Random(seed), Counter()
    reference, begun = Store(tmp_path / "reference", data=Numbers()), time.monotonic()
    assert start_sweep(reference.root, chains=CHAINS).wait(900) == 0
    number, whole = 0, time.monotonic() - begun
    while sum(counts.values()) < kills:
        store = Store(tmp_path / f"killed-{number}", data=Numbers())
        process = start_sweep(store.root, chains=CHAINS)
        while process.poll() is None and sum(counts.values()) < kills:
            time.sleep(draw.uniform(0.0, 0.8 * whole))
            processes = family(process)
            target = draw.choice(("sweep", "worker", "group"))
            workers = [one for one in processes[1:] if is_worker(one)]
            if process.poll() is not None or target == "worker" and not workers:
                continue
            counts[target] += 1
            if target == "worker":
                with suppress(psutil.NoSuchProcess):
                    draw.choice(workers).kill()
                continue
            (os.killpg if target == "group" else os.kill)(process.pid, signal.SIGKILL)
            process.wait()
            wait_until(functools.partial(all_gone, processes), 30)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        if process.wait() == 0:
            number += 1
    last = Store(tmp_path / f"killed-{number}", data=Numbers())
    assert start_sweep(last.root, chains=CHAINS).wait(900) == 0
    expected = contents(reference)
    for n in range(number + 1):
        assert contents(Store(tmp_path / f"killed-{n}", data=Numbers())) == expected
        assert not list((tmp_path / f"killed-{n}" / "checkpoints").glob("*"))
        assert not list((tmp_path / f"killed-{n}" / "loose").glob("*.tmp"))
    print(dict(counts), f"in {number + 1} stores")


# --- progress ---------------------------------------------------------------------------------------------------------


def test_a_record_says_how_much_processor_time_its_run_took(store, monkeypatch):
    ticks = iter((10.0, 12.5))
    monkeypatch.setattr(time, "process_time", lambda: next(ticks))
    run_here([[Small(1.0)]], store)
    assert store.get(Small(1.0)).provenance["duration_s"] == 2.5


def test_durations_in_words():
    assert [duration(s) for s in (0, 89, 90, 5399, 5400)] == ["0 s", "89 s", "2 min", "90 min", "1.5 h"]


def test_the_remaining_time_follows_from_the_costs(store, monkeypatch):
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    work = Work([[Small(10), Small(20), Small(40)]], store)
    progress = Progress(work, visible=False)
    assert progress.remaining() == ""
    clock.now += 20
    progress.show(Event(store.key(Small(10)), "done"))  # half a unit of cost per second
    assert progress.remaining(without=store.key(Small(10))) == ", about 2 min left"


def test_a_terminal_has_a_live_line_with_reports(store):
    ours, theirs = pty.openpty()
    process = start_sweep(store.root, [Small(1, "", 1.0), Small(2, "", 0.1)], theirs)
    os.close(theirs)
    shown = b""
    while chunk := read_terminal(ours):
        shown += chunk
    assert process.wait(60) == 0
    text = shown.decode()
    assert "\r\x1b[K2 to go | " in text and "value 1" in text and "1 to go, about " in text
    lines = [line.rpartition("\x1b[K")[2] for line in text.split("\r\n")]
    assert sum(line.startswith("[") for line in lines) == 2


def read_terminal(descriptor):
    try:
        return os.read(descriptor, 65536)
    except OSError:  # what Linux says when the other end is closed
        return b""
