"""Looks of drawn people: clothes, build, hair, walk, and what they carry. See `resight.drawn.crops`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from resight.drawn.clothes import PATTERNS

__all__ = ["PALETTES", "Colour", "Look", "draw_look", "shade"]

Colour = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""

PALETTES: tuple[tuple[Colour, Colour, Colour, Colour], ...] = (
    ((38, 52, 92), (232, 226, 210), (70, 74, 84), (196, 62, 52)),  # navy, cream, charcoal, red
    ((160, 48, 50), (238, 232, 224), (52, 66, 104), (222, 176, 72)),  # red, white, denim, mustard
    ((44, 96, 86), (226, 196, 128), (82, 66, 54), (238, 234, 226)),  # bottle green, straw, brown, white
    ((206, 148, 58), (60, 56, 62), (74, 98, 140), (232, 226, 212)),  # ochre, black, denim, cream
    ((98, 64, 112), (222, 202, 214), (56, 56, 64), (64, 150, 152)),  # plum, pale pink, black, teal
    ((70, 124, 168), (240, 238, 232), (156, 142, 112), (52, 60, 84)),  # sky, white, khaki, navy
    ((50, 50, 56), (186, 186, 184), (66, 78, 108), (208, 92, 56)),  # black, gray, denim, rust
    ((188, 104, 92), (244, 226, 204), (94, 104, 84), (70, 52, 60)),  # brick, sand, olive, aubergine
)
"""Colours that go together: two of the upper clothes, one of the lower clothes, one of bags and hats."""

_SKIN: tuple[Colour, ...] = ((236, 200, 172), (216, 172, 140), (188, 140, 106), (148, 102, 74), (98, 66, 50))
_HAIR: tuple[Colour, ...] = ((34, 28, 28), (58, 42, 32), (104, 72, 46), (186, 150, 96), (156, 150, 146))
_SHOES: tuple[Colour, ...] = ((40, 38, 40), (96, 68, 48), (228, 226, 222))
_HAIRSTYLES = ("short", "short", "long", "bun", "tail", "curls", "bald", "cap", "beanie", "hood", "hat")
_LEGS = ("trousers", "trousers", "wide trousers", "cropped trousers", "shorts", "skirt", "long skirt")
_LOADS = ("nothing", "nothing", "backpack", "backpack", "handbag", "satchel", "tote", "trolley")
_TRIMS = ("none", "none", "stripe", "cuffs", "knees")


@dataclass(frozen=True, kw_only=True)
class Look:
    """Appearance that stays the same on every image of one person.

    Attributes
    ----------
    tall, build : float
        Height and girth; 1 is average.
    skin, hair, upper, second, lower, shoes, extra : Colour
        `second` is the colour of patterns, `extra` that of bags and hats.
    pattern, lower_pattern : str
        Keys of `resight.drawn.clothes.PATTERNS`, of the upper clothes and of a skirt.
    sleeves, legs, trim, hairstyle, load : str
    hem : float
        Lower end of the upper clothes, as part of the height.
    stride, lean, arms : float
        The walk: length of the steps, lean of the trunk, how far the arms swing.
    """

    tall: float
    build: float
    skin: Colour
    hair: Colour
    upper: Colour
    second: Colour
    lower: Colour
    shoes: Colour
    extra: Colour
    pattern: str
    lower_pattern: str
    sleeves: str
    hem: float
    legs: str
    trim: str
    hairstyle: str
    load: str
    stride: float
    lean: float
    arms: float


def draw_look(rng: np.random.Generator) -> Look:
    """Draw the look of one person, dressed in one of `PALETTES`."""

    def one(choices: tuple[str, ...]) -> str:
        return choices[rng.integers(len(choices))]

    first, other, lower, extra = PALETTES[rng.integers(len(PALETTES))]
    upper, second = (first, other) if rng.random() < 0.6 else (other, first)
    return Look(
        tall=float(rng.uniform(0.93, 1.05)),
        build=float(rng.uniform(0.8, 1.3)),
        skin=_SKIN[rng.integers(len(_SKIN))],
        hair=_HAIR[rng.integers(len(_HAIR))],
        upper=upper,
        second=second,
        lower=lower,
        shoes=_SHOES[rng.integers(len(_SHOES))],
        extra=extra,
        pattern=one(tuple(PATTERNS)),
        lower_pattern=one(("plain", "plain", "hoops", "stripes", "check")),
        sleeves=one(("long", "long", "short", "none", "second")),
        hem=float(rng.choice([0.47, 0.53, 0.6, 0.7], p=[0.2, 0.4, 0.2, 0.2])),
        legs=one(_LEGS),
        trim=one(_TRIMS),
        hairstyle=one(_HAIRSTYLES),
        load=one(_LOADS),
        stride=float(rng.uniform(0.15, 0.5)),
        lean=float(rng.normal(0, 0.025)),
        arms=float(rng.uniform(0.4, 1.5)),
    )


@lru_cache(maxsize=1024)
def shade(colour: Colour, factor: float) -> Colour:
    """A colour made lighter or darker by a factor."""
    r, g, b = (min(int(channel * factor), 255) for channel in colour)
    return r, g, b
