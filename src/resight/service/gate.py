"""Gate that every request passes before a route sees it: its host, its token, and the size and deadline of its body.

The gate also sets the headers of every answer, counts and times it, and logs who was refused.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import random
import re
import time
from collections import Counter
from collections.abc import Collection
from typing import Any, NamedTuple

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resight.errors import ConfigurationError
from resight.service.access import Caller
from resight.service.lifecycle import Service

__all__ = ["PROBES", "Gate", "come_again"]

_LOG = logging.getLogger(__name__)

PROBES = ("/healthz", "/readyz")
"""Addresses for probes, which have no token and may use any host name: the process runs; searches can be answered and logged."""

_API = "/api"  # everything below it wants a token
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_PAUSE, _WHOLE = 10.0, 60.0  # seconds: longest pause of a body that arrives, and time for all of it
_LINES = 10  # a second, about refusals
_ABORTED = 499  # stands in the metrics for a client that left


class _Refusal(NamedTuple):
    status: int
    detail: str
    headers: dict[str, str]


def come_again() -> str:
    """Return a random number of seconds to wait, so that refused clients do not all come back at once."""
    return str(random.randint(1, 3))


class Gate:
    """ASGI application in front of the routes.

    Parameters
    ----------
    app : ASGI application
        The routes. They find the caller in the request's state.
    service : Service
    hosts : collection of str
        Known host names: lower case, without ports. A page of another site can point its own name at this machine (DNS rebinding);
        browsers would then treat it as the same origin.
    addresses : bool
        Accept any IP address as host, because only names can be rebound.
    """

    def __init__(self, app: ASGIApp, service: Service, hosts: Collection[str], addresses: bool = False) -> None:
        self.app, self.service, self.hosts, self.addresses = app, service, frozenset(hosts), addresses
        self._logged = (0, 0)  # second, and lines about refusals in it
        self._arrived: Counter[str] = Counter()  # bytes of bodies that are in memory, by caller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers["cache-control"] = "no-store" if _is_api(scope) else "no-cache"
            await send(message)

        try:
            if refusal := self._refusal(scope):
                await _refuse(answer, refusal)
            else:
                await self._pass(scope, receive, answer)
        except ClientDisconnect:
            status = _ABORTED
        finally:
            self._note(scope, status, time.perf_counter() - started)

    def _refusal(self, scope: Scope) -> _Refusal | None:
        if scope["path"] in PROBES:
            return None
        headers = Headers(scope=scope)
        given = headers.getlist("host")
        host = re.sub(r":\d*$", "", given[0]).lower() if len(given) == 1 else ""
        if host not in self.hosts and not (self.addresses and _is_address(host)):
            detail = f"the host {host[:100]!r} is not known here; open the address that `resight serve` printed"
            return _Refusal(400, detail, {})
        if _is_api(scope):
            try:
                scheme, _, token = headers.get("authorization", "").partition(" ")
                caller = self.service.find(token.strip()) if scheme.lower() == "bearer" else None
            except ConfigurationError as error:
                _LOG.error("nobody has access: %s", error)
                detail = "nobody has access at the moment; the service's log says why"
                return _Refusal(503, detail, {"retry-after": "60"})
            if caller is None:
                detail = "a token is needed; open the address that `resight serve` printed, or send Authorization: Bearer TOKEN"
                return _Refusal(401, detail, {"www-authenticate": "Bearer"})
            scope.setdefault("state", {})["caller"] = caller
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length[:20]) > self.service.limits.upload:
            return _Refusal(413, self._too_large(), {"connection": "close"})
        return None

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the routes with a body that is bounded in size and time."""
        caller: Caller | None = scope.get("state", {}).get("caller")
        name = "" if caller is None else caller.name
        end = asyncio.get_running_loop().time() + _WHOLE
        received, complete = 0, False

        async def receive_bounded() -> Message:
            nonlocal received, complete
            if complete:  # the next message is the end of the connection, whenever that is
                return await receive()
            try:
                async with asyncio.timeout_at(min(end, asyncio.get_running_loop().time() + _PAUSE)):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(408, "the request took too long to arrive; send it again", {"connection": "close"}) from error
            if message["type"] == "http.request":
                size = len(message.get("body", b""))
                received += size
                self._arrived[name] += size
                complete = not message.get("more_body", False)
                if received > self.service.limits.upload:
                    raise HTTPException(413, self._too_large(), {"connection": "close"})
                if self._arrived[name] > self.service.limits.queue * self.service.limits.upload:
                    detail = "too many uploads of this token are arriving at once; ask again in a moment"
                    raise HTTPException(429, detail, {"connection": "close"})
            return message

        try:
            await self.app(scope, receive_bounded, send)
        finally:
            self._arrived[name] -= received
            self._arrived += Counter()  # forgets callers that have none

    def _too_large(self) -> str:
        return f"the request is larger than {self.service.limits.upload / 1e6:g} MB; send less, or allow more by --max-upload"

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in ("GET", "POST", "HEAD", "OPTIONS") else "other"
        self.service.metrics.requests.labels(method, route, str(status)).inc()
        self.service.metrics.seconds.labels(route).observe(seconds)
        if status in (401, 403):
            self._log_refusal(scope, status, method)

    def _log_refusal(self, scope: Scope, status: int, method: str) -> None:
        """Log who was refused what, in at most 10 lines a second."""
        second = int(time.monotonic())
        self._logged = (second, self._logged[1] + 1 if second == self._logged[0] else 1)
        if self._logged[1] <= _LINES:
            path = re.sub("[0-9a-f]{32}", "{id}", scope["path"])[:100]
            caller = scope.get("state", {}).get("caller")
            who = "without a valid token" if caller is None else f"by {caller.name} ({caller.role})"
            _LOG.warning("%d: %s %s %s", status, method, path if path.isprintable() else "?", who)


async def _refuse(send: Send, refusal: _Refusal) -> None:
    body = json.dumps({"detail": refusal.detail}).encode()
    fields = {"content-type": "application/json", "content-length": str(len(body))} | refusal.headers
    raw = [(name.encode(), value.encode("latin-1", "replace")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def _is_api(scope: Scope) -> bool:
    path: Any = scope["path"]
    return bool(path == _API or path.startswith(f"{_API}/"))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
