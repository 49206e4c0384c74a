"""A teacher's knowledge of the training identities: its classes, or its mean embedding of each; and how well it names them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from resight.distillation.targets import CachedTeacher, entropies
from resight.errors import ConfigurationError
from resight.models.model import Model
from resight.models.pytorch import NetworkModel
from resight.training.data import TrainingData

__all__ = ["class_mean_logits", "knowledge", "matching_classes"]

_SCALES = np.exp2(np.arange(0, 8.01, 0.25))
_TEMPERATURES = (1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0)


def matching_classes(teacher: NetworkModel, people: Sequence[str], everybody: Sequence[str]) -> NDArray[np.int64]:
    """Find the teacher's outputs for the student's classes.

    Parameters
    ----------
    teacher : NetworkModel
        A network with classes. If its weights do not name the people of its outputs (foreign files), it must have one output for
        each person of the training images; they are taken in sorted order, as the toolboxes of this field number them.
    people : sequence of str
        Names of the student's classes.
    everybody : sequence of str
        Names of all people of the training images, with those held out, in the order of their numbers.

    Returns
    -------
    int64 array of shape (classes,)

    Raises
    ------
    ConfigurationError
        If the teacher does not know a class of the student.
    """
    if not teacher.identities and teacher.network.classes != len(everybody):
        raise ConfigurationError(
            f"the teacher {teacher.name} tells {teacher.network.classes} people apart and the data set has "
            f"{len(everybody)}; use a teacher that was trained on this data set"
        )
    columns = {name: column for column, name in enumerate(teacher.identities or everybody)}
    if missing := [name for name in people if name not in columns]:
        raise ConfigurationError(
            f"the teacher {teacher.name} does not know {len(missing)} of the {len(people)} training identities "
            f"(first: {missing[0]}); use a teacher that was trained on them"
        )
    return np.array([columns[name] for name in people], np.int64)


def class_mean_logits(embedding: Tensor, labels: NDArray[np.int64], classes: int) -> Tensor:
    """Logits of a teacher that only embeds: how like each person's mean embedding an image is.

    A logit is s times the cosine between an image's embedding and the mean embedding of a person's images, without the image
    itself if it is one of them. The scale s, the same for all, is the one that makes the true identities likeliest, so that a
    temperature of 1 means what it means for a trained head.

    Parameters
    ----------
    embedding : float32 tensor of shape (2, n, d)
        Embeddings of the images and of their mirror images.
    labels : int64 array of shape (n,)
        Class of each image; -1 for an image without an identity.
    classes : int

    Returns
    -------
    float32 tensor of shape (2, n, classes)
    """
    vectors = F.normalize(embedding, dim=-1)
    rows = torch.from_numpy(np.flatnonzero(labels >= 0)).to(vectors.device)
    of = torch.from_numpy(labels).to(vectors.device)[rows]
    sums = vectors.new_zeros(classes, vectors.shape[-1]).index_add_(0, of, vectors[:, rows].sum(0))
    logits = vectors @ F.normalize(sums, dim=-1).T
    without = F.normalize(sums[of] - vectors[:, rows].sum(0), dim=-1)
    alone = torch.bincount(of, minlength=classes)[of] < 2  # nothing would be left of the mean
    own = torch.where(alone, logits[:, rows, of], (vectors[:, rows] * without).sum(-1))
    logits[:, rows, of] = own
    known = logits[0, rows]
    scale = min((float(F.cross_entropy(float(scale) * known, of)), float(scale)) for scale in _SCALES)[1]
    return logits.mul_(scale)


def knowledge(teacher: Model, answers: CachedTeacher, prepared: TrainingData, temperature: float) -> dict[str, Any]:
    """Accuracy of a teacher on the training images, and the entropy of its soft targets at this temperature and others."""
    if answers.logits is None:
        return {}
    logits = answers.logits[0, : len(prepared.records)]
    accuracy = float((logits.argmax(1).cpu() == torch.from_numpy(prepared.labels[: len(logits)])).float().mean())
    if accuracy < 2 / logits.shape[1] and accuracy < 0.5:
        raise ConfigurationError(
            f"the teacher {teacher.name} names {100 * accuracy:.1f} % of the training images rightly, hardly more than "
            "chance: its classes are in another order, or it was trained on other data"
        )
    return {"accuracy": 100 * accuracy, "entropy": entropies(logits, sorted({*_TEMPERATURES, temperature}))}
