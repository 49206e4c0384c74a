"""An ablation on a drawn camera network: means, spread, failures, and nothing trained twice."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from conftest import TINY
from resight.cli import main
from resight.distillation.config import DistillConfig
from resight.errors import ConfigurationError
from resight.files import claimed
from resight.studies.ablation import read_plan, run_ablation
from resight.studies.runner import Job
from resight.training.config import TrainConfig

BASE = "\n".join(
    f"{name} = {json.dumps(value)}" for name, value in (dataclasses.asdict(TINY) | {"epochs": 2}).items() if name != "validation"
)


def plan_in(folder: Path, text: str) -> Path:
    path = folder / "plan.toml"
    path.write_text(text)
    return path


def test_a_plan_is_run_summed_up_and_resumed(
    tiny: Path, tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"""
        seeds = [0, 1]
        [base]
        {BASE}
        [runs."plain"]
        [runs."no weights"]
        weights = "missing.h5"
        seeds = [3]
        [runs."taught"]
        teacher = ["{tiny_run}"]
        temperature = 1.7
        seeds = [0]
    """
    plan, out, target = plan_in(tmp_path, text), tmp_path / "runs", tmp_path / "results" / "found.json"
    arguments = ["study", "ablation", str(plan), "--data", str(tiny), "--out", str(out), "--json", str(target)]
    arguments += ["--cache", str(tmp_path / "cache")]
    assert main(arguments) == 0
    record = json.loads(target.read_text())
    files = record.pop("files")
    assert files["there"] == files["used"] + sum(files["left_out"].values()) == sum(path.is_file() for path in tiny.rglob("*"))
    assert json.loads((out / "ablation.json").read_text()) == record
    assert record["provenance"]["configuration"]["plan"] == "plan.toml"
    rows = {row["name"]: row for row in record["runs"]}
    assert list(rows) == ["plain", "no weights", "taught"]
    epochs = {seed: json.loads((out / "plain" / str(seed) / "history.json").read_text())["epochs"] for seed in (0, 1)}
    for name in ("map", "rank1"):
        values = [epochs[seed][-1]["validation"][name] for seed in (0, 1)]
        assert [one[name] for one in rows["plain"]["seeds"]] == values
        assert rows["plain"][name] == pytest.approx(np.mean(values))
        assert rows["plain"][f"{name}_deviation"] == pytest.approx(np.std(values, ddof=1))
    assert rows["plain"]["minutes"] == pytest.approx(np.mean([sum(row["seconds"] for row in epochs[seed]) for seed in (0, 1)]) / 60)
    (failed,) = rows["no weights"]["seeds"]
    assert failed["seed"] == 3 and "missing.h5" in failed["failure"] and rows["no weights"]["map"] is None
    assert rows["taught"]["map_deviation"] is None
    assert json.loads((out / "taught" / "0" / "card.json").read_text())["training"]["kind"] == "distilled"
    (teacher,) = json.loads((out / "taught" / "0" / "history.json").read_text())["about"]["teachers"]
    nats, (taught,) = teacher["entropy"]["nats"], rows["taught"]["seeds"]
    assert nats["1"] < taught["entropy"] < nats["2"] and taught["temperature"] == 1.7
    assert not {"entropy", "temperature"} & set(rows["plain"]["seeds"][0])
    table = (out / "ablation.md").read_text()
    plain = rows["plain"]
    assert f"| plain | {plain['map']:.1f} ± {plain['map_deviation']:.1f} | " in table
    assert "| no weights | - | - | - | 0 |" in table and "- no weights, seed 3: " in table
    assert capsys.readouterr().out.startswith(f"{table}files: {files['there']} there, {files['used']} used")

    weights = sorted(out.glob("*/*/network.safetensors"))
    before = [path.stat().st_mtime_ns for path in weights]
    plan_in(tmp_path, text + "\n[runs.more]\nerase = 0.5\nseeds = [0]\n")
    assert main([*arguments, "--together", "2"]) == 0  # beside each other as in turn
    assert len(weights) == 3 and [path.stat().st_mtime_ns for path in weights] == before
    again = json.loads(target.read_text())["runs"]
    assert [row["name"] for row in again] == ["plain", "no weights", "taught", "more"]
    assert again[0] == plain and again[1]["seeds"] == rows["no weights"]["seeds"]

    def first_alone(jobs: list[Job], ended: Callable[[Job, str], None], **_: object) -> None:
        ended(jobs[0], "")

    monkeypatch.setattr("resight.studies.ablation.run_jobs", first_alone)
    run_ablation(plan, tiny, out)  # interrupted after its first run: the table keeps what earlier calls made
    assert [row["map"] for row in json.loads((out / "ablation.json").read_text())["runs"]] == [row["map"] for row in again]


def test_kinds_follow_the_options(tmp_path: Path) -> None:
    plan = read_plan(
        plan_in(
            tmp_path,
            "seeds = [4, 2]\n[base]\nepochs = 3\n[runs.a]\n[runs.b]\nmutual_weight = 1\nsoft_weight = 0\nseeds = [7]\n",
        )
    )
    assert [trial.name for trial in plan] == ["a", "b"]
    assert plan[0].configs == {4: TrainConfig(epochs=3, seed=4), 2: TrainConfig(epochs=3, seed=2)}
    assert plan[1].configs == {7: DistillConfig(epochs=3, mutual_weight=1.0, soft_weight=0.0, seed=7)}
    assert plan[1].changes == {"mutual_weight": 1, "soft_weight": 0}


@pytest.mark.parametrize("name", ["ablation", "temperatures", "temperatures-auto", "soft", "soft-teachers"])
def test_the_published_plans_are_plans(name: str) -> None:
    plan = read_plan(Path(__file__).parents[2] / "benchmarks" / f"{name}-market1501.toml")
    assert len(plan) > 3 and len({str(trial.configs) for trial in plan}) == len(plan)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[base]\nepochs = 3\n", "is not a plan"),
        ("seed = 3\n[runs.a]\n", "is not a plan"),
        ("[runs]\na = 3\n", "is not a plan"),
        ("[[runs]]\nepochs = 3\n", "is not a plan"),
        ("[runs.a]\nepoch = 3\n", "plan.toml, a: unknown key 'epoch' (did you mean 'epochs'?)"),
        ("[runs.a]\nepochs = 0\n", "plan.toml, a: epochs = 0; expected at least 1"),
        ("[runs.a]\nseeds = 3\n", "plan.toml, a: seeds = 3; expected a list of int"),
        ("[runs.a]\nseeds = [3, 3]\n", "plan.toml, a: seeds = [3, 3]; expected a list of int, each once"),
        (
            '[runs.a]\nnetwork = "mobilnet-0.25"\n',
            "plan.toml, a: no network is named 'mobilnet-0.25' (did you mean 'mobilenet-0.25'?)",
        ),
        ("[runs.a]\ntemperature = 3\n", "plan.toml, a: no teacher is named; add teacher ="),
        ('[runs."a/../../b"]\n', "expected one without slashes"),
        ('[runs.a]\nvalidation = "image"\n', "recipes are compared on people that none was trained on"),
    ],
)
def test_plans_that_cannot_be_run_are_refused_before_anything_is_trained(
    tmp_path: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigurationError) as error:
        read_plan(plan_in(tmp_path, text))
    assert message in str(error.value)
    assert main(["study", "ablation", str(tmp_path / "plan.toml"), "--data", "nowhere", "--out", str(tmp_path / "runs")]) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not (tmp_path / "runs").exists()


def test_two_processes_do_not_make_a_study_in_one_folder(tiny: Path, tmp_path: Path) -> None:
    plan = plan_in(tmp_path, '[runs."one"]')
    with claimed(tmp_path / "out", "makes a study"), pytest.raises(ConfigurationError, match="another process makes a study in"):
        run_ablation(plan, tiny, tmp_path / "out")


def test_a_folder_that_is_not_a_data_set_is_named_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = plan_in(tmp_path, "[runs.a]\n")
    arguments = ["study", "ablation", str(plan), "--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "runs")]
    assert main(arguments) == 2
    assert "nowhere: no such folder" in capsys.readouterr().err
