"""The usual way from a film to vectors of its people: OpenCV reads, ONNX Runtime detects, SORT tracks, PyTorch embeds every box.

    python benchmarks/usual.py film.mp4 --yolox yolox_nano.onnx --osnet osnet_x0_25_market1501.pth --out people.npz

Nothing here uses Resight, but for OSNet's layers, which load its authors' weights. Everything has its default settings.
`benchmarks/cameras.py` measures it beside `resight watch`.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

import resight

Floats = NDArray[np.float64]

SIDE, GRAY, STRIDES = 416, 114, (8, 16, 32)
CONFIDENCE, OVERLAP = 0.4, 0.45
HEIGHT, WIDTH = 256, 128
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


class Detector:
    """YOLOX at 416x416, as its authors' example runs it."""

    def __init__(self, path: Path) -> None:
        self.session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        self.name = self.session.get_inputs()[0].name
        grids = [np.stack(np.mgrid[: SIDE // step, : SIDE // step][::-1], -1).reshape(-1, 2) for step in STRIDES]
        self.corners = np.concatenate(grids)
        self.steps = np.concatenate([np.full((len(grid), 1), step) for grid, step in zip(grids, STRIDES, strict=True)])

    def __call__(self, frame: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        """Boxes (n, 4) and confidences (n,) of the people on a frame (height, width, 3) in BGR."""
        scale = min(SIDE / frame.shape[0], SIDE / frame.shape[1])
        small = cv2.resize(frame, (int(frame.shape[1] * scale), int(frame.shape[0] * scale)))
        canvas = np.full((SIDE, SIDE, 3), GRAY, np.uint8)
        canvas[: small.shape[0], : small.shape[1]] = small
        planes = np.ascontiguousarray(canvas.transpose(2, 0, 1), np.float32)[None]
        found = self.session.run(None, {self.name: planes})[0][0]
        middle, size = (found[:, :2] + self.corners) * self.steps, np.exp(found[:, 2:4]) * self.steps
        boxes = np.concatenate([middle - size / 2, size], 1) / scale
        scores = found[:, 4] * found[:, 5]
        kept = np.asarray(cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), CONFIDENCE, OVERLAP), int).ravel()
        return np.concatenate([boxes[kept, :2], boxes[kept, :2] + boxes[kept, 2:]], 1), scores[kept]


class Track:
    """Somebody's box and its velocity, in a Kalman filter of eight numbers."""

    step = np.eye(8) + np.eye(8, k=4)

    def __init__(self, number: int, box: Floats) -> None:
        self.number, self.hits, self.unseen = number, 1, 0
        self.state = np.concatenate([box, np.zeros(4)])
        self.variance = np.diag([25.0] * 4 + [100.0] * 4)

    def predict(self) -> Floats:
        """The box on the next frame."""
        self.state = self.step @ self.state
        self.variance = self.step @ self.variance @ self.step.T + np.diag([1.0] * 4 + [0.5] * 4)
        self.unseen += 1
        return self.state[:4]

    def correct(self, box: Floats) -> None:
        """Take the box that was found."""
        gain = self.variance[:, :4] @ np.linalg.inv(self.variance[:4, :4] + np.diag([10.0] * 4))
        self.state = self.state + gain @ (box - self.state[:4])
        self.variance = self.variance - gain @ self.variance[:4]
        self.hits, self.unseen = self.hits + 1, 0


class Sort:
    """Boxes that overlap become tracks: A. Bewley et al., Simple Online and Realtime Tracking, ICIP 2016."""

    def __init__(self, patience: int = 30, least: float = 0.3) -> None:
        self.tracks: list[Track] = []
        self.patience, self.least, self.given = patience, least, 0

    def __call__(self, boxes: Floats) -> list[int]:
        """The number of each box's track."""
        predicted = np.array([track.predict() for track in self.tracks]).reshape(-1, 4)
        shared = overlap(predicted, boxes)
        numbers = [0] * len(boxes)
        for row, column in zip(*linear_sum_assignment(-shared), strict=True):
            if shared[row, column] >= self.least:
                self.tracks[row].correct(boxes[column])
                numbers[column] = self.tracks[row].number
        for column, box in enumerate(boxes):
            if not numbers[column]:
                self.given += 1
                self.tracks.append(Track(self.given, box))
                numbers[column] = self.given
        self.tracks = [track for track in self.tracks if track.unseen <= self.patience]
        return numbers


def overlap(ones: Floats, others: Floats) -> Floats:
    """Intersection over union of each of (n, 4) boxes with each of (m, 4)."""
    near = np.maximum(ones[:, None, :2], others[None, :, :2])
    far = np.minimum(ones[:, None, 2:], others[None, :, 2:])
    both = np.maximum(far - near, 0).prod(2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (ones, others)]
    return both / np.maximum(areas[0][:, None] + areas[1][None] - both, 1e-9)


def embed(network: torch.nn.Module, frame: NDArray[np.uint8], boxes: Floats) -> NDArray[np.float32]:
    """Vectors of the people in boxes."""
    crops = []
    for box in boxes:
        left, top, right, bottom = (max(int(side), 0) for side in box)
        crop = cv2.cvtColor(frame[top : max(bottom, top + 1), left : max(right, left + 1)], cv2.COLOR_BGR2RGB)
        crops.append((cv2.resize(crop, (WIDTH, HEIGHT)).astype(np.float32) / 255 - MEAN) / DEVIATION)
    with torch.no_grad():
        vectors: NDArray[np.float32] = network.embed(torch.from_numpy(np.stack(crops).transpose(0, 3, 1, 2)).contiguous()).numpy()
    return vectors


def main() -> None:
    """Watch a film, and write a vector for each track of three boxes or more."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("film", type=Path)
    parser.add_argument("--yolox", type=Path, required=True)
    parser.add_argument("--osnet", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    network = resight.load_model(f"osnet-0.25:{options.osnet}", device="cpu").network.to(memory_format=torch.contiguous_format)
    detector, tracker = Detector(options.yolox), Sort()
    seen: dict[int, list[NDArray[np.float32]]] = defaultdict(list)
    film = cv2.VideoCapture(str(options.film))
    while True:
        there, frame = film.read()
        if not there:
            break
        boxes, _ = detector(frame)
        boxes = np.clip(boxes, 0, np.array([*frame.shape[1::-1]] * 2))
        numbers = tracker(boxes)
        if len(boxes):
            for number, vector in zip(numbers, embed(network, frame, boxes), strict=True):
                seen[number].append(vector)
    people = {str(number): np.mean(vectors, axis=0) for number, vectors in seen.items() if len(vectors) >= 3}
    np.savez(options.out, **people)
    print(f"{len(people)} tracks, {sum(map(len, seen.values()))} boxes")


if __name__ == "__main__":
    main()
