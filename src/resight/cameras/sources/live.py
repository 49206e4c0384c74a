"""Streams and webcams: video that comes at its own time, and may break off."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import Any

from resight.cameras.sources.video import CONTAINERS, VideoSource, reason_of

__all__ = ["LiveSource"]

_ONLINE = f"{CONTAINERS},hls,rtp,rtsp,sdp"
_PROTOCOLS = "crypto,http,https,httpproxy,rtmp,rtmps,rtmpt,rtp,rtsp,srt,srtp,tcp,tls,udp"
_APART = 2.0
"""Largest difference between a stream's clock and ours, in seconds. Beyond it, the stream's times start again."""

_WEBCAMS = {"linux": ("v4l2", "/dev/video{}"), "darwin": ("avfoundation", "{}"), "win32": ("dshow", "video={}")}


class LiveSource(VideoSource):
    """A stream or a webcam.

    Pictures have the time at which the first one came, plus what the stream's clock counts since; where that clock jumps, or runs
    away from ours, they are counted anew. An HTTP address of a whole video has an end and is read like a file.

    Parameters
    ----------
    camera : str
    address : str
        Such as ``rtsp://user:password@host/path``, ``http://host/video.mjpeg``, or ``webcam:0``.
    clock : callable, optional
        Returns the time now, in seconds since 1970, and never goes back. By default, this machine's clock: steps forward are
        followed, as of a machine that learns the time after its start; where it is set back, time goes on as before.
    """

    live = True

    def __init__(self, camera: str, address: str, *, clock: Callable[[], float] | None = None) -> None:
        super().__init__(camera, address, threads=1)
        self._now = clock or _Onward()
        self._last = 0.0
        self._away = 0.0
        self.dated = True

    def _place(self) -> tuple[str, str | None, dict[str, str]]:
        if self._address.startswith("webcam:"):
            format, place = _WEBCAMS.get(sys.platform, _WEBCAMS["linux"])
            return place.format(self._address.removeprefix("webcam:")), format, {}
        # FFmpeg would collect twenty pictures to find the rate, which then come all at once, late.
        options = {"protocol_whitelist": _PROTOCOLS, "format_whitelist": _ONLINE, "fpsprobesize": "2"}
        if self._address.startswith("rtsp"):
            options["rtsp_flags"] = "prefer_tcp"  # TCP loses nothing on the way; some servers offer UDP only
        return self._address, None, options

    def _refused(self, error: Exception) -> str:
        return f"no connection ({reason_of(error)})"

    def _interrupted(self, error: Exception) -> str:
        return f"the connection broke ({reason_of(error)})"

    def _begin(self, container: Any) -> float:
        # Only a whole file on an HTTP server knows how long it is.
        self.live = not (self._address.startswith(("http:", "https:")) and container.duration)
        self._away = 0.0
        return self._now()

    def _time(self, begin: float, seconds: float) -> float:
        if not self.live:
            return begin + seconds
        now, told = self._now(), begin + seconds + self._away
        if abs(told - now) > _APART:
            self._away += now - told
            told = now
        self._last = max(self._last, told)
        return self._last

    def _check_whole(self, frames: int, declared: int, end: float, lasts: float) -> None:
        if not self.live:
            super()._check_whole(frames, declared, end, lasts)


class _Onward:
    """This machine's clock, which goes on at its pace where somebody sets it back."""

    def __init__(self) -> None:
        self._ahead = -math.inf

    def __call__(self) -> float:
        passed = time.monotonic()
        self._ahead = max(self._ahead, time.time() - passed)
        return self._ahead + passed
