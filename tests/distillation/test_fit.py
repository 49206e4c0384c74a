"""Whole distillations on a drawn camera network."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from conftest import TINY
from resight.distillation.config import DistillConfig
from resight.distillation.fit import distill
from resight.errors import ConfigurationError
from resight.networks.card import read_card
from resight.training.fit import train


def config(teacher: Path | str, **changes: object) -> DistillConfig:
    return DistillConfig(**(dataclasses.asdict(TINY) | {"teacher": str(teacher), "temperature": 2.0} | changes))  # type: ignore[arg-type]


def test_a_student_is_taught(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    run = distill(tiny, tmp_path / "student", config(tiny_run), cache=tmp_path)
    card = read_card(run)
    assert card.training["kind"] == "distilled"
    assert card.training["teacher"] == "teacher"
    assert card.training["teacher_sha256"] == read_card(tiny_run).weights_sha256
    assert set(card.training["teacher_entropy"]["nats"]) == {"1", "2", "3", "5", "10", "20", "30"}
    row = json.loads((run / "history.json").read_text())["epochs"][-1]
    assert row["loss"] == pytest.approx(row["soft"] + 0.001 * row["hard"], rel=1e-5)


def test_cached_and_online_targets_train_the_same_student(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    # the teacher has another input size than the student, so that it is given images of its own
    students = []
    for targets in ("cached", "online"):
        how = config(tiny_run, targets=targets, height=48, width=48, epochs=1, learning_rate=1e-5)
        students.append(load_file(distill(tiny, tmp_path / targets, how, cache=tmp_path) / "network.safetensors"))
    for name, tensor in students[0].items():
        torch.testing.assert_close(students[1][name], tensor, rtol=1e-2, atol=1e-3)


def test_teachers_that_cannot_teach_are_refused(tiny: Path, tiny_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--teacher RUN"):
        distill(tiny, tmp_path / "a", config(""), cache=tmp_path)
    with pytest.raises(ConfigurationError, match="does not know 2 of the 8"):
        distill(tiny, tmp_path / "b", config(tiny_run, validation="none"), cache=tmp_path)
    shuffled = train(tiny, tmp_path / "untaught", dataclasses.replace(TINY, epochs=1, learning_rate=1e-9))
    with pytest.raises(ConfigurationError, match="hardly more than chance"):
        distill(tiny, tmp_path / "c", config(shuffled), cache=tmp_path)
    for wrong in ({"temperature": 0.0}, {"hard_weight": -1.0}, {"targets": "later"}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            config(tiny_run, **wrong)
