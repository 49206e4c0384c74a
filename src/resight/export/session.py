"""An exported model at work, as the parity gate runs it: ONNX Runtime on the processor, from memory."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from resight.images import Pixels
from resight.models.onnx_file import INPUT, OUTPUT
from resight.progress import Progress, silent

__all__ = ["Session", "cosines"]

Vectors = NDArray[np.float32]


class Session:
    """Runs a model.

    Parameters
    ----------
    model : onnx.ModelProto
        With the input of `network_graph`.
    output : str
        Which of its outputs is wanted: its embeddings, or something else with a row for each image.
    """

    def __init__(self, model: onnx.ModelProto, output: str = OUTPUT) -> None:
        self.output = output
        options = onnxruntime.SessionOptions()  # type: ignore[attr-defined]
        options.log_severity_level = 3  # errors alone
        self._session = onnxruntime.InferenceSession(  # type: ignore[attr-defined]
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        batch = self._session.get_inputs()[0].shape[0]
        self.fixed_batch: int | None = batch if isinstance(batch, int) else None

    def embed(self, pixels: Pixels, *, batch: int = 64, progress: Progress = silent, stage: str = "embedding") -> Vectors:
        """Images, uint8 (n, height, width, 3), to embeddings, float32 (n, d), `batch` at a time unless the model fixes it."""
        batch = self.fixed_batch or batch
        parts = []
        for start in range(0, len(pixels), batch):
            images = pixels[start : start + batch]
            count = len(images)
            if self.fixed_batch is not None and count < batch:
                images = np.concatenate([images, np.repeat(images[:1], batch - count, axis=0)])
            vectors = self._session.run([self.output], {INPUT: np.ascontiguousarray(images)})[0]
            parts.append(np.asarray(vectors, np.float32)[:count])
            progress(stage, start + count, len(pixels))
        return np.concatenate(parts)


def cosines(first: Vectors, second: Vectors) -> NDArray[np.float64]:
    """Cosine of each row (n, d) with its counterpart; 1 where both are zero, 0 where one is."""
    products = np.einsum("nd,nd->n", first, second, dtype=np.float64)
    lengths = [np.linalg.norm(vectors.astype(np.float64), axis=1) for vectors in (first, second)]
    both = lengths[0] * lengths[1]
    result: NDArray[np.float64] = (lengths[0] == lengths[1]).astype(np.float64)
    np.divide(products, both, out=result, where=both > 0)
    return result
