"""Times as people write them: ISO 8601, or seconds or milliseconds since 1970 if the user says which."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Literal

from resight.errors import ConfigurationError

__all__ = ["TimeUnit", "parse_time"]

TimeUnit = Literal["iso", "s", "ms"]
"""How times are written: ISO 8601, seconds since 1970, milliseconds since 1970."""

_ZONE = "( ?(Z|[+-][0-9]{2}(:?[0-9]{2})?))?"
_ISO = re.compile(
    "[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?" + _ZONE + ")?|[0-9]{8}T[0-9]{6}" + _ZONE
)
_FIRST_YEAR = 1990


def parse_time(text: str, unit: TimeUnit = "iso") -> datetime:
    """Read a time.

    Parameters
    ----------
    text : str
        ISO 8601, such as ``2026-03-01T12:30:00+01:00``, without a zone UTC; or a number, if `unit` says so.
    unit : str
        ``"iso"``; ``"s"`` or ``"ms"`` for seconds or milliseconds since 1970.

    Returns
    -------
    datetime
        In UTC.

    Raises
    ------
    ConfigurationError
        If it is not such a time, or before 1990, when no camera was digital.
    """
    text = text.strip()
    try:
        if unit == "iso":
            if not _ISO.fullmatch(text):
                raise ValueError(text)
            time = datetime.fromisoformat(text.replace(" ", "T", 1).replace(" ", "").replace(",", "."))
            time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
        else:
            if not re.fullmatch(r"[0-9]{1,15}([.][0-9]{1,9})?", text):
                raise ValueError(text)
            seconds = float(text) / (1000 if unit == "ms" else 1)
            time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except (ValueError, OverflowError) as error:
        expected = {
            "iso": "ISO 8601, such as 2026-03-01T12:30:00+01:00 (seconds or milliseconds since 1970 stand in a column time_s "
            "or time_ms)",
            "s": "seconds since 1970",
            "ms": "milliseconds since 1970",
        }[unit]
        raise ConfigurationError(f"{text!r} is not a time; expected {expected}") from error
    if time.year < _FIRST_YEAR:
        raise ConfigurationError(f"{text!r} means {time:%Y-%m-%d}, before {_FIRST_YEAR}; check the unit and the camera's clock")
    return time
