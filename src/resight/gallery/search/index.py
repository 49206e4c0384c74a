"""Exact search in memory: a first look at one byte a number, then exact distances of the rows that it cannot exclude."""

from __future__ import annotations

import itertools
import math
from collections.abc import Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from resight.compute import usable_cores
from resight.distances import distance_named
from resight.distances.distance import Distance, Spatial
from resight.gallery.search.product import near_rows
from resight.gallery.search.segment import UNKNOWN_TIME, Mask, Rows, Segment
from resight.gallery.sighting import Where, from_microseconds, to_microseconds
from resight.gallery.store.interface import Camera
from resight.ranking.nearest import nearest

__all__ = ["SearchIndex"]

_GROWTH = 4  # least ratio of a segment's length to the next one's
_PART = 16_384  # rows that are worth a thread
_LONGEST = 2**31 // 255**2  # most numbers in a vector for comparing codes in 32 bits
_TOGETHER = 5  # queries for which a matrix product costs less than a first look each
_FEW = 4  # rows for each candidate up to which all are compared
_WORTH = 16  # rows for each candidate from which another look at the codes is cheaper than a matrix product

Found = tuple[NDArray[np.str_], NDArray[np.float32]]


class SearchIndex:
    """Vectors by id, camera and time, in segments that never change: a search sees one state while another thread adds.

    A row's point is close to the point that its code stands for: the segment knows the greatest error. By the triangle inequality,
    a row with a code far from the query's is farther than the k nearest candidates. If that does not exclude all other rows,
    the search takes more candidates. So the result is that of comparing with every row.

    Codes stand for points, so a distance that is not `Spatial` has none: its fast form then looks at every row.

    Parameters
    ----------
    dimension : int
        Numbers in one vector.
    distance : str or Distance
        A key of `resight.distances.DISTANCES`, or a distance.
    threads : int, optional
        Threads of one search; by default one for each usable core.
    """

    def __init__(self, dimension: int, distance: str | Distance, *, threads: int | None = None) -> None:
        self.dimension = dimension
        self.distance = distance_named(distance)
        self.threads = threads or usable_cores()
        self._segments: tuple[Segment, ...] = ()
        self._cameras: dict[str, int] = {}

    def __len__(self) -> int:
        return sum(map(len, self._segments))

    def ids(self) -> set[str]:
        """The ids of all rows."""
        return {id for segment in self._segments for id in segment.rows.ids.astype("U32").tolist()}

    def add(self, ids: list[str], cameras: list[str], times: list[int | None], vectors: NDArray[np.float32]) -> None:
        """Add new rows: their ids, cameras, times in microseconds, and vectors, float32 (n, d)."""
        if not ids:
            return
        numbers = [self._cameras.setdefault(camera, len(self._cameras)) for camera in cameras]
        moments = [UNKNOWN_TIME if time is None else time for time in times]
        new = [Rows(np.array(ids, "S32"), np.array(numbers, np.int64), np.array(moments, np.int64), vectors)]
        # If rows come one by one, each is still copied only a few times, and there are only a few segments.
        segments, length = list(self._segments), len(ids)
        while segments and len(segments[-1]) < _GROWTH * length:
            new.append(segments.pop().rows)
            length += len(new[-1].ids)
        self._segments = (*segments, Segment(Rows.concatenate(new) if len(new) > 1 else new[0], self.distance))

    def remove_all_but(self, ids: Set[str]) -> None:
        """Remove all other rows; nothing of them stays in memory."""
        kept = np.array(list(ids), "S32")
        segments = []
        for segment in self._segments:
            stays = np.isin(segment.rows.ids, kept)
            if stays.all():
                segments.append(segment)
            elif stays.any():
                segments.append(Segment(segment.rows.take(stays), self.distance))
        self._segments = tuple(segments)

    def cameras(self) -> dict[str, Camera]:
        """See `resight.gallery.store.interface.Store`."""
        seen: dict[int, list[NDArray[np.int64]]] = {}
        for segment in self._segments:
            for number, times in segment.cameras():
                seen.setdefault(number, []).append(times)
        names = {number: name for name, number in self._cameras.items()}
        return {names[number]: _camera(several) for number, several in sorted(seen.items(), key=lambda pair: names[pair[0]])}

    def search(self, queries: NDArray[np.float32], k: int, where: Where, ids: Set[str] | None = None) -> Found:
        """The k nearest rows of each query, or all if there are fewer.

        Parameters
        ----------
        queries : float32 array of shape (q, d)
        k : int
        where : Where
            Only its cameras and times count here.
        ids : set of str, optional
            Only these rows.

        Returns
        -------
        str array of shape (q, m)
            Ids, nearest first, and the smaller id of equally near rows first.
        float32 array of shape (q, m)
            Distances.
        """
        chosen = [(segment, mask) for segment in self._segments if (mask := self._mask(segment, where, ids)) is None or mask.any()]
        matching = sum(len(segment) if mask is None else int(np.count_nonzero(mask)) for segment, mask in chosen)
        k = min(k, matching)
        if k == 0:
            return np.empty((len(queries), 0), "U32"), np.empty((len(queries), 0), np.float32)
        if matching < _FEW * _candidates(k) or self.dimension > _LONGEST:
            return self._compare(queries, k, chosen)
        if len(queries) < _TOGETHER and isinstance(self.distance, Spatial):
            found = [self._search_one(query[None], k, self.distance, chosen, matching) for query in queries]
        else:
            found = self._search_together(queries, k, chosen)
        return np.concatenate([names for names, _ in found]), np.concatenate([distances for _, distances in found])

    def _mask(self, segment: Segment, where: Where, ids: Set[str] | None) -> Mask | None:
        mask = None
        if not (where.cameras is None and where.since is None and where.until is None):
            wanted = None if where.cameras is None else {self._cameras.get(camera, -1) for camera in where.cameras}
            since, until = (None if time is None else to_microseconds(time) for time in (where.since, where.until))
            mask = segment.mask(lambda camera: wanted is None or camera in wanted, since, until)
        if ids is not None:
            among = np.isin(segment.rows.ids, np.array(list(ids), "S32"))
            mask = among if mask is None else mask & among
        return mask

    def _compare(self, queries: NDArray[np.float32], k: int, chosen: list[tuple[Segment, Mask | None]]) -> Found:
        """Compare with every row."""
        rows = [segment.rows if mask is None else segment.rows.take(mask) for segment, mask in chosen]
        return self._decide(
            queries, k, np.concatenate([some.ids for some in rows]), np.concatenate([some.vectors for some in rows])
        )

    def _decide(self, queries: NDArray[np.float32], k: int, ids: NDArray[np.bytes_], vectors: NDArray[np.float32]) -> Found:
        order = np.argsort(ids)  # `nearest` puts the lower of equally near rows first
        places, distances = nearest(queries, vectors[order], k, self.distance)
        return ids[order][places].astype("U32"), distances

    def _search_together(self, queries: NDArray[np.float32], k: int, chosen: list[tuple[Segment, Mask | None]]) -> list[Found]:
        # Each thread has its share of every segment. The nearest of all are among the nearest of the shares.
        shares = [
            [
                (segment, mask, slice(len(segment) * n // self.threads, len(segment) * (n + 1) // self.threads))
                for segment, mask in chosen
            ]
            for n in range(self.threads)
        ]
        others = [self._pool.submit(near_rows, queries, share, k, self.distance) for share in shares[1:]]
        near = [near_rows(queries, shares[0], k, self.distance), *(other.result() for other in others)]
        found = []
        for query, *several in zip(queries, *near, strict=True):
            rows = [(segment.rows, some) for places in several for (segment, _), some in zip(chosen, places, strict=True)]
            ids, vectors = (np.concatenate([columns[n][some] for columns, some in rows]) for n in (0, 3))
            found.append(self._decide(query[None], k, ids, vectors))
        return found

    def _search_one(
        self, query: NDArray[np.float32], k: int, distance: Spatial, chosen: list[tuple[Segment, Mask | None]], matching: int
    ) -> Found:
        point = distance.points(query)[0]
        parts = [part for segment, mask in chosen for part in self._parts(segment, mask, point)]
        candidates = _candidates(k)
        while True:
            looked = self._look(parts, candidates)
            rows = [(part.segment.rows, some) for part, (some, _) in zip(parts, looked, strict=True)]
            ids, vectors = (np.concatenate([columns[n][some] for columns, some in rows]) for n in (0, 3))
            found = self._decide(query, k, ids, vectors)
            farthest = distance.radius(float(found[1][0, -1]))
            # All rounding errors together are far less than this margin.
            if min(bound for _, bound in looked) > farthest * (1 + 1e-6) + 1e-9 * float(np.abs(point).max()):
                return found
            candidates *= 4
            if matching < _WORTH * candidates:
                return self._search_together(query, k, chosen)[0]

    def _parts(self, segment: Segment, mask: Mask | None, point: NDArray[np.float32]) -> list[_Part]:
        """Parts of a segment, as many as the threads can use."""
        first, last = (0, len(segment)) if mask is None else (int(mask.argmax()), len(segment) - int(mask[::-1].argmax()))
        count = max(1, min(self.threads, (last - first) // _PART))
        edges = [first + (last - first) * number // count for number in range(count + 1)]
        code = segment.code_of(point)
        return [_Part(segment, slice(*edge), mask, *code) for edge in itertools.pairwise(edges)]

    def _look(self, parts: list[_Part], candidates: int) -> list[tuple[NDArray[np.int64], float]]:
        others = [self._pool.submit(part.look, candidates) for part in parts[1:]]
        return [parts[0].look(candidates), *(other.result() for other in others)]

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.threads)


@dataclass(frozen=True, eq=False)
class _Part:
    """Rows of a segment for one thread, and the query's code, error and distance outside; see `Segment.code_of`."""

    segment: Segment
    span: slice
    mask: Mask | None
    code: NDArray[np.uint8]
    error: float
    outside: float

    def look(self, candidates: int) -> tuple[NDArray[np.int64], float]:
        """Candidates, and a lower bound on the distance of all other rows from the query."""
        rows, bound = self.segment.nearest_codes(self.span, self.code, candidates, self.mask)
        return rows, math.hypot(max(bound - self.segment.error - self.error, 0), self.outside)


def _camera(several: list[NDArray[np.int64]]) -> Camera:
    """Summary of a camera, from the times of its rows in some segments, each in increasing order."""
    known = [some for times in several if len(some := times[np.searchsorted(times, UNKNOWN_TIME, "right") :])]
    return Camera(
        sightings=sum(map(len, several)),
        first=from_microseconds(min(int(times[0]) for times in known)) if known else None,
        last=from_microseconds(max(int(times[-1]) for times in known)) if known else None,
    )


def _candidates(k: int) -> int:
    """Rows of each part to compare at first."""
    return 4 * k + 32
