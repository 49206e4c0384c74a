"""A folder of numbered pictures, such as a sequence of MOTChallenge."""

from __future__ import annotations

import configparser
import math
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from resight.cameras.frames import Frame
from resight.cameras.numbering import frame_indices
from resight.cameras.sources.source import Source
from resight.datasets.accounting import UNREADABLE, Accounting
from resight.datasets.tree import Tree
from resight.errors import ConfigurationError, DatasetError, ImageError, VideoError
from resight.images import FORMATS, decode, read_file

__all__ = ["FolderSource"]

_USUAL_RATE = 25.0


class FolderSource(Source):
    """Pictures of a folder, in the order of the numbers in their names; see `resight.cameras.numbering`.

    Parameters
    ----------
    camera : str
    folder : str
        A folder of pictures, or a sequence of MOTChallenge with ``img1`` and ``seqinfo.ini``.
    start : datetime, optional
        Time of the first picture.
    rate : float
        Pictures per second; 0 takes the rate in ``seqinfo.ini``, or 25.

    Raises
    ------
    ConfigurationError
        If the rate is negative, or not finite.
    VideoError
        If there are no pictures, or ``seqinfo.ini`` cannot be used.
    """

    def __init__(self, camera: str, folder: str, *, start: datetime | None = None, rate: float = 0) -> None:
        super().__init__(camera, folder)
        if not 0 <= rate < math.inf:
            raise ConfigurationError(f"{camera}: a rate of {rate:g} frames per second; expected more than 0")
        root = Path(folder)
        pictures, own_rate = _sequence(root)
        self._rate = rate or own_rate or _USUAL_RATE
        self._start = 0.0 if start is None else start.timestamp()
        self.dated = start is not None
        try:
            self._tree = Tree.read(pictures)
        except DatasetError as error:
            raise VideoError(f"{error}; expected a folder of frames") from error
        names = [pictures / image for image in self._tree.images if "/" not in image]
        if not names:
            raise VideoError(
                f"{pictures}: no pictures ({FORMATS}), {self._tree.account(0, {})}; expected a video, or a folder of frames"
            )
        self._pictures = sorted(zip(frame_indices([path.name for path in names]), names, strict=True))

    def __len__(self) -> int:
        return len(self._pictures)

    def account(self) -> Accounting:
        """See `Source.account`. Frames that `every` passes over are used: they were there to be looked at."""
        read = self._tree.account(len(self), {}).without(UNREADABLE, self.counts.broken)
        return read.without("not reached", len(self) - self.counts.frames - self.counts.broken)

    def frames(self) -> Iterator[Frame]:
        """See `Source.frames`. A picture that cannot be decoded is left out and counted."""
        last = ""
        first = self._pictures[0][0]
        for index, path in self._pictures:
            if (index - first) % self.every:
                self.counts.frames += 1
                continue
            try:
                pixels = decode(read_file(path))
            except ImageError as error:
                self.counts.broken += 1
                last = f"{path.name}: {error}"
                continue
            self.counts.frames += 1
            yield self._frame(pixels, self._start + (index - first) / self._rate, index)
        if last and not self.counts.frames:
            raise VideoError(f"{self.shown}: none of {len(self)} pictures can be read; the last: {last}")


def _sequence(root: Path) -> tuple[Path, float]:
    """Folder of the pictures, and their rate, 0 if unknown."""
    file = root / "seqinfo.ini"
    if not file.is_file():
        return (root / "img1" if (root / "img1").is_dir() else root), 0
    about = configparser.ConfigParser(interpolation=None)
    try:
        about.read_string(file.read_text(encoding="utf-8"))
        sequence = about["Sequence"]
        rate = float(sequence.get("frameRate", "0"))
        folder = sequence.get("imDir", "img1")
        if not math.isfinite(rate) or rate < 0 or Path(folder).name != folder:
            raise ValueError(f"frameRate {rate:g}, imDir {folder!r}")
    except (OSError, UnicodeDecodeError, configparser.Error, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise VideoError(f"{file}: {reason}; expected [Sequence] with imDir, the name of a folder, and frameRate") from error
    return root / folder, rate
