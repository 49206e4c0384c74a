"""Video files, decoded by FFmpeg through PyAV.

Video is as hostile as images are. A file may be one of the containers that hold pictures and nothing else: playlists, which name
other files and hosts, are not opened from a disk. The size of a picture is bounded before the decoder makes room for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from resight.cameras.frames import Frame
from resight.cameras.sources.source import Source
from resight.datasets.accounting import UNREADABLE, Accounting
from resight.datasets.times import parse_time
from resight.errors import ConfigurationError, MissingDependencyError, VideoError
from resight.images import MAX_PIXELS, Pixels

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

__all__ = ["CONTAINERS", "VideoSource", "pyav", "reason_of", "upright"]

CONTAINERS = (
    "3gp,asf,avi,dv,flv,gif,h264,hevc,ivf,live_flv,m4v,matroska,mj2,mjpeg,mjpeg_2000,mov,mp4,mpeg,mpegts,mpegvideo,mpjpeg,mxf,nut,"
    "ogg,vc1,webm,yuv4mpegpipe"
)
_PATIENCE = 10.0
"""Seconds to wait for a stream to open, and for its next picture."""

_OPTIONS = {"correct_ts_overflow": "0"}
"""Options for FFmpeg. It would take every step back of an MPEG clock for an overflow, and add 26 hours; see `_Clock`."""

_JUMP = 1.0
"""Step back of a file's clock, in seconds, that shows that the clock was reset."""


class VideoSource(Source):
    """A video file.

    Times are those in the file, counted from its first picture, added to the time at which it begins: the one that is given, or the
    container's creation time.

    Parameters
    ----------
    camera : str
    address : str
        Path of the file.
    start : datetime, optional
        Time of the first picture.
    threads : int
        Threads of the decoder; 0 leaves their number to FFmpeg.
    """

    def __init__(self, camera: str, address: str, *, start: datetime | None = None, threads: int = 0) -> None:
        super().__init__(camera, address)
        self._start = start
        self._threads = threads
        self._index = 0
        self.dated = start is not None

    def account(self) -> Accounting:
        """See `Source.account`."""
        if self.live:
            return Accounting()
        return Accounting(1) if self.counts.frames else Accounting(0, {UNREADABLE: 1})

    def frames(self) -> Iterator[Frame]:
        """See `Source.frames`."""
        with contextlib.closing(self._open()) as container:
            stream = container.streams.video[0]
            begin = self._begin(container)
            declared = stream.frames
            # A container such as Matroska counts no pictures, and knows only how long it is.
            lasts = container.duration / 1e6 if container.duration and stream.duration is None else 0.0
            end = 0.0
            clock = _Clock(float(1 / (stream.average_rate or 25)), 0.0 if self.live else _JUMP)
            before = self.counts.frames
            for picture in self._pictures(container, stream):
                at = None if picture.time is None else float(picture.time)
                seconds, end = self._time(begin, clock(at)), max(end, at or 0.0)
                index, self._index = self._index, self._index + 1
                self.counts.frames += 1
                if index % self.every == 0:
                    yield self._frame(upright(picture), seconds, index)
            self._check_whole(self.counts.frames - before, declared, end, lasts)

    def _open(self) -> Any:
        av = pyav()
        address, format, options = self._place()
        try:
            container = av.open(address, format=format, options=_OPTIONS | options, timeout=_PATIENCE)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise VideoError(f"{self.shown}: {self._refused(error)}") from None  # its text may hold a password
        try:
            if not container.streams.video:
                raise VideoError(f"{self.shown}: no pictures in it, only {_kinds(container)}; expected a video")
            stream = container.streams.video[0]
            context = stream.codec_context
            if context is None:
                raise VideoError(f"{self.shown}: this FFmpeg cannot decode its pictures; convert it to H.264")
            if context.width * context.height > MAX_PIXELS:
                size = f"{context.width}x{context.height}"
                raise VideoError(f"{self.shown}: pictures of {size} pixels; at most {MAX_PIXELS} are decoded: shrink it")
            context.options = {"max_pixels": str(MAX_PIXELS)}
            context.thread_count = self._threads
            context.thread_type = "SLICE" if self.live else "AUTO"
        except BaseException:
            container.close()
            raise
        return container

    def _place(self) -> tuple[str, str | None, dict[str, str]]:
        """Address, format if it cannot be recognised, and options for FFmpeg."""
        return f"file:{self._address}", None, {"protocol_whitelist": "file", "format_whitelist": CONTAINERS}

    def _refused(self, error: Exception) -> str:
        path = Path(self._address)
        if not path.exists():
            return "there is no such file"
        if not path.stat().st_size:
            return "the file is empty"
        return f"not a video that can be read, or one that was cut off ({reason_of(error)}); record or copy it again"

    def _begin(self, container: Any) -> float:
        """Time of the first picture."""
        if self._start is None:
            with contextlib.suppress(ConfigurationError):
                self._start = parse_time(str(container.metadata.get("creation_time", "")))
                self.dated = True
        return 0.0 if self._start is None else self._start.timestamp()

    def _time(self, begin: float, seconds: float) -> float:
        return begin + seconds

    def _pictures(self, container: Any, stream: Any) -> Iterator[VideoFrame]:
        """Decoded pictures. What cannot be decoded is counted; too many at once end the stream."""
        av = pyav()
        packets = container.demux(stream)
        in_a_row = 0
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.error.EOFError):
                return
            except (av.error.FFmpegError, OSError, ValueError) as error:  # no packet follows, although the film is not over
                raise VideoError(f"{self.shown}: {self._interrupted(error)}") from None
            try:
                pictures = packet.decode()
            except av.error.EOFError:
                return
            except (av.error.FFmpegError, OSError, ValueError) as error:
                self.counts.broken += 1
                in_a_row += 1
                if in_a_row >= 100:
                    raise VideoError(f"{self.shown}: {in_a_row} pictures in a row cannot be decoded ({reason_of(error)})") from None
                continue
            in_a_row = 0 if pictures else in_a_row
            yield from pictures

    def _interrupted(self, error: Exception) -> str:
        return f"reading it failed ({reason_of(error)})"

    def _check_whole(self, frames: int, declared: int, end: float, lasts: float) -> None:
        if not frames:
            raise VideoError(f"{self.shown}: no picture in it can be decoded; expected a video")
        if frames + self.counts.broken < 0.99 * declared - 1:
            raise VideoError(f"{self.shown}: ends after {frames} of {declared} pictures; it was cut off, copy it again")
        if not declared and end < 0.9 * lasts - 1:  # sound may go on for longer than the pictures
            raise VideoError(f"{self.shown}: ends after {end:.0f} of {lasts:.0f} seconds; it was cut off, copy it again")


