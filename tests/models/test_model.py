"""`Model.embed`: everything that can be an image, against one image at a time."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.exported_models import SIZE, mean_colours
from models.test_embedding import MeanColours, write_images
from resight.errors import ArrayError, ImageError
from resight.images import Pixels, decode, resize
from resight.models import model as model_module


@pytest.fixture
def chunks_of_16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_module, "CHUNK", 16)


def noise(seed: int, size: tuple[int, int] = (40, 30)) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


def png(pixels: Pixels) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def vector(pixels: Pixels) -> NDArray[np.float32]:
    """What the model makes of one image, by its definition."""
    return mean_colours(resize(np.ascontiguousarray(pixels), SIZE)[None]).astype(np.float32)[0]


def test_one_image_gives_one_vector_whatever_it_is(tmp_path: Path) -> None:
    pixels = noise(1)
    path = tmp_path / "a.png"
    path.write_bytes(png(pixels))
    model = MeanColours()
    for image in (str(path), path, path.read_bytes(), bytearray(path.read_bytes()), pixels, Image.fromarray(pixels)):
        found = model.embed(image)
        assert found.shape == (6,) and found.dtype == np.float32
        np.testing.assert_array_equal(found, vector(pixels))


def test_a_mixture_keeps_its_order(tmp_path: Path) -> None:
    images = [noise(seed, size) for seed, size in enumerate([(40, 30), (8, 8), (16, 8), (200, 100), (1, 1)])]
    (tmp_path / "0.png").write_bytes(png(images[0]))
    given = [tmp_path / "0.png", png(images[1]), images[2], Image.fromarray(images[3]), images[4]]
    expected = np.stack([vector(image) for image in images])
    model = MeanColours()
    np.testing.assert_array_equal(model.embed(given), expected)
    np.testing.assert_array_equal(model.embed(tuple(given)), expected)
    np.testing.assert_array_equal(model.embed(image for image in given), expected)


@pytest.mark.parametrize("count", [0, 1, 16, 17, 50])
@pytest.mark.usefixtures("chunks_of_16")
def test_any_number_in_chunks(count: int) -> None:
    pixels = np.stack([noise(seed) for seed in range(count)]) if count else np.empty((0, 40, 30, 3), np.uint8)
    model = MeanColours()
    found = model.embed(pixels)
    assert found.shape == (count, 6)
    assert model.counts == [16] * (count // 16) + [count % 16] * (count % 16 > 0)
    np.testing.assert_array_equal(found, np.array([vector(image) for image in pixels]).reshape(-1, 6))


def test_boxes_of_a_frame() -> None:
    frame = noise(3, (60, 80))
    boxes = np.array([[10, 5, 30, 45], [0, 0, 80, 60], [-20, 30.4, 12.6, 99]], np.float32)
    people = [frame[5:45, 10:30], frame, frame[30:60, 0:13]]
    expected = np.stack([vector(person) for person in people])
    model = MeanColours()
    for given in (
        (frame, boxes),
        (frame, boxes.tolist()),
        (frame, list(boxes)),
        (frame, SimpleNamespace(xyxy=boxes)),
        (png(frame), boxes),
        [(frame, boxes)],
    ):
        np.testing.assert_array_equal(model.embed(given), expected)
    crop = noise(4)
    mixed = model.embed(iter([crop, (frame, boxes[:0]), (frame, []), (frame, boxes), crop]))
    np.testing.assert_array_equal(mixed, np.stack([vector(crop), *expected, vector(crop)]))


def test_exif_and_transparency_are_those_of_a_file(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(noise(5, (48, 32)))
    image.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    clear = Image.fromarray(noise(6)).convert("RGBA")
    clear.putalpha(77)
    clear.save(tmp_path / "clear.png")
    model = MeanColours()
    for name in ("turned.jpg", "clear.png"):
        with Image.open(tmp_path / name) as opened:
            found = model.embed(opened)
        np.testing.assert_allclose(found, model.embed(tmp_path / name), atol=1)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4), np.uint8), r"uint8 of shape \(4, 4\).*repeat a gray image"),
        (np.zeros((4, 4, 4), np.uint8), r"image\[\.\.\., :3\]"),
        (np.zeros((3, 4, 5), np.uint8), r"transpose\(1, 2, 0\)"),
        (np.zeros((4, 4, 3), np.float32), "float32 .*scale floating-point pixels"),
        (np.zeros((0, 4, 3), np.uint8), "without pixels"),
        (Image.new("I;16", (4, 4)), "more than 8 bits"),
        (7, "got a int; expected a path"),
    ],
)
def test_what_is_not_an_rgb_image_is_refused_by_number(image: Any, message: str) -> None:
    with pytest.raises(ArrayError, match=f"image 2: .*{message}"):
        MeanColours().embed([noise(1), noise(2), image])


def test_errors_name_the_item(tmp_path: Path) -> None:
    model, frame = MeanColours(), noise(1)
    with pytest.raises(ImageError, match=r"image 1 \(.*none\.jpg\): No such file"):
        model.embed([frame, tmp_path / "none.jpg"])
    with pytest.raises(ImageError, match="image 20: the file is empty"):
        model.embed([frame] * 20 + [b""])
    with pytest.raises(ImageError, match="image 1, box 1: the box 50, 0, 60, 9 holds no pixel of the image of 30x40 pixels"):
        model.embed([frame, (frame, np.array([[0, 0, 9, 9], [50, 0, 60, 9]], np.float32))])
    with pytest.raises(ArrayError, match=r"image 0: boxes of shape \(1, 4\); expected finite"):
        model.embed((frame, np.full((1, 4), np.nan, np.float32)))
    for rows, message in (([[0, 0, 9]], r"boxes of shape \(1, 3\)"), ([[0, 0, 9, 9], [0]], "boxes are not a matrix")):
        with pytest.raises(ArrayError, match=f"image 0: {message}.*; expected finite numbers"):
            model.embed((frame, rows))
    with pytest.raises(ArrayError, match="image 0: got a int"):
        model.embed(7)
    with pytest.raises(ArrayError, match="mean gives NaN or infinity for image 1, box 0"):
        spoilt = MeanColours(lambda vectors: np.where(np.arange(len(vectors))[:, None] == 1, np.float32(np.nan), vectors))
        spoilt.embed([frame, (frame, np.array([[0, 0, 9, 9]], np.float32))])


def test_nothing_changes_a_callers_array() -> None:
    exact, other, flipped = noise(1, SIZE), noise(2), noise(3)
    before = [array.copy() for array in (exact, other, flipped)]
    for array in (exact, other, flipped):
        array.setflags(write=False)
    model = MeanColours(lambda vectors: vectors)
    found = model.embed([exact, other, flipped[:, ::-1], other[..., ::-1]])
    assert all(np.array_equal(a, b) for a, b in zip((exact, other, flipped), before, strict=True))
    np.testing.assert_array_equal(found[2], vector(before[2][:, ::-1]))
    np.testing.assert_array_equal(found[3], vector(before[1][..., ::-1]))


@pytest.mark.usefixtures("chunks_of_16")
def test_a_generator_may_use_its_array_again_and_is_not_read_far_ahead() -> None:
    """Frames are cut when they are taken, so that neither their memory nor a change of it matters later."""
    frame, taken, at_call = np.zeros((64, 64, 3), np.uint8), 0, []

    def frames() -> Iterator[Pixels]:
        nonlocal taken
        for shade in range(2000):
            frame[:] = shade % 256
            taken += 1
            yield frame

    model = MeanColours(lambda vectors: at_call.append(taken) or vectors)  # type: ignore[func-returns-value]
    found = model.embed(frames())
    np.testing.assert_array_equal(found, np.stack([vector(np.full((8, 8, 3), shade % 256, np.uint8)) for shade in range(2000)]))
    assert max(seen - 16 * turn for turn, seen in enumerate(at_call)) < 600


def test_an_error_leaves_no_thread(tmp_path: Path) -> None:
    paths = write_images(tmp_path, 60)
    Path(paths[2]).write_bytes(b"")
    before = threading.active_count()
    with pytest.raises(ImageError, match="image 2 "):
        MeanColours().embed(paths)
    assert threading.active_count() == before


def test_files_bytes_and_pixels_are_one_vector_of_a_large_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    Image.fromarray(noise(0, (30, 40))).resize((4000, 3000), Image.Resampling.BICUBIC).save(path, quality=90)
    pixels = decode(path.read_bytes())
    assert pixels.shape == (3000, 4000, 3)
    model = MeanColours()
    for image in (path, path.read_bytes(), pixels, (pixels, np.array([[0, 0, 4000, 3000]], np.float32))):
        np.testing.assert_array_equal(model.embed(image).reshape(-1), vector(pixels))


def test_a_model_says_what_it_is() -> None:
    assert repr(MeanColours()) == f"<MeanColours 'mean': {SIZE[0]}x{SIZE[1]} pixels to 6 numbers, euclidean distance>"
