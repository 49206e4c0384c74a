"""Move a gallery to another model: embed the crops that it keeps anew, into a gallery beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from resight.errors import GalleryError, ImageError
from resight.gallery.gallery import Gallery
from resight.gallery.matches import fuse
from resight.gallery.people import is_provisional
from resight.gallery.settings import Settings
from resight.gallery.sighting import Record, Sighting, Where
from resight.gallery.store.database import check_outside
from resight.gallery.strip import crops_in
from resight.images import Pixels, grouped, resize
from resight.models.model import CHUNK, Model, extract_finite
from resight.progress import Progress, silent

__all__ = ["Reembedding", "reembed"]

_COPIED = "copied"  # name under which the new gallery keeps what it has from the old one


@dataclass(frozen=True, kw_only=True)
class Reembedding:
    """Result of a move.

    Attributes
    ----------
    embedded, present : int
        Number of sightings embedded now, and of those that an earlier call had embedded.
    removed, labelled : int
        Number of sightings that were purged from the old gallery, or got another name there, since an earlier call.
    failures : tuple of (str, str)
        Id and reason of each sighting whose kept crop cannot be read; the new gallery lacks them.
    """

    embedded: int
    present: int
    removed: int
    labelled: int
    failures: tuple[tuple[str, str], ...]


def reembed(old: Gallery, new: Gallery, model: Model, *, overwrite: bool = False, progress: Progress = silent) -> Reembedding:
    """Fill a gallery of another model with the sightings of an old one, and bring it up to date with that.

    The old gallery stays as it is and is searched meanwhile. An interrupted call goes on where it stopped when it is repeated;
    a later call takes over what was added, purged and renamed since. Ids, times, cameras, tracklets and names stay. A name that
    was given in the new gallery stays, too.

    Parameters
    ----------
    old, new : Gallery
        `new` was made for `model`; see `Settings.for_model`.
    model : Model
    overwrite : bool
        Also delete sightings that only the new gallery has, and replace a name that was given there if the old one has another new
        one.
    progress : Progress

    Returns
    -------
    Reembedding

    Raises
    ------
    ConfigurationError
        If the new gallery is in the folder of another one.
    GalleryError
        If both are the same gallery, or the new one has another retention or holds only sightings of its own; without `overwrite`,
        also if it holds any of its own, or names that would be replaced.
    ModelMismatchError
        If the new gallery is for another model.
    StorageError
        If the new gallery cannot be written. What was embedded before stays.
    """
    new.settings.check_model(model)
    if new.folder is not None:
        check_outside(new.folder)
    check_settings(old.settings, new.settings)
    there = {record.id: record for record in old.records()}
    here = {record.id: record for record in new.records()}
    copied: dict[str, str] = new._store.kept(_COPIED) or {}
    stale = here.keys() - there.keys()
    own = [id for id in stale if _mark(id) not in copied]
    if own and len(own) == len(here) and there:
        raise GalleryError("the new gallery holds other sightings than the old one; give a new folder")
    renamed: dict[str, dict[str, str]] = {}
    replaced = 0
    for id in here.keys() & there.keys():
        change = _change(there[id], here[id], copied)
        if change != "none":
            renamed.setdefault(there[id].identity, {})[id] = here[id].identity
            replaced += change == "replaced"
    if (own or replaced) and not overwrite:
        raise GalleryError(
            f"{len(own)} sightings that only the new gallery has would be deleted, and {replaced} names that were given there "
            "replaced; add --yes"
        )
    removed = new.purge(Where(ids=frozenset(stale))).removed if stale else 0
    labelled = sum(new.label(was, identity, was) for identity, was in renamed.items())
    # After the names and before the sightings, so that an interruption in between leaves nothing that looks like the new one's own.
    new._store.keep(_COPIED, {_mark(id): _mark(id, record.identity) for id, record in there.items()})
    failures: list[tuple[str, str]] = []
    missing = [id for id in there if id not in here]
    embedded = 0
    for number, ids in enumerate(grouped(missing, CHUNK), 1):
        embedded += new.add(_embedded(list(old.sightings(ids).values()), model, failures))
        progress("embedding", min(number * CHUNK, len(missing)), len(missing))
    present = len(here) - removed
    return Reembedding(embedded=embedded, present=present, removed=removed, labelled=labelled, failures=tuple(failures))


def _change(old: Record, new: Record, copied: Mapping[str, str]) -> Literal["none", "renamed", "replaced"]:
    """Tell if a sighting of the new gallery gets its name in the old one, and if that replaces a name that somebody gave."""
    before = copied.get(_mark(old.id))
    if old.identity == new.identity or before == _mark(old.id, old.identity):
        return "none"  # or the new gallery's name alone has changed
    if not old.identity:  # it was taken away
        return "renamed" if before == _mark(old.id, new.identity) else "none"
    if not new.identity or before == _mark(old.id, new.identity):
        return "renamed"
    if is_provisional(old.identity):
        return "none"
    return "renamed" if is_provisional(new.identity) else "replaced"


def _mark(*texts: str) -> str:
    """Mark of an id, or of an id and a name, which is kept and tells neither."""
    return hashlib.blake2b("\0".join(texts).encode(), digest_size=6).hexdigest()


def check_settings(old: Settings, new: Settings) -> None:
    """Raise `GalleryError` if a gallery with the settings `new` cannot follow one with `old`."""
    if old.model_sha256 == new.model_sha256:
        raise GalleryError(f"both galleries are for the model {old.model}; give the new model with --model")
    if old.retention != new.retention:
        raise GalleryError("the new gallery has another retention than the old one; give a new folder")


def _embedded(sightings: Sequence[Sighting], model: Model, failures: list[tuple[str, str]]) -> list[Sighting]:
    """The same sightings with vectors of `model`, from their thumbnails; several crops of a tracklet are fused."""
    kept: list[Sighting] = []
    images: list[Pixels] = []
    counts: list[int] = []
    for sighting in sightings:
        try:
            crops = crops_in(sighting.thumbnail)
        except ImageError as error:
            failures.append((sighting.id, str(error)))
        else:
            kept.append(sighting)
            images += [resize(crop, model.size) for crop in crops]
            counts.append(len(crops))
    if not kept:
        return []
    names = np.repeat([sighting.id for sighting in kept], counts).tolist()
    vectors = np.split(extract_finite(model, np.stack(images), names), np.cumsum(counts)[:-1])
    return [replace(sighting, embedding=fuse(some)[0]) for sighting, some in zip(kept, vectors, strict=True)]
