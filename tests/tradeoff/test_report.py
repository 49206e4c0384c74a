"""Reports: what is written is read again, fronts are within one number of threads, and unlike hardware is not merged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from resight.errors import ConfigurationError, MeasurementError
from resight.tradeoff.report import Failure, marked, merged, read_report
from resight.tradeoff.tables import save_report
from tradeoff.fakes import PROVENANCE, report, row


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = report(
        row(rank1=12.3, map=4.5, on_front=True, search_ms=0.25),
        failures=(Failure(model="c", threads=1, reason="out of memory"),),
        dataset="tiny",
        load={"before": 0.1, "after": 1.5},
        warnings=("loud",),
    )
    save_report(written, tmp_path, "benchmark")
    assert read_report(tmp_path / "benchmark.json") == written


@pytest.mark.parametrize("content", ["", "[]", '{"models": 3}', '{"models": [{"model": "x"}]}', '{"rank1": 3.0}'])
def test_another_file_is_not_taken_for_a_report(content: str, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(MeasurementError, match=r"other\.json is not a record"):
        read_report(tmp_path / "other.json")


def test_a_damaged_row_is_refused(tmp_path: Path) -> None:
    save_report(report(row()), tmp_path, "benchmark")
    for damage, message in (({"images_per_second": "fast"}, "images_per_second = 'fast'"), ({"speed": 3.0}, "unknown key 'speed'")):
        values = json.loads((tmp_path / "benchmark.json").read_text())
        values["models"][0] |= damage
        (tmp_path / "damaged.json").write_text(json.dumps(values))
        with pytest.raises(ConfigurationError, match=message):
            read_report(tmp_path / "damaged.json")


def test_the_front_is_among_rows_of_known_accuracy_on_the_same_threads() -> None:
    rows = marked(
        [
            row("fast", 1, 100, map=20.0),
            row("slow and worse", 1, 50, map=10.0),
            row("slow and better", 1, 50, map=30.0),
            row("fastest, unknown", 1, 1000),
            row("slow and worse", 2, 80, map=10.0),  # alone on two threads
        ]
    )
    assert [one.on_front for one in rows] == [True, False, True, False, True]


def test_reports_of_one_machine_are_put_together() -> None:
    parts = [report(row("a", map=1.0), dataset="tiny", load={"before": 0.1, "after": 2.0}), report(row("b"), row("a", 1))]
    both = merged(parts, ["A", "B"], {"command": "merge"})
    assert [(one.model, one.threads) for one in both.rows] == [("a", 2), ("b", 2), ("a", 1)]
    assert both.rows[0].on_front
    assert (both.dataset, both.load["before"]) == ("tiny", 0.1)
    assert both.provenance["hardware"] == PROVENANCE["hardware"]
    assert both.provenance["parts"] == [PROVENANCE, PROVENANCE]


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("hardware", "processor", "Q"),
        ("hardware", "cores", 4),
        ("hardware", "accelerator", "H100"),
        ("hardware", "system", "Darwin arm64"),
        ("versions", "torch", "2.6.0"),
    ],
)
def test_another_machine_is_refused(part: str, name: str, value: object) -> None:
    other = json.loads(json.dumps(PROVENANCE))
    other[part][name] = value
    with pytest.raises(MeasurementError, match=f"A has {name} .* and B has {value}, .* measure them in one run"):
        merged([report(row("a")), report(row("b"), provenance=other)], ["A", "B"], {})


def test_load_and_a_package_that_one_lacks_do_not_matter() -> None:
    other = json.loads(json.dumps(PROVENANCE))
    other["hardware"]["load"] = 3.0
    del other["versions"]["torch"]
    assert len(merged([report(row("a")), report(row("b"), provenance=other)], ["A", "B"], {}).rows) == 2


def test_other_images_another_data_set_and_a_model_twice_are_refused() -> None:
    with pytest.raises(MeasurementError, match="images"):
        merged([report(row("a")), report(row("b"), images={"count": 8, "sha256": "1"})], ["A", "B"], {})
    with pytest.raises(MeasurementError, match="data set"):
        merged([report(row("a"), dataset="x"), report(row("b"), dataset="y")], ["A", "B"], {})
    with pytest.raises(MeasurementError, match="a, 2 threads, is in two of A, B"):
        merged([report(row("a")), report(row("a"))], ["A", "B"], {})
