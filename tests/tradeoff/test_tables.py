"""Reports as tables and pictures."""

from __future__ import annotations

import csv
import itertools
import json
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from resight.tradeoff import tables
from resight.tradeoff.report import Failure
from resight.tradeoff.tables import cells, name_points, save_report, table_csv, table_markdown
from tradeoff.fakes import report, row

FAILED = Failure(model="c", threads=1, reason="out of memory")


def test_cells_show_what_is_known() -> None:
    headings, (line, failed) = cells(report(row(rank1=12.345, map=6.789, search_ms=4.56, on_front=True), failures=(FAILED,)))
    shown = dict(zip(headings, line, strict=True))
    assert shown["Images/s, file to vector"] == "1234 (1200-1300)"
    assert shown["One image (ms), 95 %"] == "0.71, 0.93"
    assert (shown["Model"], shown["Rank-1 (%)"], shown["Search (ms)"]) == ("a, b *", "12.35", "4.6")
    assert (shown["Params (M)"], shown["Vector"], shown["Input"]) == ("0.21", "256", "128x64")
    assert "Memory (MB)" not in shown  # nobody's is known
    assert failed[:4] == ["c", "1", "failed", "-"]
    assert len(failed) == len(headings)


def test_a_brief_table_fits_a_terminal() -> None:
    headings, rows = cells(report(row(), failures=(FAILED,)), brief=True)
    assert headings == ["Model", "Threads", "Images/s, file to vector", "Images/s, network alone", "One image (ms), 95 %"]
    assert [len(line) for line in rows] == [5, 5]


def test_markdown_has_a_line_for_each_row_and_the_reasons_below() -> None:
    text = table_markdown(report(row(), failures=(FAILED,), warnings=("loud",)))
    assert text.count("\n| ") == 3
    assert text.endswith("\n- c, 1 thread: out of memory\n- loud\n")


def test_csv_is_unrounded() -> None:
    lines = list(csv.DictReader(table_csv(report(row(map=6.789), failures=(FAILED,))).splitlines()))
    assert (lines[0]["model"], lines[0]["map"], lines[0]["images_per_second"]) == ("a, b", "6.789", "1234.5")
    assert (lines[0]["images_per_second_low"], lines[0]["images_per_second_high"]) == ("1200.0", "1300.0")
    assert (lines[0]["input_size"], lines[0]["reason"]) == ("128x64", "")
    assert (lines[1]["model"], lines[1]["threads"], lines[1]["reason"]) == ("c", "1", "out of memory")


def test_files_and_the_picture_where_an_accuracy_is_known(tmp_path: Path) -> None:
    written = save_report(report(row()), tmp_path / "without", "benchmark")
    assert {path.name for path in written} == {"benchmark.json", "benchmark.csv", "benchmark.md"}
    rows = [
        row(name, threads, speed, map=3.0, on_front=True) for name, threads, speed in (("a", 1, 10), ("a", 2, 20), ("b", 2, 30))
    ]
    written = save_report(report(*rows, dataset="tiny"), tmp_path, "benchmark")
    assert (tmp_path / "benchmark.png").read_bytes().startswith(b"\x89PNG")
    assert set(written) == set(tmp_path.glob("benchmark.*"))
    assert [one["model"] for one in json.loads((tmp_path / "benchmark.json").read_text())["models"]] == ["a", "a", "b"]


def test_the_picture_is_of_the_most_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[float, float, str]] = []
    monkeypatch.setattr(tables, "name_points", lambda axes, points: drawn.extend(points))
    save_report(report(row("a", 1, 10, map=3.0), row("a", 2, 20, map=3.0, on_front=True), row("no score", 2, 30)), tmp_path, "b")
    assert drawn == [(50.0, 3.0, "a")]


def test_names_in_the_picture_do_not_meet() -> None:
    figure = Figure(figsize=(7.5, 4.6))
    axes = figure.subplots()
    points = [
        (1.0, 70.0, "a model with a long name"),
        (1.02, 70.2, "another of its kind"),
        (1.04, 69.9, "a third"),
        (2, 75, "far off"),
    ]
    axes.scatter([x for x, _, _ in points], [y for _, y, _ in points])
    name_points(axes, points)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [Text.get_window_extent(text, canvas.get_renderer()) for text in axes.texts]  # without the line to the point
    assert [text.get_text() for text in axes.texts] == [name for _, _, name in points]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert not any(box.contains(*place) for box in boxes for place in axes.transData.transform([point[:2] for point in points]))
