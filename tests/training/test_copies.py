"""Copies: whose they are, and that they look the same at every size."""

from __future__ import annotations

import cv2
import numpy as np

from resight.training.copies import Copies, plan_copies


def plain(images: int, **changes: object) -> Copies:
    rows = np.arange(images)
    still = {
        "upper": rows,
        "lower": rows,
        "cut": np.ones(images),
        "windows": np.tile([0.0, 0, 1, 1], (images, 1)),
        "colours": np.tile(np.eye(3, 4, dtype=np.float32), (images, 1, 1)),
    }
    return Copies(**(still | changes))  # type: ignore[arg-type]


def drawn(images: int, size: tuple[int, int]) -> np.ndarray:
    """Smooth images that are the same at every size."""
    height, width = size
    down, right = np.mgrid[0.5:height, 0.5:width] / [[[height]], [[width]]]
    waves = [
        [np.sin(3 * down + number + channel) + np.cos(2 * right * (1 + channel)) for channel in range(3)]
        for number in range(images)
    ]
    return np.rint(127 + 50 * np.array(waves)).astype(np.uint8).transpose(0, 2, 3, 1)


def test_copies_without_changes_are_the_images() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (300, 10, 6, 3), np.uint8)
    assert np.array_equal(plain(300).of(pixels), pixels)


def test_a_copy_has_the_lower_part_of_another() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 10, 6, 3), np.uint8)
    made = plain(2, upper=np.array([0, 2]), lower=np.array([1, 2]), cut=np.array([0.4, 0.6])).of(pixels)
    assert np.array_equal(made[0], np.concatenate([pixels[0, :4], pixels[1, 4:]]))
    assert np.array_equal(made[1], pixels[2])


def test_a_window_is_cropped_and_enlarged() -> None:
    pixels = drawn(1, (80, 40))
    made = plain(1, windows=np.array([[0.25, 0.1, 0.5, 0.8]])).of(pixels)[0]
    expected = cv2.resize(pixels[0, 20:60, 4:36], (40, 80), interpolation=cv2.INTER_LINEAR)
    inside = np.s_[2:-2, 2:-2]  # at the sides the window sees what is beyond it
    assert np.abs(made[inside].astype(int) - expected[inside].astype(int)).max() <= 1


def test_colours_are_cut_off_at_black_and_white() -> None:
    colours = np.array([[[2, 0, 0, 0], [0, 1, 0, -1], [0, 0, 0.5, 0.1]]], np.float32)
    made = plain(1, colours=colours).of(np.full((1, 2, 2, 3), 200, np.uint8))
    assert made[0, 0, 0].tolist() == [255, 0, 126]


def test_copies_look_the_same_at_every_size() -> None:
    copies = plan_copies(np.zeros(4, np.int64), 3, seed=0)
    small, large = copies.of(drawn(4, (64, 32))), copies.of(drawn(4, (256, 128)))
    shrunk = np.array([cv2.resize(image, (32, 64), interpolation=cv2.INTER_AREA) for image in large])
    assert np.abs(small.astype(int) - shrunk).mean() < 3  # the seam may fall one row higher or lower
    assert np.abs(small.astype(int) - np.tile(drawn(4, (64, 32)), (3, 1, 1, 1))).mean() > 15


def test_every_image_is_copied_as_often_and_half_of_the_copies_are_of_one_person() -> None:
    copies = plan_copies(np.zeros(1000, np.int64), 2, seed=0)
    assert len(copies) == 2000 and np.bincount(copies.upper).tolist() == [2] * 1000
    assert 0.45 < (copies.upper == copies.lower).mean() < 0.55
    assert len(np.unique(copies.lower[copies.upper != copies.lower])) > 500
    cameras = np.arange(1000) % 3
    assert np.array_equal(cameras[(apart := plan_copies(cameras, 2, seed=0)).upper], cameras[apart.lower])
    top, left, height, width = copies.windows.T
    assert min(top.min(), left.min()) >= 0 and max((top + height).max(), (left + width).max()) <= 1
    again, other = plan_copies(np.zeros(1000, np.int64), 2, seed=0), plan_copies(np.zeros(1000, np.int64), 2, seed=1)
    for name in ("lower", "cut", "windows", "colours"):
        assert np.array_equal(getattr(copies, name), getattr(again, name))
        assert not np.array_equal(getattr(copies, name), getattr(other, name))
