"""Tracklets of several films in the order of time, however fast each film is read."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import inf

from resight.cameras.frames import Frame
from resight.cameras.sources import Source
from resight.cameras.tracking import Tracks
from resight.cameras.tracklets import Tracklet

__all__ = ["InOrder"]


class InOrder:
    """Order of the tracklets of several films, which depends on the films alone.

    A film's tracklet waits until every other film has come as far. Live cameras, and films without dates, wait for nobody.
    It observes a `resight.cameras.Watch`.

    Parameters
    ----------
    sources : iterable of Source
    """

    def __init__(self, sources: Iterable[Source]) -> None:
        self._sources = {source.camera: source for source in sources}
        self._rank = {name: number for number, name in enumerate(sorted(self._sources))}
        self._now = {name: inf if source.live else -inf for name, source in self._sources.items()}
        self._waiting: list[tuple[float, int, int, Tracklet]] = []
        self._given = 0

    def see(self, frame: Frame, tracks: Tracks) -> None:
        """Learn how far a camera has come."""
        source = self._sources[frame.camera]
        self._now[frame.camera] = frame.time if source.dated and not source.live else inf

    def end(self, camera: str) -> None:
        """Learn that a camera has ended."""
        self._now[camera] = inf

    def put(self, tracklet: Tracklet) -> None:
        """Take a tracklet when it ends. Its crops are not kept."""
        now = self._now[tracklet.camera]
        self._given += 1
        at = -inf if now == inf else now  # of a live camera: at once
        heapq.heappush(self._waiting, (at, self._rank[tracklet.camera], self._given, replace(tracklet, crops=())))

    def take(self) -> Iterator[Tracklet]:
        """Yield the tracklets that wait for no film any more."""
        while self._waiting:
            at, rank, _, tracklet = self._waiting[0]
            if any((at, rank) > (now, self._rank[camera]) for camera, now in self._now.items() if camera != tracklet.camera):
                return
            heapq.heappop(self._waiting)
            yield tracklet
