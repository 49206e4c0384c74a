"""What a training changes about its images, and in which order it sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["EpochPlan", "plan_epoch"]


@dataclass(frozen=True)
class EpochPlan:
    """Which image goes where in one epoch, decided before it starts, so that a resumed run sees the same.

    Attributes
    ----------
    rows : int64 array of shape (steps, batch)
    flips : bool array of shape (steps, batch)
        Which images are mirrored left to right.
    """

    rows: NDArray[np.int64]
    flips: NDArray[np.bool_]


def plan_epoch(images: int, batch_size: int, *, flip: bool, seed: int, epoch: int) -> EpochPlan:
    """Shuffle one epoch: every image at most once, the remainder that fills no batch is left out.

    A function of its arguments alone. With fewer images than `batch_size` the epoch is one batch of all of them.
    """
    random = np.random.default_rng([seed, epoch])
    batch_size = min(batch_size, images)
    steps = images // batch_size
    rows = random.permutation(images)[: steps * batch_size].reshape(steps, batch_size)
    flips = random.random(rows.shape) < 0.5
    return EpochPlan(rows, flips & flip)
