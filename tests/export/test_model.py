from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from export.networks import lively, spoil
from resight.cli import main
from resight.datasets import open_dataset
from resight.datasets.splits import by_identity
from resight.errors import ConfigurationError, ExportError, StorageError
from resight.export import model as station
from resight.export.config import ExportConfig
from resight.export.model import export_model
from resight.files import read_json
from resight.models import load_model
from resight.models.fitted import fit_model
from resight.models.onnx import OnnxModel
from resight.models.terms import terms_of_weights
from resight.networks.card import Card, load_network, save_network
from resight.shipped import TERMS


def card_in(path: Path) -> dict[str, Any]:
    return json.loads({entry.key: entry.value for entry in onnx.load(path).metadata_props}["resight"])


def test_the_file_says_what_it_is(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "model.onnx"
    card = export_model(str(tiny_run), out, data=tiny)
    assert card_in(out) == card
    own, model = read_json(tiny_run / "card.json"), load_model(str(tiny_run))
    assert card["format"] == "resight-onnx-1" and card["opset"] == onnx.load(out).opset_import[0].version
    assert (card["architecture"], card["input"]) == ("mobilenet-0.25", [64, 32])
    assert (card["weights_sha256"], card["training"]) == (own["weights_sha256"], own["training"])
    assert (card["embedding_size"], card["parameters"], card["multiply_adds"]) == (256, model.parameters, model.multiply_adds)
    assert (card["precision"], card["normalised"], card["distance"]) == ("fp32", False, "euclidean")
    assert card["provenance"]["configuration"]["precision"] == "fp32"
    assert [path.name for path in out.parent.iterdir()] == ["model.onnx"]  # one file holds all of it
    assert not any(tensor.external_data for tensor in onnx.load(out, load_external_data=False).graph.initializer)


def test_it_is_judged_on_the_people_that_the_training_held_out(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    card = export_model(str(tiny_run), tmp_path / "model.onnx", data=tiny)
    figures = card["parity"]["held_out"]
    history = read_json(tiny_run / "history.json")["epochs"][-1]["validation"]
    assert figures["unseen"] and (figures["fraction"], figures["seed"]) == (0.25, 0)
    split = by_identity(open_dataset(tiny).train, fraction=0.25, seed=0)
    assert (figures["people"], figures["queries"], figures["gallery"]) == (2, len(split.query), len(split.gallery))
    for name in ("rank1", "map"):  # what the last epoch of the training measured
        assert figures[name]["network"] == pytest.approx(history[name], abs=1e-6)
        assert figures[name]["exported"] == pytest.approx(history[name], abs=0.5)
    assert figures["cosine_min"] > 0.9999
    known = export_model("mobilenet-0.25", tmp_path / "foreign.onnx", data=tiny)["parity"]["held_out"]
    assert not known["unseen"] and (known["fraction"], known["seed"]) == (0.1, 0)


@pytest.mark.parametrize(("precision", "form"), [("fp32", "nchw-float"), ("fp16", "uint8"), ("int8", "nchw-255")])
def test_every_precision_and_input_runs_without_pytorch(
    precision: str, form: str, tiny: Path, tiny_run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "model.onnx"
    config = ExportConfig(precision=precision, input=form, batch="3", normalise=True, max_drop=20)
    card = export_model(str(tiny_run), out, config, data=tiny)
    assert card["parity"]["batches"] == [3] and card["normalised"]
    extractor = OnnxModel(out)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 64, 32, 3), np.uint8)
    expected = load_model(str(tiny_run)).extract(pixels)
    found = extractor.extract(pixels)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    cosine = (found * expected).sum(1) / np.linalg.norm(expected, axis=1)
    assert cosine.min() > {"fp32": 0.999999, "fp16": 0.9995, "int8": 0.98}[precision]


network_graph = station.network_graph


def damaged(*arguments: Any, **options: Any) -> onnx.ModelProto:
    """A graph with one weight of one channel of one layer changed."""
    model = network_graph(*arguments, **options)
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == "backbone.conv_pw_2.weight")
    values = numpy_helper.to_array(tensor).copy()
    values[0, 0] += 1
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return model


