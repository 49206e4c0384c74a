"""Clients that are slow, silent or many, over real connections."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from resight.service import connections
from resight.service.server import listen, make_server
from service.worlds import World

SLOW = b"POST /api/search HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer viewer\r\ncontent-length: 5000\r\n\r\nabc"


@contextmanager
def listening(world: World) -> Iterator[int]:
    """The world behind a port."""
    listener, server = listen("127.0.0.1", 0), make_server(world.service, "127.0.0.1")
    port = int(listener.getsockname()[1])
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield port
    finally:
        server.should_exit = server.force_exit = True
        thread.join(20)
    assert not thread.is_alive()


def opened(stack: ExitStack, port: int, data: bytes) -> socket.socket:
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
    connection.sendall(data)
    return connection


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(100) == b""
    except ConnectionResetError:
        return True


def search(port: int, image: bytes, token: str = "viewer") -> int:
    with httpx.Client(headers={"authorization": f"Bearer {token}"}, timeout=60) as client:
        return client.post(f"http://localhost:{port}/api/search", files={"images": image}).status_code


def test_slow_uploads_hold_no_place(serve: Callable[..., World]) -> None:
    world = serve()
    with listening(world) as port, ExitStack() as stack:
        for _ in range(2 * world.service.limits.queue):
            opened(stack, port, SLOW)
        time.sleep(0.2)
        assert world.service.places.taken == 0
        assert search(port, world.images[0]) == 200


@pytest.mark.parametrize("data", [b"", b"GET / HTT", b"GET / HTTP/1.1\r\nhost: localhost\r\n"])
def test_a_head_has_a_deadline(serve: Callable[..., World], monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(connections, "HEAD", 0.3)
    with listening(serve()) as port, ExitStack() as stack:
        assert is_closed(opened(stack, port, data))


def test_the_next_head_has_a_deadline_too(serve: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD", 0.3)
    with listening(serve()) as port, ExitStack() as stack:
        connection = opened(stack, port, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        answer = b""
        while b'"ok"' not in answer:
            answer += connection.recv(1000)
        connection.sendall(b"GET /hea")
        assert is_closed(connection)


def test_too_many_connections_make_room(serve: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    world = serve()
    monkeypatch.setattr(connections, "most_connections", lambda: 5)
    with listening(world) as port, ExitStack() as stack:
        held = [opened(stack, port, b"GET") for _ in range(12)]
        assert search(port, world.images[0]) == 200
        assert all(map(is_closed, held[:7]))  # the oldest made room


def test_one_line_is_written_when_files_run_out(caplog: pytest.LogCaptureFixture) -> None:
    handle, loop = connections.say_seldom(), asyncio.new_event_loop()
    trouble = {"message": "socket.accept() out of system resource", "exception": OSError(24, "Too many open files")}
    with caplog.at_level(logging.ERROR):
        for _ in range(2000):
            handle(loop, trouble)
        assert len(caplog.records) == 1
        handle(loop, {"message": "something else"})
        assert len(caplog.records) == 2
    loop.close()


def test_large_images_of_one_caller_do_not_lock_out_another(serve: Callable[..., World]) -> None:
    """Eight connections send images of 25 megapixels, one after the other; another caller's searches are all answered."""
    world, stop = serve(), threading.Event()
    large = cv2.imencode(".png", np.zeros((5000, 5000, 3), np.uint8))[1].tobytes()
    with listening(world) as port, ThreadPoolExecutor(8) as pool:

        def repeat() -> list[int]:
            statuses = []
            while not stop.is_set():
                statuses.append(search(port, large, "operator"))
            return statuses

        greedy = [pool.submit(repeat) for _ in range(8)]
        time.sleep(0.5)
        answers = [search(port, world.images[0], "viewer") for _ in range(12)]
        stop.set()
        served = [status for one in greedy for status in one.result()]
    assert answers == [200] * 12
    assert served.count(200) > 0  # and has its own share


def test_probes_need_no_token_and_tell_whether_searches_can_be_logged(
    serve: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = serve()
    probe: Any = world.client("")
    for path in ("/healthz", "/readyz"):
        assert probe.get(path, headers={"host": "10.1.1.1"}).status_code == 200
    write, full = world.audit._write, OSError(28, "No space left on device")

    def fail(data: bytes) -> None:
        from resight.service.audit import _unwritable

        raise _unwritable(world.audit.path, full)

    monkeypatch.setattr(world.audit, "_write", fail)
    assert world.client().post("/api/search", files={"images": world.images[0]}).status_code == 507
    assert (probe.get("/healthz").status_code, probe.get("/readyz").status_code) == (200, 503)
    monkeypatch.setattr(world.audit, "_write", write)
    assert probe.get("/readyz").status_code == 200
    assert world.actions() == ["ready"]


def test_refusals_are_logged_with_their_route_and_not_without_end(
    serve: Callable[..., World], caplog: pytest.LogCaptureFixture
) -> None:
    world = serve()
    world.client("").get(f"/api/sightings/{world.ids[0]}/thumbnail")
    world.client("viewer").post("/api/purge", json={"everything": True, "dry_run": True})
    lines = [record.getMessage() for record in caplog.records if record.name.endswith("gate")]
    assert lines == ["401: GET /api/sightings/{id}/thumbnail without a valid token", "403: POST /api/purge by viewer (viewer)"]
    for _ in range(50):
        world.client("").get("/api/session")
    assert len(caplog.records) < 45


def test_the_end_does_not_wait_for_long_work(serve: Callable[..., World]) -> None:
    world, go_on = serve(), threading.Event()

    async def ask() -> None:
        await world.service.uploads.run("a", lambda: go_on.wait(30))

    thread = threading.Thread(target=asyncio.run, args=(ask(),))
    thread.start()
    time.sleep(0.1)
    started = time.monotonic()
    world.service.stop()
    assert time.monotonic() - started < 4
    go_on.set()
    thread.join()
