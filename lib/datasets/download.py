"""Fetch a dataset once, through torchvision or openml, and write its prepared file and checksum.

No step waits for long: before a download, the server has `PATIENCE` seconds to answer at all, name resolution
included; during it, no read may take longer than `STALL` seconds, and whoever is waited for that long must have sent
`SLOWEST` bytes a second. Both libraries check official checksums.
"""

import contextlib
import errno
import hashlib
import http.client
import os
import socket
import tempfile
import threading
import urllib.error
import urllib.request
import xml.parsers.expat
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic

import filelock
import numpy as np
import pandas as pd

from ..files import cache_folder, compressed, write_atomically
from . import prepared

PATIENCE = 8.0  # seconds until a server that does not answer counts as out of reach
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)  # what this computer, not the network, refuses
# Of sockets, addresses, time limits and requests; of torchvision; of truncated archives.
FAILURES = (OSError, RuntimeError, EOFError, http.client.HTTPException)
STALL = 30.0  # seconds until a download that does not move is given up
SLOWEST = 5_000  # bytes per second of waiting: below it a download is given up, for the largest would take half a day


def images(name: str, path: Path) -> None:
    """Download an image dataset through torchvision: "mnist", "fashion_mnist", "svhn" or "cifar10".

    ``path`` is the prepared ``.npz`` file to write. Nothing is left behind if the download fails.

    Raises:
        ConnectionError: if the server does not answer, the download fails, or its checksum is wrong.
        OSError: if the directory cannot be written, or the disk is full.
    """
    import torchvision.datasets as catalogue  # here, because it takes seconds and most runs need no download

    source = getattr(catalogue, {"fashion_mnist": "FashionMNIST"}.get(name, name.upper()))
    if mirrors := getattr(source, "mirrors", []):
        addresses = [mirror + source.resources[0][0] for mirror in mirrors]
    else:
        addresses = [source.split_list["train"][0] if name == "svhn" else source.url]
    with _workplace(path, addresses) as (folder, answering):
        if mirrors:  # the one that answered goes first
            mirrors = sorted(mirrors, key=lambda mirror: not answering.startswith(mirror))
            source = type(source.__name__, (source,), {"mirrors": mirrors})
        if name == "svhn":
            parts = [source(folder, split=part, download=True) for part in ("train", "test")]
            pairs = [(part.data.transpose(0, 2, 3, 1), part.labels) for part in parts]  # (n, 32, 32, 3)
        else:
            parts = [source(folder, train=part, download=True) for part in (True, False)]
            pairs = [(part.data, part.targets) for part in parts]
    arrays = zip(prepared.NAMES, (*pairs[0], *pairs[1]), strict=True)
    _write(path, compressed(**{key: np.asarray(array).astype(np.uint8) for key, array in arrays}))


def table(name: str, task: int, path: Path) -> None:
    """Download the table of a task of OpenML, which says which column is the target, as a ``.parquet`` file.

    Raises:
        ConnectionError, OSError: as :func:`images`.
        ValueError: if the table is not numeric and complete with two classes.
    """
    import openml  # here, because it takes seconds and most runs need no download

    with _workplace(path, [openml.config.server]) as (folder, _), _openml_settings(openml, folder):
        description = openml.tasks.get_task(task, download_data=True)
        columns, labels, _, _ = description.get_dataset(download_data=True).get_data(target=description.target_name)
    classes = sorted(labels.unique(), key=str)
    frame = pd.DataFrame({str(key): columns[key].to_numpy() for key in columns.columns})
    frame["target"] = np.asarray(labels == classes[-1], dtype=np.int64)
    problem = prepared.table_problem(frame) if len(classes) == 2 else f"it has {len(classes)} classes instead of 2"
    if problem:
        raise ValueError(f"the table of OpenML's task {task} is not in the form expected of {name!r}: {problem}")
    _write(path, frame.to_parquet(index=False))


