"""Compute what is missing of a section, ``python -m notebooks.paper SECTION``, check what is there, ``... verify``,
pack new records, ``... pack``, or let one count as missing, ``... drop KEY``."""

import argparse
import signal
import sys
from pathlib import Path

from .data import open_store
from .records import estimates, pack, verify
from .records.cluster import Cluster
from .records.store import Store
from .records.sweep import Plan, chains_of, describe, missing_of, run


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def print_missing(plan: Plan, store: Store) -> None:
    """Print what is missing of each chain's stages, up to the first that is not complete: later ones depend on it."""
    for chain in chains_of(plan):
        for number, stage in enumerate(chain, 1):
            missing = missing_of(stage, store)
            print(f"stage {number}: {len(missing)} of {len(set(map(store.key, stage)))} missing")
            for name, experiment in missing.items():
                print(f"  {describe(name, experiment)}")
            if missing:
                print("stages after this one depend on its results")
                break


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status: 0 if all is well, 1 after failures, 130 after Ctrl-C."""
    from .sections import KINDS, SECTIONS

    parser = argparse.ArgumentParser(prog="python -m notebooks.paper", description=__doc__.split("\n\n")[0])
    commands = parser.add_subparsers(dest="section", required=True, metavar="SECTION|verify|pack|drop")
    for name in [*SECTIONS, "verify", "pack", "drop"]:
        command = commands.add_parser(name)
        command.add_argument("--results", type=Path, help="the store (default: data/results)")
        command.add_argument("--data-dir", type=Path, help="datasets (default: $SIMPLICITY_DATA or data)")
    for name in [*SECTIONS, "verify"]:
        command = commands.choices[name]
        command.add_argument("--processes", type=_positive, default=2, help="worker processes (default 2)")
        command.add_argument("--scheduler", help="address of another Dask cluster, such as tcp://10.0.0.1:8786")
        command.add_argument("--memory", default="auto", help="of each process here, such as 4GB (default: its share)")
    for name in SECTIONS:
        command = commands.choices[name]
        command.add_argument("--profile", choices=("paper", "smoke"), default="paper")
        command.add_argument("--list", action="store_true", help="only print what is missing")
        command.add_argument("--dry", action="store_true", help="only print what is missing, and its cost")
    command = commands.choices["verify"]
    command.add_argument("--sample", type=_positive, default=20, help="how many records (default 20)")
    command.add_argument("--seed", type=int, default=0, help="of the choice (default 0)")
    command.add_argument("--at-most-minutes", type=_positive, help="as the records tell, for all together")
    command.add_argument("--all", action="store_true", help="of all records, those of earlier code at their own commit")
    commands.choices["drop"].add_argument("key", help="of a record that is to be computed again")
    options = parser.parse_args(arguments)

    store = open_store(options.results, options.data_dir)
    try:
        if options.section == "pack":
            print("\n".join(map(str, pack.pack(store))) or "no loose records")
            return 0
        if options.section == "drop":
            pack.drop(store, options.key)
            return 0
    except ValueError as error:
        sys.exit(str(error))
    if getattr(options, "dry", False):
        pretending = estimates.Pretending(options.results, data=store.data)
        durations = estimates.Durations(store.records(), KINDS)
        estimates.print_estimate(SECTIONS[options.section](options.profile, pretending), store, durations)
        return 0
    if getattr(options, "list", False):
        print_missing(SECTIONS[options.section](options.profile, store), store)
        return 0
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # which ends the workers, too
    try:
        with Cluster(options.processes, options.scheduler, options.memory) as cluster:
            if options.section == "verify":
                minutes = options.at_most_minutes or float("inf")
                chosen = verify.choose(
                    store, KINDS, options.sample, seed=options.seed, minutes=minutes, everything=options.all
                )
                checks = verify.verify(chosen, store, KINDS, cluster)
                return 0 if checks and all(check.agrees for check in checks) else 1
            summary = run(SECTIONS[options.section](options.profile, store), store, cluster)
    except KeyboardInterrupt:
        print("\nstopped; what was computed is kept, and the same command goes on from there")
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)
    print(f"{len(summary.done)} computed, {len(summary.skipped)} there before, {len(summary.failed)} failed")
    if summary.failed:
        print("what depends on these was not started; failed: " + ", ".join(summary.failed))
    return 1 if summary.failed else 0


if __name__ == "__main__":
    sys.exit(main())
