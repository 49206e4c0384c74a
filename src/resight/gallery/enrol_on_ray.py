"""Crops that a Ray cluster embeds for the one process that owns the gallery: it reads the files, and writes what comes back."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import closing
from itertools import chain

import numpy as np
import ray
from numpy.typing import NDArray

from resight.errors import ImageError, ResightError
from resight.extraction.cluster import Copies, copy_here, joined
from resight.gallery.crops import Crop
from resight.gallery.enrol import Chunks, Embed, Seen, fetch
from resight.gallery.sighting import draw_thumbnail
from resight.gallery.store.interface import Store
from resight.images import Pixels, decode, grouped, read_ahead, resize
from resight.models.model import AHEAD, AT_ONCE, CHUNK, extract_finite

__all__ = ["on_ray"]

Read = tuple[str, bytes | None] | str
"""Id of a crop and its file, or None for one that is in the gallery; or the reason for which it cannot be read."""

Embedded = tuple[NDArray[np.float32], bytes] | str
"""Vector and thumbnail of a file, or the reason for which it cannot be read."""


def on_ray(copies: Copies, sha256: str) -> Embed:
    """Make a function that embeds crops on a cluster, for `resight.gallery.enrol.enrol`.

    The files of at most two chunks for each copy of the model are in memory. A chunk whose worker dies is made again, and the
    chunks come in the order of the crops.

    Parameters
    ----------
    copies : Copies
        Model and cluster.
    sha256 : str
        SHA-256 of the gallery's model. A worker with another one is refused with a `ResightError`.
    """

    def embed(index: Store, crops: Sequence[Crop]) -> Chunks:
        def read(some: list[Crop]) -> list[tuple[Crop, Read]]:
            return [(crop, _fetch(index, crop)) for crop in some]

        waiting: deque[tuple[list[tuple[Crop, Read]], list[str], ray.ObjectRef]] = deque()
        with joined(copies.address), closing(read_ahead(crops, read, at_once=AT_ONCE, ahead=AHEAD)) as parts:
            task = ray.remote(**copies.needs, max_retries=-1)(_embed)
            most = 2 * max(1, int(ray.cluster_resources()["CPU"]) // (copies.threads or 1))
            for chunk in grouped(chain.from_iterable(parts), CHUNK):
                files = {
                    found[0]: (crop.source, found[1]) for crop, found in chunk if isinstance(found, tuple) and found[1] is not None
                }
                waiting.append((chunk, list(files), task.remote(list(files.values()), copies, sha256)))
                if len(waiting) >= most:
                    yield _joined(*waiting.popleft())
            while waiting:
                yield _joined(*waiting.popleft())

    return embed


def _fetch(index: Store, crop: Crop) -> Read:
    try:
        return fetch(index, crop)
    except ImageError as error:
        return str(error)


def _joined(chunk: list[tuple[Crop, Read]], ids: list[str], task: ray.ObjectRef) -> list[tuple[Crop, Seen | str]]:
    """Put what a worker found to the crops of a chunk."""
    answers = ray.get(task)
    if isinstance(answers, str):
        raise ResightError(answers)
    embedded: dict[str, Embedded] = dict(zip(ids, answers, strict=True))
    found: list[tuple[Crop, Seen | str]] = []
    for crop, read in chunk:
        if isinstance(read, str):
            found.append((crop, read))
        elif isinstance(answer := embedded.get(read[0], (None, b"")), str):
            found.append((crop, answer))
        else:
            found.append((crop, Seen(read[0], *answer)))
    return found


def _embed(files: list[tuple[str, bytes]], copies: Copies, sha256: str) -> list[Embedded] | str:
    """Embed files, in a worker. An error is the answer: Ray would keep its text alone, and not its kind."""
    try:
        model = copy_here(copies, sha256)
        found: list[Pixels | str] = []
        thumbnails = []
        for _, data in files:
            try:
                image = decode(data)
                found.append(resize(image, model.size))
                thumbnails.append(draw_thumbnail(image))
            except ImageError as error:
                found.append(str(error))
        pixels = [each for each in found if not isinstance(each, str)]
        names = [name for (name, _), each in zip(files, found, strict=True) if not isinstance(each, str)]
        vectors = iter(extract_finite(model, np.stack(pixels), names) if pixels else ())
        pictures = iter(thumbnails)
        return [each if isinstance(each, str) else (next(vectors).copy(), next(pictures)) for each in found]
    except ResightError as error:
        return str(error)
