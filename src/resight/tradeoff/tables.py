"""A report for people: table, CSV, Markdown and picture."""

from __future__ import annotations

import csv
import io
import itertools
from dataclasses import asdict, fields
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resight.files import atomic_write, write_json, write_text
from resight.tradeoff.report import Report, Row, on_threads

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

__all__ = ["cells", "draw_tradeoff", "name_points", "save_report", "table_csv", "table_markdown"]

_UNKNOWN = "-"
_TITLES = {"drawn": "drawn people", "market1501": "Market-1501", "dukemtmc": "DukeMTMC-reID"}
_BRIEF = (
    "Model",
    "Threads",
    "Rank-1 (%)",
    "mAP (%)",
    "Images/s, file to vector",
    "Images/s, network alone",
    "One image (ms), 95 %",
)


def cells(report: Report, *, brief: bool = False) -> tuple[list[str], list[list[str]]]:
    """Headings, and the cells of each row as text. Empty columns are left out; `brief` leaves out most.

    Figures are medians over the rounds, with the slowest and the fastest round in brackets. The 95th percentile follows a latency.
    The search is for one query in 100,000 vectors. A star marks models that no model on the same threads beats; see `Row.on_front`.
    """
    rows = [_formatted(row) for row in report.rows]
    headings = _BRIEF if brief else list(rows[0])
    known = [heading for heading in headings if any(row[heading] != _UNKNOWN for row in rows)]
    table = [[row[heading] for heading in known] for row in rows]
    rest = [_UNKNOWN] * (len(known) - 3)
    table += [[failure.model, str(failure.threads), "failed", *rest] for failure in report.failures]
    return known, table


def _formatted(row: Row) -> dict[str, str]:
    """Heading and cell."""

    def with_range(name: str) -> str:
        low, high = row.ranges[name]
        return f"{getattr(row, name):.0f} ({low:.0f}-{high:.0f})"

    def number(value: float | None, digits: int) -> str:
        return _UNKNOWN if value is None else f"{value:.{digits}f}"

    return {
        "Model": row.model + (" *" if row.on_front else ""),
        "Threads": str(row.threads),
        "Rank-1 (%)": number(row.rank1, 2),
        "mAP (%)": number(row.map, 2),
        "Images/s, file to vector": with_range("images_per_second"),
        "Images/s, network alone": with_range("network_images_per_second"),
        "batch": str(row.batch_size),
        "One image (ms), 95 %": f"{row.latency_ms:.2f}, {row.latency_p95_ms:.2f}",
        "from file (ms), 95 %": f"{row.file_latency_ms:.2f}, {row.file_latency_p95_ms:.2f}",
        "Search (ms)": number(row.search_ms, 1),
        "Memory (MB)": number(row.memory_mb, 0),
        "Params (M)": f"{row.parameters / 1e6:.2f}",
        "Vector": str(row.embedding_size),
        "Input": "x".join(map(str, row.input_size)),
    }


def table_markdown(report: Report) -> str:
    """A Markdown table, with failures and warnings below it."""
    headings, rows = cells(report)
    lines = [headings, ["---"] + ["---:"] * (len(headings) - 1), *rows]
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    reasons = [f"{failure.model}, {on_threads(failure.threads)}: {failure.reason}" for failure in report.failures]
    notes = [*reasons, *report.warnings]
    return text + ("\n" if notes else "") + "".join(f"- {note}\n" for note in notes)


def table_csv(report: Report) -> str:
    """A CSV with the unrounded fields of `Row`, ranges as ``..._low`` and ``..._high``, and the reason of each failure."""
    names = [field.name for field in fields(Row) if field.name not in ("by_batch", "ranges", "model", "threads")]
    ranged = sorted({name for row in report.rows for name in row.ranges})
    bounds = [f"{name}_{end}" for name in ranged for end in ("low", "high")]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, ["model", "threads", *names, *bounds, "reason"], lineterminator="\n")
    writer.writeheader()
    for row in report.rows:
        values: dict[str, Any] = asdict(row) | {"input_size": "x".join(map(str, row.input_size))}
        for name, (low, high) in values.pop("ranges").items():
            values |= {f"{name}_low": low, f"{name}_high": high}
        del values["by_batch"]
        writer.writerow(values)
    writer.writerows(asdict(failure) for failure in report.failures)
    return stream.getvalue()


