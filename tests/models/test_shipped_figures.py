"""The models inside the package: small enough, the same in both their files, and as good as the docs say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from resight.datasets import open_dataset
from resight.evaluation.model import evaluate_model
from resight.models import load_model
from resight.models.resolve import weights_file
from resight.networks import build
from resight.networks.weights import load_weights
from resight.shipped import SHIPPED, shipped_file
from support import market1501, needs_market1501

RESULTS = Path(__file__).parents[2] / "results"
NETWORKS = dict.fromkeys(("student", "student-general", "student-accurate", "student-fast"), ("osnet-0.25", 0)) | {
    "student-fastest": ("mobilenet-0.25", 1)
}


@pytest.mark.parametrize("name", SHIPPED)
def test_both_files_are_one_small_network(name: str) -> None:
    assert all(shipped_file(name, ending).stat().st_size <= 1_500_000 for ending in (".onnx", ".safetensors"))
    model = load_model(name)
    assert 0 < model.parameters <= 250_000 and model.distance == "cosine"
    architecture, last_stride = NETWORKS[name]
    network = build(architecture, 3, last_stride=last_stride).eval()
    left = load_weights(network, weights_file(name)).left
    assert left == (f"{network.head}.weight",)

    network.resize_input(*model.size)
    pixels = np.random.default_rng(0).integers(0, 256, (5, *model.size, 3), np.uint8)
    scale, offset = network.preprocessing.affine()
    with torch.inference_mode():
        expected = network.embed(torch.from_numpy((pixels * scale + offset).transpose(0, 3, 1, 2))).numpy()
    np.testing.assert_allclose(model.extract(pixels), expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.slow
@needs_market1501
@pytest.mark.parametrize("name", SHIPPED)
def test_the_figures_of_the_readme_are_those_of_the_files(name: str) -> None:
    published = json.loads((RESULTS / f"market1501-{name}.json").read_text())
    scores = evaluate_model(load_model(name), open_dataset(market1501()))
    assert 100 * scores.rank1 == pytest.approx(published["rank1"], abs=0.05)
    assert 100 * scores.map == pytest.approx(published["map"], abs=0.05)