@contextlib.contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Hold the lock of a prepared file, so that of a user's processes one downloads it and the others wait.

    The lock lies in the user's own cache, where no other user can leave one behind. Without such a place there is no
    lock: the file is then fetched more than once at worst, since it is written in one step.
    """
    name = hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:16]
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError, RuntimeError):  # the second, if there is no home
            cache_folder().mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = filelock.FileLock(cache_folder() / f"download-{name}.lock", fallback_to_soft=False)
            held.enter_context(lock)
        yield


@contextlib.contextmanager
def _workplace(path: Path, addresses: list[str]) -> Iterator[tuple[str, str]]:
    """A folder to download into, deleted afterwards, and the address that answered; failures become clear."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-", ignore_cleanup_errors=True)
    except OSError as error:
        reason = f"its directory cannot be written ({error})"
        hint = f"Choose another data directory, by argument or with {prepared.VARIABLE}"
        raise OSError(f"{path} is missing and cannot be downloaded, because {reason}. {hint}") from error
    with folder as name, _impatient():
        try:
            yield name, _reach(addresses)
        except FAILURES as error:
            if isinstance(error, OSError) and error.errno in FULL:
                message = f"{path} is missing and its download cannot be written ({os.strerror(error.errno)})"
                raise OSError(error.errno, message) from error
            raise ConnectionError(
                f"{path} is missing and could not be downloaded from {' or '.join(addresses)}: "
                f"{error or type(error).__name__}. Without a network, put the prepared file there "
                f"(data/README.md describes it), set {prepared.VARIABLE} to a directory that has it, or use "
                "an embedded dataset such as 'digits' or 'breast_cancer'"
            ) from error


def _reach(addresses: list[str]) -> str:
    """The first address whose server answers anything. TimeoutError if none does in `PATIENCE` seconds, OSError if all
    fail sooner."""
    answers: SimpleQueue[tuple[str, Exception | None]] = SimpleQueue()

    def ask(address: str) -> None:
        failure = None
        try:
            request = urllib.request.Request(address, method="HEAD")
            urllib.request.urlopen(request, timeout=2 * PATIENCE).close()  # the deadline below comes first
        except urllib.error.HTTPError as error:  # an answer, if not a friendly one
            error.close()
        except Exception as error:  # whatever it is, it is for the thread that waits
            failure = error
        answers.put((address, failure))

    for address in addresses:  # in threads, because looking up a name knows no time limit
        threading.Thread(target=ask, args=(address,), daemon=True).start()
    deadline, failures = monotonic() + PATIENCE, []
    for _ in addresses:
        try:
            address, error = answers.get(timeout=max(0.0, deadline - monotonic()))
        except Empty:
            raise TimeoutError(f"no answer within {PATIENCE:g} seconds") from None
        if error is None:
            return address
        failures.append(str(error) or type(error).__name__)
    raise OSError("; ".join(failures))


@contextlib.contextmanager
def _impatient() -> Iterator[None]:
    """Give every socket operation `STALL` seconds and every connection a least speed, in urllib (torchvision) and in
    requests (openml). A time limit alone is no limit: it begins again with each byte."""
    import requests

    default, send, read = socket.getdefaulttimeout(), requests.Session.send, socket.SocketIO.readinto

    def send_with_timeout(session, request, **options):
        return send(session, request, **options | {"timeout": options.get("timeout") or STALL})

    def read_in_time(stream, buffer):
        started = monotonic()
        count = read(stream, buffer)
        waited, received = getattr(stream, "_progress", (0.0, 0))
        stream._progress = waited, received = waited + monotonic() - started, received + (count or 0)
        if count and waited > STALL:
            if received < SLOWEST * waited:
                raise TimeoutError(f"timed out: only {received} bytes came in {waited:.1f} seconds")
            stream._progress = 0.0, 0
        return count

    socket.setdefaulttimeout(STALL)
    requests.Session.send, socket.SocketIO.readinto = send_with_timeout, read_in_time
    try:
        yield
    finally:
        socket.setdefaulttimeout(default)
        requests.Session.send, socket.SocketIO.readinto = send, read


@contextlib.contextmanager
def _openml_settings(openml, folder: str) -> Iterator[None]:
    """Have openml keep its files in `folder`, give up early, and take tables from its own server only."""
    config, variable = openml.config, "OPENML_SKIP_PARQUET"
    cache, attempts, policy = config._root_cache_directory, config.connection_n_retries, config.retry_policy
    skip = {variable: os.environ[variable]} if variable in os.environ else {}
    config.set_root_cache_directory(folder)
    config.set_retry_policy("human", 2)
    os.environ[variable] = "true"  # its parquet store is another server, with time limits of its own
    try:
        yield
    except openml.exceptions.PyOpenMLError as error:
        raise RuntimeError(str(error)) from error
    except (LookupError, TypeError, AttributeError, ValueError, xml.parsers.expat.ExpatError) as error:
        hint = "perhaps it is the page of a network that asks for a login"
        raise RuntimeError(f"the answer is not one of OpenML's ({type(error).__name__}: {error}); {hint}") from error
    finally:
        config.set_root_cache_directory(cache)
        config.set_retry_policy(policy, attempts)
        del os.environ[variable]
        os.environ.update(skip)


def _write(path: Path, content: bytes) -> None:
    """Write a prepared file and its checksum, in the format of ``sha256sum``."""
    write_atomically(path, content)
    write_atomically(prepared.sidecar(path), f"{hashlib.sha256(content).hexdigest()}  {path.name}\n".encode())
