"""`resight gallery purge`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from resight.cli.options import Names, where_of
from resight.cli.terminal import say, show, table, warn, write_result
from resight.progress import TerminalProgress

if TYPE_CHECKING:
    from resight.gallery import Gallery, Where

__all__ = ["purge"]


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
    from dataclasses import asdict, replace

    from resight.errors import ConfigurationError, GalleryError
    from resight.gallery import Gallery, Removal
    from resight.gallery.settings import future_from
    from resight.gallery.upkeep import release_reserve

    where = where_of(
        camera=camera, since=since, until=until, identity=identity, id=id, newer_than=future_from() if future else None
    )
    if where == where_of() and not (everything or expired):
        raise ConfigurationError(
            "nothing says what to delete; give --identity, --camera, --id, --since, --until, --expired, --future or --everything"
        )
    if yes and not dry_run:
        release_reserve(gallery)
    with Gallery.open(gallery) as opened:
        cutoff = opened.settings.expired_before() if expired else None
        if expired and cutoff is None:
            say("the retention of this gallery is unlimited: nothing expires")
            write_result(json, {"dry_run": True, "sightings": []} if dry_run else asdict(Removal(removed=0)))
            return
        where = replace(where, older_than=cutoff)
        ids, elsewhere = opened.reach(where)
        if near := opened.near_names(where):
            warn((f"these names are nearly the same, and are not deleted: {', '.join(map(repr, near))}",))
        if not (ids or elsewhere or everything or expired or future):
            if yes and not dry_run:
                opened.purge(where)  # which finishes what an interrupted run left
            names = ", ".join(map(repr, (*(identity or ()), *(camera or ()), *(id or ()))))
            times = " and ".join(f"{word} {time}" for word, time in (("since", since), ("before", until)) if time)
            asked = [f"is of {names}"] * bool(names) + [f"was seen {times}"] * bool(times)
            hint = "; names must match letter by letter" if names else ""
            raise GalleryError(f"no sighting {' and '.join(asked)}: nothing was deleted{hint}")
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
    if done.proved and (done.removed or done.removed_from_snapshots):
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
