"""A gallery of drawn people, as if they had walked past the cameras this morning, and images to search it with."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import cv2
import numpy as np

from resight.datasets import Dataset, Records
from resight.decision import calibrate
from resight.decision.links import fit_links
from resight.decision.people_distances import search_everybody
from resight.decision.tracklets import fuse_tracklets
from resight.errors import GalleryError, ModelMismatchError
from resight.files import atomic_write
from resight.gallery import Crop, Gallery, Settings
from resight.images import read_image
from resight.models import load_model
from resight.models.embedding import embed_files
from resight.progress import Progress, silent
from resight.provenance import provenance

__all__ = ["make_gallery"]

_CAMERAS = ("entrance", "hall", "stairs", "platform", "car park", "garden")
_RETENTION = 365 * 86_400  # seconds
_ABSENT = 8  # one in so many of the people who ask is not in the gallery: some searches should answer "unknown"
_NAMED = 2  # one in so many of the others has a name
_RATES = (0.1, 0.3)  # share of searches for somebody absent that answer "match", and "match" or "possible"
_MARK = "demo"  # file in the folder of a gallery that the demo made
_STREET = 5  # people on the picture of several


def make_gallery(
    dataset: Dataset, out: str | Path, reference: str | Path, *, strangers: Records, progress: Progress = silent
) -> None:
    """Enrol the people of a drawn network's test.

    Parameters
    ----------
    dataset : Dataset
        From `resight.drawn.crops.generate`.
    out : str or Path
        Folder for ``gallery``, ``calibration.json``, and ``questions``: images of people who are in the gallery (``present``) and
        of others (``absent``), and one of several people (``street.png``). Given again, what was confirmed in the gallery stays.
    reference : str or Path
        Model of the gallery, as `resight.models.load_model` takes it.
    strangers : Records
        At least 57 people to calibrate with; the model must not have learned from them.
    progress : Progress

    Raises
    ------
    GalleryError
        If there are too few strangers, or ``gallery`` was not made by the demo.
    ModelMismatchError
        If ``gallery`` holds vectors of another model.
    GalleryDamagedError
        If the gallery is there and cannot be read.
    StorageError
        If something cannot be written.
    """
    out = Path(out)
    place = Path(reference)
    name = str(place.resolve() if place.exists() else reference)  # the service may start in another folder
    model = load_model(name)
    settings = Settings.for_model(name, model, retention=_RETENTION)
    vectors = embed_files(model, strangers.paths, progress=progress)
    searches = search_everybody(vectors, strangers.identities, strangers.cameras, settings.distance, progress=progress)
    fused = fuse_tracklets(vectors, strangers.identities, strangers.cameras, strangers.tracklets)
    made_by = provenance({"model": name, "data": dataset.name, "part": "strangers"}, seed=0)
    calibration = calibrate(
        searches,
        model,
        settings.distance,
        model=name,
        rate=_RATES[0],
        possible_rate=_RATES[1],
        provenance=made_by,
        joined=fit_links(fused) if settings.distance == "cosine" else None,
    )
    calibration.save(out / "calibration.json")
    absent = dataset.query.people()[::_ABSENT]
    with _open(out / "gallery", settings) as gallery:
        walked = datetime.fromisoformat(gallery.settings.created)
        enrolled = dataset.gallery.select(~np.isin(dataset.gallery.identities, absent))
        gallery.enrol(model, _walks(enrolled, walked), progress=progress)
    questions = dataset.query
    for path, person in zip(questions.paths, questions.identities.tolist(), strict=True):
        folder = out / "questions" / ("absent" if person in absent else "present")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder)
    _draw_street(questions, out / "questions" / "street.png")


def _open(place: Path, settings: Settings) -> Gallery:
    """Open the demo's gallery, or make it. Refuses a gallery that the demo did not make: drawn people do not belong there."""
    if not place.exists():
        gallery = Gallery.create(place, settings)
        (place / _MARK).touch()
        return gallery
    gallery = Gallery.open(place)
    if not (place / _MARK).exists():
        gallery.close()
        raise GalleryError(f"the demo did not make the gallery {place}; choose another folder with --out")
    if gallery.settings.model_sha256 != settings.model_sha256:
        gallery.close()
        raise ModelMismatchError(f"{place} holds vectors of another model; remove it, then run the demo again")
    return gallery


def _walks(records: Records, until: datetime) -> list[Crop]:
    """Crops with times before `until`: everybody passes one camera after the other, and each takes a crop every two seconds."""
    crops = []
    named = set(records.people()[::_NAMED].tolist())
    for person in np.unique(records.identities).tolist():
        rng = np.random.default_rng(person + 1)  # the same walks whenever the gallery is enrolled again
        mine = records.select(records.identities == person)
        start = until - timedelta(minutes=round(rng.uniform(60, 480)))
        for stop, camera in enumerate(rng.permutation(np.unique(mine.cameras)).tolist()):
            first = start + timedelta(minutes=8 * stop, seconds=round(rng.uniform(0, 240)))
            for number, path in enumerate(mine.select(mine.cameras == camera).paths):
                # Junk and distractors are images of nobody in particular, and come one by one.
                when = first + timedelta(seconds=2 * number) if person > 0 else start - timedelta(seconds=97 * number)
                identity = f"Person {person}" if person in named else ""
                tracklet = f"{person}-{camera}" if person > 0 else ""
                crops.append(Crop(source=path, camera=_CAMERAS[camera - 1], time=when, tracklet=tracklet, identity=identity))
    return crops


def _draw_street(records: Records, path: Path) -> None:
    """Write one image of several people, so that a user can draw a box around one of them."""
    camera = records.select(records.cameras == records.cameras.min())
    images = [read_image(file) for file in camera.paths[1 : 1 + _STREET]]
    encoded = cv2.imencode(".png", cv2.cvtColor(np.concatenate(images, axis=1), cv2.COLOR_RGB2BGR))[1]
    with atomic_write(path) as stream:
        stream.write(encoded.tobytes())
