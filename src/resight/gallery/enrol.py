"""Image files to sightings: each file is read once, named by its content, embedded, and stored."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resight.datasets.names import camera_name, nfc
from resight.errors import ImageError
from resight.extraction.extract import printable
from resight.gallery.crops import Crop
from resight.gallery.labels import label_known
from resight.gallery.sighting import Sighting, draw_thumbnail, sighting_id
from resight.gallery.store.interface import Store
from resight.gallery.store.precision import recall
from resight.images import Pixels, decode, grouped, read_ahead, read_file, resize
from resight.models.model import AHEAD, AT_ONCE, CHUNK, Model, extract_finite
from resight.progress import Progress, silent

__all__ = ["Enrolment", "enrol"]

_SAMPLE, _NEIGHBOURS = 1000, 10  # of the recall that is reported


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


def enrol(index: Store, model: Model, crops: Sequence[Crop], *, progress: Progress = silent) -> Enrolment:
    """Embed crops and add them to a gallery.

    Crops in the gallery are not embedded again: an interrupted enrolment goes on where it stopped when it is repeated. Crops that
    cannot be read are listed, and the others enrolled.

    Parameters
    ----------
    index : Store
    model : Model
        The model of the gallery.
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
    ArrayError
        If the model gives NaN or infinity.
    StorageError
        If the gallery cannot be written. Crops added before stay.
    """
    index.settings.check_model(model)
    now = datetime.now(UTC)
    oldest = index.settings.expired_before(now)
    crops = [replace(c, camera=camera_name(c.camera), identity=nfc(c.identity), tracklet=nfc(c.tracklet)) for c in crops]
    kept = [crop for crop in crops if oldest is None or crop.time is None or crop.time >= oldest]
    ids: list[str] = []
    failures: list[tuple[str, str]] = []
    sample: list[NDArray[np.float32]] = []
    added = 0
    known: dict[str, Crop] = {}

    def read(some: list[Crop]) -> list[tuple[Crop, _Look | str]]:
        return [(crop, _look(index, model.size, crop)) for crop in some]

    with closing(read_ahead(kept, read, at_once=AT_ONCE, ahead=AHEAD)) as parts:
        for number, chunk in enumerate(grouped(chain.from_iterable(parts), CHUNK), 1):
            new: dict[str, tuple[Crop, _Look]] = {}
            for crop, look in chunk:
                if isinstance(look, str):
                    failures.append((printable(crop.source), printable(look)))
                    continue
                ids.append(look.id)
                if look.pixels is None:
                    known[look.id] = crop
                else:
                    new.setdefault(look.id, (crop, look))
            if new:
                pixels = np.stack([look.pixels for _, look in new.values() if look.pixels is not None])
                vectors = extract_finite(model, pixels, [crop.source for crop, _ in new.values()])
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
    """A crop that was read: its id, and unless it is in the gallery already, its pixels for the model and its thumbnail."""

    id: str
    pixels: Pixels | None
    thumbnail: bytes


def _look(index: Store, size: tuple[int, int], crop: Crop) -> _Look | str:
    """Read a crop; the reason if that fails."""
    try:
        data = read_file(crop.source) if crop.data is None else crop.data
        id = sighting_id(hashlib.sha256(data).hexdigest(), crop.camera, crop.time)
        if index.present([id]):
            return _Look(id, None, b"")
        image = decode(data) if crop.pixels is None else crop.pixels
    except ImageError as error:
        return str(error)
    return _Look(id, resize(image, size), draw_thumbnail(image))


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
