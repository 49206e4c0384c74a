"""An OSNet whose normalisations were folded is one that can be trained again: the same function, with statistics of its own."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import onnxruntime
import pytest
import torch

from resight.datasets import open_dataset
from resight.images import load_pixels
from resight.networks import build
from resight.networks.weights import load_weights
from support import SHARED, needs_shared

FOLDED = "weights/osnet_x0_25_msmt17.onnx"


@pytest.fixture
def unfold(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "tools")
    import unfold

    return unfold


def test_what_differs_is_not_written(
    unfold: ModuleType, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / "osnet.safetensors"
    arguments = ["file.onnx", "--height", "64", "--width", "32", "--images", "8", "--data", str(tiny), "--out", str(weights)]
    monkeypatch.chdir(tmp_path)
    assert unfold.main(arguments) == 2
    assert "unfold: " in (said := capsys.readouterr().err) and "file.onnx" in said and said.count("\n") == 1
    (tmp_path / "file.onnx").write_bytes(b"no ONNX")
    assert unfold.main(arguments) == 2
    assert "file.onnx is damaged, or not an ONNX file" in capsys.readouterr().err

    monkeypatch.setattr(unfold.onnx, "load", lambda path: None)
    monkeypatch.setattr(unfold, "fill", lambda network, model: None)
    for differences, message in (([1e-2], "is not osnet-0.25"), ([1e-6, 1e-2], "with the measured statistics, outputs differ")):
        each = iter(differences)
        monkeypatch.setattr(unfold, "largest_difference", lambda network, file, each=each: next(each))
        assert unfold.main(arguments) == 2
        assert message in capsys.readouterr().err.splitlines()[-1]
        assert not weights.exists()


@needs_shared(FOLDED)
def test_training_starts_from_the_function_of_the_file(unfold: ModuleType, tiny: Path, tmp_path: Path) -> None:
    weights = tmp_path / "osnet.safetensors"
    arguments = [str(SHARED / FOLDED), "--height", "64", "--width", "32", "--data", str(tiny), "--out", str(weights)]
    assert unfold.main(arguments) == 0
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
