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
    teacher : str
        A model, as `resight.features.deep.load_extractor` names them. Any network, with any input size.
    temperature : float
        T of the soft targets.
    hard_weight : float
        Lambda, the weight of the cross-entropy with the ground truth.
    targets : str
        ``"cached"``: ask the teacher once for every image and its mirror image; ``"online"``: ask it at every batch.
    """

    teacher: str = ""
    temperature: float = 3.0
    hard_weight: float = 0.001
    targets: str = "cached"
    epochs: int = 39
    learning_rate: float = 0.02

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.temperature > 0:
            raise ConfigurationError(f"temperature = {self.temperature}; expected more than 0")
        if self.hard_weight < 0:
            raise ConfigurationError(f"hard_weight = {self.hard_weight}; expected at least 0")
        if self.targets not in ("cached", "online"):
            raise ConfigurationError(f"targets {self.targets!r}; expected cached or online")
