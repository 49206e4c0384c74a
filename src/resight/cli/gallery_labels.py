"""`resight gallery`: verbs that name people later."""

from __future__ import annotations

from pathlib import Path

from resight.cli.options import Names
from resight.cli.terminal import say, warn, write_result

__all__ = ["label", "merge", "rename"]


def label(
    gallery: str,
    table: Path | None = None,
    *,
    identity: str | None = None,
    id: Names = None,
    tracklet: Names = None,
    camera: str = "",
    json: Path | None = None,
) -> None:
    """Say who is on sightings that are in a gallery: by a table, by ids, or by tracklets.

    Parameters
    ----------
    gallery
        Folder or database of the gallery.
    table
        CSV with the columns path and identity, and perhaps tracklet and camera: a row names the sightings of its file or tracklet.
    identity
        Name of the person on the sightings that --id and --tracklet give; empty takes a name away.
    id
        Label this sighting; repeat for more.
    tracklet
        Label all sightings of this tracklet; repeat for more.
    camera
        Camera of the tracklets, if several have one of that name.
    json
        Also write how many were labelled to this file.
    """
    from resight.errors import ConfigurationError
    from resight.gallery import Gallery
    from resight.gallery.labels import chosen, label_by_table
    from resight.gallery.labels import label as label_sightings
    from resight.gallery.sighting import Where

    by_name = identity is not None and bool(id or tracklet)
    if by_name == (table is not None):
        raise ConfigurationError("nothing says who is where; give a table, or --identity with --id or --tracklet")
    if table is not None and (identity is not None or id or tracklet or camera):
        raise ConfigurationError("a table says who is where; leave out --identity, --id, --tracklet and --camera")
    with Gallery.open(gallery) as opened:
        if table is not None:
            count, nowhere, read = label_by_table(opened, table)
            warn(read.notes)
            warn((f"{nowhere} of {len(read.rows)} rows name no sighting of this gallery",) if nowhere else ())
        else:
            ids, tracklets = frozenset(id or ()), frozenset(tracklet or ())
            where = Where(cameras=frozenset({camera}) if camera else None)
            count, read = label_sightings(opened, chosen(opened, ids, tracklets, where), identity or ""), None
    say(f"{count} labelled")
    write_result(json, {"labelled": count}, None if read is None else read.accounting)


def rename(gallery: str, old: str, new: str, *, json: Path | None = None) -> None:
    """Call a person by another name, which nobody has yet.

    Sightings called OLD?, which only look like the person, get the name NEW?.

    Parameters
    ----------
    gallery
        Folder or database of the gallery.
    old
        Present name.
    new
        New name.
    json
        Also write how many sightings were labelled to this file.
    """
    _rename(gallery, old, new, json, merging=False)


def merge(gallery: str, old: str, new: str, *, json: Path | None = None) -> None:
    """Make two people one: all sightings of the first get the name of the second.

    Sightings called OLD?, which only look like the first, get the name NEW?.

    Parameters
    ----------
    gallery
        Folder or database of the gallery.
    old
        Name to give up.
    new
        Name to keep.
    json
        Also write how many sightings were labelled to this file.
    """
    _rename(gallery, old, new, json, merging=True)


def _rename(gallery: str, old: str, new: str, json: Path | None, *, merging: bool) -> None:
    from resight.gallery import Gallery
    from resight.gallery.labels import called
    from resight.gallery.labels import label as label_sightings

    with Gallery.open(gallery) as opened:
        total = 0
        for name, records in called(opened, old, new, merging=merging).items():
            before, count = records[0].identity, label_sightings(opened, records, name)
            say(f"{count} sightings of {before} are of {name} now")
            total += count
    write_result(json, {"labelled": total})
