"""YOLOX, nano to x, as the ONNX files of its authors: Z. Ge et al., YOLOX: Exceeding YOLO Series in 2021, arXiv:2107.08430."""

from __future__ import annotations

import functools
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from resight.cameras.detections import Detections
from resight.cameras.detectors.detector import Detector, suppressed
from resight.cameras.frames import Frame
from resight.compute import usable_cores
from resight.errors import WeightsError
from resight.images import Pixels
from resight.models.exported import first_line
from resight.models.onnx import open_session
from resight.models.onnx_graph import check_whole, read_bounded
from resight.models.protobuf import Damaged, budget, gathered, message, text
from resight.networks.published import Published, fetch_file

__all__ = ["WEIGHTS", "YoloxDetector", "letterbox"]

_RELEASE = "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0/"
_TERMS = "Apache-2.0 (Megvii); trained on COCO, whose images are under licences of their own"

WEIGHTS: dict[str, Published] = {
    "nano": Published(
        file="yolox_nano.onnx",
        url=f"{_RELEASE}yolox_nano.onnx",
        sha256="c789161ed43c8269fcd4e67c67eeeb4e80c622da2eb296a20bc6007bd18a0b7d",
        network="yolox",
        terms=_TERMS,
    ),
    "tiny": Published(
        file="yolox_tiny.onnx",
        url=f"{_RELEASE}yolox_tiny.onnx",
        sha256="427cc366d34e27ff7a03e2899b5e3671425c262ea2291f88bb942bc1cc70b0f7",
        network="yolox",
        terms=_TERMS,
    ),
    "s": Published(
        file="yolox_s.onnx",
        url=f"{_RELEASE}yolox_s.onnx",
        sha256="c5c2d13e59ae883e6af3b45daea64af4833a4951c92d116ec270d9ddbe998063",
        network="yolox",
        terms=_TERMS,
    ),
}
"""Files that are downloaded by name. Others are given by their path."""

_STRIDES = (8, 16, 32)
_STEP = _STRIDES[-1]
_SIZE, _NOTHING = 0x08, 0x78
"""Key of a dimension's size in an ONNX file, and one that no reader knows, which leaves the size open."""

_OVERLAP = 0.45  # of two boxes that may both be people, as in its authors' demo
_BACKGROUND = 114
_MOST_FIELDS = 1_000_000
_OPERATORS = (
    *("Add", "BatchNormalization", "Cast", "Concat", "Constant", "Conv", "Div", "Exp", "Expand", "Gather", "Identity", "LeakyRelu"),
    *("MaxPool", "Mul", "Relu", "Reshape", "Resize", "Shape", "Sigmoid", "Slice", "Split", "Squeeze", "Sub", "Tanh", "Transpose"),
    *("Unsqueeze", "Upsample"),
)


