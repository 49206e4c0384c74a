"""A new distillation loss: a file, and a line in `resight.distillation.LOSSES`."""

from __future__ import annotations

from pathlib import Path

import pytest

from first_change.house import House
from resight.files import read_json

LOSS = """
from resight.training.losses import Loss


def loss(lesson):
    return Spread(lesson.space)


class Spread(Loss):
    def __init__(self, space):
        super().__init__()
        self.space = space

    def forward(self, batch, outputs):
        student, teacher = outputs.embedding.float(), self.space(batch.view)
        return (student.std() - teacher.std()).square(), {"spread_of_the_teacher": teacher.std()}
"""


def test_a_loss(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    house = House(tmp_path)
    line = '"spread": DistillationLoss("Weight of the difference in spread.", needs="embedding"),'
    house.change("distillation/spread.py", LOSS, "LOSSES", line)
    text = house.run("distill", "--help")
    assert "--spread-weight" in text and "Weight of the difference in spread." in text
    (tmp_path / "recipe.toml").write_text("spread_weight = 2.0\nsoft_weight = 0.0\nheight = 64\nwidth = 32\nepochs = 1\n")
    run, teacher = tmp_path / "run", str(tiny_run)
    house.run("distill", "--data", str(tiny), "--out", str(run), "--teacher", teacher, "--recipe", str(tmp_path / "recipe.toml"))
    (row,) = read_json(run / "history.json")["epochs"]
    assert row["loss"] == pytest.approx(2 * row["spread"] + 0.001 * row["hard"], rel=1e-4)
    assert row["spread_of_the_teacher"] > 0
    assert read_json(run / "card.json")["configuration"]["spread_weight"] == 2.0
