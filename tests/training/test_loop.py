"""The loop against a plain one, and resuming against not stopping."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from resight.errors import CheckpointError, ResightError
from resight.networks import build
from resight.networks.batches import Batches, View
from resight.networks.network import Outputs, ReidNetwork
from resight.training.augment import plan_epoch
from resight.training.checkpoint import Position
from resight.training.config import TrainConfig
from resight.training.loop import _Sums, run_epochs
from resight.training.losses import Batch, HardLabelLoss, Loss, TripletLoss, WeightedLosses

CPU = torch.device("cpu")
ORIGIN = {"options": "a", "training data": "b"}
CONFIG = TrainConfig(height=32, width=32, batch_size=4, epochs=3, learning_rate=0.05, weight_decay=1e-3, decay_every=4, seed=3)


EVERYTHING = dataclasses.replace(
    CONFIG,
    optimiser="adam",
    learning_rate=1e-3,
    schedule="cosine",
    warm_up=1.5,
    average=0.9,
    images_per_identity=2,
    pad=3,
    erase=0.5,
    neck=True,
)


def problem(config: TrainConfig = CONFIG) -> tuple[ReidNetwork, Batches, np.ndarray]:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (14, 32, 32, 3), np.uint8)
    network = build("mobilenet-0.25", 5, seed=1, neck=config.neck)
    network.resize_input(32, 32)
    labels = random.integers(0, 5, 14)
    return network, Batches(pixels, network.preprocessing, CPU), labels


def run(config: TrainConfig = CONFIG, loss: Loss | None = None, **options: Any) -> tuple[ReidNetwork, list[dict[str, Any]]]:
    network, batches, labels = problem(config)
    return network, run_epochs(network, batches, labels, loss or HardLabelLoss(), config, **options)


def untimed(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in ("seconds", "images_per_second")} for row in history]


def same(one: ReidNetwork, other: ReidNetwork) -> bool:
    others = other.state_dict()
    return all(torch.equal(tensor, others[name]) for name, tensor in one.state_dict().items())


class InDoublePrecision(Batches):
    """So that two orders of the same additions stay together for as long as the test lasts."""

    def __call__(self, view: View) -> torch.Tensor:
        return super().__call__(view).double()


class DoubleCrossEntropy(Loss):
    def forward(self, batch: Batch, outputs: Outputs) -> Any:
        return F.cross_entropy(outputs.logits, batch.labels), {}


def test_it_is_plain_stochastic_gradient_descent() -> None:
    trained, reference = problem()[0].double(), problem()[0].double().train()
    _, batches, labels = problem()
    batches.__class__ = InDoublePrecision
    # Small steps: over four small images normalisation is chaotic, and two roundings of a large step soon lead elsewhere.
    config = dataclasses.replace(CONFIG, learning_rate=1e-5)
    before = {name: tensor.clone() for name, tensor in reference.state_dict().items()}
    history = run_epochs(trained, batches, labels, DoubleCrossEntropy(), config)
    velocity = [torch.zeros_like(parameter) for parameter in reference.parameters()]
    step = 0
    for epoch in range(3):
        plan = plan_epoch(labels, 4, seed=3, epoch=epoch)
        losses = []
        for rows, flips in zip(plan.rows, plan.flips, strict=True):
            logits = reference(batches(View(rows, flips))).logits
            loss = F.cross_entropy(logits, torch.from_numpy(labels[rows]))
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


def test_adam_decays_the_weights() -> None:
    trained, reference = problem()[0].double(), problem()[0].double().train()
    _, batches, labels = problem()
    batches.__class__ = InDoublePrecision
    config = dataclasses.replace(CONFIG, optimiser="adam", learning_rate=1e-5, weight_decay=0.5, epochs=1, decay_every=100)
    before = {name: tensor.clone() for name, tensor in reference.state_dict().items()}
    run_epochs(trained, batches, labels, DoubleCrossEntropy(), config)
    moments = [(torch.zeros_like(parameter), torch.zeros_like(parameter)) for parameter in reference.parameters()]
    plan = plan_epoch(labels, 4, seed=3, epoch=0)
    for step, (rows, flips) in enumerate(zip(plan.rows, plan.flips, strict=True), 1):
        loss = F.cross_entropy(reference(batches(View(rows, flips))).logits, torch.from_numpy(labels[rows]))
        gradients = torch.autograd.grad(loss, list(reference.parameters()))
        with torch.no_grad():
            for parameter, gradient, (mean, square) in zip(reference.parameters(), gradients, moments, strict=True):
                pull = gradient + 0.5 * parameter
                mean.mul_(0.9).add_(0.1 * pull)
                square.mul_(0.999).add_(0.001 * pull**2)
                parameter.sub_(1e-5 * (mean / (1 - 0.9**step)) / ((square / (1 - 0.999**step)).sqrt() + 1e-8))
    for name, tensor in reference.state_dict().items():
        moved = trained.state_dict()[name] - before[name]
        torch.testing.assert_close(moved, tensor - before[name], rtol=1e-3, atol=1e-9)


class Killed(Exception):
    pass


class Bomb(HardLabelLoss):
    """Cross-entropy for a while."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.left = calls

    def forward(self, batch: Batch, outputs: Outputs) -> Any:
        self.left -= 1
        if self.left < 0:
            raise Killed
        return super().forward(batch, outputs)


