"""Sizes of images in formats that can hold several pictures: GIF, TIFF, HEIC and AVIF. Only the first picture is read."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

from resight.errors import ImageError

__all__ = ["BRANDS", "gif_size", "heif_size", "holds_several", "kind_of", "tiff_size"]

BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"), "heic"),
    **dict.fromkeys((b"avif", b"avis"), "avif"),
}
"""Kinds of files that begin with an ISO base media header."""

_MOST_ENTRIES = 4096  # tags of a TIFF; writers need some dozen
_MOST_STRIPS = 100_000
_LARGEST_TILE = 2**22  # pixels
_DEEPEST = 8  # boxes of a HEIC or AVIF inside each other
_LETTERS = {1: "B", 3: "H", 4: "I"}
_SIZES = {1: 1, 3: 2, 4: 4}  # bytes of a TIFF's types
_MOST_BYTES = 2**22  # of a GIF, among which a second picture is looked for
_CONTAINERS = (b"meta", b"iprp", b"ipco")


def kind_of(head: bytes) -> str:
    """Format of a file by its first 32 bytes; empty if it is not an image that is read."""
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    if head[:4] in (b"II*\0", b"MM\0*"):
        return "tiff"
    if head[4:8] == b"ftyp":
        return BRANDS.get(head[8:12], "")
    honest = head[:2] == b"BM" and head[6:10] == bytes(4) and len(head) >= 18
    return "bmp" if honest and struct.unpack("<I", head[14:18])[0] in (12, 40, 52, 56, 64, 108, 124) else ""


def holds_several(path: str | os.PathLike[str]) -> bool:
    """Tell if a GIF, TIFF or WebP file holds several pictures, by its structure; False for any other or damaged file."""
    try:
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # a named pipe must not wait for ever
        with os.fdopen(os.open(path, flags), "rb") as stream:
            head = stream.read(32)
            kind = kind_of(head)
            if kind == "webp":
                return head[12:16] == b"VP8X" and bool(head[20] & 2)  # the flag of an animation
            if kind == "tiff":
                return _has_second_page(stream, "<" if head[:2] == b"II" else ">", head[4:8])
            return kind == "gif" and _pictures_of_gif(head + stream.read(_MOST_BYTES), 2) > 1
    except (OSError, ValueError, IndexError, struct.error):
        return False


def _has_second_page(stream: BinaryIO, order: str, start: bytes) -> bool:
    place = struct.unpack(f"{order}I", start)[0]
    stream.seek(place)
    count = struct.unpack(f"{order}H", stream.read(2))[0]
    stream.seek(place + 2 + 12 * count)
    return any(stream.read(4))


def _pictures_of_gif(data: bytes, most: int) -> int:
    position, found = 13 + _palette(data[10]), 0
    while found < most and data[position] != 0x3B:
        found += data[position] == 0x2C
        position = _after_blocks(data, position + (11 + _palette(data[position + 9]) if data[position] == 0x2C else 2))
    return found


def gif_size(data: bytes) -> tuple[int, int]:
    """Height and width of a GIF's canvas; its first frame must be whole. Raises `ImageError`."""
    width, height, flags = struct.unpack("<HHB", data[6:11])
    position = 13 + _palette(flags)
    while position < len(data):
        kind = data[position]
        if kind == 0x2C:  # a picture
            left, top, wide, high, flags = struct.unpack("<HHHHB", data[position + 1 : position + 10])
            if left + wide > width or top + high > height:
                raise ImageError("the GIF's picture is larger than the GIF")
            end = _after_blocks(data, position + 11 + _palette(flags))
            if end > len(data):
                break
            return height, width
        if kind != 0x21:  # an extension
            raise ImageError("the GIF's header is damaged")
        position = _after_blocks(data, position + 2)
    raise ImageError("the GIF file ends too early")


def _palette(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(data: bytes, position: int) -> int:
    while position < len(data) and data[position]:
        position += 1 + data[position]
    return position + 1


def tiff_size(data: bytes) -> tuple[int, int]:
    """Height and width of a TIFF's first picture. Raises `ImageError`, also if its tiles are much larger than the picture."""
    order = "<" if data[:2] == b"II" else ">"
    start = struct.unpack(f"{order}I", data[4:8])[0]
    count = struct.unpack(f"{order}H", data[start : start + 2])[0]
    if count > _MOST_ENTRIES:
        raise ImageError("the TIFF's header is damaged")
    tags: dict[int, list[int]] = {}
    for place in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, number, value = struct.unpack(f"{order}HHI4s", data[place : place + 12])
        if tag in (256, 257, 258, 273, 277, 279, 322, 323, 324, 325):
            if tag in tags:  # who decodes it may take the other one
                raise ImageError("the TIFF's header is damaged")
            tags[tag] = _values(data, order, kind, number, value)
    width, height, samples = (tags.get(tag, [default])[0] for tag, default in ((256, 0), (257, 0), (277, 1)))
    if samples > 4 or len(set(tags.get(258, [1])[:4])) != 1:
        raise ImageError(f"the TIFF has {samples} channels, or channels of several depths; expected 1, 3 or 4 of one depth")
    if tags.get(322, [0])[0] * tags.get(323, [0])[0] > max(height * width, _LARGEST_TILE):
        raise ImageError("the TIFF has tiles that are too large")
    starts, lengths = (tags[324], tags.get(325, [])) if 324 in tags else (tags.get(273, []), tags.get(279, []))
    if not starts or len(starts) != len(lengths) or max(map(sum, zip(starts, lengths, strict=True))) > len(data):
        raise ImageError("the TIFF file ends too early")
    return height, width


def _values(data: bytes, order: str, kind: int, number: int, value: bytes) -> list[int]:
    size = _SIZES.get(kind, 0)
    if kind not in (1, 3, 4) or not 0 < number <= _MOST_STRIPS:
        raise ImageError("the TIFF's header is damaged")
    if size * number > 4:
        start = struct.unpack(f"{order}I", value)[0]
        value = data[start : start + size * number]
    return list(struct.unpack(f"{order}{number}{_LETTERS[kind]}", value[: size * number]))


def heif_size(data: bytes) -> tuple[int, int]:
    """Height and width of the largest picture that a HEIC or AVIF file announces. Raises `ImageError`."""
    sizes = []
    for name, content in _boxes(data, 0, len(data)):
        if name == b"ispe":
            width, height = struct.unpack(">II", content[4:12])
            sizes.append((height, width))
    if not sizes:
        raise ImageError("the file announces no picture")
    return max(sizes, key=lambda size: size[0] * size[1])


def _boxes(data: bytes, start: int, end: int, depth: int = 0) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of the boxes, and of those inside the known ones."""
    if depth > _DEEPEST:
        raise ImageError("the image's header is damaged")
    while start + 8 <= end:
        length, name = struct.unpack(">I4s", data[start : start + 8])
        header = 8
        if length == 1:
            length, header = struct.unpack(">Q", data[start + 8 : start + 16])[0], 16
        stop = end if length == 0 else start + length
        if stop > end or stop < start + header:
            raise ImageError("the file ends too early")
        if name in _CONTAINERS:
            yield from _boxes(data, start + header + (4 if name == b"meta" else 0), stop, depth + 1)
        elif name == b"ispe":
            yield name, data[start + header : stop]
        start = stop
