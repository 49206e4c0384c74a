"""`resight gallery`: create, add, stats and search."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from resight.cli.options import Device, ModelName, NamePattern, Names, PlainDistance, Threads, chosen, where_of
from resight.cli.terminal import say, show, shown, table, warn, write_result
from resight.progress import TerminalProgress

if TYPE_CHECKING:
    from resight.gallery import Gallery, Match
    from resight.models.model import Model

OnePer = Literal["sighting", "tracklet", "identity", "camera"]

__all__ = ["add", "create", "model_of", "search", "stats"]


def create(
    gallery: str,
    *,
    model: ModelName = "student",
    retention: str,
    distance: PlainDistance = "auto",
    precision: Literal["float32", "float16", "int8"] = "float32",
    device: Device = "auto",
    json: Path | None = None,
) -> None:
    """Make an empty gallery for the vectors of one model.

    Parameters
    ----------
    gallery
        Folder to make, or postgresql://USER:PASSWORD@HOST/DATABASE.
    retention
        Longest time to keep a sighting, for example 30d or 12h; or unlimited.
    precision
        Type of the stored numbers. float16 takes half the space and int8 a quarter; `add` reports what that costs.
    json
        Also write the settings to this file.
    """
    from resight.configuration import to_dict
    from resight.gallery import Gallery, Settings, parse_retention
    from resight.models import load_model
    from resight.models.reference import parse

    seconds = parse_retention(retention)
    extractor = load_model(model, device=device)
    named = parse(model).absolute
    settings = Settings.for_model(named, extractor, retention=seconds, distance=chosen(distance), precision=precision)
    with Gallery.create(gallery, settings):
        say(f"{shown(gallery)}: for {extractor.name}, {settings.dimension} numbers as {precision}, {settings.distance} distance")
        say(f"retention: {retention}. `resight gallery purge --expired` deletes what is older; run it as often as that matters")
    write_result(json, to_dict(settings))


def add(
    gallery: str,
    /,
    *paths: Path,
    camera: str = "",
    time: str = "",
    identity: str = "",
    named: bool = False,
    name_pattern: NamePattern = "",
    model: str = "",
    device: Device = "auto",
    threads: Threads = 0,
    json: Path | None = None,
) -> None:
    """Embed crops and add them. After an interruption, run the same command again: it skips what it has added.

    Parameters
    ----------
    gallery
        Folder or database of the gallery.
    paths
        Images, folders, data sets (their queries and gallery), text files with a path a line, or CSVs with the columns path and
        any of camera, time, tracklet, identity.
    camera
        Camera of all crops that name none.
    time
        Time of all crops that name none; ISO 8601, UTC unless it has a zone.
    identity
        Identity of all crops that name none.
    named
        Read person and camera from file names: PERSON/CAMERA_anything.jpg.
    model
        Path of the gallery's model, if it has moved.
    json
        Also write what happened to every crop to this file.
    """
    from dataclasses import asdict, replace

    from resight.datasets.accounting import UNREADABLE, Accounting
    from resight.errors import ConfigurationError, ImageError
    from resight.gallery import Gallery, find_crops, parse_time

    if not paths:
        raise ConfigurationError("no crops given; name images, folders or lists")
    seen = parse_time(time) if time else None
    found = [find_crops(path, named=named, name_pattern=name_pattern) for path in paths]
    warn(tuple(note for each in found for note in each.notes))
    crops = [
        replace(crop, camera=crop.camera or camera, time=crop.time or seen, identity=crop.identity or identity)
        for each in found
        for crop in each
    ]
    with Gallery.open(gallery) as opened:
        extractor = model_of(opened, model, device, threads)
        with TerminalProgress() as progress:
            done = opened.enrol(extractor, crops, progress=progress)
        named_now = f", {done.labelled} labelled" if done.labelled else ""
        say(f"{done.added} added, {done.present} there already{named_now}, {len(done.failures)} unreadable, {done.expired} too old")
        for source, reason in done.failures[:20]:
            say(f"  {source}: {reason}")
        if len(done.failures) > 20:
            say(f"  and {len(done.failures) - 20} more; --json lists them all")
        if done.recall is not None:
            say(f"stored as {opened.settings.precision}: keeps {100 * done.recall:.1f} % of the 10 nearest among the new crops")
    accounting = sum((each.accounting for each in found), Accounting()).without(UNREADABLE, len(done.failures))
    accounting = accounting.without("older than the gallery may keep", done.expired)
    write_result(json, asdict(done), accounting if done.ids or not done.failures else None)
    if crops and not done.ids and done.failures:
        raise ImageError(f"none of {len(crops)} crops could be read; the list above says why")


def stats(gallery: str, *, json: Path | None = None) -> None:
    """Show what a gallery holds: sightings by camera, people, times, expired sightings, size.

    Parameters
    ----------
    gallery
        Folder or database of the gallery.
    json
        Also write these numbers to this file.
    """
    from resight.gallery import Gallery

    with Gallery.open(gallery) as opened:
        found = opened.statistics()
    settings = found.settings
    rows = [[camera or "(unknown)", str(count)] for camera, count in found.cameras.items()]
    show(table(f"{shown(gallery)}: {found.count} sightings", ["camera", "sightings"], rows))
    say(f"{found.identities} people; {found.unlabelled} sightings without an identity")
    say(f"seen from {found.first} to {found.last}" if found.first else "no sighting has a time")
    say(f"model: {settings.model} ({settings.model_sha256[:12]}), {settings.dimension} numbers as {settings.precision}")
    kept = "unlimited" if settings.retention is None else f"{settings.retention / 86400:g} days"
    say(f"distance: {settings.distance}; retention: {kept}; expired: {found.expired}")
    if found.bytes is not None:
        say(f"{found.bytes / 1e6:.1f} MB on disk; snapshots: {', '.join(found.snapshots) or 'none'}")
    if found.expired:
        warn((f"{found.expired} sightings are older than the retention; run `resight gallery purge {shown(gallery)} --expired`",))
    if found.future:
        warn((f"{found.future} sightings were enrolled in the future; if the clock is right now, delete them by purge --future",))
    write_result(json, found.to_dict())


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
    from resight.decision.calibration import UNKNOWN, Calibration, decide
    from resight.errors import ConfigurationError
    from resight.extraction.extract import printable
    from resight.gallery import Gallery, fuse
    from resight.gallery.grouping import search_one_per, without_cameras
    from resight.gallery.picture import draw_matches
    from resight.images import read_image

    if not images:
        raise ConfigurationError("no image given; name one or more images of one person")
    where, identity = where_of(camera=camera, since=since, until=until), nfc(identity)
    calibrated = None if calibration is None else Calibration.load(calibration)
    with Gallery.open(gallery) as opened:
        if calibrated is not None:
            calibrated.check(opened.settings)
            warn(calibrated.notes(opened.settings, len(images)))
        pixels = [read_image(image) for image in images]
        extractor = model_of(opened, model, device, threads)
        if not_camera:
            where = without_cameras(opened, where, frozenset(not_camera))
        vectors = opened.embed(extractor, pixels)
        matches = search_one_per(opened, vectors, k, where, one_per)
        drawn = [] if picture is None else [match.record.id for match in matches]
        thumbnails = {id: sighting.thumbnail for id, sighting in opened.sightings(drawn).items()}
    rows = [_row(match, identity) for match in matches]
    headings = ["rank", "distance", "camera", "time", "identity", "id", "source"]
    result = {"images": [printable(str(image)) for image in images], "matches": [match.to_dict() for match in matches]}
    if calibrated is not None:
        answers = decide([match.distance for match in matches], calibrated, fuse(vectors)).tolist()
        headings = [*headings, "answer"]
        rows = [[*row, answer] for row, answer in zip(rows, answers, strict=True)]
        result |= {"answer": answers[0] if answers else UNKNOWN, "answers": answers}
    show(table(f"{shown(gallery)}: most like {', '.join(map(str, images))}", headings, rows))
    if calibrated is not None:
        say(f"answer: {result['answer']}")
    if not matches:
        say("no sighting passes the filter" if where != where_of() else "the gallery is empty")
    if picture is not None:
        draw_matches(picture, pixels, matches, thumbnails, identity)
        say(f"picture: {picture}")
    write_result(json, result, Accounting(len(images), several=count_several(map(str, images))))


def model_of(gallery: Gallery, model: str, device: str, threads: int) -> Model:
    """Load the gallery's model."""
    from resight.errors import ConfigurationError, WeightsError
    from resight.models import load_model

    settings = gallery.settings
    try:
        extractor = load_model(
            model or settings.model, device=device, height=settings.height, width=settings.width, threads=threads
        )
    except (ConfigurationError, WeightsError) as error:
        if model:
            raise
        raise ConfigurationError(f"the gallery's model is not where it was ({error}); name it by --model") from error
    settings.check_model(extractor)
    return extractor


def _row(match: Match, identity: str) -> list[str]:
    record = match.record
    mark = (" (right)" if record.identity == identity else " (wrong)") if identity and record.identity else ""
    about = [record.camera, _when(record.time), record.identity + mark, record.id, record.source]
    return [str(match.rank), f"{match.distance:.4f}", *about]


def _when(time: datetime | None) -> str:
    return time.isoformat(sep=" ", timespec="seconds") if time else ""
