"""Person detectors of Intel's Open Model Zoo, on OpenVINO: single-shot networks with a list of boxes at their end."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np

from resight.cameras.detections import Detections
from resight.cameras.detectors.detector import Detector, suppressed
from resight.cameras.frames import Frame
from resight.compute import usable_cores
from resight.errors import MissingDependencyError, WeightsError
from resight.models.exported import first_line
from resight.models.onnx_graph import read_bounded
from resight.networks.published import fetch_file, open_model_zoo

__all__ = ["WEIGHTS", "OmzDetector"]

WEIGHTS = {
    "person-detection-retail-0013": open_model_zoo(
        "person-detection-retail-0013",
        "2fd3f0e733d137db1f92bb8d136790a999a5d7ebf65d81dac2c4c3775d58d392",
        "56eeccbeb3f27144046edacb95b459d60f3930f54051ef5b9e5253923c07b672",
    )
}
"""Files that are downloaded by name. Others are given by their path."""

_OVERLAP = 0.45


class OmzDetector(Detector):
    """People by a network such as ``person-detection-retail-0013`` of the Open Model Zoo.

    Parameters
    ----------
    file : str
        A key of `WEIGHTS`, which is downloaded once; or the ``.xml`` beside its ``.bin``: input (1, 3, height, width), BGR from 0
        to 255; output (1, 1, n, 7): image, label, confidence, left, top, right, bottom as shares of the frame.
    threshold : float
        Smallest confidence of a detection.
    threads : int
        Threads of the network; 0 is one for each usable core.

    Raises
    ------
    MissingDependencyError
        If OpenVINO is not installed.
    WeightsError
        If the files are missing or damaged, or are not such a network.
    DownloadError
        If they have to be downloaded and cannot be.
    """

    def __init__(self, file: str = "", *, threshold: float = 0.1, threads: int = 0) -> None:
        try:
            import openvino  # type: ignore[import-untyped]
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                "omz needs OpenVINO, which is not installed; in the folder of Resight, pip install '.[openvino]'"
            ) from error
        file = file or next(iter(WEIGHTS))
        path = fetch_file(WEIGHTS[file]) if file in WEIGHTS else Path(file)
        self.name = path.stem
        self._path, self._threshold = file, threshold
        core = openvino.Core()
        parts = [read_bounded(part) for part in (path, path.with_suffix(".bin"))]
        try:
            model = core.read_model(io.BytesIO(parts[0]), io.BytesIO(parts[1]))
            shapes = [[side.get_length() if side.is_static else None for side in value.partial_shape] for value in model.inputs]
            shapes += [[side.get_length() if side.is_static else None for side in value.partial_shape] for value in model.outputs]
        except Exception as error:  # OpenVINO's errors have no base of their own
            raise WeightsError(f"{file}: OpenVINO refuses it ({first_line(error)}); get it again") from error
        match shapes:
            case [[1, 3, int(height), int(width)], [1, 1, int(), 7]]:
                self._size = height, width
            case _:
                raise WeightsError(f"{file}: shapes {shapes}; expected a detector's [1, 3, height, width] and [1, 1, n, 7]")
        config = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads or usable_cores(), "NUM_STREAMS": 1}
        self._request = core.compile_model(model, "CPU", config).create_infer_request()

    def detect(self, frame: Frame) -> Detections:
        """See `Detector.detect`."""
        height, width = self._size
        small = cv2.resize(frame.pixels, (width, height), interpolation=cv2.INTER_LINEAR)
        planes = np.ascontiguousarray(small[..., ::-1].transpose(2, 0, 1), np.float32)[None]
        rows = np.array(self._request.infer([planes])[0], np.float64).reshape(-1, 7)
        ended = np.flatnonzero(rows[:, 0] < 0)  # the list ends with image -1
        rows = rows[: ended[0]] if len(ended) else rows
        rows = rows[~(rows[:, 2] < max(self._threshold, 1e-6))]
        sides = np.array([*frame.size[::-1], *frame.size[::-1]], np.float64)
        return suppressed(rows[:, 3:] * sides, rows[:, 2], overlap=_OVERLAP, name=self._path)
