"""`resight calibrate --unlabelled`."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resight.cli.gallery import model_of
from resight.cli.terminal import say, show, shown, table, warn, write_result
from resight.cli.terminal import skip_unreadable as skip
from resight.progress import TerminalProgress

if TYPE_CHECKING:
    from resight.decision.calibration import Kind
    from resight.decision.unnamed import Unnamed
    from resight.models.model import Model
    from resight.progress import Progress

__all__ = ["calibrate_gallery"]


def calibrate_gallery(
    source: str,
    *,
    model: str,
    cohort: str,
    distance: str,
    sightings: Kind,
    files: dict[str, Any],
    machine: dict[str, Any],
    out: Path,
    json: Path | None,
    **rates: float,
) -> None:
    """Calibrate without labels, from a gallery, a table or a folder, and show the result.

    Parameters
    ----------
    source
        Gallery, table or folder.
    model
        Model of a table's crops; a gallery has its own.
    cohort, distance, sightings, out, json
        See `resight.cli.calibrate.calibrate`.
    files, machine
        Options of the files, and of the model.
    rates
        Options of `resight.decision.unlabelled.calibrate_unlabelled`.
    """
    from resight.cli.calibrate import cohort_of
    from resight.datasets import Accounting
    from resight.decision.calibration import MATCH, POSSIBLE
    from resight.decision.unlabelled import calibrate_unlabelled
    from resight.decision.unnamed import read_unnamed
    from resight.gallery import Gallery
    from resight.gallery.kept import is_gallery
    from resight.gallery.settings import Settings
    from resight.models import load_model
    from resight.provenance import provenance

    read = Accounting()
    with TerminalProgress() as progress, contextlib.ExitStack() as stack:
        if is_gallery(source):
            opened = stack.enter_context(Gallery.open(source))
            model, used = opened.settings.model, opened.settings.distance
            extractor = model_of(opened, "", **machine)
            found = read_unnamed(opened, extractor, progress=progress)
        else:
            extractor = load_model(model, **machine)
            used = Settings.for_model(model, extractor, retention=None, distance=distance).distance
            found, read = _read_table(source, extractor, sightings, progress, **files)
        strangers, of_cohort = cohort_of(cohort, model, extractor, used, progress)
        made_by = provenance({"model": model, "unlabelled": shown(source)}, seed=0)
        how: dict[str, Any] = {"model": model, "cohort": strangers, "provenance": made_by, **rates}
        calibration = calibrate_unlabelled(found, extractor, used, **how)
    calibration.save(out)
    if found.left_out:
        warn((f"the last {len(found.vectors)} of {len(found.vectors) + found.left_out} tracklets are used",))
    rows = []
    for one in filter(None, (calibration, calibration.tracklets)):
        points = {MATCH: one.match, POSSIBLE: one.possible}
        rows += [[f"{name} for one {one.asks}", f"{at.threshold:.4g}", f"{100 * at.wanted:g}"] for name, at in points.items()]
    show(table(f"{extractor.name}, {used} distance, without labels", ["%", "up to distance", "absent, falsely found"], rows))
    say(f"{len(found.vectors)} tracklets of about {calibration.people} people; in a gallery of more, the distances are adjusted")
    warn((calibration.caveat(),))
    say(f"{out}: for `resight gallery search --calibration`")
    accounting = read + of_cohort
    write_result(json, calibration.to_dict(), accounting if accounting.there else None)


def _read_table(
    source: str, extractor: Model, sightings: Kind, progress: Progress, *, layout: str, name_pattern: str, skip_unreadable: bool
) -> tuple[Unnamed, Any]:
    """Embed and fuse the crops of a table or folder whose camera is known."""
    from resight.datasets.image_list import find_images
    from resight.datasets.records import UNKNOWN
    from resight.decision.unnamed import fuse_unnamed
    from resight.errors import DatasetError
    from resight.models.embedding import embed_files

    records = find_images(source, layout=layout, name_pattern=name_pattern)
    warn(records.notes)
    if skip_unreadable:
        records = skip(records, progress=progress)
    seen = records.select(records.cameras != UNKNOWN)
    if not len(seen):
        raise DatasetError(f"{source}: no image has a camera; without labels, it takes two: add a column camera to a table")
    accounting = records.accounting.without("of no known camera", len(records) - len(seen))
    vectors = embed_files(extractor, seen.paths, progress=progress)
    return fuse_unnamed(vectors, seen.cameras, seen.tracklets or [""] * len(seen))._replace(kept=sightings), accounting
