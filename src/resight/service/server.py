"""The HTTP server: its socket, its host names, and its end."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import socket
import sys
from collections.abc import Collection

import uvicorn

from resight.errors import ConfigurationError
from resight.service.app import create_app
from resight.service.connections import Connection, say_seldom
from resight.service.lifecycle import Service

__all__ = ["is_loopback", "listen", "make_server", "run"]

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_PATIENCE = 7  # seconds for requests to end; `Service.stop` takes up to 2 more
_BACKLOG = 128  # connections that wait to be accepted
_SWITCH = 0.001  # seconds after which a thread that computes lets the one that answers go on


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """Open a socket for a host and a port; port 0 takes a free one. Raises `ConfigurationError` if that fails."""
    if not 0 <= port <= 65_535:
        raise ConfigurationError(f"the port is {port}; give a --port from 0 to 65535")
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigurationError(
            f"{host}:{port} cannot be served ({error.strerror or error}); choose another --host or --port"
        ) from error


def run(service: Service, listener: socket.socket, host: str, names: Collection[str] = ()) -> None:
    """Serve until a signal; then answer the requests that have begun. See `make_server`.

    Raises
    ------
    KeyboardInterrupt
        Always at the end, if it was a signal; also SIGTERM, so that the caller can close what it opened.
    """
    sys.setswitchinterval(_SWITCH)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        make_server(service, host, names).run(sockets=[listener])
    finally:
        signal.signal(signal.SIGTERM, before)


def make_server(service: Service, host: str, names: Collection[str] = ()) -> uvicorn.Server:
    """Make the server of a service.

    Parameters
    ----------
    service : Service
        A running service.
    host : str
        Bound address.
    names : collection of str
        Further host names, for example behind a proxy.
    """
    everywhere = host in ("0.0.0.0", "::", "")
    own = {socket.gethostname(), socket.getfqdn()} if everywhere else {f"[{host}]" if ":" in host else host}
    hosts = {name.lower() for name in (*_LOOPBACK, *own, *names)}
    app = create_app(service, hosts=hosts, addresses=everywhere)
    config = uvicorn.Config(
        app,
        http=Connection,
        backlog=_BACKLOG,
        log_config=None,  # log lines go to the handlers of the program
        access_log=False,  # addresses of requests name people
        log_level="warning",
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_PATIENCE,
    )
    return _Server(config, service)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(say_seldom())
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._service.watching is not None:
            self._service.watching.stop()  # which takes its time, like the requests that are being answered
        await super().shutdown(sockets)
