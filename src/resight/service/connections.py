"""HTTP connections with deadlines, and a limit on how many are open.

Uvicorn waits without end for the head of a request and for a client that does not read its answer. Here both have a deadline, and
when too many connections are open, the one that has been idle for longest makes room.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

if sys.platform != "win32":
    import resource

__all__ = ["HEAD", "Connection", "most_connections", "say_seldom"]

HEAD = 10.0
"""Seconds that a client has for the head of a request, and to read the end of an answer."""

_SPARE = 64  # files that the service needs besides its connections
_MOST = 1000  # connections, if the system allows more files
_SELDOM = 10.0  # seconds between two lines about the same trouble

_LOG = logging.getLogger(__name__)


def most_connections() -> int:
    """Return how many connections the limit of open files leaves room for."""
    if sys.platform == "win32":
        return _MOST
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if files == resource.RLIM_INFINITY else max(8, min(_MOST, files - _SPARE))


class Connection(H11Protocol):
    """One connection of `uvicorn`, with a deadline for the head of each request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the deadline of the first head, and make room if too many connections are open."""
        super().connection_made(transport)
        self._timer: asyncio.TimerHandle | None = None
        self._wait_for_head()
        if len(self.connections) > most_connections():
            idle = [one for one in self.connections if isinstance(one, Connection) and not one.busy and one is not self]
            (min(idle, key=lambda one: one.since) if idle else self).drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Start the deadline of the next head, within which this answer must be read, too."""
        super().on_response_complete()
        self._wait_for_head()

    @property
    def busy(self) -> bool:
        """True while a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def drop(self) -> None:
        """Close the connection at once."""
        self.connections.discard(self)
        self.transport.abort()

    def _wait_for_head(self) -> None:
        self.since, self._unread = time.monotonic(), sys.maxsize
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(HEAD, self._give_up)

    def _give_up(self) -> None:
        if self.busy:
            return
        unread, before = self.transport.get_write_buffer_size(), self._unread
        if 0 < unread < before:  # the client reads, only slowly
            self._unread = unread
            self._timer = self.loop.call_later(HEAD, self._give_up)
        else:
            self.drop()


def say_seldom() -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """Make an exception handler for an event loop that logs one line in 10 seconds if open files run out.

    The loop's own handler writes a traceback for every connection in the queue, once a second.
    """
    last = -_SELDOM

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        nonlocal last
        if "socket.accept()" not in context.get("message", ""):
            loop.default_exception_handler(context)
        elif time.monotonic() - last >= _SELDOM:
            last = time.monotonic()
            with contextlib.suppress(KeyError):
                _LOG.error("no connection can be accepted (%s); raise the limit of open files, see ulimit -n", context["exception"])

    return handle
