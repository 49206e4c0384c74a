"""Data and runs that several test files share."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from resight.datasets import synthetic
from resight.training.config import TrainConfig
from resight.training.fit import train

torch.set_num_threads(min(2, torch.get_num_threads()))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small drawn camera network in Market-1501's layout."""
    root = tmp_path_factory.mktemp("tiny")
    synthetic.generate(root, identities_train=8, identities_test=6, cameras=3, images_per_camera=4, size=(64, 32))
    return root


TINY = TrainConfig(height=64, width=32, batch_size=8, epochs=8, learning_rate=0.02, held_out=0.25, validate_every=4)


@pytest.fixture(scope="session")
def tiny_run(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network trained on `tiny` for some epochs."""
    return train(tiny, tmp_path_factory.mktemp("runs") / "teacher", TINY)
