"""The command line: every verb on a drawn camera network, and one line for every mistake."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from resight.cli import main
from resight.datasets import open_dataset
from resight.features.deep import load_extractor
from resight.features.extraction import embed_files

VERBS = ["demo", "dataset inspect", "train", "distill", "extract", "evaluate", "tradeoff", "benchmark"]


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*verb.split(), "--help"]) == 0
    assert "Usage: resight" in capsys.readouterr().out


def test_help_needs_no_torch() -> None:
    code = "import sys; from resight.cli import main; main(['train', '--help']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_inspect(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dataset", "inspect", str(tiny), "--json", str(tmp_path / "found.json")]) == 0
    found = json.loads((tmp_path / "found.json").read_text())
    dataset = open_dataset(tiny)
    assert found["train"]["images"] == len(dataset.train)
    assert found["gallery"]["junk"] == int((dataset.gallery.identities == -1).sum())
    assert found["unreadable"] == []
    assert str(len(dataset.train)) in capsys.readouterr().out


def test_inspect_names_unreadable_files(tiny: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    shutil.copytree(tiny, root)
    (root / "synthetic.json").unlink()
    victim = sorted((root / "query").iterdir())[0]
    victim.write_bytes(b"no image")
    assert main(["dataset", "inspect", str(root), "--json", str(tmp_path / "found.json")]) == 0
    unreadable = json.loads((tmp_path / "found.json").read_text())["unreadable"]
    assert [Path(row["path"]).name for row in unreadable] == [victim.name]


def test_train_distill_evaluate_extract_tradeoff(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESIGHT_CACHE", str(tmp_path / "cache"))
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("height = 64\nwidth = 32\nbatch_size = 8\nepochs = 9\nheld_out = 0.25\n")
    common = ["--data", str(tiny), "--recipe", str(recipe)]
    teacher, student = str(tmp_path / "teacher"), str(tmp_path / "student")
    assert main(["train", *common, "--out", teacher, "--epochs", "6", "--learning-rate", "0.02"]) == 0
    card = json.loads((tmp_path / "teacher" / "card.json").read_text())
    assert (card["configuration"]["epochs"], card["configuration"]["batch_size"]) == (6, 8)  # a flag overrides the recipe
    assert main(["distill", *common, "--out", student, "--teacher", teacher, "--epochs", "1", "--temperature", "2"]) == 0
    assert "held out: rank1" in capsys.readouterr().out

    scores = tmp_path / "scores.json"
    arguments = ["evaluate", "--data", str(tiny), "--model", teacher, "--json", str(scores)]
    assert main([*arguments, "--distance", "cosine"]) == 0
    found = json.loads(scores.read_text())
    wanted = "rank1 rank5 rank10 map map_trapezoidal queries gallery seconds_ranking"
    assert set(wanted.split()) <= set(found)
    assert found["queries"] == len(open_dataset(tiny).query)
    assert "Rank-1" in capsys.readouterr().out

    vectors = tmp_path / "vectors"
    assert main(["extract", "--model", teacher, "--images", str(tiny), "--out", str(vectors)]) == 0
    written = np.load(tmp_path / "vectors.npy")
    rows = (tmp_path / "vectors.csv").read_text().splitlines()
    assert rows[0] == "path,identity,camera,model_sha256"
    assert len(rows) - 1 == len(written)
    paths = [row.rsplit(",", 3)[0] for row in rows[1:]]
    np.testing.assert_allclose(written, embed_files(load_extractor(teacher), paths), rtol=1e-4, atol=1e-5)

    out = tmp_path / "tradeoff"
    assert main(["tradeoff", teacher, student, "--data", str(tiny), "--out", str(out), "--images", "8", "--rounds", "1"]) == 0
    assert {path.name for path in out.iterdir()} == {"tradeoff.json", "tradeoff.csv", "tradeoff.md", "tradeoff.png"}
    printed = capsys.readouterr().out
    assert "teacher" in printed
    assert "student" in printed


def test_extract_from_a_folder_of_images(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "images" / "deep"
    folder.mkdir(parents=True)
    for path in sorted((tiny / "query").iterdir())[:3]:
        shutil.copy(path, folder / f"image {path.name[:4]}{path.stat().st_size}.jpg")
    assert main(["extract", "--model", str(tiny_run), "--images", str(tmp_path / "images"), "--out", str(tmp_path / "v")]) == 0
    assert np.load(tmp_path / "v.npy").shape == (3, 256)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--data", "nowhere", "--out", "run"], "nowhere: no such folder"),
        (["train", "--data", "nowhere"], "--out"),
        (["train", "--data", ".", "--out", "run", "--epochs", "many"], "epochs"),
        (["train", "--data", ".", "--out", "run", "--recipe", "none.toml"], "cannot read the recipe none.toml"),
        (["distill", "--data", "nowhere", "--out", "run"], "no teacher is named"),
        (["evaluate", "--data", "nowhere", "--model", "osnet-0.25"], "nowhere: no such folder"),
        (["evaluate", "--data", "TINY", "--model", "osnet-025:file.pth"], "did you mean 'osnet-0.25'"),
        (["evaluate", "--data", "TINY", "--model", "osnet-0.25:file.pth"], "file.pth"),
        (["evaluate", "--data", "TINY", "--model", "TINY"], "no finished network"),
        (["evaluate", "--data", "TINY", "--model", "osnet-0.25", "--distance", "manhattan"], "distance"),
        (["tradeoff", "--data", "TINY"], "no model is named"),
        (["extract", "--model", "osnet-0.25", "--images", "nowhere", "--out", "v"], "nowhere: no such folder"),
        (["nonsense"], "nonsense"),
    ],
)
def test_mistakes_get_one_line_and_exit_code_2(
    arguments: list[str],
    message: str,
    tiny: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([argument.replace("TINY", str(tiny)) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err


def test_an_unknown_recipe_key_is_named_with_the_nearest(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("epoch = 3\n")
    assert main(["train", "--data", str(tiny), "--out", str(tmp_path / "run"), "--recipe", str(recipe)]) == 2
    assert "unknown key 'epoch' (did you mean 'epochs'?)" in capsys.readouterr().err


def test_a_polite_kill_leaves_a_run_that_goes_on(tiny: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "resight.cli", "train", "--data", str(tiny), "--out", str(tmp_path / "run"), "--epochs", "500"]
    process = subprocess.Popen(
        [*command, "--height", "32", "--width", "32", "--batch-size", "8"],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    while not checkpoint.exists() and process.poll() is None:
        pass
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on" in errors
    assert "Traceback" not in errors
