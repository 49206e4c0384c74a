"""A file of cameras: where their pictures come from, when films begin, whose views overlap, how long the ways between them take."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from pathlib import Path
from typing import Any, cast

from resight.cameras.ways import Ways
from resight.configuration import configure, nearest_name
from resight.datasets.names import camera_name
from resight.datasets.times import parse_time
from resight.errors import ConfigurationError

__all__ = ["Plan", "read_plan"]


@dataclass(frozen=True, kw_only=True)
class _Camera:
    name: str
    source: str = ""
    start: datetime | str = ""
    overlap: tuple[str, ...] = ()
    travel: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Cameras, as a file describes them.

    Attributes
    ----------
    sources : dict of str to str
        Address of each camera that has one, by its name.
    cameras : tuple of str
    ways : Ways
        Travel times, and overlapping views.
    starts : dict of str to datetime
        Time of the first frame of each film that has one, by the name of its camera.
    """

    sources: dict[str, str]
    cameras: tuple[str, ...]
    ways: Ways
    starts: dict[str, datetime] = field(default_factory=dict)


def read_plan(path: str | Path) -> Plan:
    """Read a TOML file with a table ``[[camera]]`` for each camera.

    Its keys are ``name``, ``source``, ``start`` (time of a film's first frame; UTC unless it has a zone), ``overlap`` (names of
    cameras that see the same place) and ``travel`` (shortest and longest seconds to each other camera; the way back takes the same,
    unless the other camera says). A file that is a source lies in the folder of the plan, unless its path is absolute.

    Raises
    ------
    ConfigurationError
        If it cannot be read, or has an unknown key or camera, a name twice, or times that are none.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            content = tomllib.load(stream)
    except OSError as error:
        raise ConfigurationError(f"cannot read the cameras of {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from error
    for key in content:
        if key != "camera":
            raise ConfigurationError(f"{path}: unknown key {key!r}{nearest_name(key, ['camera'])}; known: camera")
    tables = content.get("camera")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise ConfigurationError(f"{path}: no cameras; expected a table [[camera]] for each")
    if any("name" not in table for table in tables):
        raise ConfigurationError(f'{path}: a camera has no name; expected name = "door"')
    cameras = [configure(_Camera, table, source=str(path)) for table in cast(list[dict[str, Any]], tables)]
    names = tuple(camera_name(camera.name) for camera in cameras)
    if twice := sorted({name for name in names if names.count(name) > 1 or not name}):
        raise ConfigurationError(f"{path}: the name {twice[0]!r} is empty, or given to several cameras")
    addresses = {name: _address(camera.source, path) for name, camera in zip(names, cameras, strict=True) if camera.source}
    starts = {name: _start(camera, path) for name, camera in zip(names, cameras, strict=True) if camera.start != ""}
    return Plan(sources=addresses, cameras=names, ways=_ways(cameras, names, path), starts=starts)


def _start(camera: _Camera, path: Path) -> datetime:
    try:
        return parse_time(str(camera.start))
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: start of {camera.name}: {error}") from error


def _ways(cameras: list[_Camera], names: tuple[str, ...], path: Path) -> Ways:
    times: dict[tuple[str, str], tuple[float, float]] = {}
    overlaps: set[tuple[str, str]] = set()

    def known(name: str, one: str) -> str:
        other = camera_name(name)
        if other not in names or other == one:
            hint = nearest_name(other, [each for each in names if each != one])
            raise ConfigurationError(f"{path}: {one} leads to {name!r}, which is not another camera{hint}")
        return other

    for one, camera in zip(names, cameras, strict=True):
        overlaps |= {pair for name in camera.overlap for pair in ((one, known(name, one)), (known(name, one), one))}
        times |= {
            (one, known(name, one)): _seconds(value, f"{path}: travel from {one} to {name}")
            for name, value in camera.travel.items()
        }
    if both := sorted(overlaps & times.keys()):
        raise ConfigurationError(f"{path}: {both[0][0]} and {both[0][1]} overlap and have travel times; give one of the two")
    times = {(other, one): value for (one, other), value in times.items()} | times
    shortest = {pair: least for pair, (least, _) in times.items()} | dict.fromkeys(overlaps, -inf)
    return Ways(shortest=shortest, longest={pair: most for pair, (_, most) in times.items()})


def _seconds(value: Any, what: str) -> tuple[float, float]:
    numbers = value if isinstance(value, list) else []
    plain = len(numbers) == 2 and all(type(number) in (int, float) for number in numbers)
    if not plain or not 0 <= numbers[0] <= numbers[1]:
        raise ConfigurationError(f"{what}: {value!r}; expected the shortest and the longest time in seconds, such as [8, 120]")
    return float(numbers[0]), float(numbers[1])


def _address(text: str, path: Path) -> str:
    if "://" in text or re.match(r"webcam:", text):
        return text
    if re.match(r"(http|rtmp|rtp|rtsp|srt|tcp|udp)s?:", text):  # is not shown, because it may hold a password
        raise ConfigurationError(f"{path}: a source lacks // after {text.partition(':')[0]}: ; expected rtsp://HOST/PATH")
    return str(path.parent / text)
