"""The parity gate: a file gets its name only if it computes the same as the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from resight.datasets.records import Split
from resight.errors import ExportError
from resight.evaluation.protocol import evaluate
from resight.images import Pixels, load_pixels
from resight.models.onnx import Session
from resight.progress import Progress, silent

__all__ = ["COSINE", "SAME", "Source", "check_cosines", "check_vectors", "cosines", "generated_images", "score_held_out"]

COSINE = {"fp32": 0.9999, "fp16": 0.999, "int8": 0.0}
"""Least cosine of each vector with the network's. 8 bits are judged by mAP instead: people can be as far apart as before although
all vectors have turned a little."""

BATCHES = (1, 7, 64)
SAME = {"fp32": 1e-4, "fp16": 1e-4, "int8": 0.05}
"""Largest distance between vectors from batches of other sizes, relative to their length. Kernels may divide their work by the size
of the batch and add in another order, which moves float32 by some 1e-6; in 8 bits that can tip a rounding, and everything after."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Source:
    """The model that an exported file is compared with.

    Attributes
    ----------
    extract : callable
        Images, uint8 (n, height, width, 3), to the model's vectors, float32 (n, d), by PyTorch.
    distance : str or callable
        Distance between these; see `resight.evaluation.protocol.evaluate`.
    expected : callable
        The model's vectors to the vectors expected of the file.
    exported_distance : str
        Distance between the file's vectors.
    """

    extract: Callable[[Pixels], Vectors]
    distance: str | Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]
    expected: Callable[[Vectors], Vectors]
    exported_distance: str


def generated_images(size: tuple[int, int], count: int = max(BATCHES), seed: int = 0) -> Pixels:
    """Draw images without people: coarse to fine patterns of random colours, one black image and one white.

    Parameters
    ----------
    size : tuple of (height, width)
    count : int
    seed : int

    Returns
    -------
    uint8 array of shape (count, height, width, 3)
    """
    rng = np.random.default_rng(seed)
    images = np.empty((count, *size, 3), np.uint8)
    for number in range(count):
        cells = 2 ** (number % 6 + 1)
        pattern = rng.integers(0, 256, (cells, cells, 3), np.uint8)
        images[number] = cv2.resize(pattern, size[::-1], interpolation=cv2.INTER_LINEAR)
    images[0], images[-1] = 0, 255
    return images


def check_vectors(session: Session, source: Source, images: Pixels, precision: str) -> dict[str, Any]:
    """Compare an exported model's vectors with the network's, and with its own from batches of other sizes.

    Parameters
    ----------
    session : Session
    source : Source
    images : uint8 array of shape (n, height, width, 3)
    precision : str
        A key of `COSINE`.

    Returns
    -------
    dict
        ``images``, ``cosine_min``, ``cosine_mean``, ``batches`` (their sizes), ``batch_difference`` (the largest, relative).

    Raises
    ------
    ExportError
        If a vector is not finite, is too far from the network's, or depends on the batch.
    """
    sizes = BATCHES if session.fixed_batch is None else (session.fixed_batch,)
    by_batch = [session.embed(images, batch=size) for size in sizes]
    agreement = check_cosines(source.expected(source.extract(images)), by_batch[0], precision)
    lengths = np.maximum(np.linalg.norm(by_batch[0], axis=1), np.finfo(np.float32).tiny)
    differences = [float((np.linalg.norm(other - by_batch[0], axis=1) / lengths).max()) for other in by_batch]
    if max(differences) > SAME[precision]:
        size = sizes[int(np.argmax(differences))]
        raise ExportError(
            f"the exported model gives other vectors in batches of {size} than of {sizes[0]}: they differ by "
            f"{max(differences):.1e} of their length, expected at most {SAME[precision]:.0e}; please report this"
        )
    return agreement | {"batches": list(sizes), "batch_difference": max(differences)}


def check_cosines(expected: Vectors, found: Vectors, precision: str) -> dict[str, Any]:
    """Compare the exported model's vectors with the network's; see `check_vectors`."""
    for name, vectors in (("network", expected), ("exported model", found)):
        if not np.isfinite(vectors).all():
            raise ExportError(f"the {name} gives NaN or infinity; its weights are damaged, or too large for {precision}")
    agreement = cosines(expected, found)
    if agreement.min() < COSINE[precision]:
        raise ExportError(
            f"the exported model's vector of image {int(agreement.argmin()) + 1} of {len(agreement)} has cosine "
            f"{agreement.min():.6f} with PyTorch's, expected at least {COSINE[precision]} for {precision}; the file is not written"
        )
    return {"images": len(agreement), "cosine_min": float(agreement.min()), "cosine_mean": float(agreement.mean())}


def score_held_out(
    session: Session, source: Source, held_out: Split, size: tuple[int, int], precision: str, *, progress: Progress = silent
) -> dict[str, Any]:
    """Score the network and the exported model on held-out people: Rank-1 and mAP.

    Parameters
    ----------
    session : Session
    source : Source
    held_out : Split
        Its query and gallery are used.
    size : tuple of (height, width)
    precision : str
        Key of `COSINE`.
    progress : Progress

    Returns
    -------
    dict
        ``people``, ``queries``, ``gallery``; ``rank1`` and ``map``, each with ``network``, ``exported`` and ``change`` in per
        cent; ``cosine_min`` and ``cosine_mean``.

    Raises
    ------
    ExportError
        See `check_cosines`.
    """
    sides = [load_pixels(records.paths, size, progress=progress) for records in (held_out.query, held_out.gallery)]
    trained = [source.extract(pixels) for pixels in sides]
    found = [session.embed(pixels, progress=progress, stage=f"embedding ({precision})") for pixels in sides]
    agreement = check_cosines(source.expected(np.concatenate(trained)), np.concatenate(found), precision)
    before = evaluate(trained[0], trained[1], held_out.query, held_out.gallery, source.distance)
    after = evaluate(found[0], found[1], held_out.query, held_out.gallery, source.exported_distance)
    figures = {
        name: {"network": 100 * first, "exported": 100 * second, "change": 100 * (second - first)}
        for name, first, second in (("rank1", before.rank1, after.rank1), ("map", before.map, after.map))
    }
    return (
        {"people": len(held_out.query.people()), "queries": len(held_out.query), "gallery": len(held_out.gallery)}
        | figures
        | agreement
    )


def cosines(first: Vectors, second: Vectors) -> NDArray[np.float64]:
    """Cosine of each row (n, d) with its counterpart: 1 if both are zero, 0 if one is."""
    products = np.einsum("nd,nd->n", first, second, dtype=np.float64)
    lengths = [np.linalg.norm(vectors.astype(np.float64), axis=1) for vectors in (first, second)]
    both = lengths[0] * lengths[1]
    result: NDArray[np.float64] = (lengths[0] == lengths[1]).astype(np.float64)
    np.divide(products, both, out=result, where=both > 0)
    return result
