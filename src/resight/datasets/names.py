"""File names: identity, camera and tracklet, by the rules of published data sets or by a pattern of the user's."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from resight.errors import ConfigurationError

__all__ = [
    "NEARLY",
    "STYLES",
    "Label",
    "Style",
    "alike",
    "camera_name",
    "camera_of",
    "find_style",
    "first_cut",
    "from_left",
    "in_ascii",
    "near_names",
    "nfc",
    "parse_pattern",
    "split_of",
]

NEARLY = 0.9
"""Share of the names that must fit a layout before it is recognised."""

_SPLITS = {
    "train": ("train", "train_all", "training", "bounding_box_train", "image_train", "bbox_train", "val", "valid", "validation"),
    "query": ("query", "queries", "probe", "image_query"),
    "gallery": ("gallery", "test", "testing", "bounding_box_test", "image_test", "bbox_test"),
}
_SECRET = re.compile("pass|pwd|user|login|token|key|secret|auth", re.IGNORECASE)
_INVISIBLE = ("Cc", "Cf", "Zs", "Zl", "Zp")  # Unicode categories of blanks and of characters that show nothing
_SPLIT_OF = {name: part for part, names in _SPLITS.items() for name in names}


@dataclass(frozen=True)
class Label:
    """Labels in the name of an image.

    Attributes
    ----------
    identity, camera, tracklet : str
        Empty if the name does not say it.
    """

    identity: str = ""
    camera: str = ""
    tracklet: str = ""


@dataclass(frozen=True)
class Style:
    """A rule for file names.

    Attributes
    ----------
    example : str
        A name that fits.
    pattern : re.Pattern
        Matches the beginning of a name; its groups are called as the fields of `Label`. Identities and cameras in digits lose
        their leading zeros.
    junk : str
        Identity of junk; empty if the rule has none.
    """

    example: str
    pattern: re.Pattern[str]
    junk: str = ""

    def parse(self, name: str) -> Label | None:
        """Return the labels in a file name; None if it does not fit."""
        match = self.pattern.match(name)
        return None if match is None else Label(**{field: _plain(value) for field, value in match.groupdict().items() if value})


STYLES = {
    "dukemtmc": Style("0001_c2_f0046182.jpg", re.compile(r"(?P<identity>[0-9]{1,9})_c(?P<camera>[0-9]{1,9})_f[0-9]+")),
    "market1501": Style("0002_c1s1_000451_03.jpg", re.compile(r"(?P<identity>-1|[0-9]{1,9})_c(?P<camera>[0-9]{1,9})"), "-1"),
    "msmt17": Style(
        "0000_000_01_0303morning_0015_0.jpg",
        re.compile(r"(?P<identity>[0-9]{4,9})_[0-9]{3,9}_(?P<camera>[0-9]{2})_[0-9]{4}(morning|noon|afternoon)_"),
    ),
    "mars": Style(
        "0001C1T0001F001.jpg",
        re.compile(r"(?P<tracklet>(?P<identity>00-1|[0-9]{4})C(?P<camera>[0-9]+)T[0-9]+)F[0-9]+"),
        "00-1",
    ),
}
"""Rules of published data sets, the special before the general."""


def find_style(names: Sequence[str]) -> Style | None:
    """Return the rule that nearly all names fit; None if no rule does."""
    for style in STYLES.values():
        if names and sum(style.parse(name) is not None for name in names) >= NEARLY * len(names):
            return style
    return None


def camera_of(name: str) -> str:
    """The camera in a name such as ``front_door_0001.jpg``: what stands before the last underscore.

    Numbers of four digits and more before that underscore, such as dates, are taken off as well:
    ``entrance_20260301_120000.jpg`` is of ``entrance`` and ``cam_01_0003.jpg`` is of ``cam_01``. Empty without an underscore.
    """
    pieces = name.rpartition(".")[0].split("_") if "." in name else name.split("_")
    pieces = pieces[:-1]
    while len(pieces) > 1 and re.fullmatch(r"[0-9]{4,}", pieces[-1]):
        pieces.pop()
    return nfc("_".join(pieces))


def first_cut(name: str) -> str:
    """Return the part of a name before its first underscore: the camera by another reading, which a note mentions."""
    return nfc(name.partition("_")[0])


def split_of(folder: str) -> str:
    """``train``, ``query`` or ``gallery`` if a folder's name says that; else empty. Such a folder is never a person."""
    name = folder.lower()
    if name in _SPLIT_OF:
        return _SPLIT_OF[name]
    return "train" if name.startswith("bounding_box_") else ""


