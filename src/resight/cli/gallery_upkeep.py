"""`resight gallery`: purge, snapshot, backup, restore, verify and migrate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from resight.cli.options import Device, Names, where_of
from resight.cli.terminal import say, show, shown, table, warn, write_result
from resight.progress import TerminalProgress

if TYPE_CHECKING:
    from resight.gallery import Gallery, Where

__all__ = ["backup", "migrate", "purge", "restore", "snapshot", "verify"]


def purge(
    gallery: str,
    *,
    identity: Names = None,
    camera: Names = None,
    id: Names = None,
    since: str = "",
    until: str = "",
    expired: bool = False,
    future: bool = False,
    everything: bool = False,
    dry_run: bool = False,
    yes: bool = False,
    json: Path | None = None,
) -> None:
    """Delete sightings for good, from the gallery and its snapshots, and search all its files for traces of them.

    A sighting is deleted if it passes every filter given.

    Parameters
    ----------
    gallery
        Folder or database of the gallery.
    identity
        Delete this person; repeat for more people.
    camera
        Delete sightings by this camera; repeat for more cameras.
    id
        Delete this sighting; repeat for more.
    since
        Delete sightings at this time or later; ISO 8601, UTC unless it has a zone.
    until
        Delete sightings before this time.
    expired
        Delete sightings older than the gallery's retention.
    future
        Delete sightings that were enrolled in the future, while the clock was wrong.
    everything
        Delete all sightings.
    dry_run
        Only show what would be deleted.
    yes
        Delete; without this flag nothing is deleted.
    json
        Also write what was deleted to this file.
    """
    from dataclasses import asdict

    from resight.errors import ConfigurationError, GalleryError
    from resight.gallery import Gallery, Removal
    from resight.gallery.settings import future_from
    from resight.gallery.upkeep import release_reserve

    if yes and not dry_run:
        release_reserve(gallery)
    with Gallery.open(gallery) as opened:
        cutoff = opened.settings.expired_before() if expired else None
        if expired and cutoff is None:
            say("the retention of this gallery is unlimited: nothing expires")
            write_result(json, {"dry_run": True, "sightings": []} if dry_run else asdict(Removal(removed=0)))
            return
        where = where_of(
            camera=camera,
            since=since,
            until=until,
            identity=identity,
            id=id,
            older_than=cutoff,
            newer_than=future_from() if future else None,
        )
        if where == where_of() and not everything:
            raise ConfigurationError(
                "nothing says what to delete; give --identity, --camera, --id, --since, --until, --expired, --future "
                "or --everything"
            )
        ids, elsewhere = opened.reach(where)
        if near := opened.near_names(where):
            warn((f"these names are nearly the same, and are not deleted: {', '.join(map(repr, near))}",))
        if not (ids or elsewhere or everything or expired or future):
            if yes and not dry_run:
                opened.purge(where)  # which finishes what an interrupted run left
            asked = ", ".join(repr(value) for value in (*(identity or ()), *(camera or ()), *(id or ()), since, until) if value)
            raise GalleryError(f"no sighting is of {asked}: nothing was deleted; names must match letter by letter")
        if dry_run:
            known = _known(opened, where, ids)
            columns = ["id", "camera", "time", "identity", "source"]
            rows = [[str(record.get(column) or "") for column in columns] for record in known[:50]]
            show(table(f"{len(ids)} sightings would be deleted", columns, rows))
            if elsewhere:
                say(f"and {elsewhere} that are only in snapshots")
            write_result(json, {"dry_run": True, "sightings": known})
            return
        if not yes:
            raise ConfigurationError(
                f"{len(ids)} sightings would be deleted for good; add --yes to delete them, --dry-run to see them"
            )
        with TerminalProgress() as progress:
            done = opened.purge(where, progress=progress)
    say(f"{done.removed} sightings deleted, and {done.removed_from_snapshots} copies in snapshots")
    if done.proved:
        say(f"proved: {done.bytes} bytes in {done.files} files hold no piece of their vectors and thumbnails, nor their ids")
    warn((done.note,) if done.note else ())
    write_result(json, asdict(done))


def _known(gallery: Gallery, where: Where, ids: list[str]) -> list[dict[str, Any]]:
    """Return the records of sightings; only their ids if one is damaged, which a purge by id removes."""
    from resight.errors import GalleryDamagedError

    try:
        return [record.to_dict() for record in gallery.records(where)]
    except GalleryDamagedError:
        return [{"id": id} for id in ids]


def snapshot(gallery: str, name: str = "", *, json: Path | None = None) -> None:
    """Copy a gallery into its own folder, where a purge reaches the copy.

    Parameters
    ----------
    gallery
        Folder of the gallery.
    name
        Name of the snapshot: letters, digits, - and _. The current time (UTC) by default.
    json
        Also write its name, size and number of sightings to this file.
    """
    from resight.gallery import upkeep

    taken = upkeep.take_snapshot(gallery, name)
    say(f"{taken.path}: {taken.count} sightings, {taken.bytes / 1e6:.1f} MB")
    write_result(json, {"name": taken.name, "path": str(taken.path), "count": taken.count, "bytes": taken.bytes})


def backup(gallery: str, file: Path, *, json: Path | None = None) -> None:
    """Copy a gallery to one file, for another disk or machine. Others may go on adding to the gallery.

    No purge reaches the file: delete it before the retention of what is in it ends.

    Parameters
    ----------
    gallery
        Folder or database of the gallery.
    file
        New file, for example people-2026-03-01.sqlite.
    json
        Also write its size and number of sightings to this file.
    """
    from resight.gallery import upkeep

    count = upkeep.back_up(gallery, file)
    size = file.stat().st_size
    say(f"{file}: {count} sightings, {size / 1e6:.1f} MB, read again and whole")
    write_result(json, {"path": str(file), "count": count, "bytes": size})


def restore(gallery: str, name: str, *, yes: bool = False, json: Path | None = None) -> None:
    """Bring back a snapshot of a gallery, or make a new gallery from a backup.

    After a snapshot, later additions are lost, and purged sightings stay gone. A backup goes into a new folder, or a database
    without a gallery; it may come from either.

    Parameters
    ----------
    gallery
        Folder of the gallery, which may be damaged; for a backup, a new folder or a database.
    name
        Name of the snapshot; or the file of a backup, whose name ends in .sqlite.
    yes
        Restore a snapshot; without this flag nothing changes.
    json
        Also write what was restored to this file.
    """
    from resight.errors import ConfigurationError
    from resight.gallery import upkeep

    if name.endswith(".sqlite"):
        count = upkeep.restore_backup(name, gallery)
        say(f"{shown(gallery)}: {count} sightings, as of {name}")
        warn(("what was purged since the backup is there again; the audit log names it",))
        write_result(json, {"name": name, "count": count})
        return
    if not yes:
        raise ConfigurationError(f"sightings added to {shown(gallery)} since {name!r} would be lost; add --yes to restore it")
    done = upkeep.restore_snapshot(gallery, name)
    say(f"{gallery}: {done.count} sightings, as of {done.name}")
    write_result(json, {"name": done.name, "count": done.count})


def verify(gallery: str, *, audit: Path | None = None, model: str = "", device: Device = "auto", json: Path | None = None) -> None:
    """Read every byte of a gallery, its snapshots and its audit log, and report damage. The exit code is 2 if there is any.

    Parameters
    ----------
    gallery
        Folder or database of the gallery.
    audit
        Audit log; audit.jsonl in the gallery's folder by default, if there is one. A database has none by default.
    model
        Also check that the gallery holds vectors of this model.
    json
        Also write the problems to this file.
    """
    from resight.errors import ConfigurationError, GalleryDamagedError
    from resight.gallery import Gallery, upkeep
    from resight.models import load_model
    from resight.service.audit import FILE as AUDIT
    from resight.service.audit_chain import files_of, verify_log

    log = audit or Path(gallery) / AUDIT
    logged = any(file.exists() for file in files_of(log))
    if audit and not logged:
        raise ConfigurationError(f"there is no audit log {audit}; name the file that `resight serve` writes")
    with TerminalProgress() as progress:
        problems = upkeep.verify(gallery, progress=progress)
    problems += [f"{log}: {problem}" for problem in verify_log(log)[0]] if logged else []
    for problem in problems:
        say(problem)
    write_result(json, {"problems": problems})
    if problems:
        raise GalleryDamagedError(
            f"{len(problems)} problems in {shown(gallery)}; restore a snapshot, or purge damaged sightings by --id"
        )
    if model:
        with Gallery.open(gallery) as opened:
            opened.settings.check_model(load_model(model, device=device))
    say(f"{shown(gallery)}: no damage{f', and {log} is unchanged' if logged else ''}")


def migrate(gallery: str, *, json: Path | None = None) -> None:
    """Bring a gallery that an older Resight wrote to the present version. Stop its services first, and back it up.

    After an interruption, run the same command again: it goes on.

    Parameters
    ----------
    gallery
        Folder or database of the gallery.
    json
        Also write the version before, and the number of changed files, to this file.
    """
    from resight.gallery import upkeep

    with TerminalProgress() as progress:
        before, changed = upkeep.migrate(gallery, progress=progress)
    say(f"{shown(gallery)}: {f'was of version {before}, and is migrated' if changed else 'is of the present version'}")
    write_result(json, {"before": before, "changed": changed})
