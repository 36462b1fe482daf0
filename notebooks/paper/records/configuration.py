"""Configurations: from an experiment to JSON, to the hash that names its record, and back.

An experiment is a frozen dataclass with two class attributes: ``kind`` (str), and ``version`` (int), which is
raised by hand when a change of the code alters the outcome. Its ``datasets`` are the names of the data that
it reads.

A late field is one that a class got after records were made: its metadata have, as "old", the value that those ran
with, ``field(default="glorot", metadata={"old": "default"})``. At that value it is left out of the configuration, and
a configuration without it has that value; so the names of all records stay. The default may be another.
"""

import dataclasses
import functools
import hashlib
import itertools
import json
import math
import re
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np


def plain(value: Any, where: str = "value", *, finite: bool = True, classes: Any = None) -> Any:
    """Turn dataclasses, dicts, tuples, lists, NumPy arrays and scalars into what JSON can hold.

    Args:
        value: what to convert.
        where: its name in error messages.
        finite: whether numbers that are not finite are an error; otherwise they become None.
        classes: the dataclasses that a dataclass may be of; None for any.

    Raises:
        ValueError: for other types, for keys that are no strings and, if ``finite``, for NaN and infinities.

    Example:
        >>> plain({"a": (1, np.float32(0.5)), "b": np.inf}, finite=False)
        {'a': [1, 0.5], 'b': None}
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if _is_dataclass(value) and not isinstance(value, type):
        return _plain_fields(value, where, finite, classes)
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        if finite and not math.isfinite(value):
            raise ValueError(f"{where} must be finite, got {value}")
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        for name in value:
            if type(name) is not str:
                raise ValueError(f"{where} must have strings as keys, got {name!r}")
        return {name: plain(item, f"{where}.{name}", finite=finite, classes=classes) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{i}]", finite=finite, classes=classes) for i, item in enumerate(value)]
    raise ValueError(f"{where} must be of JSON types, dataclasses and NumPy values, got {type(value).__name__}")


def _plain_fields(value: Any, where: str, finite: bool, classes: Any) -> dict[str, Any]:
    """A dataclass as a dict; its class must be in the type hint, or it might look the same as another."""
    if classes is not None and type(value) not in classes:
        raise ValueError(f"{where} must be of a class that its type hint names, got {type(value).__name__}")
    fields, old = {}, _old_values(type(value))
    for name, hint in _hints(type(value)).items():
        if name in _field_names(type(value)):
            members = [member for member in _members(hint) if _is_dataclass(member)]
            given = plain(getattr(value, name), f"{where}.{name}", finite=finite, classes=members)
            if name not in old or given != plain(old[name]):
                fields[name] = given
    return fields


def config(experiment: Any) -> dict[str, Any]:
    """Return the configuration of an experiment as a plain dict: its kind and its fields."""
    if not _is_dataclass(experiment) or isinstance(experiment, type):
        raise ValueError(f"an experiment must be an instance of a dataclass, got {experiment!r}")
    cls = type(experiment)
    kind, version = getattr(cls, "kind", None), getattr(cls, "version", None)
    if {"kind", "version"} & {field.name for field in dataclasses.fields(cls)}:
        raise ValueError(f"kind and version of {cls.__name__} must be class attributes (ClassVar), got fields")
    if type(kind) is not str or not re.fullmatch(r"[a-z][a-z0-9_-]*", kind):
        raise ValueError(f"kind of {cls.__name__} must be lower-case letters, digits, - and _, got {kind!r}")
    if type(version) is not int:
        raise ValueError(f"version of {cls.__name__} must be an int, got {version!r}")
    return {"kind": kind, **plain(experiment, cls.__name__)}


def datasets(experiment: Any) -> tuple[str, ...]:
    """Return the names of the datasets that an experiment reads: its ``datasets``, a value or a method."""
    names = getattr(experiment, "datasets", ())
    names = names() if callable(names) else names
    if isinstance(names, str):
        raise ValueError(f"datasets must be a tuple of names, got the string {names!r}")
    return tuple(names)


def key(experiment: Any, fingerprints: Callable[[str], str]) -> str:
    """Return the name of the experiment's record, "<kind>-<12 hex digits>".

    The digits are a hash of kind, version, configuration and the sha256 of each dataset,
    ``fingerprints(name)``. Equal experiments have equal keys: 1 and 1.0 count as the same number.
    """
    data = {name: fingerprints(name) for name in datasets(experiment)}
    return key_of(config(experiment), type(experiment).version, data)


def key_of(config: dict[str, Any], version: int, data: dict[str, str]) -> str:
    """Return the key that belongs to a configuration, a version and the sha256 of the datasets."""

    def same(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: same(item) for name, item in value.items()}
        if isinstance(value, list):
            return [same(item) for item in value]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    content = same({"config": config, "version": version, "data": data})
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return f"{config['kind']}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def rebuild(config_: dict[str, Any], kinds: dict[str, type]) -> Any:
    """Return the experiment that has this configuration; the inverse of :func:`config`.

    Args:
        config_: as from :func:`config`, for instance ``record.config``.
        kinds: the dataclass of each kind. Nested dataclasses are found by the type hints of the fields.

    Raises:
        ValueError: for an unknown kind, and for an unknown or missing key, which the message names.
    """
    fields = dict(config_)
    kind = fields.pop("kind", None)
    if kind not in kinds:
        raise ValueError(f"kind must be one of {sorted(kinds)}, got {kind!r}")
    experiment = _build(kinds[kind], fields, kinds[kind].__name__)
    if config(experiment) != config_:
        raise ValueError(f"the configuration does not fit {kinds[kind].__name__}, got {config_}")
    return experiment


def complete(config_: dict[str, Any], kinds: dict[str, type]) -> dict[str, Any]:
    """Return the configuration with all late fields written out, so that those of all records have the same keys.

    Args:
        config_, kinds: as for :func:`rebuild`.
    """
    return {"kind": config_["kind"], **plain(dataclasses.asdict(rebuild(config_, kinds)))}


def _build(hint: Any, value: Any, where: str) -> Any:
    """Turn a JSON value into what the type hint asks for."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if _is_union(hint):
        return _build(_choose(arguments, value), value, where)
    if _is_dataclass(hint) and isinstance(value, dict):
        names, old = _field_names(hint), _old_values(hint)
        for name in [*value, *names]:
            if name not in names or name not in value and name not in old:
                problem = "missing" if name in names else "unknown"
                raise ValueError(f"{problem} key {name!r} in {where}; its keys are {names}")
        hints = _hints(hint)
        return hint(**old | {name: _build(hints[name], item, f"{where}.{name}") for name, item in value.items()})
    if tuple in (hint, origin) and isinstance(value, list):
        if not arguments or arguments[-1] is Ellipsis:
            arguments = (arguments[:1] or (Any,)) * len(value)
        if len(arguments) != len(value):
            raise ValueError(f"{where} must have {len(arguments)} items, got {len(value)}")
        return tuple(_build(arguments[i], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is list and isinstance(value, list):
        return [_build(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value)]
    if origin is dict and isinstance(value, dict):
        return {name: _build(arguments[1], item, f"{where}.{name}") for name, item in value.items()}
    return float(value) if hint is float and type(value) is int else value


def _choose(members: tuple, value: Any) -> Any:
    """Return the member of a union that a JSON value is meant for."""
    if isinstance(value, dict):
        classes = [member for member in members if _is_dataclass(member)]
        fitting = [member for member in classes if _needed(member) <= set(value) <= set(_field_names(member))]
        return (fitting or classes or [Any])[0]  # a class that does not fit names the wrong key
    if isinstance(value, list):
        return next((m for m in members if (typing.get_origin(m) or m) in (tuple, list)), Any)
    return float if float in members and int not in members else Any


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    """The type hints of a dataclass; an error if classes in a union may have equal fields (they look alike)."""
    hints = typing.get_type_hints(cls)
    for name, hint in hints.items():
        for union in filter(_is_union, _members(hint)):
            members = [member for member in typing.get_args(union) if _is_dataclass(member)]
            for one, other in itertools.combinations(members, 2):
                if _needed(one) <= set(_field_names(other)) and _needed(other) <= set(_field_names(one)):
                    where = f"{cls.__name__}.{name}"
                    raise ValueError(f"classes in a union must have different fields, got {where}: {hint}")
    return hints


def _members(hint: Any) -> Iterator[Any]:
    """The type hint and all that it is made of."""
    yield hint
    for argument in typing.get_args(hint):
        yield from _members(argument)


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def _is_dataclass(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and typing.get_origin(value) is None


def _field_names(cls: type) -> list[str]:
    return [field.name for field in dataclasses.fields(cls)]


def _old_values(cls: type) -> dict[str, Any]:
    """The late fields of a dataclass, with the values that records from before them ran with."""
    return {field.name: field.metadata["old"] for field in dataclasses.fields(cls) if "old" in field.metadata}


def _needed(cls: type) -> set[str]:
    """The fields that every configuration of a dataclass has."""
    return set(_field_names(cls)) - set(_old_values(cls))
