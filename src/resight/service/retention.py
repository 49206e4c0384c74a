"""Retention: expired sightings are deleted while the service runs."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from resight.errors import StorageError
from resight.gallery import Removal, Where

if TYPE_CHECKING:
    from resight.service.lifecycle import Service

__all__ = ["Retention"]

_LOG = logging.getLogger(__name__)

_WHO = "retention"  # name in the audit log
_JUMP = 3600.0  # seconds by which the clock may be set without stopping the retention


def _steady() -> float:
    """Seconds on a clock that nobody sets, and that goes on while the machine sleeps, where there is one."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Retention:
    """Deletes expired sightings of a service's gallery, at its start and then regularly.

    Parameters
    ----------
    service : Service
    every : float or None
        Seconds between purges; None never purges.
    """

    def __init__(self, service: Service, every: float | None) -> None:
        self._service, self._gallery, self._every = service, service.gallery, every
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)
        self._clock = time.time(), _steady()
        self._future = 0  # sightings that were enrolled in the future, and said so

    def start(self) -> None:
        """Begin, on a thread."""
        if self._every is not None:
            self._thread.start()

    def stop(self) -> None:
        """Begin no other purge. Returns at once."""
        self._stopped.set()

    def join(self, timeout: float) -> None:
        """Wait for a purge that goes on, but not longer than some seconds."""
        if self._thread.is_alive():
            self._thread.join(timeout)

    def purge_expired(self) -> Removal | None:
        """Delete expired sightings; None if there are none."""
        cutoff = self._gallery.settings.expired_before(datetime.now(UTC))
        if cutoff is None:
            return None
        jump = (time.time() - self._clock[0]) - (_steady() - self._clock[1])
        if abs(jump) > _JUMP:
            raise StorageError(
                f"the system's clock has jumped by {jump / 3600:.1f} hours; nothing expires until the service is started again"
            )
        where = Where(older_than=cutoff)
        here, elsewhere = self._gallery.reach(where)
        if not here and not elsewhere:
            return None
        self._service.log_purge(_WHO, older_than=cutoff.isoformat(), sightings=len(here) + elsewhere)
        return self._service.purge(where)

    def warn_of_the_future(self) -> None:
        """Log a warning if sightings were enrolled in the future, once for each number of them."""
        future = self._gallery.statistics().future
        if future and future != self._future:
            _LOG.warning(
                "%d sightings were enrolled in the future, and would be kept too long; if the clock is right now, "
                "delete them by `resight gallery purge --future`",
                future,
            )
        self._future = future

    def _run(self) -> None:
        nothing = Where(ids=frozenset())
        while True:
            try:
                if self._gallery.reach(nothing)[1]:  # an interrupted purge
                    self._service.purge(nothing)
                self.purge_expired()
                self.warn_of_the_future()
                self._gallery.cameras()  # which makes memory forget what other processes purged
            except Exception:  # whatever it was, it is tried again
                self._service.metrics.failures.inc()
                _LOG.exception("expired sightings could not be purged")
            if self._stopped.wait(self._every):
                return
