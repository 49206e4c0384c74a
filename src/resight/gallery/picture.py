"""A ranked list as a picture: the query, then the matches, framed by whether they are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from resight.datasets.names import from_left, in_ascii
from resight.files import atomic_write
from resight.gallery.matches import Match
from resight.gallery.store.database import check_outside
from resight.images import Pixels, decode, resize

__all__ = ["draw_matches"]

_IMAGE, _MARGIN, _FRAME, _LINE = (176, 88), 12, 4, 16  # pixels; the first is height x width
_LINES = 3  # of text below an image
_COLUMNS = 10
_INK, _RIGHT, _WRONG, _UNKNOWN, _QUERY = (30, 30, 30), (0, 150, 60), (210, 30, 30), (170, 170, 170), (30, 90, 200)
_FONT, _SIZE = cv2.FONT_HERSHEY_SIMPLEX, 0.38
_POINTS = 11
_MISSING = "□"


def draw_matches(
    path: str | Path, queries: Sequence[Pixels], matches: Sequence[Match], thumbnails: Mapping[str, bytes], identity: str = ""
) -> None:
    """Write a picture of a search: the query's images in blue frames, then the matches in the order of their rank.

    Parameters
    ----------
    path : str or Path
        PNG file to write.
    queries : sequence of uint8 arrays of shape (h, w, 3)
        Images of one person, RGB.
    matches : sequence of Match
    thumbnails : mapping of str to bytes
        JPEGs by id. Matches without one, because they were purged since, are left out.
    identity : str
        Person on the query images, if known. Matches with a known identity then have a green frame if they show the same person,
        and a red one if not. All others have a gray frame.

    Raises
    ------
    ConfigurationError
        If the file would be in a gallery's folder.
    StorageError
        If the file cannot be written.
    """
    check_outside(Path(path))
    cells = [_cell(image, _QUERY, ["query", identity]) for image in queries]
    for match in [match for match in matches if match.record.id in thumbnails]:
        record = match.record
        known = bool(identity and record.identity)
        right = record.identity == identity
        frame, mark = (_UNKNOWN, "") if not known else (_RIGHT, " right") if right else (_WRONG, " wrong")
        when = record.time.strftime("%m-%d %H:%M:%S") if record.time else ""
        where = f"camera {record.camera}" if record.camera else ""
        cells.append(_cell(decode(thumbnails[record.id]), frame, [f"{match.rank}: {match.distance:.3f}{mark}", where, when]))
    height, width = cells[0].shape[:2]
    columns = min(_COLUMNS, len(cells))
    sheet = np.full((-(-len(cells) // columns) * height, columns * width, 3), 255, np.uint8)
    for number, cell in enumerate(cells):
        row, column = divmod(number, columns)
        sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = cell
    with atomic_write(path) as stream:
        stream.write(cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))[1].tobytes())


def _cell(image: Pixels, colour: tuple[int, int, int], lines: Sequence[str]) -> Pixels:
    """Draw an image in its frame, with text below it."""
    height, width = _IMAGE
    scale = min(height / image.shape[0], width / image.shape[1])
    fitted = resize(image, (max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale))))
    border = _MARGIN + _FRAME
    cell = np.full((height + 2 * border + _LINES * _LINE, width + 2 * border, 3), 255, np.uint8)
    top, left = border + (height - fitted.shape[0]) // 2, border + (width - fitted.shape[1]) // 2
    bottom, right = top + fitted.shape[0], left + fitted.shape[1]
    cell[top - _FRAME : bottom + _FRAME, left - _FRAME : right + _FRAME] = colour
    cell[top:bottom, left:right] = fitted
    for number, line in enumerate(lines[:_LINES], 1):
        _write(cell, line, (_MARGIN, height + 2 * border - _MARGIN // 2 + number * _LINE - 4))
    return cell


def _write(cell: Pixels, line: str, at: tuple[int, int]) -> None:
    """Write a line, cut where the cell ends. OpenCV 5 has a font with the letters of most scripts; older ones have ASCII alone."""
    room = cell.shape[1] - 4
    if not hasattr(cv2, "FontFace"):
        text = in_ascii(line)
        while text and cv2.getTextSize(text, _FONT, _SIZE, 1)[0][0] > room:
            text = text[:-1]
        cv2.putText(cell, text, at, _FONT, _SIZE, _INK, 1, cv2.LINE_AA)
        return
    font, text = cv2.FontFace("sans"), "".join(letter if _has(letter) else _MISSING for letter in line)
    while text and cv2.getTextSize((0, 0), text, at, font, _POINTS)[2] > room:
        text = text[:-1]
    cv2.putText(cell, from_left(text), at, _INK, font, _POINTS)


@cache
def _has(letter: str) -> bool:
    """Tell if OpenCV's font has a letter: it draws a question mark for any that it does not have."""
    drawn = np.zeros((2, 48, 48, 3), np.uint8)
    for canvas, text in zip(drawn, (letter, "?"), strict=True):
        cv2.putText(canvas, text, (12, 36), (255, 255, 255), cv2.FontFace("sans"), 20)
    return letter == "?" or not np.array_equal(drawn[0], drawn[1])