def test_the_gate_refuses_what_does_not_agree(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(station, "network_graph", damaged)
    with pytest.raises(ExportError, match=r"has cosine 0\.\d+ with PyTorch's, expected at least 0\.9999"):
        export_model(str(tiny_run), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_a_failed_export_leaves_the_old_file(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "model.onnx"
    export_model(str(tiny_run), out)
    before = out.read_bytes()
    with monkeypatch.context() as context:
        context.setattr(station, "network_graph", damaged)
        with pytest.raises(ExportError):
            export_model(str(tiny_run), out)
    monkeypatch.setattr("os.fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(StorageError, match="No space left"):
        export_model(str(tiny_run), out)
    assert out.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_eight_bits_that_lose_too_much_are_refused_with_the_layers_to_leave(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    """A network with one layer that 8 bits cannot hold, and the way out that the message names."""
    run, out = tmp_path / "run", tmp_path / "model.onnx"
    shutil.copytree(tiny_run, run)
    network, card = load_network(run)
    spoil(network)
    save_network(run, network, card)
    config = ExportConfig(precision="int8", max_drop=2)
    with pytest.raises(ExportError, match=r"--max-drop allows 2; .* try --leave-float backbone\.conv_pw_5 ") as error:
        export_model(str(run), out, config, data=tiny)
    assert "\n" not in str(error.value) and not out.exists()
    flags = str(error.value).partition("--leave-float ")[2].split()
    assert len(flags) == 4 and len(set(flags)) == 4
    export_model(str(run), out, ExportConfig(precision="int8", max_drop=2, leave_float=tuple(flags)), data=tiny)
    assert card_in(out)["leave_float"] == flags


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_drop_that_is_not_allowed_is_refused(precision: str, tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    config = ExportConfig(precision=precision, max_drop=-101)  # it must gain more than there is
    with pytest.raises(ExportError, match=f"{precision} loses .* points of mAP on 2 held-out people"):
        export_model(str(tiny_run), tmp_path / "model.onnx", config, data=tiny)
    assert not list(tmp_path.iterdir())


def test_a_fitted_distance_becomes_a_layer(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    run, out = fit_model(open_dataset(tiny), tmp_path / "fitted", str(tiny_run), "kissme", dimensions=12), tmp_path / "model.onnx"
    card = export_model(str(run), out, data=tiny)
    assert (card["embedding_size"], card["distance"], card["name"]) == (12, "euclidean", "fitted")
    figures = card["parity"]["held_out"]
    assert not figures["unseen"]  # the distance was fitted to everybody
    # KISSME's own ranking, by Euclidean distances.
    assert figures["map"]["exported"] == pytest.approx(figures["map"]["network"], abs=0.1)
    assert OnnxModel(out).extract(np.zeros((2, 64, 32, 3), np.uint8)).shape == (2, 12)
    with pytest.raises(ConfigurationError, match="cannot be normalised"):
        export_model(str(run), out, ExportConfig(normalise=True))


def test_a_network_with_a_neck_keeps_its_distance(tiny: Path, tmp_path: Path) -> None:
    network = lively("mobilenet-0.25", neck=True)
    own = Card(architecture="mobilenet-0.25", identities=("1", "2", "3"), preprocessing=network.preprocessing, neck=True)
    save_network(tmp_path / "run", network, own)
    card = export_model(str(tmp_path / "run"), tmp_path / "model.onnx", data=tiny)
    assert card["distance"] == OnnxModel(tmp_path / "model.onnx").distance == "cosine"


def test_a_file_says_the_terms_of_a_shipped_student(tmp_path: Path) -> None:
    card = export_model("student", tmp_path / "model.onnx")
    assert card["training"]["terms"] == {"weights": TERMS["student"]}
    assert terms_of_weights(str(tmp_path / "model.onnx")) == TERMS["student"]


@pytest.mark.parametrize(
    ("reference", "options", "message"),
    [
        ("lomo", {}, "lomo cannot be exported; expected a run folder, a shipped student"),
        ("mobilenet-0.25", {"precision": "int8"}, "--data"),
        ("mobilenet-0.25", {"batch": "100000"}, "would not load .*2147483648 numbers in one call; export it for fewer"),
        ("mobilenet-0.25", {"out": "model.bin"}, r"ends in \.onnx"),
        ("mobilnet", {}, "did you mean"),
    ],
)
def test_what_cannot_be_exported_is_refused(reference: str, options: dict[str, str], message: str, tmp_path: Path) -> None:
    out = tmp_path / options.get("out", "model.onnx")
    config = ExportConfig(**{name: value for name, value in options.items() if name != "out"})
    with pytest.raises((ExportError, ConfigurationError), match=message):
        export_model(reference, out, config)
    assert not list(tmp_path.iterdir())


def test_weights_that_overflow_half_precision_are_refused(tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    network, card = load_network(run)
    spoil(network)
    with torch.no_grad():
        network.get_submodule("backbone.conv_pw_5").weight[:, 0] = 1e7  # type: ignore[index]
    save_network(run, network, card)
    with pytest.raises(ExportError, match="too large for fp16"):
        export_model(str(run), tmp_path / "model.onnx", ExportConfig(precision="fp16"))


def test_on_the_command_line(tiny: Path, tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, said = tmp_path / "model.onnx", tmp_path / "card.json"
    options = ["--precision", "int8", "--max-drop", "20", "--leave-float", "backbone.conv_dw_1", "backbone.conv_dw_2"]
    assert main(["export", str(tiny_run), "--out", str(out), "--data", str(tiny), *options, "--json", str(said)]) == 0
    assert read_json(said)["leave_float"] == ["backbone.conv_dw_1", "backbone.conv_dw_2"]
    assert "cosine with PyTorch at least 0.9" in (shown := capsys.readouterr().out)
    assert "on 2 people held out of the training: Rank-1 " in shown
    assert main(["export", "lomo", "--out", str(out)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["export", str(tiny_run), "--out", str(out), "--precision", "int4"]) == 2
    assert "fp32, fp16, int8" in capsys.readouterr().err
    options = ["--data", str(tiny), "--layout", "market1501", "--calibration-images", "8", "--json", str(said)]
    assert main(["export", str(tiny_run), "--out", str(out), *options]) == 0
    assert read_json(said)["parity"]["held_out"]["dataset"] == "market1501"
    assert read_json(said)["provenance"]["configuration"]["calibration_images"] == 8


def test_a_missing_package_names_its_extra(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "onnx" or name.startswith("resight.export.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert main(["export", str(tiny_run), "--out", str(tmp_path / "model.onnx")]) == 2
    assert "in the folder of Resight, pip install '.[export]'" in capsys.readouterr().err
