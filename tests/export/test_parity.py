from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from export.networks import lively
from resight.errors import ExportError
from resight.export.graph import network_graph
from resight.export.parity import COSINE, Source, check_vectors, cosines, generated_images
from resight.images import Pixels
from resight.models.onnx import Session
from resight.models.pytorch import NetworkModel

SIZE = (64, 32)
IMAGES = generated_images(SIZE)


def same(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors


def source(extract: Callable[[Pixels], NDArray[np.float32]]) -> Source:
    return Source(extract, "euclidean", same, "euclidean")


class FakeSession:
    """Gives what a function of the images and the size of the batch says."""

    fixed_batch = None

    def __init__(self, answer: Callable[[Pixels, int], NDArray[np.float32]]) -> None:
        self.answer = answer

    def embed(self, pixels: Pixels, *, batch: int = 64, **rest: Any) -> NDArray[np.float32]:
        return self.answer(pixels, batch)


def colours(pixels: Pixels) -> NDArray[np.float32]:
    return pixels.mean((1, 2), dtype=np.float32) + 1


def test_cosines_by_the_formula() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 5, 7)).astype(np.float32)
    expected = [x @ y / np.sqrt((x @ x) * (y @ y)) for x, y in zip(a.astype(float), b.astype(float), strict=True)]
    np.testing.assert_allclose(cosines(a, b), expected, rtol=1e-12)
    zeros = np.zeros((2, 7), np.float32)
    assert cosines(zeros, np.stack([a[0], zeros[0]])).tolist() == [0, 1]
    assert cosines(a, 3e18 * a) == pytest.approx(1)  # squares that float32 cannot hold


def test_generated_images_are_many_kinds_and_always_the_same() -> None:
    assert IMAGES.shape == (64, *SIZE, 3) and IMAGES.dtype == np.uint8
    np.testing.assert_array_equal(IMAGES, generated_images(SIZE))
    assert not IMAGES[0].any() and (IMAGES[-1] == 255).all()
    assert len({image.tobytes() for image in IMAGES}) == 64


def test_a_faithful_export_passes() -> None:
    network = lively("mobilenet-0.25")
    extractor = NetworkModel("lively", network, device="cpu")
    figures = check_vectors(Session(network_graph(network)), source(extractor.extract), IMAGES, "fp32")
    assert figures["images"] == 64 and figures["batches"] == [1, 7, 64]
    assert figures["cosine_min"] > 0.999999 and figures["batch_difference"] < 1e-5


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_one_image_that_differs_is_enough(precision: str) -> None:
    expected = np.random.default_rng(0).normal(size=(64, 16)).astype(np.float32)
    for angle, passes in ((0.9 * np.arccos(COSINE[precision]), True), (1.1 * np.arccos(COSINE[precision]), False)):
        turned = expected.copy()
        other = np.random.default_rng(1).normal(size=16)
        unit = expected[9] / np.linalg.norm(expected[9])
        other -= other @ unit * unit
        turned[9] = np.cos(angle) * unit + np.sin(angle) * other / np.linalg.norm(other)
        session: Any = FakeSession(lambda pixels, batch, turned=turned: turned)
        if passes:
            check_vectors(session, source(lambda pixels: expected), IMAGES, precision)
        else:
            with pytest.raises(ExportError, match=r"image 10 of 64 has cosine 0\.99"):
                check_vectors(session, source(lambda pixels: expected), IMAGES, precision)


def test_vectors_that_depend_on_the_batch_are_refused() -> None:
    session: Any = FakeSession(lambda pixels, batch: colours(pixels) + (0.1 if batch == 7 else 0))
    with pytest.raises(ExportError, match="batches of 7 than of 1"):
        check_vectors(session, source(colours), IMAGES, "fp32")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_vectors_that_are_no_numbers_are_refused(value: float) -> None:
    def broken(pixels: Pixels) -> NDArray[np.float32]:
        vectors = colours(pixels)
        vectors[3, 1] = value
        return vectors

    session: Any = FakeSession(lambda pixels, batch: broken(pixels))
    with pytest.raises(ExportError, match="exported model gives NaN or infinity"):
        check_vectors(session, source(colours), IMAGES, "int8")
    session = FakeSession(lambda pixels, batch: colours(pixels))
    with pytest.raises(ExportError, match="network gives NaN or infinity"):
        check_vectors(session, source(broken), IMAGES, "int8")