class YoloxDetector(Detector):
    """People by a YOLOX network on ONNX Runtime.

    The network looks at a square, with gray below a frame that is wider than high. Of the gray, only what fills the frame up to a
    multiple of 32 is computed, if the file allows it, as its authors' files do: at 16:9 that saves a third of the work.

    Parameters
    ----------
    file : str
        A key of `WEIGHTS`, which is downloaded once, or an ONNX file whose grid is not decoded yet: input (1, 3, height, width),
        BGR from 0 to 255; output (1, cells, 5 + classes), class 0 is a person.
    threshold : float
        Smallest confidence of a detection.
    threads : int
        Threads of the network; 0 is one for each usable core.

    Raises
    ------
    WeightsError
        If the file is missing or damaged, or is not such a network.
    DownloadError
        If it has to be downloaded and cannot be.
    """

    def __init__(self, file: str = "", *, threshold: float = 0.1, threads: int = 0) -> None:
        path = fetch_file(WEIGHTS[file or "nano"]) if file in ("", *WEIGHTS) else file
        self.name = "yolox"
        self._threshold = threshold
        self._path = str(path)
        data = read_bounded(path)
        try:
            _check(data)
        except Damaged as error:
            raise WeightsError(f"{path}: not an ONNX file, or a damaged one ({error}); get it again") from error
        except WeightsError as error:
            raise WeightsError(f"{path}: {error}; expected YOLOX as its authors export it") from error
        try:
            self._session = open_session(data, threads or usable_cores(), spin=False)
        except Exception as error:  # ONNX Runtime's errors have no base of their own
            raise WeightsError(f"{path}: ONNX Runtime refuses it ({first_line(error)}); get it again") from error
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        match [list(value.shape) for value in (*inputs, *outputs)]:
            case [[1, 3, int(height), int(width)], [1, int(cells), int(numbers)]] if (
                cells == sum((height // stride) * (width // stride) for stride in _STRIDES) and numbers > 5
            ):
                self._size = height, width
            case shapes:
                raise WeightsError(f"{path}: shapes {shapes}; expected YOLOX's [1, 3, height, width] and [1, cells, 5 + classes]")
        self._input = inputs[0].name
        opened = self._opened(data, threads)
        self._any_size = opened is not None
        self._session = opened or self._session

    def detect(self, frame: Frame) -> Detections:
        """See `Detector.detect`."""
        size = _filled_up(frame.size, self._size) if self._any_size else self._size
        canvas, scale = letterbox(frame.pixels, size)
        planes = np.ascontiguousarray(canvas[..., ::-1].transpose(2, 0, 1), np.float32)[None]
        try:
            found = np.asarray(self._session.run(None, {self._input: planes})[0])[0]
        except Exception as error:
            raise WeightsError(f"{self._path}: ONNX Runtime failed ({first_line(error)})") from error
        scores = found[:, 4] * found[:, 5]
        rows = np.flatnonzero(~(scores < self._threshold))  # NaN stays, to be refused
        raw, scores = found[rows, :4].astype(np.float64), scores[rows]
        corners, steps = (part[rows] for part in _grid(size))
        centres = (raw[:, :2] + corners) * steps
        halves = np.exp(np.minimum(raw[:, 2:], 20)) * steps / 2
        boxes = np.concatenate([centres - halves, centres + halves], axis=1) / scale
        return suppressed(boxes, scores, overlap=_OVERLAP, name=self._path)

    def _opened(self, data: bytes, threads: int) -> Any:
        """A session that takes images of any sides that are multiples of 32; None if the network does not allow it."""
        if self._size[0] % _STEP or self._size[1] % _STEP:
            return None
        try:
            session = open_session(_with_open_sides(data), threads or usable_cores(), spin=False)
            found = session.run(None, {self._input: np.zeros((1, 3, _STEP, 2 * _STEP), np.float32)})[0]
        except Exception:  # ONNX Runtime's errors have no base of their own
            return None
        return session if found.shape[1] == len(_grid((_STEP, 2 * _STEP))[0]) else None


def letterbox(pixels: Pixels, size: tuple[int, int]) -> tuple[Pixels, float]:
    """Shrink or enlarge an image to fit into (height, width), at the top left, on gray; and return the scale."""
    height, width = pixels.shape[:2]
    scale = min(size[0] / height, size[1] / width)
    inside = max(1, int(height * scale)), max(1, int(width * scale))
    canvas = np.full((*size, 3), _BACKGROUND, np.uint8)
    canvas[: inside[0], : inside[1]] = cv2.resize(pixels, inside[::-1], interpolation=cv2.INTER_LINEAR)
    return canvas, scale


def _filled_up(frame: tuple[int, int], largest: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the network's image: those of the letterboxed frame, up to a multiple of 32."""
    scale = min(largest[0] / frame[0], largest[1] / frame[1])
    height, width = (max(1, int(side * scale)) for side in frame)
    return -(-height // _STEP) * _STEP, -(-width // _STEP) * _STEP


@functools.lru_cache(16)
def _grid(size: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Left top corner of each cell, in cells, and the cell's size in pixels."""
    corners, scales = [], []
    for stride in _STRIDES:
        rows, columns = np.mgrid[: size[0] // stride, : size[1] // stride]
        corners.append(np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float64))
        scales.append(np.full((corners[-1].shape[0], 1), float(stride)))
    return np.concatenate(corners), np.concatenate(scales)


def _with_open_sides(data: bytes) -> bytes:
    """The same graph, which does not say how high and wide its input is, and how many cells it gives."""
    changed, left = bytearray(data), budget(_MOST_FIELDS)
    graph = gathered(check_whole(changed, left)[0], left)
    for value, places in ((graph[11][0], (2, 3)), (graph[12][0], (1,))):  # its first input, its first output
        kind = gathered(gathered(value, left)[2][0], left)[1][0]
        sides = gathered(gathered(kind, left)[2][0], left)[1]
        for place in places:
            side = message(sides[place])  # a view of `changed`
            if side[0] != _SIZE:
                raise Damaged("a dimension without a size")
            side[0] = _NOTHING
    return bytes(changed)


def _check(data: bytes) -> None:
    """Refuse a graph that refers to other files, or has operators that YOLOX does not need."""
    left = budget(_MOST_FIELDS)
    graph, _, strange = check_whole(data, left)
    if strange:
        raise WeightsError(f"holds {strange}")
    for value in gathered(graph, left)[1]:
        node = gathered(value, left)
        operator, domain = text(node[4]), text(node[7])
        if operator not in _OPERATORS or domain not in ("", "ai.onnx"):
            raise WeightsError(f"holds the operator {ascii(f'{domain} {operator}'.strip())[:80]}")
