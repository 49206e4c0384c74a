"""`resight gallery reembed`."""

from __future__ import annotations

from pathlib import Path

from resight.cli.options import Device, ModelName, Threads
from resight.cli.terminal import say, shown, warn, write_result
from resight.progress import TerminalProgress

__all__ = ["reembed"]


def reembed(
    gallery: str,
    new: str,
    /,
    *,
    model: ModelName,
    yes: bool = False,
    device: Device = "auto",
    threads: Threads = 0,
    json: Path | None = None,
) -> None:
    """Move a gallery to another model: embed the crops that it keeps anew, into a gallery beside it.

    The old gallery is not changed, and is searched meanwhile. The same command goes on after an interruption; given again later,
    it takes over what was added, purged and renamed since. Names that you gave in the new gallery stay. Then point searches and
    services at the new gallery, calibrate it, and delete the old one.

    Parameters
    ----------
    gallery
        Folder or database of the old gallery.
    new
        Folder or database of the new gallery; it is made if it is not there.
    yes
        Delete sightings that only the new gallery has, and replace names that were given in both; without this flag nothing changes
        if there are any.
    json
        Also write the result to this file.
    """
    from dataclasses import asdict

    from resight.errors import GalleryError
    from resight.gallery import Gallery, Settings
    from resight.gallery import reembed as embed_anew
    from resight.gallery.reembed import check_settings
    from resight.gallery.store.interface import is_database
    from resight.models import load_model
    from resight.models.reference import parse

    extractor = load_model(model, device=device, threads=threads)
    with Gallery.open(gallery) as old:
        settings = Settings.for_model(
            parse(model).absolute,
            extractor,
            retention=old.settings.retention,
            precision=old.settings.precision,
            hnsw=old.settings.hnsw if is_database(new) else 0,
        )
        try:
            opened = Gallery.open(new)
        except GalleryError:
            check_settings(old.settings, settings)  # before there is anything to delete again
            opened = Gallery.create(new, settings)
        with opened, TerminalProgress() as progress:
            result = embed_anew(old, opened, extractor, overwrite=yes, progress=progress)
        warn(tuple(f"{id} is left out: {reason}" for id, reason in result.failures))
        say(
            f"{shown(new)}: {result.embedded} embedded, {result.present} there already, {result.removed} removed, "
            f"{result.labelled} renamed, {len(result.failures)} left out"
        )
    write_result(json, asdict(result))
