"""Algorithm 1 that is stopped: it goes on from its checkpoint to the identical result, or the file is refused."""

import json
import math
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from test_metalearning import INPUT, QUICK, SPLINE, small_task

from lib import episodes, metalearning
from lib.files import write_atomically
from lib.metalearning import Settings, Task, learn
from lib.networks import Activation, Network
from lib.training import Optimiser
from notebooks.paper.experiments.checkpoints import learn_resumably

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class InFile:
    """A place for a state."""

    path: Path

    def load(self):
        return self.path.read_bytes() if self.path.exists() else None

    def save(self, state):
        write_atomically(self.path, state)


KILLED = """
import sys, time
from pathlib import Path
import torch
sys.path[:0] = [{root!r}, {tests!r}]
torch.set_num_threads(1)
from test_checkpoints import InFile, learn_resumably, long_settings, small_task
def report(message):
    print(message, flush=True)
    time.sleep(0.02)
learn_resumably([small_task(), small_task(seed=1)], long_settings({outer!r}), seed=3, checkpoint=InFile(Path({path!r})), report=report)
"""


def long_settings(outer):
    optimiser = Optimiser("sgd", 0.1, 0.9) if outer == "momentum" else Optimiser(outer, 0.02)
    return replace(QUICK, episodes=25, outer=optimiser, batch=16)


@pytest.mark.parametrize("outer, kill_at", [("adam", 7), ("momentum", 12)])
def test_a_killed_run_resumes_to_the_identical_result(tmp_path, outer, kill_at):
    path = tmp_path / "checkpoint.safetensors"
    code = KILLED.format(root=str(ROOT), tests=str(ROOT / "tests"), path=str(path), outer=outer)
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    for line in process.stdout:
        if line.startswith(f"episode {kill_at}/"):
            break
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and path.exists()
    process.stdout.close()

    tasks, settings, messages = [small_task(), small_task(seed=1)], long_settings(outer), []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole = learn(tasks, settings, seed=3)
        resumed = learn_resumably(tasks, settings, seed=3, checkpoint=InFile(path), report=messages.append)
    finally:
        torch.set_num_threads(threads)
    assert 25 - kill_at - 1 <= len(messages) <= 25 - kill_at + 1  # it went on, and did not start again
    assert torch.equal(resumed.psi["hidden"], whole.psi["hidden"])
    assert resumed.history == whole.history and resumed.best_episode == whole.best_episode


@pytest.mark.parametrize(
    "outer", [Optimiser("sgd", 0.1), Optimiser("sgd", 0.1, 0.9), Optimiser("rmsprop", 0.01), Optimiser("adam", 0.02)]
)
@pytest.mark.parametrize(
    "network",
    [
        Network(3, 1, width=5, depth=1, activation=SPLINE),
        Network(3, 1, width=5, depth=2, activation=replace(SPLINE, layerwise=True), input_activation=INPUT),
    ],
)
def test_stopping_after_any_episode_changes_nothing(tmp_path, outer, network):
    class Stop(Exception):
        pass

    def report(message):
        if message.startswith(f"episode {stop}/"):
            raise Stop

    settings, task = replace(QUICK, outer=outer), small_task(network)
    whole = learn([task], settings, seed=3)
    for stop in (1, 2, 5, 8):
        path = tmp_path / f"{stop}.safetensors"
        with pytest.raises(Stop):  # after the episode's work, before its checkpoint
            learn_resumably([task], settings, seed=3, checkpoint=InFile(path), report=report)
        resumed = learn_resumably([task], settings, seed=3, checkpoint=InFile(path))
        assert resumed.history == whole.history and resumed.best_episode == whole.best_episode
        assert all(torch.equal(resumed.psi[name], whole.psi[name]) for name in whole.psi)


def test_a_finished_run_is_returned_from_its_checkpoint(tmp_path, monkeypatch):
    path, task = tmp_path / "c.safetensors", small_task()
    whole = learn_resumably([task], QUICK, seed=3, checkpoint=InFile(path))
    monkeypatch.setattr(episodes, "inner_loop", lambda *arguments: pytest.fail("nothing is left to compute"))
    again = learn_resumably([task], QUICK, seed=3, checkpoint=InFile(path))
    assert again.history == whole.history and torch.equal(again.psi["hidden"], whole.psi["hidden"])


