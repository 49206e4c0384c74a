"""A model with a learned distance: fitted, saved and loaded as one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resight.datasets import Dataset
from resight.errors import ArrayError, ConfigurationError, WeightsError
from resight.files import atomic_write, read_json, sha256_file, write_json
from resight.images import Pixels
from resight.models.embedding import embed_files
from resight.models.model import Model, Vectors
from resight.models.reference import FITTED_ARRAYS, Reference, parse
from resight.models.resolve import load_model
from resight.networks import CARD
from resight.progress import Progress, silent
from resight.provenance import provenance

if TYPE_CHECKING:
    from resight.distances.fitted import FittedDistance

__all__ = ["FittedModel", "fit_model", "load_fitted"]

_FORMAT = "resight-distance-1"
_MOST_FITTED = 8  # folders that rest on each other


class FittedModel(Model):
    """A model followed by a learned projection, with the distance that belongs to it.

    Parameters
    ----------
    base : Model
    fitted : FittedDistance
        Learned from the vectors of `base`.
    name : str
        Name in tables.
    """

    def __init__(self, base: Model, fitted: FittedDistance, name: str) -> None:
        self.name = name
        self.base = base
        self.fitted = fitted
        self.distance = fitted.compare
        self.size = base.size
        self.embedding_size = fitted.dimensions
        self.parameters = base.parameters + fitted.parameters
        self.multiply_adds = base.multiply_adds
        digest = hashlib.sha256(base.sha256.encode())  # another fit is another model
        for key, array in sorted(fitted.state().items()):
            digest.update(key.encode() + np.ascontiguousarray(array).tobytes())
        self.sha256 = digest.hexdigest()

    def extract(self, pixels: Pixels) -> Vectors:
        """See `Model.extract`."""
        return self.fitted.transform(self.base.extract(pixels))


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
    """Learn a distance for a model from the training images of a data set, and save both as one model.

    Parameters
    ----------
    data : Dataset
        The training images of its first split are used.
    out : str or Path
        Folder for ``card.json`` and ``distance.safetensors``. A fitted distance in it is replaced; another model is not.
    reference : str
        The model whose vectors are compared; see `load_model`. The card holds its absolute path; nothing is copied.
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
        If `out` holds another model, or one that `reference` rests on.
    ResightError
        Errors of loading, reading, fitting and writing.
    """
    from safetensors.numpy import save

    from resight.distances.fitted import fit_distance

    out = Path(out)
    found = parse(reference)
    base = load_model(reference, device=device, height=height, width=width)
    _refuse_to_replace(out, found)
    train = data.train
    vectors = embed_files(base, train.paths, progress=progress)
    fitted = fit_distance(kind, vectors, train.identities, train.cameras, dimensions=dimensions, seed=seed, progress=progress)
    with atomic_write(out / FITTED_ARRAYS) as stream:
        stream.write(save({name: np.ascontiguousarray(array) for name, array in fitted.state().items()}))
    configuration = {"model": reference, "distance": kind, "dimensions": dimensions}
    card = {
        "format": _FORMAT,
        "distance": kind,
        "model": found.absolute,
        "model_sha256": base.sha256,
        "input": list(base.size),
        "dimensions": fitted.dimensions,
        "arrays_sha256": sha256_file(out / FITTED_ARRAYS),
        "training": {"dataset": data.name, "images": len(train), "warnings": list(data.warnings)},
        "provenance": provenance(configuration, seed=seed),
    }
    write_json(out / CARD, card)
    return out


def _refuse_to_replace(out: Path, reference: Reference) -> None:
    """Raise `ConfigurationError` if `out` is a network's folder, or a fitted one that the new distance would rest on."""
    try:
        fitted = not (out / CARD).exists() or read_json(out / CARD)["format"] == _FORMAT
    except (OSError, ValueError, KeyError, TypeError):
        fitted = False
    if not fitted:
        raise ConfigurationError(f"{out} holds another model, which a fitted distance would replace; choose another --out")
    for folder in _folders(reference):
        if folder.resolve() == out.resolve():
            raise ConfigurationError(f"{out} would be replaced by a distance that rests on it; choose another --out")


def _folders(reference: Reference) -> Iterator[Path]:
    """The fitted folders that a model rests on, from itself down, as far as they are there. Raises `WeightsError` for a circle."""
    top, count = reference.text, 0
    while reference.kind == "fitted" and reference.path is not None:
        if count == _MOST_FITTED:
            raise WeightsError(f"{top} rests on itself, or on more than {_MOST_FITTED} fitted folders; fit again")
        yield reference.path
        count += 1
        try:
            reference = parse(str(read_json(reference.path / CARD)["model"]))
        except (ConfigurationError, OSError, ValueError, KeyError, TypeError):
            return


def load_fitted(reference: Reference, device: str, threads: int) -> FittedModel:
    """Load a model that `fit_model` wrote.

    Parameters
    ----------
    reference : Reference
        A reference of the kind fitted.
    device, threads
        See `load_model`.

    Raises
    ------
    WeightsError
        If the folder is damaged, or the model that it rests on is missing or another.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    from resight.distances.fitted import FittedDistance

    folder = reference.path or Path()
    try:
        card = read_json(folder / CARD)
        if card["format"] != _FORMAT or sha256_file(folder / FITTED_ARRAYS) != card["arrays_sha256"]:
            raise WeightsError(f"{folder / FITTED_ARRAYS} is not the file that its card describes; restore it or fit again")
        fitted = FittedDistance.from_state(card["distance"], load_file(folder / FITTED_ARRAYS))
        below, sha256 = str(card["model"]), str(card["model_sha256"])
        height, width = (int(side) for side in card["input"])
    except (OSError, ValueError, KeyError, TypeError, SafetensorError, ArrayError) as error:
        raise WeightsError(f"{folder} is damaged ({error}); fit again") from error
    list(_folders(reference))  # a circle would be loaded for ever
    try:
        base = load_model(below, device=device, height=height, width=width, threads=threads)
    except (ConfigurationError, WeightsError) as error:
        place = Path(below.partition(":")[2] or below)
        why = f"cannot be used ({error})" if place.exists() else "is missing"
        raise WeightsError(f"{folder} rests on {below}, which {why}; put it back, or fit again") from error
    if base.sha256 != sha256:
        raise WeightsError(f"{folder} was fitted to another {below} (its SHA-256 differs); fit again")
    return FittedModel(base, fitted, folder.resolve().name)
