"""Whole studies on a drawn camera network: resumed, killed, adopted, failed."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from resight.datasets import open_dataset
from resight.errors import ConfigurationError, DownloadError
from resight.evaluation.model import evaluate_model
from resight.files import read_json, write_json
from resight.models import load_model
from resight.studies import perform
from resight.studies.ruiz2019 import run as module
from resight.studies.ruiz2019.report import pictures
from resight.studies.ruiz2019.run import run_study
from studies.ruiz2019.small import small, without

ALONE = "mobilenet-0.25"
HARDWARE = {"processor": "a processor", "cores": 2, "accelerator": None}
STUDENTS = tuple(f"mobilenet-0.25-from-teacher-T{t}-lambda0.001" for t in (1, 3))


def state(report: dict[str, Any], name: str) -> dict[str, Any]:
    (run,) = (run for run in report["runs"]["runs"] if (run["dataset"], run["name"]) == ("market1501", name))
    return dict(run)


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are looked at in test_report.py."""
    monkeypatch.setattr(pictures, "_png", lambda figure: b"\x89PNG")


@pytest.fixture(scope="module")
def study(tiny: Path, tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """An added teacher, two students and the student alone."""
    out = tmp_path_factory.mktemp("study")
    config = small(teacher=(str(tiny_run),), only=("teacher", ALONE, *STUDENTS))
    return out, run_study(tiny, out, config, cache=out / "cache")


def test_what_was_run_is_evaluated_and_the_rest_is_not_run(study: tuple[Path, dict[str, Any]], tiny: Path) -> None:
    out, report = study
    for name in (ALONE, "teacher", *STUDENTS):
        found = state(report, name)
        assert found["state"] == "done"
        model = str(out / "market1501" / name) if name != "teacher" else report_model(out, "teacher")
        scores = evaluate_model(load_model(model), open_dataset(tiny), "euclidean")
        assert (found["rank1"], found["map"]) == pytest.approx((100 * scores.rank1, 100 * scores.map), abs=1e-6)
    assert state(report, "resnet-50")["state"] == "not run"
    assert report["figure-8"]["teacher"]["teacher"]["map"] == state(report, "teacher")["map"]
    points = [point for point in report["figure-8"]["teacher"]["points"] if point["map"] is not None]
    assert [(point["temperature"], point["hard_weight"]) for point in points] == [(1.0, 0.001), (3.0, 0.001)]
    said = report["figures-2-and-5"]["market1501 teacher"]
    assert said["mean"]["1"] < said["mean"]["30"] <= said["uniform"]
    card = json.loads((out / "market1501" / STUDENTS[1] / "card.json").read_text())
    assert (card["configuration"]["temperature"], card["configuration"]["hard_weight"]) == (3.0, 0.001)
    assert any("cannot be compared" in note for note in report["notes"])


def report_model(out: Path, name: str) -> str:
    return str(read_json(out / "market1501" / f"{name}.json")["provenance"]["configuration"]["model"])


def test_entropies_of_the_teacher_by_hand(study: tuple[Path, dict[str, Any]]) -> None:
    out, report = study
    logits = read_json(out / "market1501" / "teacher.distributions.json")["logits"]
    for t, entropy in report["figures-2-and-5"]["market1501 teacher"]["image"].items():
        powers = [math.exp(value / float(t)) for value in logits]
        shares = [power / sum(powers) for power in powers]
        assert entropy == pytest.approx(-sum(p * math.log(p) for p in shares), abs=1e-5)


def test_nothing_is_done_twice(
    study: tuple[Path, dict[str, Any]], tiny: Path, tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, report = study
    moved = tmp_path / "moved"
    shutil.copytree(out, moved)

    def not_again(*arguments: object, **options: object) -> None:
        raise AssertionError("a finished run was made again")

    for name in ("train", "distill", "evaluate_model"):
        monkeypatch.setattr(perform, name, not_again)
    config = small(teacher=(str(tiny_run),), only=("teacher", ALONE, *STUDENTS))
    again = run_study(tiny, moved, config)  # in another place than it was made
    assert again["runs"] == report["runs"]
    assert run_study(tiny, moved, small(teacher=(str(tiny_run),), run=False))["figure-8"] == report["figure-8"]


def test_a_run_in_another_precision_is_taken_and_told(study: tuple[Path, dict[str, Any]], tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(study[0] / "market1501" / ALONE, tmp_path / "market1501" / ALONE)
    card = tmp_path / "market1501" / ALONE / "card.json"
    said = f"trained in bfloat16 instead of float32: {ALONE}"
    assert said not in run_study(tiny, tmp_path, small(run=False))["notes"]
    values = read_json(card)
    values["configuration"]["precision"] = "bfloat16"
    write_json(card, values)
    assert said in run_study(tiny, tmp_path, small(run=False))["notes"]


def test_results_of_drawn_people_are_not_shown_as_another_data_sets(
    study: tuple[Path, dict[str, Any]], tiny: Path, tiny_run: Path, tmp_path: Path
) -> None:
    moved, other = tmp_path / "moved", tmp_path / "market"
    shutil.copytree(study[0], moved)
    shutil.copytree(tiny, other, ignore=shutil.ignore_patterns("drawn.json"))
    assert open_dataset(other).name == "market1501"
    config = small(teacher=(str(tiny_run),), only=("teacher", ALONE, *STUDENTS))
    before = {path: path.stat().st_mtime_ns for path in moved.rglob("*")}
    for run in (True, False):
        with pytest.raises(ConfigurationError, match=f"{moved / 'market1501'} holds results of the data set drawn"):
            run_study(other, moved, dataclasses.replace(config, run=run))
    assert {path: path.stat().st_mtime_ns for path in moved.rglob("*")} == before


def test_what_fails_beside_the_trainings_is_told_and_tried_again(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small(only=("classical", "speed"))
    report = {"failures": [{"model": "resnet-50", "threads": 2, "reason": "no memory"}], "provenance": {"hardware": HARDWARE}}

    def no_study(*arguments: object, **options: object) -> None:
        raise MemoryError("too large")

    def one_missing(dataset: object, file: Path, *arguments: object, **options: object) -> dict[str, Any]:
        write_json(file, {"images_per_second": {ALONE: 9.0, "resnet-50": None}, "report": report})
        return dict(read_json(file))

    monkeypatch.setattr(module, "classical_study", no_study)
    monkeypatch.setattr(module, "measure_speed", one_missing)
    failed = run_study(tiny, tmp_path, config)
    for again in (failed, run_study(tiny, tmp_path, small(run=False))):
        assert (state(again, "classical")["state"], state(again, "speed")["state"]) == ("failed", "failed")
        assert state(again, "classical")["reason"] == "MemoryError: too large"
        assert state(again, "speed")["reason"] == "resnet-50: no memory"
        assert again["table-2"]["market1501"]["MobileNet 0.25"]["here"]["images_per_second"] == 9.0

    report["failures"] = []
    results = Path(__file__).parents[3] / "results" / "market1501-classical.json"
    monkeypatch.setattr(module, "classical_study", lambda dataset, out, **_: shutil.copy(results, out / "classical.json"))
    (tmp_path / "market1501" / "classical").mkdir()
    mended = run_study(tiny, tmp_path, config)
    assert (state(mended, "classical")["state"], state(mended, "speed")["state"]) == ("done", "done")
    assert not list((tmp_path / "market1501").glob("*.failed.json"))


def test_a_finished_run_of_other_options_is_not_overwritten(study: tuple[Path, dict[str, Any]], tiny: Path, tmp_path: Path) -> None:
    out, _ = study
    shutil.copytree(out / "market1501" / ALONE, tmp_path / "market1501" / ALONE)
    override = tuple("epochs=2" if one.startswith("epochs") else one for one in small().override)
    report = run_study(tiny, tmp_path, small(override=override, only=(ALONE,)))
    assert state(report, ALONE)["state"] == "failed"
    assert "epochs is 8 instead of 2" in state(report, ALONE)["reason"]


def test_a_run_made_elsewhere_is_taken_in(study: tuple[Path, dict[str, Any]], tiny: Path, tmp_path: Path) -> None:
    out, before = study
    left_out = run_study(tiny, tmp_path, small(only=("classical",), run=False))
    assert state(left_out, ALONE)["state"] == "not run"
    config = small(adopt=(str(out / "market1501" / ALONE),), only=(ALONE,))
    report = run_study(tiny, tmp_path, config)
    for name in ("rank1", "map", "training_seconds"):
        assert state(report, ALONE)[name] == pytest.approx(state(before, ALONE)[name])
    assert report["table-2"]["market1501"]["MobileNet 0.25"]["here"]["map"] == state(before, ALONE)["map"]
    assert any(note.endswith(f"is {ALONE}") for note in report["notes"])


def test_one_that_fails_is_told_and_the_others_go_on(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger"
    shutil.copytree(tiny_run, stranger)
    card = read_json(stranger / "card.json")
    write_json(stranger / "card.json", card | {"identities": [f"{identity}000" for identity in card["identities"]]})
    student = "mobilenet-0.25-from-stranger-T1-lambda0.001"
    config = small(teacher=(str(stranger),), only=("stranger", student, ALONE))
    out = tmp_path / "study"
    report = run_study(tiny, out, config, cache=tmp_path / "cache")
    assert state(report, student)["state"] == "failed"
    assert "does not know" in state(report, student)["reason"]
    assert "does not know" in read_json(out / "market1501" / f"{student}.failed.json")["reason"]
    assert state(report, ALONE)["state"] == state(report, "stranger")["state"] == "done"
    write_json(stranger / "card.json", card)
    mended = run_study(tiny, out, config, cache=tmp_path / "cache")
    assert state(mended, student)["state"] == "done"
    assert not (out / "market1501" / f"{student}.failed.json").exists()


def test_weights_that_cannot_be_had_are_told(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def offline(name: str) -> None:
        asked.append(name)
        raise DownloadError(f"{name} cannot be downloaded")

    monkeypatch.setattr(module, "fetch", offline)
    student = "mobilenet-0.25-from-mobilenet-1.0-T3-lambda0.001"
    config = without(small(only=(ALONE, "mobilenet-1.0", student)), "weights")
    report = run_study(tiny, tmp_path, config)
    assert state(report, ALONE)["reason"] == "mobilenet-0.25-imagenet cannot be downloaded"
    assert "mobilenet_1_0_224_tf_no_top.h5" in state(report, "mobilenet-1.0")["reason"]
    assert {state(report, name)["state"] for name in (ALONE, "mobilenet-1.0", student)} == {"not run"}
    assert asked == ["mobilenet-0.25-imagenet"]  # once, though two runs begin with them


def test_students_wait_for_their_teacher(tiny: Path, tmp_path: Path) -> None:
    student = "mobilenet-0.25-from-mobilenet-1.0-T3-lambda0.001"
    report = run_study(tiny, tmp_path, small(only=(student,)))
    assert state(report, student)["reason"] == "its teacher mobilenet-1.0 is not there"


@pytest.mark.parametrize("together", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_killed_study_goes_on(together: int, tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    """The run that is finished stays, the others go on from their checkpoints."""
    out = tmp_path / "study"
    override = [*(one for one in small().override if not one.startswith("epochs")), "epochs=16"]
    command = [sys.executable, "-m", "resight.cli", "study", "ruiz2019", "--data", str(tiny), "--out", str(out)]
    command += ["--teacher", str(tiny_run), "--only", "teacher", ALONE, "--override", *override]
    command += ["--together", str(together), "--cache", str(tmp_path / "cache")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    checkpoint = out / "market1501" / ALONE / "checkpoint.safetensors"
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.02)
    process.terminate()
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "the same command goes on" in errors
    assert "Traceback" not in errors
    assert not list(out.rglob("*.partial"))
    interrupted = read_json(out / "report.json")
    assert state(interrupted, ALONE)["state"] == "begun"
    assert (out / "report.html").exists()
    reached = checkpoint.stat().st_mtime_ns

    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "2 done" in done.stdout
    report = read_json(out / "report.json")
    assert {state(report, name)["state"] for name in ("teacher", ALONE)} == {"done"}
    assert not checkpoint.exists()
    history = read_json(out / "market1501" / ALONE / "history.json")
    assert [row["epoch"] for row in history["epochs"]] == list(range(1, 17))
    # an event file for each of two starts: the second one went on
    assert len(list((out / "market1501" / ALONE).glob("events*"))) == 2
    assert reached < (out / "market1501" / ALONE / "card.json").stat().st_mtime_ns
    assert not list((out / "market1501").glob("*.failed.json"))


def test_data_sets_that_are_not_what_they_are_said_to_be(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="expected DukeMTMC-reID"):
        run_study(tiny, tmp_path, small(run=False), duke=tiny)
