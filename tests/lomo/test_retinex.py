"""MSRCP against golden images and against a float64 oracle on top of OpenCV's own Gaussian blur."""

import cv2
import numpy as np
import pytest

from lomo.loops import msrcp
from resight.lomo.retinex import SIGMAS, blur_matrices
from support import SHARED, needs_shared


def oracle(image):
    """The formulas of the specification, line by line, in float64."""
    x = image.astype(np.float64) + 1
    intensity = x.mean(axis=2)
    blurred = [cv2.GaussianBlur(intensity, (0, 0), sigma) for sigma in (5, 20)]
    reflectance = np.mean([np.log(intensity) - np.log(blur) for blur in blurred], axis=0)
    ordered = np.sort(reflectance.ravel())
    low, high = (ordered[int(np.ceil(fraction * ordered.size)) - 1] for fraction in (0.1, 0.9))
    stretched = (np.clip(reflectance, low, high) - low) / (high - low) * 255 + 1
    gain = np.minimum(256 / x.max(axis=2), stretched / intensity)
    return (gain[..., None] * x - 1).astype(np.uint8)


def off_by(ours, theirs):
    return np.abs(ours.astype(int) - theirs.astype(int))


@needs_shared("golden/lomo_golden.npz")
def test_golden_images():
    with np.load(SHARED / "golden/lomo_golden.npz") as golden:
        names = sorted({key.split("/")[0] for key in golden.files})
        for name in names:
            difference = off_by(msrcp(golden[f"{name}/image_rgb"]), golden[f"{name}/msrcp_rgb"])
            assert np.mean(difference <= 1) >= 0.999, name
            assert np.mean(difference == 0) >= 0.999, name


@pytest.mark.parametrize("size", [(10, 10), (33, 17), (64, 128), (160, 60), (131, 51), (1, 40), (40, 1)])
def test_any_size_equals_the_formulas(size):
    generator = np.random.default_rng(3)
    smooth = cv2.resize(generator.integers(0, 256, (8, 4, 3)).astype(np.uint8), size[::-1], interpolation=cv2.INTER_LINEAR)
    noisy = (smooth * 0.8 + generator.random((*size, 3)) * 50).astype(np.uint8)
    difference = off_by(msrcp(noisy), oracle(noisy))
    assert np.mean(difference <= 1) >= 0.999
    assert np.mean(difference == 0) >= 0.99


def test_blur_matrices_are_opencvs_gaussian_blur():
    image = np.random.default_rng(0).random((45, 21)).astype(np.float32)
    rows, columns = blur_matrices(45, 21)
    for i, sigma in enumerate(SIGMAS):
        np.testing.assert_allclose(rows[i] @ image @ columns[i], cv2.GaussianBlur(image, (0, 0), sigma), atol=1e-6)


@pytest.mark.parametrize("value", [0, 77, 255])
def test_an_image_without_contrast_is_returned_unchanged(value):
    image = np.full((64, 32, 3), value, np.uint8)
    image[..., 1] //= 2
    np.testing.assert_array_equal(msrcp(image), image)


def test_gray_stays_gray_and_hue_survives():
    generator = np.random.default_rng(5)
    gray = np.repeat(generator.integers(0, 256, (40, 20, 1)).astype(np.uint8), 3, axis=2)
    result = msrcp(gray)
    assert (result[..., 0] == result[..., 1]).all()
    assert (result[..., 0] == result[..., 2]).all()
