"""Run all benchmarks and write their record: ``python -m benchmarks [repeats]``.

The record, data/results/speed.json, is what the book's page "Speed" is made of, with that of a GPU if there is one.
"""

import json
import sys
import time
from datetime import UTC, datetime

import torch

from benchmarks import activation, complexity, landscape, metastep, replicas, sweeps
from lib.files import write_atomically
from lib.provenance import provenance
from lib.results import ROOT, plain

PARTS = {
    "activation": activation.measure,
    "episode": metastep.measure,
    "complexity": complexity.measure,
    "landscape": landscape.measure,
    "replicas": replicas.measure,
    "sweeps": sweeps.measure,
}


def main(repeats: int | None) -> None:
    started, begin, record = datetime.now(UTC), time.monotonic(), {}
    for name, measure in PARTS.items():
        print(f"{name} ...", flush=True)
        record[name] = measure() if repeats is None else measure(repeats)
    record["provenance"] = provenance(started, time.monotonic() - begin)
    text = json.dumps(plain(record, "record"), indent=1) + "\n"
    write_atomically(ROOT / "speed.json", text.encode())
    print(text)
    if torch.cuda.is_available():
        replicas.main(repeats or 5)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else None)
