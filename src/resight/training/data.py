"""Turns a data set into the data of a training: images in memory, class labels, and held-out people or images."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resight.datasets import Accounting, Dataset, recognise
from resight.datasets.records import JUNK, UNKNOWN, Records, Split
from resight.datasets.splits import by_identity, by_image, class_labels
from resight.datasets.tree import Tree
from resight.errors import ConfigurationError, DatasetError
from resight.evaluation.protocol import evaluate
from resight.images import Pixels, load_pixels
from resight.models.pytorch import network_outputs
from resight.networks.network import ReidNetwork
from resight.progress import Progress, silent
from resight.training.config import PAPER_HELD_OUT
from resight.training.copies import Copies, plan_copies

__all__ = ["Extra", "TrainingData", "prepare", "unlabelled_records"]


@dataclass(frozen=True, eq=False)
class Extra:
    """Images without an identity, which only a teacher's losses learn from.

    Attributes
    ----------
    records : Records
        Image files.
    copies : int
        Changed copies to make of each labelled training image; see `resight.training.copies`.
    share : float
        Share of each batch.
    """

    records: Records
    copies: int = 0
    share: float = 0.0


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Everything that a training reads.

    Attributes
    ----------
    records : Records
        The n labelled training images.
    pixels : uint8 array of shape (m, height, width, 3)
        Pixels of all m images: first the labelled ones, then those without an identity.
    labels : int64 array of shape (m,)
        Class of each image; -1 for an image without an identity.
    identities : int64 array of shape (classes,)
        Identity of each class.
    validate : callable or None
        Function that scores a network on the held-out part, in per cent: ``rank1`` and ``map`` for people, ``accuracy`` for images.
    unlabelled : Records
        Image files without an identity.
    copies : Copies, optional
        Plan of the copies among the images.
    """

    records: Records
    pixels: Pixels
    labels: NDArray[np.int64]
    identities: NDArray[np.int64]
    validate: Callable[[ReidNetwork], dict[str, float]] | None
    unlabelled: Records
    copies: Copies | None

    @property
    def cameras(self) -> NDArray[np.int64]:
        """Camera of each image, (m,); a copy's is that of what it is made of."""
        of_copies = self.records.cameras[:0] if self.copies is None else self.records.cameras[self.copies.upper]
        return np.concatenate([self.records.cameras, self.unlabelled.cameras, of_copies])

    def parts(self, size: tuple[int, int], *, cache: Path | None = None, progress: Progress = silent) -> list[Pixels]:
        """The same images at any size, in parts: the labelled ones, files without an identity, and copies."""
        if size == self.pixels.shape[1:3]:
            ends = len(self.records), len(self.records) + len(self.unlabelled)
            return [part for part in np.split(self.pixels, ends) if len(part)]
        return _parts(self.records, self.unlabelled, self.copies, size, cache, progress)


def unlabelled_records(folders: Sequence[str | Path], without: Iterable[str] = ()) -> Records:
    """All images in some folders and in the folders inside them.

    Parameters
    ----------
    folders : sequence of str or Path
    without : iterable of str
        Images of the data set, which are left out: it trains on them, or is judged by them.

    Returns
    -------
    Records
        With `accounting`, `layout`, and a note that says how many were left out.

    Raises
    ------
    DatasetError
        If a folder holds no image, or none is left.
    """
    rows: list[tuple[str, int, int]] = []
    layouts: set[str] = set()
    accounting = Accounting()
    for folder in folders:
        tree = Tree.read(folder)
        if not tree.images:
            raise DatasetError(f"{folder}: no images in this folder or in the folders inside it; give a folder of crops of people")
        rows += [(tree.path(image), JUNK, UNKNOWN) for image in tree.images]
        accounting += tree.account(len(tree.images), {})
        with contextlib.suppress(DatasetError):
            layouts.add(recognise(tree))
    found = replace(Records.from_rows(rows), accounting=accounting, layout="+".join(sorted(layouts)))
    known = {os.path.realpath(path) for path in without} if rows else set()
    among = {path for path in found.paths if os.path.realpath(path) in known}
    if not among:
        return found
    note = f"{len(among)} of {len(found)} unlabelled images are images of the data set; they are left out"
    left = replace(found.without(among, "of the data set, among the unlabelled images"), notes=(note,))
    if not len(left):
        raise DatasetError(f"{note}, and none is left; give folders of other crops of people")
    return left


