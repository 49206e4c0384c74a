"""The command line: verbs only. Each one imports what it needs when it runs, so that `resight --help` answers at once."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, ArgumentCollection, CycloptsError, Parameter
from cyclopts.config import Dict

from resight.distillation.config import DistillConfig
from resight.errors import MissingDependencyError, ResightError
from resight.progress import TerminalProgress
from resight.training.config import TrainConfig

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["app", "main"]

DistanceName = Literal["", "euclidean", "cosine", "kissme", "xqda"]
DeviceName = Literal["auto", "cpu", "cuda"]


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code is 0, or 2 after a user's mistake, or 130 after an interruption."""
    with _sigterm_interrupts():
        try:
            app(arguments, exit_on_error=False, print_error=False)
        except CycloptsError as error:
            return _complain(" ".join(str(error).split()), "see `resight --help`")
        except ResightError as error:
            return _complain(str(error))
        except KeyboardInterrupt:
            sys.stderr.write("\nresight: interrupted; the same command goes on where it stopped\n")
            return 130
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in ("torch", "matplotlib", "scipy", "numba", "h5py", "tensorboardX"):
                raise
            missing = MissingDependencyError(f"this needs {error.name}, which is not installed; pip install 'resight[train]'")
            return _complain(str(missing))
    return 0


def _complain(message: str, way_out: str = "") -> int:
    sys.stderr.write(f"resight: {message}{'; ' + way_out if way_out else ''}\n")
    return 2


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Let a polite kill end a run as Ctrl-C does: no half-written file, no traceback."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


