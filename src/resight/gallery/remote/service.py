"""A gallery behind a service, asked over HTTP."""

from __future__ import annotations

import http.client
import ipaddress
import json
import re
import secrets
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import cv2

from resight.configuration import configure
from resight.errors import ConfigurationError, GalleryAwayError, ImageError, UploadError
from resight.gallery.remote.parcel import Parcel
from resight.gallery.settings import Settings
from resight.gallery.tracklets import What, as_text
from resight.models.model import Model

__all__ = ["ServiceGallery"]

_PATIENCE = 30.0  # seconds for a connection, and for each part of an answer
_LONGEST = 2**20  # bytes of an answer
_LONGEST_PAUSE = 300.0  # seconds that a service may ask us to wait


class _Answer(NamedTuple):
    status: int
    values: dict[str, Any]
    pause: float


class ServiceGallery:
    """Gallery of a service.

    Parameters
    ----------
    address : str
        ``https://HOST``, perhaps with a port and a path. ``http://`` is only for this machine, because tokens and images would
        travel unencrypted.
    token : callable
        Returns the token, and is called for every request.
    report : callable
        Called with a line if the service has another model than the parcels.

    Raises
    ------
    ConfigurationError
        If the address cannot be used.
    """

    def __init__(self, address: str, token: Callable[[], str], report: Callable[[str], None] = lambda line: None) -> None:
        try:
            parts = urlsplit(address)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise ConfigurationError(f"the address of --gallery: {error}; expected https://HOST") from error
        if "@" in parts.netloc or parts.query or parts.fragment or not host:
            raise ConfigurationError("the address of --gallery is https://HOST; the token belongs into a file, see --token")
        if parts.scheme == "http" and not _is_here(host):
            raise ConfigurationError(f"tokens and images would travel to {host} unencrypted; give an address with https")
        self.shown = f"{parts.scheme}://{parts.netloc}{parts.path}"
        self._secure, self._host, self._port, self._path = parts.scheme == "https", host, port, parts.path.rstrip("/")
        self._token, self._report, self._told = token, report, ""
        self._connection: http.client.HTTPConnection | None = None

    def settings(self) -> Settings:
        """See `Destination`."""
        answer = self._ask("GET", "/api/session")
        if answer.status != 200:
            raise self._away(answer)
        values = answer.values.get("gallery")
        if not isinstance(values, dict):
            raise GalleryAwayError(f"{self.shown} is not a gallery of Resight; see the address")
        if answer.values.get("role") == "viewer":
            raise ConfigurationError(f"the token for {self.shown} may only look; make one by `resight access --role operator`")
        known = {name: value for name, value in values.items() if name in Settings.__dataclass_fields__}
        return configure(Settings, known, source=self.shown)

    def deliver(self, parcel: Parcel, model: Model) -> What:
        """See `Destination`. A service with another model than the parcel's embeds the crops itself."""
        answer = self._post(parcel, with_vector=True)
        if answer.status == 409:
            if parcel.model_sha256 != self._told:
                self._report(f"{self.shown} has another model now, and embeds the crops itself; restart this watcher")
            self._told = parcel.model_sha256
            answer = self._post(parcel, with_vector=False)
        if answer.status in (413, 422):
            raise UploadError(str(answer.values.get("detail", answer.status)))
        if answer.status not in (200, 201):
            raise self._away(answer)
        return "expired" if answer.values.get("expired") else "added" if answer.values.get("added") else "present"

    def close(self) -> None:
        """See `Destination`."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _post(self, parcel: Parcel, *, with_vector: bool) -> _Answer:
        fields = {
            "tracklet": parcel.name,
            "camera": parcel.camera,
            "source": as_text(parcel.source),
            "seconds": repr(parcel.seconds),
        }
        fields |= {} if parcel.time is None else {"time": parcel.time.isoformat()}
        try:
            files = [("crops", cv2.imencode(".png", crop[..., ::-1])[1].tobytes()) for crop in parcel.crops()]
        except ImageError as error:
            raise UploadError(str(error)) from error
        if with_vector:
            fields["model_sha256"] = parcel.model_sha256
            files.append(("vector", parcel.embedding.astype("<f4").tobytes()))
        boundary = secrets.token_hex(16)
        body = b"".join(
            [_part(boundary, name, "", value.encode()) for name, value in fields.items()]
            + [_part(boundary, name, f'; filename="{name}"', data) for name, data in files]
            + [f"--{boundary}--\r\n".encode()]
        )
        return self._ask("POST", "/api/tracklets", body, f"multipart/form-data; boundary={boundary}")

    def _ask(self, method: str, path: str, body: bytes = b"", content_type: str = "") -> _Answer:
        """Send a request; over a new connection if an old one was closed meanwhile. Raises `GalleryAwayError`."""
        headers = {"authorization": f"Bearer {self._token()}", "user-agent": "resight"}
        headers |= {"content-type": content_type} if content_type else {}
        fresh = self._connection is None
        try:
            connection = self._connect()
            connection.request(method, self._path + path, body, headers)
            response = connection.getresponse()
            data = response.read(_LONGEST)
            if response.read(1):
                self.close()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if not fresh and isinstance(error, ConnectionError | http.client.BadStatusLine):
                return self._ask(method, path, body, content_type)
            reason = getattr(error, "verify_message", "") or getattr(error, "strerror", "") or error or type(error).__name__
            raise GalleryAwayError(f"{self.shown} cannot be reached ({reason})") from error
        values: Any = None
        with suppress(ValueError):
            values = json.loads(data)
        pause = response.headers.get("retry-after", "")
        seconds = float(pause) if re.fullmatch(r"\d{1,6}", pause) else 0.0
        return _Answer(response.status, values if isinstance(values, dict) else {}, min(seconds, _LONGEST_PAUSE))

    def _connect(self) -> http.client.HTTPConnection:
        if self._connection is None and self._secure:
            context = ssl.create_default_context()
            self._connection = http.client.HTTPSConnection(self._host, self._port, timeout=_PATIENCE, context=context)
        elif self._connection is None:
            self._connection = http.client.HTTPConnection(self._host, self._port, timeout=_PATIENCE)
        return self._connection

    def _away(self, answer: _Answer) -> GalleryAwayError:
        detail = answer.values.get("detail") or http.client.responses.get(answer.status, "")
        said = f"{self.shown} answers {answer.status}: {detail}"
        if 300 <= answer.status < 400:
            said += "; give the address that it leads to"
        elif answer.status in (401, 403):
            said = f"{self.shown} does not take the token ({detail}); see --token"
        elif answer.status == 404:
            said += "; see that it is the service of a gallery, and as new as this watcher"
        error = GalleryAwayError(said)
        error.pause = answer.pause
        return error


def _part(boundary: str, name: str, more: str, data: bytes) -> bytes:
    return f'--{boundary}\r\ncontent-disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + data + b"\r\n"


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
