"""`resight train` and `resight distill`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from resight.cli.options import EXPERT, Data, Device, Layout, NamePattern, SkipUnreadable, TorchThreads, for_experts
from resight.cli.terminal import check_writable, say, use_threads, warn, write_result
from resight.cli.terminal import skip_unreadable as skip
from resight.distillation import LOSSES
from resight.distillation.config import DistillConfig
from resight.progress import TerminalProgress
from resight.training.config import TrainConfig

if TYPE_CHECKING:
    from resight.datasets import Accounting

__all__ = ["distill", "train"]

_USUAL = ("network", "weights", "height", "width", "epochs", "batch_size", "learning_rate", "seed")

if TYPE_CHECKING:
    TrainOptions = TrainConfig
    DistillOptions = DistillConfig
else:
    TrainOptions = for_experts(TrainConfig, *_USUAL)
    DistillOptions = for_experts(
        DistillConfig, *_USUAL, "teacher", "temperature", *(f"{name}_weight" for name in ("hard", *LOSSES))
    )


def train(
    *,
    data: Data,
    out: Path,
    recipe: Path | None = None,
    layout: Layout = "auto",
    name_pattern: NamePattern = "",
    skip_unreadable: SkipUnreadable = False,
    device: Device = "auto",
    threads: TorchThreads = 0,
    cache: Annotated[Path | None, EXPERT] = None,
    json: Path | None = None,
    config: Annotated[TrainOptions, Parameter(name="*")] = TrainOptions(),  # noqa: B008 (frozen)
) -> None:
    """Train a network on the ground truth. The same command resumes an interrupted run.

    Parameters
    ----------
    data
        Folder of a data set, or a table; only its training images are read. Given several times, the sets are taken together.
    out
        Run folder to write.
    recipe
        TOML file with any of the options below, or one of the package, such as fine-tune/student-160x64.toml. Options on the
        command line override it.
    cache
        Folder for decoded images, for data sets larger than the memory.
    json
        Also write the run's history and provenance to this file.
    """
    from resight.datasets import open_dataset
    from resight.training.train import train as fit_alone

    check_writable(json)
    use_threads(threads)
    dataset = open_dataset(data, layout, name_pattern=name_pattern)
    warn(dataset.warnings)
    with TerminalProgress() as progress:
        if skip_unreadable:
            dataset = skip(dataset, "train", progress=progress)
        run = fit_alone(dataset, out, TrainConfig(**vars(config)), device=device, cache=cache, progress=progress)
    _report_run(run, dataset.account("train", first=True), json)


def distill(
    *,
    data: Data,
    out: Path,
    recipe: Path | None = None,
    layout: Layout = "auto",
    name_pattern: NamePattern = "",
    skip_unreadable: SkipUnreadable = False,
    device: Device = "auto",
    threads: TorchThreads = 0,
    cache: Annotated[Path | None, EXPERT] = None,
    json: Path | None = None,
    config: Annotated[DistillOptions, Parameter(name="*", consume_multiple=True, negative_iterable=())] = DistillOptions(),  # noqa: B008 (frozen)
) -> None:
    """Train a small student to answer like its teachers. The same command resumes an interrupted run.

    The student learns soft targets, embeddings or feature maps of one or several larger models, and the ground truth.

    Parameters
    ----------
    data
        Folder of a data set, or a table; only its training images are read. Given several times, the sets are taken together.
    out
        Run folder to write.
    recipe
        TOML file with any of the options below, or one of the package, such as fine-tune/student-160x64.toml. Options on the
        command line override it.
    cache
        Folder for decoded images and the teachers' answers.
    json
        Also write the run's history and provenance to this file.
    """
    from resight.datasets import open_dataset
    from resight.distillation.distill import distill as fit_student
    from resight.training.data import unlabelled_records

    check_writable(json)
    use_threads(threads)
    how = DistillConfig(**vars(config))
    dataset = open_dataset(data, layout, name_pattern=name_pattern)
    warn(dataset.warnings)
    with TerminalProgress() as progress:
        more = unlabelled_records(how.unlabelled, dataset.paths("train", "query", "gallery"))
        warn(more.notes)
        if skip_unreadable:
            dataset, more = skip(dataset, "train", progress=progress), skip(more, progress=progress)
        run = fit_student(dataset, out, how, unlabelled=more, device=device, cache=cache, progress=progress)
    _report_run(run, dataset.account("train", first=True) + more.accounting, json)


def _report_run(folder: Path, accounting: Accounting, json: Path | None) -> None:
    from resight.training.train import read_history

    history = read_history(folder)
    last, start = history["epochs"][-1], history.get("start", {})
    before = {name: f"{value:.2f} -> " for name, value in start.items()}
    held_out = ", ".join(f"{name} {before.get(name, '')}{value:.2f} %" for name, value in last.get("validation", {}).items())
    say(f"{folder}: {last['epoch']} epochs, loss {last['loss']:.3f}" + (f"; held out: {held_out}" if held_out else ""))
    write_result(json, history, accounting)
