"""`resight gallery search`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from resight.cli.gallery import model_of
from resight.cli.options import Count, Device, Names, Threads, where_of
from resight.cli.terminal import say, show, shown, table, warn, write_result

if TYPE_CHECKING:
    from resight.gallery import Match

OnePer = Literal["sighting", "tracklet", "identity", "camera"]

__all__ = ["search"]


def search(
    gallery: str,
    /,
    *images: Path,
    k: Annotated[int, Parameter(name=("--k", "-k"))] = 10,
    camera: Names = None,
    since: str = "",
    until: str = "",
    not_camera: Names = None,
    one_per: OnePer = "sighting",
    identity: str = "",
    calibration: Path | None = None,
    people: Count = 0,
    picture: Path | None = None,
    model: str = "",
    device: Device = "auto",
    threads: Threads = 0,
    json: Path | None = None,
) -> None:
    """Find the sightings most like a person.

    Parameters
    ----------
    gallery
        Folder or database of the gallery.
    images
        One or more images of one person.
    k
        Number of sightings to show.
    camera
        Search only this camera; repeat for more cameras.
    not_camera
        Leave out this camera, for example the one that took the images; repeat for more cameras.
    one_per
        Show only the nearest sighting of each tracklet, identity or camera.
    since
        Search only sightings at this time or later; ISO 8601, UTC unless it has a zone.
    until
        Search only sightings before this time.
    identity
        Person on the images, if known: marks right and wrong matches in the table, and green and red in the picture.
    calibration
        File from `resight calibrate`: also answers match, possible or unknown for each sighting.
    people
        Number of people in the gallery, to which the calibration's distances are adjusted; estimated by default.
    picture
        Draw the ranked list into this PNG file.
    model
        Path of the gallery's model, if it has moved.
    json
        Also write the ranked list to this file.
    """
    from resight.datasets.accounting import Accounting
    from resight.datasets.names import nfc
    from resight.datasets.tree import count_several
    from resight.decision.calibration import MATCH, POSSIBLE, Calibration, kind_kept
    from resight.decision.words import answer, look_around
    from resight.errors import ConfigurationError
    from resight.files import printable
    from resight.gallery import Gallery, fuse
    from resight.gallery.grouping import search_one_per, without_cameras
    from resight.gallery.picture import draw_matches
    from resight.images import read_image

    if not images:
        raise ConfigurationError("no image given; name one or more images of one person")
    where, identity = where_of(camera=camera, since=since, until=until), nfc(identity)
    calibrated = None if calibration is None else Calibration.load(calibration)
    if people and calibrated is None:
        raise ConfigurationError("--people adjusts the distances of a calibration; name its file by --calibration")
    with Gallery.open(gallery) as opened:
        if calibrated is not None:
            calibrated.check(opened.settings)
        pixels = [read_image(image) for image in images]
        extractor = model_of(opened, model, device, threads)
        if not_camera:
            where = without_cameras(opened, where, frozenset(not_camera))
        if calibrated is not None:
            people = people or calibrated.reckon(*opened.people(where.cameras))
            warn(calibrated.notes(opened.settings, len(images), people, kind_kept(opened.page())))
            calibrated = calibrated.asked_with(len(images))
        vectors = opened.embed(extractor, pixels)
        matches = search_one_per(opened, vectors, k, where, one_per)
        drawn = [] if picture is None else [match.record.id for match in matches]
        usual = None if calibrated is None or calibrated.cohort is None else look_around(opened, calibrated.cohort)
        thumbnails = {id: sighting.thumbnail for id, sighting in opened.sightings(drawn).items()}
    rows = [_row(match, identity) for match in matches]
    headings = ["rank", "distance", "camera", "time", "identity", "id", "source"]
    result = {"images": [printable(str(image)) for image in images], "matches": [match.to_dict() for match in matches]}
    if calibrated is not None:
        found = answer(matches, calibrated, fuse(vectors), people, usual)
        headings = [*headings, "answer"]
        rows = [[*row, band] for row, band in zip(rows, found.bands, strict=True)]
        result |= {"answer": found.decision, "answers": found.bands, "why": found.why}
        result["thresholds"] = {MATCH: found.match, POSSIBLE: found.possible}
        result |= {"asks": calibrated.asks, "people": people, "people_calibrated": calibrated.people - 1}
    show(table(f"{shown(gallery)}: most like {', '.join(map(str, images))}", headings, rows))
    if calibrated is not None:
        say(" ".join([f"answer: {found.decision}.", *found.why]))
    if not matches:
        say("no sighting passes the filter" if where != where_of() else "the gallery is empty")
    if picture is not None:
        draw_matches(picture, pixels, matches, thumbnails, identity)
        say(f"picture: {picture}")
    write_result(json, result, Accounting(len(images), several=count_several(map(str, images))))


def _row(match: Match, identity: str) -> list[str]:
    record = match.record
    mark = (" (right)" if record.identity == identity else " (wrong)") if identity and record.identity else ""
    about = [record.camera, _when(record.time), record.identity + mark, record.id, record.source]
    return [str(match.rank), f"{match.distance:.4f}", *about]


def _when(time: datetime | None) -> str:
    return time.isoformat(sep=" ", timespec="seconds") if time else ""
