"""The application: routes behind the gate, answers to errors, and the pages."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from resight.errors import (
    AccessError,
    BusyError,
    ConfigurationError,
    GalleryError,
    ImageError,
    MissingSightingError,
    ModelMismatchError,
    ResightError,
    StorageError,
    UploadError,
)
from resight.service.answers import Error
from resight.service.gate import PROBES, Gate, come_again
from resight.service.lifecycle import Service
from resight.service.routes import administration, people, search, sightings, tracklets

__all__ = ["create_app"]

_STATUS: dict[type[ResightError], int] = {
    AccessError: 403,
    MissingSightingError: 404,
    ModelMismatchError: 409,
    ImageError: 422,
    UploadError: 422,
    ConfigurationError: 422,
    BusyError: 429,
    GalleryError: 503,
    StorageError: 507,
}
"""HTTP status of each error; the first match wins."""

_OURS = {
    500: "something went wrong in the service; its log says what",
    503: "the gallery cannot be used at the moment; the service's log says why",
    507: "nothing can be written at the moment, so it was not done; the service's log says why",
}
"""Answers to errors that are not the caller's mistake."""

_LOG = logging.getLogger(__name__)
_RETRY = {503: "10"}  # seconds
_PAGES = {"/": Path(__file__).parent / "page", "/docs": Path(__file__).parent / "docs"}
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}


def create_app(
    service: Service, *, hosts: Collection[str] = ("localhost", "127.0.0.1", "[::1]"), addresses: bool = False
) -> ASGIApp:
    """Make the ASGI application that serves a gallery.

    Parameters
    ----------
    service : Service
        A running service.
    hosts, addresses
        Names of this server; see `Gate`.

    Returns
    -------
    ASGI application
    """
    return Gate(_create_api(service), service, hosts, addresses)


def _create_api(service: Service) -> FastAPI:
    app = FastAPI(
        title="Resight",
        summary="Find a person again across cameras.",
        docs_url=None,
        redoc_url=None,
        responses={status: {"model": Error} for status in (401, 403, 422, 429, 503)},
        exception_handlers={
            ResightError: _answer_error,
            ValidationError: _answer_invalid,
            RequestValidationError: _answer_invalid,
            HTTPException: _answer_http,
            Exception: _answer_unexpected,
        },
    )
    app.state.service = service
    for module in (search, sightings, tracklets, people, administration):
        app.include_router(module.router)
    for address, probe in zip(PROBES, (lambda: True, service.ready), strict=True):
        _add_probe(app, address, probe)
    for address, folder in _PAGES.items():
        _add_pages(app, address, folder)
    return app


def _add_probe(app: FastAPI, address: str, good: Callable[[], bool]) -> None:
    def probe() -> Response:
        done = good()
        return JSONResponse({"status": "ok" if done else "not ready; the service's log says why"}, 200 if done else 503)

    app.get(address, include_in_schema=False)(probe)


def _add_pages(app: FastAPI, address: str, folder: Path) -> None:
    """Serve the files that are in a folder now, and nothing else: a request looks its name up, and opens no path."""
    files = {file.name: file for file in folder.iterdir() if file.suffix in _TYPES}

    def serve(name: str = "index.html") -> Response:
        if (file := files.get(name)) is None:
            raise HTTPException(404, "this page does not exist; see / and /docs")
        return Response(file.read_bytes(), media_type=_TYPES[file.suffix])

    app.get(address, include_in_schema=False)(serve)
    app.get(f"/{folder.name}/{{name}}", include_in_schema=False)(serve)


async def _answer_error(request: Request, error: Any) -> Response:
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)
    if status not in _OURS:
        return _error(status, str(error))
    _LOG.error("%s %s: %s", request.method, request.url.path, error)
    return _error(status, _OURS[status])  # the message names folders of this machine


async def _answer_invalid(request: Request, error: Any) -> Response:
    first: dict[str, Any] = dict(error.errors()[0])
    place = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    return _error(422, f"{place}: {first['msg']}" if place else first["msg"])


async def _answer_http(request: Request, error: Any) -> Response:
    ways_out = {404: "this address does not exist; see /docs", 405: "this address does not allow this method; see /docs"}
    detail = ways_out.get(error.status_code, error.detail) if error.detail in ("Not Found", "Method Not Allowed") else error.detail
    return _error(error.status_code, str(detail), error.headers)


async def _answer_unexpected(request: Request, error: Any) -> Response:
    return _error(500, _OURS[500])


def _error(status: int, detail: str, headers: Any = None) -> Response:
    seconds = come_again() if status == 429 else _RETRY.get(status)
    retry = {} if seconds is None else {"retry-after": seconds}
    return JSONResponse({"detail": " ".join(detail.split())}, status, {**(headers or {}), **retry})
