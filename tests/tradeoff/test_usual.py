"""The usual way gives the vectors of the fast path: exactly where nothing is resized, nearly where something is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from resight.datasets import open_dataset
from resight.errors import ImageError
from resight.images import read_image
from resight.models import load_model
from resight.models.embedding import embed_files
from resight.tradeoff.usual import UsualWay


def cosines(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    a, b = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (a, b))
    return np.asarray(a @ b.T)


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_vectors_of_the_fast_path(colour: str, tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    paths = []
    for number, path in enumerate(open_dataset(tiny).gallery.paths[:40]):
        paths.append(str(tmp_path / f"{number:02}.png"))  # without loss, and already of the network's size
        cv2.imwrite(paths[-1], cv2.cvtColor(cv2.resize(read_image(path), (32, 64)), cv2.COLOR_RGB2BGR))
    fast = load_model(str(tiny_run))
    fast.network.preprocessing = replace(fast.network.preprocessing, colour=colour)
    expected = embed_files(fast, paths)
    usual = UsualWay(fast)
    found = usual.embed_files(paths)
    assert (usual.name, usual.size, usual.parameters) == ("usual teacher", (64, 32), fast.parameters)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_nearly_those_where_images_are_resized(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    paths = []
    for number, path in enumerate(open_dataset(tiny).gallery.paths[:12]):
        paths.append(str(tmp_path / f"{number}.jpg"))
        large = cv2.resize(read_image(path), (80, 190)).astype(np.int16) + rng.integers(-3, 4, (190, 80, 3))
        cv2.imwrite(paths[-1], np.clip(large, 0, 255).astype(np.uint8))
    fast = load_model(str(tiny_run))
    expected = embed_files(fast, paths)
    # A network's vectors all point much the same way; what tells images apart is how they differ from their mean.
    found = UsualWay(fast).embed_files(paths)
    same = cosines(found - expected.mean(0), expected - expected.mean(0))
    assert np.diag(same).min() > 0.8
    assert (same.argmax(1) == np.arange(len(paths))).all()


def test_a_file_that_is_no_image_is_named(tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "no.jpg").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"no\.jpg"):
        UsualWay(load_model(str(tiny_run))).embed_files([str(tmp_path / "no.jpg")])
