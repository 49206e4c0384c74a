"""Format and size of an image file, read before any decoder sees it.

Refuses files that end too early, and small files made to keep a decoder busy for hours.
"""

from __future__ import annotations

import re
import struct

from resight.errors import ImageError
from resight.images.containers import gif_size, heif_size, kind_of, tiff_size

__all__ = ["FORMATS", "header_size"]

FORMATS = "JPEG, PNG, WebP, BMP, GIF, TIFF, HEIC, AVIF"
"""Formats that are read, for messages."""

_MOST_SCANS = 100  # in a progressive JPEG: each is a pass over all pixels for as little as 70 bytes; encoders write ten or so
_MOST_COMPONENTS = 4  # in a JPEG; without progression it has at most one scan for each
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")  # among pixels: neither a byte of theirs nor a restart
_MOST_TEXTS = 20  # compressed texts in a PNG: each may unpack to 8 MB that nobody reads
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)


def header_size(data: bytes) -> tuple[str, int, int]:
    """Read format, height and width of an image file from its header.

    Parameters
    ----------
    data : bytes
        The file's content.

    Returns
    -------
    tuple of (str, int, int)
        Format (``"jpeg"``, ``"png"``, ``"webp"``, ``"bmp"``, ``"gif"``, ``"tiff"``, ``"heic"`` or ``"avif"``), height and width in
        pixels, before any EXIF rotation.

    Raises
    ------
    ImageError
        If it has another format, ends too early, or holds more scans or texts than any honest file.
    """
    kind = "jpeg" if data[:2] == b"\xff\xd8" else "bmp" if data[:2] == b"BM" else kind_of(data[:32])
    if kind not in _SIZES:
        raise ImageError(f"not an image of a known format ({FORMATS})")
    try:
        return (kind, *_SIZES[kind](data))
    except (struct.error, IndexError, ValueError) as error:
        raise ImageError("the image's header is damaged") from error


def _png_size(data: bytes) -> tuple[int, int]:
    if data[12:16] != b"IHDR":
        raise ImageError("the PNG's header is damaged")
    width, height = struct.unpack(">II", data[16:24])
    position, texts = 8, 0
    while position + 12 <= len(data):  # length, name, content, checksum
        length = struct.unpack(">I", data[position : position + 4])[0]
        name = data[position + 4 : position + 8]
        end = position + 12 + length
        if name == b"IEND" and end <= len(data):
            return height, width
        texts += name in (b"zTXt", b"iTXt")
        if texts > _MOST_TEXTS:
            raise ImageError(f"the PNG holds more than {_MOST_TEXTS} compressed texts")
        position = end
    raise ImageError("the PNG file ends too early")


def _bmp_size(data: bytes) -> tuple[int, int]:
    stated, start, header = struct.unpack("<I4xII", data[2:18])
    if header == 12:  # OS/2: 16 bits each, never compressed
        width, height, _, depth = struct.unpack("<HHHH", data[18:26])
        compressed = 0
    else:
        width, height, _, depth, compressed = struct.unpack("<iiHHI", data[18:34])
    stride = (abs(width) * depth + 31) // 32 * 4
    pixels = stride * abs(height) if compressed in (0, 3) else 0  # what run lengths take is not known beforehand
    if len(data) < max(stated, start + pixels):
        raise ImageError("the BMP file ends too early")
    return abs(height), abs(width)


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Walks from marker to marker as the decoders do, so that none of them finds another size or more scans than are seen here."""
    position, size, scans, most = 2, None, 0, _MOST_SCANS
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            raise ImageError("the JPEG's header is damaged")
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker == 0xD9 and scans:
            break
        length = struct.unpack(">H", data[position + 2 : position + 4])[0]
        if marker <= 0x01 or 0xD0 <= marker <= 0xD9 or length < 2:  # nothing has a length here, or begins anew
            raise ImageError("the JPEG's header is damaged")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if size is not None:
                raise ImageError("the JPEG has two sizes")
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            size = (height, width)
            most = _MOST_SCANS if marker in _PROGRESSIVE else _MOST_COMPONENTS
        position += 2 + length
        if marker == 0xDA:  # pixels follow, up to the next marker
            scans += 1
            if scans > most:
                raise ImageError(f"the JPEG has more than {most} scans")
            found = _MARKER.search(data, position)
            if size is None or found is None:
                break
            position = found.start()
    if size is None:
        raise ImageError("the JPEG's header is damaged or ends too early")
    if not scans or data[position : position + 2] != b"\xff\xd9":
        raise ImageError("the JPEG file ends too early")
    return size


def _webp_size(data: bytes) -> tuple[int, int]:
    if len(data) < 8 + struct.unpack("<I", data[4:8])[0]:
        raise ImageError("the WebP file ends too early")
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return height & 0x3FFF, width & 0x3FFF
    if kind == b"VP8L":
        bits = struct.unpack("<I", data[21:25])[0]
        return ((bits >> 14) & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    if kind == b"VP8X":
        return int.from_bytes(data[27:30], "little") + 1, int.from_bytes(data[24:27], "little") + 1
    raise ImageError("the WebP's header is damaged")


_SIZES = {
    "jpeg": _jpeg_size,
    "png": _png_size,
    "webp": _webp_size,
    "bmp": _bmp_size,
    "gif": gif_size,
    "tiff": tiff_size,
    "heic": heif_size,
    "avif": heif_size,
}
