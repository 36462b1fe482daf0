"""The datasets as records know them: by their fingerprints, which are in the names of all records."""

from pathlib import Path

from lib.datasets import catalogue

from .experiments import committed
from .records.store import Store


class Data:
    """Datasets whose prepared files are in a folder; the default is that of :func:`lib.datasets.prepared.directory`."""

    def __init__(self, folder: Path | str | None = None):
        self.folder = None if folder is None else Path(folder)
        self.sha256: dict[str, str] = {}  # of the datasets that were asked for

    def fingerprint(self, name: str) -> str:
        """The sha256 of a dataset, of which it is asked for once."""
        if name not in self.sha256:
            self.sha256[name] = committed.fingerprint(name, self.folder)
        return self.sha256[name]

    def known(self, name: str) -> bool:
        """Whether a dataset has a fingerprint: its data are here, or were where committed results come from."""
        return committed.known(name, self.folder)

    def differs(self) -> bool:
        """Whether a dataset that was asked for is here as another copy than that of the committed results."""
        return any(committed.sha256(name) not in (None, sha256) for name, sha256 in self.sha256.items())

    def fetch(self, name: str, sha256: str) -> None:
        """Download a dataset if it is missing, and check that it is the one with this sha256.

        Raises:
            ValueError: if it is another copy.
            ConnectionError: if it cannot be downloaded.
        """
        catalogue.download_if_missing(name, self.folder)
        if (found := catalogue.fingerprint(name, self.folder)) != sha256:
            raise ValueError(
                f"the data of {name!r} must be the copy that the record is named after (sha256 {sha256[:12]}...), but "
                f"those here are another ({found[:12]}...); run the command again, and it computes with them"
            )


def open_store(root: Path | str | None = None, data_dir: Path | str | None = None, section: str = "") -> Store:
    """The records under a folder, by default those of this repository, named after the datasets of another.

    Args:
        section: whose records are read first, see :class:`.records.store.Store`.
    """
    return Store(root, data=Data(data_dir), section=section)
