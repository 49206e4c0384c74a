"""Uploads that are damaged on purpose: no crash, no wait, and no error that is not the sender's."""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from gallery.fakes import make_image
from resight.gallery import upkeep
from resight.images import decode
from service.worlds import World

Mutation = Callable[[bytes, np.random.Generator], bytes]

FORMATS = (".jpg", ".png", ".webp", ".bmp")


def encoded(suffix: str, number: int) -> bytes:
    pixels = decode(make_image(number))
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, number % 2] if suffix == ".jpg" else []
    return cv2.imencode(suffix, pixels, options)[1].tobytes()


def flip(data: bytes, rng: np.random.Generator) -> bytes:
    changed = np.frombuffer(data, np.uint8).copy()
    places = rng.integers(0, len(changed), rng.integers(1, 9))
    changed[places] = rng.integers(0, 256, len(places))
    return changed.tobytes()


def spoil_the_header(data: bytes, rng: np.random.Generator) -> bytes:
    return flip(data[:64], rng) + data[64:]


def cut_off(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: rng.integers(0, len(data))]


def cut_out(data: bytes, rng: np.random.Generator) -> bytes:
    start, stop = sorted(rng.integers(0, len(data), 2).tolist())
    return data[:start] + data[stop:]


def repeat(data: bytes, rng: np.random.Generator) -> bytes:
    start, stop = sorted(rng.integers(0, len(data), 2).tolist())
    return data[:stop] + data[start:stop] * int(rng.integers(1, 20)) + data[stop:]


def extreme_numbers(data: bytes, rng: np.random.Generator) -> bytes:
    place = int(rng.integers(0, min(len(data) - 4, 80)))
    number = [b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\0\1\0\0"][rng.integers(5)]
    return data[:place] + number + data[place + 4 :]


MUTATIONS: tuple[Mutation, ...] = (flip, spoil_the_header, cut_off, cut_out, repeat, extreme_numbers)


def form(image: bytes, boundary: bytes = b"boundary") -> bytes:
    head = b'--%b\r\nContent-Disposition: form-data; name="k"\r\n\r\n3\r\n--%b\r\n' % (boundary, boundary)
    head += b'Content-Disposition: form-data; name="images"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    return head + image + b"\r\n--%b--\r\n" % boundary


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_mutated_uploads(shared_world: World, count: int) -> None:
    """Every third mutation is of the form's frame, the others are of the image in it; some are enrolled."""
    client, rng = shared_world.client("operator"), np.random.default_rng(count)
    statuses: dict[int, int] = {}
    for number in range(count):
        image = encoded(FORMATS[number % 4], number % 50)
        mutation = MUTATIONS[int(rng.integers(len(MUTATIONS)))]
        body = mutation(form(image), rng) if number % 3 == 0 else form(mutation(image, rng))
        path = "/api/search"
        if number % 5 == 0:
            path, body = "/api/sightings", body.replace(b'name="images"', b'name="image"').replace(b'name="k"', b'name="camera"')
        started = time.perf_counter()
        answer = client.post(path, content=body, headers={"content-type": "multipart/form-data; boundary=boundary"})
        assert time.perf_counter() - started < 20
        assert answer.status_code in (200, 201, 422), answer.text
        statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
    assert statuses[422] > count / 4
    assert statuses[200] > count / 50  # some are still images
    assert shared_world.audit.problems() == []
    assert upkeep.verify(shared_world.gallery.folder) == []
    assert shared_world.service.places.taken == 0


def png(height: int, width: int, *chunks: tuple[bytes, bytes]) -> bytes:
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), *chunks, (b"IEND", b"")]
    framed = [struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def jpeg_of(height: int, width: int) -> bytes:
    data = bytearray(encoded(".jpg", 0))
    place = data.find(b"\xff\xc0")
    data[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return bytes(data)


BOMBS = {
    "a png of 60,000 x 60,000": png(60_000, 60_000, (b"IDAT", zlib.compress(bytes(10**6)))),
    "a jpeg of 65,000 x 65,000": jpeg_of(65_000, 65_000),
    "a png of no pixels": png(0, 0, (b"IDAT", b"")),
    "a png of texts": png(9, 9, *[(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**6)))] * 30, (b"IDAT", zlib.compress(bytes(252)))),
    "an svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="http://localhost/"/></svg>',
    "an address": b"http://localhost:1/a.jpg",
    "a path": b"/etc/passwd",
    "a gif": b"GIF89a" + bytes(100),
    "a tiff": b"II*\0" + bytes(100),
    "nothing": b"",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_and_foreign_kinds(shared_world: World, name: str) -> None:
    started = time.perf_counter()
    answer = shared_world.client().post("/api/search", files={"images": BOMBS[name]})
    assert answer.status_code == 422
    assert "\n" not in answer.json()["detail"]
    assert time.perf_counter() - started < 2


def test_forms_that_are_slow_to_read(shared_world: World) -> None:
    """Bodies as large as is allowed that almost are boundaries, or hold nothing but tiny parts."""
    most = shared_world.service.limits.upload - 1000
    head = b'--boundary\r\nContent-Disposition: form-data; name="images"; filename="x"\r\n\r\n'
    for filling in (b"\r\n--boundar", b"\r", b"\r\n", b"-", b"--boundary\r\n\r\n", b"\0", head):
        body = head + filling * (most // len(filling)) + b"\r\n--boundary--\r\n"
        started = time.perf_counter()
        answer = shared_world.client().post(
            "/api/search", content=body[:most], headers={"content-type": "multipart/form-data; boundary=boundary"}
        )
        assert answer.status_code == 422
        assert time.perf_counter() - started < 20
