"""From image files to sightings: read once, named by content, embedded some at a time, and kept as they come."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resight.compute import usable_cores
from resight.datasets.names import camera_name, nfc
from resight.errors import ArrayError, ImageError
from resight.extraction.extract import printable
from resight.gallery.crops import Crop
from resight.gallery.labels import label_known
from resight.gallery.sighting import Sighting, draw_thumbnail, sighting_id
from resight.gallery.store.precision import recall
from resight.gallery.store.store import Store
from resight.images import Pixels, decode, read_file, resize
from resight.models.embedding import CHUNK, Model
from resight.progress import Progress, silent

__all__ = ["Enrolment", "embed", "enrol"]

_SAMPLE, _NEIGHBOURS = 1000, 10  # of the recall that is reported


@dataclass(frozen=True, kw_only=True)
class Enrolment:
    """What became of crops.

    Attributes
    ----------
    ids : tuple of str
        Of each crop that is in the gallery now, in the order of the crops; crops that were there already included.
    added, present, labelled : int
        How many are new, how many were there already, and how many of those have another name now, which the crop gives.
    expired : int
        How many were left out because they are older than the gallery may keep them.
    failures : tuple of (str, str)
        Source and reason of each that could not be read; bytes of a name that are no text are shown as ``\\xe9``.
    recall : float or None
        Where vectors are not stored as float32: how many of the 10 nearest neighbours among the first thousand new crops stay so,
        in [0, 1]. None if it is float32, or there are too few crops.
    """

    ids: tuple[str, ...]
    added: int
    present: int
    labelled: int
    expired: int
    failures: tuple[tuple[str, str], ...]
    recall: float | None


def enrol(index: Store, extractor: Model, crops: Sequence[Crop], *, progress: Progress = silent) -> Enrolment:
    """Embed crops and add them to a gallery.

    What is there already is not embedded again, so that an interrupted enrolment goes on where it stopped when it is repeated.
    Crops that cannot be read are listed, and the others enrolled.

    Parameters
    ----------
    index : Store
    extractor : Model
        The gallery's model.
    crops : sequence of Crop
    progress : Progress

    Returns
    -------
    Enrolment

    Raises
    ------
    ModelMismatchError
        If it is not the gallery's model.
    ConfigurationError
        If a crop's camera, tracklet or identity cannot be stored, or its time has no zone.
    StorageError
        If the gallery cannot be written; what was added before stays.
    """
    index.settings.check_model(extractor)
    now = datetime.now(UTC)
    oldest = index.settings.expired_before(now)
    crops = [replace(c, camera=camera_name(c.camera), identity=nfc(c.identity), tracklet=nfc(c.tracklet)) for c in crops]
    kept = [crop for crop in crops if oldest is None or crop.time is None or crop.time >= oldest]
    ids: list[str] = []
    failures: list[tuple[str, str]] = []
    sample: list[NDArray[np.float32]] = []
    added = 0
    known: dict[str, Crop] = {}
    chunks = [kept[start : start + CHUNK] for start in range(0, len(kept), CHUNK)]
    with ThreadPoolExecutor(usable_cores()) as pool:
        ahead = _submit(pool, index, extractor.size, chunks[0]) if chunks else []
        for number, chunk in enumerate(chunks, 1):
            # The next chunk is read while the model works on this one.
            tasks, ahead = ahead, _submit(pool, index, extractor.size, chunks[number]) if number < len(chunks) else []
            new: dict[str, tuple[Crop, _Look]] = {}
            for crop, task in zip(chunk, tasks, strict=True):
                try:
                    look = task.result()
                except ImageError as error:
                    failures.append((printable(crop.source), printable(str(error))))
                    continue
                ids.append(look.id)
                if look.pixels is None:
                    known[look.id] = crop
                else:
                    new.setdefault(look.id, (crop, look))
            if new:
                vectors = embed(extractor, [look.pixels for _, look in new.values() if look.pixels is not None])
                sample += [vectors] if sum(map(len, sample)) < _SAMPLE else []
                added += index.add([_sighting(*each, vector, now) for each, vector in zip(new.values(), vectors, strict=True)])
            progress("enrolling", min(number * CHUNK, len(kept)), len(kept))
    return Enrolment(
        ids=tuple(ids),
        added=added,
        present=len(ids) - added,
        labelled=label_known(index, {id: crop.identity for id, crop in known.items()}),
        expired=len(crops) - len(kept),
        failures=tuple(failures),
        recall=_recall(index, sample),
    )


def _recall(index: Store, sample: list[NDArray[np.float32]]) -> float | None:
    precision = index.settings.precision
    if precision == "float32" or sum(map(len, sample)) <= _NEIGHBOURS:
        return None
    return recall(np.concatenate(sample)[:_SAMPLE], precision, index.settings.distance, _NEIGHBOURS)


class _Look(NamedTuple):
    """A crop that was read: its id, and what is needed of its pixels unless it is in the gallery already."""

    id: str
    pixels: Pixels | None
    thumbnail: bytes


def _submit(pool: ThreadPoolExecutor, index: Store, size: tuple[int, int], crops: Sequence[Crop]) -> list[Future[_Look]]:
    return [pool.submit(_look, index, size, crop) for crop in crops]


def _look(index: Store, size: tuple[int, int], crop: Crop) -> _Look:
    data = read_file(crop.source) if crop.data is None else crop.data
    id = sighting_id(hashlib.sha256(data).hexdigest(), crop.camera, crop.time)
    if index.present([id]):
        return _Look(id, None, b"")
    image = decode(data, size=size)
    return _Look(id, resize(image, size), draw_thumbnail(image))


def embed(extractor: Model, images: Sequence[Pixels]) -> NDArray[np.float32]:
    """Vectors, float32 (n, d), of images of any size, uint8 RGB. Raises `ArrayError` if the model gives NaN or infinity."""
    vectors = extractor.extract(np.stack([resize(image, extractor.size) for image in images]))
    if not np.isfinite(vectors).all():
        raise ArrayError(f"{extractor.name} gives NaN or infinity; its weights are damaged or too large")
    return vectors


def _sighting(crop: Crop, look: _Look, vector: NDArray[np.float32], now: datetime) -> Sighting:
    return Sighting(
        id=look.id,
        embedding=vector,
        thumbnail=look.thumbnail,
        enrolled=now,
        camera=crop.camera,
        time=crop.time,
        source=os.fsencode(crop.source).decode("utf-8", "replace"),  # a file's name may be no text
        tracklet=crop.tracklet,
        identity=crop.identity,
    )
