"""Every verb that reads files says how many were there, how many it used, and why not the rest."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import cv2
import pytest
from hypothesis import HealthCheck, given, settings
from PIL import Image

from cases.drawings import person, put
from datasets.entries import BYTES, ENTRIES, build, entries_of
from datasets.layouts import write_prid
from resight.cli import main
from resight.datasets import Dataset
from resight.errors import ResightError
from resight.lomo.descriptor import RETINEX
from resight.studies.ruiz2019.published import TABLE_1
from tradeoff.fakes import report, row


def people(root: Path, count: int = 4) -> None:
    for number in range(count):
        for camera in ("q", "r"):
            put(root / f"p{number}" / f"{camera}_1.jpg", number)


def files_of(result: Path, *verb: object) -> dict[str, Any] | None:
    """The accounting in `--json` of a verb; None if it refuses the files, in one line."""
    result.unlink(missing_ok=True)
    try:
        code = main([*map(str, verb), "--json", str(result)])
    except ResightError as error:
        raise AssertionError("a mistake of the user's is one line and exit code 2") from error
    assert code in (0, 2)
    if code:
        return None
    files: dict[str, Any] = json.loads(result.read_text())["files"]
    assert files["there"] == files["used"] + sum(files["left_out"].values()) and files["used"] > 0
    return files


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(ENTRIES)
def test_verbs_that_work_on_a_folder(entries: list[tuple[str, str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as parent:
        root, out = Path(parent) / "D", Path(parent)
        root.mkdir()
        build(root, entries)
        people(root)  # so that most folders can be divided
        count = entries_of(root)
        assert main(["gallery", "create", str(out / "G"), "--retention", "30d"]) == 0
        for verb in (
            ["dataset", "inspect", root],
            ["evaluate", "--data", root],
            ["evaluate", "--data", root, "--skip-unreadable", "--same-camera", "--model", "student-fastest"],
            ["fit", "--data", root, "--skip-unreadable", "--model", "student-fastest", "--out", out / "f"],
            ["calibrate", "--data", root, "--skip-unreadable", "--rate", "0.9", "--possible-rate", "0.9", "--out", out / "c.json"],
            ["extract", "--images", root, "--out", out / "v"],
            ["gallery", "add", out / "G", root],
            ["watch", f"hall={root}", "--model", "student-fastest", "--out", out / "events.jsonl"],
        ):
            if (files := files_of(out / "result.json", *verb)) is not None:
                assert files["there"] == count


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes away the long work of the verbs, which only read their files then, and account for them."""

    def put_in(place: str, result: Any) -> None:
        monkeypatch.setattr(place, lambda *given, **options: result)

    def study(data: Any, *given: Any, **options: Any) -> dict[str, Any]:
        assert isinstance(data, Dataset), "a study is given what its verb has read"
        return {"runs": {"runs": []}, "notes": []}

    def ablation(plan: Any, data: Any, *given: Any, **options: Any) -> dict[str, Any]:
        assert isinstance(data, Path), "each run reads it again"
        return {"runs": []}

    for place in ("training.train.train", "distillation.distill.distill", "export.model.export_model"):
        put_in(f"resight.{place}", Path())
    put_in("resight.decision.cohort.fit_cohort", None)
    put_in("resight.training.train.read_history", {"epochs": [{"epoch": 1, "loss": 1.0}]})
    put_in("resight.distillation.adapt.adapt", {"crops": 2, "held_out": 1, "agreement": None, "scores": None, "terms": {}})
    hardware = {"hardware": {"processor": "", "cores": 1}}
    for place in ("measure.measure_tradeoff", "benchmark.benchmark", "accuracy.with_evaluation"):
        put_in(f"resight.tradeoff.{place}", report(row(), provenance=hardware))
    scores = {name: {"rank1": 1, "map": 1} for name in TABLE_1}
    retinex = {name: {"test": scores} for name in RETINEX}
    put_in("resight.studies.ruiz2019.classical.classical_study", {"retinex": retinex, "chosen": "xqda"})
    monkeypatch.setattr("resight.studies.ruiz2019.run.run_study", study)
    monkeypatch.setattr("resight.studies.ablation.run_ablation", ablation)


