"""The first change: one new object and one line in one dict, and everything works with it. The rest of the house is not touched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from torch import Tensor, nn
from torch.nn import functional as F

import resight
from resight.images import Preprocessing
from resight.networks import NETWORKS
from resight.networks.network import ReidNetwork


class Stripes(ReidNetwork):
    """One convolution."""

    head = "classifier"

    def __init__(self, classes: int) -> None:
        super().__init__(classes, 12, Preprocessing(height=64, width=32))
        self.conv = nn.Conv2d(3, 12, 5, stride=4, padding=2, bias=False)
        self.bn = nn.BatchNorm2d(12)
        self.classifier = self.new_head()

    def maps(self, images: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(images)))


def test_a_network(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NETWORKS, "stripes", Stripes)
    dataset = resight.open_dataset(tiny)
    config = resight.TrainConfig(network="stripes", height=64, width=32, batch_size=8, epochs=2, held_out=0.25)
    run = resight.train(dataset, tmp_path / "run", config)

    untrained, trained = resight.load_model("stripes"), resight.load_model(run)
    assert (trained.name, trained.embedding_size, trained.parameters) == ("run", 12, 12 * 3 * 25 + 2 * 12)
    assert trained.sha256 and not untrained.sha256
    paths = dataset.query.paths
    assert np.abs(trained.embed(paths) - untrained.embed(paths)).max() > 0
    scores = resight.evaluate_model(trained, dataset)
    assert 0 < scores.map <= 1 and scores.queries == len(paths)

    card = resight.export_model(str(run), tmp_path / "stripes.onnx")
    assert card["architecture"] == "stripes"
    exported = resight.load_model(tmp_path / "stripes.onnx")
    np.testing.assert_allclose(exported.embed(paths), trained.embed(paths), rtol=1e-4, atol=1e-5)
    weights = resight.load_model(f"stripes:{run / 'network.safetensors'}")
    np.testing.assert_array_equal(weights.embed(paths), trained.embed(paths))
    with pytest.raises(resight.ResightError, match=r"no model 'strips' \(did you mean 'stripes'"):
        resight.load_model("strips")
