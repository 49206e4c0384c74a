"""`resight model`: from a file of others to vectors, with what the messages say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from models.exported_models import DESCRIPTION, colours, foreign, save
from resight.cli import main
from resight.models import load_model
from support import SHARED, needs_shared

FLAGS = ["--colour", "rgb", "--mean", "0.485", "0.456", "0.406", "--std", "0.229", "0.224", "0.225"]


def test_a_model_of_others_in_every_kind_of_command(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(save(tmp_path / "m.onnx", foreign()))
    assert main(["model", "inspect", path, "--json", str(tmp_path / "seen.json")]) == 0
    said = capsys.readouterr().out
    assert "input pixels: float32 [batch, 3, 32, 16]" in said and "output vectors: float32 [batch, 6]" in said
    assert "nothing says its colour, mean, std" in said and f"resight model describe {path} {' '.join(FLAGS)}" in said
    assert "colour" in json.loads((tmp_path / "seen.json").read_text())["missing"]
    assert main(["model", "describe", path, *FLAGS]) == 0
    assert json.loads((tmp_path / "m.json").read_text()) == DESCRIPTION | {"range": 1, "distance": "cosine"}
    assert main(["model", "inspect", path]) == 0
    assert "m onnx: 32x16 pixels to 6 numbers, cosine distance" in capsys.readouterr().out
    gallery, image = str(tmp_path / "people"), str(next((tiny / "query").iterdir()))
    for command in (
        ["extract", "--images", image, "--out", str(tmp_path / "v"), "--model", path],
        ["evaluate", "--data", str(tiny), "--model", path],
        ["gallery", "create", gallery, "--model", path, "--retention", "1d"],
        ["gallery", "add", gallery, image],
        ["gallery", "search", gallery, image],
    ):
        assert main(command) == 0, (command, capsys.readouterr().err)
    np.testing.assert_array_equal(np.load(tmp_path / "v.npy")[0], load_model(path).embed(image))
    assert main(["model", "describe", path, "--colour", "bgr"]) == 0
    assert json.loads((tmp_path / "m.json").read_text())["mean"] == DESCRIPTION["mean"]
    capsys.readouterr()
    assert main(["gallery", "search", gallery, image]) == 2
    assert "model" in capsys.readouterr().err


def test_a_description_that_does_not_work_is_not_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(save(tmp_path / "m.onnx", foreign()))
    assert main(["model", "describe", path, *FLAGS, "--output", "more"]) == 2
    assert "it has no output 'more'; it has vectors" in capsys.readouterr().err
    assert main(["model", "describe", path, *FLAGS, "--height", "64"]) == 2
    assert not (tmp_path / "m.json").exists()
    own = str(save(tmp_path / "own.onnx", colours()))
    assert main(["model", "describe", own, *FLAGS]) == 2 and main(["model", "describe", "student", *FLAGS]) == 2
    assert main(["model", "inspect", own]) == 0 and main(["model", "inspect", "student"]) == 0
    (tmp_path / "broken.onnx").write_bytes(b"hello")
    assert main(["model", "inspect", str(tmp_path / "broken.onnx")]) == 2


@needs_shared("weights/person-reidentification-retail-0288.xml")
def test_openvinos_own_format(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="needs the extra [openvino]")
    zoo = SHARED / "weights/person-reidentification-retail-0288.xml"
    assert main(["model", "inspect", str(zoo)]) == 0
    said = capsys.readouterr().out
    assert "input data: float32 [1, 3, 256, 128]" in said and "colour bgr" in said and "range 255" in said
    detector = SHARED / "weights/person-detection-retail-0013.xml"
    for part in (detector, detector.with_suffix(".bin")):
        (tmp_path / part.name).symlink_to(part)
    assert main(["model", "describe", str(tmp_path / detector.name), *FLAGS]) == 2
    assert "its outputs are detection_out" in capsys.readouterr().err