@pytest.mark.parametrize("config", [CONFIG, EVERYTHING], ids=["plain", "everything"])
@pytest.mark.parametrize("killed_at", [1, 3, 4, 8])
def test_a_killed_run_resumes_to_the_same_weights(tmp_path: Path, killed_at: int, config: TrainConfig) -> None:
    whole, history = run(config)
    checkpoint = {"checkpoint": tmp_path / "checkpoint.safetensors", "origin": ORIGIN, "checkpoint_seconds": 0}
    with pytest.raises(Killed):
        run(config, Bomb(killed_at), **checkpoint)
    resumed, again = run(config, **checkpoint)
    assert same(resumed, whole)
    assert untimed(again) == untimed(history)


def test_a_run_killed_while_it_was_validated_goes_on(tmp_path: Path) -> None:
    def validate(epoch: int) -> dict[str, float]:
        if epoch == 2 and not validated:
            validated.append(epoch)
            raise Killed
        return {"map": float(epoch)}

    validated = [0]
    whole, history = run(EVERYTHING, validate=validate)
    validated = []
    checkpoint = {"checkpoint": tmp_path / "checkpoint.safetensors", "origin": ORIGIN, "checkpoint_seconds": 0}
    with pytest.raises(Killed):
        run(EVERYTHING, validate=validate, **checkpoint)
    resumed, again = run(EVERYTHING, validate=validate, **checkpoint)
    assert same(resumed, whole)
    assert untimed(again) == untimed(history)


