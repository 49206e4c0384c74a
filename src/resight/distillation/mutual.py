"""Mutual learning: two students teach each other, and one of them is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor

from resight.distillation.config import DistillConfig
from resight.distillation.lesson import Lesson
from resight.models.pytorch import channels_last
from resight.networks.network import Outputs, ReidNetwork
from resight.training.loop import autocast
from resight.training.losses import Batch, HardLabelLoss, Loss
from resight.training.processes import gathered
from resight.training.train import initial_network

__all__ = ["MutualLoss", "loss", "make_peer"]


def loss(lesson: Lesson) -> Loss:
    """The loss of a distillation; see `resight.distillation.LOSSES`."""
    config, student = lesson.config, lesson.student
    peer = channels_last(make_peer(config, student.classes), next(student.parameters()).device)
    return MutualLoss(peer, config.label_smoothing, config.precision)


def make_peer(config: DistillConfig, classes: int) -> ReidNetwork:
    """Make the peer like the student, with other random numbers, unless the configuration says otherwise.

    Raises
    ------
    ConfigurationError
        If its architecture or its weights do not exist.
    """
    config = replace(config, seed=(config.seed + 1) % 2**63)
    if config.peer:
        config = replace(config, network=config.peer, weights=config.peer_weights, last_stride=0)
    return initial_network(config, classes)


class MutualLoss(Loss):
    """A peer learns from the ground truth, and each of the two from the other's distribution (deep mutual learning).

    The loss is KL(peer, student) + KL(student, peer) + the peer's cross-entropy with the ground truth; the distribution that is
    learned from gets no gradient. The student's own cross-entropy is a loss of its own (`hard_weight`). The peer sees the
    same images as the student. It is trained with the loss, kept in the checkpoint, and thrown away at the end.

    Parameters
    ----------
    peer : ReidNetwork
        Network with the student's classes.
    label_smoothing : float
        Smoothing of the peer's ground truth; see `HardLabelLoss`.
    precision : str
        See `resight.training.config.TrainConfig`.

    References
    ----------
    .. [1] Y. Zhang, T. Xiang, T. M. Hospedales, H. Lu, "Deep Mutual Learning", CVPR 2018, equations (4) to (8). (There the two
           take turns within a step; here both learn from their outputs before it.)
    """

    def __init__(self, peer: ReidNetwork, label_smoothing: float = 0.0, precision: str = "auto") -> None:
        super().__init__()
        self.peer = peer
        self.hard = HardLabelLoss(label_smoothing)
        self.precision = precision

    def forward(self, batch: Batch, outputs: Outputs) -> tuple[Tensor, Mapping[str, Tensor]]:
        """See `resight.training.losses.Loss`; of the parts, ``mutual_student`` is KL(peer, student)."""
        with autocast(batch.images.device, self.precision):
            peer = gathered(self.peer(batch.images), batch.view)
        own, other = (F.log_softmax(network.logits.float(), dim=1) for network in (outputs, peer))
        student = F.kl_div(own, other.detach(), reduction="batchmean", log_target=True)
        taught = F.kl_div(other, own.detach(), reduction="batchmean", log_target=True)
        hard, _ = self.hard(batch, peer)
        accuracy = (peer.logits.argmax(1) == batch.labels)[batch.labels >= 0].float().mean()
        return student + taught + hard, {"mutual_student": student, "peer_hard": hard, "peer_accuracy": accuracy}
