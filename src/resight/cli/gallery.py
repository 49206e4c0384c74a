"""`resight gallery`: enrol, search, delete, copy and check."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from resight.cli.options import DeviceName, Names
from resight.cli.terminal import say, show, table, warn, write_result
from resight.progress import TerminalProgress

if TYPE_CHECKING:
    from resight.features.extraction import Extractor
    from resight.gallery import Gallery, Match, Where

__all__ = ["create", "add", "stats", "search", "purge", "snapshot", "restore", "verify"]  # noqa: RUF022 (as they are used)


def create(
    gallery: str,
    *,
    model: str = "student",
    retention: str,
    distance: Literal["", "euclidean", "cosine"] = "",
    precision: Literal["float32", "float16", "int8"] = "float32",
    device: DeviceName = "auto",
    json: Path | None = None,
) -> None:
    """Make an empty gallery for one model's vectors.

    Parameters
    ----------
    gallery
        Folder to make, or postgresql://USER:PASSWORD@HOST/DATABASE.
    model
        FILE.onnx, a run folder, NETWORK:FILE with foreign weights, or lomo.
    retention
        How long anything may be kept, for example 30d or 12h; unlimited must be said.
    distance
        Between vectors; the model's own unless given.
    precision
        How vectors are stored. float16 and int8 take a half and a quarter of the space; `add` says what that costs.
    device
        Where a network of PyTorch computes.
    json
        Also write the settings to this file.
    """
    from resight.configuration import to_dict
    from resight.gallery import Gallery, Settings, parse_retention
    from resight.models import load_model

    seconds = parse_retention(retention)
    extractor = load_model(model, device=device)
    settings = Settings.for_model(_absolute(model), extractor, retention=seconds, distance=distance, precision=precision)
    with Gallery.create(gallery, settings):
        say(f"{_shown(gallery)}: for {extractor.name}, {settings.dimension} numbers as {precision}, {settings.distance} distance")
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
    model: str = "",
    device: DeviceName = "auto",
    threads: int = 0,
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
        That saw all crops of which no camera is known.
    time
        At which all crops of no known time were seen; ISO 8601, UTC without a zone.
    identity
        Of all crops of which no identity is known.
    named
        Images in a folder are called PERSON/CAMERA_anything.jpg.
    model
        Where the gallery's model is now; where it was unless given.
    device
        Where a network of PyTorch computes.
    threads
        Threads of the model; 0 is one for each usable core.
    json
        Also write what became of every crop to this file.
    """
    from dataclasses import asdict, replace

    from resight.errors import ConfigurationError, ImageError
    from resight.gallery import Gallery, find_crops, parse_time

    if not paths:
        raise ConfigurationError("no crops are named; give images, folders or lists")
    seen = parse_time(time) if time else None
    crops = [
        replace(crop, camera=crop.camera or camera, time=crop.time or seen, identity=crop.identity or identity)
        for path in paths
        for crop in find_crops(path, named=named)
    ]
    with Gallery.open(gallery) as opened:
        extractor = _model(opened, model, device, threads)
        with TerminalProgress() as progress:
            done = opened.enrol(extractor, crops, progress=progress)
        say(f"{done.added} added, {done.present} were there already, {len(done.failures)} unreadable, {done.expired} too old")
        for source, reason in done.failures[:20]:
            say(f"  {source}: {reason}")
        if len(done.failures) > 20:
            say(f"  and {len(done.failures) - 20} more; --json names them all")
        if done.recall is not None:
            say(f"stored as {opened.settings.precision}: {100 * done.recall:.1f} % of the 10 nearest among the new crops stay so")
    if crops and not done.ids and done.failures:
        raise ImageError(f"none of {len(crops)} crops could be read; see the list above")
    write_result(json, asdict(done))


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
    show(table(f"{_shown(gallery)}: {found.count} sightings", ["camera", "sightings"], rows))
    say(f"{found.identities} people; {found.unlabelled} sightings of unknown identity")
    say(f"seen from {found.first} to {found.last}" if found.first else "no time is known")
    say(f"model: {settings.model} ({settings.model_sha256[:12]}), {settings.dimension} numbers as {settings.precision}")
    kept = "unlimited" if settings.retention is None else f"{settings.retention / 86400:g} days"
    say(f"distance: {settings.distance}; retention: {kept}; expired: {found.expired}")
    if found.bytes is not None:
        say(f"{found.bytes / 1e6:.1f} MB on the disk; snapshots: {', '.join(found.snapshots) or 'none'}")
    if found.expired:
        warn((f"{found.expired} sightings are older than the retention; run `resight gallery purge {_shown(gallery)} --expired`",))
    write_result(json, found.to_dict())


