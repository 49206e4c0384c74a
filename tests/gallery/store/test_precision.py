"""Vectors as bytes."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from resight.errors import ArrayError, GalleryDamagedError
from resight.gallery.store.precision import PRECISIONS, decode_vectors, encode_vectors, recall


def vectors(n: int, d: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((n, d)).astype(np.float32)


def test_bytes_are_little_endian() -> None:
    two = np.array([[1.5, -2.0]], np.float32)
    assert encode_vectors(two, "float32") == [struct.pack("<2f", 1.5, -2)]
    assert encode_vectors(two, "float16") == [struct.pack("<2e", 1.5, -2)]
    assert encode_vectors(two, "int8") == [struct.pack("<f2b", np.float32(2 / 127), 95, -127)]


@pytest.mark.parametrize(("precision", "error"), [("float32", 0), ("float16", 2.0**-11), ("int8", 0.5 / 127)])
def test_round_trip(precision: str, error: float) -> None:
    numbers = vectors(50, 9) * np.logspace(-3, 3, 50, dtype=np.float32)[:, None]
    numbers[7] = 0
    decoded = decode_vectors(encode_vectors(numbers, precision), precision, 9)
    assert decoded.dtype == np.float32
    assert (np.abs(decoded - numbers) <= 1.001 * error * np.abs(numbers).max(1, keepdims=True)).all()


def test_recall() -> None:
    clear, near = vectors(300, 32), (1 + vectors(300, 32) * 1e-4).astype(np.float32)
    assert recall(clear, "float32", "euclidean") == 1
    assert recall(clear, "float16", "cosine") > 0.98
    assert 0.8 < recall(clear, "int8", "euclidean") < 1
    assert recall(near, "int8", "euclidean") < 0.3  # all the same in 8 bits


def test_recall_by_hand() -> None:
    # float16 cannot tell 2048 from 2049: the nearest of 2049.6 is then the lower of the two.
    line = np.array([[2048], [2049], [2049.6], [2060]], np.float32)
    before, after = [], []
    for stored, out in ((line, before), (line.astype(np.float16).astype(np.float32), after)):
        for row in range(4):
            distances = np.abs(stored[:, 0] - line[row, 0])
            distances[row] = np.inf
            out.append(int(distances.argmin()))
    assert recall(line, "float16", "euclidean", k=1) == np.mean([a == b for a, b in zip(before, after, strict=True)])


def test_what_does_not_fit() -> None:
    with pytest.raises(ArrayError, match="70000, too large for float16; store float32"):
        encode_vectors(np.array([[70000]], np.float32), "float16")
    for precision in PRECISIONS:
        with pytest.raises(GalleryDamagedError, match=f"of 4 numbers as {precision}"):
            decode_vectors([b"abc"], precision, 4)
