"""The client of a service against a server that answers as scripted, and the service itself."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gallery.fakes import ColourModel, make_settings
from gallery.remote.test_backlog import make_parcel
from resight.errors import ConfigurationError, GalleryAwayError, ResightError, UploadError
from resight.gallery.remote import is_remote, open_delivery
from resight.gallery.remote.service import ServiceGallery

Answer = tuple[int, Any, dict[str, str]]


class Scripted(ThreadingHTTPServer):
    """Gives the answers of `script` one after the other, and remembers the requests."""

    def __init__(self) -> None:
        self.script: list[Answer] = []
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Scripted

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.asked.append((self.command, self.path, dict(self.headers), body))
        status, values, headers = self.server.script.pop(0)
        data = values if isinstance(values, bytes) else json.dumps(values).encode()
        if status == 0:  # breaks off
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {"content-length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Scripted]:
    with Scripted() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def service(server: Scripted) -> Iterator[ServiceGallery]:
    made = ServiceGallery(f"http://127.0.0.1:{server.server_address[1]}/people", lambda: "s3cret")
    yield made
    made.close()


SUMMARY = {"model": "colours", "model_sha256": ColourModel().sha256, "height": 16, "width": 8, "dimension": 16}
SESSION = {"name": "door", "role": "operator", "gallery": SUMMARY | {"distance": "euclidean", "retention": None}}


def test_settings_come_from_the_session(server: Scripted, service: ServiceGallery) -> None:
    server.script = [(200, SESSION, {}), (200, SESSION | {"role": "viewer"}, {}), (200, [], {}), (404, b"<html>", {})]
    assert service.settings() == make_settings()
    _, path, headers, _ = server.asked[0]
    assert (path, headers["authorization"]) == ("/people/api/session", "Bearer s3cret")
    with pytest.raises(ConfigurationError, match="may only look"):
        service.settings()
    for said in ("is not a gallery of Resight", "answers 404: Not Found; see that it is the service"):
        with pytest.raises(GalleryAwayError, match=said):
            service.settings()


def test_each_answer_of_a_service_means_one_thing(server: Scripted, service: ServiceGallery) -> None:
    model = ColourModel()
    server.script = [(status, {"id": "x", "added": status == 201, "expired": False}, {}) for status in (201, 200)]
    server.script.append((200, {"id": "x", "added": False, "expired": True}, {}))
    assert [service.deliver(make_parcel(), model) for _ in range(3)] == ["added", "present", "expired"]
    refusals: list[tuple[Answer, type[ResightError], str, float]] = [
        ((413, {"detail": "too large"}, {}), UploadError, "^too large$", 0),
        ((422, {"detail": "no image"}, {}), UploadError, "^no image$", 0),
        ((401, {"detail": "a token is needed"}, {}), GalleryAwayError, r"does not take the token \(a token is needed\)", 0),
        ((403, {"detail": "not this camera"}, {}), GalleryAwayError, r"does not take the token \(not this camera\)", 0),
        ((400, {"detail": "unknown host"}, {}), GalleryAwayError, "answers 400: unknown host", 0),
        ((429, {"detail": "busy"}, {"retry-after": "3"}), GalleryAwayError, "answers 429: busy", 3),
        ((503, b"<html>", {"retry-after": "99999"}), GalleryAwayError, "answers 503: Service Unavailable", 300),
        ((507, {"detail": "full"}, {"retry-after": "soon"}), GalleryAwayError, "answers 507: full", 0),
        ((302, b"", {"location": "https://elsewhere.example.org"}), GalleryAwayError, "the address that it leads to", 0),
        ((0, b"", {}), GalleryAwayError, "cannot be reached", 0),
    ]
    for answer, kind, said, pause in refusals:
        server.script = [answer] * 2  # a connection that breaks off is tried twice
        with pytest.raises(kind, match=said) as caught:
            service.deliver(make_parcel(), model)
        assert getattr(caught.value, "pause", 0) == pause
        assert "s3cret" not in str(caught.value)
    assert not [path for _, path, _, _ in server.asked if path != "/people/api/tracklets"]


def test_a_parcel_that_cannot_be_sent_is_refused_and_a_name_that_is_no_text_is_sent(
    server: Scripted, service: ServiceGallery
) -> None:
    with pytest.raises(UploadError):
        service.deliver(replace(make_parcel(1), strip=b"no picture"), ColourModel())
    server.script = [(201, {"added": True}, {})]
    assert service.deliver(replace(make_parcel(1), source="film\udce9.mp4"), ColourModel()) == "added"
    assert "film\ufffd.mp4".encode() in server.asked[0][3]


def test_a_service_with_another_model_gets_the_crops_alone(server: Scripted) -> None:
    said: list[str] = []
    service = ServiceGallery(f"http://127.0.0.1:{server.server_address[1]}", lambda: "x", said.append)
    for _ in range(2):
        server.script = [(409, {"detail": "another model"}, {}), (201, {"id": "x", "added": True, "expired": False}, {})]
        assert service.deliver(make_parcel(), ColourModel()) == "added"
        (*_, whole), (*_, alone) = server.asked[-2:]
        assert b'name="vector"' in whole and b'name="model_sha256"' in whole and whole.count(b'; name="crops"') == 2
        assert b'name="vector"' not in alone and b'name="model_sha256"' not in alone and alone.count(b'; name="crops"') == 2
    assert len(said) == 1 and "restart this watcher" in said[0]
    service.close()


def test_nobody_listens_and_nobody_answers_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resight.gallery.remote.service._PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        service = ServiceGallery(f"http://127.0.0.1:{port}", lambda: "x")
        with pytest.raises(GalleryAwayError, match=r"cannot be reached \(timed out\)"):
            service.settings()
    with pytest.raises(GalleryAwayError, match=r"cannot be reached \(Connection refused\)"):
        service.settings()
    with pytest.raises(GalleryAwayError, match="cannot be reached"):  # which does not speak TLS
        ServiceGallery(f"https://127.0.0.1:{port}", lambda: "x").settings()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://gallery.example.org", "unencrypted"),
        ("https://", "https://HOST"),
        ("https://anna:s3cret@gallery.example.org", "--token"),
        ("https://gallery.example.org/#token=s3cret", "--token"),
        ("https://gallery.example.org:70000", "expected https://HOST"),
    ],
)
def test_addresses_that_cannot_be_used(address: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        ServiceGallery(address, lambda: "x")
    assert "s3cret" not in str(caught.value)


def test_where_the_token_comes_from(server: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"http://localhost:{server.server_address[1]}"
    assert is_remote(address) and is_remote("postgresql://x/y") and not is_remote("people") and not is_remote("")

    def opened(**options: Any) -> str:
        server.script = [(200, SESSION, {})]
        open_delivery(address, address, backlog=tmp_path / "backlog", **options).close()
        return server.asked[-1][2]["authorization"]

    monkeypatch.delenv("RESIGHT_TOKEN", raising=False)
    with pytest.raises(ConfigurationError, match=r"no token; make one by `resight access`, and put it .* RESIGHT_TOKEN"):
        opened()
    monkeypatch.setenv("RESIGHT_TOKEN", "one\n")
    assert opened() == "Bearer one"
    file = tmp_path / "token"
    for text, said in ((None, "cannot be read"), ("", "no token in"), ("a b", "blanks")):
        if text is not None:
            file.write_text(text)
        with pytest.raises(ConfigurationError, match=said):
            opened(token=file)
    file.write_text("two\n")
    assert opened(token=file) == "Bearer two"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    server.script = [(200, SESSION, {})]
    open_delivery(address, address).close()
    (folder,) = (tmp_path / "state/resight/backlog").iterdir()
    assert folder.name.startswith(f"localhost-{server.server_address[1]}-")
