"""Forms of several parts, written by another library, and damaged in every way."""

from __future__ import annotations

import httpx
import numpy as np
import pytest
from pydantic import ValidationError

from gallery.fakes import make_image
from resight.errors import UploadError
from resight.service.forms import Part, parse_form, read_form
from resight.service.requests import SearchForm


def written(**parts: object) -> tuple[str, bytes]:
    """What httpx sends; texts are values and bytes are files."""
    files = [(name, value) for name, value in parts.items() if isinstance(value, bytes)]
    data = {name: value for name, value in parts.items() if not isinstance(value, bytes)}
    request = httpx.Request("POST", "http://localhost", files=files, data=data)  # type: ignore[arg-type]
    return request.headers["content-type"], request.read()


def test_what_another_library_writes_is_read() -> None:
    image = make_image(0) + b"\r\n--\r\n--x"
    parts = parse_form(*written(images=image, k="3", camera=["hall", "Küche ☂ \"'%22"], box="0,0,1,1"))
    values = sorted((part.name, part.data) for part in parts)
    assert values == sorted(
        [("images", image), ("k", b"3"), ("camera", b"hall"), ("camera", "Küche ☂ \"'%22".encode()), ("box", b"0,0,1,1")]
    )
    assert [part.filename for part in parts if part.name == "images"] == ["upload"]
    form = read_form(SearchForm, parts)
    assert (form.images, form.k, sorted(form.camera)) == ([image], 3, sorted(["hall", "Küche ☂ \"'%22"]))


def test_boundaries_inside_of_files_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        pieces = [b"\r\n", b"--", b"\r", b"\n", b"boundary", b"\r\n--boundar", bytes(rng.integers(0, 256, 5, np.uint8))]
        data = b"".join(pieces[i] for i in rng.integers(0, len(pieces), 40))
        request = httpx.Request(
            "POST", "http://localhost", files={"images": data}, headers={"content-type": "multipart/form-data; boundary=boundary"}
        )
        if b"\r\n--boundary" not in data:
            assert parse_form(request.headers["content-type"], request.read()) == [Part("images", "upload", data)]


@pytest.mark.parametrize(
    "content_type",
    ["", "multipart/form-data", "multipart/form-data; boundary=", "text/plain; boundary=x", "application/json", "\x00"],
)
def test_what_is_no_form(content_type: str) -> None:
    _, body = written(images=b"x")
    with pytest.raises(UploadError, match="multipart/form-data"):
        parse_form(content_type, body)


def test_every_cut_is_noticed() -> None:
    content_type, body = written(k="3", images=b"0123456789")
    for length in range(len(body) - 4):
        with pytest.raises(UploadError):
            parse_form(content_type, body[:length])


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Type: text/plain",
        b"Content-Disposition: form-data",
        b"Content-Disposition",
        b"X: " + b"y" * 10_000,
        b"\r\n".join(b"X-%d: y" % number for number in range(40)),
    ],
)
def test_parts_without_a_name_or_with_too_much_of_a_head(header: bytes) -> None:
    body = b"--x\r\n" + header + b"\r\n\r\n1\r\n--x--\r\n"
    with pytest.raises(UploadError):
        parse_form("multipart/form-data; boundary=x", body)


def test_too_many_parts() -> None:
    with pytest.raises(UploadError, match="200"):
        parse_form(*written(images=b"x", camera=[str(number) for number in range(200)]))


def test_limits_of_values() -> None:
    with pytest.raises(ValidationError):
        read_form(SearchForm, parse_form(*written(images=b"x", camera=["x"] * 101)))
    with pytest.raises(UploadError, match="UTF-8"):
        read_form(SearchForm, [Part("images", "", b""), Part("camera", None, b"\xff")])
    with pytest.raises(UploadError, match="a file"):
        read_form(SearchForm, [Part("camera", "x.jpg", b"")])
