"""Equation (2) against its formula, and the two ways to ask a teacher against each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from resight.distillation.losses import DistillationLoss, soft_target_loss
from resight.distillation.targets import CachedTeacher, OnlineTeacher, entropies, matching_classes
from resight.errors import ConfigurationError
from resight.features.deep import DeepExtractor
from resight.networks import build

CPU = torch.device("cpu")


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


@pytest.mark.parametrize("temperature", [1.0, 3.0, 20.0])
@pytest.mark.parametrize("weight", [0.0, 0.001, 2.0])
def test_equation_2(temperature: float, weight: float) -> None:
    random = np.random.default_rng(0)
    teacher, student = 5 * random.normal(size=(2, 6, 7))
    labels = random.integers(0, 7, 6)
    soft = -(softmax(teacher / temperature) * np.log(softmax(student / temperature))).sum(1).mean()
    hard = -np.log(softmax(student)[np.arange(6), labels]).mean()
    cached = CachedTeacher(np.stack([teacher, teacher]).astype(np.float32), CPU)
    loss = DistillationLoss(cached, torch.from_numpy(labels), temperature=temperature, hard_weight=weight)
    logits = torch.from_numpy(student)
    total, parts = loss(np.arange(6), np.zeros(6, bool), torch.empty(0), torch.empty(0), logits)
    assert parts["soft"].item() == pytest.approx(soft, rel=1e-5)
    assert parts["hard"].item() == pytest.approx(hard, rel=1e-5)
    assert total.item() == pytest.approx(soft + weight * hard, rel=1e-5)


def test_a_student_like_its_teacher_has_the_least_loss() -> None:
    teacher = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    student = teacher.clone().requires_grad_()
    loss = soft_target_loss(teacher, student, 3.0)
    loss.backward()
    assert student.grad is not None
    assert student.grad.abs().max() < 1e-6
    entropy = entropies(teacher, (3.0,))
    assert loss.item() == pytest.approx(entropy["nats"]["3"], rel=1e-5)
    assert entropy["uniform"] == pytest.approx(np.log(5))


@pytest.mark.parametrize("teacher_size", [(32, 32), (48, 24)])
def test_cached_and_online_teacher_give_the_same_loss(tmp_path, teacher_size: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (7, *teacher_size, 3), np.uint8)
    network = build("osnet-0.25", 5, seed=2)
    teacher = DeepExtractor("t", network, device="cpu")
    columns = np.array([4, 0, 2])
    online = OnlineTeacher(teacher, pixels, columns)
    cached = CachedTeacher.ask(teacher, pixels, CPU, cache=tmp_path).columns(columns)
    labels = torch.from_numpy(random.integers(0, 3, 7))
    rows, flips = np.array([6, 0, 3, 5]), np.array([True, False, True, False])
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(1), requires_grad=True)
    losses, gradients = [], []
    for source in (online, cached):
        loss = DistillationLoss(source, labels, temperature=2.0, hard_weight=0.01)
        total, _ = loss(rows, flips, torch.empty(0), torch.empty(0), logits)
        losses.append(total.item())
        gradients.append(torch.autograd.grad(total, logits)[0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-6)
    assert not torch.equal(online(rows, flips), online(rows, ~flips))


def test_the_teacher_is_asked_once_and_read_from_the_cache_afterwards(tmp_path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    teacher = DeepExtractor("t", build("mobilenet-0.25", 4, seed=0), device="cpu")
    calls = []

    def count(stage: str, done: int, total: int, note: str = "") -> None:
        calls.append(stage)

    first = CachedTeacher.ask(teacher, pixels, CPU, cache=tmp_path, progress=count)
    asked = len(calls)
    second = CachedTeacher.ask(teacher, pixels, CPU, cache=tmp_path, progress=count)
    assert asked == len(calls) == 2
    assert torch.equal(first.logits, second.logits)
    CachedTeacher.ask(teacher, pixels[:, ::-1], CPU, cache=tmp_path, progress=count)
    assert len(calls) == 4


def test_classes_are_matched_by_identity() -> None:
    network = build("mobilenet-0.25", 3)
    known = DeepExtractor("t", network, identities=(9, 4, 7), device="cpu")
    assert matching_classes(known, np.array([4, 7]), np.array([4, 7, 9])).tolist() == [1, 2]
    with pytest.raises(ConfigurationError, match="does not know 1 of the 2 training identities"):
        matching_classes(known, np.array([4, 5]), np.array([4, 5]))
    foreign = DeepExtractor("t", network, device="cpu")
    assert matching_classes(foreign, np.array([9, 12]), np.array([12, 4, 9])).tolist() == [1, 2]
    with pytest.raises(ConfigurationError, match="tells 3 people apart and the data set has 2"):
        matching_classes(foreign, np.array([4, 5]), np.array([4, 5]))


def test_entropies_grow_with_the_temperature_up_to_the_uniform() -> None:
    found = entropies(8 * torch.randn(10, 50, generator=torch.Generator().manual_seed(0)))
    values = list(found["nats"].values())
    assert values == sorted(values)
    assert values[-1] < found["uniform"] == pytest.approx(np.log(50))
