"""The committed activations: complete, readable, and those of the records."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from book.press import release
from lib import activations
from notebooks.paper import sections
from notebooks.paper.data import open_store
from notebooks.paper.records.frames import Collected


def test_every_committed_activation_loads_and_is_that_of_its_record():
    for name, entry in activations.index().items():
        g = activations.load(name)
        record = open_store().read(entry["record"])
        assert record is not None, f"{name}: no record {entry['record']}"
        about = [record.config["network"][key] for key in ("depth", "width")] + [
            record.config["settings"]["inner"]["lr"]
        ]
        assert [entry["depth"], entry["width"], entry["rate"]] == pytest.approx(about, abs=1e-6)
        values = torch.from_numpy(record.arrays["psi_hidden" if "psi_hidden" in record.arrays else "psi_input"])
        torch.testing.assert_close(g.values, values, rtol=0, atol=0)
        assert entry["picture"] == release.picture(values)
        assert (g.low, g.high, g.values.shape[-1]) == (entry["low"], entry["high"], entry["points"])
        assert entry["kind"] == ("hidden" if g.values.ndim == 1 else "input")
        z = torch.linspace(-20, 20, 101)
        assert torch.isfinite(g(z if values.ndim == 1 else z[:, None].expand(-1, len(values)))).all()


def test_the_folder_has_what_the_index_lists_and_nothing_else():
    files = {path.name for path in activations.FOLDER.glob("*.safetensors")}
    assert files == {entry["file"] for entry in activations.index().values()}


def test_export_writes_the_activations_of_the_final_runs(tmp_path):
    results = sections.results("grokking", "smoke")
    (tmp_path / "of-earlier-records.safetensors").touch()
    names = release.export({"grokking": results}, tmp_path)
    assert names == ["grokking-aplusb-mod-11-sgd-zeros", "grokking-aplusb-mod-17-sgd-zeros"]
    learned = results.frame(role="final").query("learned != ''").learned.iloc[0]
    entry = activations.index(tmp_path)[names[1]]
    assert entry["record"] == learned and entry["kind"] == "hidden" and (entry["low"], entry["high"]) == (-1, 1)
    assert entry["points"] == len(activations.load(names[1], tmp_path).values)
    values = activations.load(names[1], tmp_path).values
    record = next(record for record in results.records if record.key == learned)
    assert torch.equal(values, torch.from_numpy(record.arrays["psi_hidden"]))
    assert {path.stem for path in tmp_path.glob("*.safetensors")} == set(names)

    finals = results.frame(role="final", data=entry["data"]).set_index("seed")
    own, relu = (
        finals[finals[column] == value].test_accuracy_max for column, value in (("learned", learned), ("arm", "ReLU"))
    )
    gains = own - relu
    assert entry["seeds"] == len(gains) and entry["gain"] == pytest.approx(gains.mean(), abs=1e-5)


def test_where_every_restart_gave_a_constant_nothing_is_exported_and_it_is_said(tmp_path):
    def learned(key, data, psi):
        config = {"arm": "learned", "data": [data], "task": "one-hot", "settings": {"inner": {"name": "sgd"}}}
        return SimpleNamespace(
            key=key, kind="learn", config=config, arrays={"psi_hidden": np.array(psi, np.float32)}, numbers={}
        )

    records = [learned("a", "flat", [0, 0]), learned("b", "flat", [2, 2]), learned("c", "unused", [0, 1])]
    assert release.export({"grokking": Collected(records, 0)}, tmp_path) == []
    assert activations.constants(tmp_path) == [{"section": "grokking", "data": "flat"}]


def test_refusals(tmp_path):
    with pytest.raises(ValueError, match="index.json is not readable"):
        activations.load("any", tmp_path)
    (tmp_path / "index.json").write_text(json.dumps({"one": {"file": "one.safetensors"}}))
    with pytest.raises(ValueError, match=r"no activation is called 'two'; near are 'one'"):
        activations.load("two", tmp_path)


def test_nothing_is_exported_while_records_are_missing(tmp_path):
    (tmp_path / "kept.safetensors").write_bytes(b"of before")
    with pytest.raises(ValueError, match="records are missing of grokking: run make results"):
        release.export({"grokking": Collected([], 3)}, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.safetensors"]
