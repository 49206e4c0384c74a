"""Speed of a network with and without its tiny weights, whose products some processors compute very slowly.

    python benchmarks/tiny_weights.py --json results/benchmark-tiny-weights.json

Each shipped model answers on one thread: as ONNX Runtime reads the file, and as Resight gives it the file; see
`resight.models.onnx_graph.without_tiny_weights`. Both in turn, in one run.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from resight.files import write_json
from resight.models.onnx import open_session
from resight.models.shipped import SHIPPED, shipped_file
from resight.provenance import provenance


def speed(session: Any, images: np.ndarray, seconds: float) -> float:
    """Images per second."""
    name = session.get_inputs()[0].name
    session.run(None, {name: images})
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        session.run(None, {name: images})
        done += len(images)
    return done / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement (default 1)")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    plainly = onnxruntime.SessionOptions()
    plainly.intra_op_num_threads = plainly.inter_op_num_threads = 1
    record: dict[str, Any] = {}
    for name in SHIPPED:
        data = shipped_file(name, ".onnx").read_bytes()
        sessions = {
            "file": onnxruntime.InferenceSession(data, plainly, providers=["CPUExecutionProvider"]),
            "resight": open_session(data, 1),
        }
        size = sessions["file"].get_inputs()[0].shape[1:]
        images = np.random.default_rng(0).integers(0, 256, (options.batch_size, *size), np.uint8)
        speeds: dict[str, list[float]] = {way: [] for way in sessions}
        for _ in range(options.rounds):
            for way, session in sessions.items():
                speeds[way].append(speed(session, images, options.seconds))
        ratio = statistics.median(speeds["resight"]) / statistics.median(speeds["file"])
        record[name] = {"images_per_second": speeds, "ratio": ratio}
        print(f"{name}: {ratio:.2f} times as fast without tiny weights")
    if options.json:
        configuration = {name: value for name, value in vars(options).items() if name != "json"}
        write_json(options.json, {"models": record, "provenance": provenance(configuration)})


if __name__ == "__main__":
    main()
