"""`resight gallery`: create, add and stats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from resight.cli.options import Device, ModelName, NamePattern, PlainDistance, Threads, chosen
from resight.cli.terminal import say, show, shown, table, warn, write_result
from resight.progress import TerminalProgress

if TYPE_CHECKING:
    from resight.gallery import Gallery
    from resight.gallery.remote import Delivery
    from resight.models.model import Model

__all__ = ["add", "create", "model_of", "stats"]


def create(
    gallery: str,
    *,
    model: ModelName = "student",
    retention: str,
    distance: PlainDistance = "auto",
    precision: Literal["float32", "float16", "int8"] = "float32",
    hnsw: int = 0,
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
    hnsw
        In a database: search by an HNSW index that looks at so many candidates, such as 200, and nearly always finds the nearest. 0
        compares all vectors.
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
    settings = Settings.for_model(named, extractor, retention=seconds, distance=chosen(distance), precision=precision, hnsw=hnsw)
    with Gallery.create(gallery, settings):
        say(f"{shown(gallery)}: for {extractor.name}, {settings.dimension} numbers as {precision}, {settings.distance} distance")
        say(f"retention: {retention}")
        if seconds is not None:
            say(f"`{_purge_expired(gallery)}` deletes what is older: run it daily, unless `resight serve` does")
    write_result(json, to_dict(settings))


def add(
    gallery: str,
    /,
    *paths: str,
    camera: str = "",
    time: str = "",
    identity: str = "",
    named: bool = False,
    name_pattern: NamePattern = "",
    model: str = "",
    device: Device = "auto",
    threads: Threads = 0,
    ray: str = "",
    json: Path | None = None,
) -> None:
    """Embed crops and add them. After an interruption, run the same command again: it skips what it has added.

    Parameters
    ----------
    gallery
        Folder or database of the gallery.
    paths
        Images, folders, data sets (their queries and gallery), text files with one path per line, or CSVs with the columns path and
        any of camera, time, tracklet, identity. Each may be a URL, such as s3://bucket/crops; a folder by URL is taken for all of
        its images.
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
    ray
        Address of a Ray cluster to embed on, auto for the one of this machine, or local to start one. This command reads the images
        and writes the gallery; the other machines need the model alone. The vectors are those without Ray.
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
        embed = None
        if ray:
            from resight.extraction.cluster import Copies
            from resight.gallery.enrol_on_ray import on_ray

            name, (height, width) = model or opened.settings.model, extractor.size
            copies = Copies(address=ray, model=name, device=device, threads=threads, height=height, width=width)
            embed = on_ray(copies, extractor.sha256)
        with TerminalProgress() as progress:
            done = opened.enrol(extractor, crops, embed=embed, progress=progress)
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
    index = f", HNSW with {settings.hnsw} candidates" if settings.hnsw else ""
    say(f"distance: {settings.distance}{index}; retention: {kept}; expired: {found.expired}")
    if found.bytes is not None:
        say(f"{found.bytes / 1e6:.1f} MB on disk; snapshots: {', '.join(found.snapshots) or 'none'}")
    if found.expired:
        warn((f"{found.expired} sightings are older than the retention; run `{_purge_expired(gallery)}`",))
    if found.future:
        warn((f"{found.future} sightings were enrolled in the future; if the clock is right now, delete them by purge --future",))
    write_result(json, found.to_dict())


def model_of(gallery: Gallery | Delivery, model: str, device: str, threads: int) -> Model:
    """Load the gallery's model."""
    from resight.models import load_model

    settings = gallery.settings
    if not model:
        _check_there(settings.model)
    extractor = load_model(model or settings.model, device=device, height=settings.height, width=settings.width, threads=threads)
    settings.check_model(extractor)
    return extractor


def _check_there(model: str) -> None:
    """Raise `ConfigurationError` if the file or folder of a gallery's model is gone."""
    from resight.errors import ConfigurationError
    from resight.models.reference import parse

    try:
        path = parse(model).path
    except ConfigurationError:  # what is gone may have been a folder
        path = Path(model)
    if path is not None and not path.exists():
        raise ConfigurationError(f"the gallery's model is not where it was: there is no {path}; name it by --model")


def _purge_expired(gallery: str) -> str:
    return f"resight gallery purge {shown(gallery)} --expired --yes"
