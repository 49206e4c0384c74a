"""The description of a distillation loss, without PyTorch: the command line and the configuration are made from it."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

__all__ = ["DistillationLoss"]


@dataclass(frozen=True)
class DistillationLoss:
    """A line of `resight.distillation.LOSSES`.

    Attributes
    ----------
    help : str
        Help text of its weight.
    weight : float
        Default weight; 0 leaves the loss out.
    needs : str
        Answer that it needs of the teachers: ``"logits"``, ``"embedding"``, ``"attention"`` or ``"maps"``; empty if it needs no
        teacher.
    least_batch : int
        Smallest batch that it can compare.
    """

    help: str
    _: KW_ONLY
    weight: float = 0.0
    needs: str = ""
    least_batch: int = 1
