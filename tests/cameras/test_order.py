"""Tracklets of several films in one order."""

from __future__ import annotations

import random
from types import SimpleNamespace

import numpy as np

from cameras.stand_in import make_tracks
from resight.cameras import Frame, Tracklet
from resight.cameras.order import InOrder

PIXELS = np.zeros((4, 4, 3), np.uint8)
FILMS = {"door": [0.0, 3, 3, 8], "hall": [2.0, 3, 9], "yard": [50.0, 60]}
"""Times at which tracklets end."""


def ended(camera: str, number: int) -> Tracklet:
    some = np.zeros((1, 4), np.float32)
    return Tracklet(
        name=f"{camera} {number}", camera=camera, track=number, start=0, end=0, dated=True, frames=np.arange(1), xyxy=some,
        confidence=some[0, :1], crops=(PIXELS,), embedding=some[0],
    )  # fmt: skip


def play(choose: random.Random) -> list[str]:
    """Films that are read at any speed."""
    order = InOrder([SimpleNamespace(camera=camera, live=False, dated=True) for camera in FILMS])  # type: ignore[misc]
    steps = {camera: list(enumerate(times)) for camera, times in FILMS.items()}
    told: list[str] = []
    while steps:
        camera = choose.choice(sorted(steps))
        if not steps[camera]:
            order.end(camera)
            del steps[camera]
        else:
            number, time = steps[camera].pop(0)
            order.see(Frame(pixels=PIXELS, time=time, index=number, camera=camera), make_tracks())
            order.put(ended(camera, number))
        for one in order.take():
            assert not one.crops
            told.append(one.name)
    return told


def test_the_order_depends_on_the_films_alone() -> None:
    expected = [
        f"{camera} {n}" for _, camera, n in sorted((time, c, n) for c, times in FILMS.items() for n, time in enumerate(times))
    ]
    assert all(play(random.Random(seed)) == expected for seed in range(20))


def test_live_cameras_and_films_without_dates_wait_for_nobody() -> None:
    sources = [SimpleNamespace(camera=name, live=name == "live", dated=name != "old") for name in ("film", "live", "old")]
    order = InOrder(sources)  # type: ignore[arg-type]
    order.see(Frame(pixels=PIXELS, time=9, index=0, camera="film"), make_tracks())
    order.put(ended("film", 0))
    order.put(ended("live", 0))
    assert [one.name for one in order.take()] == ["live 0"]  # who knows when the other film was made
    order.see(Frame(pixels=PIXELS, time=1, index=0, camera="old"), make_tracks())
    assert [one.name for one in order.take()] == ["film 0"]
