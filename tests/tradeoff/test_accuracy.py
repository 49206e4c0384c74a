"""Scores find the models they are of, by the SHA-256 of the weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from resight.datasets import open_dataset
from resight.errors import MeasurementError
from resight.tradeoff.accuracy import with_evaluation, with_scores
from tradeoff.fakes import report, row


def scores(folder: Path, sha256: str, value: float = 50.0, dataset: str = "tiny", **changes: object) -> Path:
    file = folder / f"{sha256}-{value}-{dataset}{''.join(changes)}.json"
    about = {"model_sha256": sha256, "rank1": 2 * value, "map": value, "dataset": dataset}
    asked = {"queries": 5, "gallery": 9, "protocol": "other cameras", "input_size": [128, 64]}
    file.write_text(json.dumps(about | asked | changes))
    return file


def test_rows_get_the_scores_of_their_weights(tmp_path: Path) -> None:
    rows = [row("a", 1, sha256="aa"), row("b", 1, sha256="bb"), row("untrained", 1, sha256=""), row("a", 2, sha256="aa")]
    scored = with_scores(report(*rows), [scores(tmp_path, "aa", 20), scores(tmp_path, "cc")])
    assert [(one.rank1, one.map) for one in scored.rows] == [(40, 20), (None, None), (None, None), (40, 20)]
    assert scored.dataset == "tiny"
    assert [one.on_front for one in scored.rows] == [True, False, False, True]
    (warning,) = scored.warnings
    assert "cc-50.0-tiny.json belongs to none of the models" in warning


def test_an_earlier_benchmark_knows_the_scores(tmp_path: Path) -> None:
    earlier = report(row("a", sha256="aa", rank1=40.0, map=20.0), row("new", sha256="bb"), dataset="tiny")
    file = tmp_path / "benchmark.json"
    file.write_text(json.dumps(earlier.to_dict()))
    scored = with_scores(report(row("a", sha256="aa"), row("b", sha256="bb")), [file, scores(tmp_path, "bb", 30)])
    assert [(one.rank1, one.map) for one in scored.rows] == [(40, 20), (60, 30)]
    assert (scored.dataset, scored.warnings) == ("tiny", ())


def test_scores_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    rows = report(row("a", sha256="aa"), row("b", sha256="bb"))
    for files, message in (
        ([scores(tmp_path, "aa", 1), scores(tmp_path, "aa", 2)], "another file has, too"),
        ([scores(tmp_path, "aa"), scores(tmp_path, "bb", dataset="other")], "different data sets: other, tiny"),
        ([scores(tmp_path, "")], "untrained"),
        ([tmp_path / "nowhere.json"], "not a record"),
        ([scores(tmp_path, "aa", reranking={"k1": 20})], "without --rerank"),
        ([scores(tmp_path, "aa", input_size=[32, 16])], "measured at 32x16"),
        ([scores(tmp_path, "aa"), scores(tmp_path, "bb", protocol="all but itself")], "different ways: 5 queries, 9 gallery"),
        ([scores(tmp_path, "aa"), scores(tmp_path, "bb", queries=6)], "different ways"),
    ):
        with pytest.raises(MeasurementError, match=message):
            with_scores(rows, files)


def test_scores_of_one_data_set_are_not_called_those_of_another(tiny: Path) -> None:
    dataset = open_dataset(tiny)
    with pytest.raises(MeasurementError, match="the report has scores of viper; drawn needs a report of its own"):
        with_evaluation(report(row("a", map=3.0), dataset="viper"), ["a"], dataset)
    assert with_evaluation(report(row("a")), [], dataset).dataset == "drawn"
