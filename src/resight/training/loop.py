"""The training loop: one network, one array of images, one loss, with checkpoints that resume to the same result."""

from __future__ import annotations

import contextlib
import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from resight.compute import first_process
from resight.errors import ResightError
from resight.memory import keep_freed_memory
from resight.networks.batches import Batches
from resight.networks.network import ReidNetwork
from resight.progress import Progress, silent
from resight.training.augment import EpochPlan, plan_epoch
from resight.training.average import WeightAverage
from resight.training.checkpoint import Position, load_checkpoint, save_checkpoint
from resight.training.config import TrainConfig
from resight.training.losses import Batch, Loss
from resight.training.processes import average_gradients, begin_together, gathered, share
from resight.training.schedule import cosine_decay, step_decay, warm_up

__all__ = ["autocast", "run_epochs"]

History = list[dict[str, Any]]


def run_epochs(
    network: ReidNetwork,
    batches: Batches,
    labels: NDArray[np.int64],
    loss: Loss,
    config: TrainConfig,
    *,
    checkpoint: Path | None = None,
    origin: Mapping[str, str] | None = None,
    checkpoint_seconds: float = 60.0,
    unlabelled_share: float = 0.0,
    validate: Callable[[int], dict[str, float]] | None = None,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
    progress: Progress = silent,
) -> History:
    """Train a network in place, on one process or on those that torchrun started.

    Parameters
    ----------
    network : ReidNetwork
        On the device of `batches`.
    batches : Batches
        Batches of all training images.
    labels : int64 array of shape (n,)
        Class of each of them; less than 0 for an image without an identity.
    loss : Loss
    config : TrainConfig
        Optimiser, schedule, augmentation and seed; its fields for network, data and losses are not read here.
    checkpoint : Path, optional
        File to resume from if it exists, and to write after each epoch and every `checkpoint_seconds`. An interrupted run loses the
        steps after it.
    origin : mapping of str to str, optional
        Sources of the run as SHA-256, by name; a checkpoint with others is refused.
    checkpoint_seconds : float
    unlabelled_share : float
        Share of each batch that shows images without an identity, if there are any.
    validate : callable, optional
        Called with the number of finished epochs; what it returns is stored in that epoch's row under ``validation``.
    on_epoch : callable, optional
        Called with each new row of history.
    progress : Progress
        Counts steps.

    Returns
    -------
    list of dict
        One row an epoch: ``epoch``, ``steps`` (since the start), ``learning_rate``, the mean ``loss`` and its
        parts, ``seconds``, ``images_per_second``, and ``validation``.

    Raises
    ------
    CheckpointError
        If `checkpoint` cannot be resumed from.
    ResightError
        If the loss is not finite.
    """
    keep_freed_memory()
    loss.to(batches.device)
    trained = nn.ModuleDict({"network": network, "loss": loss})
    optimiser = _optimiser(trained, config)
    average = WeightAverage(network, config.average) if config.average else None
    position = Position()
    if checkpoint is not None and checkpoint.exists():
        position = load_checkpoint(checkpoint, trained, optimiser, average, origin or {})
    on_device = torch.from_numpy(labels).to(batches.device)
    trained.train()

    def plan_of(epoch: int) -> EpochPlan:
        return plan_epoch(
            labels,
            config.batch_size,
            epoch=epoch,
            seed=config.seed,
            size=network.preprocessing.size,
            images_per_identity=config.images_per_identity,
            unlabelled_share=unlabelled_share,
            flip=config.flip,
            pad=config.pad,
            erase=config.erase,
            colour=config.colour,
            coarse=config.coarse,
        )

    steps = len(plan_of(0))
    begin_together(trained, (position.epoch, position.step), len(plan_of(0).rows[0]))

    def save() -> None:
        if checkpoint is not None and first_process():
            save_checkpoint(checkpoint, trained, optimiser, average, position, origin or {})

    saved = time.monotonic()
    while position.epoch < config.epochs:
        plan = plan_of(position.epoch)
        sums = _Sums(position.sums)
        while position.step < steps:
            view = plan[position.step]
            started = time.monotonic()
            rate = _learning_rate(config, position.epoch * steps + position.step, steps)
            for group in optimiser.param_groups:
                group["lr"] = rate
            images = batches(share(view))
            with autocast(batches.device, config.precision):
                outputs = gathered(network(images), view)
            total, parts = loss(Batch(view, images, on_device[torch.from_numpy(view.rows).to(batches.device)]), outputs)
            optimiser.zero_grad(set_to_none=True)
            total.backward()
            average_gradients(trained)
            optimiser.step()
            if average is not None:
                average.update(network)
            sums.add("loss", total)
            for name, part in parts.items():
                sums.add(name, part)
            position.step += 1
            shown = position.step % 20 == 0 or position.step == steps
            due = time.monotonic() - saved > checkpoint_seconds
            if shown or due:
                sums.fetch(position)  # a GPU may still be at work: waiting for it is part of the time
            sums.add_seconds(time.monotonic() - started)
            if shown or due:
                position.sums = sums.read()
            if shown:
                progress("training", position.epoch * steps + position.step, config.epochs * steps, _note(position))
            if due:
                save()
                saved = time.monotonic()
        last = (position.epoch + 1) * steps - 1  # a run resumed here has not made a step of this epoch itself
        row = _row(position, steps, _learning_rate(config, last, steps), len(plan.rows[0]))
        position.epoch, position.step, position.sums = position.epoch + 1, 0, {}
        if validate is not None:
            with contextlib.nullcontext() if average is None else average.applied(network):
                row["validation"] = validate(position.epoch)
        position.history.append(row)
        if on_epoch is not None:
            on_epoch(row)
        save()
        saved = time.monotonic()
    if average is not None:
        average.copy_to(network)
    return position.history


