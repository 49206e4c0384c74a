"""Which finished runs are the study's own, and which are not, wherever their files lay."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from resight.errors import ConfigurationError, WeightsError
from resight.files import read_json, write_json
from resight.networks.card import read_card
from resight.studies.ruiz2019.finished import adopt, differences, is_evaluated, is_trained, refuse_other_data
from resight.studies.ruiz2019.plan import Run, plan
from studies.ruiz2019.small import make_up, small

NAMES = {"market1501": "market1501"}
STUDENT = "mobilenet-0.25-from-mobilenet-1.0-T3-lambda0.001"


@pytest.fixture
def runs(tiny_run: Path, tmp_path: Path) -> dict[str, Run]:
    """A teacher, its student and a network alone, made up."""
    wanted = ("mobilenet-1.0", "mobilenet-0.25", STUDENT)
    made = make_up(tmp_path / "study", small(), tiny_run / "card.json", lambda run: (50.0, 30.0) if run.name in wanted else None)
    return {run.name: run for run in made if run.dataset == "market1501"}


def change(run: Run, **values: object) -> None:
    card = read_json(run.folder / "card.json")
    write_json(run.folder / "card.json", card | {"configuration": card["configuration"] | values})


def test_what_is_there_is_known(runs: dict[str, Run]) -> None:
    assert is_trained(runs[STUDENT])
    assert is_evaluated(runs[STUDENT])
    assert not is_trained(runs["resnet-50"])
    write_json(runs[STUDENT].scores, read_json(runs[STUDENT].scores) | {"model_sha256": "another"})
    assert not is_evaluated(runs[STUDENT])
    runs["mobilenet-1.0"].distributions.unlink()
    assert not is_evaluated(runs["mobilenet-1.0"])


@pytest.mark.parametrize("name", ["mobilenet-0.25", f"{STUDENT}.json", "classical/classical.json", "speed.json"])
def test_results_of_another_data_set_are_refused(name: str, runs: dict[str, Run], tmp_path: Path) -> None:
    every = list(runs.values())
    folder = tmp_path / "study" / "market1501"
    write_json(folder / "classical" / "classical.json", {"dataset": "market1501"})
    write_json(folder / "speed.json", {"dataset": "market1501", "images_per_second": {}})
    refuse_other_data(every, NAMES)
    with pytest.raises(ConfigurationError, match="holds results of the data set market1501"):
        refuse_other_data(every, {"market1501": "drawn"})
    file = folder / name if name.endswith(".json") else folder / name / "card.json"
    values = read_json(file)
    changed = {"dataset": "drawn"} if file.name != "card.json" else {"training": values["training"] | {"dataset": "drawn"}}
    write_json(file, values | changed)
    with pytest.raises(ConfigurationError, match=rf"{folder} holds .* drawn \({file.name} of .* market1501; choose another --out"):
        refuse_other_data(every, NAMES)


def test_paths_do_not_matter_and_content_does(runs: dict[str, Run]) -> None:
    run = runs[STUDENT]
    change(run, teacher=["elsewhere/mobilenet-1.0"], validate_every=1)
    assert differences(run, read_card(run.folder)) == []
    change(run, temperature=2.0, epochs=9)
    assert differences(run, read_card(run.folder)) == ["epochs is 9 instead of 8", "temperature is 2.0 instead of 3.0"]
    change(run, temperature=3.0, epochs=8, weights="some/weights.pth")
    assert differences(run, read_card(run.folder)) == ["weights are weights.pth instead of random"]
    with pytest.raises(ConfigurationError, match=r"another configuration \(weights are weights.pth"):
        is_trained(run)


def test_a_student_of_another_teacher_is_another_student(runs: dict[str, Run]) -> None:
    teacher = read_json(runs["mobilenet-1.0"].folder / "card.json")
    write_json(runs["mobilenet-1.0"].folder / "card.json", teacher | {"weights_sha256": "f" * 64})
    with pytest.raises(ConfigurationError, match="the teacher is 00000000 instead of ffffffff"):
        is_trained(runs[STUDENT])


def test_published_weights_are_the_file_of_their_name(runs: dict[str, Run], tmp_path: Path) -> None:
    """A run that names the file by its path and one that names it as published are the same."""
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "mobilenet_2_5_224_tf_no_top.h5").touch()
    kept = tuple(one for one in small().override if not one.startswith("weights"))
    run = runs["mobilenet-0.25"]
    change(run, weights="mobilenet-0.25-imagenet")
    for given in ((), (str(folder),)):
        config = small(override=kept, weights=given)
        (same,) = (r for r in plan(tmp_path, config, {"market1501": "data"}) if (r.dataset, r.name) == (run.dataset, run.name))
        assert differences(same, read_card(run.folder)) == []


def test_adoption(runs: dict[str, Run], tmp_path: Path) -> None:
    made = runs["mobilenet-0.25"]
    (made.folder / "network.safetensors").write_bytes(b"weights")
    theirs = tmp_path / "their run"
    shutil.copytree(made.folder, theirs)
    other = plan(tmp_path / "other", small(), {"market1501": "data"})
    adopted, left = adopt([theirs], other, NAMES)
    assert adopted == [f"{theirs} is mobilenet-0.25"]
    assert left == []
    (copied,) = (run.folder for run in other if (run.dataset, run.name) == ("market1501", "mobilenet-0.25") and is_trained(run))
    assert {path.name: path.read_bytes() for path in copied.iterdir()} == {
        path.name: path.read_bytes() for path in theirs.iterdir()
    }
    assert adopt([theirs], other, NAMES) == (adopted, [])  # again: it is there

    change(made, epochs=4)
    adopted, left = adopt([made.folder], other, NAMES)
    assert adopted == []
    assert left == [f"{made.folder} matches none of the study's runs: epochs is 4 instead of 8"]
    assert "not a data set of the study" in adopt([theirs], other, {"market1501": "viper"})[1][0]
    with pytest.raises(WeightsError, match="holds no trained network"):
        adopt([tmp_path], other, NAMES)
    (theirs / "network.safetensors").unlink()
    another = plan(tmp_path / "third", small(), {"market1501": "data"})
    with pytest.raises(WeightsError, match=r"network.safetensors is missing"):
        adopt([theirs], another, NAMES)
    assert not any((run.folder / "card.json").exists() for run in another)
