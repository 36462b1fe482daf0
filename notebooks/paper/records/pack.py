"""Packed records: per section and release a line of JSON per record and one file of all their arrays.

``data/results/<section>/<date>-<hash>.jsonl`` and ``….parquet`` beside it; a row of the latter holds the arrays of one
record, flattened, in columns of their names. The hash is of both files, so that one look tells that they are as they
were written; they never change. Records to be computed again are named in ``dropped.txt`` beside them.
"""

import functools
import hashlib
import io
import json
import math
import re
import warnings
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from lib.files import write_atomically

from .record import Record, check, check_arrays, parse, read_file
from .record import record as record_of

DROPPED = "dropped.txt"


def read_packed(root: Path, section: str = "*") -> dict[str, Record]:
    """All packed records (of a section) by key; of two with one key, the one that was computed later."""
    found: dict[str, Record] = {}
    for folder in sorted({path.parent for path in root.glob(f"{section}/*.jsonl")}):
        dropped = _dropped(folder)
        for path in sorted(folder.glob("*.jsonl")):
            for record in _read_shard(path):
                other = found.get(record.key)
                newer = other is None or record.provenance["start"] >= other.provenance["start"]
                if newer and (record.key, record.sha256) not in dropped:
                    found[record.key] = record
    return found


def _dropped(folder: Path) -> set[tuple[str, ...]]:
    path = folder / DROPPED
    return {tuple(line.split()) for line in path.read_text().splitlines()} if path.exists() else set()


def _read_shard(path: Path) -> list[Record]:
    try:
        state = [(part.stat().st_mtime_ns, part.stat().st_size) for part in (path, path.with_suffix(".parquet"))]
        return _read_state(path, str(state))
    except (ValueError, OSError) as error:
        warnings.warn(f"{path}: {error}; its records count as missing", stacklevel=5)
        return []


@functools.lru_cache(maxsize=256)  # several stores in one process, and several readings, share what was read
def _read_state(path: Path, state: str) -> list[Record]:
    lines, columns = read_file(path), read_file(path.with_suffix(".parquet"))
    shard = Shard(columns)
    if path.stem.endswith(f"-{_hash(lines, columns)}"):
        contents = [json.loads(line) for line in lines.splitlines()]
        return [shard.record(row, content, path) for row, content in enumerate(contents)]
    return list(_checked(lines, shard, path))


def _checked(lines: bytes, shard: "Shard", path: Path) -> Iterator[Record]:
    for row, line in enumerate(lines.splitlines()):
        try:
            content = parse(line)
            check(content, content["key"] if isinstance(content, dict) and "key" in content else "")
            found = shard.record(row, content, path)
            check_arrays(content, found.arrays)
            yield found
        except (ValueError, RecursionError) as error:
            warnings.warn(f"{path}, line {row + 1}: {error}; this record counts as missing", stacklevel=9)


