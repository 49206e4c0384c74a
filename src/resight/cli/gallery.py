"""`resight gallery`: make one, enrol and search."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from cyclopts import Parameter

from resight.cli.options import Device, ModelName, NamePattern, Names, PlainDistance, Threads, chosen
from resight.cli.terminal import say, show, table, warn, write_result
from resight.progress import TerminalProgress

if TYPE_CHECKING:
    from resight.gallery import Gallery, Match, Where
    from resight.models.embedding import Model

OnePer = Literal["sighting", "tracklet", "identity", "camera"]

__all__ = ["add", "create", "model_of", "search", "shown", "stats", "where_of"]


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
    """Make an empty gallery for one model's vectors.

    Parameters
    ----------
    gallery
        Folder to make, or postgresql://USER:PASSWORD@HOST/DATABASE.
    retention
        How long anything may be kept, for example 30d or 12h; unlimited must be said.
    distance
        Between vectors; auto is the model's own.
    precision
        How vectors are stored. float16 and int8 take a half and a quarter of the space; `add` says what that costs.
    json
        Also write the settings to this file.
    """
    from resight.configuration import to_dict
    from resight.gallery import Gallery, Settings, parse_retention
    from resight.models import load_model

    seconds = parse_retention(retention)
    extractor = load_model(model, device=device)
    settings = Settings.for_model(_absolute(model), extractor, retention=seconds, distance=chosen(distance), precision=precision)
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
    """Embed crops and keep them. What is there already is not embedded again: the same command goes on after an interruption.

    Parameters
    ----------
    gallery
        Folder or database of the gallery.
    paths
        Images, folders, data sets (their queries and gallery), text files with a path a line, or CSVs with the columns path and
        any of camera, time, tracklet, identity.
    camera
        Camera of all crops of which none is known.
    time
        Time of all crops of which none is known; ISO 8601, UTC without a zone.
    identity
        Person on all crops of which none is known.
    named
        Images in a folder are called PERSON/CAMERA_anything.jpg.
    model
        Where the gallery's model is now; where it was unless given.
    json
        Also write what became of every crop to this file.
    """
    from dataclasses import asdict, replace

    from resight.datasets.accounting import UNREADABLE, Accounting
    from resight.errors import ConfigurationError, ImageError
    from resight.gallery import Gallery, find_crops, parse_time

    if not paths:
        raise ConfigurationError("no crops are named; give images, folders or lists")
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
        say(
            f"{done.added} added, {done.present} were there already{named_now}, {len(done.failures)} unreadable, "
            f"{done.expired} too old"
        )
        for source, reason in done.failures[:20]:
            say(f"  {source}: {reason}")
        if len(done.failures) > 20:
            say(f"  and {len(done.failures) - 20} more; --json names them all")
        if done.recall is not None:
            say(f"stored as {opened.settings.precision}: {100 * done.recall:.1f} % of the 10 nearest among the new crops stay so")
    accounting = sum((each.accounting for each in found), Accounting()).without(UNREADABLE, len(done.failures))
    accounting = accounting.without("older than the gallery may keep", done.expired)
    write_result(json, asdict(done), accounting if done.ids or not done.failures else None)
    if crops and not done.ids and done.failures:
        raise ImageError(f"none of {len(crops)} crops could be read; see the list above")


def stats(gallery: str, *, json: Path | None = None) -> None:
    """Say what is in a gallery: sightings by camera, people, times, what has expired, size.

    Parameters
    ----------
    gallery
        Folder or database of the gallery.
    json
        Also write the figures to this file.
    """
    from resight.gallery import Gallery

    with Gallery.open(gallery) as opened:
        found = opened.statistics()
    settings = found.settings
    rows = [[camera or "(unknown)", str(count)] for camera, count in found.cameras.items()]
    show(table(f"{shown(gallery)}: {found.count} sightings", ["camera", "sightings"], rows))
    say(f"{found.identities} people; {found.unlabelled} sightings of unknown identity")
    say(f"seen from {found.first} to {found.last}" if found.first else "no time is known")
    say(f"model: {settings.model} ({settings.model_sha256[:12]}), {settings.dimension} numbers as {settings.precision}")
    kept = "unlimited" if settings.retention is None else f"{settings.retention / 86400:g} days"
    say(f"distance: {settings.distance}; retention: {kept}; expired: {found.expired}")
    if found.bytes is not None:
        say(f"{found.bytes / 1e6:.1f} MB on the disk; snapshots: {', '.join(found.snapshots) or 'none'}")
    if found.expired:
        warn((f"{found.expired} sightings are older than the retention; run `resight gallery purge {shown(gallery)} --expired`",))
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
    """Rank the sightings that are most like a person.

    Parameters
    ----------
    gallery
        Folder or database of the gallery.
    images
        One or more images of one person.
    k
        How many sightings to show.
    camera
        Search only this camera; may be given several times.
    not_camera
        Leave out this camera, for example the one that took the images; may be given several times.
    one_per
        Show only the nearest sighting of each tracklet, identity or camera.
    since
        Search only what was seen at this time or later; ISO 8601, UTC without a zone.
    until
        Search only what was seen before this time.
    identity
        Whom the images show, if that is known: the picture then frames right matches green and wrong ones red.
    calibration
        File that `resight calibrate` wrote: also say of each sighting whether it is a match, possible, or unknown.
    picture
        Write a picture of the ranked list to this PNG file.
    model
        Where the gallery's model is now; where it was unless given.
    json
        Also write the ranked list to this file.
    """
    from resight.datasets.names import nfc
    from resight.decision.calibration import UNKNOWN, Calibration, decide
    from resight.errors import ConfigurationError
    from resight.extraction.extract import printable
    from resight.gallery import Gallery
    from resight.gallery.grouping import search_one_per, without_cameras
    from resight.gallery.picture import draw_matches
    from resight.images import read_image

    if not images:
        raise ConfigurationError("no image is named; give one or more images of one person")
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
        matches = search_one_per(opened, opened.embed(extractor, pixels), k, where, one_per)
        drawn = [] if picture is None else [match.record.id for match in matches]
        thumbnails = {id: sighting.thumbnail for id, sighting in opened.index.get(drawn).items()}
    rows = [_row(match, identity) for match in matches]
    headings = ["rank", "distance", "camera", "time", "identity", "id", "source"]
    result = {"images": [printable(str(image)) for image in images], "matches": [match.to_dict() for match in matches]}
    if calibrated is not None:
        answers = decide([match.distance for match in matches], calibrated).tolist()
        headings = [*headings, "answer"]
        rows = [[*row, answer] for row, answer in zip(rows, answers, strict=True)]
        result |= {"answer": answers[0] if answers else UNKNOWN, "answers": answers}
    show(table(f"{shown(gallery)}: most like {', '.join(map(str, images))}", headings, rows))
    if calibrated is not None:
        say(f"answer: {result['answer']}")
    if not matches:
        say("nothing in the gallery matches the filter" if where != where_of() else "the gallery is empty")
    if picture is not None:
        draw_matches(picture, pixels, matches, thumbnails, identity)
        say(f"{picture} shows it")
    write_result(json, result)


def _absolute(model: str) -> str:
    """A model's reference that means the same from any folder."""
    kind, colon, file = model.rpartition(":")
    return f"{kind}{colon}{Path(file).resolve()}" if Path(file).exists() else model


