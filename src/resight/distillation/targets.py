"""Answers of a teacher for the training images: asked at every batch, or once for every image and its mirror image."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resight.errors import ArrayError, ConfigurationError
from resight.files import atomic_write
from resight.images import Pixels, cache_folder
from resight.models.model import Model
from resight.models.pytorch import NetworkModel, network_outputs
from resight.networks.batches import Batches, View
from resight.progress import Progress, silent
from resight.training.processes import gathered, share

__all__ = ["BELOW_LARGEST", "Answers", "CachedTeacher", "OnlineTeacher", "Teacher", "almost_uniform", "entropies", "entropy"]


class Answers(NamedTuple):
    """Answers of a teacher for n images.

    Attributes
    ----------
    embedding : float32 tensor of shape (n, d)
    logits : float32 tensor of shape (n, classes), optional
        Logits of the student's classes, from a teacher that knows the training identities.
    attention : float32 tensor of shape (n, rows, columns), optional
        Attention maps of a network, if they are wanted; see `resight.networks.Outputs.attention`.
    maps : float32 tensor of shape (n, channels, rows, columns), optional
        Last feature maps of a network that is asked online.
    """

    embedding: Tensor
    logits: Tensor | None
    attention: Tensor | None = None
    maps: Tensor | None = None


class Teacher(Protocol):
    """Answers for training images."""

    def __call__(self, view: View) -> Answers:
        """Answer for images `view.rows`, mirrored if `view.flips`. The teacher does not see the other changes."""


class OnlineTeacher:
    """Runs the teacher on each batch, which costs time in every epoch: for its maps, which are too large to keep.

    Parameters
    ----------
    teacher : NetworkModel
    pixels : uint8 array of shape (n, height, width, 3)
        The training images at the teacher's own input size.
    columns : int64 array of shape (classes,), optional
        See `matching_classes`; no logits without it.

    Attributes
    ----------
    channels : int
        Channels of its feature maps.
    """

    def __init__(self, teacher: NetworkModel, pixels: Pixels, columns: NDArray[np.int64] | None) -> None:
        self.channels = teacher.network.channels
        self._network = teacher.network.eval()
        self._batches = Batches(pixels, teacher.network.preprocessing, next(teacher.network.parameters()).device)
        self._columns = None if columns is None else torch.from_numpy(columns).to(self._batches.device)
        self._last: tuple[View, Answers] | None = None

    def __call__(self, view: View) -> Answers:
        """See `Teacher`. Losses that ask about the same view in turn cost one run."""
        if self._last is None or self._last[0] is not view:
            with torch.no_grad():
                outputs = gathered(self._network(self._batches(share(View(view.rows, view.flips)))), view)
            logits = None if self._columns is None else outputs.logits.float()[:, self._columns]
            self._last = view, Answers(outputs.embedding.float(), logits, outputs.attention, outputs.maps.float())
        return self._last[1]


class CachedTeacher:
    """Looks up the teacher's answers: two for each image, one of them for its mirror image.

    Parameters
    ----------
    embedding : float32 tensor of shape (2, n, d)
        Embeddings of the images and of their mirror images.
    logits : float32 tensor of shape (2, n, classes), optional
    attention : float32 tensor of shape (2, n, rows, columns), optional
    """

    def __init__(self, embedding: Tensor, logits: Tensor | None, attention: Tensor | None = None) -> None:
        self.embedding = embedding
        self.logits = logits
        self.attention = attention

    @classmethod
    def ask(
        cls,
        teacher: Model,
        pixels: Pixels,
        columns: NDArray[np.int64] | None,
        device: torch.device,
        *,
        attention: bool = False,
        mirrored: bool = True,
        cache: Path | None = None,
        progress: Progress = silent,
    ) -> CachedTeacher:
        """Run the teacher over all images and their mirror images, or read its earlier answers from the cache.

        Parameters
        ----------
        teacher : Model
        pixels : uint8 array of shape (n, height, width, 3)
            The training images at the teacher's own input size.
        columns : int64 array of shape (classes,), optional
            See `matching_classes`; no logits without it.
        device : torch.device
            Device that keeps the answers.
        attention : bool
            True for attention maps too, which only networks have.
        mirrored : bool
            False saves half of the time; the answer for an image then stands for its mirror image too.
        cache : Path, optional
            Cache folder, `resight.images.cache_folder` unless given. The files' names hold the teacher's weights and the pixels.
        progress : Progress

        Raises
        ------
        ArrayError
            If an answer holds NaN or infinity.
        StorageError
            If the cache cannot be written.
        """
        how = teacher.network.preprocessing if isinstance(teacher, NetworkModel) else teacher.size
        kind = (b"" if mirrored else b"once") + (b"" if teacher.precise else b"bfloat16")
        digest = hashlib.sha256(repr((teacher.sha256, teacher.name, how)).encode() + kind)
        digest.update(np.ascontiguousarray(pixels).data)
        wanted = ["embedding"]
        if isinstance(teacher, NetworkModel):
            wanted += ["logits", "attention"] if attention else ["logits"]
        folder = (cache or cache_folder()) / "teachers"
        files = {name: folder / f"{digest.hexdigest()[:32]}-{name}.npy" for name in wanted}
        ways = (False, True) if mirrored else (False,)
        if missing := [name for name in wanted if not _is_whole(files[name], (len(ways), len(pixels)))]:
            answers = [_answers(teacher, pixels, way, missing, progress) for way in ways]
            for name, *both in zip(missing, *answers, strict=True):
                with atomic_write(files[name]) as stream:
                    np.save(stream, np.stack(both))

        def read(name: str) -> Tensor:
            stored = torch.from_numpy(np.load(files[name]))
            return stored.expand(2, *stored.shape[1:])

        return cls(
            read("embedding").to(device),
            None if columns is None else read("logits")[..., torch.from_numpy(columns)].to(device),
            read("attention").to(device) if "attention" in wanted else None,
        )

    @classmethod
    def joined(cls, parts: Iterable[CachedTeacher]) -> CachedTeacher:
        """One teacher's answers for several arrays of images, one after the other."""
        first, *others = parts
        if not others:
            return first

        def join(name: str) -> Tensor | None:
            tensors = [getattr(part, name) for part in (first, *others)]
            return None if tensors[0] is None else torch.cat(tensors, 1)

        return cls(torch.cat([part.embedding for part in (first, *others)], 1), join("logits"), join("attention"))

    def __call__(self, view: View) -> Answers:
        """See `Teacher`."""
        flips = np.zeros(len(view.rows), np.int64) if view.flips is None else view.flips.astype(np.int64)
        place = torch.from_numpy(flips), torch.from_numpy(view.rows)
        logits = None if self.logits is None else self.logits[place]
        return Answers(self.embedding[place], logits, None if self.attention is None else self.attention[place])


