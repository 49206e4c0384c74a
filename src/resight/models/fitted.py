"""A model with a learned distance: fitted, saved and loaded as one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from resight.datasets import Dataset
from resight.errors import ArrayError, ConfigurationError, WeightsError
from resight.files import atomic_write, read_json, sha256_file, write_json
from resight.images import Pixels
from resight.models.embedding import Model, embed_files
from resight.models.resolve import FITTED_ARRAYS, load_model
from resight.progress import Progress, silent
from resight.provenance import provenance
from resight.shipped import SHIPPED

if TYPE_CHECKING:
    from resight.distances.fitted import FittedDistance

__all__ = ["FittedModel", "fit_model", "load_fitted"]

_CARD = "card.json"
_FORMAT = "resight-distance-1"
_MOST_FITTED = 8  # distances on one another


class FittedModel:
    """An extractor followed by a learned projection, with the distance that belongs to it.

    Parameters
    ----------
    extractor : Model
    fitted : FittedDistance
        Learned from what `extractor` gives.
    name : str
        How it is called in tables.
    """

    def __init__(self, extractor: Model, fitted: FittedDistance, name: str) -> None:
        self.name = name
        self.extractor = extractor
        self.fitted = fitted
        self.size = extractor.size
        self.embedding_size = fitted.dimensions
        self.parameters = extractor.parameters + fitted.parameters
        self.multiply_adds = extractor.multiply_adds
        self.distance: Callable[[NDArray[Any], NDArray[Any]], NDArray[np.float32]] = fitted.compare

    @property
    def sha256(self) -> str:
        """Names the extractor's weights and what was fitted to them: another fit is another model."""
        digest = hashlib.sha256(self.extractor.sha256.encode())
        for name, array in sorted(self.fitted.state().items()):
            digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def extract(self, pixels: Pixels) -> NDArray[np.float32]:
        """Images of `size`, uint8 RGB (n, height, width, 3), to projected vectors, float32 (n, embedding_size)."""
        return self.fitted.transform(self.extractor.extract(pixels))


def fit_model(
    data: Dataset,
    out: str | Path,
    reference: str,
    kind: str,
    *,
    dimensions: int = 0,
    seed: int = 0,
    device: str = "auto",
    height: int = 0,
    width: int = 0,
    progress: Progress = silent,
) -> Path:
    """Learn a distance for a model from a data set's training images, and save both as one model.

    Parameters
    ----------
    data : Dataset
        Its first split's training images are used.
    out : str or Path
        Folder to write: ``card.json`` and ``distance.safetensors``. Of what was there before, only a fitted distance is replaced.
    reference : str
        The model whose vectors are compared; see `load_model`. A network is referred to, by its whole path, and not copied.
    kind : str
        ``"kissme"`` or ``"xqda"``.
    dimensions, seed
        See `resight.distances.fitted.fit_distance`.
    device, height, width
        See `load_model`.
    progress : Progress

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    ConfigurationError
        If `out` holds another model, or one that `reference` is or rests on.
    ResightError
        Whatever loading, reading, fitting and writing raise.
    """
    from safetensors.numpy import save

    from resight.distances.fitted import fit_distance

    out = Path(out)
    extractor = load_model(reference, device=device, height=height, width=width)
    _refuse_to_replace(out, reference, extractor)
    train = data.train
    vectors = embed_files(extractor, train.paths, progress=progress)
    fitted = fit_distance(kind, vectors, train.identities, train.cameras, dimensions=dimensions, seed=seed, progress=progress)
    with atomic_write(out / FITTED_ARRAYS) as stream:
        stream.write(save({name: np.ascontiguousarray(array) for name, array in fitted.state().items()}))
    configuration = {"model": reference, "distance": kind, "dimensions": dimensions}
    card = {
        "format": _FORMAT,
        "distance": kind,
        "model": _from_anywhere(reference),
        "model_sha256": extractor.sha256,
        "input": list(extractor.size),
        "dimensions": fitted.dimensions,
        "arrays_sha256": sha256_file(out / FITTED_ARRAYS),
        "training": {"dataset": data.name, "images": len(train), "warnings": list(data.warnings)},
        "provenance": provenance(configuration, seed=seed),
    }
    write_json(out / _CARD, card)
    return out


def _refuse_to_replace(out: Path, reference: str, extractor: Model) -> None:
    """Raise `ConfigurationError` where `out` is a network's folder, or a fitted model's that the new one would rest on."""
    try:
        fitted = not (out / _CARD).exists() or read_json(out / _CARD)["format"] == _FORMAT
    except (OSError, ValueError, KeyError, TypeError):
        fitted = False
    if not fitted:
        raise ConfigurationError(f"{out} holds another model, which a fitted distance would replace; choose another --out")
    while isinstance(extractor, FittedModel):
        if Path(reference).resolve() == out.resolve():
            raise ConfigurationError(f"{out} is what the new distance would rest on, and be replaced by it; choose another --out")
        reference, extractor = read_json(Path(reference) / _CARD)["model"], extractor.extractor


def _from_anywhere(reference: str) -> str:
    """The same model, whatever folder is worked in: files and run folders by their whole path."""
    if reference.removeprefix("openvino:") in SHIPPED or reference.partition(":")[0] == "lomo":
        return reference
    kind, colon, file = reference.partition(":")
    if (Path(reference) / _CARD).exists() or (reference.endswith(".onnx") and kind != "openvino"):
        return str(Path(reference).resolve())
    return f"{kind}:{Path(file).resolve()}" if colon else reference


def load_fitted(folder: Path, device: str, threads: int) -> FittedModel:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    from resight.distances.fitted import FittedDistance

    try:
        card = read_json(folder / _CARD)
        if card["format"] != _FORMAT or sha256_file(folder / FITTED_ARRAYS) != card["arrays_sha256"]:
            raise WeightsError(f"{folder / FITTED_ARRAYS} is not the file that its card describes; restore it or fit again")
        fitted = FittedDistance.from_state(card["distance"], load_file(folder / FITTED_ARRAYS))
        reference, sha256 = str(card["model"]), str(card["model_sha256"])
        height, width = (int(side) for side in card["input"])
        below = folder
        for _ in range(_MOST_FITTED):
            below = Path(str(read_json(below / _CARD)["model"]))
            if not (below / FITTED_ARRAYS).exists():
                break
        else:
            raise WeightsError(f"{folder} rests on itself, or on more than {_MOST_FITTED} fitted folders; fit again")
    except (OSError, ValueError, KeyError, TypeError, SafetensorError, ArrayError) as error:
        raise WeightsError(f"{folder} is damaged ({error}); fit again") from error
    try:
        extractor = load_model(reference, device=device, height=height, width=width, threads=threads)
    except (ConfigurationError, WeightsError) as error:
        place = Path(reference.partition(":")[2] or reference)
        why = f"cannot be used ({error})" if place.exists() else "is not there"
        raise WeightsError(f"{folder} rests on {reference}, which {why}; put it back, or fit again") from error
    if extractor.sha256 != sha256:
        raise WeightsError(f"{folder} was fitted to another {reference} (SHA-256 differs); fit again")
    return FittedModel(extractor, fitted, folder.resolve().name)
