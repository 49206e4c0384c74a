"""How a distillation is configured; kept free of PyTorch, as `resight.training.config` is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from resight.errors import ConfigurationError
from resight.training.config import TrainConfig

__all__ = ["DistillConfig"]


@dataclass(frozen=True, kw_only=True)
class DistillConfig(TrainConfig):
    """How a student is taught; the defaults are the paper's for MobileNet 0.25 from ResNet-50 on Market-1501.

    A weight of 0 leaves a loss out; `resight.distillation.losses` describes them all.

    Attributes
    ----------
    teacher : tuple of str
        One or several models, with any input size: run folders, NETWORK:FILE, FILE.onnx, student. Only soft targets need them to
        know the training identities.
    soft_weight : float
        Of the soft targets: the cross-entropy with the teacher's distribution over the identities.
    temperature : float
        T of the soft targets.
    hard_weight : float
        Lambda, the weight of the cross-entropy with the ground truth.
    embedding_weight : float
        Of the difference in direction between the student's and the teacher's embedding.
    similarity_weight : float
        Of the difference between the student's and the teacher's similarities within a batch.
    rkd_weight : float
        Of the differences between their relative distances and twice those between their angles.
    attention_weight : float
        Of the difference between their attention maps, which are networks' alone. 1000 is usual.
    hint_weight : float
        Of the difference between the teacher's feature maps and a convolution of the student's; needs online targets.
    mutual_weight : float
        Of learning beside a peer, a second network that is thrown away afterwards. It needs no teacher.
    peer : str
        Architecture of the peer; the student's own unless given, which then starts from the student's weights too.
    peer_weights : str
        Where a peer of another architecture starts, named as the student's weights are.
    unlabelled : tuple of str
        Folders of more crops of people, whose identities are not known or not used; only teachers say what is on them.
    copies : int
        Changed copies of each training image (other colours, and people put together from two) for the teachers to describe and
        the student to learn from. They take memory as images do.
    unlabelled_share : float
        Share of each batch that comes from `unlabelled` and `copies`, if there are any.
    targets : str
        ``"cached"``: ask the teacher once for every image and its mirror image; ``"online"``: ask it at every batch.
    """

    teacher: tuple[str, ...] = ()
    soft_weight: float = 1.0
    temperature: float = 3.0
    hard_weight: float = 0.001
    embedding_weight: float = 0.0
    similarity_weight: float = 0.0
    rkd_weight: float = 0.0
    attention_weight: float = 0.0
    hint_weight: float = 0.0
    mutual_weight: float = 0.0
    peer: str = ""
    peer_weights: str = ""
    unlabelled: tuple[str, ...] = ()
    copies: int = 0
    unlabelled_share: float = 0.25
    targets: str = "cached"
    epochs: int = 39
    learning_rate: float = 0.02

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.temperature < math.inf:
            raise ConfigurationError(f"temperature = {self.temperature}; expected more than 0")
        if self.targets not in ("cached", "online"):
            raise ConfigurationError(f"targets {self.targets!r}; expected cached or online")
        if self.hint_weight and self.targets != "online":
            raise ConfigurationError("hints are the teacher's feature maps at every batch; set targets to online")
        if self.rkd_weight and self.batch_size < 3:
            raise ConfigurationError(f"batch_size = {self.batch_size}; relational losses compare triangles, expected at least 3")
        if self.teacher and not self.needs_teacher:
            raise ConfigurationError(
                "no loss compares the student with a teacher that is named; set soft_weight to 1, or leave out teacher"
            )
        if self.peer and not self.mutual_weight:
            raise ConfigurationError(f"a peer {self.peer!r} that no loss compares the student with; set mutual_weight to 1")
        if self.peer_weights and not self.peer:
            raise ConfigurationError("peer_weights belong to a peer of another architecture; set peer")

        if self.copies < 0:
            raise ConfigurationError(f"copies = {self.copies}; expected at least 0")
        if not 0 < self.unlabelled_share < 1:
            raise ConfigurationError(f"unlabelled_share = {self.unlabelled_share}; expected more than 0 and less than 1")
        if self.unlabelled or self.copies:
            self._check_unlabelled()

    def _check_unlabelled(self) -> None:
        if not self.needs_teacher:
            raise ConfigurationError("images without an identity teach nothing without a teacher; set soft_weight or another to 1")
        labelled = self.batch_size - round(self.unlabelled_share * self.batch_size)
        if labelled < 2 or labelled == self.batch_size or (self.images_per_identity and labelled % self.images_per_identity):
            raise ConfigurationError(
                f"unlabelled_share = {self.unlabelled_share} leaves {labelled} of {self.batch_size} images with an identity; "
                f"expected fewer than all, at least 2, and a multiple of images_per_identity = {self.images_per_identity}"
            )

    @property
    def needs_teacher(self) -> bool:
        """Whether any loss compares the student with a teacher."""
        names = ("soft", "embedding", "similarity", "rkd", "attention", "hint")
        return any(getattr(self, f"{name}_weight") for name in names)
