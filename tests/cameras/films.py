"""Small films of rectangles that walk, as files that FFmpeg writes."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

PEOPLE = ((200, 40, 40), (40, 60, 210), (30, 170, 60))


def street(height: int = 120, width: int = 160) -> Pixels:
    """A background with some texture."""
    noise = np.random.default_rng(5).integers(-12, 13, (height, width, 1))
    return np.clip(150 + noise + np.linspace(-20, 20, width)[None, :, None] + np.zeros((1, 1, 3)), 0, 255).astype(np.uint8)


def place(person: int, number: int, width: int = 160) -> tuple[int, int, int, int] | None:
    """Box of a person in a frame: they come one after the other, from the left, two pixels a frame."""
    left = 2 * number - 60 * person - 16
    top = 30 + 12 * person
    return (max(left, 0), top, min(left + 16, width), top + 48) if -16 < left < width else None


def frame(number: int, people: int = 2, height: int = 120, width: int = 160) -> Pixels:
    """A frame with people, each of one colour above and a darker one below."""
    picture = street(height, width).copy()
    for person in range(people):
        if (box := place(person, number, width)) is not None:
            left, top, right, bottom = box
            picture[top : top + 24, left:right] = PEOPLE[person]
            picture[top + 24 : bottom, left:right] = np.array(PEOPLE[person]) // 3
    return picture


def write(
    path: Path,
    pictures: Iterable[Pixels],
    *,
    codec: str = "mpeg4",
    format: str = "yuv420p",
    rate: int = 10,
    times: Sequence[float] | None = None,
    metadata: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a film; `times` are seconds of each picture."""
    with av.open(str(path), "w", options={"movflags": "+faststart"} if path.suffix == ".mp4" else {}) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.pix_fmt = format
        if codec != "mpeg2video":  # which knows only some rates
            stream.codec_context.time_base = Fraction(1, 1000)
        for number, pixels in enumerate(pictures):
            if not number:
                stream.height, stream.width = pixels.shape[:2]
                if codec == "mpeg4":
                    stream.bit_rate = 4_000_000
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=format)
            picture.time_base = Fraction(1, 1000)
            picture.pts = round(1000 * (number / rate if times is None else times[number]))
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def walk(path: Path, frames: int = 70, people: int = 2, **options: object) -> Path:
    """A film of people who walk through."""
    return write(path, (frame(number, people) for number in range(frames)), **options)  # type: ignore[arg-type]


def turn(path: Path, degrees: int) -> None:
    """Set the rotation of an MP4's pictures, clockwise, as a telephone does."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4
    matrix = at + (40 if data[at] == 0 else 52)
    cos, sin = round(np.cos(np.radians(degrees))), round(np.sin(np.radians(degrees)))
    struct.pack_into(">6i", data, matrix, cos << 16, sin << 16, 0, -sin << 16, cos << 16, 0)
    path.write_bytes(data)


def write_folder(root: Path, pictures: Iterable[Pixels], rate: int = 10) -> Path:
    """A sequence as MOTChallenge's."""
    (root / "img1").mkdir(parents=True)
    for number, pixels in enumerate(pictures, 1):
        cv2.imwrite(str(root / "img1" / f"{number:06}.png"), pixels[..., ::-1])
    (root / "seqinfo.ini").write_text(f"[Sequence]\nname=drawn\nimDir=img1\nframeRate={rate}\nimExt=.png\n")
    return root
