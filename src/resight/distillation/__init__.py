"""Distillation: a student learns what its teachers say.

A loss is a file of this folder and a line in `LOSSES`.
"""

from __future__ import annotations

from resight.distillation.loss import DistillationLoss

__all__ = ["LOSSES"]

LOSSES = {
    "soft": DistillationLoss(
        "Weight of the soft targets: the cross-entropy with the teacher's distribution over the identities.",
        weight=1.0,
        needs="logits",
    ),
    "embedding": DistillationLoss(
        "Weight of the difference in direction between the student's and the teacher's embedding.",
        needs="embedding",
    ),
    "similarity": DistillationLoss(
        "Weight of the difference between the student's and the teacher's similarities within a batch.",
        needs="embedding",
    ),
    "rkd": DistillationLoss(
        "Weight of the relational loss (RKD): differences of relative distances, and twice those of angles.",
        needs="embedding",
        least_batch=3,
    ),
    "attention": DistillationLoss(
        "Weight of the difference between attention maps, which only networks have. 1000 is usual.",
        needs="attention",
    ),
    "hint": DistillationLoss(
        "Weight of the difference between the teacher's feature maps and a convolution of the student's; needs online targets.",
        needs="maps",
    ),
    "mutual": DistillationLoss(
        "Weight of mutual learning beside a peer, a second network that is thrown away afterwards. It needs no teacher.",
    ),
}
"""Losses by name. The loss NAME is made by the function ``loss`` of `resight.distillation.NAME`, and weighted by NAME_weight."""
