"""The committed activations: complete, readable, and those of the records."""

import json

import pytest
import torch

from lib import activations, reading
from lib.results import Store


def test_every_committed_activation_loads_and_is_that_of_its_record():
    for name, entry in activations.index().items():
        g = activations.load(name)
        record = Store().read(entry["record"])
        assert record is not None, f"{name}: no record {entry['record']}"
        values = torch.from_numpy(record.arrays["psi_hidden" if "psi_hidden" in record.arrays else "psi_input"])
        torch.testing.assert_close(g.values, values, rtol=0, atol=0)
        assert (g.low, g.high, g.values.shape[-1]) == (entry["low"], entry["high"], entry["points"])
        assert entry["kind"] == ("hidden" if g.values.ndim == 1 else "input")
        z = torch.linspace(-20, 20, 101)
        assert torch.isfinite(g(z if values.ndim == 1 else z[:, None].expand(-1, len(values)))).all()


def test_the_folder_has_what_the_index_lists_and_nothing_else():
    files = {path.name for path in activations.FOLDER.glob("*.safetensors")}
    assert files == {entry["file"] for entry in activations.index().values()}


def test_export_writes_the_activations_of_the_final_runs(tmp_path):
    results = reading.results("grokking", "smoke")
    names = activations.export({"grokking": results}, tmp_path)
    assert names == ["grokking-aplusb-mod-11-sgd-zeros", "grokking-aplusb-mod-17-sgd-zeros"]
    learned = results.frame(role="final").query("learned != ''").learned.iloc[0]
    entry = activations.index(tmp_path)[names[1]]
    assert entry["record"] == learned and entry["kind"] == "hidden" and (entry["low"], entry["high"]) == (-1, 1)
    assert entry["points"] == len(activations.load(names[1], tmp_path).values)
    values = activations.load(names[1], tmp_path).values
    record = next(record for record in results.records if record.key == learned)
    assert torch.equal(values, torch.from_numpy(record.arrays["psi_hidden"]))


def test_refusals(tmp_path):
    with pytest.raises(ValueError, match="index.json is not readable"):
        activations.load("any", tmp_path)
    (tmp_path / "index.json").write_text(json.dumps({"one": {"file": "one.safetensors"}}))
    with pytest.raises(ValueError, match=r"no activation is called 'two'; there are \['one'\]"):
        activations.load("two", tmp_path)
