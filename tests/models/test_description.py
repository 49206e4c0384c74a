"""Models of others with a description beside them, against NumPy; and descriptions that cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from models.exported_models import BIAS, DESCRIPTION, MEAN, SIZE, STD, WEIGHT, foreign, noise, save
from resight.errors import WeightsError
from resight.models import load_model
from support import SHARED, needs_shared


def described(folder: Path, model: Any, **changes: Any) -> str:
    values = {name: value for name, value in (DESCRIPTION | changes).items() if value is not None}
    (folder / "m.json").write_text(json.dumps(values))
    return str(save(folder / "m.onnx", model))


def expected(pixels: Any, *, mean: Any = MEAN, std: Any = STD, white: float = 1, bgr: bool = False) -> Any:
    """The formula of the documentation, in float64."""
    colours = (pixels[..., ::-1] if bgr else pixels) / 255 * white
    return ((colours - mean) / std).mean((1, 2)) @ WEIGHT.T.astype(np.float64) + BIAS


@pytest.mark.parametrize("runtime", ["", "openvino:"])
@pytest.mark.parametrize(
    ("model", "changes", "formula"),
    [
        ({}, {}, {}),
        ({}, {"colour": "bgr"}, {"bgr": True}),
        (
            {},
            {"range": 255, "mean": [123.0, 116.0, 103.0], "std": [58.0, 57.0, 56.0]},
            {"white": 255, "mean": (123, 116, 103), "std": (58, 57, 56)},
        ),
        ({"planes": False}, {}, {}),
        ({"planes": False, "kind": TensorProto.UINT8}, {"mean": None, "std": None}, {"white": 255, "mean": 0, "std": 1}),
        ({"batch": 4}, {}, {}),
        ({"sides": ("h", "w")}, {"size": [32, 16]}, {}),
        ({"outputs": 2}, {}, {}),
        ({"outputs": 2}, {"output": "vectors"}, {}),
    ],
)
def test_vectors_are_those_of_numpy(
    runtime: str, model: dict[str, Any], changes: dict[str, Any], formula: dict[str, Any], tmp_path: Path
) -> None:
    if runtime:
        pytest.importorskip("openvino", reason="needs the extra [openvino]")
    found = load_model(runtime + described(tmp_path, foreign(**model), **changes), threads=1)
    assert (found.size, found.embedding_size, found.distance, found.parameters) == (SIZE, 6, "cosine", 24)
    for count in (0, 1, 9):
        np.testing.assert_allclose(found.extract(noise(count)), expected(noise(count), **formula), rtol=1e-4, atol=1e-3)


def test_half_precision_comes_close(tmp_path: Path) -> None:
    found = load_model(described(tmp_path, foreign(kind=TensorProto.FLOAT16), distance="euclidean"), threads=1)
    assert found.distance == "euclidean"
    np.testing.assert_allclose(found.extract(noise(2)), expected(noise(2)), atol=0.01)


def test_another_description_is_another_model(tmp_path: Path) -> None:
    """A gallery must not compare their vectors."""
    first = load_model(described(tmp_path, foreign()), threads=1).sha256
    assert load_model(described(tmp_path, foreign()), threads=1).sha256 == first
    assert load_model(described(tmp_path, foreign(), colour="bgr"), threads=1).sha256 != first


@pytest.mark.parametrize(
    ("model", "changes", "message"),
    [
        ({}, {"colour": None, "std": None}, r"nothing says its colour, std; `resight model inspect FILE`"),
        ({"sides": ("h", "w")}, {}, "nothing says its size"),
        ({"sides": (3, 3)}, {}, "nothing says its layout"),
        ({}, {"size": [64, 16]}, "takes images of 32x16 pixels; its description says 64x16"),
        ({}, {"layout": "nhwc"}, "has 16 channels in the layout nhwc"),
        ({}, {"output": "more"}, "it has no output 'more'; it has vectors"),
        ({"outputs": 2}, {"output": "numbers"}, r"its output numbers has the shape .*expected one vector an image"),
        ({}, {"mean": [123, 116, 103]}, r"m\.json: mean = .* is for pixels from 0 to 255; write range 255"),
        ({}, {"std": [1, 0, 1]}, "std = .*expected three numbers, above 0"),
        ({}, {"color": "rgb"}, r"m\.json: unknown key 'color' .did you mean 'colour'"),
        ({}, {"distance": "manhattan"}, "distance 'manhattan' is unknown"),
        ({"kind": TensorProto.UINT8}, {}, "takes bytes; leave mean and std out"),
        ({"kind": TensorProto.INT32}, {}, "its input pixels is int32 .*expected float32"),
    ],
)
def test_what_does_not_fit_is_refused(model: dict[str, Any], changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = described(tmp_path, foreign(**model), **changes)
    with pytest.raises(WeightsError, match=message) as caught:
        load_model(path, threads=1)
    assert str(caught.value).count(path) == 1 and "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "[" * 100_000, "x" * 200_000])
def test_a_file_beside_it_that_is_no_description_is_refused(text: str, tmp_path: Path) -> None:
    path = described(tmp_path, foreign())
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(WeightsError, match=r"m\.json: not the description of a model"):
        load_model(path)
    (tmp_path / "m.onnx.json").write_text(json.dumps(DESCRIPTION))
    with pytest.raises(WeightsError, match="two descriptions"):
        load_model(path)
    (tmp_path / "m.json").unlink()
    assert load_model(path, threads=1).size == SIZE


@needs_shared("weights/osnet_x0_25_msmt17.onnx")
@pytest.mark.parametrize("name", ["osnet_x0_25_msmt17.onnx", "osnet_x0_5_msmt17.onnx"])
def test_the_exports_of_others(name: str, tmp_path: Path) -> None:
    """Against ONNX Runtime itself, as BoxMOT calls it."""
    import onnxruntime

    (tmp_path / name).symlink_to(SHARED / "weights" / name)
    (tmp_path / name).with_suffix(".json").write_text(json.dumps(DESCRIPTION))
    found = load_model(str(tmp_path / name), threads=1)
    pixels = noise(3, (256, 128))
    session = onnxruntime.InferenceSession(SHARED / "weights" / name, providers=["CPUExecutionProvider"])
    planes = ((pixels / 255 - MEAN) / STD).astype(np.float32).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(
        found.extract(pixels), session.run(None, {session.get_inputs()[0].name: planes})[0], rtol=1e-3, atol=1e-3
    )
