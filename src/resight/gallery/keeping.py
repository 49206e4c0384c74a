"""Keeping of what cameras see: events to a log, tracklets to a gallery, and people joined from them."""

from __future__ import annotations

from collections.abc import Iterable

from resight.cameras.events import Event, Log, event_dict
from resight.cameras.frames import Frame
from resight.cameras.order import InOrder
from resight.cameras.sources import Source
from resight.cameras.tracking import Tracks
from resight.gallery.gallery import Gallery
from resight.gallery.people import People
from resight.gallery.tracklets import enrol_tracklet

__all__ = ["Keeper"]


class Keeper:
    """Keeper of the events of a `resight.cameras.Watch`, which it observes.

    Parameters
    ----------
    log : Log
    sources : iterable of Source
    gallery : Gallery, optional
        Gets the tracklets.
    people : People, optional
        People of that gallery, whom the tracklets are joined to.

    Attributes
    ----------
    counts : dict of str to int
        Number of tracklets ``"added"``, ``"present"`` before, and ``"expired"``.
    """

    def __init__(self, log: Log, sources: Iterable[Source], gallery: Gallery | None = None, people: People | None = None) -> None:
        self._log, self._gallery, self._people = log, gallery, people
        self._sources = {source.camera: source for source in sources}
        self._order = InOrder(self._sources.values())
        self._ids: dict[str, str] = {}
        self.counts = {"added": 0, "present": 0, "expired": 0}

    def see(self, frame: Frame, tracks: Tracks) -> None:
        """Learn how far a camera has come."""
        self._order.see(frame, tracks)

    def end(self, camera: str) -> None:
        """Learn that a camera has ended."""
        self._order.end(camera)

    def keep(self, event: Event) -> None:
        """Take an event. Raises `StorageError` if it cannot be written."""
        source = self._sources[event.camera]
        more = {}
        if self._gallery is not None and event.tracklet is not None:
            id, what = enrol_tracklet(self._gallery, event.tracklet, source.shown)
            self.counts[what] += 1
            if what != "expired":
                more = {"sighting": id}
                self._ids[event.name] = id
                self._order.put(event.tracklet)
        self._log.write(event_dict(event, dated=source.dated, **more))
        self.join()

    def join(self) -> None:
        """Join the tracklets that wait for no other film; all of them, once the cameras have ended."""
        for tracklet in self._order.take():
            id = self._ids.pop(tracklet.name)
            if self._people is not None:
                for values in self._people.add(tracklet, id):
                    self._log.write(values)
                self._people.keep()
