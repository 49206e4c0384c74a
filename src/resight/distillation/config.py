"""How a distillation is configured; kept free of PyTorch, as `resight.training.config` is."""

from __future__ import annotations

from dataclasses import dataclass

from resight.errors import ConfigurationError
from resight.training.config import TrainConfig

__all__ = ["DistillConfig"]


@dataclass(frozen=True, kw_only=True)
class DistillConfig(TrainConfig):
    """How a student is taught; the defaults are the paper's for MobileNet 0.25 from ResNet-50 on Market-1501.

    Attributes
    ----------
    teacher : tuple of str
        One or several models, as `resight.models.load_model` names them, with any input size. Only `soft_weight` needs them to know
        the training identities.
    soft_weight : float
        Of the cross-entropy with the teacher's distribution over the identities; see `SoftTargetLoss`.
    temperature : float
        T of the soft targets.
    hard_weight : float
        Lambda, the weight of the cross-entropy with the ground truth.
    embedding_weight : float
        Of the difference in direction between the student's and the teacher's embedding; see `EmbeddingLoss`.
    similarity_weight : float
        Of the difference between the student's and the teacher's similarities within a batch; see `SimilarityLoss`.
    targets : str
        ``"cached"``: ask the teacher once for every image and its mirror image; ``"online"``: ask it at every batch.
    """

    teacher: tuple[str, ...] = ()
    soft_weight: float = 1.0
    temperature: float = 3.0
    hard_weight: float = 0.001
    embedding_weight: float = 0.0
    similarity_weight: float = 0.0
    targets: str = "cached"
    epochs: int = 39
    learning_rate: float = 0.02

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.temperature > 0:
            raise ConfigurationError(f"temperature = {self.temperature}; expected more than 0")
        if self.targets not in ("cached", "online"):
            raise ConfigurationError(f"targets {self.targets!r}; expected cached or online")
