"""Files of the films of the drawn camera network, with ground truth.

Each camera is a folder in MOTChallenge's layout: ``img1``, ``gt/gt.txt`` and ``seqinfo.ini``. Somebody has the same identity in
all of them. The ground truth holds the whole person inside the frame, also the hidden part, and how much of it can be seen.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from resight.drawn.films import Drawn, Films, film
from resight.errors import DatasetError, MissingDependencyError, StorageError
from resight.files import read_json, write_json, write_text
from resight.progress import Progress, silent

__all__ = ["MARKER", "generate_video"]

MARKER = "drawn-video.json"
"""File that says how films were drawn; written last."""

_VERSION = 1
_SEEN = 0.1  # least visible share of a person that counts in scores


def generate_video(root: str | Path, films: Films | None = None, *, video: bool = False, progress: Progress = silent) -> Path:
    """Draw films, or keep the folder if it holds the same ones already.

    Parameters
    ----------
    root : str or Path
        Folder; made if missing. Camera 1 is the folder ``camera-1`` in it.
    films : Films, optional
    video : bool
        Also write ``camera-1.mp4`` and so on, by PyAV.
    progress : Progress

    Returns
    -------
    Path
        `root`.

    Raises
    ------
    DatasetError
        If the folder holds something else; nothing is overwritten then.
    MissingDependencyError
        If `video` is asked for without PyAV.
    StorageError
        If a file cannot be written.
    """
    root, films = Path(root), films or Films()
    wanted = {"version": _VERSION, **asdict(films), "size": list(films.size), "video": video}
    wanted |= {"seconds": float(films.seconds), "rate": float(films.rate)}
    if root.is_dir() and any(root.iterdir()):
        if _read_marker(root) == wanted:
            return root
        if not (root / MARKER).exists():
            raise DatasetError(f"{root} holds files that were not drawn here; choose an empty folder")
    total, done = films.cameras * round(films.seconds * films.rate), 0
    try:
        root.mkdir(parents=True, exist_ok=True)
        write_json(root / MARKER, {"version": _VERSION, "unfinished": True})
        for camera in range(films.cameras):
            name = f"camera-{camera + 1}"
            with _Folder(root / name, films) as folder, _movie(root / f"{name}.mp4", films, video) as movie:
                for drawn in film(films, camera):
                    folder.write(drawn)
                    movie.write(drawn.pixels)
                    done += 1
                    if done % 32 == 0 or done == total:
                        progress("filming", done, total)
    except OSError as error:
        raise StorageError(f"cannot write into {root}: {error.strerror or error}; free space or choose another folder") from error
    write_json(root / MARKER, wanted)
    return root


def _read_marker(root: Path) -> object:
    try:
        return read_json(root / MARKER)
    except (OSError, ValueError):
        return None


class _Folder:
    """A camera's folder in MOTChallenge's layout. Ground truth and description are written when it closes without an error."""

    def __init__(self, path: Path, films: Films) -> None:
        self.path, self.films = path, films
        self.frames = 0
        self.lines: list[str] = []

    def __enter__(self) -> _Folder:
        (self.path / "img1").mkdir(parents=True, exist_ok=True)
        return self

    def write(self, drawn: Drawn) -> None:
        """Add a frame."""
        self.frames += 1
        options = [cv2.IMWRITE_JPEG_QUALITY, 90]
        encoded = cv2.imencode(".jpg", cv2.cvtColor(drawn.pixels, cv2.COLOR_RGB2BGR), options)[1]
        (self.path / "img1" / f"{self.frames:06d}.jpg").write_bytes(encoded.tobytes())
        for person, box, visible in zip(drawn.ids.tolist(), drawn.xyxy.tolist(), drawn.visible.tolist(), strict=True):
            left, top, right, bottom = (round(side) for side in box)
            counts = int(visible >= _SEEN)
            sides = f"{left},{top},{right - left},{bottom - top}"
            self.lines.append(f"{self.frames},{person},{sides},{counts},1,{visible:.3f}\n")

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            return
        height, width = self.films.size
        write_text(self.path / "gt" / "gt.txt", "".join(self.lines))
        write_text(
            self.path / "seqinfo.ini",
            f"[Sequence]\nname={self.path.name}\nimDir=img1\nframeRate={self.films.rate:g}\nseqLength={self.frames}\n"
            f"imWidth={width}\nimHeight={height}\nimExt=.jpg\n",
        )


class _Movie:
    """A camera's MP4 file, or nothing."""

    def __init__(self, container: Any = None, stream: Any = None) -> None:
        self.container, self.stream = container, stream

    def write(self, pixels: NDArray[np.uint8]) -> None:
        """Add a frame."""
        if self.stream is not None:
            frame = importlib.import_module("av").VideoFrame.from_ndarray(pixels, format="rgb24")
            self.container.mux(self.stream.encode(frame))


@contextlib.contextmanager
def _movie(path: Path, films: Films, wanted: bool) -> Iterator[_Movie]:
    if not wanted:
        yield _Movie()
        return
    try:
        av: Any = importlib.import_module("av")
    except ImportError as error:
        way_out = "in the folder of Resight, pip install '.[cameras]', or draw folders of frames"
        raise MissingDependencyError(f"video files need PyAV, which is not installed; {way_out}") from error
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(films.rate).limit_denominator(1001))
        stream.height, stream.width = films.size
        stream.pix_fmt, stream.bit_rate = "yuv420p", 4_000_000
        yield _Movie(container, stream)
        container.mux(stream.encode(None))