def _is_whole(file: Path, shape: tuple[int, int]) -> bool:
    """Tell if a file of the cache holds answers of this shape: once or twice, and images."""
    try:
        answers = np.load(file, mmap_mode="r")  # reads the header, and holds the length of the file against it
    except (OSError, ValueError, EOFError):
        return False
    return bool(answers.dtype == np.float32 and answers.shape[:2] == shape)


def _answers(teacher: Model, pixels: Pixels, mirrored: bool, wanted: list[str], progress: Progress) -> list[NDArray[np.float32]]:
    stage = "teacher, mirrored" if mirrored else "teacher"
    if isinstance(teacher, NetworkModel):
        answers = network_outputs(teacher.network, pixels, mirrored=mirrored, wanted=wanted, progress=progress, stage=stage)
    else:
        found = []
        for start in range(0, len(pixels), 256):
            some = pixels[start : start + 256]
            found.append(teacher.extract(np.ascontiguousarray(some[:, :, ::-1]) if mirrored else some))
            progress(stage, start + len(some), len(pixels))
        answers = [np.concatenate(found)]
    if not all(np.isfinite(array).all() for array in answers):
        raise ArrayError(f"the teacher {teacher.name} gives NaN or infinity; its weights are damaged or too large")
    return answers


def entropy(logits: Tensor, temperature: float) -> Tensor:
    """Entropy of softmax(logits / temperature), in nats: (..., classes) to (...)."""
    scaled = torch.log_softmax(logits.double() / temperature, dim=-1)
    return -(scaled.exp() * scaled).sum(-1)


BELOW_LARGEST = 0.05
"""How far below the largest the mean entropy is, in nats, where `almost_uniform` targets teach best with Adam."""


def almost_uniform(logits: Sequence[Tensor]) -> float:
    """The temperature at which the teachers' soft targets are almost uniform, as `DistillConfig.temperature` ``"auto"`` takes it.

    Their mean entropy is then a twentieth of a nat below log(classes), the largest. Teachers of different kinds taught best near
    there with Adam (``docs/experiments.md``, "Which temperature teaches").

    Parameters
    ----------
    logits : sequence of float tensors of shape (images, classes), one of each teacher

    Returns
    -------
    float
        Rounded to two digits.

    Raises
    ------
    ConfigurationError
        If no temperature up to 1,000,000 does that.
    """
    wanted = float(np.log(logits[0].shape[-1])) - BELOW_LARGEST
    low, high = 1e-6, 1e6
    if not _mean_entropy(logits, low) < wanted < _mean_entropy(logits, high):
        raise ConfigurationError("temperature = auto finds none for this teacher: its answers hardly differ; set a number")
    while high / low > 1.001:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if _mean_entropy(logits, middle) < wanted else (low, middle)
    return float(f"{high:.2g}")


def _mean_entropy(logits: Sequence[Tensor], temperature: float) -> float:
    return float(np.mean([float(entropy(one, temperature).mean()) for one in logits]))


def entropies(logits: Tensor, temperatures: Iterable[float]) -> dict[str, Any]:
    """Mean entropy, in nats, of a teacher's distributions at several temperatures, and the largest possible one.

    Near the largest, the soft targets are flat and hardly teach; near 0 they say no more than the ground truth.
    """
    means = {f"{temperature:g}": float(entropy(logits, temperature).mean()) for temperature in temperatures}
    return {"nats": means, "uniform": float(np.log(logits.shape[-1]))}
