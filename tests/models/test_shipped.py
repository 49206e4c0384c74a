"""The package's own students can be exported from their weights, to what the package ships and to 8 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from resight.export.config import ExportConfig
from resight.export.model import export_model
from resight.models import load_model
from resight.shipped import SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_float32_is_the_shipped_file(name: str, tmp_path: Path) -> None:
    card = export_model(name, tmp_path / "model.onnx")
    shipped, exported = load_model(name), load_model(str(tmp_path / "model.onnx"))
    assert (exported.name, exported.size, exported.distance) == (shipped.name, shipped.size, shipped.distance)
    assert (exported.parameters, exported.multiply_adds) == (shipped.parameters, shipped.multiply_adds)
    assert card["training"]["dataset"] == "market1501"
    pixels = np.random.default_rng(0).integers(0, 256, (5, *shipped.size, 3), np.uint8)
    expected = shipped.extract(pixels)
    np.testing.assert_allclose(exported.extract(pixels), expected, atol=1e-5 * np.abs(expected).max())


def test_eight_bits_of_a_shipped_student(tiny: Path, tmp_path: Path) -> None:
    config = ExportConfig(precision="int8", max_drop=20, calibration_images=16)
    card = export_model("student-fastest", tmp_path / "model.onnx", config, data=tiny)
    assert card["precision"] == "int8" and card["parity"]["cosine_min"] > 0.9
    assert not card["parity"]["held_out"]["unseen"]  # nothing says whom the network knows
    assert load_model(str(tmp_path / "model.onnx")).size == load_model("student-fastest").size
