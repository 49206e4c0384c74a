"""Training speed against the plain eager loop: MobileNet 0.25, 128x128, images per second, both in one run, round by round.

The plain loop is the one people write first: images decoded into memory, Keras' padding as a layer of its own, channels-last
memory, cross-entropy, SGD with momentum, PyTorch's defaults for the rest. It runs in a process of its own, because Resight's
setting of the allocator holds for a whole process.

    python benchmarks/training.py --json results/benchmark-training.json
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from resight.files import write_json
from resight.networks import build
from resight.networks.batches import Batches
from resight.networks.mobilenet import KerasConv2d
from resight.networks.network import ReidNetwork
from resight.provenance import provenance
from resight.training.config import TrainConfig
from resight.training.loop import run_epochs
from resight.training.losses import HardLabelLoss, WeightedLosses

IMAGES, CLASSES = 1280, 751


def data() -> tuple[ReidNetwork, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (IMAGES, 128, 128, 3), np.uint8)
    labels = random.integers(0, CLASSES, IMAGES)
    network = build("mobilenet-0.25", CLASSES).train().to(memory_format=torch.channels_last)
    return network, pixels, labels


def padded_forward(self: KerasConv2d, image: torch.Tensor) -> torch.Tensor:
    if self.stride[0] == 2:
        return F.conv2d(F.pad(image, (0, 1, 0, 1)), self.weight, stride=2, groups=self.groups)
    return torch.nn.Conv2d.forward(self, image)


def plain(batch_size: int, steps: int) -> float:
    KerasConv2d.forward = padded_forward
    network, pixels, numbers = data()
    labels = torch.from_numpy(numbers)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    random = np.random.default_rng(0)

    def step() -> None:
        rows = random.integers(0, IMAGES, batch_size)
        images = pixels[rows]
        flips = random.random(batch_size) < 0.5
        images[flips] = images[flips, :, ::-1]
        batch = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
        loss = F.cross_entropy(network(batch.contiguous(memory_format=torch.channels_last)).logits, labels[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    for _ in range(5):
        step()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    return batch_size * steps / (time.perf_counter() - start)


def ours(batch_size: int, steps: int) -> float:
    network, pixels, labels = data()
    batches = Batches(pixels, network.preprocessing, torch.device("cpu"))
    loss = WeightedLosses({"hard": (1.0, HardLabelLoss())})
    run_epochs(network, batches, labels[: 5 * batch_size], loss, TrainConfig(epochs=1, batch_size=batch_size))
    images = min(steps * batch_size, IMAGES)
    start = time.perf_counter()
    epochs = max(steps * batch_size // images, 1)
    run_epochs(network, batches, labels[:images], loss, TrainConfig(epochs=epochs, batch_size=batch_size))
    return images // batch_size * batch_size * epochs / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", choices=["plain", "ours"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(globals()[options.one](options.batch_sizes[0], options.steps))
        return
    record: dict[str, object] = {}
    for batch_size in options.batch_sizes:
        speeds: dict[str, list[float]] = {"plain": [], "ours": []}
        for _ in range(options.rounds):
            for name in speeds:
                command = [sys.executable, __file__, "--one", name, "--batch-sizes", str(batch_size), "--steps", str(options.steps)]
                speeds[name].append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        ratios = [our / their for our, their in zip(speeds["ours"], speeds["plain"], strict=True)]
        medians = {name: statistics.median(values) for name, values in speeds.items()}
        print(
            f"batch {batch_size}: plain {medians['plain']:.0f} images/s, ours {medians['ours']:.0f}, "
            f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        )
        record[str(batch_size)] = {"images_per_second": speeds, "ratio": statistics.median(ratios), "ratios": ratios}
    if options.json:
        configuration = {"rounds": options.rounds, "steps": options.steps, "threads": torch.get_num_threads()}
        write_json(options.json, {"batch_size": record, "provenance": provenance(configuration)})


if __name__ == "__main__":
    main()
