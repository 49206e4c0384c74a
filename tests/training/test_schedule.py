"""Learning rates against PyTorch's schedulers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from resight.training.schedule import cosine_decay, step_decay, warm_up


def rates(schedule: Callable[..., Any], steps: int, **options: Any) -> list[float]:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(()))], lr=0.4)
    scheduler = schedule(optimiser, **options)
    found = []
    for _ in range(steps):
        found.append(scheduler.get_last_lr()[0])
        optimiser.step()
        scheduler.step()
    return found


def test_step_decay_counts_steps() -> None:
    expected = rates(torch.optim.lr_scheduler.StepLR, 10, step_size=3, gamma=0.5)
    assert [step_decay(step, initial=0.4, every=3, factor=0.5) for step in range(10)] == pytest.approx(expected)


def test_cosine_decay() -> None:
    expected = rates(torch.optim.lr_scheduler.CosineAnnealingLR, 25, T_max=25)
    assert [cosine_decay(step, initial=0.4, steps=25) for step in range(25)] == pytest.approx(expected)
    assert cosine_decay(24, initial=0.4, steps=25) > 0


@pytest.mark.parametrize("steps", [1, 7])
def test_warm_up(steps: int) -> None:
    expected = rates(torch.optim.lr_scheduler.LinearLR, 12, start_factor=0.01, total_iters=steps)
    assert [0.4 * warm_up(step, steps=steps) for step in range(12)] == pytest.approx(expected)


def test_without_warm_up_the_first_step_has_the_whole_rate() -> None:
    assert warm_up(0, steps=0) == 1
