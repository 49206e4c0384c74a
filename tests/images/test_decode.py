"""Decoding against Pillow, and hostile files."""

from __future__ import annotations

import errno
import io
import os
import resource
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import simplejpeg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from resight.errors import ConfigurationError, ImageError, StorageError
from resight.images import Preprocessing, cache, decode, load_pixels, read_image, read_images, read_into, reading, resize
from resight.images.header import header_size
from support import market1501, needs_market1501

FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "jpeg": ("JPEG", {"quality": 90}),
    "jpeg progressive": ("JPEG", {"quality": 90, "progressive": True}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {"quality": 90}),
    "webp lossless": ("WEBP", {"lossless": True}),
    "bmp": ("BMP", {}),
    "gif": ("GIF", {}),
    "tiff": ("TIFF", {}),
    "tiff deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}),
}


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Smooth colours, as in photographs, so that lossy formats keep them."""
    coarse = np.random.default_rng(seed).integers(0, 256, (max(height // 8, 2), max(width // 8, 2), 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def encoded(image: NDArray[Any] | Image.Image, kind: str, **options: Any) -> bytes:
    name, defaults = FORMATS[kind]
    stream = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(stream, name, **(defaults | options))
    return stream.getvalue()


def by_pillow(data: bytes) -> NDArray[np.int16]:
    with Image.open(io.BytesIO(data)) as opened:
        return np.asarray(ImageOps.exif_transpose(opened).convert("RGB")).astype(np.int16)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("size", [(128, 64), (67, 131), (1, 1), (7, 300)])
def test_decodes_as_pillow_does(kind: str, size: tuple[int, int]) -> None:
    data = encoded(picture(*size), kind)
    pixels = decode(data)
    assert pixels.shape == (*size, 3)
    assert pixels.dtype == np.uint8
    difference = np.abs(pixels - by_pillow(data))
    # Lossy decoders may round differently; lossless ones may not differ at all.
    assert difference.max() <= (4 if kind in ("jpeg", "jpeg progressive", "webp") else 0)
    assert difference.mean() < 0.5


@pytest.mark.parametrize("kind", FORMATS)
def test_the_header_gives_format_and_size(kind: str) -> None:
    rng = np.random.default_rng(1)
    for _ in range(30):
        height, width = (int(v) for v in rng.integers(1, 700, 2))
        data = encoded(Image.new("RGB", (width, height), (10, 200, 30)), kind)
        assert header_size(data) == (kind.split()[0], height, width)


def test_the_header_of_further_kinds_of_file() -> None:
    gray = Image.fromarray(picture(30, 20)).convert("L")
    assert header_size(encoded(gray, "jpeg")) == ("jpeg", 30, 20)
    assert header_size(encoded(gray.convert("1"), "bmp")) == ("bmp", 30, 20)
    clear = Image.fromarray(picture(30, 20)).convert("RGBA")
    clear.putalpha(99)
    assert header_size(encoded(clear, "webp")) == ("webp", 30, 20)  # an extended header: VP8X
    stream = io.BytesIO()
    clear.save(stream, "WEBP", save_all=True, append_images=[gray.convert("RGBA")])
    assert header_size(stream.getvalue()) == ("webp", 30, 20)
    # A JPEG with a smaller JPEG inside, as cameras write their thumbnails.
    thumbnail = encoded(picture(8, 8), "jpeg")
    data = encoded(picture(30, 20), "jpeg")
    inside = data[:2] + b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail + data[2:]
    assert header_size(inside) == ("jpeg", 30, 20)
    # BMP as OS/2 wrote it: sizes in 16 bits.
    os2 = b"BM" + struct.pack("<I4xI", 26 + 3 * 8, 26) + struct.pack("<IHHHH", 12, 2, 3, 1, 24) + bytes(range(24))
    assert header_size(os2) == ("bmp", 3, 2)
    assert decode(os2).shape == (3, 2, 3)


@pytest.mark.parametrize("kind", FORMATS)
def test_what_follows_the_image_does_not_matter(kind: str) -> None:
    data = encoded(picture(20, 30), kind)
    assert np.array_equal(decode(data + b"\0" * 1000), decode(data))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_cut_anywhere_is_refused(kind: str) -> None:
    data = encoded(picture(64, 32), kind)
    cuts = {*range(40), *np.linspace(40, len(data) - 1, 120).astype(int).tolist(), *range(len(data) - 20, len(data))}
    for cut in cuts:
        with pytest.raises(ImageError):
            decode(data[:cut])


def test_a_cut_jpeg_with_a_thumbnail_is_refused() -> None:
    thumbnail = encoded(picture(8, 8), "jpeg")
    data = encoded(picture(64, 32), "jpeg")
    whole = data[:2] + b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail + data[2:]
    assert decode(whole).shape == (64, 32, 3)
    with pytest.raises(ImageError, match="too early"):
        decode(whole[:-100])  # only the thumbnail has its end marker


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_bomb(side: int) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 10_000)) + chunk(b"IEND", b"")


def bombs() -> dict[str, bytes]:
    jpeg = bytearray(encoded(picture(16, 16), "jpeg"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 60000, 60000)
    webp = bytearray(encoded(picture(16, 16), "webp"))
    webp[26:30] = struct.pack("<HH", 16383, 16383)
    bmp = bytearray(encoded(picture(16, 16), "bmp"))
    bmp[18:26] = struct.pack("<ii", 60000, 60000)
    gif = bytearray(encoded(picture(16, 16), "gif"))
    gif[6:10] = struct.pack("<HH", 60000, 60000)
    stream = io.BytesIO()
    Image.fromarray(np.zeros((60, 60000), np.uint8)).save(stream, "TIFF", compression="tiff_adobe_deflate")
    tiff = stream.getvalue().replace(struct.pack("<HHII", 257, 4, 1, 60), struct.pack("<HHII", 257, 4, 1, 60000))
    tiff = tiff.replace(struct.pack("<HHIHH", 257, 3, 1, 60, 0), struct.pack("<HHIHH", 257, 3, 1, 60000, 0))
    return {"png": png_bomb(60000), "jpeg": bytes(jpeg), "webp": bytes(webp), "bmp": bytes(bmp), "gif": bytes(gif), "tiff": tiff}


_UNDER_A_LIMIT = """
import resource, sys
from resight.errors import ImageError
from resight.images import read_image