app = App(
    name="resight",
    help="Find a person again across cameras: train, distil, evaluate, and see speed beside accuracy.",
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
dataset_app = App(name="dataset", help="Look at data sets.")
app.command(dataset_app)


def _recipe(kind: type[Any]) -> Any:
    """A Cyclopts configuration source: the file named by --recipe, whose fields the flags override."""

    def apply(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
        for argument in arguments:
            if argument.name == "--recipe" and argument.tokens:
                from resight.configuration import configure, read_recipe

                path = argument.tokens[0].value
                values = read_recipe(path)
                configure(kind, values, source=path)
                Dict(values, use_commands_as_keys=False, source=path)(app, commands, arguments)

    return apply


@dataset_app.command
def inspect(data: Path, *, layout: str = "auto", json: Path | None = None) -> None:
    """Say what is in a folder: images, identities, cameras, junk, distractors, unreadable files.

    Parameters
    ----------
    data
        Folder of a data set, or a CSV.
    layout
        market1501, dukemtmc, viper, cuhk01, folder or synthetic; auto recognises it.
    json
        Also write the findings to this file.
    """
    from resight.datasets import inspect as inspect_dataset
    from resight.datasets import open_dataset

    with TerminalProgress() as progress:
        found = inspect_dataset(open_dataset(data, layout), progress=progress)
    values = found.to_dict()
    headings = ["images", "identities", "cameras", "junk", "distractors"]
    rows = [[part, *(str(values[part][heading]) for heading in headings)] for part in ("train", "query", "gallery")]
    _show(_table(f"{found.name}: {data}", ["", *headings], rows))
    if found.splits > 1:
        _say(f"the first of {found.splits} random divisions is shown")
    _say(f"queries without a match: {found.unmatched_queries}; duplicate files: {found.duplicates}")
    _say(f"unreadable files: {len(found.unreadable)}")
    for path, reason in found.unreadable[:20]:
        _say(f"  {path}: {reason}")
    _warn(found.warnings)
    _write_json(json, values)


@app.command(config=(_recipe(TrainConfig),))
def train(
    *,
    data: Path,
    out: Path,
    recipe: Path | None = None,
    device: DeviceName = "auto",
    threads: int = 0,
    cache: Path | None = None,
    json: Path | None = None,
    config: Annotated[TrainConfig, Parameter(name="*")] = TrainConfig(),  # noqa: B008 (frozen)
) -> None:
    """Train a network alone; an interrupted run goes on when the same command is given again.

    Parameters
    ----------
    data
        Folder of a data set; only its training images are read.
    out
        Run folder to write.
    recipe
        TOML file with any of the options below; options given here override it.
    device
        Where to compute; auto takes a GPU if there is one.
    threads
        CPU threads; 0 leaves it to PyTorch.
    cache
        Folder for decoded images, for data sets larger than the memory.
    json
        Also write the run's history and provenance to this file.
    """
    from resight.training.fit import train as fit_alone

    _use_threads(threads)
    with TerminalProgress() as progress:
        _report_run(fit_alone(data, out, config, device=device, cache=cache, progress=progress), json)


@app.command(config=(_recipe(DistillConfig),))
def distill(
    *,
    data: Path,
    out: Path,
    recipe: Path | None = None,
    device: DeviceName = "auto",
    threads: int = 0,
    cache: Path | None = None,
    json: Path | None = None,
    config: Annotated[DistillConfig, Parameter(name="*")] = DistillConfig(),  # noqa: B008 (frozen)
) -> None:
    """Train a student on a teacher's soft targets (equation 2 of the paper); goes on after an interruption as `train` does.

    Parameters
    ----------
    data
        Folder of a data set; only its training images are read.
    out
        Run folder to write.
    recipe
        TOML file with any of the options below; options given here override it.
    device
        Where to compute; auto takes a GPU if there is one.
    threads
        CPU threads; 0 leaves it to PyTorch.
    cache
        Folder for decoded images and the teacher's answers.
    json
        Also write the run's history and provenance to this file.
    """
    from resight.distillation.fit import distill as fit_student

    _use_threads(threads)
    with TerminalProgress() as progress:
        _report_run(fit_student(data, out, config, device=device, cache=cache, progress=progress), json)


@app.command
def fit(
    *,
    data: Path,
    out: Path,
    model: str = "lomo",
    distance: Literal["kissme", "xqda"] = "xqda",
    dimensions: int = 0,
    layout: str = "auto",
    seed: int = 0,
    device: DeviceName = "auto",
    threads: int = 0,
    json: Path | None = None,
) -> None:
    """Learn a distance (KISSME or XQDA) for LOMO or a network's features; the result is a model like any other.

    Parameters
    ----------
    data
        Folder of a data set; only its training images are read.
    out
        Folder to write.
    model
        lomo, lomo:none, or any network's run folder or NETWORK:FILE.
    distance
        What to learn.
    dimensions
        At most so many for xqda (0: what its rule gives); components of the PCA before kissme (0: 200).
    layout
        market1501, dukemtmc, viper, cuhk01, folder or synthetic; auto recognises it.
    seed
        Of kissme's random pairs.
    device
        Where networks compute.
    threads
        CPU threads for networks; 0 leaves it to PyTorch.
    json
        Also write the model's card to this file.
    """
    from resight.datasets import open_dataset
    from resight.files import read_json
    from resight.models import fit_model

    _use_threads(threads)
    dataset = open_dataset(data, layout)
    _warn(dataset.warnings)
    with TerminalProgress() as progress:
        fit_model(dataset, out, model, distance, dimensions=dimensions, seed=seed, device=device, progress=progress)
    card = read_json(out / "card.json")
    _say(f"{out}: {distance} on {model}, {card['dimensions']} dimensions, from {card['training']['images']} images")
    _write_json(json, card)


@app.command
def extract(
    *, model: str, images: Path, out: Path, device: DeviceName = "auto", threads: int = 0, json: Path | None = None
) -> None:
    """Turn images into vectors: OUT.npy (float32, a row an image) and OUT.csv (path, identity, camera).

    Parameters
    ----------
    model
        Run folder, or NETWORK:FILE with foreign weights.
    images
        Folder of a data set (query and gallery are extracted), or any folder with images in it.
    out
        Name of the files to write, without ending.
    device
        Where to compute.
    threads
        CPU threads; 0 leaves it to PyTorch.
    json
        Also write counts, speed and provenance to this file.
    """
    import time

    from resight.features.extraction import embed_files, find_images, save_vectors
    from resight.models import load_model
    from resight.provenance import provenance

    _use_threads(threads)
    extractor = load_model(model, device=device)
    records = find_images(images)
    with TerminalProgress() as progress:
        start = time.perf_counter()
        vectors = embed_files(extractor, records.paths, progress=progress)
        seconds = time.perf_counter() - start
    save_vectors(out, vectors, records)
    _say(
        f"{len(vectors)} images, {extractor.embedding_size} numbers each, {len(vectors) / seconds:.0f} images/s: "
        f"{out}.npy, {out}.csv"
    )
    result = {"model": extractor.name, "model_sha256": extractor.sha256, "images": len(vectors), "seconds": seconds}
    _write_json(json, result | {"provenance": provenance({"model": model})})


@app.command
def evaluate(
    *,
    data: Path,
    model: str,
    distance: DistanceName = "",
    layout: str = "auto",
    height: int = 0,
    width: int = 0,
    device: DeviceName = "auto",
    threads: int = 0,
    json: Path | None = None,
) -> None:
    """Rank the gallery for every query and score the ranking: Rank-k and mAP, by the data set's own protocol.

    Parameters
    ----------
    data
        Folder of a data set.
    model
        Run folder, or NETWORK:FILE with foreign weights, for example osnet-0.25:osnet_x0_25_market1501.pth.
    distance
        Between vectors: the model's own (Euclidean, or what it was fitted with) unless given. kissme and xqda are learned from the
        data set's training images.
    layout
        market1501, dukemtmc, viper, cuhk01, folder or synthetic; auto recognises it.
    height
        Of the network's input, in pixels; 0 is the model's own.
    width
        Of the network's input, in pixels; 0 is the model's own.
    device
        Where to compute.
    threads
        CPU threads; 0 leaves it to PyTorch.
    json
        Also write all figures to this file, in per cent, with their provenance.
    """
    from resight.datasets import open_dataset
    from resight.evaluation.model import evaluate_model
    from resight.models import load_model
    from resight.provenance import provenance

    _use_threads(threads)
    dataset = open_dataset(data, layout)
    extractor = load_model(model, device=device, height=height, width=width)
    _warn(dataset.warnings)
    used = distance or (extractor.distance if isinstance(extractor.distance, str) else "fitted")
    with TerminalProgress() as progress:
        values = evaluate_model(extractor, dataset, distance, progress=progress).to_dict()
    named = {"rank1": "Rank-1", "rank5": "Rank-5", "rank10": "Rank-10", "rank20": "Rank-20", "map": "mAP"}
    named |= {"map_trapezoidal": "mAP, trapezoidal", "minp": "mINP"}
    rows = [[heading, f"{values[name]:.2f}" + _deviation(values, name)] for name, heading in named.items()]
    _show(_table(f"{extractor.name}, {used} distance, on {dataset.name}", ["", "%"], rows))
    _say(f"{values['queries']} queries, {values['gallery']} gallery images, ranked in {values['seconds_ranking']:.2f} s")
    about = {"model": extractor.name, "model_sha256": extractor.sha256, "dataset": dataset.name, "distance": used}
    _write_json(json, about | values | {"provenance": provenance({"model": model, "distance": used})})


@app.command
def tradeoff(
    *models: str,
    data: Path,
    out: Path = Path("tradeoff"),
    distance: DistanceName = "",
    layout: str = "auto",
    images: int = 1024,
    rounds: int = 5,
    device: DeviceName = "auto",
    threads: int = 0,
    json: Path | None = None,
) -> None:
    """Speed beside accuracy for several models on this machine: table, CSV, JSON, Markdown and picture.

    Parameters
    ----------
    models
        Run folders, or NETWORK:FILE with foreign weights, or NETWORK for an untrained one.
    data
        Folder of a data set.
    out
        Folder to write tradeoff.json, .csv, .md and .png to.
    distance
        Between vectors.
    layout
        market1501, dukemtmc, viper, cuhk01, folder or synthetic; auto recognises it.
    images
        Gallery images that speed is measured on.
    rounds
        Counted rounds of timing, after one that is not counted.
    device
        Where to compute.
    threads
        CPU threads; 0 leaves it to PyTorch.
    json
        Also write the JSON to this file.
    """
    from resight.datasets import open_dataset
    from resight.errors import ConfigurationError
    from resight.models import load_model
    from resight.tradeoff.report import COLUMNS, formatted, measure_tradeoff, save_tradeoff

    if not models:
        raise ConfigurationError("no model is named; give one or more run folders or NETWORK:FILE")
    _use_threads(threads)
    dataset = open_dataset(data, layout)
    _warn(dataset.warnings)
    extractors = [load_model(model, device=device) for model in models]
    with TerminalProgress() as progress:
        rows = measure_tradeoff(extractors, dataset, distance=distance, timed_images=images, rounds=rounds, progress=progress)
    record = save_tradeoff(rows, out, dataset=dataset.name, distance=distance, images=images, rounds=rounds)
    _show(_table(f"Trade-off on {dataset.name}", [heading for _, heading in COLUMNS], [formatted(row) for row in rows]))
    _say(f"* nobody is both faster and better. {out / 'tradeoff.png'} shows it.")
    _write_json(json, record)


@app.command
def classical(*, data: Path, out: Path = Path("classical"), seed: int = 0, json: Path | None = None) -> None:
    """The paper's classical side: LOMO with Euclidean, KISSME and XQDA (Table 1, Figure 7, timing); resumable step by step.

    Parameters
    ----------
    data
        Folder of Market-1501 or a data set in its layout.
    out
        Folder for descriptors (7 GB for Market-1501), finished steps, classical.json and classical.png.
    seed
        Of KISSME's random pairs.
    json
        Also write the figures to this file.
    """
    from resight.datasets import open_dataset
    from resight.features.lomo import RETINEX
    from resight.tradeoff.classical import PAPER_TABLE_1, classical_study

    dataset = open_dataset(data)
    _warn(dataset.warnings)
    with TerminalProgress() as progress:
        record = classical_study(dataset, out, seed=seed, progress=progress)
    rows = []
    for distance, paper in PAPER_TABLE_1.items():
        figures = [record["retinex"][retinex]["test"][distance] for retinex in RETINEX]
        rows.append([distance, *(f"{found['rank1']:.2f} / {found['map']:.2f}" for found in figures), f"{paper[0]} / {paper[1]}"])
    _show(_table(f"LOMO on {dataset.name}, Rank-1 / mAP (%)", ["", *RETINEX, "paper (Market-1501)"], rows))
    _say(f"chosen on held-out identities: {record['chosen']}. {out / 'classical.png'} shows XQDA against its dimensions.")
    _write_json(json, record)


@app.command
def demo(*, out: Path = Path("demo"), threads: int = 0, json: Path | None = None) -> None:
    """The whole job on drawn pedestrians, offline, in minutes: data set, teacher, student alone, student distilled, trade-off.

    Parameters
    ----------
    out
        Folder for the drawn camera network, the runs and the trade-off. Given again, finished parts are not done again.
    threads
        CPU threads; 0 leaves it to PyTorch.
    json
        Also write the trade-off's JSON to this file.
    """
    from resight.demo import run_demo
    from resight.tradeoff.report import COLUMNS, formatted

    _use_threads(threads)
    with TerminalProgress() as progress:
        rows, record = run_demo(out, progress=progress)
    _show(_table("Trade-off on the drawn camera network", [heading for _, heading in COLUMNS], [formatted(row) for row in rows]))
    _say(f"* nobody is both faster and better. Look at {out / 'tradeoff.png'} and {out / 'people.png'}.")
    _write_json(json, record)


def _use_threads(threads: int) -> None:
    if threads > 0:
        import torch

        torch.set_num_threads(threads)


def _report_run(folder: Path, json: Path | None) -> None:
    from resight.files import read_json
    from resight.training.fit import HISTORY

    history = read_json(folder / HISTORY)
    last = history["epochs"][-1]
    held_out = ", ".join(f"{name} {value:.2f} %" for name, value in last.get("validation", {}).items())
    _say(f"{folder}: {last['epoch']} epochs, loss {last['loss']:.3f}" + (f"; held out: {held_out}" if held_out else ""))
    _write_json(json, history)


def _deviation(values: dict[str, Any], name: str) -> str:
    return f" ± {values[f'{name}_deviation']:.2f}" if f"{name}_deviation" in values else ""


def _warn(warnings: tuple[str, ...]) -> None:
    for warning in warnings:
        sys.stderr.write(f"resight: note: {warning}\n")


def _table(title: str, headings: list[str], rows: list[list[str]]) -> Table:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number == 0 else "right", no_wrap=number == 0)
    for row in rows:
        table.add_row(*row)
    return table


def _show(table: Table) -> None:
    from rich.console import Console

    console = Console()
    # In a pipe there is no width to fit into: let nothing be cut off.
    Console(width=None if console.is_terminal else 200).print(table)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _write_json(path: Path | None, values: Any) -> None:
    if path is not None:
        from resight.files import write_json

        write_json(path, values)


if __name__ == "__main__":
    sys.exit(main())
