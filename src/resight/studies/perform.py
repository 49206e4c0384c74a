"""One run of a study from beginning to end: train, evaluate, and record a teacher's soft targets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from resight.configuration import configure
from resight.datasets import Dataset, open_dataset
from resight.distillation.config import DistillConfig
from resight.distillation.distill import distill
from resight.distillation.targets import entropies, entropy
from resight.errors import ConfigurationError, one_line
from resight.evaluation.model import evaluate_model
from resight.files import write_json
from resight.images import load_pixels
from resight.models import load_model
from resight.models.model import Model
from resight.models.pytorch import NetworkModel, network_outputs
from resight.progress import Progress, silent
from resight.provenance import provenance
from resight.training.config import TrainConfig
from resight.training.train import train

__all__ = ["DISTANCE", "TEMPERATURES_SHOWN", "Task", "attempt"]

DISTANCE = "euclidean"
"""Distance between deep features in the paper."""

TEMPERATURES_SHOWN = (1, 3, 5, 10, 20, 30)
"""T of Figure 5."""

_SHOWN_IMAGES = 1024


@dataclass(frozen=True, kw_only=True)
class Task:
    """Everything one run needs. Plain values, so that another process can take it.

    Attributes
    ----------
    data : str
        Folder of the data set.
    folder : str
        Run folder.
    configuration : dict or None
        Configuration of the training; None if there is nothing to train.
    model : str
        Model to evaluate afterwards, as `resight.models.load_model` names it; empty for none.
    scores : str
        JSON file for its scores.
    distributions : str
        JSON file for its soft targets on training images; empty if it does not teach.
    device, cache : str
        See `resight.training.train.train`.
    """

    data: str
    folder: str
    configuration: dict[str, Any] | None
    model: str = ""
    scores: str = ""
    distributions: str = ""
    device: str
    cache: str


def attempt(task: Task, progress: Progress = silent) -> str:
    """Do a task. Whatever goes wrong with one run, the others go on.

    Parameters
    ----------
    task : Task
    progress : Progress

    Returns
    -------
    str
        Reason of the failure in one line; empty if it succeeded.
    """
    try:
        _perform(task, progress)
    except Exception as error:
        return one_line(error)
    return ""


def _perform(task: Task, progress: Progress) -> None:
    dataset = open_dataset(task.data)
    how: dict[str, Any] = {"device": task.device, "cache": Path(task.cache), "progress": progress}
    if task.configuration is not None:
        if "teacher" in task.configuration:
            distill(dataset, task.folder, configure(DistillConfig, task.configuration), **how)
        else:
            train(dataset, task.folder, configure(TrainConfig, task.configuration), **how)
    if not task.model:
        return
    model = load_model(task.model, device=task.device)
    if task.distributions:
        write_json(task.distributions, _distributions(model, dataset, Path(task.cache), progress))
    about = {"model": model.name, "model_sha256": model.sha256, "dataset": dataset.name, "distance": DISTANCE}
    scores = evaluate_model(model, dataset, DISTANCE, progress=progress).to_dict()
    source = provenance({"model": task.model, "distance": DISTANCE})
    write_json(task.scores, about | {"parameters": model.parameters} | scores | {"provenance": source})


def _distributions(model: Model, dataset: Dataset, cache: Path, progress: Progress) -> dict[str, Any]:
    """Soft targets of a teacher on some training images: its logits for a typical one, and mean entropies.

    The typical image is the one whose entropy at T = 1 is the median.
    """
    if not isinstance(model, NetworkModel) or not model.network.classes:
        raise ConfigurationError(f"the teacher {model.name} gives embeddings and no classes; its soft targets cannot be used")
    paths = dataset.train.paths
    some = np.linspace(0, len(paths) - 1, min(len(paths), _SHOWN_IMAGES)).astype(int)
    pixels = load_pixels([paths[i] for i in some], model.size, cache=cache, progress=progress)
    (logits,) = network_outputs(model.network, pixels, wanted=["logits"], progress=progress, stage="teacher")
    each = entropy(torch.from_numpy(logits), 1)
    typical = int(each.argsort()[len(each) // 2])
    return {
        "model": model.name,
        "model_sha256": model.sha256,
        "images": len(some),
        "entropy": entropies(torch.from_numpy(logits), TEMPERATURES_SHOWN),
        "image": Path(paths[some[typical]]).name,
        "logits": [float(value) for value in logits[typical]],
    }
