"""The command line: every verb on a drawn camera network, and one line for every mistake."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from datasets.layouts import write_duke
from resight.cli import _RESUMED, app, main
from resight.datasets import Dataset, open_dataset
from resight.errors import ConfigurationError
from resight.models import load_model
from resight.models.embedding import embed_files
from resight.networks import NETWORKS
from resight.shipped import SHIPPED
from resight.training.config import TrainConfig

VERBS = ["demo", "dataset inspect", "train", "distill", "fit", "export", "extract", "evaluate", "tradeoff", "benchmark"]
VERBS += ["classical", "study ruiz2019", "study ablation", "calibrate", "serve", "access", "watch", "film"]
VERBS += [
    f"gallery {verb}"
    for verb in ("create", "add", "search", "stats", "label", "rename", "merge", "group", "purge", "snapshot", "restore", "verify")
]


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help(verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main([*verb.split(), "--help"]) == 0
    text = capsys.readouterr().out
    assert "Usage: resight" in text
    assert ("--json" in text) == (verb not in ("", "serve"))
    own = {"model_sha256", "osnet_x0_25_market1501", "camera_anything"}
    assert {word for word in re.findall(r"[a-z]+_\w+", text) if word not in own} == set()  # no name of the code
    assert not re.search(r'resight\.[a-z]|choices: ,|default: (""|\(\))', text)


@pytest.mark.parametrize("verb", ["extract", "evaluate", "calibrate", "gallery create", "tradeoff"])
def test_help_names_the_shipped_models(verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    assert main([*verb.split(), "--help"]) == 0
    assert ", ".join(SHIPPED) in capsys.readouterr().out


def test_help_names_the_networks() -> None:
    said = (TrainConfig.__doc__ or "").partition("Architecture: ")[2].partition(".\n")[0]
    assert re.split(r",\s+|\s+or\s+", said) == list(NETWORKS)


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
    (root / "drawn.json").unlink()
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
    assert main(["train", *common, "--out", teacher, "--epochs", "8", "--learning-rate", "0.02"]) == 0
    card = json.loads((tmp_path / "teacher" / "card.json").read_text())
    assert (card["configuration"]["epochs"], card["configuration"]["batch_size"]) == (8, 8)  # a flag overrides the recipe
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
    assert rows[0] == "path,identity,camera,split,model_sha256"
    assert len(rows) - 1 == len(written)
    paths = [row.rsplit(",", 4)[0] for row in rows[1:]]
    np.testing.assert_allclose(written, embed_files(load_model(teacher), paths), rtol=1e-4, atol=1e-5)

    out = tmp_path / "tradeoff"
    assert main(["tradeoff", teacher, student, "--data", str(tiny), "--out", str(out), "--count", "8", "--rounds", "1"]) == 0
    assert {path.name for path in out.iterdir()} == {"tradeoff.json", "tradeoff.csv", "tradeoff.md", "tradeoff.png"}
    printed = capsys.readouterr().out
    assert "teacher" in printed
    assert "student" in printed


@pytest.mark.parametrize("verb", ["train", "distill"])
def test_what_a_data_set_warns_of_is_said_before_the_training(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(data: Dataset, *arguments: object, **options: object) -> Path:
        raise ConfigurationError(f"far enough with {data.name}")

    module = {"train": "training", "distill": "distillation"}[verb]
    monkeypatch.setattr(f"resight.{module}.{verb}.{verb}", stop)
    write_duke(tmp_path)
    assert main([verb, "--data", str(tmp_path), "--layout", "dukemtmc", "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err.splitlines()
    assert "withdrawn by its authors" in said[0] and "far enough with dukemtmc" in said[1]


def test_what_fine_tuning_gains_is_said(tiny: Path, tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    command = ["train", "--data", str(tiny), "--out", str(run), "--weights", str(tiny_run / "network.safetensors"), "--epochs", "1"]
    command += ["--height", "64", "--width", "32", "--batch-size", "8", "--held-out", "0.25"]
    assert main(command) == 0
    history = json.loads((run / "history.json").read_text())
    start, end = history["start"], history["epochs"][-1]["validation"]
    assert f"held out: rank1 {start['rank1']:.2f} -> {end['rank1']:.2f} %, map {start['map']:.2f} -> {end['map']:.2f} %" in (
        capsys.readouterr().out
    )
    own = json.loads((tiny_run / "history.json").read_text())
    assert start == pytest.approx(own["epochs"][-1]["validation"]) and own["start"] == {}  # it began where that one ended

    for damaged in ("{", "{}", None):
        (run / "history.json").unlink() if damaged is None else (run / "history.json").write_text(damaged)
        assert main(command) == 2
        said = capsys.readouterr().err
        assert "history.json cannot be read" in said and said.endswith("to train again\n") and said.count("\n") == 1


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
        (["train", "--data", ".", "--out", "run", "--recipe", "none.toml"], "the package has fine-tune/student-160x64.toml"),
        (["train", "--data", "TINY", "--out", "run", "--layout", "viper"], "no VIPeR here"),
        (
            ["train", "--data", "TINY", "--out", "run", "--validation", "image", "--held-out", "0.001"],
            "images is not one image; hold out more",
        ),
        (["distill", "--data", "nowhere", "--out", "run"], "nowhere: no such folder"),
        (["distill", "--data", "TINY", "--out", "run"], "no teacher is named"),
        (["evaluate", "--data", "nowhere", "--model", "osnet-0.25"], "nowhere: no such folder"),
        (["evaluate", "--data", "TINY", "--model", "osnet-025:file.pth"], "did you mean 'osnet-0.25'"),
        (["evaluate", "--data", "TINY", "--model", "osnet-0.25:file.pth"], "file.pth"),
        (["evaluate", "--data", "TINY", "--model", "studnet"], "did you mean 'student'?); expected student, student-general"),
        (
            ["evaluate", "--data", "TINY", "--model", "runs/resnet-50"],
            "no model 'runs/resnet-50'; expected student, student-general",
        ),
        (["evaluate", "--data", "TINY", "--model", "TINY"], "no finished network"),
        (["evaluate", "--data", "TINY", "--model", "osnet-0.25", "--distance", "manhattan"], "distance"),
        (["tradeoff", "--data", "TINY"], "no model is named"),
        (["tradeoff", "lomo", "--data", "TINY", "--count", "-40"], "-40 images to measure on; expected at least 1, or 0"),
        (["extract", "--model", "osnet-0.25", "--images", "nowhere", "--out", "v"], "nowhere: no such folder"),
        (["extract", "--images", "TINY", "--out", "."], ". is a folder; expected a file name without ending, for example vectors"),
        (
            ["extract", "--images", "TINY", "--out", ".."],
            ".. is a folder; expected a file name without ending, for example ../vectors",
        ),
        (["extract", "--images", "TINY", "--out", "v", "--threads", "-1"], '"-1" for --threads. Must be >= 0; see'),
        (["train", "--data", "TINY", "--out", "run", "--threads", "-1"], '"-1" for --threads'),
        (["evaluate", "--data", "TINY", "--rerank-k1", "10"], "belong to re-ranking; give --rerank, too"),
        (["evaluate", "--data", "TINY", "--rerank-k2", "6"], "belong to re-ranking; give --rerank, too"),
        (["evaluate", "--data", "TINY", "--rerank-lambda", "0"], "belong to re-ranking; give --rerank, too"),
        (["evaluate", "--data", "TINY", "--rerank", "--rerank-k1", "5"], "k2 = 6; expected 1 to k1, which is 5"),
        *(
            ([verb, "--data", "nowhere", "--out", "run", "--json", "."], "cannot write .: it is a folder; name a file")
            for verb in ("fit", "classical", "train", "distill")
        ),
        (["adapt", "--images", "nowhere", "--out", "run", "--json", "."], "cannot write .: it is a folder; name a file"),
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


@pytest.mark.skipif(os.name != "posix", reason="pipes end as POSIX says")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("verb", [["dataset", "inspect", "TINY"], ["gallery", "create", "g", "--retention", "1d"], ["--help"]])
def test_a_reader_that_goes_away_ends_it_quietly(verb: list[str], unbuffered: str, tiny: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "resight.cli", *(argument.replace("TINY", str(tiny)) for argument in verb)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    with process.stderr:
        errors = process.stderr.read().decode()
    assert process.wait(60) == 1
    assert "Traceback" not in errors and "Exception" not in errors and "BrokenPipe" not in errors


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
        time.sleep(0.02)
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("command", "work", "message"),
    [
        ("train --data TINY --out run", "training.train.train", "the same command goes on where it stopped"),
        ("gallery add people a.jpg", "gallery.find_crops", "the same command goes on where it stopped"),
        ("evaluate --data TINY", "datasets.open_dataset", "the same command starts from the beginning"),
        ("gallery create people --retention 1d", "models.load_model", "the same command starts from the beginning"),
    ],
)
def test_an_interruption_says_what_the_same_command_does(
    command: str, work: str, message: str, tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"resight.{work}", interrupted)
    assert main(command.replace("TINY", str(tiny)).split()) == 130
    assert capsys.readouterr().err == f"\nresight: interrupted; {message}\n"


def test_a_recipe_of_the_package_is_found_from_any_folder(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[TrainConfig] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("resight.training.train.train", lambda data, out, config, **options: given.append(config) or tmp_path)
    (tmp_path / "history.json").write_text('{"epochs": [{"epoch": 1, "loss": 0}]}')
    recipe = "recipes/fine-tune/student-160x64.toml"
    assert main(["train", "--data", str(tiny), "--out", "run", "--recipe", recipe, "--epochs", "3"]) == 0
    assert (given[0].height, given[0].width, given[0].epochs) == (160, 64, 3)


def test_verbs_that_resume_are_verbs() -> None:
    for verb in _RESUMED:
        assert " ".join(app.parse_commands(verb)[0]) == verb
