"""`resight study` on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from resight.cli import main


def test_help_needs_no_torch(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "ruiz2019", "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(option in shown for option in ("--duke", "--profile", "--teacher", "--adopt", "--no-run"))
    code = "import sys; from resight.cli import main; main(['study', 'ruiz2019', '--help']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_a_report_of_nothing(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "study"
    arguments = ["study", "ruiz2019", "--data", str(tiny), "--out", str(out), "--no-run", "--json", str(tmp_path / "report.json")]
    assert main(arguments) == 0
    assert "0 done, 0 failed" in capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    assert report.pop("files") == {"there": 149, "used": 148, "left_out": {"ending not read: .json": 1}}
    assert report == json.loads((out / "report.json").read_text())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["study", "ruiz2018", "--data", "TINY"], "ruiz2019"),
        (["study", "ruiz2019"], "--data"),
        (["study", "ruiz2019", "--data", "nowhere"], "nowhere: no such folder"),
        (["study", "ruiz2019", "--data", "TINY", "--profile", "night"], "expected full or cpu"),
        (["study", "ruiz2019", "--data", "TINY", "--adopt", "nowhere"], "holds no trained network"),
        (["study", "ruiz2019", "--data", "TINY", "--teacher", "nobody"], "teacher 'nobody'"),
        (["study", "ruiz2019", "--data", "TINY", "--override", "epoch=1"], "did you mean 'epochs'"),
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
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())
