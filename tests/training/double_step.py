"""A step in double precision, for torchrun: the loss, gradients and statistics of all processes against those of one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from resight.networks import build
from resight.networks.batches import View
from resight.networks.network import Outputs, ReidNetwork
from resight.training.losses import batch_hard_triplet
from resight.training.processes import average_gradients, begin_together, gathered, joined, share

VIEW = View(np.arange(7))  # shares of 3 and 4
LABELS = torch.tensor([0, 0, 1, 1, 2, 2, 3])


def network(name: str, seed: int) -> ReidNetwork:
    made = build(name, 5, seed=seed, neck=True).double().train()
    return made.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def loss(outputs: Outputs) -> Tensor:
    alike = F.normalize(outputs.embedding, dim=1)
    return (
        F.cross_entropy(outputs.logits, LABELS)
        + batch_hard_triplet(outputs.features, LABELS, 0.3)
        + (alike @ alike.T).square().mean()
        + outputs.maps.square().mean()
    )


def check(name: str) -> None:
    images = torch.randn(7, 3, 64, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    one = network(name, 1)
    expected = loss(one(images))
    expected.backward()
    many = network(name, 1 + int(torch.distributed.get_rank()))  # the first gives the others its weights
    begin_together(many, (0, 0), 7)
    found = loss(gathered(many(images[share(VIEW).rows]), VIEW))
    found.backward()
    average_gradients(many)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
    largest = max(float(one_of.grad.norm()) for one_of in one.parameters() if one_of.grad is not None)
    for (parameter, theirs), ours in zip(one.named_parameters(), many.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-8, atol=1e-12 * largest, msg=parameter)
    torch.testing.assert_close(many.state_dict(), one.state_dict(), rtol=1e-10, atol=1e-12)

    torch.optim.SGD(many.parameters(), 0.1).step()


if __name__ == "__main__":
    with joined():
        for architecture in ("mobilenet-0.25", "osnet-0.25"):
            check(architecture)
    threads = {task.read_text().strip() for task in Path("/proc/self/task").glob("*/comm")}
    assert not any("gloo" in name for name in threads), f"the group's threads are still there: {threads}"