class _Clock:
    """Seconds since the first picture; never back. A picture without a time is one picture's time after the one before.

    A time that is earlier by more than `jump` seconds belongs to a clock that was set anew, which goes on from here.
    """

    def __init__(self, step: float, jump: float) -> None:
        self._step, self._jump = step, jump
        self._first: float | None = None
        self._last = 0.0

    def __call__(self, seconds: float | None) -> float:
        if self._first is None:
            self._first = seconds or 0.0
            return self._last
        if seconds is not None and seconds - self._first < self._last - self._jump:
            self._first = seconds - self._last - self._step
        self._last = self._last + self._step if seconds is None else max(seconds - self._first, self._last)
        return self._last


def upright(picture: VideoFrame) -> Pixels:
    """Pixels of a decoded picture: uint8 RGB, turned as its display matrix says, the second field of interlaced video left out."""
    pixels: Pixels = picture.to_ndarray(format="rgb24")  # type: ignore[assignment]
    if picture.interlaced_frame and len(pixels) > 1:
        # Fields are taken at different times: together they would show two people side by side.
        height, width = pixels.shape[:2]
        pixels = cv2.resize(pixels[::2], (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    turns = round(picture.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


def pyav() -> Any:
    """PyAV, silent. Raises `MissingDependencyError` if it is not installed."""
    try:
        import av
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "video needs PyAV, which is not installed; in the folder of Resight, pip install '.[cameras]'"
        ) from error
    av.logging.set_level(None)  # its lines name addresses with their passwords
    return av


def reason_of(error: Exception) -> str:
    """Reason of a failure, without the address that FFmpeg adds."""
    return str(getattr(error, "strerror", None) or type(error).__name__)


def _kinds(container: Any) -> str:
    return " and ".join(sorted({stream.type for stream in container.streams})) or "nothing"