class Shard:
    """The arrays of packed records. ``file``: the content of the .parquet file."""

    def __init__(self, file: bytes):
        self.file = file

    @functools.cached_property
    def columns(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Of each array's name: where each record's begins and ends (n + 1,), and the values of all of them."""
        import pyarrow
        import pyarrow.parquet

        try:
            table = pyarrow.parquet.read_table(io.BytesIO(self.file), use_threads=False)
            found = {}
            for name in table.column_names[1:]:
                column = table[name].combine_chunks()
                values = column.values.to_numpy(zero_copy_only=False)
                found[name] = (column.offsets.to_numpy(), values.copy())  # arrays that can be written to
            return found
        except (pyarrow.ArrowException, AttributeError, OSError) as error:
            raise ValueError(f"not a file of arrays ({error})") from None

    def record(self, row: int, content: dict[str, Any], path: Path) -> Record:
        forms = content["arrays"]
        return record_of(content, path, lambda: {name: self.array(row, name, **form) for name, form in forms.items()})

    def array(self, row: int, name: str, shape: list[int], dtype: str) -> np.ndarray:
        if name not in self.columns or row + 1 >= len(self.columns[name][0]):
            raise ValueError(f"the array {name!r} is missing")
        offsets, values = self.columns[name]
        array = values[offsets[row] : offsets[row + 1]]
        if array.size != math.prod(shape):
            raise ValueError(f"the array {name!r} has {array.size} numbers, and should have the shape {shape}")
        return array.reshape(shape).astype(dtype, copy=False)  # a column has one type, also where its arrays differ


# --- writing ----------------------------------------------------------------------------------------------------------


def pack(store) -> list[Path]:
    """Pack the loose records of a store, and return the new files of lines.

    Raises:
        ValueError: if one was computed with code that is in no commit, and nothing is packed then; or if one would be
            read as another than it was, and its section is not packed then. All stay where they are.
    """
    sections, packed, done = defaultdict(list), read_packed(store.root), []
    for record in store.loose():
        if record.provenance["dirty"] is not False:
            raise ValueError(
                f"{record.path}: computed with code that is in no commit; delete it, commit, and compute it again"
            )
        if record.key not in packed or packed[record.key].sha256 != record.sha256:
            sections[section_of(record.config)].append(record)
        done.append(record.path)
    files = [write_shard(store.root / section, records) for section, records in sorted(sections.items())]
    for path in done:
        path.unlink()
    return files


def write_shard(folder: Path, records: list[Record]) -> Path:
    """Write records as one shard; returns the file of lines."""
    import pyarrow
    import pyarrow.parquet

    names = sorted({name for record in records for name in record.arrays})
    columns = {"key": pyarrow.array([record.key for record in records])}
    for name in names:
        values = [record.arrays[name].ravel() if name in record.arrays else None for record in records]
        try:
            columns[name] = pyarrow.array(values)
        except pyarrow.ArrowException as error:
            raise ValueError(f"the arrays {name!r} of these records do not fit into one column: {error}") from None
    buffer = io.BytesIO()
    options = {"compression": "zstd", "compression_level": 9, "use_dictionary": False}
    pyarrow.parquet.write_table(pyarrow.table(columns), buffer, **options)
    lines = "".join(json.dumps(record.content(), ensure_ascii=False) + "\n" for record in records).encode()
    path = folder / f"{date.today()}-{_hash(lines, buffer.getvalue())}.jsonl"
    again = Shard(buffer.getvalue())
    for row, record in enumerate(records):
        try:
            check_arrays(record.content(), again.record(row, record.content(), path).arrays)
        except ValueError as error:
            raise ValueError(f"{record.key} cannot be packed with the others: {error}") from None
    write_atomically(path.with_suffix(".parquet"), buffer.getvalue())
    write_atomically(path, lines)
    return path


def drop(store, name: str) -> None:
    """Let the record with this key count as missing, so that it is computed again.

    Raises:
        ValueError: if there is none.
    """
    if (record := store.read(name)) is None:
        raise ValueError(f"there is no record {name!r} in {store.root}")
    if record.path.suffix == ".safetensors":
        record.path.unlink()
        record = read_packed(store.root).get(name)
    if record is not None:
        path = record.path.parent / DROPPED
        lines = path.read_text() if path.exists() else ""
        write_atomically(path, f"{lines}{name} {record.sha256}\n".encode())


def section_of(config: dict[str, Any]) -> str:
    """The section that a configuration names, or one within it; of what has none the kind.

    Example:
        >>> section_of({"kind": "panels", "run_of": {"section": "tabular"}})
        'tabular'
    """
    inner = (value | {"kind": ""} for value in config.values() if isinstance(value, dict))
    name = config.get("section") or next(filter(None, map(section_of, inner)), config["kind"])
    if not re.fullmatch(r"[a-z0-9_-]*", name):
        raise ValueError(f"a section must be lower-case letters, digits, - and _, got {name!r}")
    return name


def _hash(*files: bytes) -> str:
    return hashlib.sha256(b"".join(files)).hexdigest()[:12]