class Learning(Loss):
    """A loss with a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, batch: Batch, outputs: Outputs) -> Any:
        return F.cross_entropy(self.scale * outputs.logits, batch.labels) + 0.1 * self.scale.square(), {"scale": self.scale}


def test_what_a_loss_learns_is_trained_and_resumed(tmp_path: Path) -> None:
    loss = Learning()
    whole, history = run(EVERYTHING, loss)
    assert loss.scale.item() != 1
    checkpoint = {"checkpoint": tmp_path / "checkpoint.safetensors", "origin": ORIGIN, "checkpoint_seconds": 0}

    class Stopped(Learning):
        def forward(self, batch: Batch, outputs: Outputs) -> Any:
            if len(steps) == 5:
                raise Killed
            steps.append(1)
            return super().forward(batch, outputs)

    steps: list[int] = []
    with pytest.raises(Killed):
        run(EVERYTHING, Stopped(), **checkpoint)
    resumed_loss = Learning()
    resumed, again = run(EVERYTHING, resumed_loss, **checkpoint)
    assert same(resumed, whole)
    assert torch.equal(resumed_loss.scale, loss.scale)
    assert untimed(again) == untimed(history)


def test_a_checkpoint_with_another_average_is_refused(tmp_path: Path) -> None:
    run(checkpoint=tmp_path / "c", origin=ORIGIN)
    with pytest.raises(CheckpointError, match="another network"):
        run(dataclasses.replace(CONFIG, average=0.9), checkpoint=tmp_path / "c", origin=ORIGIN)


def test_weighted_losses_are_summed_and_their_parts_kept() -> None:
    config = dataclasses.replace(EVERYTHING, epochs=2)
    terms: dict[str, tuple[float, Loss]] = {
        "hard": (0.5, HardLabelLoss()),
        "triplet": (2.0, TripletLoss(0.3)),
        "unused": (0.0, HardLabelLoss()),
    }
    row = run(config, WeightedLosses(terms))[1][0]
    assert row["loss"] == pytest.approx(0.5 * row["hard"] + 2 * row["triplet"], rel=1e-6)
    assert 0 <= row["accuracy"] <= 1
    assert "unused" not in row


def test_the_rate_of_every_step_is_the_schedules(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    step = torch.optim.Adam.step

    def watched(self: torch.optim.Adam, *arguments: Any) -> Any:
        rates.append(self.param_groups[0]["lr"])
        return step(self, *arguments)

    monkeypatch.setattr(torch.optim.Adam, "step", watched)
    _, history = run(EVERYTHING)
    parameter = torch.nn.Parameter(torch.zeros(()))
    warm, cosine = (torch.optim.SGD([parameter], lr=1e-3) for _ in range(2))
    # nine steps in three epochs; the warm-up of one epoch and a half ends in the middle of one
    warming = torch.optim.lr_scheduler.LinearLR(warm, start_factor=0.01, total_iters=4)
    cooling = torch.optim.lr_scheduler.CosineAnnealingLR(cosine, T_max=9)
    for rate in rates:
        assert rate == pytest.approx(warming.get_last_lr()[0] * cooling.get_last_lr()[0] / 1e-3, rel=1e-9)
        for optimiser, schedule in ((warm, warming), (cosine, cooling)):
            optimiser.step()
            schedule.step()
    assert [row["learning_rate"] for row in history] == rates[2::3]


def test_a_finished_checkpoint_trains_no_further(tmp_path: Path) -> None:
    first, _ = run(checkpoint=tmp_path / "c", origin=ORIGIN)
    second, history = run(checkpoint=tmp_path / "c", origin=ORIGIN)
    assert same(first, second)
    assert len(history) == CONFIG.epochs


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    run(checkpoint=tmp_path / "c", origin=ORIGIN)
    with pytest.raises(CheckpointError, match="belongs to a run with other training data; choose another --out"):
        run(checkpoint=tmp_path / "c", origin=ORIGIN | {"training data": "c"})


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", b"\xff" * 4096])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "c").write_bytes(damage)
    with pytest.raises(CheckpointError, match="damaged"):
        run(checkpoint=tmp_path / "c", origin=ORIGIN)


def test_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    run(checkpoint=tmp_path / "c", origin=ORIGIN)
    content = (tmp_path / "c").read_bytes()
    for cut in (8, 1000, len(content) - 1):
        (tmp_path / "c").write_bytes(content[:cut])
        with pytest.raises(CheckpointError, match="damaged"):
            run(checkpoint=tmp_path / "c", origin=ORIGIN)


def test_a_checkpoint_with_other_shapes_is_refused(tmp_path: Path) -> None:
    run(checkpoint=tmp_path / "c", origin=ORIGIN)
    network = build("mobilenet-0.25", 6, seed=1)
    _, batches, labels = problem()
    with pytest.raises(CheckpointError, match="another network"):
        run_epochs(network, batches, labels, HardLabelLoss(), CONFIG, checkpoint=tmp_path / "c", origin=ORIGIN)


def test_waiting_for_the_device_is_part_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    fetch = _Sums.fetch

    def slow(self: _Sums, position: Position) -> None:
        time.sleep(0.5)
        fetch(self, position)

    monkeypatch.setattr(_Sums, "fetch", slow)
    _, history = run(dataclasses.replace(CONFIG, epochs=1))
    assert history[0]["seconds"] > 0.5


def test_a_loss_that_explodes_is_named() -> None:
    with pytest.raises(ResightError, match=r"is not finite.*lower --learning-rate"):
        run(dataclasses.replace(CONFIG, learning_rate=1e3, weight_decay=1e3))


def test_bfloat16_on_a_cpu_learns_the_same_thing_roughly() -> None:
    _, exact = run()
    _, rough = run(dataclasses.replace(CONFIG, precision="bfloat16"))
    assert rough[0]["loss"] == pytest.approx(exact[0]["loss"], rel=0.05)
