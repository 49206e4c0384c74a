"""Training on two processes of one thread, started by torchrun, against one process of two threads: speed, and the same losses.

Speed is that of MobileNet 0.25, 128x128, round by round. The losses are those of 200 steps from a trained student on a drawn data
set, with normalisations and losses that compare the images of a batch.

    python benchmarks/processes.py --json results/benchmark-processes.json
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from resight.compute import first_process
from resight.datasets import open_dataset
from resight.datasets.splits import class_labels
from resight.distillation.rkd import RelationalLoss
from resight.distillation.similarity import SimilarityLoss
from resight.drawn import crops
from resight.files import write_json
from resight.images import load_pixels
from resight.models.pytorch import channels_last
from resight.networks import build
from resight.networks.batches import Batches
from resight.provenance import provenance
from resight.training.config import TrainConfig
from resight.training.loop import run_epochs
from resight.training.losses import HardLabelLoss, TripletLoss, WeightedLosses
from resight.training.processes import joined
from resight.training.train import initial_network

CPU = torch.device("cpu")
HOW = {"one": (1, 2), "two": (2, 1)}
"""Processes, and threads of each."""


def speed(options: argparse.Namespace) -> dict[str, object]:
    """Images a second of a training, and processor time for each."""
    images, classes = 1280, 751
    random = np.random.default_rng(0)
    labels = random.integers(0, classes, images)
    network = build("mobilenet-0.25", classes).train().to(memory_format=torch.channels_last)
    batches = Batches(random.integers(0, 256, (images, 128, 128, 3), np.uint8), network.preprocessing, CPU)
    loss = WeightedLosses({"hard": (1.0, HardLabelLoss())})
    config = TrainConfig(epochs=1, batch_size=options.batch_size)
    run_epochs(network, batches, labels[: 5 * config.batch_size], loss, config)
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    row = run_epochs(network, batches, labels[: options.steps * config.batch_size], loss, config)[-1]
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    images = row["steps"] * config.batch_size
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"images_per_second": images / seconds, "processor_seconds_per_image": processor / images}


class Targets(torch.nn.Module):
    """Random embeddings as a teacher's answers."""

    def __init__(self, images: int, dimensions: int) -> None:
        super().__init__()
        self.targets = F.normalize(torch.from_numpy(np.random.default_rng(0).normal(size=(images, dimensions))).float())

    def forward(self, view: object) -> torch.Tensor:
        return self.targets[torch.from_numpy(view.rows)]


class Recorded(WeightedLosses):
    """Losses that are kept, step by step."""

    def forward(self, batch: object, outputs: object) -> object:
        total, parts = super().forward(batch, outputs)
        STEPS.append(float(total.detach()))
        return total, parts


STEPS: list[float] = []


def losses(options: argparse.Namespace) -> dict[str, object]:
    """Train for 200 steps, and return the loss of each."""
    train = open_dataset(options.data).train
    labels, people = class_labels(train)
    config = TrainConfig(
        network="mobilenet-0.25",
        last_stride=1,
        weights="student-fastest",
        neck=True,
        height=128,
        width=64,
        batch_size=16,
        images_per_identity=4,
        epochs=200 * 16 // len(labels) + 1,
        learning_rate=1e-4,
        erase=0.3,
        colour=0.3,
    )
    network = channels_last(initial_network(config, len(people)), CPU)
    space = Targets(len(labels), network.embedding_size)
    terms = {"hard": (1.0, HardLabelLoss(0.1)), "triplet": (1.0, TripletLoss(0.3))}
    terms |= {"similarity": (10.0, SimilarityLoss(space)), "rkd": (1.0, RelationalLoss(space))}
    batches = Batches(load_pixels(train.paths, (128, 64)), network.preprocessing, CPU)
    run_epochs(network, batches, labels, Recorded(terms), config)
    return {"steps": STEPS}


def run(what: str, processes: int, threads: int, folder: Path, options: argparse.Namespace) -> list[dict[str, object]]:
    """Run a worker on some processes, and return the findings of each."""
    command = [__file__, "--worker", what, "--data", str(folder)]
    command += ["--batch-size", str(options.batch_size), "--steps", str(options.steps)]
    if processes > 1:
        command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), *command]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run([sys.executable, *command], check=True, capture_output=True, text=True, env=environment)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def main() -> None:
    """Run the benchmark as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--data", help=argparse.SUPPRESS)
    parser.add_argument("--worker", choices=["speed", "losses"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        with joined():
            found = globals()[options.worker](options)
        if first_process() or options.worker == "speed":
            sys.stdout.write(json.dumps(found) + "\n")
        return
    with tempfile.TemporaryDirectory() as folder:
        crops.generate(folder, identities_train=32, identities_test=2, cameras=4, images_per_camera=2, size=(128, 64))
        steps = {
            name: np.array(run("losses", *how, Path(folder), options)[0]["steps"])
            for name, how in {**HOW, "one thread": (1, 1)}.items()
        }
        differences = {name: float(np.abs(steps[name] - steps["one"]).max()) for name in ("two", "one thread")}
        print(f"{len(steps['one'])} steps, loss {steps['one'][0]:.3f} to {steps['one'][-1]:.3f}; largest difference: {differences}")
        speeds: dict[str, list[float]] = {name: [] for name in HOW}
        costs: dict[str, list[float]] = {name: [] for name in HOW}
        for _ in range(options.rounds):
            for name, how in HOW.items():
                found = run("speed", *how, Path(folder), options)
                speeds[name].append(found[0]["images_per_second"])
                costs[name].append(sum(one["processor_seconds_per_image"] for one in found))
    ratios = [two / one for one, two in zip(speeds["one"], speeds["two"], strict=True)]
    print(f"two processes / one, images/s: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    if options.json:
        configuration = {"rounds": options.rounds, "steps": options.steps, "batch_size": options.batch_size}
        record = {
            "losses": {name: values.tolist() for name, values in steps.items()},
            "largest_difference": differences,
            "images_per_second": speeds,
            "processor_seconds_per_image": costs,
            "ratio": statistics.median(ratios),
            "ratios": ratios,
        }
        write_json(options.json, record | {"provenance": provenance(configuration)})


if __name__ == "__main__":
    main()
