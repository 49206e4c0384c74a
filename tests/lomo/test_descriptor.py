"""LOMO against the published code's descriptors and against a slow, obvious oracle."""

import numpy as np
import pytest

from lomo.loops import gray_level, msrcp, siltp
from resight.errors import ArrayError, ConfigurationError
from resight.lomo.counts import bins_into
from resight.lomo.descriptor import RETINEX, lomo, lomo_dimension, warm_up
from support import SHARED, needs_shared


def hsv_codes(image):
    """Bins of hue, saturation and value by the textbook; exact ties of hue are broken as the published code breaks them."""
    red, green, blue = np.moveaxis(image / 255, 2, 0)
    top, bottom = np.max(image / 255, axis=2), np.min(image / 255, axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        hue = np.where(
            red == top,
            1 / 6 * (green - blue) / (top - bottom),
            np.where(green == top, 1 / 3 + 1 / 6 * (blue - red) / (top - bottom), 2 / 3 + 1 / 6 * (red - green) / (top - bottom)),
        )
        saturation = 1 - bottom / top
    hue = np.where(top == bottom, 0, np.where(hue < 0, hue + 1, hue))
    saturation = np.where(top == bottom, 0, saturation)
    return np.minimum(np.floor(8 * np.stack([hue, saturation, top], axis=2)), 7).astype(int)


def strips(codes, bins):
    """Every window of every strip counted anew."""
    height, width = codes.shape
    out = []
    for y in range(0, height - 9, 5):
        windows = [np.bincount(codes[y : y + 10, x : x + 10].ravel(), minlength=bins) for x in range(0, width - 9, 5)]
        if windows:
            out.append(np.max(windows, axis=0))
    return np.concatenate(out) if out else np.empty(0)


def pool(array):
    height, width = array.shape[0] // 2 * 2, array.shape[1] // 2 * 2
    a = array[:height, :width]
    return ((a[::2, ::2] + a[1::2, ::2]) + a[::2, 1::2] + a[1::2, 1::2]) / 4


def hsv_bins(image):
    bins = np.empty(image.shape, np.uint8)
    bins_into(image, bins)
    return bins


def oracle(image, coloured=None):
    """LOMO of one image, its colours taken from `coloured`."""
    blocks = []
    bins = hsv_codes(image if coloured is None else coloured)
    parts = []
    for _ in range(3):
        parts.append(strips(bins[..., 0] + 8 * bins[..., 1] + 64 * bins[..., 2], 512))
        bins = np.floor(pool(bins)).astype(int)
    blocks.append(np.concatenate(parts))
    for radius in (3, 5):
        gray = gray_level(image) / 255
        parts = []
        for _ in range(3):
            if min(gray.shape) >= 2 * radius + 1:
                parts.append(strips(siltp(gray, radius), 81))
            gray = pool(gray)
        blocks.append(np.concatenate(parts) if parts else np.empty(0))
    logs = [np.log(block + 1) for block in blocks]
    return np.concatenate([block / np.linalg.norm(block) if block.size else block for block in logs])


def picture(height, width, seed=0):
    """Noise on large patches: repeated codes and rare ones."""
    generator = np.random.default_rng(seed)
    patches = generator.integers(0, 256, (-(-height // 6), -(-width // 6), 3))
    image = np.repeat(np.repeat(patches, 6, axis=0), 6, axis=1)[:height, :width]
    return np.clip(image + generator.integers(-30, 31, image.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def golden():
    with np.load(SHARED / "golden/lomo_golden.npz") as file:
        arrays = {key: file[key] for key in file.files}
    names = sorted({key.split("/")[0] for key in arrays})
    return [{key.split("/")[1]: value for key, value in arrays.items() if key.startswith(f"{name}/")} for name in names]


def on_given_colours(image, coloured):
    """LOMO whose colour block comes from a given Retinex image: 512 of every 674 numbers, the first block."""
    texture, colour = lomo([image], "none")[0], lomo([coloured], "none")[0]
    split = len(colour) * 512 // 674
    return np.concatenate([colour[:split], texture[split:]])


@needs_shared("golden/lomo_golden.npz")
def test_hsv_bins_equal_those_of_the_published_code(golden):
    for case in golden:
        np.testing.assert_array_equal(hsv_bins(case["retinex_rgb"]), case["hsv_bins"])


@needs_shared("golden/lomo_golden.npz")
def test_descriptors_equal_those_of_the_published_code(golden):
    assert len(golden) == 18
    for case in golden:
        image = case["image_rgb"]
        assert lomo([image], "none").dtype == np.float32
        np.testing.assert_allclose(lomo([image], "none")[0], case["lomo_noretinex_f32"], rtol=0, atol=1e-6)
        np.testing.assert_allclose(on_given_colours(image, case["msrcp_rgb"]), case["lomo_msrcp_f32"], rtol=0, atol=1e-6)
        np.testing.assert_allclose(on_given_colours(image, case["retinex_rgb"]), case["lomo_f32"], rtol=0, atol=1e-6)
        np.testing.assert_allclose(case["lomo_f32"], case["lomo_f64"], rtol=0, atol=1e-6)


@needs_shared("golden/lomo_golden.npz")
def test_own_retinex_gives_the_golden_direction(golden):
    for case in golden:
        ours, theirs = lomo([case["image_rgb"]])[0].astype(float), case["lomo_msrcp_f32"].astype(float)
        assert ours @ theirs / (np.linalg.norm(ours) * np.linalg.norm(theirs)) >= 0.999


@pytest.mark.parametrize("size", [(10, 10), (10, 31), (45, 10), (21, 20), (22, 22), (40, 39), (77, 43), (128, 64), (250, 100)])
def test_any_size_equals_the_oracle(size):
    image = picture(*size, seed=size[0])
    plain = lomo([image], "none")[0]
    assert plain.shape == (lomo_dimension(*size),)
    np.testing.assert_allclose(plain, oracle(image), rtol=0, atol=1e-6)
    np.testing.assert_allclose(lomo([image], "msrcp")[0], oracle(image, msrcp(image)), rtol=0, atol=1e-6)


def test_dimension_and_lengths():
    assert lomo_dimension(128, 48) == lomo_dimension(128, 64) == 26_960
    assert lomo_dimension(160, 60) == 35_722
    assert lomo_dimension(10, 10) == 512 + 81
    assert lomo_dimension(9, 64) == 0
    lengths = np.linalg.norm(lomo([picture(128, 64)]), axis=1)
    np.testing.assert_allclose(lengths, np.sqrt(3), rtol=1e-6)


def test_threads_and_order_do_not_matter():
    images = np.stack([picture(64, 32, seed) for seed in range(70)])
    one = lomo(images, workers=1)
    np.testing.assert_array_equal(lomo(images, workers=3), one)
    np.testing.assert_array_equal(lomo(images[::-1], workers=2), one[::-1])
    np.testing.assert_array_equal(lomo(list(images)), one)
    np.testing.assert_array_equal(lomo(images[17:18])[0], one[17])


def test_the_callers_images_are_not_changed_and_may_be_views():
    images = np.stack([picture(50, 40, seed) for seed in range(3)])
    before = images.copy()
    flipped = lomo(images[:, :, ::-1])
    np.testing.assert_array_equal(flipped, lomo(np.ascontiguousarray(images[:, :, ::-1])))
    np.testing.assert_array_equal(images, before)


def test_progress_counts_the_images():
    calls = []
    lomo(np.zeros((40, 20, 20, 3), np.uint8), workers=1, progress=lambda *call: calls.append(call))
    assert calls == [("describing", 32, 40), ("describing", 40, 40)]


@pytest.mark.parametrize("value", [0, 128, 255])
def test_flat_and_gray_images_have_a_right_descriptor(value):
    image = np.full((128, 64, 3), value, np.uint8)
    for retinex in RETINEX:
        np.testing.assert_allclose(lomo([image], retinex)[0], oracle(image), rtol=0, atol=1e-6)
    assert (hsv_bins(image)[..., :2] == 0).all()


def test_images_of_two_sizes_with_equally_long_descriptors():
    tall, wide = picture(128, 48), picture(128, 64)
    both = lomo([tall, wide])
    np.testing.assert_array_equal(both[0], lomo([tall])[0])
    np.testing.assert_array_equal(both[1], lomo([wide])[0])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((1, 9, 64, 3), np.uint8), "9x64; LOMO needs at least 10x10"),
        ([np.zeros((20, 9, 3), np.uint8)], "20x9; LOMO needs at least 10x10"),
        (np.zeros((4, 64, 32), np.uint8), "expected \\(n, height, width, 3\\)"),
        (np.zeros((4, 64, 32, 1), np.uint8), "expected uint8 RGB"),
        ([np.zeros((64, 32), np.uint8)], "expected uint8 RGB"),
        (np.zeros((1, 64, 32, 3)), "float64"),
        ([picture(64, 32), picture(128, 64)], "image 1 is 128x64 with 26960 numbers"),
        (["photo.jpg"], "image 0 is str"),
        ([], "at least one"),
        (np.zeros((0, 64, 32, 3), np.uint8), "at least one"),
    ],
)
def test_what_cannot_be_described_is_refused(images, message):
    with pytest.raises(ArrayError, match=message):
        lomo(images)


def test_unknown_retinex_is_refused():
    with pytest.raises(ConfigurationError, match="'msr'; expected one of msrcp, none"):
        lomo([picture(20, 20)], "msr")


def test_warm_up_leaves_nothing_to_compile():
    from resight.lomo.counts import describe_into

    warm_up()
    known = len(describe_into.signatures)
    lomo([picture(128, 64)], workers=1)
    assert len(describe_into.signatures) == known
