"""Matches of each query, and their ranks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.datasets.records import DISTRACTOR, JUNK
from resight.errors import ArrayError

__all__ = ["MatchRanks", "Relations"]

_FEW = 32  # matches up to which comparing all images with each is quicker than sorting


class Relations:
    """Right, wrong and junk gallery columns of every query.

    Parameters
    ----------
    query_identities, query_cameras : int arrays of shape (queries,)
    gallery_identities, gallery_cameras : int arrays of shape (gallery,)

    Raises
    ------
    ArrayError
        If shapes do not fit, or numbers are not whole.
    """

    def __init__(
        self,
        query_identities: ArrayLike,
        query_cameras: ArrayLike,
        gallery_identities: ArrayLike,
        gallery_cameras: ArrayLike,
    ) -> None:
        self.query_identities, self.query_cameras = _integers("query", query_identities, query_cameras)
        self.gallery_identities, self.gallery_cameras = _integers("gallery", gallery_identities, gallery_cameras)
        self.junk = np.flatnonzero(self.gallery_identities == JUNK)
        # Sorted by identity, the images of one person are a slice, in increasing order of their columns.
        self._columns = np.argsort(self.gallery_identities, kind="stable")
        by_identity = self.gallery_identities[self._columns]
        self._first = np.searchsorted(by_identity, self.query_identities, side="left")
        self._end = np.searchsorted(by_identity, self.query_identities, side="right")
        # A query that is itself junk or a distractor shows nobody to find.
        self._end[self.query_identities <= DISTRACTOR] = 0
        self._first[self.query_identities <= DISTRACTOR] = 0

    def same_person(self, query: int) -> NDArray[np.int64]:
        """Gallery columns that show the query's person, in increasing order."""
        return self._columns[self._first[query] : self._end[query]]

    def matches(self, query: int) -> NDArray[np.int64]:
        """Gallery columns that show the query's person by another camera, in increasing order."""
        same = self.same_person(query)
        other_camera: NDArray[np.bool_] = self.gallery_cameras[same] != self.query_cameras[query]
        return same[other_camera]


class MatchRanks:
    """The rank of every match, from distances that come some queries at a time.

    A match's rank is the number of wrong images before it, nearer or as near, and of matches up to it. So counts suffice, without
    any image's place in the gallery.

    Parameters
    ----------
    relations : Relations
    """

    def __init__(self, relations: Relations) -> None:
        self.relations = relations
        self._ranks: list[NDArray[np.int64] | None] = [None] * len(relations.query_identities)

    def add(self, block: NDArray[Any], queries: range, part: range) -> None:
        """Rank the matches of some queries. Threads may call this at once for different parts.

        Parameters
        ----------
        block : float array of shape (queries, gallery)
            Distances, which are only read.
        queries : range
            Queries in the rows of the block.
        part : range
            Rows of the block to rank.

        Raises
        ------
        ArrayError
            If a distance is NaN or infinite, or a query comes twice.
        """
        width = block.shape[1]
        # Some columns more than there are images, at infinity, so that the bits below fill whole numbers.
        padded = np.full(width + -width % 64, np.inf, block.dtype)
        nearer = np.empty((_FEW, len(padded)), np.bool_)
        wrong = padded[:width]
        for row in part:
            query = queries[row]
            if self._ranks[query] is not None:
                raise ArrayError(f"the distances of query {query} were given twice; expected them once")
            np.copyto(wrong, block[row])
            if not np.isfinite(wrong).all():
                raise ArrayError(f"query {query} has a distance that is NaN or infinite; check the embeddings")
            matches = np.sort(wrong[self.relations.matches(query)])
            # The rest goes behind everything that counts.
            wrong[self.relations.same_person(query)] = np.inf
            wrong[self.relations.junk] = np.inf
            if len(matches) <= _FEW:
                bits = np.packbits(np.less_equal(padded, matches[:, None], out=nearer[: len(matches)]), axis=1)
                before = np.bitwise_count(bits.view(np.uint64)).sum(1, dtype=np.int64)
            else:
                wrong.sort()
                before = np.searchsorted(wrong, matches, side="right")
            self._ranks[query] = before + np.arange(1, len(matches) + 1)

    def result(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ranks of all matches, query by query and increasing in each, and the number of matches of each query.

        Raises
        ------
        ArrayError
            If a query's distances are missing.
        """
        ranks = [of_query for of_query in self._ranks if of_query is not None]
        if len(ranks) != len(self._ranks):
            raise ArrayError(f"distances were given for {len(ranks)} of {len(self._ranks)} queries; expected all of them")
        counts = np.array([len(of_query) for of_query in ranks], np.int64)
        return np.concatenate([np.empty(0, np.int64), *ranks]), counts


def _integers(name: str, identities: ArrayLike, cameras: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Identities and cameras as int64 arrays of one shape (n,)."""
    columns = np.asarray(identities), np.asarray(cameras)
    if columns[0].ndim != 1 or columns[0].shape != columns[1].shape:
        raise ArrayError(f"{name} identities {columns[0].shape} and cameras {columns[1].shape}; expected one of each for an image")
    if not all(np.issubdtype(column.dtype, np.integer) for column in columns if column.size):
        raise ArrayError(f"{name} identities and cameras are {columns[0].dtype} and {columns[1].dtype}; expected whole numbers")
    return columns[0].astype(np.int64), columns[1].astype(np.int64)
