"""Teachers that say what a test wants them to say."""

from __future__ import annotations

import numpy as np
import torch

from resight.distillation.targets import CachedTeacher
from resight.networks.batches import View
from resight.networks.network import Outputs
from resight.training.losses import Batch

__all__ = ["batch_of", "outputs_of", "teacher_of"]


def teacher_of(
    embedding: np.ndarray | None = None, logits: np.ndarray | None = None, attention: np.ndarray | None = None
) -> CachedTeacher:
    """Answers for images and their mirror images, float64 arrays with those two as their first axis."""
    given = [None if array is None else torch.from_numpy(array.astype(np.float32)) for array in (embedding, logits, attention)]
    known = next(tensor for tensor in given if tensor is not None)
    return CachedTeacher(torch.zeros(*known.shape[:2], 1) if given[0] is None else given[0], given[1], given[2])


def batch_of(rows: np.ndarray, flips: np.ndarray | None = None, labels: np.ndarray | None = None) -> Batch:
    """A batch whose images no loss looks at."""
    return Batch(View(rows, flips), torch.empty(0), torch.from_numpy(np.zeros(len(rows), np.int64) if labels is None else labels))


def outputs_of(
    maps: torch.Tensor | None = None, embedding: torch.Tensor | None = None, logits: torch.Tensor | None = None
) -> Outputs:
    """A student's outputs, of which the others are nothing."""
    nothing = torch.empty(0)
    embedding = nothing if embedding is None else embedding
    return Outputs(nothing if maps is None else maps, embedding, embedding, nothing if logits is None else logits)
