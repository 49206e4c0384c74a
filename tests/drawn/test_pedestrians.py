"""Drawn people: patterns go around the body, and people of one palette differ in more than colour."""

from __future__ import annotations

from dataclasses import replace
from math import pi

import numpy as np
import pytest
from numpy.typing import NDArray

from resight.drawn import looks, pedestrians
from resight.drawn.clothes import PATTERNS, paint

RED, WHITE = (200, 0, 0), (255, 255, 255)


def cloth(pattern: str, view: float) -> NDArray[np.bool_]:
    """Where the second colour shows on a body of 80 x 41 pixels, seen from `view`."""
    across, down = np.linspace(-0.99, 0.99, 41), np.linspace(0.16, 0.6, 80)
    return paint(pattern, (RED, WHITE), across, down, view=view, light=0.0)[:, :, 1] > 0


def figure(look: looks.Look, view: float = 0.0) -> NDArray[np.uint8]:
    canvas = np.full((160, 80, 3), 127, np.uint8)
    pedestrians.draw(canvas, look, pedestrians.Pose(view=view, phase=1.0, light=0.5), (40.0, 155.0), 150.0)
    return canvas


def test_a_badge_is_on_the_chest_and_not_on_the_back() -> None:
    assert cloth("badge", 0)[:, 20].any() and not cloth("badge", pi).any()
    left, right = cloth("badge", -0.5), cloth("badge", 0.5)
    assert left.any(0).nonzero()[0].mean() < 20 < right.any(0).nonzero()[0].mean()  # it turns with the body


@pytest.mark.parametrize("pattern", ["hoops", "wide hoops", "band", "yoke", "dip"])
def test_what_goes_all_around_is_seen_from_every_side(pattern: str) -> None:
    front = cloth(pattern, 0)
    assert front.any() and not front.all()
    assert all((cloth(pattern, view) == front).all() for view in (1.0, 2.0, pi))


def test_patterns_differ_from_each_other_at_the_front() -> None:
    seen = {name: cloth(name, 0.2).tobytes() for name in PATTERNS}
    assert len(set(seen.values())) == len(PATTERNS)


def test_people_of_one_palette_differ_in_pattern_and_cut() -> None:
    look = looks.draw_look(np.random.default_rng(1))
    assert (figure(look) == figure(look)).all()
    for change in ({"pattern": "check"}, {"legs": "skirt"}, {"load": "trolley"}, {"hairstyle": "hat"}, {"stride": 0.6}):
        other = figure(replace(look, **({"pattern": "plain", "legs": "shorts", "load": "nothing", "hairstyle": "bald"} | change)))  # type: ignore[arg-type]
        plain = figure(replace(look, pattern="plain", legs="shorts", load="nothing", hairstyle="bald"))
        assert (other != plain).any(-1).sum() > 60, change


def test_a_network_wears_few_palettes() -> None:
    rng = np.random.default_rng(0)
    people = [looks.draw_look(rng) for _ in range(200)]
    assert len({(look.upper, look.second, look.lower, look.extra) for look in people}) <= 2 * len(looks.PALETTES)
    assert len(set(people)) == 200
