"""Image files to sightings: each file is read once, named by its content, embedded, and stored."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resight.datasets.names import camera_name, nfc
from resight.errors import ConfigurationError, ImageError
from resight.files import printable
from resight.gallery.crops import Crop
from resight.gallery.labels import label_known
from resight.gallery.sighting import Sighting, draw_thumbnail, sighting_id
from resight.gallery.store.interface import Store
from resight.gallery.store.precision import recall
from resight.images import Pixels, decode, grouped, read_ahead, read_file, resize
from resight.models.model import AHEAD, AT_ONCE, CHUNK, Model, extract_finite
from resight.progress import Progress, silent

__all__ = ["Chunks", "Embed", "Enrolment", "Seen", "enrol", "fetch"]

_SAMPLE, _NEIGHBOURS = 1000, 10  # of the recall that is reported


class Seen(NamedTuple):
    """A crop that was read and embedded.

    Attributes
    ----------
    id : str
    vector : float32 array of shape (embedding_size,), or None
        None if the gallery has it already.
    thumbnail : bytes
    """

    id: str
    vector: NDArray[np.float32] | None
    thumbnail: bytes


Chunks = Generator[list[tuple[Crop, Seen | str]], None, None]
"""Chunks of `CHUNK` consecutive crops, in order, each with what was seen, or the reason for which it cannot be read."""

Embed = Callable[[Store, Sequence[Crop]], Chunks]
"""Reads and embeds the crops that a gallery does not have yet. Raises `ResightError`."""


@dataclass(frozen=True, kw_only=True)
class Enrolment:
    """Result of an enrolment.

    Attributes
    ----------
    ids : tuple of str
        Ids of all crops that are in the gallery now, in the order of the crops.
    added, present, labelled : int
        Number of new crops, of crops that were there already, and of those among them that got another name, which the crop gives.
    expired : int
        Number of crops left out because they are older than the retention.
    failures : tuple of (str, str)
        Source and reason of each crop that cannot be read. Bytes of a name that are not UTF-8 are shown as ``\\xe9``.
    recall : float or None
        Share of the 10 nearest neighbours, among the first thousand new crops, that remain so after the vectors are stored at a
        lower precision. None for float32, or if there are too few crops.
    """

    ids: tuple[str, ...]
    added: int
    present: int
    labelled: int
    expired: int
    failures: tuple[tuple[str, str], ...]
    recall: float | None


def enrol(
    index: Store, model: Model, crops: Sequence[Crop], *, embed: Embed | None = None, progress: Progress = silent
) -> Enrolment:
    """Embed crops and add them to a gallery.

    Crops in the gallery are not embedded again: an interrupted enrolment goes on where it stopped when it is repeated. Crops that
    cannot be read are listed, and the others enrolled.

    Parameters
    ----------
    index : Store
    model : Model
        The model of the gallery.
    crops : sequence of Crop
    embed : callable, optional
        Reads and embeds the crops, chunk by chunk; by default this process does. See `resight.gallery.enrol_on_ray`.
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
    ArrayError
        If the model gives NaN or infinity.
    StorageError
        If the gallery cannot be written. Crops added before stay.
    """
    index.settings.check_model(model)
    now = datetime.now(UTC)
    for crop in crops:
        if crop.time is not None and crop.time.tzinfo is None:
            raise ConfigurationError(f"{printable(crop.source)}: its time has no time zone; expected one, such as UTC")
    oldest = index.settings.expired_before(now)
    crops = [replace(c, camera=camera_name(c.camera), identity=nfc(c.identity), tracklet=nfc(c.tracklet)) for c in crops]
    kept = [crop for crop in crops if oldest is None or crop.time is None or crop.time >= oldest]
    ids: list[str] = []
    failures: list[tuple[str, str]] = []
    sample: list[NDArray[np.float32]] = []
    added = 0
    known: dict[str, Crop] = {}

    chunks = embed(index, kept) if embed else _embed_here(index, model, kept)
    with closing(chunks):
        for number, chunk in enumerate(chunks, 1):
            new: dict[str, Sighting] = {}
            for crop, seen in chunk:
                if isinstance(seen, str):
                    failures.append((printable(crop.source), printable(seen)))
                    continue
                ids.append(seen.id)
                if seen.vector is None:
                    known[seen.id] = crop
                elif seen.id not in new:
                    new[seen.id] = _sighting(crop, seen, seen.vector, now)
            if new:
                sample += [np.stack([each.embedding for each in new.values()])] if sum(map(len, sample)) < _SAMPLE else []
                added += index.add(list(new.values()))
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


def _embed_here(index: Store, model: Model, crops: Sequence[Crop]) -> Chunks:
    """Threads read the next crops while the model works on the present ones."""

    def read(some: list[Crop]) -> list[tuple[Crop, _Look | str]]:
        return [(crop, _look(index, model.size, crop)) for crop in some]

    with closing(read_ahead(crops, read, at_once=AT_ONCE, ahead=AHEAD)) as parts:
        for chunk in grouped(chain.from_iterable(parts), CHUNK):
            new = {
                look.id: (crop.source, look.pixels) for crop, look in chunk if isinstance(look, _Look) and look.pixels is not None
            }
            vectors: dict[str, NDArray[np.float32]] = {}
            if new:
                pixels, names = np.stack([each for _, each in new.values()]), [source for source, _ in new.values()]
                vectors = dict(zip(new, extract_finite(model, pixels, names), strict=True))
            yield [
                (crop, Seen(look.id, vectors.get(look.id), look.thumbnail) if isinstance(look, _Look) else look)
                for crop, look in chunk
            ]


class _Look(NamedTuple):
    """A crop that was read: its id, and unless it is in the gallery already, its pixels for the model and its thumbnail."""

    id: str
    pixels: Pixels | None
    thumbnail: bytes


def _look(index: Store, size: tuple[int, int], crop: Crop) -> _Look | str:
    """Read a crop; the reason if that fails."""
    try:
        id, data = fetch(index, crop)
        if data is None:
            return _Look(id, None, b"")
        image = decode(data) if crop.pixels is None else crop.pixels
    except ImageError as error:
        return str(error)
    return _Look(id, resize(image, size), draw_thumbnail(image))


def fetch(index: Store, crop: Crop) -> tuple[str, bytes | None]:
    """Return a crop's id, and the content of its file unless it is in the gallery. Raises `ImageError`."""
    data = read_file(crop.source) if crop.data is None else crop.data
    id = sighting_id(hashlib.sha256(data).hexdigest(), crop.camera, crop.time)
    return id, None if index.present([id]) else data


def _sighting(crop: Crop, seen: Seen, vector: NDArray[np.float32], now: datetime) -> Sighting:
    return Sighting(
        id=seen.id,
        embedding=vector,
        thumbnail=seen.thumbnail,
        enrolled=now,
        camera=crop.camera,
        time=crop.time,
        source=os.fsencode(crop.source).decode("utf-8", "replace"),  # a file's name may be no text
        tracklet=crop.tracklet,
        identity=crop.identity,
    )
