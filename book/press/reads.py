"""Write down what a page reads of the repository: each Python process of a page runs this first, as `sitecustomize`.

`PAGE_READS` holds a file, to which a line is added per path, and then the folders that matter. Python itself reports
what is opened and listed (audit events); modules count as their sources, whether or not a compiled copy was read.
"""

import os
import sys


def watch(log: str, folders: list[str]) -> None:
    """From now on, add the path of each file or folder below `folders` that is read to the file `log`."""
    inside = [os.path.join(folder, "") for folder in folders]
    cache = os.path.join("__pycache__", "")
    seen = set()

    def matters(path: str) -> bool:
        """Whether a path is below one of the folders and neither built nor installed there."""
        rest = next((path[len(folder) :] for folder in inside if path.startswith(folder)), ".")
        return not rest.startswith((".", "_build")) and "site-packages" not in rest

    def note(event: str, arguments: tuple) -> None:
        if event == "open":
            path, mode, flags = arguments
            writes = any(letter in "wax+" for letter in mode or "") or (not mode and flags & (os.O_WRONLY | os.O_RDWR))
            if writes or not isinstance(path, (str, bytes, os.PathLike)):
                return
        elif event in ("os.listdir", "os.scandir"):
            path = arguments[0]
            searching = sys._getframe(1).f_code.co_filename.startswith("<frozen importlib")  # for a module
            if searching or isinstance(path, int):
                return
        else:
            return
        path = os.path.abspath(os.fsdecode(path or "."))
        if path in seen or not matters(path):
            return
        seen.add(path)
        if cache in path:
            folder, _, name = path.rpartition(cache)
            path = os.path.join(folder, name.split(".")[0] + ".py")
        with open(log, "a", encoding="utf-8") as file:
            file.write(path + "\n")

    sys.addaudithook(note)


if "PAGE_READS" in os.environ:
    _log, *_folders = os.environ["PAGE_READS"].split(os.pathsep)
    watch(_log, _folders)