def held():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmSize")).split()[1]) * 1024

read_image(sys.argv[1])  # whatever is loaded at the first image is loaded
limit = held() + 64 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for path in sys.argv[2:]:
    try:
        print(read_image(path).shape)
    except (ImageError, MemoryError) as error:
        print(str(error).partition(": ")[2])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_bombs_are_refused_where_there_is_no_memory_for_them(tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(encoded(picture(8, 8), "png"))
    names = [str(tmp_path / "good.png")] * 2
    for kind, data in bombs().items():
        names.append(str(tmp_path / f"bomb.{kind}"))
        Path(names[-1]).write_bytes(data)
    names.append(str(tmp_path / "large.png"))  # the limit holds: an honest image of 30 million pixels does not fit
    Path(names[-1]).write_bytes(encoded(Image.new("RGB", (6000, 5000)), "png"))
    done = subprocess.run([sys.executable, "-c", _UNDER_A_LIMIT, *names], capture_output=True, text=True, timeout=60)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert lines[0] == "(8, 8, 3)"
    assert all("at most 32000000 pixels" in line or "ends too early" in line for line in lines[1:-1])
    assert len(lines) == len(bombs()) + 2 and "5000" not in lines[-1]


def slow_files() -> list[tuple[str, bytes]]:
    """Small files that keep a decoder busy: JPEGs of many scans, progressive or not, and a PNG of many compressed texts."""
    jpeg = encoded(Image.new("RGB", (2000, 2000)), "jpeg progressive")
    last = jpeg.rfind(b"\xff\xc4", 0, jpeg.rfind(b"\xff\xda"))
    many = jpeg[:-2] + jpeg[last:-2] * 20_000 + jpeg[-2:]
    plain = encoded(Image.new("RGB", (2000, 2000)), "jpeg")
    scans = b"".join(b"\xff\xda\0\x08\x01" + bytes([1 + i % 3, 0 if i % 3 == 0 else 0x11, 0, 63, 0]) for i in range(2000))
    text = chunk(b"zTXt", b"k\0\0" + zlib.compress(b"a" * 8_000_000, 9))
    png = encoded(picture(8, 8), "png")
    return [
        ("scans", many),
        ("scans", plain[: plain.index(b"\xff\xda")] + scans + plain[-2:]),
        # An end that is no marker, but the content of a comment between the scans, ends nothing.
        ("scans", jpeg[:-2] + b"\xff\xfe\0\x04\xff\xd9" + jpeg[last:-2] * 20_000 + jpeg[-2:]),
        ("texts", png[:33] + text * 1000 + png[33:]),
    ]


def test_files_that_keep_a_decoder_busy_are_refused_at_once() -> None:
    for kind, data in slow_files():
        started = time.process_time()
        with pytest.raises(ImageError, match=f"more than [0-9]+ (compressed )?{kind}"):
            decode(data)
        assert time.process_time() - started < 0.5


def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match=r"pipe\.jpg: the file is empty"):
        read_image(tmp_path / "pipe.jpg")


