"""Exported graphs against others: the golden features of OSNet's authors, their weights, PyTorch on real images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from networks.golden import fill, images
from resight.export.config import ExportConfig
from resight.export.graph import network_graph
from resight.export.model import export_model
from resight.images import read_images
from resight.models import load_model
from resight.models.onnx import OnnxModel
from resight.networks import build
from support import SHARED, market1501, needs_market1501, needs_shared

OSNET = f"osnet-0.25:{SHARED / 'weights/osnet_x0_25_market1501.pth'}"
needs_osnet = needs_shared("weights/osnet_x0_25_market1501.pth")


@needs_shared("golden/osnet_golden.npz")
@pytest.mark.parametrize("width", ["0.25", pytest.param("1.0", marks=pytest.mark.slow)])
def test_osnet_equals_its_authors(width: str) -> None:
    """The golden images are no bytes: they enter after the conversion to float, with a preprocessing that does nothing."""
    network = build(f"osnet-{width}", 10).eval()
    with torch.no_grad():
        fill(network)
    network.preprocessing = replace(network.preprocessing, mean=(0, 0, 0), std=(1 / 255, 1 / 255, 1 / 255))
    graph = onnx.utils.Extractor(onnx.shape_inference.infer_shapes(network_graph(network))).extract_model(
        ["centred"], ["embeddings"]
    )
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(None, {"centred": images(256, 128).numpy().astype(np.float32)})[0]
    with np.load(SHARED / "golden/osnet_golden.npz") as golden:
        expected = golden[f"osnet_x{width.replace('.', '_')}/features_256x128"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * np.abs(expected).max())


@needs_osnet
def test_published_weights_on_a_drawn_network_of_cameras(tiny: Path, tmp_path: Path) -> None:
    card = export_model(OSNET, tmp_path / "osnet.onnx", data=tiny)
    assert card["architecture"] == "osnet-0.25" and "Market-1501" in card["training"]["terms"]["weights"]
    assert card["parity"]["cosine_min"] > 0.99999
    assert card["parity"]["held_out"]["map"]["change"] == pytest.approx(0, abs=0.2)
    paths = [str(path) for path in sorted((tiny / "bounding_box_test").iterdir())[:8]]
    pixels = read_images(paths, (256, 128))
    expected, found = load_model(OSNET).extract(pixels), OnnxModel(tmp_path / "osnet.onnx").extract(pixels)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * np.abs(expected).max())


@pytest.mark.slow
@needs_market1501
@needs_osnet
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_osnet_keeps_its_map_on_market1501(precision: str, tmp_path: Path) -> None:
    card = export_model(OSNET, tmp_path / "osnet.onnx", ExportConfig(precision=precision), data=market1501())
    assert abs(card["parity"]["held_out"]["map"]["change"]) < 0.5
    assert load_model(OSNET).sha256 == card["weights_sha256"]
