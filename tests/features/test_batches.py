"""Batches against the formula, and nobody's array changed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from resight.features.batches import Batches
from resight.images import Preprocessing


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_batches_are_chosen_mirrored_and_normalised(colour: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 4, 3), np.uint8)
    before = pixels.copy()
    how = Preprocessing(height=6, width=4, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 0.2), colour=colour)
    rows, flips = np.array([3, 0, 3]), np.array([True, False, False])
    batch = Batches(pixels, how, torch.device("cpu"))(rows, flips)
    assert batch.shape == (3, 3, 6, 4)
    assert batch.dtype == torch.float32
    assert batch.is_contiguous(memory_format=torch.channels_last)
    for image, row, flip in zip(batch.numpy(), rows, flips, strict=True):
        expected = pixels[row][:, ::-1] if flip else pixels[row]
        expected = expected[:, :, ::-1] if colour == "bgr" else expected
        expected = (expected / 255.0 - [0.1, 0.2, 0.3]) / [0.5, 0.25, 0.2]
        np.testing.assert_allclose(image.transpose(1, 2, 0), expected, atol=1e-5)
    assert np.array_equal(pixels, before)


def test_a_read_only_memory_mapped_array_will_do(tmp_path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 4, 3), np.uint8)
    np.save(tmp_path / "p.npy", pixels)
    mapped = np.load(tmp_path / "p.npy", mmap_mode="r")
    how = Preprocessing(height=6, width=4)
    rows = np.array([4, 1])
    one, other = (Batches(source, how, torch.device("cpu"))(rows, np.array([True, True])) for source in (pixels, mapped))
    assert torch.equal(one, other)