def _parts(
    labelled: Records,
    unlabelled: Records,
    copies: Copies | None,
    size: tuple[int, int],
    cache: Path | None,
    progress: Progress,
) -> list[Pixels]:
    parts = [load_pixels(records.paths, size, cache=cache, progress=progress) for records in (labelled, unlabelled) if len(records)]
    return parts if copies is None else [*parts, copies.of(parts[0])]


def prepare(
    dataset: Dataset,
    size: tuple[int, int],
    *,
    validation: str = "identity",
    fraction: float = PAPER_HELD_OUT,
    seed: int = 0,
    identities: bool = True,
    extra: Extra | None = None,
    cache: Path | None = None,
    progress: Progress = silent,
) -> TrainingData:
    """Hold out a part of the training images, decode all of them and number the people.

    Parameters
    ----------
    dataset : Dataset
        Data set whose first split's training images are used; query and gallery are not read.
    size : tuple of (height, width)
    validation : str
        ``"identity"`` holds out people (choose by this), ``"image"`` holds out images of known people as the paper did,
        ``"none"`` trains on everything.
    fraction : float
        Share of the people or images to hold out.
    seed : int
        Seed of the choice. Keep it the same for all trainings of a comparison, whatever their own seeds.
    identities : bool
        False takes all training images, also those of unknown people, without labels: for losses that ask only a teacher.
    extra : Extra, optional
        Images without an identity to put after the others.
    cache : Path, optional
        See `resight.images.load_pixels`.
    progress : Progress

    Returns
    -------
    TrainingData

    Raises
    ------
    ConfigurationError
        If `validation` is none of the three, `fraction` is too small to hold out an image, or `validation` is ``"image"`` and the
        training has no labels.
    DatasetError
        If there are no two people to tell apart, or nothing can be held out.
    ImageError
        If an image cannot be read.
    """
    train = dataset.train
    if identities:
        train = train.select(train.identities > 0)
    held_out: Records | Split | None = None
    if validation == "identity":
        held_out = by_identity(train, fraction=fraction, seed=seed)
        train = held_out.train
    elif validation == "image":
        if not identities:
            raise ConfigurationError(
                "validation image asks the network who is on an image, and no loss teaches it; set validation to identity or none"
            )
        count = round(fraction * len(train))
        if not count:
            raise ConfigurationError(
                f"held_out = {fraction} of {len(train)} images is not one image; hold out more, or set validation to none"
            )
        train, held_out = by_image(train, count, seed=seed)
    elif validation != "none":
        raise ConfigurationError(f"validation {validation!r}; expected identity, image or none")
    if identities and len(train.people()) < 2:
        raise DatasetError(f"{dataset.root}: {len(train.people())} person to train on; a training needs at least two")
    labels, people = class_labels(train) if identities else (np.full(len(train), -1), np.empty(0, np.int64))
    extra = extra or Extra(unlabelled_records(()))
    copies = plan_copies(train.cameras, extra.copies, seed) if extra.copies else None
    parts = _parts(train, extra.records, copies, size, cache, progress)
    pixels = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return TrainingData(
        records=train,
        pixels=pixels,
        labels=np.pad(labels, (0, len(pixels) - len(labels)), constant_values=-1),
        identities=people,
        validate=_validator(held_out, people, size, cache, progress),
        unlabelled=extra.records,
        copies=copies,
    )


def _validator(
    held_out: Records | Split | None,
    identities: NDArray[np.int64],
    size: tuple[int, int],
    cache: Path | None,
    progress: Progress,
) -> Callable[[ReidNetwork], dict[str, float]] | None:
    if held_out is None:
        return None
    if isinstance(held_out, Records):
        images = load_pixels(held_out.paths, size, cache=cache, progress=progress)
        labels = np.searchsorted(identities, held_out.identities)

        def accuracy(network: ReidNetwork) -> dict[str, float]:
            answers = network_outputs(network, images, wanted=["logits"])[0].argmax(1)
            return {"accuracy": 100 * float((answers == labels).mean())}

        return accuracy

    query, gallery = held_out.query, held_out.gallery
    query_pixels, gallery_pixels = (load_pixels(part.paths, size, cache=cache, progress=progress) for part in (query, gallery))

    def retrieval(network: ReidNetwork) -> dict[str, float]:
        (queries,), (images,) = (network_outputs(network, pixels) for pixels in (query_pixels, gallery_pixels))
        scores = evaluate(queries, images, query, gallery, network.distance)
        return {"rank1": 100 * scores.rank1, "map": 100 * scores.map}

    return retrieval
