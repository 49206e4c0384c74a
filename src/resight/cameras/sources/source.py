"""A source of frames: what video files, folders of frames and streams have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from resight.cameras.frames import Frame
from resight.datasets.accounting import Accounting
from resight.datasets.names import camera_name

__all__ = ["Counts", "Source"]


@dataclass
class Counts:
    """Counts of a camera's pictures so far.

    Attributes
    ----------
    frames : int
        Pictures that were read.
    broken : int
        Pictures that could not be decoded, and were left out.
    dropped : int
        Pictures of a live camera that were left out because the processor was too slow.
    reconnected : int
        Number of times that a live camera was connected again.
    """

    frames: int = 0
    broken: int = 0
    dropped: int = 0
    reconnected: int = 0


class Source(ABC):
    """Frames of one camera.

    Parameters
    ----------
    camera : str
        Name of the camera.
    address : str
        File, folder or address. Passwords in it are never shown.

    Attributes
    ----------
    camera : str
    shown : str
        The address without user, password and keys.
    live : bool
        True for streams and webcams. They drop frames if the processor is too slow, and connect again.
    dated : bool
        True if the times of its frames are seconds since 1970; known after the first frame.
    every : int
        Yield every n-th frame only, beginning with the first. Others are decoded only if the format needs it.
    counts : Counts
    """

    every = 1
    live = False
    dated = False

    def __init__(self, camera: str, address: str) -> None:
        self.camera = camera_name(camera)
        self.shown = camera_name(address)
        self.counts = Counts()
        self._address = address

    @abstractmethod
    def frames(self) -> Iterator[Frame]:
        """Open the source and yield its frames in order of time. A live source may be opened again.

        Raises
        ------
        VideoError
            If it cannot be read, or, after the frames that could be read, if it ends too early.
        """

    def account(self) -> Accounting:
        """The accounting of the files that were read; empty for a source that is not made of files."""
        return Accounting()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.camera!r}: {self.shown}>"

    def _frame(self, pixels: Any, time: float, index: int) -> Frame:
        return Frame(pixels=pixels, time=time, index=index, camera=self.camera)
