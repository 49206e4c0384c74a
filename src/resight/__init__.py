"""Resight finds a person again across cameras, on the processor people already have.

The names below are the public ones; each is imported when it is first used, so that what needs no PyTorch does not wait for it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resight.datasets import Dataset, Records, Split, inspect, open_dataset
    from resight.distillation.config import DistillConfig
    from resight.distillation.distill import distill
    from resight.errors import ResightError
    from resight.evaluation.model import evaluate_model
    from resight.evaluation.protocol import evaluate
    from resight.evaluation.scores import Scores
    from resight.models import embed_files, load_model
    from resight.models.fitted import fit_model
    from resight.ranking.nearest import nearest
    from resight.ranking.rerank import Reranking, rerank
    from resight.tradeoff.benchmark import benchmark
    from resight.tradeoff.measure import measure_tradeoff
    from resight.training.config import TrainConfig
    from resight.training.train import train

__all__ = [
    "Dataset",
    "DistillConfig",
    "Records",
    "Reranking",
    "ResightError",
    "Scores",
    "Split",
    "TrainConfig",
    "benchmark",
    "distill",
    "embed_files",
    "evaluate",
    "evaluate_model",
    "fit_model",
    "inspect",
    "load_model",
    "measure_tradeoff",
    "nearest",
    "open_dataset",
    "rerank",
    "train",
]

_HOMES = {
    "Dataset": "datasets",
    "DistillConfig": "distillation.config",
    "Records": "datasets",
    "Reranking": "ranking.rerank",
    "ResightError": "errors",
    "Scores": "evaluation.scores",
    "Split": "datasets",
    "TrainConfig": "training.config",
    "benchmark": "tradeoff.benchmark",
    "distill": "distillation.distill",
    "embed_files": "models",
    "evaluate": "evaluation.protocol",
    "evaluate_model": "evaluation.model",
    "fit_model": "models.fitted",
    "inspect": "datasets",
    "load_model": "models",
    "measure_tradeoff": "tradeoff.measure",
    "nearest": "ranking.nearest",
    "open_dataset": "datasets",
    "rerank": "ranking.rerank",
    "train": "training.train",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'resight' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"resight.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
