import hashlib
import math
from dataclasses import dataclass, field, make_dataclass
from typing import ClassVar, Literal

import numpy as np
import pytest
import torch
from experiments_for_tests import KINDS, Small, Squares, fingerprints

from notebooks.paper.records.configuration import complete, config, datasets, key, plain, rebuild


@dataclass(frozen=True)
class Fixed:
    name: str


@dataclass(frozen=True)
class Learned:
    low: float
    high: float = 1.0


@dataclass(frozen=True)
class Nested:
    kind: ClassVar[str] = "nested"
    version: ClassVar[int] = 3

    activation: Fixed | Learned
    widths: tuple[int, ...] = (3, 4)
    pair: tuple[str, Learned] = ("a", Learned(0))
    optional: Learned | None = None
    rate: float | None = None
    steps: int | str = 1
    choice: Literal["a", "b"] = "a"
    several: tuple[Fixed | Learned, ...] = ()
    by_name: dict[str, Fixed] = field(default_factory=dict)
    listed: list[Fixed] = field(default_factory=list)
    bare: tuple = ()


NESTED = Nested(
    Learned(-1.0, 2),
    optional=Learned(0.5),
    rate=0.1,
    several=(Fixed("relu"), Learned(0)),
    by_name={"x": Fixed("tanh")},
    listed=[Fixed("y")],
    bare=(1, "b"),
)
EXPERIMENTS = {"nested": Nested, **KINDS}


def changed(cls, **attributes):
    """A copy of an experiment's class with other class attributes."""
    return type(cls.__name__, (cls,), attributes)


def test_plain_converts_numpy_tuples_and_dataclasses():
    value = {
        "a": np.float32(0.5),
        "b": (np.int64(3), True),
        "c": np.array([[1, 2]]),
        "d": Fixed("x"),
        "e": None,
    }
    found = plain(value)
    assert found == {"a": 0.5, "b": [3, True], "c": [[1, 2]], "d": {"name": "x"}, "e": None}
    assert type(found["a"]) is float and type(found["b"][0]) is int and found["b"][1] is True


def test_plain_makes_infinite_numbers_none_or_refuses_them():
    values = {"a": [1.0, math.nan, np.float32(np.inf), np.array([-np.inf, 2.0])]}
    assert plain(values, finite=False) == {"a": [1.0, None, None, [None, 2.0]]}
    with pytest.raises(ValueError, match=r"numbers\.a\[1\] must be finite, got nan"):
        plain(values, "numbers")


@pytest.mark.parametrize("value", [torch.tensor(1.0), {1, 2}, b"x", 1j, object(), Fixed], ids=lambda v: str(type(v)))
def test_plain_refuses_other_types(value):
    with pytest.raises(ValueError, match=r"numbers\.a must be of JSON types"):
        plain({"a": value}, "numbers")


def test_plain_refuses_keys_that_are_no_strings():
    with pytest.raises(ValueError, match="must have strings as keys, got 1"):
        plain({1: 2})


def test_key_names_the_kind_and_does_not_change():
    text = (
        '{"config":{"kind":"small","log":"","seconds":0,"value":2.5},'
        '"data":{"numbers":"sha256 of numbers"},"version":1}'
    )
    assert key(Small(2.5), fingerprints) == f"small-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def test_key_depends_on_every_field_the_version_the_kind_and_the_data():
    keys = [
        key(Small(1.0), fingerprints),
        key(Small(2.0), fingerprints),
        key(Small(1.0, seconds=1.0), fingerprints),
        key(changed(Small, version=2)(1.0), fingerprints),
        key(changed(Small, kind="other")(1.0), fingerprints),
        key(changed(Small, datasets=("others",))(1.0), fingerprints),
        key(Small(1.0), lambda name: "another sha256"),
        key(Squares((Small(1.0),)), fingerprints),
        key(Squares((Small(2.0),)), fingerprints),
    ]
    assert len(set(keys)) == len(keys)


def test_equal_experiments_have_equal_keys():
    for value in (1, np.int64(1), np.float32(1), 1.0):
        assert key(Small(value), fingerprints) == key(Small(1.0), fingerprints)
    assert key(Small(-0.0), fingerprints) == key(Small(0.0), fingerprints)
    assert key(Small(1.5), fingerprints) != key(Small(1.0), fingerprints)


