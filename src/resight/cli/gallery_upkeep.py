"""`resight gallery`: snapshot, backup, restore, verify and migrate."""

from __future__ import annotations

from pathlib import Path

from resight.cli.options import Device
from resight.cli.terminal import say, shown, warn, write_result
from resight.progress import TerminalProgress

__all__ = ["backup", "migrate", "restore", "snapshot", "verify"]


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

    Restoring a snapshot loses what was added since; purged sightings stay gone. A backup goes into a new folder, or a database
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
        warn(("what was purged since the backup is there again: purge it anew; the audit log names what the service purged",))
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
        Audit log; by default audit.jsonl in the gallery's folder, if there is one, or the log in the database.
    model
        Also check that the gallery holds vectors of this model.
    json
        Also write the problems to this file.
    """
    from resight.errors import ConfigurationError, GalleryDamagedError
    from resight.gallery import Gallery, upkeep
    from resight.gallery.store.interface import is_database
    from resight.models import load_model
    from resight.service.audit import FILE as AUDIT
    from resight.service.audit_chain import files_of, verify_log

    log, in_database = audit or Path(gallery) / AUDIT, audit is None and is_database(gallery)
    logged = any(file.exists() for file in files_of(log))
    if audit and not logged:
        raise ConfigurationError(f"there is no audit log {audit}; name the file that `resight serve` writes")
    with TerminalProgress() as progress:
        damage = upkeep.verify(gallery, progress=progress)
    changed = [f"{log}: {problem}" for problem in verify_log(log)[0]] if logged else []
    if in_database:
        from resight.service.audit_database import verify_database

        changed = [f"audit log: {problem}" for problem in verify_database(gallery)]
    problems = [*damage, *changed]
    for problem in problems:
        say(problem)
    write_result(json, {"problems": problems})
    if problems:
        ways = ["restore a snapshot, or purge damaged sightings by --id"] if damage else []
        ways += ["keep the audit log as evidence, and begin another by `resight serve --audit`"] if changed else []
        raise GalleryDamagedError(f"{len(problems)} problems in {shown(gallery)}; {'; '.join(ways)}")
    if model:
        with Gallery.open(gallery) as opened:
            opened.settings.check_model(load_model(model, device=device))
    say(f"{shown(gallery)}: no damage{f', and {log} is unchanged' if logged else ', nor in its audit log' if in_database else ''}")


def migrate(gallery: str, *, hnsw: int | None = None, json: Path | None = None) -> None:
    """Bring a gallery that an older Resight wrote to the present version. Stop its services first, and back it up.

    After an interruption, run the same command again: it goes on.

    Parameters
    ----------
    gallery
        Folder or database of the gallery.
    hnsw
        Also change how a database is searched: by an HNSW index that looks at so many candidates, or exactly with 0.
    json
        Also write the version before, and the number of changed files, to this file.
    """
    from resight.gallery import upkeep

    with TerminalProgress() as progress:
        before, changed = upkeep.migrate(gallery, hnsw, progress=progress)
    say(f"{shown(gallery)}: {f'was of version {before}, and is migrated' if changed else 'is of the present version'}")
    write_result(json, {"before": before, "changed": changed})
