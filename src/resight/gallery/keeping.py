"""Keeping of what cameras see: events to a log, tracklets to a gallery, and people joined from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from resight.cameras.events import Event, Log, event_dict
from resight.cameras.frames import Frame
from resight.cameras.order import InOrder
from resight.cameras.sources import Source
from resight.cameras.tracking import Tracks
from resight.cameras.tracklets import Tracklet
from resight.gallery.gallery import Gallery
from resight.gallery.people import People
from resight.gallery.remote import Delivery
from resight.gallery.tracklets import enrol_tracklet

__all__ = ["Keeper"]

T = TypeVar("T")


def _once(call: Callable[[], T]) -> T:
    return call()


class Keeper:
    """Keeper of the events of a `resight.cameras.Watch`, which it observes.

    Parameters
    ----------
    log : Log or None
        None writes no events.
    sources : iterable of Source
    gallery : Gallery or Delivery, optional
        Gets the tracklets.
    people : People, optional
        People of that gallery, whom the tracklets are joined to.
    attempt : callable
        Calls whatever reads or writes the gallery or the log, perhaps several times, until it succeeds.

    Attributes
    ----------
    counts : dict of str to int
        Number of tracklets ``"added"``, ``"present"`` before, and ``"expired"``; of a `Delivery`, its counts.
    """

    def __init__(
        self,
        log: Log | None,
        sources: Iterable[Source],
        gallery: Gallery | Delivery | None = None,
        people: People | None = None,
        *,
        attempt: Callable[[Callable[[], Any]], Any] = _once,
    ) -> None:
        self._log, self._gallery, self._people, self._attempt = log, gallery, people, attempt
        self._sources = {source.camera: source for source in sources}
        self._order = InOrder(self._sources.values())
        self._ids: dict[str, str] = {}
        self.counts = gallery.counts if isinstance(gallery, Delivery) else {"added": 0, "present": 0, "expired": 0}

    def see(self, frame: Frame, tracks: Tracks) -> None:
        """Learn how far a camera has come, and take up what an operator did; see `resight.gallery.people.People.look_again`."""
        self._order.see(frame, tracks)
        if self._people is not None and self._people.stale:
            self._tell(self._people, self._people.look)

    def end(self, camera: str) -> None:
        """Learn that a camera has ended, and join what waited for it: a live camera beside it may never see anybody."""
        self._order.end(camera)
        self.join()

    def keep(self, event: Event) -> None:
        """Take an event. Raises `StorageError` if it cannot be written."""
        source = self._sources[event.camera]
        more = {}
        if self._gallery is not None and event.tracklet is not None:
            id, what = self._attempt(partial(self._enrol, self._gallery, event.tracklet, source))
            if what != "expired":
                more = {"sighting": id}
                self._ids[event.name] = id
                self._order.put(event.tracklet)
        self._write(event_dict(event, dated=source.dated, **more))
        self.join()

    def _enrol(self, gallery: Gallery | Delivery, tracklet: Tracklet, source: Source) -> tuple[str, str]:
        """Give a tracklet to the gallery. A film waits for room in a full backlog, and a live camera cannot."""
        if isinstance(gallery, Delivery):
            return gallery.put(tracklet, source.shown, wait=not source.live)
        id, what = enrol_tracklet(gallery, tracklet, source.shown)
        self.counts[what] += 1
        return id, what

    def join(self) -> None:
        """Join the tracklets that wait for no other film; all of them, once the cameras have ended."""
        for tracklet in self._order.take():
            id = self._ids.pop(tracklet.name, None)  # None if it came twice, after an interruption
            if self._people is not None and id is not None:
                self._tell(self._people, partial(self._people.add, tracklet, id))

    def _tell(self, people: People, call: Callable[[], list[dict[str, Any]]]) -> None:
        """Write down what changes among people, and then their names."""
        for values in self._attempt(call):
            self._write(values)
        self._attempt(people.keep)

    def _write(self, values: dict[str, Any]) -> None:
        if self._log is not None:
            self._attempt(partial(self._log.write, values))
