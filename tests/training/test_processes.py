"""Trainings on several processes, started by a real torchrun, against one process."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

from conftest import TINY
from resight.distillation.config import DistillConfig
from resight.distillation.distill import distill

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

HOW = {
    "neck": True,
    "batch_size": 9,  # shares of 4 and 5
    "images_per_identity": 3,
    "learning_rate": 1e-12,
    "epochs": 3,
    "erase": 0.3,
    "colour": 0.3,
    "triplet_weight": 1.0,
    "embedding_weight": 1.0,
    "similarity_weight": 1.0,
    "rkd_weight": 1.0,
    "attention_weight": 10.0,
    "mutual_weight": 1.0,
}


def torchrun(*program: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *program]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def process_of_rank(rank: int, parent: int) -> int:
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    (found,) = (pid for pid in children if f"\0RANK={rank}\0".encode() in Path(f"/proc/{pid}/environ").read_bytes())
    return int(found)


def losses(run: Path) -> list[dict[str, float]]:
    others = ("epoch", "steps", "learning_rate", "seconds", "images_per_second", "validation")
    rows = json.loads((run / "history.json").read_text())["epochs"]
    return [{name: value for name, value in row.items() if name not in others} for row in rows]


class _StopError(Exception):
    pass


@pytest.fixture
def config(tiny_run: Path) -> DistillConfig:
    """Every loss that compares images.

    The steps are so short that only the biases that began at 0 hold them: each is the sum of its gradients. Longer ones let a
    difference of 1e-6 grow, also in one process, because batch normalisation divides by the spread of a few values. For the same
    reason single precision gives the first layers' gradients to some per cent only.
    """
    return DistillConfig(**(dataclasses.asdict(TINY) | HOW | {"teacher": (str(tiny_run),)}))


def command(tiny: Path, out: Path, config: DistillConfig) -> list[str]:
    recipe = out.parent / "recipe.toml"
    recipe.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in dataclasses.asdict(config).items()))
    return ["-m", "resight", "distill", "--data", str(tiny), "--out", str(out), "--recipe", str(recipe), "--cache", str(out.parent)]


def check_same(two: Path, one: Path) -> None:
    assert {path.name.split(".")[0] for path in two.iterdir()} == {path.name.split(".")[0] for path in one.iterdir()}
    rows = losses(one)
    assert len(rows[0]) >= 12
    for row, expected in zip(losses(two), rows, strict=True):
        assert row == pytest.approx(expected, rel=1e-4, abs=1e-4)
    weights, gradients = load_file(two / "network.safetensors"), 0
    for name, tensor in load_file(one / "network.safetensors").items():
        gradients += name.endswith("bias") and bool(0 < tensor.abs().max() < 1e-6)
        assert (weights[name] - tensor).double().norm() <= 0.2 * tensor.double().norm(), name
    assert gradients > 20


def test_the_gradients_of_two_processes_are_those_of_one() -> None:
    with torchrun(str(Path(__file__).with_name("double_step.py"))) as process:
        errors = process.communicate()[1]
    assert process.returncode == 0, errors


@pytest.mark.slow
def test_two_processes_go_on_as_one_would(tiny: Path, config: DistillConfig, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    distill(tiny, one, config, cache=tmp_path)

    def stop(stage: str, done: int, total: int, note: str = "") -> None:
        if stage == "training" and done > total / 3:
            raise _StopError

    with pytest.raises(_StopError):
        distill(tiny, two, config, cache=tmp_path, progress=stop)
    with torchrun(*command(tiny, two, config)) as process:
        said, errors = process.communicate()
    assert process.returncode == 0, errors
    assert said.count(f"{two}: 3 epochs") == 1
    assert errors.count("training: 21/21") == 1
    check_same(two, one)


@pytest.mark.slow
def test_a_process_that_is_killed_ends_the_others_and_one_goes_on(tiny: Path, config: DistillConfig, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    distill(tiny, one, config, cache=tmp_path)
    checkpoint = two / "checkpoint.safetensors"
    with torchrun(*command(tiny, two, config)) as process:
        while not checkpoint.exists():
            assert process.poll() is None
            time.sleep(0.01)
        os.kill(process_of_rank(1, process.pid), signal.SIGKILL)
        errors = process.communicate()[1]
    assert process.returncode
    assert "another process of this training has ended" in errors or "interrupted" in errors
    assert "the same command goes on" in errors and "SIGKILL" in errors
    assert not (two / "card.json").exists()
    distill(tiny, two, config, cache=tmp_path)
    check_same(two, one)
