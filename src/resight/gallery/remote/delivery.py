"""Delivery: a thread brings what waits in a backlog to a gallery, and tries again while that is away."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Literal

from resight.cameras.tracklets import Tracklet
from resight.configuration import configure, to_dict
from resight.errors import ConfigurationError, GalleryAwayError, UploadError, one_line
from resight.gallery.remote.backlog import Backlog, Waiting
from resight.gallery.remote.parcel import Destination, parcel_of
from resight.gallery.settings import Settings
from resight.gallery.tracklets import is_expired
from resight.models.model import Model

__all__ = ["Delivery"]

_PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds before the next try, after each failure in a row; up to a third less, so that many watchers do not come at once."""

_LOOK = 0.5  # seconds between two looks at whether there is room, or everything is delivered
_END = 5.0  # seconds for a delivery that has begun
_SETTINGS, _ADDRESS = "settings", "address"


class Delivery:
    """Way of tracklets to a gallery that may be away for a while: nothing is lost, and nothing arrives twice.

    Each tracklet is first put on the disk, and removed there after the gallery has said that it has it. What was refused stays
    there, too, and is tried again by the next `Delivery`. What is older than the gallery keeps anything is deleted here as well.

    Parameters
    ----------
    destination : Destination
    backlog : Backlog
    report : callable
        Called, from any thread, with a line when the gallery goes away or comes back, and about each loss.
    pauses : tuple of float
        Seconds.

    Attributes
    ----------
    settings : Settings
        Settings of the gallery; those that the backlog remembers if it is away.
    counts : dict of str to int
        Number of tracklets ``"added"``, ``"present"`` before, ``"expired"``, ``"refused"``, ``"lost"`` because the backlog was
        full, and ``"waiting"`` at the end.

    Raises
    ------
    ConfigurationError
        If the backlog is that of another gallery.
    GalleryAwayError
        If the gallery is away, and the backlog does not know its settings from before.
    """

    def __init__(
        self,
        destination: Destination,
        backlog: Backlog,
        *,
        report: Callable[[str], None] = lambda line: None,
        pauses: tuple[float, ...] = _PAUSES,
    ) -> None:
        self._destination, self._backlog, self._report, self._pauses = destination, backlog, report, pauses
        self.counts = dict.fromkeys(("added", "present", "expired", "refused", "lost", "waiting"), 0)
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._away = ""  # reason, while it is away
        self._told = ""  # reason that was reported
        self._thread: threading.Thread | None = None
        self._arrived = 0.0  # time of the last delivery
        self.settings = self._learn()

    def start(self, model: Model) -> None:
        """Begin to deliver the tracklets of a model. Raises `ModelMismatchError` if it is not the gallery's."""
        self.settings.check_model(model)
        if waiting := len(self._backlog):
            self._report(f"{waiting} tracklets wait in {self._backlog.folder} from before")
        self._thread = threading.Thread(target=self._run, args=(model,), name="delivery", daemon=True)
        self._thread.start()

    def put(self, tracklet: Tracklet, source: str, *, wait: bool) -> tuple[str, Literal["waiting", "expired"]]:
        """Take a tracklet, which is on the disk when this returns.

        Parameters
        ----------
        tracklet : Tracklet
        source : str
            Origin of the film, for people to read.
        wait : bool
            If the backlog is full, wait until there is room. Otherwise the oldest tracklets in it are lost, and counted.

        Returns
        -------
        tuple of (str, str)
            Id of the sighting, and ``"waiting"``, or ``"expired"`` if it is older than the gallery keeps anything.

        Raises
        ------
        StorageError
            If the backlog cannot be written.
        """
        parcel = parcel_of(tracklet, source, self.settings.model_sha256)
        if is_expired(self.settings, parcel.time):
            self.counts["expired"] += 1
            return parcel.id, "expired"
        with self._changed:
            while not self._backlog.has_room(parcel):
                if wait and len(self._backlog):
                    self._changed.wait(_LOOK)
                elif self._backlog.drop_oldest():
                    self._lose()
                else:
                    break  # larger than the bound
            self._backlog.put(parcel)
            self._changed.notify_all()
        return parcel.id, "waiting"

    def finish(self, patience: float) -> str:
        """Wait until everything is delivered, and end. Stop waiting after some seconds without a delivery.

        Returns
        -------
        str
            A line about what still waits, and stays in the backlog; empty if that is nothing.
        """
        self._arrived = time.monotonic()
        with self._changed:
            while (waiting := len(self._backlog)) and time.monotonic() - self._arrived < patience:
                self._changed.wait(_LOOK)
        self.close()
        self.counts["waiting"] = waiting
        if not waiting:
            return ""
        reason = self._away or "it takes long"
        return f"{waiting} tracklets wait in {self._backlog.folder} ({reason}); the same command delivers them later"

    def close(self) -> None:
        """End. What waits stays on the disk."""
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_END)
        self._destination.close()
        self._backlog.close()

    def _learn(self) -> Settings:
        """Ask for the settings, and remember them and the address: what waits is for this gallery."""
        address = self._destination.shown.rstrip("/")
        if (other := self._backlog.kept(_ADDRESS) or address) != address:
            raise ConfigurationError(
                f"the backlog {self._backlog.folder} is for {other}; name another folder by --backlog, or that address by --gallery"
            )
        try:
            settings = self._destination.settings()
        except GalleryAwayError as error:
            if (known := self._backlog.kept(_SETTINGS)) is None:
                raise GalleryAwayError(f"{error}; the first time, the gallery must be there to name its model") from error
            self._away = str(error)
            self._say_away()
            return configure(Settings, known, source=f"the backlog {self._backlog.folder}")
        self._backlog.keep(_ADDRESS, address)
        self._backlog.keep(_SETTINGS, to_dict(settings))
        return settings

    def _run(self, model: Model) -> None:
        failures = 0
        while not self._stopped.is_set():
            pause = 0.0
            try:
                if (waiting := self._next()) is None:
                    return
                self._deliver(waiting, model)
                failures = 0
            except Exception as error:  # whatever it was, it is tried again
                pause = max(self._pauses[min(failures, len(self._pauses) - 1)], getattr(error, "pause", 0.0))
                failures += 1
                self._away = one_line(error)
                if failures > 1:  # one failure is soon forgotten
                    self._say_away()
            with self._changed:
                self._changed.notify_all()
            self._stopped.wait(pause * random.uniform(0.67, 1.0))

    def _next(self) -> Waiting | None:
        """Wait for a parcel; None at the end."""
        with self._changed:
            while not self._stopped.is_set():
                if (waiting := self._backlog.first()) is not None:
                    return waiting
                self._changed.wait()
        return None

    def _deliver(self, waiting: Waiting, model: Model) -> None:
        """Deliver a parcel, and take it off the disk."""
        parcel, what = waiting.parcel, "expired"
        try:
            if not is_expired(self.settings, parcel.time or waiting.put):
                what = self._destination.deliver(parcel, model)
                self._say_back()
        except UploadError as error:
            self._backlog.set_aside(waiting.number)
            self._report(f"{self._destination.shown} refuses {parcel.name}, which stays in {self._backlog.folder}: {error}")
            what = "refused"
        else:
            self._backlog.remove(waiting.number)
        self.counts[what] += 1
        self._arrived = time.monotonic()

    def _say_away(self) -> None:
        if self._away != self._told:
            self._report(f"{self._away}; tracklets wait in {self._backlog.folder}")
        self._told = self._away

    def _say_back(self) -> None:
        if self._told:
            self._report(f"{self._destination.shown} is back; {len(self._backlog)} tracklets wait")
        self._away = self._told = ""

    def _lose(self) -> None:
        self.counts["lost"] += 1
        lost = self.counts["lost"]
        if lost & (lost - 1) == 0:  # 1, 2, 4, 8, ...
            self._report(f"the backlog {self._backlog.folder} is full; {lost} tracklets are lost, the oldest; see --max-backlog")