def test_config_has_the_kind_and_all_fields():
    assert config(Small(2)) == {"kind": "small", "value": 2, "log": "", "seconds": 0.0}
    assert config(Squares((Small(2),))) == {
        "kind": "squares",
        "of": [{"value": 2, "log": "", "seconds": 0.0}],
    }


def test_config_refuses_numbers_that_are_not_finite():
    with pytest.raises(ValueError, match=r"Small\.value must be finite, got inf"):
        config(Small(math.inf))


@pytest.mark.parametrize("kind", [None, 3, "", "Upper", "a/b", ".."])
def test_config_refuses_other_kinds(kind):
    with pytest.raises(ValueError, match="kind of Small must be lower-case"):
        config(changed(Small, kind=kind)(1))


@pytest.mark.parametrize("version", [None, "1", 1.0, True])
def test_config_refuses_other_versions(version):
    with pytest.raises(ValueError, match="version of Small must be an int"):
        config(changed(Small, version=version)(1))


@pytest.mark.parametrize("experiment", [Small, {"kind": "small"}, None])
def test_config_refuses_what_is_no_experiment(experiment):
    with pytest.raises(ValueError, match="must be an instance of a dataclass"):
        config(experiment)


def test_config_refuses_a_kind_that_is_a_field():
    cls = make_dataclass("Wrong", [("kind", str, "wrong")], namespace={"version": 1})
    with pytest.raises(ValueError, match="must be class attributes"):
        config(cls())


def test_datasets_may_be_a_value_a_property_or_a_method():
    assert datasets(Small(1)) == ("numbers",)
    assert datasets(changed(Small, datasets=property(lambda self: ["a", "b"]))(1)) == ("a", "b")
    assert datasets(changed(Small, datasets=lambda self: ("a",))(1)) == ("a",)
    assert datasets(Squares(())) == ()
    with pytest.raises(ValueError, match="got the string 'mnist'"):
        datasets(changed(Small, datasets="mnist")(1))


@pytest.mark.parametrize(
    "experiment",
    [
        NESTED,
        Nested(Fixed("relu"), steps="all"),
        Nested(Learned(0)),
        Small(1),
        Squares((Small(1), Small(2.5))),
    ],
)
def test_rebuild_is_the_inverse_of_config(experiment):
    again = rebuild(config(experiment), EXPERIMENTS)
    assert again == experiment and type(again) is type(experiment)
    assert config(again) == config(experiment)
    assert key(again, fingerprints) == key(experiment, fingerprints)


def test_rebuild_names_unknown_and_missing_keys():
    good = config(NESTED)
    with pytest.raises(ValueError, match=r"unknown keys \['widht'\]; the keys of Nested are"):
        rebuild(good | {"widht": 1}, EXPERIMENTS)
    with pytest.raises(ValueError, match=r"unknown keys \['lo'\]; .* @ Nested\.optional"):
        rebuild(good | {"optional": {"lo": 1, "high": 2}}, EXPERIMENTS)
    with pytest.raises(ValueError, match=r"unknown keys \['nam'\]; .* @ Nested\.activation"):
        rebuild(good | {"activation": {"nam": "relu"}}, EXPERIMENTS)
    with pytest.raises(ValueError, match=r"unknown keys \['b'\]; .* @ Nested\.listed\[0\]"):
        rebuild(good | {"listed": [{"name": "a", "b": 2}]}, EXPERIMENTS)
    del good["widths"]
    with pytest.raises(ValueError, match=r"missing keys \['widths'\]"):
        rebuild(good, EXPERIMENTS)


def test_rebuild_refuses_other_kinds_and_forms():
    with pytest.raises(ValueError, match="kind must be one of .*, got 'unheard'"):
        rebuild({"kind": "unheard"}, EXPERIMENTS)
    with pytest.raises(ValueError, match="kind must be one of .*, got None"):
        rebuild({}, EXPERIMENTS)
    with pytest.raises(ValueError, match=r"got 1, expected 2|not enough|Nested\.pair"):
        rebuild(config(NESTED) | {"pair": ["a"]}, EXPERIMENTS)


def test_rebuild_refuses_what_the_experiment_itself_changes():
    def clip(self):
        object.__setattr__(self, "value", min(self.value, 1.0))

    cls = make_dataclass(
        "Clipped",
        [("value", float)],
        frozen=True,
        namespace={"kind": "clipped", "version": 1, "__post_init__": clip},
    )
    assert rebuild({"kind": "clipped", "value": 0.5}, {"clipped": cls}) == cls(0.5)
    with pytest.raises(ValueError, match="the configuration does not fit Clipped"):
        rebuild({"kind": "clipped", "value": 2.0}, {"clipped": cls})


