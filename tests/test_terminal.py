"""What verbs write: refused before the work where it cannot be written, and no picture without matplotlib."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from resight.cli import main
from resight.cli.terminal import check_writable
from resight.errors import StorageError


def test_files_that_can_be_written_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_writable(None, Path("a.json"), Path("new/folders/b.json"), tmp_path / "c.json")
    assert not list(tmp_path.iterdir())


def test_files_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="it is a folder; name a file"):
        check_writable(None, tmp_path)
    for path in (tmp_path / "file" / "a.json", tmp_path / "file" / "folder" / "a.json"):
        with pytest.raises(StorageError, match=f"cannot write {path}: Not a directory; choose another place"):
            check_writable(path)


@pytest.mark.parametrize(
    "command",
    [
        "tradeoff mobilenet-0.25 --data TINY --json FOLDER",
        "tradeoff mobilenet-0.25 --data TINY --out FILE",
        "benchmark mobilenet-0.25 --images TINY --json FOLDER",
        "benchmark mobilenet-0.25 --images TINY --out FILE",
        "calibrate --data TINY --out FOLDER",
        "calibrate --data TINY --picture FOLDER",
        "calibrate --data TINY --json FILE/a.json",
        "export mobilenet-0.25 --data TINY --out FILE/a.onnx",
        "export mobilenet-0.25 --data TINY --out FOLDER/a.onnx --json FOLDER",
        "study ruiz2019 --data TINY --no-run --out FILE",
        "study ruiz2019 --data TINY --no-run --out FOLDER/study --json FOLDER",
        "study ablation plan.toml --data TINY --out FILE",
        "evaluate --data TINY --json FOLDER",
    ],
)
def test_verbs_look_before_they_work(
    command: str, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(*arguments: object, **options: object) -> None:
        raise AssertionError("the work was begun")

    monkeypatch.setattr("resight.datasets.image_list.find_images", work)
    monkeypatch.setattr("resight.studies.ruiz2019.run.open_dataset", work)
    monkeypatch.setattr("resight.datasets.open_dataset", work)  # last, or modules that are imported now would keep it
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    places = {"TINY": str(tiny), "FILE": "file", "FOLDER": "folder"}
    for name, place in places.items():
        command = command.replace(name, place)
    assert main(command.split()) == 2
    said = capsys.readouterr().err
    assert "cannot write" in said and said.count("\n") == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


@pytest.fixture
def no_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ["matplotlib", *(name for name in sys.modules if name.startswith("matplotlib."))]:
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.usefixtures("no_matplotlib")
def test_without_matplotlib_there_is_a_table_and_no_picture(
    tiny: Path, tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["--data", str(tiny), "--count", "4", "--rounds", "1"]
    quick = ["--seconds", "0.01", "--batch-sizes", "1", "--threads", "all"]
    for verb, options in (("tradeoff", []), ("benchmark", quick)):
        out = tmp_path / verb
        assert main([verb, str(tiny_run), *common, *options, "--out", str(out)]) == 0
        shown = capsys.readouterr()
        assert "mAP (%)" in shown.out and "teacher" in shown.out
        assert "note: no picture: it needs matplotlib, which is not installed; " in shown.err
        assert {path.suffix for path in out.iterdir()} == {".json", ".csv", ".md"}


@pytest.mark.usefixtures("no_matplotlib")
def test_a_picture_that_was_asked_for_is_missed_at_once(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["calibrate", "--data", str(tiny), "--rate", "0.8", "--possible-rate", "0.9", "--picture", "errors.png"]) == 2
    said = capsys.readouterr().err
    assert "this needs matplotlib" in said and said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_table_is_shown_before_anything_is_written(
    tiny: Path, tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise StorageError("cannot write: no space left")

    monkeypatch.setattr("resight.tradeoff.tables.save_report", full)
    command = ["tradeoff", str(tiny_run), "--data", str(tiny), "--count", "4", "--rounds", "1", "--out", str(tmp_path / "out")]
    assert main(command) == 2
    assert "mAP (%)" in capsys.readouterr().out
