"""The loop against a plain one, and resuming against not stopping."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from resight.errors import CheckpointError, ResightError
from resight.features.batches import Batches
from resight.networks import ReidNetwork, build
from resight.training.augment import plan_epoch
from resight.training.config import TrainConfig
from resight.training.loop import fit
from resight.training.losses import HardLabelLoss
from resight.training.schedule import step_decay

CPU = torch.device("cpu")
CONFIG = TrainConfig(height=32, width=32, batch_size=4, epochs=3, learning_rate=0.05, weight_decay=1e-3, decay_every=4, seed=3)


def problem() -> tuple[ReidNetwork, Batches, torch.Tensor]:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (14, 32, 32, 3), np.uint8)
    network = build("mobilenet-0.25", 5, seed=1)
    labels = torch.from_numpy(random.integers(0, 5, 14))
    return network, Batches(pixels, network.preprocessing, CPU), labels


def run(config: TrainConfig = CONFIG, **options: Any) -> tuple[ReidNetwork, list[dict[str, Any]]]:
    network, batches, labels = problem()
    return network, fit(network, batches, 14, HardLabelLoss(labels), config, **options)


def same(one: ReidNetwork, other: ReidNetwork) -> bool:
    others = other.state_dict()
    return all(torch.equal(tensor, others[name]) for name, tensor in one.state_dict().items())


class InDoublePrecision(Batches):
    """So that two orders of the same additions stay together for as long as the test lasts."""

    def __call__(self, *arguments: Any) -> torch.Tensor:
        return super().__call__(*arguments).double()


def test_it_is_plain_stochastic_gradient_descent() -> None:
    trained, reference = problem()[0].double(), problem()[0].double().train()
    _, batches, labels = problem()
    batches.__class__ = InDoublePrecision

    def loss_of(rows: Any, flips: Any, images: Any, embedding: Any, logits: torch.Tensor) -> tuple[torch.Tensor, dict[str, Any]]:
        return F.cross_entropy(logits, labels[rows]), {}

    # Small steps: over four small images normalisation is chaotic, and two roundings of a large step soon lead elsewhere.
    config = dataclasses.replace(CONFIG, learning_rate=1e-5)
    before = {name: tensor.clone() for name, tensor in reference.state_dict().items()}
    history = fit(trained, batches, 14, loss_of, config)
    velocity = [torch.zeros_like(parameter) for parameter in reference.parameters()]
    step = 0
    for epoch in range(3):
        plan = plan_epoch(14, 4, flip=True, seed=3, epoch=epoch)
        losses = []
        for rows, flips in zip(plan.rows, plan.flips, strict=True):
            images = batches(rows, flips)
            loss, _ = loss_of(rows, flips, images, *reference(images))
            gradients = torch.autograd.grad(loss, list(reference.parameters()))
            rate = 1e-5 * 0.1 ** (step // 4)
            with torch.no_grad():
                for parameter, gradient, speed in zip(reference.parameters(), gradients, velocity, strict=True):
                    speed.mul_(0.9).add_(gradient + 1e-3 * parameter)
                    parameter.sub_(rate * speed)
            losses.append(loss.item())
            step += 1
        assert history[epoch]["loss"] == pytest.approx(np.mean(losses), rel=1e-9)
        assert history[epoch]["steps"] == step == 3 * (epoch + 1)
    for name, tensor in reference.state_dict().items():
        moved = trained.state_dict()[name] - before[name]
        torch.testing.assert_close(moved, tensor - before[name], rtol=1e-4, atol=1e-10)


@pytest.mark.parametrize("killed_at", [1, 3, 4, 8])
def test_a_killed_run_resumes_to_the_same_weights(tmp_path: Path, killed_at: int) -> None:
    whole, history = run()

    class Killed(Exception):
        pass

    class Bomb(HardLabelLoss):
        calls = 0

        def __call__(self, *arguments: Any) -> Any:
            Bomb.calls += 1
            if Bomb.calls == killed_at + 1:
                raise Killed
            return super().__call__(*arguments)

    network, batches, labels = problem()
    checkpoint = tmp_path / "checkpoint.safetensors"
    with pytest.raises(Killed):
        fit(network, batches, 14, Bomb(labels), CONFIG, checkpoint=checkpoint, fingerprint="a", checkpoint_seconds=0)
    resumed, again = run(checkpoint=checkpoint, fingerprint="a", checkpoint_seconds=0)
    assert same(resumed, whole)
    untimed = [{k: v for k, v in row.items() if k not in ("seconds", "images_per_second")} for row in again]
    assert untimed == [{k: v for k, v in row.items() if k not in ("seconds", "images_per_second")} for row in history]


def test_a_finished_checkpoint_trains_no_further(tmp_path: Path) -> None:
    first, _ = run(checkpoint=tmp_path / "c", fingerprint="a")
    second, history = run(checkpoint=tmp_path / "c", fingerprint="a")
    assert same(first, second)
    assert len(history) == CONFIG.epochs


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    run(checkpoint=tmp_path / "c", fingerprint="a")
    with pytest.raises(CheckpointError, match="another configuration"):
        run(checkpoint=tmp_path / "c", fingerprint="b")


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", b"\xff" * 4096])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "c").write_bytes(damage)
    with pytest.raises(CheckpointError, match="damaged"):
        run(checkpoint=tmp_path / "c", fingerprint="a")


def test_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    run(checkpoint=tmp_path / "c", fingerprint="a")
    content = (tmp_path / "c").read_bytes()
    for cut in (8, 1000, len(content) - 1):
        (tmp_path / "c").write_bytes(content[:cut])
        with pytest.raises(CheckpointError, match="damaged"):
            run(checkpoint=tmp_path / "c", fingerprint="a")


def test_a_checkpoint_with_other_shapes_is_refused(tmp_path: Path) -> None:
    run(checkpoint=tmp_path / "c", fingerprint="a")
    network = build("mobilenet-0.25", 6, seed=1)
    _, batches, labels = problem()
    with pytest.raises(CheckpointError, match="another network"):
        fit(network, batches, 14, HardLabelLoss(labels), CONFIG, checkpoint=tmp_path / "c", fingerprint="a")


def test_a_loss_that_explodes_is_named() -> None:
    with pytest.raises(ResightError, match=r"no longer finite.*lower --learning-rate"):
        run(dataclasses.replace(CONFIG, learning_rate=1e30))


def test_step_decay_counts_steps_not_epochs() -> None:
    rates = [step_decay(step, initial=1.0, every=3, factor=0.5) for step in range(7)]
    assert rates == [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25]


def test_an_epoch_shows_every_image_at_most_once_and_depends_on_its_arguments_alone() -> None:
    plan = plan_epoch(14, 4, flip=True, seed=3, epoch=1)
    assert plan.rows.shape == plan.flips.shape == (3, 4)
    assert len(np.unique(plan.rows)) == 12
    assert set(np.unique(plan.rows)) <= set(range(14))
    again = plan_epoch(14, 4, flip=True, seed=3, epoch=1)
    assert np.array_equal(plan.rows, again.rows)
    assert np.array_equal(plan.flips, again.flips)
    assert not np.array_equal(plan.rows, plan_epoch(14, 4, flip=True, seed=3, epoch=2).rows)
    assert not plan_epoch(14, 4, flip=False, seed=3, epoch=1).flips.any()
    assert np.array_equal(plan.rows, plan_epoch(14, 4, flip=False, seed=3, epoch=1).rows)
    assert plan_epoch(3, 8, flip=True, seed=0, epoch=0).rows.shape == (1, 3)


def test_half_of_the_images_are_mirrored() -> None:
    flips = plan_epoch(4000, 40, flip=True, seed=0, epoch=0).flips
    assert 0.45 < flips.mean() < 0.55


def test_bfloat16_on_a_cpu_learns_the_same_thing_roughly() -> None:
    _, exact = run()
    _, rough = run(dataclasses.replace(CONFIG, precision="bfloat16"))
    assert rough[0]["loss"] == pytest.approx(exact[0]["loss"], rel=0.05)
