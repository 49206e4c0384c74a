"""The benchmark's loop with workers that cost nothing; and the whole command with processes of its own, once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

from resight.cli import main
from resight.datasets import open_dataset
from resight.errors import ConfigurationError, ImageError, MeasurementError
from resight.tradeoff import benchmark as module
from resight.tradeoff.benchmark import benchmark
from resight.tradeoff.speed import SpeedConfig

CONFIG = SpeedConfig(rounds=4, batch_sizes=(1, 2))


class FakeWorker:
    """Named by what it does: ``lost`` does not load, ``dies`` fails in its second round."""

    log: ClassVar[list[tuple[str, str, int]]] = []

    def __init__(self, reference: str, paths: list[str], threads: int, config: SpeedConfig, device: str) -> None:
        self.reference, self.threads, self.rounds = reference, threads, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.log.append((self.reference, "end", self.threads))

    def load(self) -> dict[str, Any]:
        self.log.append((self.reference, "load", self.threads))
        if self.reference == "lost":
            raise MeasurementError("no model 'lost'")
        about = {"sha256": "", "parameters": 1, "multiply_adds": 2, "embedding_size": 3, "input_size": (4, 5)}
        return about | {"model": self.reference.rpartition("/")[2], "accelerator": "a GPU"}

    def one_round(self) -> dict[str, float]:
        self.log.append((self.reference, "round", self.threads))
        self.rounds += 1
        if self.reference == "dies" and self.rounds == 2:
            raise MeasurementError("dies: its process was ended by signal 9 (out of memory?)")
        names = (
            "latency_ms latency_p95_ms file_latency_ms file_latency_p95_ms images_per_second batch_1 batch_2 search_ms memory_mb"
        )
        return dict.fromkeys(names.split(), 10.0 * self.threads)


@pytest.fixture
def paths(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(module, "Worker", FakeWorker)
    monkeypatch.setattr(module, "provenance", lambda configuration, seed: {"hardware": hardware(), "configuration": configuration})
    FakeWorker.log.clear()
    return list(open_dataset(tiny).gallery.paths[:5])


def hardware() -> dict[str, Any]:
    return {"processor": "P", "cores": 2, "accelerator": None, "load": 0.0}


def test_all_models_in_turn_on_each_number_of_threads(paths: list[str]) -> None:
    report = benchmark(["a", "b", "c"], paths, CONFIG)
    assert [(row.threads, row.model) for row in report.rows] == [(n, name) for n in (1, 2) for name in "abc"]
    assert [row.images_per_second for row in report.rows] == [10.0] * 3 + [20.0] * 3
    assert (report.rows[0].search_ms, report.rows[0].memory_mb) == (10.0, 10.0)
    for threads in (1, 2):
        log = [(name, what) for name, what, count in FakeWorker.log if count == threads]
        assert log[:3] == [(name, "load") for name in "abc"]  # all are there before the first is timed
        rounds = [log[3 + 3 * turn : 6 + 3 * turn] for turn in range(4)]
        assert all(sorted(one) == [(name, "round") for name in "abc"] for one in rounds)
        assert log[15:] == [(name, "end") for name in "cba"]
    assert report.provenance["hardware"]["accelerator"] == "a GPU"
    assert report.images["count"] == 5


def test_a_model_that_fails_is_a_failure_and_the_others_are_rows(paths: list[str]) -> None:
    report = benchmark(["a", "lost", "dies", "b"], paths, CONFIG, threads=(1,))
    assert [row.model for row in report.rows] == ["a", "b"]
    assert {failure.model: failure.reason.partition(" ")[0] for failure in report.failures} == {"lost": "no", "dies": "dies:"}
    assert [name for name, what, _ in FakeWorker.log if what == "round"].count("dies") == 2
    assert {name for name, what, _ in FakeWorker.log if what == "end"} == {"a", "lost", "dies", "b"}
    with pytest.raises(MeasurementError, match="no model 'lost'"):
        benchmark(["lost"], paths, CONFIG)


def test_one_number_of_threads_is_measured_once(paths: list[str]) -> None:
    assert [row.threads for row in benchmark(["a"], paths, CONFIG, threads=(2, 0)).rows] == [2]
    with pytest.raises(ConfigurationError, match="1 to the 2 cores"):
        benchmark(["a"], paths, CONFIG, threads=(3,))


def test_where_a_process_cannot_be_confined_only_all_cores_are_measured(paths: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.sched_setaffinity", raising=False)
    with pytest.raises(ConfigurationError, match="--threads all"):
        benchmark(["a"], paths, CONFIG)
    assert [row.threads for row in benchmark(["a"], paths, CONFIG, threads=(0,)).rows] == [2]


def test_mistakes_are_refused_before_anything_is_measured(paths: list[str], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no model is given"):
        benchmark([], paths, CONFIG)
    with pytest.raises(ConfigurationError, match="a is given twice"):
        benchmark(["a", "b", "a"], paths, CONFIG)
    with pytest.raises(ConfigurationError, match="no image"):
        benchmark(["a"], [], CONFIG)
    (tmp_path / "broken.jpg").write_bytes(b"broken")
    with pytest.raises(ImageError, match=r"broken\.jpg"):
        benchmark(["a"], [*paths, str(tmp_path / "broken.jpg")], CONFIG)
    assert not FakeWorker.log
    with pytest.raises(ConfigurationError, match="student is given twice"):  # known when they are loaded
        benchmark(["runs/1/student", "runs/2/student"], paths, CONFIG)
    assert "round" not in {what for _, what, _ in FakeWorker.log}


def test_a_machine_that_is_not_quiet_is_told(paths: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert benchmark(["a"], paths, CONFIG).warnings == ()
    monkeypatch.setattr(module, "provenance", lambda configuration, seed: {"hardware": hardware() | {"load": 0.9}})
    (warning,) = benchmark(["a"], paths, CONFIG).warnings
    assert "load average 0.9 on 2 cores" in warning
    rates, plain = iter([10.0, 14.0, 12.0, 12.0]), FakeWorker.one_round
    monkeypatch.setattr(FakeWorker, "one_round", lambda self: plain(self) | {"images_per_second": next(rates)})
    assert benchmark(["a"], paths, CONFIG, threads=(1,)).warnings[1] == "rounds differ: a, 1 thread, did 10 to 14 images/s"


def test_the_command(tiny: Path, tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models, out = [str(tiny_run), f"usual:{tiny_run}", "nonsense"], tmp_path / "out"
    options = ["--rounds", "2", "--seconds", "0.01", "--batch-sizes", "1,4", "--threads", "1", "--count", "8", "--out", str(out)]
    assert main(["benchmark", *models, "--data", str(tiny), *options, "--json", str(tmp_path / "copy.json")]) == 0
    printed = capsys.readouterr().out
    record = json.loads((out / "benchmark.json").read_text())
    told = json.loads((tmp_path / "copy.json").read_text())
    files = told.pop("files")
    assert files["used"] > 0
    assert told == record
    ours, usual = record["models"]
    assert (ours["model"], usual["model"], ours["threads"], ours["batch_size"] in (1, 4)) == ("teacher", "usual teacher", 1, True)
    assert 0 < ours["latency_ms"] <= ours["latency_p95_ms"]
    assert ours["search_ms"] > 0
    assert (usual["map"], ours["on_front"]) == (None, True)
    score = ours["map"]
    assert record["failures"][0]["reason"].startswith("no model 'nonsense'")
    assert "nonsense, 1 thread, failed: no model 'nonsense'" in printed
    assert {path.suffix for path in out.iterdir()} == {".json", ".csv", ".md", ".png"}

    # The score that --data found is the one that evaluate finds; by its file another run gets the same.
    scores = tmp_path / "scores.json"
    assert main(["evaluate", "--data", str(tiny), "--model", str(tiny_run), "--json", str(scores)]) == 0
    assert json.loads(scores.read_text())["map"] == pytest.approx(score)
    for one in record["models"]:
        one |= {"rank1": None, "map": None}
    (tmp_path / "unscored.json").write_text(json.dumps(record | {"dataset": "", "files": files}))
    merge = ["benchmark", "--merge", str(tmp_path / "unscored.json"), "--scores", str(scores), "--out", str(tmp_path / "merged")]
    assert main(merge) == 0
    merged = json.loads((tmp_path / "merged" / "benchmark.json").read_text())
    assert merged["models"][0]["map"] == pytest.approx(score)
    assert (tmp_path / "merged" / "benchmark.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["benchmark", "lomo"], "no images to measure on"),
        (["benchmark", "lomo", "--images", "nowhere"], "nowhere: no such folder"),
        (["benchmark", "lomo", "--images", "TINY", "--batch-sizes", "1,few"], "few"),
        (["benchmark", "lomo", "--images", "TINY", "--rounds", "0"], "0 rounds"),
        (["benchmark", "lomo", "--images", "TINY", "--count", "-40"], "-40 images to measure on; expected at least 1, or 0"),
        (["benchmark", "lomo", "--images", "TINY", "--threads", "few"], "expected for example 1,8 or 1,all"),
        (["benchmark", "lomo", "--images", "TINY", "--scores", "a.json"], "a.json is not a record"),
        (["benchmark", "lomo", "--merge", "a.json"], "leave out the models, --data and --images"),
        (["benchmark", "--merge", "a.json", "--data", "TINY"], "leave out the models, --data and --images"),
        (["benchmark", "--merge", "a.json", "--images", "TINY"], "leave out the models, --data and --images"),
        (["benchmark", "--merge", "a.json", "b.json"], "a.json is not a record"),
    ],
)
def test_mistakes_get_one_line(
    arguments: list[str],
    message: str,
    tiny: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([argument.replace("TINY", str(tiny)) for argument in arguments]) == 2
    captured = capsys.readouterr().err
    assert message in captured
    assert captured.count("\n") == 1 and not (tmp_path / "benchmark").exists()
