"""SILTP against the published code's maps and a pixel-by-pixel oracle."""

import numpy as np
import pytest

from lomo.loops import gray_level, siltp
from resight.lomo.siltp import RADII
from support import SHARED, needs_shared


def oracle(gray, radius):
    """The definition, one pixel and one neighbour at a time."""
    height, width = gray.shape
    codes = np.zeros(gray.shape, int)
    for y in range(height):
        for x in range(width):
            for weight, (dy, dx) in zip((1, 3, 9, 27), ((0, 1), (-1, 0), (0, -1), (1, 0)), strict=True):
                neighbour = gray[np.clip(y + dy * radius, 0, height - 1), np.clip(x + dx * radius, 0, width - 1)]
                if neighbour < 0.7 * gray[y, x]:
                    codes[y, x] += weight
                elif neighbour > 1.3 * gray[y, x]:
                    codes[y, x] += 2 * weight
    return codes


@needs_shared("golden/lomo_golden.npz")
def test_gray_levels_and_codes_equal_those_of_the_published_code():
    with np.load(SHARED / "golden/lomo_golden.npz") as golden:
        names = sorted({key.split("/")[0] for key in golden.files})
        assert len(names) == 18
        for name in names:
            gray = gray_level(golden[f"{name}/image_rgb"])
            np.testing.assert_array_equal(gray, golden[f"{name}/gray"], err_msg=name)
            for radius in RADII:
                np.testing.assert_array_equal(siltp(gray / 255, radius), golden[f"{name}/siltp_R{radius}"], err_msg=name)


@pytest.mark.parametrize(("height", "width", "radius"), [(7, 7, 3), (11, 30, 5), (23, 12, 4), (3, 3, 1)])
def test_codes_equal_the_definition(height, width, radius):
    gray = np.random.default_rng(radius).integers(0, 256, (height, width)) / 255
    np.testing.assert_array_equal(siltp(gray, radius), oracle(gray, radius))


def test_a_brighter_lamp_changes_no_code():
    gray = np.random.default_rng(1).random((20, 20))
    np.testing.assert_array_equal(siltp(gray * 0.25, 3), siltp(gray, 3))


def test_black_centre_sees_every_other_neighbour_as_brighter():
    gray = np.ones((7, 7))
    gray[3, 3] = 0
    assert siltp(gray, 3)[3, 3] == 80
    assert siltp(np.zeros((7, 7)), 3).max() == 0
