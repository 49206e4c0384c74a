from __future__ import annotations

import numpy as np
import pytest
import torch

from networks.golden import fill, images
from resight.networks import build
from resight.networks.network import ReidNetwork
from support import SHARED, needs_shared

pytestmark = needs_shared("golden/resnet50_golden.npz")


@pytest.fixture(scope="module")
def network() -> ReidNetwork:
    network = build("resnet-50", 1000).double().eval()
    fill(network)
    return network


def test_tensors_have_torchvisions_names_and_shapes(network: ReidNetwork) -> None:
    with np.load(SHARED / "golden/resnet50_golden.npz") as golden:
        expected = dict(zip(golden["names"], golden["shapes"], strict=True))
    assert {name: str(tuple(tensor.shape)) for name, tensor in network.state_dict().items()} == expected


@pytest.mark.parametrize(("height", "width"), [(224, 224), (256, 128)])
def test_embedding_equals_torchvisions(network: ReidNetwork, height: int, width: int) -> None:
    with np.load(SHARED / "golden/resnet50_golden.npz") as golden, torch.inference_mode():
        np.testing.assert_allclose(network.embed(images(height, width)), golden[f"features_{height}x{width}"], rtol=0, atol=1e-9)
