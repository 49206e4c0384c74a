"""Files to vectors, against reading and embedding one image at a time."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.exported_models import SIZE, mean_colours
from resight.errors import ArrayError, ImageError
from resight.images import Pixels, read_image
from resight.models import embedding
from resight.models.embedding import embed_chunks, embed_files
from resight.models.model import Model


class MeanColours(Model):
    """A model without a file, which notes what it is handed."""

    name, sha256, distance, size, embedding_size, parameters, multiply_adds = "mean", "0" * 64, "euclidean", SIZE, 6, 24, None

    def __init__(self, change: Callable[[NDArray[np.float32]], NDArray[np.float32]] = lambda vectors: vectors) -> None:
        self.counts: list[int] = []
        self._change = change

    def extract(self, pixels: Pixels) -> NDArray[np.float32]:
        self.counts.append(len(pixels))
        return self._change(mean_colours(pixels).astype(np.float32))


@pytest.fixture
def chunks_of_16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "CHUNK", 16)
    monkeypatch.setattr(embedding, "AHEAD", 8)
    monkeypatch.setattr(embedding, "AT_ONCE", 4)


def write_images(folder: Path, count: int, size: tuple[int, int] = (20, 14)) -> list[str]:
    """Noise as PNG files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [str(folder / f"{number:05}.png") for number in range(count)]
    for number, path in enumerate(paths):
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (*size, 3), np.uint8)).save(path, compress_level=0)
    return paths


def one_by_one(paths: list[str]) -> NDArray[np.float64]:
    return np.concatenate([mean_colours(read_image(path, size=SIZE)[None]) for path in paths])


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 50])
@pytest.mark.usefixtures("chunks_of_16")
def test_every_image_gets_its_own_vector(count: int, tmp_path: Path) -> None:
    paths = write_images(tmp_path / "images", count)
    model = MeanColours()
    vectors = embed_files(model, paths)
    assert vectors.shape == (count, 6) and vectors.dtype == np.float32
    if count:
        np.testing.assert_allclose(vectors, one_by_one(paths), rtol=1e-5)
    assert model.counts == [16] * (count // 16) + [count % 16] * (count % 16 > 0)


@pytest.mark.usefixtures("chunks_of_16")
def test_work_goes_on_at_any_chunk(tmp_path: Path) -> None:
    paths = write_images(tmp_path, 50)
    whole = list(embed_chunks(MeanColours(), paths))
    assert [chunk.start for chunk in whole] == [0, 16, 32, 48]
    rest = list(embed_chunks(MeanColours(), paths, first=32))
    assert [chunk.start for chunk in rest] == [32, 48]
    assert all(np.array_equal(a.vectors, b.vectors) for a, b in zip(rest, whole[2:], strict=True))
    assert list(embed_chunks(MeanColours(), paths, first=64)) == []


@pytest.mark.usefixtures("chunks_of_16")
def test_a_bad_image_is_a_failure_of_its_row_alone(tmp_path: Path) -> None:
    paths = write_images(tmp_path, 40)
    expected = one_by_one(paths)
    Path(paths[3]).write_bytes(b"")
    Path(paths[21]).unlink()
    Path(paths[39]).write_bytes(b"no image")
    found = {}
    for chunk in embed_chunks(MeanColours(), paths):
        for row, vector in enumerate(chunk.vectors):
            if row in chunk.failures:
                found[chunk.start + row] = chunk.failures[row]
            else:
                np.testing.assert_allclose(vector, expected[chunk.start + row], rtol=1e-5)
    assert found == {
        3: "the file is empty",
        21: "No such file or directory",
        39: "not an image of a known format (JPEG, PNG, WebP, BMP, GIF, TIFF, HEIC, AVIF)",
    }
    with pytest.raises(ImageError, match=r"1 of 16 images cannot be read: .*00003\.png: the file is empty"):
        embed_files(MeanColours(), paths)


@pytest.mark.usefixtures("chunks_of_16")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_vector_that_is_no_number_names_its_image(value: float, tmp_path: Path) -> None:
    paths = write_images(tmp_path, 40)

    def spoil(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        vectors[5, 2] = value
        return vectors

    with pytest.raises(ArrayError, match=r"mean gives NaN or infinity for .*00005\.png"):
        embed_files(MeanColours(spoil), paths)


@pytest.mark.usefixtures("chunks_of_16")
def test_progress_counts_images(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    embed_files(
        MeanColours(), write_images(tmp_path, 40), progress=lambda stage, done, total, note="": seen.append((stage, done, total))
    )
    assert seen == [("embedding (mean)", done, 40) for done in (16, 32, 40)]


@pytest.mark.usefixtures("chunks_of_16")
def test_no_more_is_read_ahead_than_memory_is_set_aside_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = write_images(tmp_path, 200)
    read, at_call = 0, []
    original, lock = embedding.read_into, threading.Lock()

    def count(some: list[str], out: Pixels) -> dict[int, str]:
        nonlocal read
        with lock:
            read += len(some)
        return original(some, out)

    monkeypatch.setattr(embedding, "read_into", count)
    embed_files(MeanColours(lambda vectors: at_call.append(read) or vectors), paths)  # type: ignore[func-returns-value]
    assert all(seen <= 16 * (turn + 3) for turn, seen in enumerate(at_call))


@pytest.mark.usefixtures("chunks_of_16")
def test_whoever_stops_early_leaves_no_thread(tmp_path: Path) -> None:
    paths = write_images(tmp_path, 100)
    before = threading.active_count()
    for _ in embed_chunks(MeanColours(), paths):
        break
    assert threading.active_count() == before


def test_memory_does_not_grow_with_the_images(tmp_path: Path) -> None:
    """Pixels of a few chunks are in memory, whatever the number of images."""
    paths = write_images(tmp_path, 8, (4, 4)) * 300

    class Nothing(MeanColours):
        def extract(self, pixels: Pixels) -> NDArray[np.float32]:
            return np.zeros((len(pixels), 6), np.float32)

    tracemalloc.start()
    try:
        assert sum(len(chunk.vectors) for chunk in embed_chunks(Nothing(), paths)) == len(paths)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 * embedding.CHUNK * SIZE[0] * SIZE[1] * 3 < len(paths) * SIZE[0] * SIZE[1] * 3 * 0.7
