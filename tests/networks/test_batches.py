"""Batches against the formula, and nobody's array changed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from resight.images import Preprocessing
from resight.networks.batches import Batches, View


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_batches_are_chosen_mirrored_and_normalised(colour: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 4, 3), np.uint8)
    before = pixels.copy()
    how = Preprocessing(height=6, width=4, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 0.2), colour=colour)
    rows, flips = np.array([3, 0, 3]), np.array([True, False, False])
    batch = Batches(pixels, how, torch.device("cpu"))(View(rows, flips))
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
    view = View(rows, np.array([True, True]), np.array([[1, 0], [0, -2]]))
    one, other = (Batches(source, how, torch.device("cpu"))(view) for source in (pixels, mapped))
    assert torch.equal(one, other)


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_shifts_are_padding_and_cropping(colour: str) -> None:
    pad = 3
    random = np.random.default_rng(1)
    pixels = random.integers(0, 256, (9, 7, 5, 3), np.uint8)
    how = Preprocessing(height=7, width=5, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 0.2), colour=colour)
    rows, flips = random.integers(0, 9, 40), random.random(40) < 0.5
    corners = random.integers(0, 2 * pad, (40, 2), endpoint=True)  # of the window in the padded image
    batch = Batches(pixels, how, torch.device("cpu"))(View(rows, flips, pad - corners))
    cropped = np.empty((40, 7, 5, 3), np.uint8)
    for number, (row, flip, (top, left)) in enumerate(zip(rows, flips, corners, strict=True)):
        image = pixels[row][:, ::-1] if flip else pixels[row]
        cropped[number] = np.pad(image, ((pad, pad), (pad, pad), (0, 0)))[top : top + 7, left : left + 5]
    expected = Batches(cropped, how, torch.device("cpu"))(View(np.arange(40)))
    assert torch.equal(batch, expected)


def test_rectangles_become_the_mean_colour_after_the_shift() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (3, 8, 6, 3), np.uint8)
    how = Preprocessing(height=8, width=6, mean=(0.4, 0.5, 0.6), std=(0.5, 0.25, 0.2))
    batches = Batches(pixels, how, torch.device("cpu"))
    rows, shifts = np.array([0, 1, 2]), np.array([[2, 1], [0, 0], [-1, -1]])
    erased = np.array([[1, 2, 4, 3], [0, 0, 0, 6], [0, 0, 8, 6]])  # inside, nothing, everything
    whole, found = batches(View(rows, None, shifts)), batches(View(rows, None, shifts, erased))
    mask = torch.zeros(3, 8, 6, dtype=torch.bool)
    mask[0, 1:5, 2:5] = mask[2] = True
    assert torch.equal(found.permute(0, 2, 3, 1)[~mask], whole.permute(0, 2, 3, 1)[~mask])
    assert not found.permute(0, 2, 3, 1)[mask].any()
    mean = np.array([0.4, 0.5, 0.6]) * 255
    scale, shift = how.affine()
    np.testing.assert_allclose(mean * scale + shift, 0, atol=1e-5)  # 0 is the mean colour


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_colours_are_a_matrix_and_an_offset_cut_off_at_black_and_white(colour: str) -> None:
    random = np.random.default_rng(3)
    pixels = random.integers(0, 256, (4, 6, 5, 3), np.uint8)
    how = Preprocessing(height=6, width=5, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 0.2), colour=colour)
    colours = random.normal(0.5, 0.5, (3, 3, 4)).astype(np.float32)
    rows, flips = np.array([2, 0, 3]), np.array([False, True, False])
    batch = Batches(pixels, how, torch.device("cpu"))(View(rows, flips, colours=colours))
    for image, row, flip, change in zip(batch.numpy(), rows, flips, colours, strict=True):
        old = (pixels[row][:, ::-1] if flip else pixels[row]) / 255.0
        new = np.clip(np.einsum("ij,hwj->hwi", change[:, :3], old) + change[:, 3], 0, 1)
        assert ((new == 0) | (new == 1)).any()
        new = new[:, :, ::-1] if colour == "bgr" else new
        np.testing.assert_allclose(image.transpose(1, 2, 0), (new - [0.1, 0.2, 0.3]) / [0.5, 0.25, 0.2], atol=1e-5)
    unchanged = np.tile(np.eye(3, 4, dtype=np.float32), (3, 1, 1))
    plain = Batches(pixels, how, torch.device("cpu"))
    torch.testing.assert_close(plain(View(rows, flips, colours=unchanged)), plain(View(rows, flips)), rtol=0, atol=1e-5)


def test_a_coarse_image_keeps_its_mean_and_loses_its_detail() -> None:
    pixels = np.random.default_rng(4).integers(0, 256, (3, 64, 32, 3), np.uint8)
    before = pixels.copy()
    batches = Batches(pixels, Preprocessing(height=64, width=32, mean=(0, 0, 0), std=(1, 1, 1)), torch.device("cpu"))
    rows, detail = np.array([2, 1, 0]), np.array([1.0, 0.25, 0.5])
    whole, found = batches(View(rows)), batches(View(rows, detail=detail))
    assert torch.equal(found[0], whole[0]) and np.array_equal(pixels, before)
    torch.testing.assert_close(found.mean((2, 3)), whole.mean((2, 3)), rtol=0, atol=0.01)
    # Averages of k x k pixels of noise vary by 1 / k squared as much; what lies between them varies less.
    spread = found.var((1, 2, 3)) / whole.var((1, 2, 3))
    assert spread[1] < 1 / 16 and 1 / 16 < spread[2] < 1 / 4
