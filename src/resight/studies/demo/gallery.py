"""A gallery of drawn people, as if they had walked past the cameras this morning, and images to ask it with."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import cv2
import numpy as np

from resight.datasets import Dataset, Records
from resight.decision import calibrate
from resight.decision.open_set import search_everybody
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
_ABSENT = 8  # every so many of the people who ask is not in the gallery, so that some searches should answer "unknown"
_NAMED = 2  # every so many of the others has a name
_RATES = (0.1, 0.3)  # of searches for somebody absent: answered "match", and "match" or "possible"
_MARK = "demo"  # file in the folder of a gallery that the demo made
_STREET = 5  # people on the picture of several


def make_gallery(dataset: Dataset, out: str | Path, *, progress: Progress = silent) -> None:
    """Enrol the people of a drawn network's test.

    The gallery is the shipped student's. It was not trained on drawn people, so that those of the training can calibrate it.

    Parameters
    ----------
    dataset : Dataset
        From `resight.drawn.crops.generate`, with at least 57 people to train on: so many a calibration takes.
    out : str or Path
        Folder for ``gallery``, ``calibration.json``, and ``questions``: images of people who are in the gallery (``present``) and
        of others (``absent``), and one of several people (``street.png``). Given again, what was confirmed in the gallery stays.
    progress : Progress

    Raises
    ------
    GalleryError
        If there are too few people, or ``gallery`` is somebody's own.
    ModelMismatchError
        If ``gallery`` is of an earlier release's student.
    GalleryDamagedError
        If the gallery is there and cannot be read.
    StorageError
        If something cannot be written.
    """
    out = Path(out)
    student = load_model("student")
    settings = Settings.for_model("student", student, retention=_RETENTION)
    people = dataset.train
    vectors = embed_files(student, people.paths, progress=progress)
    searches = search_everybody(vectors, people.identities, people.cameras, settings.distance, progress=progress)
    made_by = provenance({"model": "student", "data": dataset.name, "part": "train"}, seed=0)
    calibration = calibrate(
        searches, student, settings.distance, model="student", rate=_RATES[0], possible_rate=_RATES[1], provenance=made_by
    )
    calibration.save(out / "calibration.json")
    absent = dataset.query.people()[::_ABSENT]
    with _open(out / "gallery", settings) as gallery:
        walked = datetime.fromisoformat(gallery.settings.created)
        enrolled = dataset.gallery.select(~np.isin(dataset.gallery.identities, absent))
        gallery.enrol(student, _walks(enrolled, walked), progress=progress)
    questions = dataset.query
    for path, person in zip(questions.paths, questions.identities.tolist(), strict=True):
        folder = out / "questions" / ("absent" if person in absent else "present")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder)
    _draw_street(questions, out / "questions" / "street.png")


def _open(place: Path, settings: Settings) -> Gallery:
    """The demo's gallery, made if there is none; never somebody's own, into which drawn people do not belong."""
    if not place.exists():
        gallery = Gallery.create(place, settings)
        (place / _MARK).touch()
        return gallery
    gallery = Gallery.open(place)
    if not (place / _MARK).exists():
        gallery.close()
        raise GalleryError(f"{place} is a gallery that the demo did not make; choose another folder by --out")
    if gallery.settings.model_sha256 != settings.model_sha256:
        gallery.close()
        raise ModelMismatchError(f"{place} is of another student than this package's; remove it, then run the demo again")
    return gallery


def _walks(records: Records, until: datetime) -> list[Crop]:
    """Crops with times: everybody passes one camera after the other, a crop every two seconds, within the hours before `until`."""
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
    """Several people on one image, beside each other, to draw a box around one of them."""
    camera = records.select(records.cameras == records.cameras.min())
    images = [read_image(file) for file in camera.paths[1 : 1 + _STREET]]
    encoded = cv2.imencode(".png", cv2.cvtColor(np.concatenate(images, axis=1), cv2.COLOR_RGB2BGR))[1]
    with atomic_write(path) as stream:
        stream.write(encoded.tobytes())
