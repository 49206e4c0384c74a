"""What drawn people look like: clothes, build, hair, what they carry. Nobody's image; see `synthetic`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Colour", "Look", "draw_look", "outfits", "shade"]

Colour = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""

_SKIN: tuple[Colour, ...] = ((236, 200, 172), (222, 180, 150), (198, 152, 118), (160, 112, 82), (112, 76, 56), (80, 54, 42))
_HAIR: tuple[Colour, ...] = ((28, 24, 24), (48, 36, 28), (84, 58, 36), (150, 112, 66), (196, 168, 112), (150, 148, 146))
_CLOTH: dict[str, Colour] = {
    "black": (32, 32, 36), "charcoal": (66, 68, 74), "gray": (128, 130, 134), "white": (232, 232, 230), "navy": (34, 42, 84),
    "denim": (74, 98, 140), "blue": (46, 92, 176), "red": (176, 40, 44), "wine": (104, 34, 52), "green": (52, 112, 66),
    "olive": (96, 98, 62), "beige": (204, 186, 150), "brown": (104, 74, 50), "pink": (222, 146, 168), "yellow": (220, 186, 62),
    "purple": (108, 66, 136), "orange": (216, 116, 44), "turquoise": (60, 158, 160),
}  # fmt: skip
_UPPER = ("black", "black", "black", "charcoal", "charcoal", "white", "white", "gray", "navy", "blue", "red", "green", "beige",
          "olive", "pink", "yellow", "purple", "orange", "wine", "turquoise")  # fmt: skip
_LOWER = (
    "black",
    "black",
    "black",
    "charcoal",
    "denim",
    "denim",
    "denim",
    "navy",
    "navy",
    "gray",
    "beige",
    "brown",
    "olive",
    "white",
)
_PATTERNS = ("plain", "plain", "plain", "stripes", "pinstripes", "check", "logo", "block", "open", "open")
_LOWERS = ("trousers", "trousers", "trousers", "shorts", "skirt")
_HAIRSTYLES = ("short", "short", "long", "bun", "cap", "hood")
_LOADS = ("nothing", "nothing", "backpack", "backpack", "handbag", "satchel")


@dataclass(frozen=True, kw_only=True)
class Look:
    """What stays the same on every image of one person."""

    tall: float
    build: float
    skin: Colour
    hair: Colour
    upper: Colour
    second: Colour
    lower: Colour
    shoes: Colour
    load_colour: Colour
    pattern: str
    sleeves: str
    hem: float
    legs: str
    hairstyle: str
    load: str


def draw_look(rng: np.random.Generator, outfit: tuple[str, str] | None = None) -> Look:
    """Draw the look of one person.

    Parameters
    ----------
    rng : np.random.Generator
    outfit : tuple of (str, str), optional
        Names of the colours of upper and lower clothes that others wear too; drawn unless given.

    Returns
    -------
    Look
    """

    def one(names: tuple[str, ...]) -> str:
        return names[rng.integers(len(names))]

    def dyed(name: str) -> Colour:
        return shade(_CLOTH[name], 1.0, rng.integers(-14, 15, 3))

    upper, lower = outfit or (one(_UPPER), one(_LOWER))
    legs = one(_LOWERS)
    return Look(
        tall=float(rng.uniform(0.93, 1.05)),
        build=float(np.clip(rng.normal(1.0, 0.13), 0.78, 1.35)),
        skin=_SKIN[rng.integers(len(_SKIN))],
        hair=_HAIR[rng.integers(len(_HAIR))],
        upper=dyed(upper),
        second=dyed(one(_UPPER)),
        lower=dyed(lower),
        shoes=dyed(one(("black", "black", "white", "brown", "gray", "red", "blue"))),
        load_colour=dyed(one(tuple(_CLOTH))),
        pattern=one(_PATTERNS),
        sleeves=one(("long", "long", "long", "short", "short", "none")),
        hem=float(rng.choice([0.5, 0.53, 0.56, 0.66], p=[0.3, 0.35, 0.2, 0.15])),
        legs=legs,
        hairstyle=one(_HAIRSTYLES),
        load=one(_LOADS),
    )


def outfits(rng: np.random.Generator, count: int) -> list[tuple[str, str]]:
    """Names of upper and lower colours that several people wear, so that colour alone does not tell who it is."""
    return [(_UPPER[rng.integers(len(_UPPER))], _LOWER[rng.integers(len(_LOWER))]) for _ in range(count)]


def shade(colour: Colour, factor: float, shift: NDArray[np.int64] | tuple[int, int, int] = (0, 0, 0)) -> Colour:
    """A colour made lighter or darker by a factor, then moved by a shift of each channel."""
    r, g, b = colour
    dr, dg, db = shift
    return (
        min(max(int(r * factor) + int(dr), 0), 255),
        min(max(int(g * factor) + int(dg), 0), 255),
        min(max(int(b * factor) + int(db), 0), 255),
    )