def frame_of(jpeg: bytes, side: int) -> bytes:
    """The size of a JPEG as a segment that says another one."""
    start = jpeg.index(b"\xff\xc0")
    segment = jpeg[start : start + 2 + struct.unpack(">H", jpeg[start + 2 : start + 4])[0]]
    return segment[:5] + struct.pack(">HH", side, side) + segment[9:]


@pytest.mark.parametrize("marker", [b"\xff\x01", b"\xff\xd0", b"\xff\x00", b"\xff\xd8"])
def test_a_second_size_where_only_decoders_look_is_refused(marker: bytes) -> None:
    jpeg = encoded(picture(16, 16), "jpeg")
    hidden = frame_of(jpeg, 6000)
    with pytest.raises(ImageError, match="header is damaged"):
        # Decoders know that no length follows these markers, and read on inside of what would be skipped by it.
        decode(jpeg[:2] + marker + struct.pack(">H", len(hidden) + 2) + hidden + jpeg[2:])


def test_a_tiff_of_two_sizes_is_refused() -> None:
    """Our reader would take the last one, and libtiff the first."""
    entries = [(256, 4, 1, 9000), (256, 4, 1, 10), (257, 4, 1, 10), (258, 3, 1, 8), (273, 4, 1, 8), (279, 4, 1, 100)]
    tags = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    with pytest.raises(ImageError, match="the TIFF's header is damaged"):
        header_size(b"II*\0" + struct.pack("<I", 108) + bytes(100) + struct.pack("<H", len(entries)) + tags + bytes(4))


@pytest.mark.parametrize("place", [b"\xff\xc0", b"\xff\xda", b"\xff\xd9"])
def test_a_jpeg_of_two_sizes_is_refused(place: bytes) -> None:
    jpeg = encoded(picture(16, 16), "jpeg")
    at = jpeg.index(place)
    with pytest.raises(ImageError, match="two sizes"):
        decode(jpeg[:at] + frame_of(jpeg, 6000) + jpeg[at:])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_jpeg_is_never_larger_than_its_header_says(data: st.DataObject) -> None:
    jpeg = bytearray(encoded(picture(24, 16), data.draw(st.sampled_from(["jpeg", "jpeg progressive"]))))
    header = jpeg.index(b"\xff\xda")
    for _ in range(data.draw(st.integers(1, 4))):
        jpeg[data.draw(st.integers(2, header))] = data.draw(st.sampled_from([0, 1, 2, 8, 17, 0xC0, 0xC2, 0xD0, 0xD9, 0xDA, 0xFF]))
    try:
        said = header_size(bytes(jpeg))[1:]
    except ImageError:
        return
    if said[0] * said[1] > 10**6:
        return
    decoded = cv2.imdecode(np.frombuffer(bytes(jpeg), np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    assert decoded is None or decoded.shape[:2] == said


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "bmp", "gif", "tiff"])
def test_a_bomb_is_refused_from_its_header(kind: str, tmp_path: Path) -> None:
    data = bombs()[kind]
    assert len(data) < 10_000
    (tmp_path / "bomb").write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ImageError, match=r"bomb: the (image is (60000x60000|16383x16383); at most 32000000|BMP file ends)"):
        read_image(tmp_path / "bomb")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB; the pixels would take 10 GB


def test_the_bound_is_exact() -> None:
    data = encoded(picture(20, 30), "png")
    assert decode(data, max_pixels=600).shape == (20, 30, 3)
    with pytest.raises(ImageError, match="20x30; at most 599 pixels are decoded"):
        decode(data, max_pixels=599)