def draw_tradeoff(report: Report, path: str | Path) -> None:
    """Draw mAP against the time for one image, from file to vector, with the Pareto front, as PNG.

    Draws the rows of known accuracy on the largest number of threads; there must be one. Raises `StorageError`.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    threads = max(row.threads for row in report.rows if row.map is not None)
    points = [
        (1000 / row.images_per_second, row.map, row)
        for row in report.rows
        if row.map is not None and row.threads == threads
    ]  # fmt: skip
    figure = Figure(figsize=(9, 5.4), layout="constrained")
    axes = figure.subplots()
    front = sorted((time, score) for time, score, row in points if row.on_front)
    axes.plot(*zip(*front, strict=True), drawstyle="steps-post", color="tab:red", alpha=0.6, label="Pareto front")
    for time, score, row in points:
        axes.scatter(time, score, s=46, color="tab:red" if row.on_front else "0.5", zorder=3)
    axes.set_xscale("log")

    def label(value: float, _: object) -> str:
        low, high = axes.get_xlim()
        crowded = high > 4 * low and f"{value:e}"[0] not in "1235"  # 6 to 9 would run into each other
        return "" if crowded else f"{value:g}"

    for axis in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        axis(FuncFormatter(label))
    axes.margins(x=0.15, y=0.15)
    axes.set(xlabel=f"milliseconds per image, file to vector, {on_threads(threads)} (log scale)", ylabel="mAP (%)")
    axes.set_title(f"Speed beside accuracy on {_TITLES.get(report.dataset, report.dataset)}")
    axes.grid(alpha=0.3, which="both")
    axes.legend(frameon=False, loc="lower right")
    name_points(axes, sorted((time, score, row.model) for time, score, row in points))
    with atomic_write(path) as stream:
        figure.savefig(stream, format="png", dpi=130)


def name_points(axes: Axes, points: list[tuple[float, float, str]]) -> None:
    """Write the name of each point (x, y, name) beside it, in the place that covers other names and points least."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.transforms import Bbox

    canvas: Any = FigureCanvasAgg(axes.figure)  # type: ignore[arg-type]
    canvas.draw()
    taken = [Bbox.from_extents(x - 5, y - 5, x + 5, y + 5) for x, y in axes.transData.transform([point[:2] for point in points])]
    for x, y, name in points:
        tried: list[tuple[float, int, dict[str, Any], Bbox]] = []
        for side, up in itertools.product(("left", "right", "center"), (5, -14, 18, -27, 31, -40)):
            at = {"left": 6, "right": -6, "center": 0}[side], up
            place: dict[str, Any] = {"xytext": at, "textcoords": "offset points", "ha": side, "fontsize": 9}
            text = axes.annotate(name, (x, y), **place)
            box = text.get_window_extent(canvas.get_renderer())
            text.remove()
            covered = sum(_area(Bbox.intersection(box, other)) for other in taken)
            outside = _area(box) - _area(Bbox.intersection(box, axes.bbox))
            tried.append((covered + outside, len(tried), place, box))
        _, _, place, box = min(tried, key=lambda one: one[:2])
        if abs(place["xytext"][1]) > 14:  # a name further away is tied to its point
            place["arrowprops"] = {"arrowstyle": "-", "color": "0.5", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3}
        axes.annotate(name, (x, y), **place)
        taken.append(box)


def _area(box: Bbox | None) -> float:
    return 0.0 if box is None else float(box.width * box.height)


def save_report(report: Report, folder: str | Path, name: str) -> list[Path]:
    """Write ``NAME.json``, ``.csv`` and ``.md`` into `folder`, and ``.png`` if an accuracy is known. Returns the written files.

    Needs matplotlib for the picture, and leaves it out without. Raises `StorageError`.
    """
    stem = Path(folder) / name
    write_json(stem.with_suffix(".json"), report.to_dict())
    write_text(stem.with_suffix(".csv"), table_csv(report))
    write_text(stem.with_suffix(".md"), table_markdown(report))
    written = [stem.with_suffix(ending) for ending in (".json", ".csv", ".md")]
    if any(row.map is not None for row in report.rows) and find_spec("matplotlib") is not None:
        draw_tradeoff(report, stem.with_suffix(".png"))
        written.append(stem.with_suffix(".png"))
    return written
