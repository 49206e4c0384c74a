"""Ranked lists, and the query that several images of one person make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.display import html_table, text_table
from resight.distances.vectors import embeddings_of
from resight.errors import ArrayError
from resight.gallery.sighting import Record

__all__ = ["Match", "Matches", "fuse"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Match:
    """One place of a ranked list.

    Attributes
    ----------
    rank : int
        1 is the nearest.
    distance : float
        Distance from the query; smaller is more alike.
    record : Record
    """

    rank: int
    distance: float
    record: Record

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"rank": self.rank, "distance": self.distance, **self.record.to_dict()}


class Matches(list[Match]):
    """A ranked list, the most alike first. It prints as a table."""

    _HEADINGS = ("rank", "distance", "camera", "time", "identity", "id")

    def __repr__(self) -> str:
        return text_table(self._HEADINGS, self._rows()) if self else "<no matches>"

    def _repr_html_(self) -> str:
        return html_table(self._HEADINGS, self._rows())

    def _rows(self) -> list[list[str]]:
        rows = []
        for match in self:
            seen = match.record
            when = seen.time.isoformat(sep=" ", timespec="seconds") if seen.time else ""
            rows.append([str(match.rank), f"{match.distance:.4f}", seen.camera, when, seen.identity, seen.id])
        return rows


def fuse(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fuse several images of one person into one query: the mean of their directions, scaled to their mean length.

    Each image counts the same, however long its vector. A distance then means much the same for one image as for five. The least
    of five distances would not: every further image brings strangers nearer.

    Parameters
    ----------
    vectors : float32 array of shape (d,) or (m, d)
        At least one image.

    Returns
    -------
    float32 array of shape (1, d)
        The vector itself if there is only one; zeros if the directions cancel out.

    Raises
    ------
    ArrayError
        If there is no vector, or one holds NaN.
    """
    images = embeddings_of("query", np.atleast_2d(vectors))
    if not len(images):
        raise ArrayError("no vector was given; expected at least one")
    if len(images) == 1:
        return images
    lengths = np.linalg.norm(images.astype(np.float64), axis=1, keepdims=True)
    mean = np.divide(images, lengths, out=np.zeros(images.shape), where=lengths > 0).mean(axis=0)
    length = np.linalg.norm(mean)
    scale = float(lengths.mean() / length) if length > 0 else 0.0
    return np.asarray(mean[None] * scale, np.float32)
