"""A contact sheet of drawn people."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from resight.datasets.records import Records
from resight.files import atomic_write
from resight.images import read_images

__all__ = ["draw_sheet"]

_CELL = (128, 64)  # height and width of an image on the sheet
_GAP = 12  # pixels between two cameras, and between two people


def draw_sheet(records: Records, path: str | Path, *, people: int = 6, each: int = 3) -> None:
    """Write a contact sheet as PNG: a row a person, a group of images a camera.

    Parameters
    ----------
    records : Records
        The people whom most cameras saw come first.
    path : str or Path
    people, each : int
        Rows, and images of one camera at most.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    height, width = _CELL
    cameras = np.unique(records.cameras).tolist()
    seen = {person: len(np.unique(records.cameras[records.identities == person])) for person in records.people().tolist()}
    shown = sorted(seen, key=lambda person: -seen[person])[:people]
    sheet = np.full((len(shown) * (height + _GAP) + _GAP, len(cameras) * (each * width + _GAP) + _GAP, 3), 255, np.uint8)
    for row, person in enumerate(shown):
        for column, camera in enumerate(cameras):
            paths = records.select((records.identities == person) & (records.cameras == camera)).paths[:each]
            y, x = _GAP + row * (height + _GAP), _GAP + column * (each * width + _GAP)
            if len(paths):
                sheet[y : y + height, x : x + len(paths) * width] = np.concatenate([*read_images(paths, _CELL)], axis=1)
    encoded = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))[1]
    with atomic_write(path) as stream:
        stream.write(encoded.tobytes())
