"""``python -m lib.manifest``: enter the datasets of new records in the manifest of data/results.

A clone without a dataset finds the records of it by the manifest alone.
"""

from pathlib import Path

from lib import sources
from lib.results import Store


def enter_new(store: Store, data_dir: str | Path | None = None) -> list[str]:
    """Enter downloaded datasets that records of the store used and that are here as the same copy; returns their names.

    Entries that are there stay as they are.
    """
    used = {(name, sha256) for record in store.records() for name, sha256 in record.data.items()}
    new = sorted(
        name
        for name, sha256 in used
        if sources.recorded_fingerprint(name) is None
        and sources.path(name, data_dir) is not None
        and sources.available(name, data_dir)
        and sources.fingerprint(name, data_dir) == sha256
    )
    if new:
        sources.record_fingerprints(new, data_dir)
    return new


if __name__ == "__main__":
    print("\n".join(f"new in the manifest: {name}" for name in enter_new(Store())) or "the manifest is complete")
