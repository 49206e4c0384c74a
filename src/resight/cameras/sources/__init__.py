"""Sources of frames: video files, folders of frames, streams and webcams."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

from resight.cameras.sources.folder import FolderSource
from resight.cameras.sources.live import LiveSource
from resight.cameras.sources.reader import Reader
from resight.cameras.sources.source import Counts, Source
from resight.cameras.sources.video import VideoSource
from resight.cameras.states import CameraState
from resight.datasets.names import camera_name
from resight.errors import ConfigurationError, VideoError

__all__ = ["Counts", "FolderSource", "LiveSource", "Reader", "Source", "VideoSource", "named_source", "open_source", "open_sources"]

_SCHEMES = ("http", "https", "rtmp", "rtmps", "rtp", "rtsp", "rtsps", "srt", "tcp", "udp")


def named_source(text: str) -> tuple[str, str]:
    """Divide ``NAME=SOURCE`` into name and source. Without a name, the camera gets the name of its file, folder or host.

    Raises
    ------
    ConfigurationError
        If either is empty.

    Examples
    --------
    >>> named_source("door=films/door.mp4"), named_source("films/door.mp4")
    (('door', 'films/door.mp4'), ('door', 'films/door.mp4'))
    >>> named_source("rtsp://anna:secret@10.0.0.7:554/main?channel=1")
    ('10.0.0.7', 'rtsp://anna:secret@10.0.0.7:554/main?channel=1')
    """
    name, equals, address = text.partition("=")
    if not equals or re.search(r"[/\\:]", name):
        name, address = "", text
    if not address or (equals and not name and text.startswith("=")):
        raise ConfigurationError(f"the camera {text!r}; expected NAME=SOURCE, such as door=door.mp4")
    if not name and "://" in address:
        name = address.partition("://")[2].rpartition("@")[2].partition("/")[0].partition(":")[0]
    return name or Path(address).stem or Path(address).resolve().name, address


def open_source(camera: str, address: str, *, start: datetime | None = None, rate: float = 0) -> Source:
    """Make the source of a camera. Streams and files are opened when their frames are asked for.

    Parameters
    ----------
    camera : str
        Name of the camera.
    address : str
        A video file, a folder of frames, an address such as ``rtsp://user:password@host/path``, or ``webcam:0``.
    start : datetime, optional
        Time of the first frame of a file or folder.
    rate : float
        Frames per second of a folder that does not give it; 0 is 25.

    Raises
    ------
    ConfigurationError
        If a live source is given a start, its address is of an unknown kind, or the rate of a folder is not positive.
    VideoError
        If there is no such file or folder, or the folder has no frames.
    """
    scheme, colon, _ = address.partition("://")
    if colon or re.fullmatch(r"webcam:\S+", address):
        if colon and scheme.lower() not in _SCHEMES:
            raise ConfigurationError(f"{camera}: an address of kind {scheme!r}; expected {', '.join(_SCHEMES)}, a file or a folder")
        if start is not None:
            raise ConfigurationError(f"{camera}: a stream tells its own time; --start is for files and folders")
        return LiveSource(camera, address)
    path = Path(address)
    if path.is_dir():
        return FolderSource(camera, address, start=start, rate=rate)
    if not path.exists():
        raise VideoError(f"there is no file or folder {address}; expected a video, a folder of frames, or an address")
    return VideoSource(camera, address, start=start)


def open_sources(
    addresses: Iterable[tuple[str, str]], starts: Mapping[str, datetime], *, rate: float = 0, every: int = 1
) -> tuple[list[Source], list[CameraState]]:
    """Make the sources of several cameras: those that can be, and the states of the others.

    Parameters
    ----------
    addresses : iterable of (str, str)
        Name and address of each camera.
    starts : mapping of str to datetime
        By the name of the camera; see `open_source`.
    rate : float
        See `open_source`.
    every : int
        Look at every N-th frame only.

    Raises
    ------
    VideoError
        If none can be.
    ConfigurationError
        See `open_source`.
    """
    sources, refused = [], []
    for name, address in addresses:
        try:
            source = open_source(name, address, start=starts.get(name), rate=rate)
        except VideoError as error:
            refused.append(CameraState(camera=name, source=camera_name(address), state="failed", reason=str(error)))
        else:
            source.every = every
            sources.append(source)
    if not sources:
        raise VideoError("; ".join(f"{one.camera}: {one.reason}" for one in refused))
    return sources, refused
