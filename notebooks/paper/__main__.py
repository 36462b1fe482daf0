"""Compute what is missing of a section, ``python -m notebooks.paper SECTION``, or check what is there, ``... verify``."""

import argparse
import sys
from pathlib import Path

from .records import estimates, verify
from .records.store import Store
from .records.sweep import Stages, describe, missing_of, run


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def print_missing(stages: Stages, store: Store) -> None:
    """Print what is missing of each stage, up to the first that is not complete: later ones depend on it."""
    for number, stage in enumerate(stages, 1):
        missing = missing_of(stage, store)
        print(f"stage {number}: {len(missing)} of {len(set(map(store.key, stage)))} missing")
        for name, experiment in missing.items():
            print(f"  {describe(name, experiment)}")
        if missing:
            print("stages after this one depend on its results")
            return


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status: 0 if all is well, 1 after failures, 130 after Ctrl-C."""
    from .sections import KINDS, SECTIONS

    parser = argparse.ArgumentParser(prog="python -m notebooks.paper", description=__doc__.split("\n\n")[0])
    commands = parser.add_subparsers(dest="section", required=True, metavar="SECTION|verify")
    for name in [*SECTIONS, "verify"]:
        command = commands.add_parser(name)
        command.add_argument("--processes", type=_positive, default=2, help="worker processes (default 2)")
        command.add_argument("--data-dir", type=Path, help="datasets (default: $SIMPLICITY_DATA or data)")
        command.add_argument("--results", type=Path, help="the store (default: data/results)")
    for name in SECTIONS:
        command = commands.choices[name]
        command.add_argument("--profile", choices=("paper", "smoke"), default="paper")
        command.add_argument("--list", action="store_true", help="only print what is missing")
        command.add_argument("--dry", action="store_true", help="only print what is missing, and its cost")
    command = commands.choices["verify"]
    command.add_argument("--sample", type=_positive, default=20, help="how many records (default 20)")
    command.add_argument("--seed", type=int, default=0, help="of the choice (default 0)")
    command.add_argument("--at-most-minutes", type=_positive, help="as the records tell, for all together")
    options = parser.parse_args(arguments)

    store = Store(options.results, data_dir=options.data_dir)
    try:
        if options.section == "verify":
            minutes = options.at_most_minutes or float("inf")
            chosen = verify.choose(store, KINDS, options.sample, seed=options.seed, minutes=minutes)
            checks = verify.verify(chosen, store, KINDS, options.processes)
            return 0 if checks and all(check.agrees for check in checks) else 1
        if options.dry:
            pretending = estimates.Pretending(options.results, data_dir=options.data_dir)
            durations = estimates.Durations(store.records(), KINDS)
            estimates.print_estimate(SECTIONS[options.section](options.profile, pretending), store, durations)
            return 0
        stages = SECTIONS[options.section](options.profile, store)
        if options.list:
            print_missing(stages, store)
            return 0
        summary = run(stages, store, processes=options.processes)
    except KeyboardInterrupt:
        print("\nstopped; what was computed is kept, and the same command goes on from there")
        return 130
    print(f"{len(summary.done)} computed, {len(summary.skipped)} there before, {len(summary.failed)} failed")
    if summary.failed:
        print("the stages after this one were not started; failed: " + ", ".join(summary.failed))
    return 1 if summary.failed else 0


if __name__ == "__main__":
    sys.exit(main())
