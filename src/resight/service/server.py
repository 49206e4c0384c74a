"""The server: a socket, the names that it answers to, and a clean end."""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Collection

import uvicorn

from resight.errors import ConfigurationError
from resight.service.app import create_app
from resight.service.lifecycle import Service

__all__ = ["is_loopback", "listen", "run"]

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_PATIENCE = 10  # seconds that requests have to end in
_SWITCH = 0.001  # seconds after which a thread that computes lets the one that answers go on


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """A socket for a host and a port; port 0 takes a free one. Raises `ConfigurationError` if it cannot be had."""
    if not 0 <= port <= 65_535:
        raise ConfigurationError(f"port {port} is none; give a --port from 0 to 65535")
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=2048)
    except OSError as error:
        raise ConfigurationError(
            f"{host}:{port} cannot be served ({error.strerror or error}); choose another --host or --port"
        ) from error


def run(service: Service, listener: socket.socket, host: str, names: Collection[str] = ()) -> None:
    """Serve until a signal ends it; then what was begun is answered.

    Parameters
    ----------
    service : Service
        That runs.
    listener : socket
        From `listen`.
    host : str
        As it was bound.
    names : collection of str
        Further names by which it is reached, behind a proxy for example.
    """
    everywhere = host in ("0.0.0.0", "::", "")
    own = {socket.gethostname(), socket.getfqdn()} if everywhere else {f"[{host}]" if ":" in host else host}
    hosts = {name.lower() for name in (*_LOOPBACK, *own, *names)}
    app = create_app(service, hosts=hosts, addresses=everywhere)
    config = uvicorn.Config(
        app,
        access_log=False,  # addresses of requests name people
        log_level="warning",
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_PATIENCE,
    )
    sys.setswitchinterval(_SWITCH)
    uvicorn.Server(config).run(sockets=[listener])
