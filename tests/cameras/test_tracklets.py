"""The best few crops and one vector of a path."""

from __future__ import annotations

import cv2
import numpy as np

from resight.cameras import Frame
from resight.cameras.quality import completeness, sharpness, size_quality
from resight.cameras.tracklets import CROPS, Path

BOX = np.array([10, 10, 42, 74], np.float32)


def crop_of(seed: int, blur: float = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (32, 16, 3), dtype=np.uint8)
    crop = cv2.resize(coarse, (32, 64), interpolation=cv2.INTER_NEAREST)
    return cv2.GaussianBlur(crop, (0, 0), blur) if blur else crop


def see(path: Path, index: int, crop: np.ndarray, vector: list[float], seen: float = 1.0, confidence: float = 0.9) -> None:
    pixels = np.full((100, 100, 3), 128, np.uint8)
    pixels[10:74, 10:42] = crop
    path.see(Frame(pixels=pixels, time=100 + index / 10, index=index), BOX, confidence, seen, np.array(vector, np.float32))


def test_the_vector_is_the_mean_direction_by_quality() -> None:
    path = Path("door", 7, True)
    see(path, 0, crop_of(1), [3, 0])
    see(path, 1, crop_of(1), [0, 3])
    np.testing.assert_allclose(path.finish(2).embedding, [3 / np.sqrt(2)] * 2, rtol=1e-5)
    see(path, 2, crop_of(1, blur=4), [0, 3], seen=0.1)  # a poor look turns it little
    left, up = path.finish(2).embedding
    assert left < up < 1.2 * left
    np.testing.assert_allclose(np.hypot(left, up), 3, rtol=1e-5)


def test_the_best_crops_are_kept_and_differ() -> None:
    path = Path("door", 7, True)
    good = {5: [1.0, 0, 0], 15: [0, 1.0, 0], 25: [0, 0, 1.0]}
    for index in range(30):
        sharp = index in good
        see(path, index, crop_of(index, 0 if sharp else 0.6), good.get(index, [0.6, 0.6, 0.5]), seen=1.0 if sharp else 0.9)
    see(path, 30, crop_of(30), [-1, 0, 0], seen=0.05)  # unlike the others, because hardly anything of it is seen
    kept = path.finish(3).crops
    assert len(kept) == CROPS
    for index in good:
        assert any(np.array_equal(crop, crop_of(index)) for crop in kept), index
    assert not any(np.array_equal(crop, crop_of(30)) for crop in kept)
    np.testing.assert_array_equal(kept[0], max(kept, key=sharpness))
    assert all(crop.base is None for crop in kept)  # no frame is kept


def test_a_name_is_the_film_s_and_the_track_s() -> None:
    def name(camera: str = "door", index: int = 0, seed: int = 1) -> str:
        path = Path(camera, 7, True)
        see(path, index, crop_of(seed), [1, 0])
        see(path, index + 1, crop_of(2), [1, 0])
        return path.finish(2).name

    assert name() == name() and name().startswith("door-7-")
    assert len({name(), name("hall"), name(index=1), name(seed=3)}) == 4


def test_quality_knows_size_focus_and_who_stands_in_front() -> None:
    assert 0 < size_quality(20) < size_quality(100) < size_quality(200) == size_quality(400) == 1
    assert sharpness(crop_of(1)) > 2 * sharpness(crop_of(1, blur=2)) > 0
    boxes = np.array([[10, 10, 30, 60], [20, 10, 40, 80], [0, 50, 9, 90], [60, 10, 70, 30]], np.float32)
    np.testing.assert_allclose(completeness(boxes, (100, 100)), [0.5, 1, 0.5, 1])
    assert completeness(boxes[:0], (100, 100)).shape == (0,)
