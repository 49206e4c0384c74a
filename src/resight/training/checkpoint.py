"""Checkpoints that resume to the same result: one safetensors file with network, momentum and position, written atomically."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from resight.errors import CheckpointError
from resight.files import atomic_write
from resight.training.average import WeightAverage

__all__ = ["Position", "load_checkpoint", "save_checkpoint"]


@dataclass
class Position:
    """Position of a training.

    Attributes
    ----------
    epoch : int
        Epochs finished.
    step : int
        Steps finished in the current epoch.
    history : list of dict
        Figures at the end of every finished epoch.
    sums : dict
        Sums of the current epoch's figures over its finished steps.
    """

    epoch: int = 0
    step: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)


def save_checkpoint(
    path: str | Path,
    trained: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: WeightAverage | None,
    position: Position,
    origin: Mapping[str, str],
) -> None:
    """Write a checkpoint. The file under `path` stays until the new one is complete.

    Parameters
    ----------
    path : str or Path
    trained, optimiser
        Everything that is trained. The optimiser's tensors (momentum) are stored under the parameters' names.
    average : WeightAverage, optional
    position : Position
    origin : mapping of str to str
        Sources of the run: SHA-256 of its options, its data, and the weights that it starts from or learns from.

    Raises
    ------
    StorageError
        If the file cannot be written, for example on a full disk.
    """
    tensors = {f"trained.{name}": tensor.contiguous() for name, tensor in trained.state_dict().items()}
    for name, parameter in trained.named_parameters():
        for key, value in optimiser.state.get(parameter, {}).items():
            if isinstance(value, Tensor):
                tensors[f"optimiser.{key}.{name}"] = value.contiguous()
    if average is not None:
        tensors |= {f"average.{name}": tensor.contiguous() for name, tensor in average.tensors.items()}
    metadata = {
        "average_steps": str(average.steps if average is not None else 0),
        "origin": json.dumps(dict(origin)),
        "position": json.dumps([position.epoch, position.step, position.history, position.sums]),
    }
    content = safetensors.torch.save(tensors, metadata)
    with atomic_write(path) as stream:
        stream.write(content)


def load_checkpoint(
    path: str | Path,
    trained: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: WeightAverage | None,
    origin: Mapping[str, str],
) -> Position:
    """Put a checkpoint's state into what is trained, the optimiser and the average.

    Parameters
    ----------
    path : str or Path
    trained, optimiser, average
        As they were built for this run; changed in place.
    origin : mapping of str to str
        Sources of this run; they must be those of the checkpoint.

    Returns
    -------
    Position

    Raises
    ------
    CheckpointError
        If the file is damaged, is of another origin, or holds tensors of other names or shapes.
    """
    way_out = "choose another --out, or delete it to start anew"
    try:
        with safetensors.safe_open(path, framework="pt") as stored:
            metadata = stored.metadata() or {}
            found = dict(json.loads(metadata.get("origin", "{}")))
            if unlike := [what for what in {**origin, **found} if found.get(what) != origin.get(what)]:
                raise CheckpointError(f"{path} belongs to a run with other {' and other '.join(unlike)}; {way_out}")
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (not a mapping)
        epoch, step, history, sums = json.loads(metadata["position"])
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{path} is damaged ({error}); {way_out}") from error
    try:
        trained.load_state_dict({n.removeprefix("trained."): t for n, t in tensors.items() if n.startswith("trained.")})
        if average is not None:
            average.steps = int(metadata["average_steps"])
            for name, tensor in average.tensors.items():
                tensor.copy_(tensors[f"average.{name}"])
    except (RuntimeError, KeyError) as error:
        raise CheckpointError(f"{path} holds another network ({str(error).splitlines()[-1].strip()}); {way_out}") from error
    for name, parameter in trained.named_parameters():
        for stored_name, tensor in tensors.items():
            kind, _, rest = stored_name.partition(".")
            key, _, owner = rest.partition(".")
            if kind == "optimiser" and owner == name:
                # A step count is kept on the CPU by PyTorch, momentum beside its parameter and in the same memory format.
                optimiser.state[parameter][key] = tensor if key == "step" else torch.empty_like(parameter).copy_(tensor)
    return Position(epoch, step, history, sums)
