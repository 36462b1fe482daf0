"""``python -m notebooks.paper.records.convert FOLDER...``: take over records of the earlier format, two files each.

They become loose records of data/results with the same content. For sweeps that still write the earlier format.
"""

import hashlib
import io
import sys
from pathlib import Path

import numpy as np

from .record import check, checksum, decode, encode, parse, read_file
from .store import Store


def convert(old: Path) -> tuple[str, bytes]:
    """Return the key and the one file of a record in the earlier format, of which this is the .json file."""
    content = parse(read_file(old))
    described, arrays = content["arrays"], {}
    if described:
        file = read_file(old.with_suffix(".npz"))
        if hashlib.sha256(file).hexdigest() != described["sha256"]:
            raise ValueError(f"{old}: its arrays are not those that its checksum was made of")
        with np.load(io.BytesIO(file), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in sorted(archive.files)}
    content["arrays"] = {name: {"dtype": a.dtype.name, "shape": list(a.shape)} for name, a in arrays.items()}
    content["sha256"] = checksum(content, arrays)
    check(content, old.stem)
    return old.stem, encode(content, arrays)


def main(folders: list[str]) -> int:
    store, new = Store(), 0
    for path in sorted(path for folder in folders for path in Path(folder).glob("*/*.json")):
        name, file = convert(path)
        found = store.read(name)
        if found is None or found.sha256 != decode(file, name).sha256:
            store.write(name, file)
            new += 1
    print(f"{new} records taken over")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
