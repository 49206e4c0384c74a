"""What the teacher says about the training images: asked at every batch, or once for every image and its mirror image."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resight.errors import ConfigurationError
from resight.features.batches import Batches
from resight.features.deep import DeepExtractor, network_outputs
from resight.files import atomic_write
from resight.images import Pixels, cache_folder
from resight.progress import Progress, silent

__all__ = ["CachedTeacher", "OnlineTeacher", "Teacher", "entropies", "matching_classes"]


class Teacher(Protocol):
    """Gives the teacher's logits for training images."""

    def __call__(self, rows: NDArray[np.int64], flips: NDArray[np.bool_]) -> Tensor:
        """Logits, float32 (len(rows), student's classes), for images `rows`, mirrored where `flips`."""


def matching_classes(teacher: DeepExtractor, identities: NDArray[np.int64], all_identities: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which of the teacher's outputs stand for the student's classes.

    Parameters
    ----------
    teacher : DeepExtractor
        If its weights do not say whom its outputs stand for (foreign files), it must have as many as the data set has training
        identities, and they are taken in sorted order, which is how this field's toolboxes number them.
    identities : int64 array of shape (classes,)
        The student's classes.
    all_identities : int64 array
        All training identities of the data set, those held out included.

    Returns
    -------
    int64 array of shape (classes,)

    Raises
    ------
    ConfigurationError
        If some class of the student is unknown to the teacher.
    """
    known = np.asarray(teacher.identities, np.int64)
    if not len(known):
        if teacher.network.classes != len(all_identities):
            raise ConfigurationError(
                f"the teacher {teacher.name} tells {teacher.network.classes} people apart and the data set has "
                f"{len(all_identities)}; use a teacher that was trained on this data set"
            )
        known = np.sort(all_identities)
    columns = {int(identity): column for column, identity in enumerate(known)}
    missing = [int(identity) for identity in identities if int(identity) not in columns]
    if missing:
        raise ConfigurationError(
            f"the teacher {teacher.name} does not know {len(missing)} of the {len(identities)} training identities "
            f"(first: {missing[0]}); use a teacher that was trained on them"
        )
    return np.array([columns[int(identity)] for identity in identities], np.int64)


class OnlineTeacher:
    """Runs the teacher on each batch: right whatever the augmentation, at the teacher's cost for every image of every epoch.

    Parameters
    ----------
    teacher : DeepExtractor
    pixels : uint8 array of shape (n, height, width, 3)
        The training images at the teacher's own input size.
    columns : int64 array of shape (classes,)
        See `matching_classes`.
    """

    def __init__(self, teacher: DeepExtractor, pixels: Pixels, columns: NDArray[np.int64]) -> None:
        self._network = teacher.network.eval()
        self._batches = Batches(pixels, teacher.network.preprocessing, next(teacher.network.parameters()).device)
        self._columns = torch.from_numpy(columns).to(self._batches.device)

    def __call__(self, rows: NDArray[np.int64], flips: NDArray[np.bool_]) -> Tensor:
        """See `Teacher`."""
        with torch.no_grad():
            return self._network(self._batches(rows, flips))[1].float()[:, self._columns]  # type: ignore[no-any-return]


class CachedTeacher:
    """Looks the teacher's logits up: with mirroring as the only augmentation there are two answers for each image.

    Parameters
    ----------
    logits : float32 array of shape (2, n, classes)
        Of the images as they are, and of their mirror images.
    device : torch.device
    """

    def __init__(self, logits: NDArray[np.float32], device: torch.device) -> None:
        self.logits = torch.from_numpy(logits).to(device)

    @classmethod
    def ask(
        cls,
        teacher: DeepExtractor,
        pixels: Pixels,
        device: torch.device,
        *,
        cache: Path | None = None,
        progress: Progress = silent,
    ) -> CachedTeacher:
        """Run the teacher once over all images and once over their mirror images, or read what it said before from the cache.

        Parameters
        ----------
        teacher : DeepExtractor
        pixels : uint8 array of shape (n, height, width, 3)
            The training images at the teacher's own input size.
        device : torch.device
            Where the answers are kept.
        cache : Path, optional
            Cache folder, `resight.images.cache_folder` unless given. The file's name holds the teacher's weights and the pixels.
        progress : Progress

        Raises
        ------
        StorageError
            If the cache cannot be written.
        """
        digest = hashlib.sha256(repr((teacher.sha256, teacher.name, teacher.network.preprocessing)).encode())
        digest.update(np.ascontiguousarray(pixels).data)
        file = (cache or cache_folder()) / "teachers" / f"{digest.hexdigest()[:32]}.npy"
        if file.exists():
            return cls(np.load(file), device)
        stages = (("teacher", False), ("teacher, mirrored", True))
        logits = np.stack(
            [
                network_outputs(teacher.network, pixels, mirrored=mirrored, logits=True, progress=progress, stage=stage)
                for stage, mirrored in stages
            ]
        )
        with atomic_write(file) as stream:
            np.save(stream, logits)
        return cls(logits, device)

    def columns(self, columns: NDArray[np.int64]) -> CachedTeacher:
        """The same answers for some of the classes; see `matching_classes`."""
        return CachedTeacher(self.logits[..., torch.from_numpy(columns)].cpu().numpy(), self.logits.device)

    def __call__(self, rows: NDArray[np.int64], flips: NDArray[np.bool_]) -> Tensor:
        """See `Teacher`."""
        return self.logits[torch.from_numpy(flips.astype(np.int64)), torch.from_numpy(rows)]


def entropies(logits: Tensor, temperatures: tuple[float, ...] = (1, 2, 3, 5, 10, 20, 30)) -> dict[str, Any]:
    """Mean entropy, in nats, of a teacher's distributions at several temperatures, and the most there can be.

    Near the most, the soft targets are flat and hardly teach; near 0 they say no more than the ground truth.
    """
    means = {}
    for temperature in temperatures:
        scaled = torch.log_softmax(logits.double() / temperature, dim=-1)
        means[f"{temperature:g}"] = float(-(scaled.exp() * scaled).sum(-1).mean())
    return {"nats": means, "uniform": float(np.log(logits.shape[-1]))}
