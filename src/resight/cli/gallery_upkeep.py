"""`resight gallery`: verbs that delete, copy and check."""

from __future__ import annotations

from pathlib import Path

from resight.cli.gallery import shown, where_of
from resight.cli.options import Device, Names
from resight.cli.terminal import say, show, table, warn, write_result
from resight.progress import TerminalProgress

__all__ = ["purge", "restore", "snapshot", "verify"]


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

    from resight.errors import ConfigurationError, GalleryError
    from resight.gallery import Gallery, Removal, Where

    with Gallery.open(gallery) as opened:
        cutoff = opened.settings.expired_before() if expired else None
        if expired and cutoff is None:
            say("the retention of this gallery is unlimited: nothing expires")
            write_result(json, {"dry_run": True, "sightings": []} if dry_run else asdict(Removal(removed=0)))
            return
        where = where_of(camera=camera, since=since, until=until, identity=identity, id=id, older_than=cutoff)
        if where == where_of() and not everything:
            raise ConfigurationError("nothing says what to delete; give --identity, --camera, --id, --since, --until or --expired")
        if where == Where(ids=where.ids):  # also of a gallery with damage, which this removes
            meant = [{"id": id} for id in sorted(opened.index.present(where.ids or ()))]
        else:
            meant = [record.to_dict() for record in opened.records(where)]
        if not (meant or everything or expired or opened.index.copies(where)):
            asked = ", ".join(repr(value) for value in (*(identity or ()), *(camera or ()), *(id or ()), since, until) if value)
            raise GalleryError(f"no sighting is of {asked}: nothing was deleted; `resight gallery stats` says what is there")
        if dry_run:
            columns = ["id", "camera", "time", "identity", "source"]
            rows = [[str(record.get(column) or "") for column in columns] for record in meant[:50]]
            show(table(f"{len(meant)} sightings would be deleted", columns, rows))
            if copies := len(opened.index.copies(where) - {record["id"] for record in meant}):
                say(f"and {copies} that are only in snapshots")
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
    from resight.gallery.store.snapshot import restore as restore_snapshot

    if not yes:
        raise ConfigurationError(f"what was added to {gallery} since {name!r} would be lost; add --yes to do it")
    done = restore_snapshot(gallery, name)
    say(f"{gallery}: {done.count} sightings, as of {done.name}")
    write_result(json, {"name": done.name, "count": done.count})


def verify(gallery: str, *, model: str = "", device: Device = "auto", json: Path | None = None) -> None:
    """Read every byte of a gallery, its snapshots and its audit log, and name what is damaged. The exit code is 2 if anything is.

    Parameters
    ----------
    gallery
        Folder or database of the gallery.
    model
        Also check that this is its model.
    json
        Also write the findings to this file.
    """
    from resight.errors import GalleryDamagedError
    from resight.gallery import Gallery
    from resight.gallery.store.verify import verify as verify_folder
    from resight.models import load_model
    from resight.service.audit import FILE as AUDIT
    from resight.service.audit import verify_log

    with TerminalProgress() as progress:
        if "://" in gallery:
            with Gallery.open(gallery) as opened:
                problems = opened.problems(progress=progress)
        else:
            problems = verify_folder(Path(gallery), progress=progress)
            if (log := Path(gallery) / AUDIT).exists():
                problems += [f"{log}: {problem}" for problem in verify_log(log)[0]]
    for problem in problems:
        say(problem)
    write_result(json, {"problems": problems})
    if problems:
        raise GalleryDamagedError(
            f"{len(problems)} problems in {shown(gallery)}; restore a snapshot, or purge what is damaged by --id"
        )
    if model:
        with Gallery.open(gallery) as opened:
            opened.settings.check_model(load_model(model, device=device))
    say(f"{shown(gallery)}: nothing is damaged")
