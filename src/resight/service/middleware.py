"""What a request passes before a route sees it: its host, its token, and the size of its body; and what every answer carries."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import random
import re
from collections.abc import Collection
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resight.errors import BusyError, ConfigurationError
from resight.service.access import FindCaller
from resight.service.searches import Places

__all__ = ["Authentication", "BodyLimit", "KnownHosts", "Overload", "SecurityHeaders", "come_again", "refuse"]

_LOG = logging.getLogger(__name__)

API = "/api"
"""Everything below it wants a token."""

UPLOADS = {f"{API}/search": "viewer", f"{API}/sightings": "operator"}
"""Where images are sent to, and the role that this takes."""

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


async def refuse(send: Send, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
    """Answer with an error and its way out."""
    body = json.dumps({"detail": detail}).encode()
    fields = {"content-type": "application/json", "content-length": str(len(body))} | (headers or {})
    raw = [(name.encode(), value.encode("latin-1", "replace")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


class SecurityHeaders:
    """What browsers are told: run and show nothing that does not come from here, and keep nothing of the API."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers["cache-control"] = "no-store" if _is_api(scope) else "no-cache"
            await send(message)

        await self.app(scope, receive, send_with_headers)


class KnownHosts:
    """Refuse requests to another host's name.

    A page of another site whose name suddenly resolves to this machine (DNS rebinding) would otherwise be of the same origin as the
    service, for the browser that shows it.

    Parameters
    ----------
    app : ASGI application
    names : collection of str
        Lower case, without ports. Addresses are always known if `addresses` is true: a name is what is rebound.
    addresses : bool
    """

    def __init__(self, app: ASGIApp, names: Collection[str], addresses: bool = False) -> None:
        self.app, self.names, self.addresses = app, frozenset(names), addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            given = Headers(scope=scope).getlist("host")
            host = re.sub(r":\d*$", "", given[0]).lower() if len(given) == 1 else ""
            if host not in self.names and not (self.addresses and _is_address(host)):
                await refuse(send, 400, f"the host {host[:100]!r} is not known here; open the address that `resight serve` printed")
                return
        await self.app(scope, receive, send)


class Authentication:
    """Let nobody without a token read or write anything below /api; whoever it is stands in the request's state as ``caller``."""

    def __init__(self, app: ASGIApp, find: FindCaller) -> None:
        self.app, self.find = app, find

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _is_api(scope):
            scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
            try:
                caller = self.find(token.strip()) if scheme.lower() == "bearer" else None
            except ConfigurationError as error:
                _LOG.error("nobody has access: %s", error)
                await refuse(
                    send, 503, "nobody has access at the moment; its administrator sees why in the log", {"retry-after": "60"}
                )
                return
            if caller is None:
                detail = "a token is needed; open the address that `resight serve` printed, or send Authorization: Bearer TOKEN"
                await refuse(send, 401, detail, {"www-authenticate": "Bearer"})
                return
            scope.setdefault("state", {})["caller"] = caller
        await self.app(scope, receive, send)


def come_again() -> str:
    """After how many seconds; whoever is sent away together comes back together, unless told different times."""
    return str(random.randint(1, 3))


class Overload:
    """Refuse uploads while there is no place for them, before anything is done for them: under load that is most requests.

    Whoever may not send any is not asked to come again; the route says so.

    Parameters
    ----------
    app : ASGI application
    places : Places
    """

    def __init__(self, app: ASGIApp, places: Places) -> None:
        self.app, self.places = app, places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        role = UPLOADS.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if role is not None and scope["state"]["caller"].may(role):
            try:
                self.places.check()
            except BusyError as error:
                await refuse(send, 429, str(error), {"retry-after": come_again()})
                return
        await self.app(scope, receive, send)


class BodyLimit:
    """Refuse a body that is larger than a bound, or takes too long, before it is in memory.

    Parameters
    ----------
    app : ASGI application
    most : int
        Bytes.
    seconds : float
        In which all of it must arrive.
    """

    def __init__(self, app: ASGIApp, most: int, seconds: float = 60.0) -> None:
        self.app, self.most, self.seconds = app, most, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        too_large = f"the request is larger than {self.most / 1e6:g} MB; send a smaller image, or allow more by --max-upload"
        stated = Headers(scope=scope).get("content-length", "0")
        if not (stated.isascii() and stated.isdigit()) or int(stated[:20]) > self.most:
            await refuse(send, 413, too_large, {"connection": "close"})
            return
        deadline = asyncio.get_running_loop().time() + self.seconds
        received, complete = 0, False

        async def receive_bounded() -> Message:
            nonlocal received, complete
            if complete:  # what comes now is the end of the connection, whenever that may be
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(408, "the request took too long to arrive; send it again", {"connection": "close"}) from error
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                complete = not message.get("more_body", False)
                if received > self.most:
                    raise HTTPException(413, too_large, {"connection": "close"})
            return message

        await self.app(scope, receive_bounded, send)


def _is_api(scope: Scope) -> bool:
    path: Any = scope["path"]
    return bool(path == API or path.startswith(f"{API}/"))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
