"""Losses of the ground truth: a network learns to tell the training identities apart.

A loss is a module, because some losses learn weights of their own. It is called with a batch and the network's outputs. It holds
everything else that it needs, such as a teacher.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resight.networks.batches import View
from resight.networks.network import Outputs

__all__ = ["Batch", "HardLabelLoss", "Loss", "TripletLoss", "WeightedLosses", "batch_hard_triplet", "pairwise_distances"]


class Batch(NamedTuple):
    """One batch of a training.

    Attributes
    ----------
    view : View
        Rows of the training images, and their changes.
    images : float tensor of shape (n, 3, height, width)
        Input of the network: this process's share of the batch. A network of a loss runs on it, too, and its outputs are gathered
        with `resight.training.processes.gathered`.
    labels : int64 tensor of shape (batch,)
        Classes; -1 for an image without an identity, which only the losses with a teacher use.
    """

    view: View
    images: Tensor
    labels: Tensor


class Loss(nn.Module):
    """A loss of `resight.training.loop.run_epochs`. Its own weights, if any, are trained and kept in the checkpoint."""

    def forward(self, batch: Batch, outputs: Outputs) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Loss of one batch.

        Returns
        -------
        Tensor
            Scalar to minimise.
        mapping of str to Tensor
            Its parts before weighting, and other figures for the curves; each is averaged over the epoch.
        """
        raise NotImplementedError


class WeightedLosses(Loss):
    """A weighted sum of losses.

    Parameters
    ----------
    terms : mapping of str to (float, Loss)
        Name for the curves, weight and loss. A weight of 0 leaves the term out.
    """

    def __init__(self, terms: Mapping[str, tuple[float, Loss]]) -> None:
        super().__init__()
        self.weights = {name: weight for name, (weight, _) in terms.items() if weight}
        self.terms = nn.ModuleDict({name: loss for name, (weight, loss) in terms.items() if weight})

    def forward(self, batch: Batch, outputs: Outputs) -> tuple[Tensor, Mapping[str, Tensor]]:
        """See `Loss`; besides the parts of its terms, ``accuracy`` is the share of the batch that the head names rightly."""
        total = outputs.logits.new_zeros((), dtype=torch.float32)
        labelled = batch.labels >= 0
        parts = {}
        if labelled.any():
            parts["accuracy"] = (outputs.logits.argmax(1) == batch.labels)[labelled].float().mean()
        for name, term in self.terms.items():
            value, more = term(batch, outputs)
            total = total + self.weights[name] * value
            parts |= {name: value, **more}
        return total, parts


class HardLabelLoss(Loss):
    """Cross-entropy between the network's logits and the ground truth: the network trained alone.

    Parameters
    ----------
    smoothing : float
        Share of the truth that is spread evenly over all classes (Szegedy et al., 2016).

    References
    ----------
    .. [1] C. Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016, section 7.
    """

    def __init__(self, smoothing: float = 0.0) -> None:
        super().__init__()
        self.smoothing = smoothing

    def forward(self, batch: Batch, outputs: Outputs) -> tuple[Tensor, Mapping[str, Tensor]]:
        """See `Loss`."""
        logits = outputs.logits.float()
        return F.cross_entropy(logits, batch.labels, ignore_index=-1, label_smoothing=self.smoothing), {}


class TripletLoss(Loss):
    """`batch_hard_triplet` of the features before the neck."""

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, batch: Batch, outputs: Outputs) -> tuple[Tensor, Mapping[str, Tensor]]:
        """See `Loss`."""
        labelled = batch.labels >= 0
        return batch_hard_triplet(outputs.features.float()[labelled], batch.labels[labelled], self.margin), {}


def batch_hard_triplet(features: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Mean over images of: margin + distance to the farthest of the same person - distance to the nearest of another, if positive.

    Parameters
    ----------
    features : float tensor of shape (n, d)
    labels : int64 tensor of shape (n,)
    margin : float

    Returns
    -------
    Tensor
        Scalar, with Euclidean distances. An image that is alone, or has nobody else beside it, counts
        with a distance of 0, or infinity, to what is missing.

    References
    ----------
    .. [1] A. Hermans, L. Beyer, B. Leibe, "In Defense of the Triplet Loss for Person Re-Identification", arXiv:1703.07737,
           2017, equation (5).
    """
    distances = pairwise_distances(features)
    same = labels[:, None] == labels[None]
    farthest = distances.masked_fill(~same, 0).amax(1)
    nearest = distances.masked_fill(same, torch.inf).amin(1)
    return F.relu(margin + farthest - nearest).mean()


def pairwise_distances(features: Tensor) -> Tensor:
    """Euclidean distances of all pairs of rows, (n, d) to (n, n), with a gradient that stays finite where they are 0."""
    squares = features.pow(2).sum(1)
    squared = squares[:, None] + squares[None] - 2 * features @ features.T
    return squared.clamp_min(1e-12).sqrt()
