"""The usual loop from files to vectors, for comparison: Pillow, transforms of each image, PyTorch eager, batches of 32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from resight.errors import ConfigurationError, ImageError, MissingDependencyError
from resight.images import Pixels
from resight.models.model import Model
from resight.models.pytorch import NetworkModel

__all__ = ["BATCH_SIZE", "UsualWay"]

BATCH_SIZE = 32


class UsualWay(Model):
    """A network behind the loop that most repositories of the field use to extract features.

    One image after the other is decoded and resized by Pillow, turned into a float tensor of shape (3, height, width) and
    normalised, as torchvision's ``Resize``, ``ToTensor`` and ``Normalize`` do; 32 of them are stacked and embedded. The network
    is as it was built: not in channels-last memory, and freed memory goes back to the system.

    Parameters
    ----------
    model : NetworkModel
        Network of PyTorch; its memory format is changed.

    Raises
    ------
    MissingDependencyError
        If Pillow is not installed.
    ConfigurationError
        If it is another kind of model.
    """

    sha256 = ""  # its pixels differ from Resight's, so the scores of the weights are not its scores

    def __init__(self, model: Model) -> None:
        if not isinstance(model, NetworkModel):
            raise ConfigurationError(f"{model.name} is not a network of PyTorch; only those can go the usual way")
        try:
            import PIL.Image  # noqa: F401
        except ModuleNotFoundError as error:
            raise MissingDependencyError("the usual way decodes with Pillow, which is not installed; pip install pillow") from error
        self.name = f"usual {model.name}"
        self.distance = model.distance
        self.size = model.size
        self.embedding_size = model.embedding_size
        self.parameters = model.parameters
        self.multiply_adds = model.multiply_adds
        self._network = model.network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self._device = next(self._network.parameters()).device
        preprocessing = model.network.preprocessing
        self._mean, self._std = (torch.tensor(three).view(3, 1, 1) for three in (preprocessing.mean, preprocessing.std))
        self._bgr = preprocessing.colour == "bgr"

    def read(self, path: str) -> Pixels:
        """Decode a file and resize it, uint8 RGB (height, width, 3). Raises `ImageError`."""
        from PIL import Image

        try:
            with Image.open(path) as image:
                return np.array(image.convert("RGB").resize(self.size[::-1], Image.Resampling.BILINEAR))
        except (OSError, Image.DecompressionBombError) as error:
            raise ImageError(f"{path}: {error}") from error

    def extract(self, pixels: Pixels) -> NDArray[np.float32]:
        """Images of `size`, uint8 RGB (n, height, width, 3), to embeddings, float32 (n, embedding_size)."""
        return self._embedded(pixels, self._transformed)

    def embed_files(self, paths: Sequence[str]) -> NDArray[np.float32]:
        """Files to embeddings, float32 (n, embedding_size). Raises `ImageError`."""
        return self._embedded(paths, lambda path: self._transformed(self.read(path)))

    def _embedded(self, items: Sequence[str] | Pixels, transformed: Callable[[Any], Tensor]) -> NDArray[np.float32]:
        parts = []
        with torch.no_grad():
            for start in range(0, len(items), BATCH_SIZE):
                batch = torch.stack([transformed(item) for item in items[start : start + BATCH_SIZE]])
                parts.append(self._network.embed(batch.to(self._device)).cpu().numpy())
        return np.concatenate(parts)

    def _transformed(self, image: Pixels) -> Tensor:
        tensor = torch.from_numpy(image).permute(2, 0, 1).contiguous().to(torch.float32).div(255)
        return (tensor.flip(0) if self._bgr else tensor).sub(self._mean).div(self._std)
