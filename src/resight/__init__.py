"""Resight finds a person again across cameras, on the processor people already have.

    import resight

    model = resight.load_model()
    vectors = model.embed(["ann.jpg", "bob.jpg"])
    gallery = resight.Gallery.open("people")
    print(gallery.search(vectors[0], k=10))

`dir(resight)` lists the public names. Each is imported when it is first used, so that nothing waits for PyTorch without need.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same names for type checkers and editors; a test compares them with the table
    from resight.datasets import Dataset as Dataset
    from resight.datasets import Records as Records
    from resight.datasets import Split as Split
    from resight.datasets import inspect as inspect
    from resight.datasets import open_dataset as open_dataset
    from resight.decision import Calibration as Calibration
    from resight.decision import calibrate as calibrate
    from resight.decision import decide as decide
    from resight.decision.evaluate_open_set import evaluate_open_set as evaluate_open_set
    from resight.decision.open_set_scores import score_open_set as score_open_set
    from resight.decision.people_distances import search_everybody as search_everybody
    from resight.distillation.config import DistillConfig as DistillConfig
    from resight.distillation.distill import distill as distill
    from resight.errors import ResightError as ResightError
    from resight.evaluation.model import evaluate_model as evaluate_model
    from resight.evaluation.protocol import evaluate as evaluate
    from resight.evaluation.scores import Scores as Scores
    from resight.export.config import ExportConfig as ExportConfig
    from resight.export.model import export_model as export_model
    from resight.extraction.extract import extract as extract
    from resight.gallery import Crop as Crop
    from resight.gallery import Gallery as Gallery
    from resight.gallery import Settings as Settings
    from resight.gallery import Where as Where
    from resight.gallery import find_crops as find_crops
    from resight.models import Model as Model
    from resight.models import load_model as load_model
    from resight.models.fitted import fit_model as fit_model
    from resight.ranking.nearest import nearest as nearest
    from resight.ranking.rerank import Reranking as Reranking
    from resight.ranking.rerank import rerank as rerank
    from resight.tradeoff.benchmark import benchmark as benchmark
    from resight.tradeoff.measure import measure_tradeoff as measure_tradeoff
    from resight.training.config import TrainConfig as TrainConfig
    from resight.training.train import train as train

_PUBLIC = {
    "datasets": ("Dataset", "Records", "Split", "inspect", "open_dataset"),
    "decision": ("Calibration", "calibrate", "decide"),
    "decision.evaluate_open_set": ("evaluate_open_set",),
    "decision.open_set_scores": ("score_open_set",),
    "decision.people_distances": ("search_everybody",),
    "distillation.config": ("DistillConfig",),
    "distillation.distill": ("distill",),
    "errors": ("ResightError",),
    "evaluation.model": ("evaluate_model",),
    "evaluation.protocol": ("evaluate",),
    "evaluation.scores": ("Scores",),
    "export.config": ("ExportConfig",),
    "export.model": ("export_model",),
    "extraction.extract": ("extract",),
    "gallery": ("Crop", "Gallery", "Settings", "Where", "find_crops"),
    "models": ("Model", "load_model"),
    "models.fitted": ("fit_model",),
    "ranking.nearest": ("nearest",),
    "ranking.rerank": ("Reranking", "rerank"),
    "tradeoff.benchmark": ("benchmark",),
    "tradeoff.measure": ("measure_tradeoff",),
    "training.config": ("TrainConfig",),
    "training.train": ("train",),
}
"""Every public name, by the module that defines it."""

_HOMES = {name: f"resight.{module}" for module, names in _PUBLIC.items() for name in names}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("resight")
    elif name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    else:
        from resight.configuration import nearest_name

        raise AttributeError(f"module 'resight' has no attribute {name!r}{nearest_name(name, _HOMES)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
