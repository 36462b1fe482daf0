"""Interleaved timing: the ratios of a table come from turns of one run, on one thread."""

import json
import statistics
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import torch

from lib.files import write_atomically
from lib.kernels import native
from notebooks.paper.records.configuration import plain
from notebooks.paper.records.provenance import provenance
from notebooks.paper.records.store import ROOT


@contextmanager
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@contextmanager
def using(library):
    """Run lib.kernels with one compiled library, or with PyTorch for None."""
    chosen, native.library = native.library, lambda: library
    try:
        yield
    finally:
        native.library = chosen


def interleaved(rows, repeats):
    """Processor seconds of each row, in turns; each turn calls it once untimed, so that none starts cold.

    Args:
        rows: name to (library, job); library as for `using`.
    """
    seconds = {name: [] for name in rows}
    for _ in range(repeats):
        for name, (library, run) in rows.items():
            with using(library):
                run()
                start = time.process_time()
                run()
                seconds[name].append(time.process_time() - start)
    return seconds


def ratio(times, reference) -> dict:
    """Median and quartiles over the turns of times / reference."""
    low, median, high = statistics.quantiles([own / other for own, other in zip(times, reference, strict=True)], n=4)
    return {"ratio": median, "low": low, "high": high}


def milliseconds(times) -> float:
    return 1e3 * statistics.median(times)


def keep(file, measured, started):
    """Write what was measured since ``started`` to a file of the records, with its provenance; return the text."""
    seconds = (datetime.now(UTC) - started).total_seconds()
    record = measured | {"provenance": provenance(started, seconds)}
    text = json.dumps(plain(record, "record"), indent=1) + "\n"
    write_atomically(ROOT / file, text.encode())
    return text
