"""Films of the drawn camera network: people who walk from camera to camera, cross and hide each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from resight.drawn import looks, pedestrians, scenes
from resight.drawn.walks import Pass, Spot, plan_passes
from resight.errors import DatasetError

__all__ = ["Drawn", "Films", "film"]


@dataclass(frozen=True, kw_only=True)
class Films:
    """Plan of the films.

    Attributes
    ----------
    people, cameras : int
    seconds : float
    rate : float
        Frames a second.
    size : tuple of (height, width)
    seed : int

    Raises
    ------
    DatasetError
        If a number is out of range.
    """

    people: int = 30
    cameras: int = 5
    seconds: float = 30.0
    rate: float = 10.0
    size: tuple[int, int] = (480, 640)
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("people", self.people, 1, 5000),
            ("cameras", self.cameras, 2, 6),
            ("seconds", self.seconds, 0.1, 3600),
            ("rate", self.rate, 1, 60),
            ("height", self.size[0], 96, 1080),
            ("width", self.size[1], 96, 1920),
            ("seed", self.seed, 0, 2**63 - 1),
        ):
            if not least <= value <= most:
                raise DatasetError(f"drawn films: {name} is {value}; expected {least} to {most}")


@dataclass(frozen=True, eq=False)
class Drawn:
    """One frame and who is on it.

    Attributes
    ----------
    pixels : uint8 array of shape (height, width, 3)
        RGB.
    ids : int64 array of shape (n,)
    xyxy : float32 array of shape (n, 4)
    visible : float64 array of shape (n,)
        Share of each person that nothing hides.
    """

    pixels: NDArray[np.uint8]
    ids: NDArray[np.int64]
    xyxy: NDArray[np.float32]
    visible: NDArray[np.float64]


def film(films: Films, camera: int) -> Iterator[Drawn]:
    """Draw the frames of one camera, counted from 0, one after the other. The same `films` give the same frames."""
    height, width = films.size
    scene_size = (int(np.ceil(height / 2.4)) + 1, int(np.ceil(width / 30)) + 1)
    place = scenes.place_camera(np.random.default_rng([films.seed, 12, camera]), camera, scene_size)
    street = place.scene[:height, :width]
    exposure = scenes.Exposure(place, np.random.default_rng([films.seed, 13, camera]), films.size)
    passes = _passes(films, camera)
    worn = {way.person: looks.draw_look(np.random.default_rng([films.seed, 3, way.person])) for way in passes}
    stands = _obstacles(films, camera)
    for number in range(round(films.seconds * films.rate)):
        canvas = street.copy()
        owners = np.zeros(films.size, np.int32)
        here: list[_Obstacle | tuple[Spot, int]] = [*stands]
        here += [(spot, way.person) for way in passes if (spot := way.at(number / films.rate, films.size)) is not None]
        boxes, whole = {}, {}
        for thing in sorted(here, key=_foot):  # the far ones first
            if isinstance(thing, _Obstacle):
                thing.draw(canvas, owners)
                continue
            spot, person = thing
            drawn = _draw_person(canvas, owners, worn[person], spot, place.light, person)
            if drawn is not None:
                boxes[person], whole[person] = drawn
        seen = np.bincount(owners.ravel(), minlength=films.people + 1)
        people = sorted(boxes)
        yield Drawn(
            pixels=exposure.take(canvas, np.random.default_rng([films.seed, 14, camera, number])),
            ids=np.array(people, np.int64),
            xyxy=np.array([boxes[person] for person in people], np.float32).reshape(-1, 4),
            visible=np.array([seen[person] / whole[person] for person in people]),
        )


def _passes(films: Films, camera: int) -> list[Pass]:
    every = plan_passes(people=films.people, cameras=films.cameras, seconds=films.seconds, size=films.size, seed=films.seed)
    return [way for way in every if way.camera == camera]


def _draw_person(
    canvas: NDArray[np.uint8], owners: NDArray[np.int32], look: looks.Look, spot: Spot, light: float, person: int
) -> tuple[tuple[int, int, int, int], int] | None:
    """Draw somebody and mark the pixels; the box and how many pixels there are, None if there is next to nothing."""
    (x, y), tall = spot.foot, spot.height
    shadow = (int(x), int(y - 0.012 * tall)), (max(int(0.16 * tall), 1), max(int(0.022 * tall), 1))
    cv2.ellipse(canvas, *shadow, 0, 0, 360, (46, 46, 48), -1, cv2.LINE_AA)
    top, bottom = max(int(y - 1.15 * tall), 0), min(int(y + 0.1 * tall), canvas.shape[0])
    left, right = max(int(x - 0.5 * tall), 0), min(int(x + 0.5 * tall), canvas.shape[1])
    if bottom - top < 2 or right - left < 2:
        return None
    part = canvas[top:bottom, left:right]
    before = part.copy()
    pose = pedestrians.Pose(view=spot.view, phase=spot.phase, light=light)
    pedestrians.draw(canvas, look, pose, spot.foot, tall)
    changed = (part != before).any(axis=2)
    pixels = int(changed.sum())
    if pixels < 0.01 * tall * tall:
        return None
    owners[top:bottom, left:right][changed] = person
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    box = (left + int(columns[0]), top + int(rows[0]), left + int(columns[-1]) + 1, top + int(rows[-1]) + 1)
    return box, pixels


@dataclass(frozen=True)
class _Obstacle:
    """A thing that stands in the street: corners of a box, and its colour."""

    corners: tuple[int, int, int, int]
    colour: tuple[int, int, int]

    def draw(self, canvas: NDArray[np.uint8], owners: NDArray[np.int32]) -> None:
        left, top, right, bottom = self.corners
        middle = (left + right) // 2
        cv2.rectangle(canvas, (left, top), (right, bottom), self.colour, -1)
        cv2.rectangle(canvas, (middle, top), (right, bottom), looks.shade(self.colour, 0.8), -1)
        owners[max(top, 0) : bottom + 1, max(left, 0) : right + 1] = 0


def _foot(thing: _Obstacle | tuple[Spot, int]) -> float:
    """The row at which somebody or something stands."""
    return float(thing.corners[3]) if isinstance(thing, _Obstacle) else thing[0].foot[1]


def _obstacles(films: Films, camera: int) -> list[_Obstacle]:
    """A few poles and boxes."""
    rng = np.random.default_rng([films.seed, 15, camera])
    height, width = films.size
    found = []
    for _ in range(int(rng.integers(1, 4))):
        foot, x = rng.uniform(0.75, 0.97) * height, rng.uniform(0.1, 0.9) * width
        wide, tall = ((0.03, 1.0), (0.12, 0.16))[int(rng.integers(2))]
        tone = int(rng.integers(40, 150))
        corners = (int(x), int(foot - tall * height), int(x + wide * width * rng.uniform(0.6, 1.2)), int(foot))
        found.append(_Obstacle(corners, (tone, tone, min(tone + 6, 255))))
    return found
