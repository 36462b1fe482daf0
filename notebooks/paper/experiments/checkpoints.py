"""Algorithm 1 with a checkpoint after each episode, so that a run that was stopped goes on to the identical result."""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Protocol

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from lib.episodes import unrolled
from lib.learner import at
from lib.metalearning import Learned, Settings, State, Task, learn
from lib.networks import Psi


class Place(Protocol):
    """Where the state of a run is kept, such as a :class:`..records.checkpoint.Checkpoint`."""

    def load(self) -> bytes | None:
        """What was saved last; None if there is nothing."""

    def save(self, state: bytes) -> None:
        """Keep a state in place of the last one."""


def learn_resumably(
    tasks: Sequence[Task],
    settings: Settings,
    *,
    seed: int,
    checkpoint: Place,
    start: Psi | None = None,
    gradient: Callable = unrolled,
    report: Callable[[str], None] = lambda message: None,
) -> Learned:
    """:func:`lib.metalearning.learn` with a state that is saved after each episode and loaded at the start.

    Args:
        start: psi to begin from, instead of what the settings say. gradient: see :func:`lib.metalearning.learn`.

    Raises:
        ValueError: if the state is damaged or of another run.
    """
    networks = [task.network for task in tasks]
    run = {"run": f"{settings}, seed {seed}, {networks}, {gradient.__name__}", "data": fingerprint(tasks)}
    saved = checkpoint.load()
    state = None if start is None else at(start, tasks[0].network, settings)
    if saved is not None:
        state = load(saved, run, settings)
    return learn(
        tasks,
        settings,
        seed=seed,
        state=state,
        gradient=gradient,
        after=lambda reached: checkpoint.save(save(run, reached)),
        report=report,
    )


def fingerprint(tasks: Sequence[Task]) -> str:
    """SHA-256 of the tasks' losses and rows."""
    digest = hashlib.sha256()
    for task in tasks:
        digest.update(getattr(task.loss, "__qualname__", str(task.loss)).encode())
        for rows in (task.x, task.y, *(task.given or ())):
            digest.update(f"{rows.dtype} {tuple(rows.shape)}".encode())
            digest.update(rows.contiguous().cpu().numpy().data)
    return digest.hexdigest()


def save(run: dict[str, str], reached: State) -> bytes:
    """Everything that the next episode needs, as the content of a safetensors file."""
    best, tensors = reached.best, {f"psi.{k}": v for k, v in reached.psi.items()}
    tensors |= {f"best.{k}": v for k, v in best.psi.items()}
    for slot, values in reached.outer.items():
        if isinstance(values, list):
            tensors |= {f"outer.{slot}.{i}": v for i, v in enumerate(values)}
    about = run | {"episode": reached.episode, "steps": reached.outer["steps"]}
    about |= {"best": best.best_episode, "history": best.history}
    copies = {name: t.detach().clone().contiguous() for name, t in tensors.items()}
    return save_tensors(copies, metadata={"state": json.dumps(about)})


def load(saved: bytes, run: dict[str, str], settings: Settings) -> State:
    """Read what :func:`save` made. Raises ValueError if it is damaged or of another run."""
    try:
        tensors = load_tensors(saved)
        header = json.loads(saved[8 : 8 + int.from_bytes(saved[:8], "little")])
        about = json.loads(header["__metadata__"]["state"])
        if about["run"] != run["run"]:
            raise ValueError(f"the checkpoint is of another run, {about['run']}")
        if about["data"] != run["data"]:
            raise ValueError("the checkpoint is of a run on other rows or with another loss")
        names = sorted(name.removeprefix("psi.") for name in tensors if name.startswith("psi."))
        psi, best = ({name: tensors[f"{kind}.{name}"] for name in names} for kind in ("psi", "best"))
        if not names or len(names) != sum(name.startswith("best.") for name in tensors):
            raise KeyError("psi")
        slots = settings.outer.init([psi[name] for name in names])
        outer = {"steps": about["steps"]} | {
            slot: [tensors[f"outer.{slot}.{i}"] for i in range(len(names))]
            for slot, values in slots.items()
            if isinstance(values, list)
        }
        learned = Learned(best, best_episode=about["best"], history=about["history"])
        return State(about["episode"], psi, outer, learned)
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"the checkpoint is not usable ({error!r})") from error