def test_a_file_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_FILE_BYTES", 2**20)
    (tmp_path / "long.png").write_bytes(encoded(picture(8, 8), "png") + b"\0" * 2**20)
    with pytest.raises(ImageError, match=r"long\.png: the file is larger than 1 MiB"):
        read_image(tmp_path / "long.png")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(picture(40, 24), "jpeg", exif=exif)
    pixels = decode(data)
    assert pixels.shape[:2] == ((40, 24) if orientation < 5 else (24, 40))
    assert np.abs(pixels - by_pillow(data)).max() <= 4


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "bmp"])
def test_gray_has_three_equal_channels(kind: str) -> None:
    data = encoded(Image.fromarray(picture(20, 30)).convert("L"), kind)
    pixels = decode(data).astype(int)
    assert np.abs(pixels - pixels[:, :, :1]).max() <= (2 if kind == "webp" else 0)
    assert np.abs(pixels - by_pillow(data)).max() <= 2


def test_transparency_and_palettes() -> None:
    colours = picture(20, 30)
    clear = np.dstack([colours, np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)])
    assert np.array_equal(decode(encoded(Image.fromarray(clear), "png")), colours)
    data = encoded(Image.fromarray(colours).quantize(16), "png")
    assert np.array_equal(decode(data), by_pillow(data))


@pytest.mark.parametrize("ending", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_become_eight(ending: str, channels: int) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (20, 30, channels), np.uint16)
    pixels = decode(cv2.imencode(ending, deep)[1].tobytes())
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, np.broadcast_to(deep[:, :, ::-1] // 256, (20, 30, 3)))


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_twelve_bits_in_sixteen_become_eight(ending: str) -> None:
    deep = np.linspace(0, 4095, 600).astype(np.uint16).reshape(20, 30)
    pixels = decode(cv2.imencode(ending, deep)[1].tobytes())
    assert np.array_equal(pixels[:, :, 0], deep // 16)
    deep[0, 0] = 4096  # one value more than 12 bits hold: then all are of 16 bits
    assert np.array_equal(decode(cv2.imencode(ending, deep)[1].tobytes())[:, :, 2], deep // 256)


@pytest.mark.parametrize("kind", ["gif", "tiff", "webp lossless", "png"])
def test_the_first_of_several_pictures_is_read(kind: str) -> None:
    first, second = (Image.fromarray(picture(20, 30, seed)).quantize(8).convert("RGB") for seed in (1, 2))
    data = encoded(first, kind, save_all=True, append_images=[second])
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.n_frames == 2
    assert np.array_equal(decode(data), np.asarray(first))


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_pictures_of_telephones(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    heif = pytest.importorskip("pillow_heif", reason="needs the extra [heif]")
    heif.register_heif_opener()
    stream = io.BytesIO()
    Image.fromarray(picture(96, 64)).save(stream, kind, quality=95)
    data = stream.getvalue()
    assert header_size(data) == ("heic" if kind == "HEIF" else "avif", 96, 64)
    assert np.abs(decode(data).astype(int) - picture(96, 64)).mean() < 10
    with pytest.raises(ImageError, match="96x64; at most 100 pixels"):
        decode(data, max_pixels=100)
    for cut in (20, len(data) // 2, len(data) - 1):
        with pytest.raises(ImageError, match=r"too early|no picture|damaged"):
            decode(data[:cut])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImageError, match=r"needs an extra that is not installed; .*pip install '\.\[heif\]'"):
        decode(data)


def test_the_bound_can_be_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(picture(20, 30), "png")
    monkeypatch.setenv("RESIGHT_MAX_PIXELS", "599")
    with pytest.raises(ImageError, match="20x30; at most 599 pixels are decoded: crop or shrink it, or set RESIGHT_MAX_PIXELS"):
        decode(data)
    monkeypatch.setenv("RESIGHT_MAX_PIXELS", "600")
    assert decode(data).shape == (20, 30, 3)
    monkeypatch.setenv("RESIGHT_MAX_PIXELS", "many")
    with pytest.raises(ConfigurationError, match="RESIGHT_MAX_PIXELS is 'many'; expected a number of pixels"):
        decode(data)


def nested(name: bytes, times: int) -> bytes:
    """Boxes inside each other."""
    content = b""
    for _ in range(times):
        content = struct.pack(">I4s", 8 + len(content), name) + content
    return content


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello, this is no image at all", "not an image of a known format"),
        (b"GIF89a" + bytes(50), "damaged"),
        (b"II*\0" + bytes(50), "damaged|too early"),
        (b"\0\0\0\x14ftypheic" + bytes(50), "too early|no picture"),
        (b"\0\0\0\x14ftypheic" + bytes(8) + nested(b"ipco", 3000), "damaged"),
        (b"\0\0\0\x14ftypmp42" + bytes(50), "not an image of a known format"),
        (b"\xff\xd8" + bytes(50), "damaged"),
        (b"BM" + bytes(5), "damaged"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(2), "damaged|too early"),
        (b"RIFF\x04\0\0\0WEBP", "damaged"),
        (png_bomb(0), "no pixels"),
    ],
)
def test_what_is_no_image_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        decode(data)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from(sorted(FORMATS)),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=12),
    front=st.booleans(),
    cut=st.integers(0, 40),
)
def test_mutated_files_decode_or_raise_an_image_error(kind: str, changes: list[tuple[float, int]], front: bool, cut: int) -> None:
    data = bytearray(encoded(picture(24, 16), kind))
    for place, value in changes:
        data[int(place * (min(len(data), 64 if front else len(data)) - 1))] = value
    try:
        pixels = decode(bytes(data[: len(data) - cut]), max_pixels=100_000)
    except ImageError:
        return
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3 and pixels.shape[2] == 3
    assert pixels.shape[0] * pixels.shape[1] <= 100_000


