"""Losses of a network that learns to tell the training identities apart.

A loss is a function of the batch's rows and of what the network made of them; it returns the sum to minimise and its parts by
name, for the curves. What else it needs (labels, a teacher's logits) it holds itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["HardLabelLoss", "Loss"]


class Loss(Protocol):
    """What `resight.training.loop.fit` minimises."""

    def __call__(
        self, rows: NDArray[np.int64], flips: NDArray[np.bool_], images: Tensor, embedding: Tensor, logits: Tensor
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Loss of one batch.

        Parameters
        ----------
        rows, flips : arrays of shape (batch,)
            Which training images these are, and which of them are mirrored.
        images : float tensor of shape (batch, 3, height, width)
            What the network saw.
        embedding : float tensor of shape (batch, d)
        logits : float tensor of shape (batch, classes)

        Returns
        -------
        Tensor
            Scalar to minimise.
        mapping of str to Tensor
            Its parts before weighting, and other figures for the curves; each is averaged over the epoch.
        """


class HardLabelLoss:
    """Cross-entropy between the network's logits and the ground truth: the network trained alone.

    Parameters
    ----------
    labels : int64 tensor of shape (n,)
        Class of every training image, in [0, classes), on the network's device.
    """

    def __init__(self, labels: Tensor) -> None:
        self.labels = labels

    def __call__(
        self, rows: NDArray[np.int64], flips: NDArray[np.bool_], images: Tensor, embedding: Tensor, logits: Tensor
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """See `Loss`; the parts are ``hard`` (this loss) and ``accuracy`` (share of the batch that the head names rightly)."""
        labels = self.labels[torch.from_numpy(rows).to(self.labels.device)]
        loss = F.cross_entropy(logits.float(), labels)
        return loss, {"hard": loss, "accuracy": (logits.argmax(1) == labels).float().mean()}
