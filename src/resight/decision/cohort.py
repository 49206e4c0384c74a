"""A cohort: what strangers look like to a model. It tells how common an appearance is, before anybody is found.

A man in a black coat is near to many people, and a woman in a yellow one is near to nobody. One threshold on the distance is too
wide for him and too narrow for her. A cohort corrects that: the more alike a query is to the strangers of the cohort, the nearer a
sighting must be to count. The correction is one number for a query, so it changes no ranking.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.distances import distance_named
from resight.distances.vectors import embeddings_of, squared_norms
from resight.errors import ArrayError, ConfigurationError
from resight.files import read_json
from resight.shipped import SHIPPED, shipped_file

__all__ = ["Cohort", "fit_cohort", "shipped_cohort"]

_CENTRES = 1000
_SHARE = 40  # one centre in so many is near
_LEAST = 200  # crops
_CROPS = 4  # for each centre, at least
_ROUNDS = 10
_BLOCK = 4096


@dataclass(frozen=True, eq=False)
class Cohort:
    """Centres of the vectors of strangers: means of several crops each, rarely of one.

    Attributes
    ----------
    centres : int8 array of shape (n, d)
        Vectors, times `scale`.
    scale : float
    neighbours : int
        Number of nearest centres that tell how common an appearance is.
    distance : str
        A key of `resight.distances.DISTANCES`.
    model_sha256 : str
        Model of the vectors; empty if that was not said.
    """

    centres: NDArray[np.int8]
    scale: float
    neighbours: int
    distance: str
    model_sha256: str = ""

    def commonness(self, vectors: ArrayLike) -> NDArray[np.float64]:
        """Mean distance of each vector of (q, d) to its nearest centres, (q,): small for an appearance that many people share.

        Raises
        ------
        ArrayError
            If the vectors have another dimension, or hold NaN or infinity.

        References
        ----------
        .. [1] R. Auckenthaler, M. Carey, H. Lloyd-Thomas, "Score Normalization for Text-Independent Speaker Verification Systems",
               Digital Signal Processing 10, 2000 (test normalisation; here by the nearest of the cohort, and without a variance).
        """
        queries = embeddings_of("query", vectors)
        if queries.shape[1] != self.centres.shape[1]:
            raise ArrayError(
                f"a vector holds {queries.shape[1]} numbers and the cohort has {self.centres.shape[1]}; expected as many"
            )
        measure, centres = distance_named(self.distance), self._vectors
        found = np.empty(len(queries), np.float64)
        for start in range(0, len(queries), _BLOCK):
            some = queries[start : start + _BLOCK]
            gaps = np.empty((len(some), len(centres)), np.float32)
            measure.fast(some, centres, self._squares, gaps)  # exact to float32, and every search waits for it
            nearest = np.partition(gaps, self.neighbours - 1, axis=1)[:, : self.neighbours].astype(np.float64)
            shares = measure.share(squared_norms(some))[:, None]
            found[start : start + _BLOCK] = measure.from_gaps(np.maximum(nearest + shares, 0)).mean(axis=1)
        return found

    @cached_property
    def _vectors(self) -> NDArray[np.float32]:
        return self.centres.astype(np.float32) / np.float32(self.scale)

    @cached_property
    def _squares(self) -> NDArray[np.float64]:
        return squared_norms(self._vectors)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; the centres in base64."""
        return {
            "centres": base64.b64encode(self.centres.tobytes()).decode("ascii"),
            "count": len(self.centres),
            "dimension": self.centres.shape[1],
            "scale": self.scale,
            "neighbours": self.neighbours,
            "distance": self.distance,
            "model_sha256": self.model_sha256,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make one from what `to_dict` returned. Raises `ValueError`, `KeyError` or `TypeError` for anything else."""
        count, dimension, neighbours = (int(values[name]) for name in ("count", "dimension", "neighbours"))
        scale = float(values["scale"])
        try:
            content = base64.b64decode(values["centres"], validate=True)
        except binascii.Error as error:
            raise ValueError("its cohort is not base64") from error
        if not (0 < neighbours <= count and dimension > 0 and 0 < scale < np.inf and len(content) == count * dimension):
            raise ValueError("its cohort is incomplete")
        try:
            distance_named(str(values["distance"]))
        except ConfigurationError as error:
            raise ValueError(str(error)) from error
        centres = np.frombuffer(content, np.int8).reshape(count, dimension)
        return cls(centres, scale, neighbours, str(values["distance"]), str(values["model_sha256"]))


def fit_cohort(vectors: ArrayLike, distance: str, *, model_sha256: str = "", centres: int = _CENTRES, seed: int = 0) -> Cohort:
    """Make a cohort from crops of strangers, without labels.

    The centres are those of k-means. A centre is the mean of several crops, and kept at 8 bits a number.

    Parameters
    ----------
    vectors : float array of shape (n, d)
        Vectors of crops, best of the cameras that will ask, or of the people that the model was trained on.
    distance : str
        A key of `resight.distances.DISTANCES`; for ``"cosine"`` all vectors count with length 1.
    model_sha256 : str
        SHA-256 of the model of the vectors, so that the cohort is not used with another one.
    centres : int
        Largest number of centres; with fewer than four crops for each, fewer are made. The nearest fortieth of them tells how
        common an appearance is.
    seed : int

    Returns
    -------
    Cohort

    Raises
    ------
    ArrayError
        If there are too few vectors, or they hold NaN or infinity.
    """
    given = embeddings_of("cohort", vectors)
    if len(given) < _LEAST:
        raise ArrayError(f"{len(given)} crops of strangers; a cohort needs at least {_LEAST}")
    if distance == "cosine":
        given = given / np.maximum(np.linalg.norm(given, axis=1, keepdims=True), 1e-12)
    count = min(centres, len(given) // _CROPS)
    means = given[np.random.default_rng(seed).choice(len(given), count, replace=False)]
    for _ in range(_ROUNDS):
        half = np.einsum("ij,ij->i", means, means) / 2
        of = np.concatenate([(part @ means.T - half).argmax(1) for part in np.array_split(given, -(-len(given) // _BLOCK))])
        sums = np.zeros_like(means)
        np.add.at(sums, of, given)
        sizes = np.bincount(of, minlength=count)[:, None]
        means = np.where(sizes > 0, sums / np.maximum(sizes, 1), means).astype(np.float32)
    scale = 127 / float(np.abs(means).max())
    return Cohort(np.rint(means * scale).astype(np.int8), scale, max(1, count // _SHARE), distance, model_sha256)


def shipped_cohort(model: str) -> Cohort | None:
    """The cohort of a shipped model, made from its training crops; None if it has none, or for any other model."""
    if model not in SHIPPED or not (path := shipped_file(model, ".cohort.json")).exists():
        return None
    return Cohort.from_dict(read_json(path))
