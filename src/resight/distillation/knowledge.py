"""A teacher's knowledge of the training identities: their places among its classes, and how well it names them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from resight.distillation.targets import CachedTeacher, entropies
from resight.errors import ConfigurationError
from resight.models.model import Model
from resight.models.pytorch import NetworkModel
from resight.training.data import TrainingData

__all__ = ["knowledge", "matching_classes"]


def matching_classes(teacher: Model, identities: NDArray[np.int64], all_identities: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find the teacher's outputs for the student's classes.

    Parameters
    ----------
    teacher : Model
        Teacher. If its weights do not name the identities of its outputs (foreign files), it must have one output for each training
        identity of the data set; they are taken in sorted order, as the toolboxes of this field number them.
    identities : int64 array of shape (classes,)
        Classes of the student.
    all_identities : int64 array
        All training identities of the data set, with the held-out ones.

    Returns
    -------
    int64 array of shape (classes,)

    Raises
    ------
    ConfigurationError
        If the teacher does not know a class of the student.
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
    """Accuracy of a teacher on the training images, and the entropy of its soft targets."""
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
