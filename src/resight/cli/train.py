"""`resight train` and `resight distill`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from resight.cli.options import Data, Device, Layout, NamePattern, TorchThreads
from resight.cli.terminal import say, use_threads, warn, write_result
from resight.distillation.config import DistillConfig
from resight.progress import TerminalProgress
from resight.training.config import TrainConfig

if TYPE_CHECKING:
    from resight.datasets import Dataset

__all__ = ["distill", "train"]


def train(
    *,
    data: Data,
    out: Path,
    recipe: Path | None = None,
    layout: Layout = "auto",
    name_pattern: NamePattern = "",
    device: Device = "auto",
    threads: TorchThreads = 0,
    cache: Path | None = None,
    json: Path | None = None,
    config: Annotated[TrainConfig, Parameter(name="*")] = TrainConfig(),  # noqa: B008 (frozen)
) -> None:
    """Train a network alone; an interrupted run goes on when the same command is given again.

    Parameters
    ----------
    data
        Folder of a data set, or a table; only its training images are read. May be given several times.
    out
        Run folder to write.
    recipe
        TOML file with any of the options below, or one of the package, such as fine-tune/student-160x64.toml; options given here
        override it.
    cache
        Folder for decoded images, for data sets larger than the memory.
    json
        Also write the run's history and provenance to this file.
    """
    from resight.datasets import open_dataset
    from resight.training.train import train as fit_alone

    use_threads(threads)
    dataset = open_dataset(data, layout, name_pattern=name_pattern)
    warn(dataset.warnings)
    with TerminalProgress() as progress:
        _report_run(fit_alone(dataset, out, config, device=device, cache=cache, progress=progress), dataset, json)


def distill(
    *,
    data: Data,
    out: Path,
    recipe: Path | None = None,
    layout: Layout = "auto",
    name_pattern: NamePattern = "",
    device: Device = "auto",
    threads: TorchThreads = 0,
    cache: Path | None = None,
    json: Path | None = None,
    config: Annotated[DistillConfig, Parameter(name="*", consume_multiple=True, negative_iterable=())] = DistillConfig(),  # noqa: B008 (frozen)
) -> None:
    """Train a student on what its teachers say: soft targets (equation 2 of the paper), embeddings, feature maps.

    Goes on after an interruption as `train` does.

    Parameters
    ----------
    data
        Folder of a data set, or a table; only its training images are read. May be given several times.
    out
        Run folder to write.
    recipe
        TOML file with any of the options below, or one of the package, such as fine-tune/student-160x64.toml; options given here
        override it.
    cache
        Folder for decoded images and the teachers' answers.
    json
        Also write the run's history and provenance to this file.
    """
    from resight.datasets import open_dataset
    from resight.distillation.distill import distill as fit_student

    use_threads(threads)
    dataset = open_dataset(data, layout, name_pattern=name_pattern)
    warn(dataset.warnings)
    with TerminalProgress() as progress:
        _report_run(fit_student(dataset, out, config, device=device, cache=cache, progress=progress), dataset, json)


def _report_run(folder: Path, dataset: Dataset, json: Path | None) -> None:
    from resight.training.train import read_history

    history = read_history(folder)
    last, start = history["epochs"][-1], history.get("start", {})
    before = {name: f"{value:.2f} -> " for name, value in start.items()}
    held_out = ", ".join(f"{name} {before.get(name, '')}{value:.2f} %" for name, value in last.get("validation", {}).items())
    say(f"{folder}: {last['epoch']} epochs, loss {last['loss']:.3f}" + (f"; held out: {held_out}" if held_out else ""))
    write_result(json, history, dataset.account("train"))