def _optimiser(trained: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    parameters = [parameter for parameter in trained.parameters() if parameter.requires_grad]
    if config.optimiser == "adam":
        return torch.optim.Adam(parameters, lr=config.learning_rate, weight_decay=config.weight_decay)
    return torch.optim.SGD(parameters, lr=config.learning_rate, momentum=config.momentum, weight_decay=config.weight_decay)


def _learning_rate(config: TrainConfig, step: int, steps: int) -> float:
    """Learning rate of one step, if an epoch has `steps` of them."""
    factor = warm_up(step, steps=round(config.warm_up * steps))
    if config.schedule == "cosine":
        return factor * cosine_decay(step, initial=config.learning_rate, steps=config.epochs * steps)
    return factor * step_decay(step, initial=config.learning_rate, every=config.decay_every, factor=config.decay_factor)


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[Any]:
    """The block in which a network computes, with `TrainConfig.precision`."""
    if precision == "bfloat16" or (precision == "auto" and device.type == "cuda"):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


class _Sums:
    """Sums of an epoch's figures, kept on the device so that a GPU is not asked for a number at every step."""

    def __init__(self, earlier: dict[str, float]) -> None:
        self._values: dict[str, float] = defaultdict(float, earlier)
        self._pending: dict[str, Tensor] = {}

    def add(self, name: str, value: Tensor) -> None:
        value = value.detach().double()
        self._pending[name] = self._pending[name] + value if name in self._pending else value

    def add_seconds(self, seconds: float) -> None:
        self._values["seconds"] += seconds

    def fetch(self, position: Position) -> None:
        for name, value in self._pending.items():
            self._values[name] += float(value)
        self._pending.clear()
        if not math.isfinite(self._values["loss"]):
            raise ResightError(f"the loss is not finite (epoch {position.epoch + 1}, step {position.step}); lower --learning-rate")

    def read(self) -> dict[str, float]:
        return dict(self._values)


def _row(position: Position, steps: int, rate: float, batch: int) -> dict[str, Any]:
    means = {name: value / steps for name, value in position.sums.items() if name != "seconds"}
    seconds = position.sums["seconds"]
    return {
        "epoch": position.epoch + 1,
        "steps": (position.epoch + 1) * steps,
        "learning_rate": rate,
        **means,
        "seconds": seconds,
        "images_per_second": steps * batch / max(seconds, 1e-9),
    }


def _note(position: Position) -> str:
    return f"loss {position.sums['loss'] / max(position.step, 1):.3f}"
