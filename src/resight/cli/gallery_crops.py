"""`resight gallery crops`."""

from __future__ import annotations

from pathlib import Path

from resight.cli.options import Names, where_of
from resight.cli.terminal import say, warn, write_result
from resight.progress import TerminalProgress

__all__ = ["crops"]


def crops(
    gallery: str,
    folder: Path,
    /,
    *,
    identity: Names = None,
    camera: Names = None,
    since: str = "",
    until: str = "",
    named: bool = False,
    json: Path | None = None,
) -> None:
    """Write the crops that a gallery keeps into a folder, with a table: to calibrate, to measure, or to show what is kept.

    Only you can read the folder. No purge reaches it: delete it when you are done.

    Parameters
    ----------
    gallery
        Folder or database of the gallery.
    folder
        New folder for the crops and crops.csv, which `resight calibrate --data` and `resight evaluate --data` read.
    identity
        Write crops of this person; repeat for more people.
    camera
        Write crops by this camera; repeat for more cameras.
    since
        Write crops from this time or later; ISO 8601, UTC unless it has a zone.
    until
        Write crops from before this time.
    named
        Leave out crops of people whom nobody has named.
    json
        Also write the numbers of sightings and crops to this file.
    """
    from resight.errors import ConfigurationError
    from resight.gallery import Gallery
    from resight.gallery.kept import write_crops

    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ConfigurationError(f"{folder} is there and is no empty folder; give a new one")
    where = where_of(identity=identity, camera=camera, since=since, until=until)
    with Gallery.open(gallery) as opened, TerminalProgress() as progress:
        found = write_crops(opened, folder, where, named=named, progress=progress)
    warn(tuple(f"{id} is left out: its picture is damaged" for id in found.damaged))
    left_out = f"; {found.unnamed} sightings without a name are left out" if named else ""
    say(f"{found.table}: {found.crops} crops of {found.sightings} sightings{left_out}; delete the folder when you are done")
    numbers = {"sightings": found.sightings, "crops": found.crops, "unnamed": found.unnamed, "damaged": list(found.damaged)}
    write_result(json, numbers)
