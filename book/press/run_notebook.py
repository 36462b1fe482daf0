"""Execute one notebook with papermill: `python run_notebook.py SOURCE TARGET FOLDER SECONDS PARAMETERS`.

Does what papermill's own command does and, when the kernel dies, says which way and at which cell: `FOLDER` is the
kernel's working directory, `SECONDS` the limit of a cell, `PARAMETERS` a JSON object. The exit status is 1 on failure.
A kernel that does not start is started once more: another process can take a port between its choice and its use.
"""

import json
import signal
import sys

import papermill
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError


class Manager(AsyncKernelManager):
    """A kernel's manager that remembers how the kernel ended."""

    ended: int | None = None

    async def is_alive(self) -> bool:
        if self.provisioner is None:
            return False
        status = await self.provisioner.poll()
        if status is not None:
            Manager.ended = status
        return status is None


def reason(status: int | None) -> str:
    """What an exit status means, in words.

    >>> reason(3), reason(-9)
    ('it ended itself with exit status 3', 'signal SIGKILL ended it, as the system does when memory runs out')
    """
    if status is None:
        return "no exit status is known"
    if status >= 0:
        return f"it ended itself with exit status {status}"
    name = signal.Signals(-status).name
    hints = {"SIGKILL": ", as the system does when memory runs out", "SIGSEGV": ", an error in compiled code"}
    return f"signal {name} ended it{hints.get(name, '')}"


def main(source: str, target: str, folder: str, seconds: str, parameters: str, again: bool = True) -> int:
    try:
        papermill.execute_notebook(
            source, target, json.loads(parameters), cwd=folder, progress_bar=False, log_output=False,
            execution_timeout=int(seconds), kernel_manager_class=Manager,
        )  # fmt: skip
    except PapermillExecutionError:  # a cell raised: the written notebook says it
        return 1
    except DeadKernelError:
        print(f"the kernel died: {reason(Manager.ended)}", file=sys.stderr)
        return 1
    except CellTimeoutError:
        print(f"a cell took more than {int(seconds):,} seconds", file=sys.stderr)
        return 1
    except RuntimeError as error:
        if Manager.ended is None:
            raise
        if again:
            return main(source, target, folder, seconds, parameters, again=False)
        print(f"the kernel could not start ({error}): {reason(Manager.ended)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