@pytest.mark.usefixtures("no_work")
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(ENTRIES)
def test_verbs_that_work_long(entries: list[tuple[str, str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as parent:
        root, out, plan = Path(parent) / "D", Path(parent), Path(parent) / "plan.toml"
        root.mkdir()
        build(root, entries)
        people(root)
        count, done = entries_of(root), 0
        plan.write_text("[runs.plain]\n")
        for verb in (
            ["train", "--data", root, "--out", out / "r"],
            ["distill", "--data", root, "--out", out / "r", "--skip-unreadable"],
            ["adapt", "--images", root, "--out", out / "r", "--skip-unreadable"],
            ["adapt", "--images", root, "--out", out / "r", "--part", "train"],
            ["benchmark", "--images", root, "--out", out / "b", "--skip-unreadable"],
            ["benchmark", "--data", root, "--out", out / "b", "--skip-unreadable"],
            ["tradeoff", "student-fastest", "--data", root, "--out", out / "t", "--skip-unreadable"],
            ["classical", "--data", root, "--out", out / "c"],
            ["study", "ruiz2019", "--data", root, "--out", out / "s"],
            ["study", "ablation", plan, "--data", root, "--out", out / "a"],
        ):
            if (files := files_of(out / "result.json", *verb)) is not None:
                assert files["there"] == count
                done += 1
        assert done >= 2  # the verbs that need no labels


@pytest.mark.usefixtures("no_work")
def test_each_option_is_accounted_for(tmp_path: Path) -> None:
    people(tmp_path / "A")
    people(tmp_path / "B", 5)
    (tmp_path / "B" / "notes.txt").write_text("x")
    a, b, out, result = tmp_path / "A", tmp_path / "B", tmp_path / "out", tmp_path / "result.json"
    for verb in (
        ["benchmark", "--images", a, "--data", b, "--out", out],
        ["adapt", "--images", a, "--labelled", b, "--out", out],
        ["study", "ruiz2019", "--data", a, "--duke", b, "--out", out],
        ["train", "--data", a, "--data", b, "--out", out],
    ):
        files = files_of(result, *verb)
        assert files is not None and (files["there"], files["left_out"]["ending not read: .txt"]) == (19, 1)
    calibrate = ["calibrate", "--data", b, "--cohort", a, "--part", "all", "--rate", "0.9", "--possible-rate", "0.9"]
    files = files_of(result, *calibrate, "--model", "student-fastest", "--out", out / "c.json")
    assert files is not None and (files["there"], files["used"]) == (19, 18)


@pytest.mark.usefixtures("no_work")
def test_of_ten_divisions_the_first_is_used(tmp_path: Path) -> None:
    write_prid(tmp_path / "P")
    (tmp_path / "plan.toml").write_text("[runs.plain]\n")
    of = ["--data", tmp_path / "P", "--out"]
    for verb in (
        ["train", *of, tmp_path / "r"],
        ["fit", *of, tmp_path / "f", "--model", "student-fastest", "--distance", "kissme"],
        ["study", "ablation", tmp_path / "plan.toml", *of, tmp_path / "a"],
        ["adapt", "--images", tmp_path / "P", "--part", "train", "--out", tmp_path / "r"],
        ["calibrate", *of, tmp_path / "c.json", "--part", "train", "--rate", "0.9", "--possible-rate", "0.9"],
    ):
        files = files_of(tmp_path / "result.json", *verb)
        assert files is not None and files["used"] == 6
        assert files["left_out"] == {"of people whom camera a alone saw": 1, "not in train": 2, "of another division": 6}


def test_unreadable_images_are_refused_by_name_or_left_out_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, result = tmp_path / "D", tmp_path / "result.json"
    for number in range(8):
        for camera in ("q", "r"):
            put(root / f"p{number}" / f"{camera}_1.jpg", number)
    for number in range(8):
        (root / f"p{number}" / "q_2.jpg").write_bytes(BYTES[: len(BYTES) // 2])
    evaluate = ["evaluate", "--data", str(root), "--model", "student-fastest", "--json", str(result)]
    assert main(evaluate) == 2
    assert "q_2.jpg: the JPEG file ends too early" in (said := capsys.readouterr().err) and "--skip-unreadable" in said
    assert main([*evaluate, "--skip-unreadable"]) == 0
    said = capsys.readouterr()
    assert said.err.count("it is left out") == 8
    files = json.loads(result.read_text())["files"]
    assert files["there"] == 24 and files["left_out"]["unreadable"] == 8
    assert files["used"] == 16 - files["left_out"]["not in query or gallery"]
    assert main([*evaluate, "--skip-unreadable", "--same-camera"]) == 0
    assert "easier than the usual protocol" in capsys.readouterr().err
    assert json.loads(result.read_text())["protocol"] == "all but itself"


def test_a_search_accounts_for_its_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gallery, result, image = str(tmp_path / "G"), tmp_path / "result.json", tmp_path / "one.jpg"
    put(image, 1)
    assert main(["gallery", "create", gallery, "--retention", "30d"]) == 0
    assert main(["gallery", "search", gallery, str(image), str(image), "--json", str(result)]) == 0
    assert json.loads(result.read_text())["files"] == {"there": 2, "used": 2, "left_out": {}}
    assert "files: 2 there, 2 used, 0 left out" in capsys.readouterr().out


def test_frames_that_are_watched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(6):
        put(tmp_path / "D" / f"{number:06}.tif", number, ending=".tif")
    (tmp_path / "D" / "000003.tif").write_bytes(b"no picture")
    (tmp_path / "D" / "._000004.tif").write_bytes(b"of a Mac")
    (tmp_path / "D" / "notes.txt").write_text("x")
    files = files_of(tmp_path / "result.json", "watch", f"hall={tmp_path / 'D'}", "--model", "student-fastest")
    said = capsys.readouterr()
    assert files == {
        "there": 8,
        "used": 5,
        "left_out": {"ending not read: .txt": 1, "hidden or of the system": 1, "unreadable": 1},
    }
    assert "files: 8 there, 5 used" in said.err and "files:" not in said.out  # events are on standard output


def test_files_with_several_pictures_are_counted_aloud(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Written by Pillow and OpenCV; whether a file holds several pictures, Pillow says."""
    root, several = tmp_path / "D", 0
    root.mkdir()
    shots = [Image.fromarray(person(number)) for number in range(3)]
    for ending in ("gif", "tif", "webp", "png"):
        shots[0].save(root / f"one.{ending}")
        shots[0].save(root / f"all.{ending}", save_all=True, append_images=shots[1:])
    cv2.imwritemulti(str(root / "pages.tif"), [person(1), person(2)])
    (root / "cut.gif").write_bytes((root / "all.gif").read_bytes()[:40])
    (root / "empty.tif").write_bytes(b"")
    for path in root.iterdir():
        if path.suffix != ".png" and path.stem not in ("cut", "empty"):
            with Image.open(path) as image:
                several += getattr(image, "n_frames", 1) > 1
    files = files_of(tmp_path / "result.json", "extract", "--images", root, "--out", tmp_path / "v", "--model", "student-fastest")
    assert several == 4 and files is not None and files["several_pictures"] == 4
    assert "; 4 of them hold several pictures, and the first one is read" in capsys.readouterr().out
    (tmp_path / "list.csv").write_text("path\nD/all.gif\nD/one.gif\n")
    (tmp_path / "other.txt").write_text("D/all.gif\nD/one.gif\n")
    for images in ("list.csv", "other.txt", "D/all.webp"):
        out = tmp_path / f"v{len(images)}"
        verb = ["extract", "--images", tmp_path / images, "--out", out, "--model", "student-fastest"]
        files = files_of(tmp_path / "result.json", *verb)
        assert files is not None and files["several_pictures"] == 1


def test_the_same_extraction_again_says_that_it_is_finished(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people(tmp_path / "D", 1)
    verb = ["extract", "--images", tmp_path / "D", "--out", tmp_path / "v", "--model", "student-fastest"]
    files_of(tmp_path / "result.json", *verb)
    assert "finished before" not in capsys.readouterr().err
    files_of(tmp_path / "result.json", *verb)
    assert "finished before" in capsys.readouterr().err