def test_a_run_that_patience_ended_does_not_go_on_from_its_checkpoint(tmp_path, monkeypatch):
    path, task, settings = tmp_path / "c.safetensors", small_task(), replace(QUICK, episodes=50, patience=4)
    watch = iter([5.0, *[9.0] * 4, *[0.0] * 50])  # the episode after the last would be the best
    monkeypatch.setattr(metalearning, "watch_loss", lambda *arguments: next(watch))
    whole = learn_resumably([task], settings, seed=3, checkpoint=InFile(path))
    again = learn_resumably([task], settings, seed=3, checkpoint=InFile(path))
    assert len(whole.history["watch"]) == 5
    assert again.history == whole.history and again.best_episode == 0


def test_a_run_that_diverged_diverges_again_from_its_checkpoint(tmp_path, monkeypatch):
    path, watch = tmp_path / "c.safetensors", iter([3.0, 2.0, math.nan, math.nan])
    monkeypatch.setattr(metalearning, "watch_loss", lambda *arguments: next(watch))
    whole = learn_resumably([small_task()], QUICK, seed=3, checkpoint=InFile(path))
    again = learn_resumably([small_task()], QUICK, seed=3, checkpoint=InFile(path))
    assert whole.diverged and again.diverged and again.history == whole.history and len(whole.history["watch"]) == 2


def damage(path, how):
    content = path.read_bytes()
    tensors = load_file(path)
    state = {"episode": 8, "steps": 8, "best": 0, "history": {}}
    if how.startswith("cut"):
        path.write_bytes(content[: int(how.split()[1])])
    elif how == "other text":
        path.write_text("{}")
    elif how == "no metadata":
        save_file(tensors, path)
    elif how == "not JSON":
        save_file(tensors, path, metadata={"state": "{"})
    elif how == "incomplete state":
        save_file(tensors, path, metadata={"state": json.dumps({"episode": 8})})
    elif how == "a list for a state":
        save_file(tensors, path, metadata={"state": "[]"})
    else:
        del tensors[how]
        save_file(tensors, path, metadata={"state": json.dumps(state)})


@pytest.mark.parametrize(
    "how",
    [
        "cut 0",
        "cut 7",
        "cut 100",
        "cut 700",
        "other text",
        "no metadata",
        "not JSON",
        "incomplete state",
        "a list for a state",
    ]
    + ["psi.hidden", "best.hidden", "outer.mean.0"],
)
def test_a_damaged_checkpoint_is_an_error_that_names_the_file(tmp_path, how):
    path = tmp_path / "checkpoint.safetensors"
    learn_resumably([small_task()], QUICK, seed=3, checkpoint=InFile(path))
    damage(path, how)
    with pytest.raises(ValueError, match="the checkpoint is not usable"):
        learn_resumably([small_task()], QUICK, seed=3, checkpoint=InFile(path))


def test_a_checkpoint_of_another_outer_optimiser_is_refused(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    learn_resumably([small_task()], replace(QUICK, outer=Optimiser("sgd", 0.1)), seed=3, checkpoint=InFile(path))
    with pytest.raises(ValueError, match="is of another run"):
        learn_resumably([small_task()], QUICK, seed=3, checkpoint=InFile(path))


@pytest.mark.parametrize("other", ["rows", "targets", "loss"])
def test_a_checkpoint_of_other_rows_or_another_loss_is_refused(tmp_path, other):
    path, task = tmp_path / "checkpoint.safetensors", small_task()
    task = replace(task, y=(task.y > 0).float())
    learn_resumably([task], QUICK, seed=3, checkpoint=InFile(path))
    changed = {
        "rows": replace(task, x=task.x + 1),
        "targets": replace(task, y=1 - task.y),
        "loss": replace(task, loss="logistic"),
    }[other]
    with pytest.raises(ValueError, match="on other rows or with another loss"):
        learn_resumably([changed], QUICK, seed=3, checkpoint=InFile(path))


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    x = torch.rand(20, 3, generator=torch.Generator().manual_seed(0))
    task = Task(Network(3, 1, width=4, depth=1, activation=Activation("spline", points=5)), x, x[:, :1], "mse")
    settings = Settings(episodes=2, n_tr_start=2, n_tr_step=0, unroll=1)
    path = tmp_path / "checkpoint.safetensors"
    learn_resumably([task], settings, seed=0, checkpoint=InFile(path))
    with pytest.raises(ValueError, match="is of another run"):
        learn_resumably([task], settings, seed=1, checkpoint=InFile(path))
