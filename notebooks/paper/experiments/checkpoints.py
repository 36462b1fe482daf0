"""Algorithm 1 with a checkpoint after each episode, so that a run that was stopped goes on to the identical result."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_bytes

from lib.files import write_atomically
from lib.metalearning import Learned, Settings, State, Task, learn


def learn_resumably(
    tasks: Sequence[Task],
    settings: Settings,
    *,
    seed: int,
    checkpoint: Path,
    report: Callable[[str], None] = lambda message: None,
) -> Learned:
    """:func:`lib.metalearning.learn` with a file that is written after each episode and read at the start.

    Raises:
        ValueError: if the file is damaged or of another run.
    """
    run = {"run": f"{settings}, seed {seed}, {[task.network for task in tasks]}", "data": fingerprint(tasks)}
    state = load(checkpoint, run, settings) if checkpoint.exists() else None
    return learn(
        tasks, settings, seed=seed, state=state, after=lambda reached: save(checkpoint, run, reached), report=report
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


def save(path: Path, run: dict[str, str], reached: State) -> None:
    """Write everything that the next episode needs, atomically, as safetensors."""
    best, tensors = reached.best, {f"psi.{k}": v for k, v in reached.psi.items()}
    tensors |= {f"best.{k}": v for k, v in best.psi.items()}
    for slot, values in reached.outer.items():
        if isinstance(values, list):
            tensors |= {f"outer.{slot}.{i}": v for i, v in enumerate(values)}
    about = run | {"episode": reached.episode, "steps": reached.outer["steps"]}
    about |= {"best": best.best_episode, "history": best.history}
    copies = {name: t.detach().clone().contiguous() for name, t in tensors.items()}
    write_atomically(path, save_bytes(copies, metadata={"state": json.dumps(about)}))


def load(path: Path, run: dict[str, str], settings: Settings) -> State:
    """Read what :func:`save` wrote. Raises ValueError if the file is damaged or of another run."""
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads(file.metadata()["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        if about["run"] != run["run"]:
            raise ValueError(f"{path} is of another run, {about['run']}; delete it or give another file")
        if about["data"] != run["data"]:
            raise ValueError(f"{path} is of a run on other rows or with another loss; delete it or give another file")
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
        raise ValueError(f"{path} is not a usable checkpoint ({error!r}); delete it to start again") from error
