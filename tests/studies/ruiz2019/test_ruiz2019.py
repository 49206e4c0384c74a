"""The list of experiments: as many as the paper has, each in a table or figure, each with a recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from resight.studies.ruiz2019.experiments import DATASETS, EXPERIMENTS, LAMBDAS, TEMPERATURES, added_teacher, distilled_name
from resight.studies.ruiz2019.published import TABLE_2, TABLE_3

RECIPES = Path(__file__).parents[3] / "recipes" / "ruiz2019"


def trained(dataset: str, profile: str = "full") -> list[str]:
    return [e.name for e in EXPERIMENTS if e.kind == "network" and dataset in e.datasets and profile in e.profiles]


@pytest.mark.parametrize(("dataset", "expected"), [("market1501", 66), ("dukemtmc", 65)])
def test_the_number_of_trainings(dataset: str, expected: int) -> None:
    names = trained(dataset)
    assert len(names) == len(set(names)) == expected
    sweeps = {distilled_name(teacher, t, w) for teacher in TABLE_3[dataset] for t in TEMPERATURES for w in LAMBDAS}
    assert len(sweeps) == 60
    assert set(names) - sweeps - set(TABLE_2[dataset]) == (
        {"mobilenet-0.25-from-resnet-50-T3-lambda0.1"} if dataset == "market1501" else set()
    )
    assert sweeps | set(TABLE_2[dataset]) <= set(names)


def test_everything_in_the_paper_has_its_experiments() -> None:
    shown = {where for experiment in EXPERIMENTS for where in experiment.shown}
    assert shown == {
        *("Table 1", "Table 2", "Table 3", "Table 4"),
        *("Figures 2 and 5", "Figure 6", "Figure 7", "Figures 8 and 9", "Figure 10"),
    }


def test_teachers_come_before_their_students_and_have_recipes() -> None:
    seen: set[str] = set()
    for experiment in EXPERIMENTS:
        assert not experiment.teacher or experiment.teacher in seen
        seen.add(experiment.name)
        for dataset in experiment.datasets if experiment.kind == "network" else ():
            assert (RECIPES / f"{dataset}-{experiment.recipe}.toml").exists()


def test_no_recipe_is_without_an_experiment() -> None:
    used = {f"{dataset}-{experiment.recipe}" for experiment in EXPERIMENTS for dataset in DATASETS}
    assert {path.stem for path in RECIPES.glob("*.toml")} <= used


def test_a_night_is_a_part_of_everything() -> None:
    night = set(trained("market1501", "cpu"))
    assert night < set(trained("market1501"))
    mine = [experiment for experiment in added_teacher("mine", "mine") if "cpu" in experiment.profiles]
    assert len(mine) == 1 + 11 + 2 * 4 + 1  # the teacher; lambda = .001 at every T; the others at T = 1, 1.5, 3, 10; Figure 6