def test_config_refuses_a_class_that_the_type_hint_does_not_name():
    special = type("Special", (Small,), {})
    with pytest.raises(ValueError, match=r"Squares\.of\[1\] must be of a class .* got Special"):
        config(Squares((Small(1), special(2))))
    with pytest.raises(ValueError, match=r"Nested\.bare\[0\] must be of a class .* got Fixed"):
        config(Nested(Fixed("relu"), bare=(Fixed("x"),)))


def test_dataclasses_in_a_union_must_differ():
    twin = make_dataclass("Twin", [("name", str)], frozen=True)
    attributes = {"kind": "ambiguous", "version": 1}
    for hint in (Fixed | twin, tuple[Fixed | twin, ...], tuple[Fixed | twin, ...] | None):
        cls = make_dataclass("Ambiguous", [("one", hint)], frozen=True, namespace=attributes)
        with pytest.raises(ValueError, match=r"must have different fields, got Ambiguous\.one"):
            config(cls(Fixed("relu")))


# --- fields that came later -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Early:
    """As it was when records were made."""

    kind: ClassVar[str] = "grown"
    version: ClassVar[int] = 1

    part: Fixed | Learned


@dataclass(frozen=True)
class Slow(Fixed):
    rate: float = field(default=0.5, metadata={"old": 1.0})


@dataclass(frozen=True)
class Grown:
    """The same with late fields, in it and in a member of a union."""

    kind: ClassVar[str] = "grown"
    version: ClassVar[int] = 1

    part: Slow | Learned
    start: str = field(default="random", metadata={"old": "zeros"})
    inner: Fixed | None = field(default=None, metadata={"old": Fixed("relu")})


def test_late_fields_at_their_old_values_leave_the_key_as_it_was():
    for early, grown in (
        (Early(Fixed("a")), Grown(Slow("a", 1), "zeros", Fixed("relu"))),
        (Early(Learned(0)), Grown(Learned(0), "zeros", Fixed("relu"))),
    ):
        assert config(grown) == config(early) and key(grown, fingerprints) == key(early, fingerprints)
        assert rebuild(config(early), {"grown": Grown}) == grown  # with the old values, not the defaults


def test_a_complete_configuration_has_all_late_fields():
    grown = Grown(Slow("a", 1), "zeros", Fixed("relu"))
    part = {"name": "a", "rate": 1.0}
    assert complete(config(grown), Grown) == {
        "kind": "grown",
        "part": part,
        "start": "zeros",
        "inner": {"name": "relu"},
    }
    assert complete(config(NESTED), Nested) == config(NESTED)


@pytest.mark.parametrize("part", [Slow("a"), Slow("a", 1.0), Learned(0.0)])
@pytest.mark.parametrize("late", [{}, {"start": "zeros"}, {"inner": Fixed("x")}])
def test_late_fields_at_other_values_are_part_of_the_configuration(part, late):
    grown = Grown(part, **late)
    assert rebuild(config(grown), {"grown": Grown}) == grown
    assert key(grown, fingerprints) != key(Grown(part, "zeros", Fixed("relu")), fingerprints)


def test_a_late_field_that_is_written_out_at_its_old_value_is_refused():
    good = config(Grown(Learned(0)))
    with pytest.raises(ValueError, match="does not fit Grown"):
        rebuild(good | {"start": "zeros"}, {"grown": Grown})
    with pytest.raises(ValueError, match=r"unknown keys \['strat'\]"):
        rebuild(good | {"strat": "zeros"}, {"grown": Grown})
    with pytest.raises(ValueError, match=r"missing keys \['part'\]"):
        rebuild({"kind": "grown", "start": "random"}, {"grown": Grown})


def test_dataclasses_in_a_union_must_differ_whatever_late_fields_they_have():
    late = make_dataclass(
        "Late", [("name", str), ("rate", float, field(default=1.0, metadata={"old": 1.0}))], frozen=True
    )
    attributes = {"kind": "ambiguous", "version": 1}
    cls = make_dataclass("Ambiguous", [("one", Fixed | late)], frozen=True, namespace=attributes)
    with pytest.raises(ValueError, match=r"must have different fields, got Ambiguous\.one"):
        config(cls(late("relu")))
