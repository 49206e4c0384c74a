"""Losses on feature maps against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from distillation.teachers import batch_of, outputs_of, teacher_of
from resight.distillation.attention import AttentionLoss, attention_loss, same_grid
from resight.distillation.hint import HintLoss
from resight.distillation.targets import OnlineTeacher
from resight.errors import ConfigurationError
from resight.models.pytorch import NetworkModel
from resight.networks import build
from resight.networks.batches import View


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def unit(maps: np.ndarray) -> np.ndarray:
    rows = maps.reshape(len(maps), -1).astype(np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_maps_are_averaged_down_to_the_smaller_grid_each_way() -> None:
    tall, wide = torch.from_numpy(normal(3, 8, 4)), torch.from_numpy(normal(3, 4, 12, seed=1))
    one, other = same_grid(tall, wide)
    np.testing.assert_allclose(one, tall.numpy().reshape(3, 4, 2, 4).mean(2), atol=1e-6)
    np.testing.assert_allclose(other, wide.numpy().reshape(3, 4, 4, 3).mean(3), atol=1e-6)
    assert all(torch.equal(maps, tall) for maps in same_grid(tall, tall))


def test_attention_is_compared_place_by_place_at_length_1() -> None:
    student, teacher = np.abs(normal(5, 4, 2)), np.abs(normal(5, 4, 2, seed=1))
    given = torch.from_numpy(student), torch.from_numpy(teacher)
    assert attention_loss(*given).item() == pytest.approx(np.mean((unit(student) - unit(teacher)) ** 2), rel=1e-5)
    assert attention_loss(7 * given[1], given[1]).item() == pytest.approx(0, abs=1e-12)
    finer = np.abs(normal(5, 8, 6, seed=2))
    smaller = finer.reshape(5, 4, 2, 2, 3).mean((2, 4))
    expected = np.mean((unit(smaller) - unit(teacher)) ** 2)
    assert attention_loss(torch.from_numpy(finer), given[1]).item() == pytest.approx(expected, rel=1e-5)
    assert attention_loss(given[1], torch.from_numpy(finer)).item() == pytest.approx(expected, rel=1e-5)


def test_the_attention_loss_is_the_mean_over_teachers_of_the_images_as_shown() -> None:
    maps, taught = normal(3, 6, 4, 2), np.abs(normal(2, 2, 9, 4, 2, seed=1))
    rows, flips = np.array([8, 2, 2]), np.array([True, False, True])
    loss = AttentionLoss([teacher_of(attention=attention) for attention in taught])
    found, _ = loss(batch_of(rows, flips), outputs_of(maps=torch.from_numpy(maps)))
    student = unit((maps.astype(np.float64) ** 2).sum(1))
    expected = np.mean([np.mean((student - unit(attention[flips.astype(int), rows])) ** 2) for attention in taught])
    assert found.item() == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ConfigurationError, match="no attention; set --attention-weight 0"):
        AttentionLoss([teacher_of(normal(2, 9, 4))])(batch_of(rows), outputs_of(maps=torch.from_numpy(maps)))


def test_hints_are_a_learned_mixture_of_the_students_channels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 64, 32, 3), np.uint8)
    teachers = [OnlineTeacher(NetworkModel("t", build(name, 4), device="cpu"), pixels, None) for name in ("osnet-0.25",) * 2]
    before = torch.get_rng_state()
    loss = HintLoss(teachers, channels=6, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    again, other = HintLoss(teachers, channels=6, seed=3), HintLoss(teachers, channels=6, seed=4)
    weights = [next(one.parameters()) for one in (loss, again, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    maps = normal(3, 6, 4, 2)
    batch = batch_of(np.array([6, 0, 6]), np.array([True, False, False]))
    found, _ = loss(batch, outputs_of(maps=torch.from_numpy(maps)))
    expected = []
    for teacher, regressor in zip(teachers, loss.regressors, strict=True):
        weight, bias = (parameter.detach().numpy() for parameter in regressor.parameters())  # type: ignore[operator]
        guess = np.einsum("oc,ncyx->noyx", weight[:, :, 0, 0], maps) + bias[:, None, None]
        expected.append(np.mean((guess - teacher(batch.view).maps.numpy()) ** 2))
    assert found.item() == pytest.approx(np.mean(expected), rel=1e-4)


def test_hints_of_another_grid_are_averaged() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), np.uint8)
    teacher = OnlineTeacher(NetworkModel("t", build("osnet-0.25", 4), device="cpu"), pixels, None)
    assert teacher(View(np.arange(2))).maps.shape == (2, 128, 4, 4)
    loss = HintLoss([teacher], channels=6, seed=0)
    coarse = torch.from_numpy(normal(2, 6, 2, 2))
    fine = coarse.repeat_interleave(4, 2).repeat_interleave(4, 3)
    batch = batch_of(np.arange(2))
    hints = teacher(batch.view).maps.view(2, 128, 2, 2, 2, 2).mean((3, 5))
    guess = loss.regressors[0](coarse)
    assert loss(batch, outputs_of(maps=coarse))[0].item() == pytest.approx((guess - hints).square().mean().item(), rel=1e-4)
    finer = loss(batch, outputs_of(maps=fine))[0].item()
    hints = teacher(batch.view).maps
    guess = guess.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert finer == pytest.approx((guess - hints).square().mean().item(), rel=1e-4)