def search(
    gallery: str,
    /,
    *images: Path,
    k: Annotated[int, Parameter(name=("--k", "-k"))] = 10,
    camera: Names = None,
    since: str = "",
    until: str = "",
    identity: str = "",
    calibration: Path | None = None,
    picture: Path | None = None,
    model: str = "",
    device: DeviceName = "auto",
    threads: int = 0,
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
    device
        Where a network of PyTorch computes.
    threads
        Threads of the model; 0 is one for each usable core.
    json
        Also write the ranked list to this file.
    """
    from resight.errors import ConfigurationError
    from resight.gallery import Gallery
    from resight.gallery.calibration import UNKNOWN, Calibration, decide
    from resight.gallery.picture import draw_matches
    from resight.images import read_image

    if not images:
        raise ConfigurationError("no image is named; give one or more images of one person")
    where = _where(camera=camera, since=since, until=until)
    calibrated = None if calibration is None else Calibration.load(calibration)
    with Gallery.open(gallery) as opened:
        if calibrated is not None:
            calibrated.check(opened.settings)
        pixels = [read_image(image) for image in images]
        extractor = _model(opened, model, device, threads)
        matches = opened.search(opened.embed(extractor, pixels), k, where)
    rows = [_row(match, identity) for match in matches]
    headings = ["rank", "distance", "camera", "time", "identity", "id", "source"]
    result = {"images": list(map(str, images)), "matches": [match.to_dict() for match in matches]}
    if calibrated is not None:
        answers = decide([match.distance for match in matches], calibrated).tolist()
        headings = [*headings, "answer"]
        rows = [[*row, answer] for row, answer in zip(rows, answers, strict=True)]
        result |= {"answer": answers[0] if answers else UNKNOWN, "answers": answers}
    show(table(f"{_shown(gallery)}: most like {', '.join(map(str, images))}", headings, rows))
    if calibrated is not None:
        say(f"answer: {result['answer']}")
    if not matches:
        say("nothing in the gallery matches the filter" if where != _where() else "the gallery is empty")
    if picture is not None:
        draw_matches(picture, pixels, matches, identity)
        say(f"{picture} shows it")
    write_result(json, result)


def purge(
    gallery: str,
    *,
    identity: Names = None,
    camera: Names = None,
    id: Names = None,
    since: str = "",
    until: str = "",
    expired: bool = False,
    everything: bool = False,
    dry_run: bool = False,
    yes: bool = False,
    json: Path | None = None,
) -> None:
    """Delete sightings for good, from the gallery and its snapshots, and prove by the bytes of all its files that they are gone.

    Parameters
    ----------
    gallery
        Folder or database of the gallery.
    identity
        Of this person; may be given several times. What is given of these options must all hold.
    camera
        Seen by this camera; may be given several times.
    id
        This sighting; may be given several times.
    since
        Seen at this time or later; ISO 8601, UTC without a zone.
    until
        Seen before this time.
    expired
        Older than the gallery's retention.
    everything
        All of it.
    dry_run
        Only say what would be deleted.
    yes
        Delete it; without this nothing is deleted.
    json
        Also write what was deleted to this file.
    """
    from dataclasses import asdict

    from resight.errors import ConfigurationError
    from resight.gallery import Gallery, Where

    with Gallery.open(gallery) as opened:
        cutoff = opened.settings.expired_before() if expired else None
        if expired and cutoff is None:
            say("the retention of this gallery is unlimited: nothing expires")
            return
        where = _where(camera=camera, since=since, until=until, identity=identity, id=id, older_than=cutoff)
        if where == _where() and not everything:
            raise ConfigurationError("nothing says what to delete; give --identity, --camera, --id, --since, --until or --expired")
        if where == Where(ids=where.ids):  # also of a gallery with damage, which this removes
            meant = [{"id": id} for id in sorted(opened.index.present(where.ids or ()))]
        else:
            meant = [record.to_dict() for record in opened.records(where)]
        if dry_run:
            columns = ["id", "camera", "time", "identity", "source"]
            rows = [[str(record.get(column) or "") for column in columns] for record in meant[:50]]
            show(table(f"{len(meant)} sightings would be deleted", columns, rows))
            write_result(json, {"dry_run": True, "sightings": meant})
            return
        if not yes:
            raise ConfigurationError(f"{len(meant)} sightings would be deleted for good; add --yes to do it, --dry-run to see them")
        with TerminalProgress() as progress:
            done = opened.purge(where, progress=progress)
    say(f"{done.removed} sightings deleted, and {done.removed_from_snapshots} copies in snapshots")
    if done.proved:
        say(f"proved: {done.bytes} bytes in {done.files} files hold no piece of their vectors, thumbnails and ids")
    warn((done.note,) if done.note else ())
    write_result(json, asdict(done))


def snapshot(gallery: str, name: str = "", *, json: Path | None = None) -> None:
    """Copy a gallery as it is at this moment into its own folder, where a purge reaches the copy.

    Parameters
    ----------
    gallery
        Folder of the gallery.
    name
        Of the snapshot: letters, digits, - and _; the time (UTC) unless given.
    json
        Also write its name, size and number of sightings to this file.
    """
    from resight.gallery import Gallery

    with Gallery.open(gallery) as opened:
        taken = opened.take_snapshot(name)
    say(f"{taken.path}: {taken.count} sightings, {taken.bytes / 1e6:.1f} MB")
    write_result(json, {"name": taken.name, "path": str(taken.path), "count": taken.count, "bytes": taken.bytes})


def restore(gallery: Path, name: str, *, yes: bool = False, json: Path | None = None) -> None:
    """Make a gallery what it was when a snapshot was taken, but for what was purged since. What was added since is gone.

    Parameters
    ----------
    gallery
        Folder of the gallery; what is in it may be damaged.
    name
        Of the snapshot.
    yes
        Do it; without this nothing is changed.
    json
        Also write what was restored to this file.
    """
    from resight.errors import ConfigurationError
    from resight.gallery.snapshot import restore as restore_snapshot

    if not yes:
        raise ConfigurationError(f"what was added to {gallery} since {name!r} would be lost; add --yes to do it")
    done = restore_snapshot(gallery, name)
    say(f"{gallery}: {done.count} sightings, as of {done.name}")
    write_result(json, {"name": done.name, "count": done.count})


def verify(gallery: str, *, model: str = "", device: DeviceName = "auto", json: Path | None = None) -> None:
    """Read every byte of a gallery and its snapshots, and name what is damaged. The exit code is 2 if anything is.

    Parameters
    ----------
    gallery
        Folder or database of the gallery.
    model
        Also check that this is its model.
    device
        Where a network of PyTorch computes.
    json
        Also write the findings to this file.
    """
    from resight.errors import GalleryDamagedError
    from resight.gallery import Gallery
    from resight.gallery.verify import verify as verify_folder
    from resight.models import load_model

    with TerminalProgress() as progress:
        if "://" in gallery:
            with Gallery.open(gallery) as opened:
                problems = opened.problems(progress=progress)
        else:
            problems = verify_folder(Path(gallery), progress=progress)
    for problem in problems:
        say(problem)
    write_result(json, {"problems": problems})
    if problems:
        raise GalleryDamagedError(
            f"{len(problems)} problems in {_shown(gallery)}; restore a snapshot, or purge what is damaged by --id"
        )
    if model:
        with Gallery.open(gallery) as opened:
            opened.settings.check_model(load_model(model, device=device))
    say(f"{_shown(gallery)}: nothing is damaged")


def _absolute(model: str) -> str:
    """A model's reference that means the same from any folder."""
    kind, colon, file = model.rpartition(":")
    return f"{kind}{colon}{Path(file).resolve()}" if Path(file).exists() else model


def _model(gallery: Gallery, model: str, device: str, threads: int) -> Extractor:
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


def _where(
    *,
    camera: list[str] | None = None,
    since: str = "",
    until: str = "",
    identity: list[str] | None = None,
    id: list[str] | None = None,
    older_than: datetime | None = None,
) -> Where:
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
    sighting = match.sighting
    mark = (" (right)" if sighting.identity == identity else " (wrong)") if identity and sighting.identity else ""
    about = [sighting.camera, _when(sighting.time), sighting.identity + mark, sighting.id, sighting.source]
    return [str(match.rank), f"{match.distance:.4f}", *about]


def _when(time: datetime | None) -> str:
    return time.isoformat(sep=" ", timespec="seconds") if time else ""


def _shown(gallery: str) -> str:
    """A gallery's location without a password."""
    return re.sub(r"//[^@/]*@", "//", gallery)
