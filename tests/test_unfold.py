"""An OSNet whose normalisations were folded is one that can be trained again: the same function, with statistics of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from resight.datasets import open_dataset
from resight.images import load_pixels
from resight.networks import build
from resight.networks.published import load_weights
from support import SHARED, needs_shared

FOLDED = "weights/osnet_x0_25_msmt17.onnx"


@needs_shared(FOLDED)
def test_training_starts_from_the_function_of_the_file(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "tools")
    import unfold

    weights = tmp_path / "osnet.safetensors"
    unfold.main([str(SHARED / FOLDED), "--height", "64", "--width", "32", "--data", str(tiny), "--out", str(weights)])
    network = build("osnet-0.25", 3)
    load_weights(network, weights)
    paths = open_dataset(tiny).train.paths

    session = onnxruntime.InferenceSession(str(SHARED / FOLDED))
    pixels = load_pixels(paths[:4], (256, 128))
    scale, offset = network.preprocessing.affine()
    images = np.ascontiguousarray((pixels * scale + offset).transpose(0, 3, 1, 2))
    (expected,) = session.run(None, {"images": images})
    with torch.inference_mode():
        found = network.eval().embed(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())

    # In training a batch is normalised by its own statistics: those of all images are the ones that were measured.
    pixels = load_pixels(paths, (64, 32))
    everything = torch.from_numpy((pixels * scale + offset).transpose(0, 3, 1, 2))
    with torch.inference_mode():
        steady = network.eval().maps(everything)
        training = network.train().maps(everything)
    assert torch.linalg.vector_norm(training - steady) < 0.01 * torch.linalg.vector_norm(steady)
