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
    if value is None or type(value) in (bool, int, str):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist(), where, finite=finite, classes=classes)
    if _is_dataclass(value) and not isinstance(value, type):
        return _plain_fields(value, where, finite, classes)
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
    for name, members in _classes(type(value)).items():
        given = plain(getattr(value, name), f"{where}.{name}", finite=finite, classes=members)
        if name not in old or given != old[name]:
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
        ValueError: for an unknown kind, an unknown or missing key, and a value of another type; the message names it.
    """
    import cattrs  # not needed to read records

    fields = dict(config_)
    kind = fields.pop("kind", None)
    if not isinstance(kind, str) or kind not in kinds:
        raise ValueError(f"kind must be one of {sorted(kinds)}, got {kind!r}")
    try:
        experiment = _converter().structure(fields, kinds[kind])
    except cattrs.BaseValidationError as error:
        problems = cattrs.transform_error(error, kinds[kind].__name__, lambda error, _: str(error))
        raise ValueError("; ".join(problems)) from None
    if config(experiment) != config_:
        raise ValueError(f"the configuration does not fit {kinds[kind].__name__}, got {config_}")
    return experiment


def complete(config_: dict[str, Any], cls: type) -> dict[str, Any]:
    """Return the configuration of a dataclass with all late fields written out, in it and in the dataclasses in it.

    So those of all records have the same keys.
    """
    hints, old = _hints(cls), _old_values(cls)
    fields = {name: _complete(config_.get(name, old.get(name)), hints[name]) for name in _field_names(cls)}
    return {name: config_[name] for name in ("kind",) if name in config_} | fields


def _complete(value: Any, hint: Any) -> Any:
    if isinstance(value, list):
        return [_complete(item, hint) for item in value]
    if not isinstance(value, dict):
        return value
    classes = [member for member in _members(hint) if _is_dataclass(member)]
    for cls in classes:
        if _needed(cls) <= set(value) <= set(_field_names(cls)):
            return complete(value, cls)
    return {name: _complete(item, hint) for name, item in value.items()}


@functools.cache
def _converter():
    """What makes dataclasses of JSON values, strictly: nothing is missing, unknown or turned into another type."""
    import cattrs
    from cattrs.gen import make_dict_structure_fn

    converter = cattrs.Converter()

    def scalar(value: Any, cls: type) -> Any:
        if type(value) is not cls and not (cls is float and type(value) is int):
            raise ValueError(f"must be of the type {cls.__name__}, got {value!r}")
        return cls(value)

    for cls in (bool, int, float, str):
        converter.register_structure_hook(cls, scalar)

    @converter.register_structure_hook_factory(_is_dataclass)
    def dataclass(cls: type):
        build = make_dict_structure_fn(cls, converter)
        names, old = set(_field_names(cls)), _old_values(cls)

        def structure(value: Any, _) -> Any:
            if not isinstance(value, dict):
                raise ValueError(f"must be a dictionary, got {value!r}")
            for problem, keys in (("unknown", value.keys() - names), ("missing", names - (old | value).keys())):
                if keys:
                    raise ValueError(f"{problem} keys {sorted(keys)}; the keys of {cls.__name__} are {sorted(names)}")
            return build(old | value, cls)

        return structure

    @converter.register_structure_hook_factory(_is_union)
    def union(hint: Any):
        members = typing.get_args(hint)

        def structure(value: Any, _) -> Any:
            if value is None and type(None) in members:
                return None
            classes = [member for member in members if _is_dataclass(member)]
            if isinstance(value, dict) and classes:  # one that does not fit names the wrong key
                fitting = (cls for cls in classes if _needed(cls) <= set(value) <= set(_field_names(cls)))
                return converter.structure(value, next(fitting, classes[0]))
            exact = [m for m in members if type(value) is (typing.get_origin(m) or m)]
            exact += [m for m in members if (typing.get_origin(m) or m) is tuple and isinstance(value, list)]
            exact += [float] if type(value) is int and float in members else []
            if not exact:
                raise ValueError(f"must be of the type {hint}, got {value!r}")
            return converter.structure(value, exact[0])

        return structure

    return converter


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


@functools.cache
def _field_names(cls: type) -> list[str]:
    return [field.name for field in dataclasses.fields(cls)]


@functools.cache
def _classes(cls: type) -> dict[str, list[type]]:
    """Of each field of a dataclass, the dataclasses that its type hint names."""
    hints = {name: hint for name, hint in _hints(cls).items() if name in _field_names(cls)}
    return {name: [member for member in _members(hint) if _is_dataclass(member)] for name, hint in hints.items()}


@functools.cache
def _old_values(cls: type) -> dict[str, Any]:
    """The late fields of a dataclass, with the values (as JSON) that records from before them ran with."""
    return {field.name: plain(field.metadata["old"]) for field in dataclasses.fields(cls) if "old" in field.metadata}


@functools.cache
def _needed(cls: type) -> set[str]:
    """The fields that every configuration of a dataclass has."""
    return set(_field_names(cls)) - set(_old_values(cls))
