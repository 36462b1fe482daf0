"""A learned function stays the same function however it travels, or is refused with the reason."""

import copy
import io
import json
import os
import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file, save_model
from torch import nn

from lib import activations
from lib.activations import only, read, save
from lib.metalearning import Learned
from lib.networks import Activation, Network
from lib.splines import Spline, initial_values

LOW, HIGH = -1.25, 2.5
Z = torch.linspace(-4, 4, 101)


def function(**options):
    values = torch.randn(9, generator=torch.Generator().manual_seed(0))
    return Spline(values, LOW, HIGH, "cubic", **options)


def through_torch(g):
    file = io.BytesIO()
    torch.save(g.state_dict(), file)
    file.seek(0)
    other = Spline(torch.zeros(9))
    other.load_state_dict(torch.load(file, weights_only=True))
    return other


def through_model(g, tmp_path):
    save_model(nn.Sequential(g), tmp_path / "model.safetensors")
    other = nn.Sequential(Spline(torch.zeros(9)))
    other.load_state_dict(load_file(tmp_path / "model.safetensors"))
    return other[0]


def through_file(g, tmp_path):
    g.save(tmp_path / "new folder" / "g.safetensors", learned_on="something")
    return Spline.load(str(tmp_path / "new folder" / "g.safetensors"))


def through_network(g):
    about = Activation("spline", points=g.values.shape[-1], low=g.low, high=g.high, method=g.method)
    network = Network(1, 1, width=3, activation=about)
    return Learned({"hidden": g.values}, functions=network.functions).module()


