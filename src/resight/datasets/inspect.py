"""Contents of a data set: counts, sizes, and every file that cannot be used."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from resight.compute import usable_cores
from resight.datasets.accounting import UNREADABLE, Accounting
from resight.datasets.records import DISTRACTOR, JUNK, Dataset, Records
from resight.errors import ImageError
from resight.files import printable
from resight.images import read_image
from resight.progress import Progress, silent

__all__ = ["Inspection", "Part", "inspect"]


@dataclass(frozen=True, kw_only=True)
class Part:
    """Counts of one part of a data set (training, query or gallery), or of all of it.

    Attributes
    ----------
    images : int
        All images, junk and distractors included.
    identities, cameras : int
        People, and known cameras that saw any image.
    junk, distractors : int
        Images that count neither way, and images of strangers.
    images_per_identity : tuple of (float, int, int)
        Mean, least and most over the people; zeros if there are none.
    heights, widths : tuple of (int, int)
        Least and most, in pixels, over the readable images; zeros if there are none.
    """

    images: int
    identities: int
    cameras: int
    junk: int
    distractors: int
    images_per_identity: tuple[float, int, int]
    heights: tuple[int, int]
    widths: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """Findings of `inspect`.

    Attributes
    ----------
    name, root : str
        Layout and folder.
    splits : int
        How many divisions; the parts are those of the first.
    train, query, gallery, total : Part
        The three parts, and all of them together.
    unmatched_queries : int
        Queries without an image of their person by another camera in the gallery.
    duplicates : int
        Files whose bytes are those of another file.
    unreadable : tuple of (str, str)
        Files that cannot be decoded, and why.
    warnings : tuple of str
        Warnings of the data set.
    accounting : Accounting
        How many files there were, how many can be used, and why not the rest.
    """

    name: str
    root: str
    splits: int
    train: Part
    query: Part
    gallery: Part
    total: Part
    unmatched_queries: int
    duplicates: int
    unreadable: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    accounting: Accounting

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the accounting is called files."""
        values = asdict(self)
        del values["accounting"]
        values["files"] = self.accounting.to_dict()
        values["unreadable"] = [{"path": printable(path), "reason": reason} for path, reason in self.unreadable]
        return values


def inspect(dataset: Dataset | str | Path, *, progress: Progress = silent) -> Inspection:
    """Count what a data set holds, and decode every image once.

    Parameters
    ----------
    dataset : Dataset, str or Path
        The data set, or its folder, whose layout is then recognised.
    progress : Progress

    Returns
    -------
    Inspection

    Raises
    ------
    DatasetError
        If the folder is not a data set. Images that cannot be decoded are listed, not raised.
    """
    if not isinstance(dataset, Dataset):
        from resight.datasets import open_dataset  # it imports this module

        dataset = open_dataset(dataset)
    parts = (dataset.train, dataset.query, dataset.gallery)
    paths = list(dict.fromkeys(path for part in parts for path in part.paths))
    findings = {}
    with ThreadPoolExecutor(usable_cores()) as pool:
        for done, finding in enumerate(pool.map(_look, paths), 1):
            findings[paths[done - 1]] = finding
            if done % 256 == 0 or done == len(paths):
                progress("inspecting", done, len(paths))
    read = [finding.digest for finding in findings.values() if finding.digest]
    train, query, gallery = (_count(part, findings) for part in parts)
    return Inspection(
        name=dataset.name,
        root=str(dataset.root),
        splits=len(dataset.splits),
        train=train,
        query=query,
        gallery=gallery,
        total=_count(Records.concatenate(parts), findings),
        unmatched_queries=_unmatched(dataset.query, dataset.gallery),
        duplicates=len(read) - len(set(read)),
        unreadable=tuple((path, finding.reason) for path, finding in findings.items() if finding.reason),
        warnings=dataset.warnings,
        accounting=dataset.accounting.without(UNREADABLE, sum(1 for finding in findings.values() if finding.reason)),
    )


def unreadable(paths: Sequence[str], *, progress: Progress = silent) -> dict[str, str]:
    """Decode images, and return those that cannot be decoded, with the reason."""
    found = {}
    with ThreadPoolExecutor(usable_cores()) as pool:
        for done, (path, finding) in enumerate(zip(paths, pool.map(_look, paths), strict=True), 1):
            if finding.reason:
                found[path] = finding.reason
            if done % 256 == 0 or done == len(paths):
                progress("looking for unreadable images", done, len(paths))
    return found


@dataclass(frozen=True)
class _Finding:
    """One file: its size in pixels, or the reason why it has none."""

    height: int = 0
    width: int = 0
    digest: bytes = b""
    reason: str = ""


def _look(path: str) -> _Finding:
    try:
        height, width, _ = read_image(path).shape
        with Path(path).open("rb") as stream:
            return _Finding(height, width, hashlib.file_digest(stream, "sha256").digest())
    except (ImageError, OSError) as error:
        return _Finding(reason=str(error).removeprefix(f"{path}: "))


def _count(records: Records, findings: dict[str, _Finding]) -> Part:
    _, per_identity = np.unique(records.identities[records.identities > DISTRACTOR], return_counts=True)
    seen = [findings[path] for path in records.paths if not findings[path].reason]
    heights, widths = [finding.height for finding in seen], [finding.width for finding in seen]
    return Part(
        images=len(records),
        identities=len(per_identity),
        cameras=len(set(records.camera_names()) - {""}),
        junk=int((records.identities == JUNK).sum()),
        distractors=int((records.identities == DISTRACTOR).sum()),
        images_per_identity=(
            (float(per_identity.mean()), int(per_identity.min()), int(per_identity.max())) if len(per_identity) else (0.0, 0, 0)
        ),
        heights=(min(heights, default=0), max(heights, default=0)),
        widths=(min(widths, default=0), max(widths, default=0)),
    )


def _unmatched(query: Records, gallery: Records) -> int:
    """How many queries no other camera of the gallery can answer."""
    cameras: dict[int, set[int]] = {}
    for identity, camera in zip(gallery.identities.tolist(), gallery.cameras.tolist(), strict=True):
        cameras.setdefault(identity, set()).add(camera)
    pairs = zip(query.identities.tolist(), query.cameras.tolist(), strict=True)
    return sum(1 for identity, camera in pairs if not cameras.get(identity, set()) - {camera})
