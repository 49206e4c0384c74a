"""Speed beside accuracy: the paper's Table 4 and Figure 10 for any models on any data set, on this machine."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from resight.datasets.records import Dataset
from resight.errors import ConfigurationError
from resight.evaluation.model import evaluate_model
from resight.features.extraction import Extractor
from resight.files import atomic_write, write_json, write_text
from resight.progress import Progress, silent
from resight.provenance import provenance
from resight.tradeoff.pareto import pareto_front
from resight.tradeoff.speed import measure_speeds

__all__ = ["COLUMNS", "Row", "draw_tradeoff", "formatted", "measure_tradeoff", "save_tradeoff", "table_csv", "table_markdown"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One model in the trade-off.

    Attributes
    ----------
    model : str
    rank1, map : float
        Per cent.
    images_per_second, network_images_per_second : float
        From file to vector, and from decoded pixels to vector; see `resight.tradeoff.speed.Speed`.
    images_per_second_range : tuple of two floats
        Slowest and fastest round, from file to vector.
    parameters : int
        Of the embedding network.
    multiply_adds : int or None
        For one image.
    embedding_size : int
        Numbers in one vector.
    input_size : tuple of (height, width)
    on_front : bool
        No other model is both faster, from file to vector, and better in mAP.
    """

    model: str
    rank1: float
    map: float
    images_per_second: float
    network_images_per_second: float
    images_per_second_range: tuple[float, float]
    parameters: int
    multiply_adds: int | None
    embedding_size: int
    input_size: tuple[int, int]
    on_front: bool

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def measure_tradeoff(
    extractors: Sequence[Extractor],
    dataset: Dataset,
    *,
    distance: str = "",
    timed_images: int = 1024,
    rounds: int = 5,
    progress: Progress = silent,
) -> list[Row]:
    """Evaluate and time several models.

    Parameters
    ----------
    extractors : sequence of Extractor
        With different names.
    dataset : Dataset
    distance : str
        ``"euclidean"`` or ``"cosine"`` for all of them, or empty for each model's own.
    timed_images : int
        Gallery images that speed is measured on; fewer if the gallery is smaller.
    rounds : int
        See `measure_speeds`.
    progress : Progress

    Returns
    -------
    list of Row
        In the order of `extractors`.

    Raises
    ------
    ConfigurationError
        If two models have one name.
    ResightError
        Whatever evaluation raises.
    """
    names = [extractor.name for extractor in extractors]
    if len(set(names)) < len(names):
        raise ConfigurationError(f"two models have the same name: {', '.join(names)}; rename a folder")
    scores = [evaluate_model(extractor, dataset, distance, progress=progress) for extractor in extractors]
    speeds = measure_speeds(extractors, dataset.gallery.paths[:timed_images], rounds=rounds, progress=progress)
    front = pareto_front([1 / speed.files_to_vectors for speed in speeds], [score.map for score in scores])
    return [
        Row(
            model=extractor.name,
            rank1=100 * score.rank1,
            map=100 * score.map,
            images_per_second=speed.files_to_vectors,
            network_images_per_second=speed.network_alone,
            images_per_second_range=speed.files_to_vectors_range,
            parameters=extractor.parameters,
            multiply_adds=extractor.multiply_adds,
            embedding_size=extractor.embedding_size,
            input_size=extractor.size,
            on_front=bool(on),
        )
        for extractor, score, speed, on in zip(extractors, scores, speeds, front, strict=True)
    ]


COLUMNS = (
    ("model", "Model"),
    ("rank1", "Rank-1 (%)"),
    ("map", "mAP (%)"),
    ("images_per_second", "Images/s, file to vector"),
    ("network_images_per_second", "Images/s, network alone"),
    ("parameters", "Parameters (M)"),
    ("multiply_adds", "Multiply-adds (M)"),
    ("embedding_size", "Embedding"),
    ("input_size", "Input"),
    ("on_front", "Front"),
)
"""Field of `Row` and heading, in the order of the tables."""


def formatted(row: Row) -> list[str]:
    """The cells of one row as text, in the order of `COLUMNS`."""
    return [
        row.model,
        f"{row.rank1:.2f}",
        f"{row.map:.2f}",
        f"{row.images_per_second:.0f}",
        f"{row.network_images_per_second:.0f}",
        f"{row.parameters / 1e6:.2f}",
        "-" if row.multiply_adds is None else f"{row.multiply_adds / 1e6:.0f}",
        str(row.embedding_size),
        "x".join(map(str, row.input_size)),
        "*" if row.on_front else "",
    ]


def table_markdown(rows: Sequence[Row]) -> str:
    """A Markdown table."""
    lines = [[heading for _, heading in COLUMNS], ["---"] + ["---:"] * (len(COLUMNS) - 1), *map(formatted, rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def table_csv(rows: Sequence[Row]) -> str:
    """A CSV with the fields of `Row`, unrounded."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([name for name, _ in COLUMNS])
    for row in rows:
        values = row.to_dict() | {"input_size": "x".join(map(str, row.input_size))}
        writer.writerow([values[name] for name, _ in COLUMNS])
    return stream.getvalue()


def draw_tradeoff(rows: Sequence[Row], path: str | Path, *, title: str = "") -> None:
    """Draw mAP against the time for one image, from file to vector, with the Pareto front, as PNG.

    Raises `StorageError`.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    axes = figure.subplots()
    times = [1000 / row.images_per_second for row in rows]
    front = sorted((time, row.map) for time, row in zip(times, rows, strict=True) if row.on_front)
    axes.plot(*zip(*front, strict=True), drawstyle="steps-post", color="tab:red", alpha=0.6, label="Pareto front")
    for time, row in zip(times, rows, strict=True):
        axes.scatter(time, row.map, s=46, color="tab:red" if row.on_front else "0.5", zorder=3)
        slow = time > np.sqrt(min(times) * max(times))  # its name goes to the left, where there is room
        place = {"xytext": (-6, 6), "ha": "right"} if slow else {"xytext": (6, 6)}
        axes.annotate(row.model, (time, row.map), textcoords="offset points", fontsize=9, **place)
    axes.set_xscale("log")
    for axis in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        axis(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.margins(x=0.15, y=0.15)
    axes.set(xlabel="milliseconds per image, file to vector (log scale)", ylabel="mAP (%)", title=title)
    axes.grid(alpha=0.3, which="both")
    axes.legend(frameon=False, loc="lower right")
    with atomic_write(path) as stream:
        figure.savefig(stream, format="png", dpi=130)


def save_tradeoff(rows: Sequence[Row], folder: str | Path, *, dataset: str, **configuration: Any) -> dict[str, Any]:
    """Write ``tradeoff.json``, ``.csv``, ``.md`` and ``.png`` into `folder`, and return what the JSON holds.

    Raises `StorageError`.
    """
    folder = Path(folder)
    record = {"dataset": dataset, "models": [row.to_dict() for row in rows], "provenance": provenance(configuration)}
    write_json(folder / "tradeoff.json", record)
    write_text(folder / "tradeoff.csv", table_csv(rows))
    write_text(folder / "tradeoff.md", table_markdown(rows))
    draw_tradeoff(rows, folder / "tradeoff.png", title=f"Speed beside accuracy on {dataset}")
    return record
