from __future__ import annotations

import numpy as np
import pytest
import torch

from networks.golden import fill, images
from resight.networks import build
from support import SHARED, needs_shared


@needs_shared("golden/osnet_golden.npz")
@pytest.mark.parametrize("width", ["0.25", "0.5", "0.75", "1.0"])
def test_osnet_equals_its_authors(width: str) -> None:
    network = build(f"osnet-{width}", 10).double().eval()
    fill(network)
    key = f"osnet_x{width.replace('.', '_')}"
    with np.load(SHARED / "golden/osnet_golden.npz") as golden:
        names, shapes, features = (golden[f"{key}/{part}"] for part in ("names", "shapes", "features_256x128"))
    assert {name: str(tuple(tensor.shape)) for name, tensor in network.state_dict().items()} == dict(
        zip(names, shapes, strict=True)
    )
    with torch.inference_mode():
        np.testing.assert_allclose(network.embed(images(256, 128)), features, rtol=0, atol=1e-9)
