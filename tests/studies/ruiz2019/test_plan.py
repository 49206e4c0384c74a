"""From experiments to runs: configurations, obstacles, and what a user may get wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from resight.configuration import read_recipe, to_dict
from resight.distillation.config import DistillConfig
from resight.errors import ConfigurationError
from resight.studies.ruiz2019.config import StudyConfig
from resight.studies.ruiz2019.experiments import WEIGHTS
from resight.studies.ruiz2019.plan import Run, plan

RECIPES = Path(__file__).parents[3] / "recipes" / "ruiz2019"


def runs(out: Path, **options: object) -> dict[str, Run]:
    planned = plan(out, StudyConfig(**options), {"market1501": "data"})  # type: ignore[arg-type]
    return {run.name: run for run in planned if run.dataset == "market1501"}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    folder.mkdir()
    for names in WEIGHTS.values():
        (folder / names[0]).touch()
    return folder


def test_a_run_is_its_recipe_with_its_settings_weights_and_teacher(tmp_path: Path, weights: Path) -> None:
    found = runs(tmp_path / "out", profile="full", weights=(str(weights),))
    run = found["mobilenet-0.25-from-mobilenet-1.0-T15-lambda0.01"]
    recipe = read_recipe(RECIPES / "market1501-distilled-from-mobilenet-1.0.toml")
    expected = recipe | {
        "temperature": 15.0,
        "hard_weight": 0.01,
        "weights": str(weights / "mobilenet_2_5_224_tf_no_top.h5"),
        "teacher": [str(tmp_path / "out/market1501/mobilenet-1.0")],
    }
    assert isinstance(run.config, DistillConfig)
    values = to_dict(run.config)
    assert {name: values[name] for name in expected} == expected
    assert not run.obstacle
    assert not any(run.obstacle for run in found.values())


def test_weights_that_are_not_there_are_an_obstacle(tmp_path: Path) -> None:
    found = runs(tmp_path, profile="full")
    assert "mobilenet_1_0_224_tf_no_top.h5" in found["mobilenet-1.0"].obstacle
    assert not found["mobilenet-0.25"].obstacle  # published: they can be downloaded
    assert not found["resnet-50"].obstacle


def test_other_profiles_data_and_names_are_obstacles(tmp_path: Path) -> None:
    found = runs(tmp_path, only=("mobilenet-0.25*",))
    assert found["resnet-50"].obstacle == "not in the profile cpu"
    assert "--only" in found["classical"].obstacle
    assert not found["mobilenet-0.25"].obstacle
    duke = [run for run in plan(tmp_path, StudyConfig(profile="full"), {"market1501": "data"}) if run.dataset == "dukemtmc"]
    assert {run.obstacle for run in duke} == {"DukeMTMC-reID was not given"}
    assert len(duke) == 66  # 65 trainings and the classical study


def test_an_added_teacher_has_its_sweep(tmp_path: Path) -> None:
    file = tmp_path / "weights.pth"
    file.touch()
    found = runs(tmp_path, teacher=(f"osnet-0.25:{file}",))
    assert found["osnet-0.25"].model == f"osnet-0.25:{file}"
    run = found["mobilenet-0.25-from-osnet-0.25-T1.5-lambda0.01"]
    assert isinstance(run.config, DistillConfig)
    assert run.config.teacher == (f"osnet-0.25:{file}",)
    assert (run.config.temperature, run.config.hard_weight, run.config.epochs) == (1.5, 0.01, 39)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"profile": "night"}, "profile 'night'; expected full or cpu"),
        ({"together": -1}, "at least 0"),
        ({"override": ("epochs",)}, "NAME=VALUE"),
        ({"override": ("epoch=1",)}, "did you mean 'epochs'"),
        ({"override": ("epochs=many",)}, "epochs = 'many'"),
        ({"only": ("resnet-5",)}, "no run is named 'resnet-5'"),
        ({"weights": ("nowhere",)}, "weights 'nowhere'"),
        ({"weights": ("resnet-50:nowhere",)}, "weights 'resnet-50:nowhere'"),
        ({"teacher": ("nobody",)}, "teacher 'nobody'"),
        ({"teacher": ("osnet-0.25:nowhere",)}, "teacher 'osnet-0.25:nowhere'"),
    ],
)
def test_mistakes_are_named(options: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=message):
        runs(tmp_path, **options)


def test_a_folder_without_weights_and_a_taken_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"holds none of .*resnet50"):
        runs(tmp_path, weights=(str(tmp_path),))
    (tmp_path / "resnet-50").mkdir()
    with pytest.raises(ConfigurationError, match="already has a network named 'resnet-50'"):
        runs(tmp_path, teacher=(str(tmp_path / "resnet-50"),))
