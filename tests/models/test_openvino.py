"""The second runtime agrees with the first and with NumPy; Intel's own model; what is missing or damaged."""

from __future__ import annotations

import builtins
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.exported_models import SIZE, colours, mean_colours, noise, save
from resight.errors import MissingDependencyError, WeightsError
from resight.export.model import export_model
from resight.images import resize
from resight.models import load_model
from resight.models.description import Description, write_description
from support import SHARED, needs_shared

pytest.importorskip("openvino", reason="needs the extra [openvino]")

RETAIL = SHARED / "weights/person-reidentification-retail-0288.xml"
needs_retail = needs_shared("weights/person-reidentification-retail-0288.xml")


def test_vectors_are_those_of_numpy(tmp_path: Path) -> None:
    model = load_model(f"openvino:{save(tmp_path / 'm.onnx')}", threads=2)
    assert (model.name, model.size, model.embedding_size, model.distance) == ("colours fp32 openvino", SIZE, 6, "cosine")
    for count in (0, 1, 7, 8, 65):
        np.testing.assert_allclose(model.extract(noise(count)), mean_colours(noise(count)), rtol=1e-5, atol=1e-4)


def test_a_fixed_batch_is_filled_up(tmp_path: Path) -> None:
    model = load_model(f"openvino:{save(tmp_path / 'm.onnx', colours(batch=4))}")
    np.testing.assert_allclose(model.extract(noise(11)), mean_colours(noise(11)), rtol=1e-5, atol=1e-4)


def test_both_runtimes_agree_on_a_network(tiny_run: Path, tmp_path: Path) -> None:
    export_model(str(tiny_run), tmp_path / "m.onnx")
    first, second = load_model(str(tmp_path / "m.onnx")), load_model(f"openvino:{tmp_path / 'm.onnx'}")
    assert (first.sha256, first.size, first.parameters) == (second.sha256, second.size, second.parameters)
    pixels = noise(20, first.size)
    np.testing.assert_allclose(first.extract(pixels), second.extract(pixels), rtol=1e-3, atol=1e-4)


@needs_retail
def test_intels_model_sees_bgr_planes_from_0_to_255() -> None:
    import openvino  # type: ignore[import-untyped]

    model = load_model(f"openvino:{RETAIL}")
    assert (model.size, model.embedding_size, model.distance) == ((256, 128), 256, "cosine")
    assert round(model.parameters / 1e6, 3) == 0.184  # its documentation says 0.183 million
    pixels = np.stack([resize(image, model.size) for image in noise(9, (16, 8))])
    itself = openvino.Core().compile_model(RETAIL, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    planes = pixels[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
    expected = np.concatenate([itself([planes[i : i + 1]])[0] for i in range(len(planes))])
    np.testing.assert_allclose(model.extract(pixels), expected, rtol=1e-3, atol=1e-4)


@needs_retail
def test_a_damaged_model_of_intels_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.xml"
    shutil.copy(RETAIL, path)
    with pytest.raises(WeightsError, match=r"m\.bin: cannot be read: No such file"):
        load_model(f"openvino:{path}")
    weights = RETAIL.with_suffix(".bin").read_bytes()
    path.with_suffix(".bin").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(WeightsError, match=r"m\.xml: OpenVINO refuses it"):
        load_model(f"openvino:{path}")
    path.with_suffix(".bin").write_bytes(weights)
    for text in (b"", b"hello", RETAIL.read_bytes()[:5000], b"<?xml version='1.0'?><net/>"):
        path.write_bytes(text)
        with pytest.raises(WeightsError, match=r"m\.xml: OpenVINO refuses it"):
            load_model(f"openvino:{path}")


def test_a_detector_is_no_model() -> None:
    detector = SHARED / "weights/person-detection-retail-0013.xml"
    if not detector.exists():
        pytest.skip("needs person-detection-retail-0013.xml beside the checkout (../shared)")
    with pytest.raises(WeightsError, match=r"retail-0013\.xml: .*nothing says its colour, mean, std"):
        load_model(f"openvino:{detector}")


def test_what_onnx_runtime_is_not_given_openvino_is_not_given_either(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="not an ONNX file"):
        (tmp_path / "m.onnx").write_bytes(b"hello")
        load_model(f"openvino:{tmp_path / 'm.onnx'}")
    with pytest.raises(WeightsError, match="its graph has"):
        load_model(f"openvino:{save(tmp_path / 'm.onnx', colours(size=(16, 32)))}")


def test_a_small_file_that_takes_much_memory_is_refused_before_it_is_computed(tmp_path: Path) -> None:
    import openvino
    from openvino import opset8 as ops

    images = ops.parameter([1, 3, 32, 16], np.float32)
    many = ops.broadcast(ops.constant(np.float32(1)), ops.constant(np.array([2**40])))
    vectors = ops.add(ops.reduce_mean(images, ops.constant([2, 3])), ops.reduce_sum(many, ops.constant([0])))
    openvino.save_model(openvino.Model([vectors], [images]), tmp_path / "m.xml")
    write_description(tmp_path / "m.xml", Description(colour="rgb", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)))
    with pytest.raises(WeightsError, match=r"m\.xml: its operators compute more than \d+ numbers an image"):
        load_model(str(tmp_path / "m.xml"))


def test_without_openvino_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name.partition(".")[0] == "openvino":
            raise ModuleNotFoundError("No module named 'openvino'", name="openvino")
        return original(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError, match=r"in the folder of Resight, pip install '\.\[openvino\]'"):
        load_model(f"openvino:{save(tmp_path / 'm.onnx')}")
