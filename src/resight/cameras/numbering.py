"""Numbers of frames in the names of their pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

__all__ = ["frame_indices"]

_MOST = 10**15  # numbers of frames are kept in 64 bits


def frame_indices(names: Sequence[str]) -> list[int]:
    """Index of the frame of each picture, from 0.

    Pictures are in the order of all numbers in their names. The last number counts the frames, from 0 or from 1, if no two
    pictures share it and everything before it is the same in all names; then missing pictures leave gaps. Otherwise, as with dates
    and times, the index is the place in the order.

    Examples
    --------
    >>> frame_indices(["shot-10.png", "shot-9.png"]), frame_indices(["9-59.png", "10-00.png", "10-01.png"])
    ([9, 8], [0, 1, 2])
    """
    stems = [PurePath(name).stem for name in names]
    found = [re.fullmatch(r"(.*?)(\d+)\D*", stem, re.DOTALL) for stem in stems]
    last = {int(each[2]) for each in found if each}
    if len(last) == len(names) and len({each[1] for each in found if each}) == 1 and max(last) < _MOST:
        first = min(1, *last)
        return [int(each[2]) - first for each in found if each]
    keys = [([int(digits) for digits in re.findall(r"\d+", stem)], name) for stem, name in zip(stems, names, strict=True)]
    indices = [0] * len(names)
    for index, place in enumerate(sorted(range(len(names)), key=keys.__getitem__)):
        indices[place] = index
    return indices