def parse_pattern(pattern: str) -> re.Pattern[str]:
    """The regular expression for a pattern such as ``{identity}/{camera}_{*}``.

    The pattern describes a path below the folder, without the ending. ``{identity}``, ``{camera}``, ``{tracklet}`` and
    ``{split}`` are one piece of a folder's or file's name each, as long as can be; ``{*}`` is any piece, which may be empty, and
    ``{**}`` any number of folders and names.

    Raises
    ------
    ConfigurationError
        If it names another field, or one twice, or neither identity nor camera.
    """
    fields = re.findall(r"\{([^{}]*)\}", pattern)
    known = ("identity", "camera", "tracklet", "split", "*", "**")
    named = [field for field in fields if not field.startswith("*")]
    if wrong := [field for field in fields if field not in known]:
        raise ConfigurationError(f"--name-pattern has {{{wrong[0]}}}; expected {', '.join(f'{{{name}}}' for name in known)}")
    if len(set(named)) < len(named) or not {"identity", "camera"} & set(named):
        raise ConfigurationError(
            f"--name-pattern is {pattern!r}; expected {{identity}} or {{camera}} or both, each once, as in "
            f"{{identity}}/{{camera}}_{{*}}"
        )
    expression = ""
    for piece in re.split(r"(\{[^{}]*\})", pattern):
        name = piece[1:-1]
        if not piece.startswith("{"):
            expression += re.escape(nfc(piece))
        elif name == "**":
            expression += ".*"
        else:
            expression += "[^/]*" if name == "*" else f"(?P<{name}>[^/]+)"
    return re.compile(expression, re.DOTALL)


def nfc(name: str) -> str:
    """A name after Unicode normalisation (NFC), so that equal names compare equal."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def near_names(asked: Collection[str], known: Collection[str]) -> set[str]:
    """Known names that are not asked for, but differ from one that is in no visible letter: in case, blanks, and the invisible."""
    folded = set(map(_visible, asked))
    return {name for name in set(known) - set(asked) if _visible(name) in folded}


def camera_name(name: str) -> str:
    """A camera's name, normalised; the user, password and keys of an address such as rtsp://user:password@host are taken out."""
    name = nfc(name)
    if "://" not in name:
        return name
    scheme, _, rest = name.partition("://")
    path, mark, query = rest.partition("?")
    if "@" in query and "@" not in path:  # perhaps a password with a question mark
        path, mark, query = rest.rpartition("@")[2].partition("?")
    place, stroke, path = path.rpartition("@")[2].partition("/")
    kept = [pair for pair in query.split("&") if pair and not _SECRET.search(pair.partition("=")[0])]
    return f"{scheme}://{place}{stroke}{path}{mark if kept else ''}{'&'.join(kept)}"


def in_ascii(name: str) -> str:
    """A name in letters that every font has: accents are dropped, and any other letter stands as its number, such as <5F20>."""
    letters = (
        unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode() or f"<{ord(letter):X}>" for letter in nfc(name)
    )
    return "".join(letters)


def from_left(name: str) -> str:
    """A name in the order in which its letters stand from left to right: Arabic and Hebrew ones are turned around."""
    runs = itertools.groupby(name, lambda letter: unicodedata.bidirectional(letter) in ("R", "AL", "NSM"))
    return "".join("".join(run)[::-1] if turned else "".join(run) for turned, run in runs)


def alike(names: Iterable[str]) -> list[list[str]]:
    """Groups of different names that are the same number, such as 1, 01 and 1.0."""
    groups: dict[int, set[str]] = {}
    for name in names:
        if number := re.fullmatch(r"([+-]?[0-9]{1,999})([.,]0*)?", name):  # int refuses thousands of digits
            groups.setdefault(int(number[1]), set()).add(name)
    return [sorted(group) for _, group in sorted(groups.items()) if len(group) > 1]


def _visible(name: str) -> str:
    kept = (letter for letter in unicodedata.normalize("NFKC", name) if unicodedata.category(letter) not in _INVISIBLE)
    return "".join(kept).casefold()


def _plain(value: str) -> str:
    return str(int(value)) if re.fullmatch(r"[0-9]+", value) else nfc(value)
