"""Run all benchmarks and write their record: ``python -m benchmarks [repeats] [part ...]``.

On an idle core 3 repeats take about 4 minutes. With parts named, only those are measured and printed, not kept.

The record, data/results/speed.json, is what the book's page "Speed" is made of, with that of a GPU if there is one.
"""

import json
import sys
from datetime import UTC, datetime

import torch

from benchmarks import activation, complexity, landscape, metastep, replicas, scaling, steps, whole
from benchmarks.timing import keep

PARTS = {
    "activation": activation.measure,
    "episode": metastep.measure,
    "complexity": complexity.measure,
    "landscape": landscape.measure,
    "replicas": replicas.measure,
    "steps": steps.measure,
    "scaling": scaling.measure,
    "whole": whole.measure,
}


def main(repeats: int | None, parts: list[str]) -> None:
    started, record = datetime.now(UTC), {}
    for name in parts or PARTS:
        print(f"{name} ...", flush=True)
        record[name] = PARTS[name]() if repeats is None else PARTS[name](repeats)
    if parts:
        print(json.dumps(record, indent=1))
        return
    print(keep("speed.json", record, started))
    if torch.cuda.is_available():
        replicas.main(repeats or 5)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else None, sys.argv[2:])
