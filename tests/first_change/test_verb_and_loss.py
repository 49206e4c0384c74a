"""The first change: a file and a line in a copy of the package, and the command line has a verb or a loss more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

import resight
from resight.files import read_json


class House:
    """A copy of the package that can be changed."""

    def __init__(self, folder: Path) -> None:
        original = Path(resight.__file__).parent
        self.package = folder / "resight"
        copytree(original, self.package, ignore=ignore_patterns("__pycache__", "shipped", "recipes"), dirs_exist_ok=False)
        for name in ("shipped", "recipes"):
            (self.package / name).symlink_to(original / name)

    def change(self, file: str, text: str, dictionary: str, line: str) -> None:
        """Write a new file, and a line behind the first of a dictionary in its folder's ``__init__.py``."""
        (self.package / file).write_text(text)
        place = (self.package / file).parent / "__init__.py"
        before = place.read_text()
        assert before.count(f"{dictionary} = {{\n") == 1
        place.write_text(before.replace(f"{dictionary} = {{\n", f"{dictionary} = {{\n    {line}\n"))

    def run(self, *arguments: str) -> str:
        """What `resight` prints."""
        environment = os.environ | {"PYTHONPATH": str(self.package.parent), "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "resight.cli", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


VERB = '''
from pathlib import Path

from resight.cli.terminal import say


def count(images: Path) -> None:
    """Count the images of a folder.

    Parameters
    ----------
    images
        Folder with images.
    """
    say(f"{len(list(images.iterdir()))} images")
'''


def test_a_verb(house: House, tiny: Path) -> None:
    house.change("cli/count.py", VERB, "VERBS", '"count": ("count", _MEASURE),')
    listed = house.run("--help")
    assert "count" in listed[listed.index("Measure") : listed.index("Reproduce")]
    assert "Count the images of a folder." in listed
    assert "Folder with images." in house.run("count", "--help")
    assert house.run("count", str(tiny / "query")) == f"{len(list((tiny / 'query').iterdir()))} images\n"


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


def test_a_loss(house: House, tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
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