@settings(max_examples=200, deadline=None)
@given(
    data=st.binary(max_size=200),
    start=st.sampled_from([b"", b"\xff\xd8\xff", b"BM", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBPVP8 "]),
)
def test_noise_is_an_image_error(data: bytes, start: bytes) -> None:
    with pytest.raises(ImageError):
        decode(start + data, max_pixels=10_000)


@pytest.mark.parametrize("kind", ["jpeg", "jpeg progressive", "png", "webp"])
def test_an_image_can_be_put_into_its_place(kind: str, tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(encoded(picture(50, 30), kind))
    for size in ((50, 30), (64, 32), (20, 10), (25, 60)):
        batch = np.full((3, *size, 3), 77, np.uint8)
        assert read_into([str(tmp_path / "image")], batch[1:2]) == {}
        assert np.array_equal(batch[1], resize(read_image(tmp_path / "image"), size))
        assert np.array_equal(batch[1], read_image(tmp_path / "image", size=size))
        assert (batch[[0, 2]] == 77).all()


def test_what_cannot_be_read_leaves_a_black_place(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path, 3)
    Path(paths[1]).write_bytes(b"broken")
    out = np.full((3, 32, 16, 3), 9, np.uint8)
    assert list(read_into(paths, out)) == [1]
    assert not out[1].any()
    assert np.array_equal(out[2], picture(32, 16, 2))


@pytest.mark.parametrize("kind", ["jpeg", "jpeg progressive"])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_both_decoders_of_a_jpeg_give_the_same_pixels(kind: str, mode: str, subsampling: int) -> None:
    for size in ((64, 32), (67, 131), (1, 1), (7, 300)):
        data = encoded(Image.fromarray(picture(*size)).convert(mode), kind, subsampling=subsampling)
        assert np.array_equal(decode(data), cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB))


def test_what_the_faster_decoder_refuses_the_other_one_judges() -> None:
    data = encoded(picture(40, 20), "jpeg")
    stray = data[:-2] + b"\0\0\0\0" + data[-2:]  # bytes that belong to nothing: worth a warning, not a refusal
    with pytest.raises(ValueError):
        simplejpeg.decode_jpeg(stray, "RGB")
    assert np.abs(decode(stray) - by_pillow(stray)).max() <= 4


@needs_market1501
def test_the_decoders_agree_on_market1501() -> None:
    for path in sorted((market1501() / "query").glob("*.jpg"))[:100]:
        data = path.read_bytes()
        assert np.array_equal(decode(data), cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB))


@pytest.mark.parametrize("size", [(256, 128), (129, 64), (128, 128), (300, 201)])
def test_growing_is_bilinear_as_in_pillow(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (128, 64, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(resize(image, size) - expected).max() <= 1


def test_shrinking_is_the_area_average() -> None:
    image = np.random.default_rng(0).integers(0, 256, (128, 64, 3), dtype=np.uint8)
    expected = image.reshape(32, 4, 16, 4, 3).mean((1, 3))
    assert np.abs(resize(image, (32, 16)) - expected).max() <= 0.5
    assert resize(image, (128, 64)) is image


def write_pictures(folder: Path, count: int) -> list[str]:
    paths = []
    for number in range(count):
        paths.append(str(folder / f"{number}.png"))
        Path(paths[-1]).write_bytes(encoded(picture(32, 16, number), "png"))
    return paths


def test_many_images_keep_their_order(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path, 300)
    seen: list[tuple[str, int, int]] = []
    pixels = read_images(paths, (32, 16), workers=3, progress=lambda stage, done, total, note="": seen.append((stage, done, total)))
    assert np.array_equal(pixels, np.stack([picture(32, 16, number) for number in range(300)]))
    assert seen == [("decoding", 256, 300), ("decoding", 300, 300)]


def test_every_unreadable_image_is_named_at_once(tmp_path: Path) -> None:
    paths = write_pictures(tmp_path, 6)
    Path(paths[1]).write_bytes(b"")
    Path(paths[3]).unlink()
    with pytest.raises(ImageError, match=r"2 of 6 images cannot be read: .*1\.png: the file is empty; .*3\.png: No such file"):
        read_images(paths, (32, 16))
    with pytest.raises(ImageError, match="Is a directory"):
        read_image(tmp_path)


def test_the_cache_is_reused_and_follows_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cache"
    paths = write_pictures(tmp_path, 5)
    first = load_pixels(paths, (24, 12), cache=folder)
    assert np.array_equal(first, read_images(paths, (24, 12)))
    assert isinstance(first, np.memmap) and not first.flags.writeable

    decoded: list[str] = []
    original = reading.read_into
    monkeypatch.setattr(reading, "read_into", lambda some, out: decoded.extend(some) or original(some, out))
    assert np.array_equal(load_pixels(paths, (24, 12), cache=folder), first)
    assert decoded == []

    Path(paths[2]).write_bytes(encoded(picture(32, 16, 99), "png"))
    os.utime(paths[2], ns=(1, 1))
    changed = load_pixels(paths, (24, 12), cache=folder)
    assert sorted(decoded) == sorted(paths)
    assert [bool((a != b).any()) for a, b in zip(first, changed, strict=True)] == [False, False, True, False, False]
    assert load_pixels(paths, (12, 24), cache=folder).shape == (5, 12, 24, 3)
    assert load_pixels(paths[::-1], (24, 12), cache=folder)[0].tolist() == changed[-1].tolist()


def test_memory_decides_without_a_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = write_pictures(tmp_path, 3)
    monkeypatch.setenv("RESIGHT_CACHE", str(tmp_path / "cache"))
    plenty = load_pixels(paths, (32, 16))
    assert not isinstance(plenty, np.memmap) and not (tmp_path / "cache").exists()
    monkeypatch.setattr(cache, "_free_memory", lambda: 100)
    short = load_pixels(paths, (32, 16))
    assert isinstance(short, np.memmap) and np.array_equal(short, plenty)
    assert load_pixels([], (32, 16)).shape == (0, 32, 16, 3)


def test_a_failed_cache_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = write_pictures(tmp_path, 3)
    folder = tmp_path / "cache"
    Path(paths[1]).write_bytes(b"broken")
    with pytest.raises(ImageError):
        load_pixels(paths, (32, 16), cache=folder)
    assert list((folder / "pixels").iterdir()) == []

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(StorageError, match="No space left on device; free space or set RESIGHT_CACHE"):
        load_pixels(paths[:1], (32, 16), cache=folder)
    assert list((folder / "pixels").iterdir()) == []


def test_the_cache_claims_its_space_before_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing through a map of a sparse file on a full disk kills the process, so no file may be sparse by then."""
    paths = write_pictures(tmp_path, 3)
    blocks: list[int] = []
    original = cache.read_images

    def spy(*arguments: Any, out: NDArray[np.uint8], **options: Any) -> NDArray[np.uint8]:
        blocks.append(sum(path.stat().st_blocks for path in (tmp_path / "cache" / "pixels").iterdir()))
        return original(*arguments, out=out, **options)

    monkeypatch.setattr(cache, "read_images", spy)
    load_pixels(paths, (512, 512), cache=tmp_path / "cache")
    assert blocks[0] * 512 >= 3 * 512 * 512 * 3


def test_preprocessing_is_the_formula() -> None:
    preparation = Preprocessing(height=4, width=2, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.5))
    scale, shift = preparation.affine()
    pixels = np.random.default_rng(0).integers(0, 256, (4, 2, 3), dtype=np.uint8)
    assert np.allclose(pixels * scale + shift, (pixels / 255 - [0.5, 0.4, 0.3]) / [0.2, 0.25, 0.5], atol=1e-6)
    assert preparation.size == (4, 2)
    assert preparation.to_dict()["std"] == (0.2, 0.25, 0.5)