WAYS = {
    "pickle": lambda g, _: pickle.loads(pickle.dumps(g)),
    "deepcopy": lambda g, _: copy.deepcopy(g),
    "state_dict": lambda g, _: through_torch(g),
    "safetensors of a model": through_model,
    "file": through_file,
    "Activation and back": lambda g, _: through_network(g),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("trainable", [False, True])
def test_it_arrives_as_the_same_function(tmp_path, way, trainable):
    g = function(trainable=trainable)
    assert torch.equal(WAYS[way](g, tmp_path)(Z), g(Z))


def test_other_numbers_of_points_are_refused_by_torch():
    with pytest.raises(RuntimeError, match="size mismatch for values"):
        Spline(torch.zeros(5)).load_state_dict(function().state_dict())


@pytest.mark.parametrize(
    "state, message",
    [
        ([1, -1, 0, -1], "low < high"),
        ([float("nan"), 1, 0, -1], "range must be finite"),
        ([-1, 1, 7, -1], "must name its method and dimension"),
        ([-1, 1, 0.5, -1], "must name its method and dimension"),
    ],
)
def test_a_state_that_no_spline_can_have_is_refused(state, message):
    changed = function().state_dict() | {"_extra_state": torch.tensor(state, dtype=torch.float64)}
    g = Spline(torch.zeros(9))
    with pytest.raises(ValueError, match=message):
        g.load_state_dict(changed)
    assert (g.low, g.high, g.method) == (-5, 5, "linear")


def test_functions_of_one_file_keep_their_own_ranges_and_what_is_known_of_them(tmp_path):
    network = Network(
        3,
        1,
        width=4,
        depth=1,
        activation=Activation("spline", points=7, low=-2, high=3),
        input_activation=Activation("spline", points=5, low=0, high=1),
    )
    psi = {name: values + 0.5 for name, values in network.init_psi("relu").items()}
    save(
        tmp_path / "both.safetensors",
        Learned(psi, functions=network.functions),
        learned_on="my table",
        columns=["a", "b", "c"],
    )
    found = read(tmp_path / "both.safetensors")
    assert (found["hidden"].low, found["hidden"].high, found["input"].low, found["input"].high) == (-2, 3, 0, 1)
    assert torch.equal(found["input"].values, psi["input"])
    assert found["input"].info == {"learned_on": "my table", "columns": ["a", "b", "c"]}
    assert only(found, "both") is found["hidden"]


def test_one_per_layer_are_several_functions(tmp_path):
    network = Network(3, 1, width=4, depth=2, activation=Activation("spline", points=7, layerwise=True))
    save(tmp_path / "two.safetensors", Learned(network.init_psi("relu"), functions=network.functions))
    found = read(tmp_path / "two.safetensors")
    assert sorted(found) == ["hidden.0", "hidden.1"] and found["hidden.0"].values.shape == (7,)
    with pytest.raises(
        ValueError, match=r"two.safetensors holds several functions, \['hidden.0', 'hidden.1'\]: choose"
    ):
        Spline.load(tmp_path / "two.safetensors")


def test_every_flipped_byte_is_noticed(tmp_path):
    path = tmp_path / "g.safetensors"
    function().save(path, learned_on="x")
    whole = path.read_bytes()
    for at in range(8, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        try:
            assert torch.equal(Spline.load(path)(Z), function()(Z))  # a byte that says nothing, such as a space
        except ValueError as error:
            assert "g.safetensors" in str(error)
    for length in (0, 4, 8, 40, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="g.safetensors is not a readable file of activations"):
            read(path)
    with pytest.raises(FileNotFoundError, match="missing.safetensors"):
        read(tmp_path / "missing.safetensors")


def written(path, about, tensors=None, raw=None):
    """A file with a right checksum that may be wrong in another respect."""
    tensors = {"hidden": torch.ones(4)} if tensors is None else tensors
    text = json.dumps(about) if raw is None else raw
    outer = json.dumps({"functions": text, "sha256": activations._digest(text, tensors)})
    save_file(tensors, path, metadata={activations.KEY: outer})
    return path


GOOD = {"low": -1.0, "high": 1.0, "method": "linear", "dim": -1, "info": {}}


def one(**changes):
    return {"about": {"hidden": GOOD | changes}}


BAD = {
    "not JSON": ({"about": None, "raw": "{"}, "is not a readable file of activations"),
    "deep": ({"about": None, "raw": "[" * 100_000 + "]" * 100_000}, "is not a readable file of activations"),
    "text for a number": (one(low="-1"), "must say .* each of its type"),
    "truth value for a number": (one(high=True), "must say .* each of its type"),
    "huge": (
        {"about": None, "raw": json.dumps({"hidden": GOOD}).replace("-1.0", "-1" + "0" * 400)},
        "each of its type",
    ),
    "infinite": (one(low=-float("inf")), "the range must be finite"),
    "not a number": (one(high=float("nan")), "the range must be finite"),
    "empty range": (one(high=-1.0), "low < high"),
    "unknown method": (one(method="quintic"), "method must be one of .* got 'quintic'"),
    "unknown key": (one(alpha=1.0), "must say .*"),
    "another name": ({"about": {"input": GOOD}}, r"the same of each function, got \['hidden'\] and \['input'\]"),
    "no tensor": ({"about": {}, "tensors": {}}, "the same of each function"),
    "not finite": (one() | {"tensors": {"hidden": torch.tensor([0.0, float("nan")])}}, "must be finite floating-point"),
    "integers": (one() | {"tensors": {"hidden": torch.ones(4, dtype=torch.int64)}}, "must be finite floating-point"),
    "one point": (one() | {"tensors": {"hidden": torch.ones(1)}}, r"n_c at least 2, got shape \(1,\)"),
    "three dimensions": (one() | {"tensors": {"hidden": torch.ones(2, 3, 4)}}, "n_c at least 2"),
}


@pytest.mark.parametrize("name", BAD)
def test_files_that_say_what_no_spline_can_be_are_refused(tmp_path, name):
    change, message = BAD[name]
    path = written(tmp_path / "x.safetensors", **change)
    with pytest.raises(ValueError, match=message) as raised:
        read(path)
    assert "x.safetensors" in str(raised.value) and len(str(raised.value)) < 1000


def test_foreign_files_are_refused(tmp_path):
    save_file({"hidden": torch.ones(4)}, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="x.safetensors is not a readable file of activations"):
        read(tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match=r"must end in .safetensors, got 'x.pt'"):
        read(tmp_path / "x.pt")


@pytest.mark.parametrize(
    "functions, info, message",
    [
        (torch.ones(4), {}, "functions must be splines, got Tensor for 'hidden': make a Spline of the values"),
        ({"hidden": torch.ones(4)}, {}, "functions must be splines, got Tensor for 'hidden'"),
        (Spline(torch.full((4,), 1e300, dtype=torch.float64)), {}, "values of 'hidden' must be finite"),
        (Spline(torch.ones(4)), {"learned_on": object()}, "info must be what JSON knows"),
        (Spline(torch.ones(4)), {"gain": float("nan")}, "info must be what JSON knows"),
        ({}, {}, "the same of each function"),
    ],
)
def test_what_cannot_be_saved_is_refused_and_leaves_nothing(tmp_path, functions, info, message):
    with pytest.raises(ValueError, match=message):
        save(tmp_path / "x.safetensors", functions, **info)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    function().save(path)
    before = path.read_bytes()

    def full_disk(*arguments):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match="no space left"):
        Spline(torch.zeros(4)).save(path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_any_function_becomes_a_spline():
    g = Spline(initial_values(nn.functional.gelu, 1001, -5, 5), -5, 5, info={"of": "GELU"})
    z = torch.linspace(-5, 5, 333)
    torch.testing.assert_close(g(z), nn.functional.gelu(z), atol=2e-5, rtol=0)
    assert g.info == {"of": "GELU"} and {line.get_label() for line in g.plot(label="GELU").lines} == {"GELU", "ReLU"}


# --- the zoo ----------------------------------------------------------------------------------------------------------


def test_finding_by_words_kind_and_gain():
    everything = activations.find()
    assert set(everything.index) == set(activations.index()) and everything["gain"].dropna().is_monotonic_decreasing
    assert everything["picture"].str.len().eq(16).all()
    about = everything.loc["transfer-aplusb-mod-53-sgd-zeros", ["depth", "width", "optimiser", "rate"]]
    assert about.tolist() == [1, 128, "sgd", 1.962963]
    clear = activations.find(task="algorithmic", kind="hidden", min_gain=0.5)
    assert len(clear) and (clear["gain"] - clear["half_width"] >= 0.5).all()
    assert clear["in_words"].str.contains("algorithmic task, for hidden layers, learned from").all()
    assert set(activations.find(kind="input")["kind"]) == {"input"} and activations.find(task="no such").empty
    with pytest.raises(ValueError, match="kind must be 'hidden' or 'input', got 'output'"):
        activations.find(kind="output")


def test_a_wrong_name_suggests_near_ones_briefly():
    with pytest.raises(ValueError, match="near are 'grokking-aplusb-mod-27-sgd-zeros'") as raised:
        activations.load("grokking-mod-27")
    assert len(str(raised.value)) < 300


def test_functions_of_columns_can_be_applied_to_ones_own_copy_of_the_table():
    inputs = activations.find(kind="input")
    assert len(inputs)
    for name in inputs.index:
        g = activations.load(name)
        assert len(g.info["columns"]) == len(g.values) == len(g.info["scales"]) and g.info["scaling"] == "minmax"
        assert all(low < high for low, high in g.info["scales"].values()) and g.info["learned_on"]
