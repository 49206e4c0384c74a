"""What a teacher knows of the training identities: which of its classes they are, and how much it says about them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from resight.distillation.targets import CachedTeacher, entropies
from resight.errors import ConfigurationError
from resight.models.embedding import Model
from resight.models.pytorch import NetworkModel
from resight.training.data import TrainingData

__all__ = ["knowledge", "matching_classes"]


def matching_classes(teacher: Model, identities: NDArray[np.int64], all_identities: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which of the teacher's outputs stand for the student's classes.

    Parameters
    ----------
    teacher : Model
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
    if not isinstance(teacher, NetworkModel):
        raise ConfigurationError(f"the teacher {teacher.name} gives embeddings and no classes; set --soft-weight 0")
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


def knowledge(teacher: Model, answers: CachedTeacher, prepared: TrainingData) -> dict[str, Any]:
    """How well a teacher names the training images, and how much it says beyond the names."""
    if answers.logits is None:
        return {}
    logits = answers.logits[0, : len(prepared.records)]
    accuracy = float((logits.argmax(1).cpu() == torch.from_numpy(prepared.labels[: len(logits)])).float().mean())
    if accuracy < 2 / logits.shape[1] and accuracy < 0.5:
        raise ConfigurationError(
            f"the teacher {teacher.name} names {100 * accuracy:.1f} % of the training images rightly, hardly more than "
            "chance: its classes are in another order, or it was trained on other data"
        )
    return {"accuracy": 100 * accuracy, "entropy": entropies(logits)}
