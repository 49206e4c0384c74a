"""Hosts, sizes, headers, pages: what stands before and around the routes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gallery.fakes import make_image
from resight.service import app, gate
from resight.service.app import create_app
from resight.service.lifecycle import Limits
from service.worlds import World


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:9", "LOCALHOST"])
def test_known_hosts(shared_world: World, host: str) -> None:
    assert shared_world.client().get("/api/session", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example:80", "127.0.0.1.nip.io", "", "localhost:80:80", "10.0.0.1", "\u2603"]
)
@pytest.mark.parametrize("path", ["/", "/api/session", "/openapi.json"])
def test_a_page_of_another_name_gets_nothing(shared_world: World, host: str, path: str) -> None:
    answer = shared_world.client().get(path, headers={"host": host.encode()})
    assert answer.status_code == 400
    assert list(answer.json()) == ["detail"]


def test_bound_to_all_addresses_any_address_is_known_but_no_name(shared_world: World) -> None:
    wide = create_app(shared_world.service, hosts=["gallery.example"], addresses=True)
    client = shared_world.client()
    client = type(client)(wide, base_url="http://localhost", headers=client.headers)
    for host, status in (("10.1.2.3:8000", 200), ("[fe80::1]", 200), ("gallery.example", 200), ("evil.example", 400)):
        assert client.get("/api/session", headers={"host": host}).status_code == status


@pytest.mark.parametrize("path", ["/", "/docs", "/page/index.html", "/openapi.json", "/api/session", "/nothing", "/api/nothing"])
@pytest.mark.parametrize("token", ["", "admin"])
def test_every_answer_tells_browsers_to_be_careful(shared_world: World, path: str, token: str) -> None:
    headers = shared_world.client(token).get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == ("no-store" if path.startswith("/api") else "no-cache")
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    "path",
    [
        "/page/../app.py",
        "/page/..%2fapp.py",
        "/page/%2e%2e/app.py",
        "/page/..%5capp.py",
        "/page//etc/passwd",
        "/page/%2fetc%2fpasswd",
        "/page/",
        "/page/__init__.py",
        "/docs/../../app.py",
        "/docs/%00",
        "/page/index.html%00.js",
    ],
)
def test_no_path_leads_out_of_the_pages(shared_world: World, path: str) -> None:
    answer = shared_world.client("").get(path)
    assert answer.status_code in (404, 405)
    assert "root:" not in answer.text
    assert "import" not in answer.text


def test_the_pages_are_the_files_of_their_folders(shared_world: World) -> None:
    client, folder = shared_world.client(""), Path(app.__file__).parent
    assert client.get("/").content == (folder / "page" / "index.html").read_bytes()
    assert client.get("/docs").content == (folder / "docs" / "index.html").read_bytes()
    for file in [*(folder / "page").iterdir(), *(folder / "docs").iterdir()]:
        answer = client.get(f"/{file.parent.name}/{file.name}")
        assert answer.content == file.read_bytes()
        # Nothing is fetched from elsewhere; the name of SVG's namespace is no address.
        text = answer.text.replace('"http://www.w3.org/2000/svg"', "")
        assert not re.search(r"""https?://|wss?://|["'(]//""", text, re.IGNORECASE), file
        if file.suffix == ".html":
            assert "<script>" not in text
            assert " style=" not in text


def test_large_requests_are_refused_before_they_are_read(serve: Callable[..., World]) -> None:
    world = serve(limits=Limits(upload=20_000))
    client = world.client()
    assert client.post("/api/search", files={"images": make_image(0)}).status_code == 200
    answer = client.post("/api/search", files={"images": bytes(20_000)})
    assert answer.status_code == 413
    assert "--max-upload" in answer.json()["detail"]

    def chunks() -> Any:
        for _ in range(30):
            yield bytes(1000)

    headers = {"content-type": "multipart/form-data; boundary=x"}
    assert client.post("/api/search", content=chunks(), headers=headers).status_code == 413
    assert client.post("/api/purge", content=chunks(), headers={"content-type": "application/json"}).status_code == 413
    for length in ("-1", "1e3", "99999999999999999999999999", "\u0663"):
        answer = client.post("/api/search", content=b"", headers={"content-length": length.encode()})
        assert answer.status_code == 413
    assert world.client("").post("/api/search", content=chunks()).status_code == 401
    assert world.actions() == ["search"]


def test_nothing_of_a_large_body_is_asked_for(shared_world: World) -> None:
    asked: list[str] = []

    async def receive() -> Any:
        asked.append("body")
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message: Any) -> None:
        asked.append(message.get("status", ""))

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/search",
        "headers": [(b"host", b"localhost"), (b"authorization", b"Bearer admin"), (b"content-length", b"9000000")],
    }
    asyncio.run(shared_world.app(scope, receive, send))
    assert asked == [413, ""]
    asked.clear()
    asyncio.run(shared_world.app(scope | {"headers": [(b"host", b"localhost")]}, receive, send))
    assert asked == [401, ""]


def test_a_body_that_does_not_arrive_is_not_waited_for(shared_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "_PAUSE", 0.05)
    head = {"type": "http.request", "body": b"--b", "more_body": True}
    messages = [head]
    sent: list[Any] = []

    async def receive() -> Any:
        if messages:
            return messages.pop()
        return await asyncio.sleep(30)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(shared_world.app(_upload(), receive, send))
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]
    assert shared_world.service.places.taken == 0


def test_a_client_that_leaves_is_no_error(shared_world: World, caplog: pytest.LogCaptureFixture) -> None:
    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        pass

    asyncio.run(shared_world.app(_upload(), receive, send))
    assert caplog.records == []
    text = shared_world.client().get("/api/metrics").text
    assert 'route="/api/search",status="499"} 1.0' in text


def test_bodies_of_one_caller_are_bounded_together(serve: Callable[..., World]) -> None:
    """Bodies that arrive take no place, so their memory has a bound of its own; another caller has another."""
    world = serve(limits=Limits(upload=1000, queue=2))
    arrived: list[int] = []

    async def one(token: str) -> int:
        messages = [{"type": "http.request", "body": bytes(900), "more_body": True}]
        status = []

        async def receive() -> Any:
            if messages:
                arrived.append(900)
                return messages.pop()
            await asyncio.sleep(0.2)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            status.append(message.get("status"))

        await world.app(_upload(token), receive, send)
        return int(status[0])

    async def several() -> list[int]:
        return list(await asyncio.gather(*(one(token) for token in ("viewer", "viewer", "viewer", "admin"))))

    assert sorted(asyncio.run(several())) == [429, 500, 500, 500]  # who has left sees no status
    assert not world.app._arrived


def _upload(token: str = "admin") -> dict[str, Any]:
    return {
        "type": "http",
        "method": "POST",
        "path": "/api/search",
        "raw_path": b"/api/search",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"authorization", f"Bearer {token}".encode())],
    }