def model_of(gallery: Gallery, model: str, device: str, threads: int) -> Model:
    """The gallery's model, from where it is now."""
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


def where_of(
    *,
    camera: list[str] | None = None,
    since: str = "",
    until: str = "",
    identity: list[str] | None = None,
    id: list[str] | None = None,
    older_than: datetime | None = None,
) -> Where:
    """The sightings that options mean."""
    from resight.gallery import Where, parse_time

    return Where(
        cameras=None if camera is None else frozenset(camera),
        identities=None if identity is None else frozenset(identity),
        ids=None if id is None else frozenset(id),
        since=parse_time(since) if since else None,
        until=parse_time(until) if until else None,
        older_than=older_than,
    )


def _row(match: Match, identity: str) -> list[str]:
    record = match.record
    mark = (" (right)" if record.identity == identity else " (wrong)") if identity and record.identity else ""
    about = [record.camera, _when(record.time), record.identity + mark, record.id, record.source]
    return [str(match.rank), f"{match.distance:.4f}", *about]


def _when(time: datetime | None) -> str:
    return time.isoformat(sep=" ", timespec="seconds") if time else ""


def shown(gallery: str) -> str:
    """A gallery's location without names and passwords; what may be a piece of one is left out, too."""
    if "://" not in gallery:
        return gallery
    try:
        parts = urlsplit(gallery)
        sure = "@" not in parts.path + parts.query + parts.fragment  # a password with a stroke ends the host too early
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if sure else f"{parts.scheme}://..."
    except ValueError:
        return f"{gallery.partition('://')[0]}://..."
