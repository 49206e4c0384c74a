"""Events in front of cameras, and their record as JSON lines."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol

from resight.cameras.tracklets import Tracklet
from resight.errors import StorageError

__all__ = ["Event", "EventLog", "Log", "event_dict", "is_broker", "open_log"]

_LONGEST = 2**24  # bytes of a line; one that joins people names all their sightings
_BEGINNING = b'{"event": '  # of every line


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened in front of a camera.

    Attributes
    ----------
    kind : str
        ``"appeared"`` or ``"left"``.
    camera : str
    name : str
        Name of the tracklet.
    track : int
    time : float
        Seconds, as in `Frame`.
    tracklet : Tracklet or None
        For ``"left"``.
    """

    kind: str
    camera: str
    name: str
    track: int
    time: float
    tracklet: Tracklet | None = None


def event_dict(event: Event, *, dated: bool, **more: Any) -> dict[str, Any]:
    """An event as plain JSON values; times are ISO 8601, or seconds if the camera has no dates."""
    values: dict[str, Any] = {"event": event.kind, "camera": event.camera, "tracklet": event.name, "track": event.track}
    values["time"] = _time(event.time, dated)
    if event.tracklet is not None:
        made = event.tracklet
        values |= {
            "start": _time(made.start, dated),
            "end": _time(made.end, dated),
            "boxes": len(made),
            "first": {"frame": int(made.frames[0]), "box": [round(float(side), 1) for side in made.xyxy[0]]},
            "last": {"frame": int(made.frames[-1]), "box": [round(float(side), 1) for side in made.xyxy[-1]]},
            "crops": len(made.crops),
        }
    return values | more


def _time(seconds: float, dated: bool) -> str | float:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds") if dated else round(seconds, 3)


class Log(Protocol):
    """Receiver of events as plain JSON values.

    Attributes
    ----------
    counts : dict of str to int
        Number of events, by what became of them.
    """

    counts: dict[str, int]

    def write(self, values: dict[str, Any]) -> None:
        """Take an event. Raises `StorageError` if it cannot be written."""

    def close(self) -> None:
        """End; a second time does nothing."""


def is_broker(out: str) -> bool:
    """True for the address of an MQTT broker, and not of a file."""
    return re.match(r"mqtts?:", out, re.IGNORECASE) is not None


def open_log(out: str, report: Callable[[str], None]) -> Log:
    """Open the log of a file, of an address such as ``mqtt://host/topic``, or, if it is empty or ``-``, of standard output.

    Raises
    ------
    StorageError
        If the file cannot be written.
    ConfigurationError
        If the address cannot be used.
    """
    if is_broker(out):
        from resight.cameras.mqtt import MqttLog

        return MqttLog(out, report)
    return EventLog(Path(out) if out else None)


class EventLog:
    """Events, a JSON object a line, in a file or on standard output.

    A file is added to. Events that it has already, from the same command before an interruption, are not written again; half a line
    at its end is removed.

    Parameters
    ----------
    path : Path or None
        None, or ``-``, is standard output.

    Attributes
    ----------
    counts : dict of str to int
        Number of events that were ``"written"``, and that were ``"present"`` before.

    Raises
    ------
    StorageError
        If it cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.counts = {"written": 0, "present": 0}
        self._known: set[tuple[str, ...]] = set()
        self._stream: IO[bytes] | None = None
        if path is None or str(path) == "-":
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file():
                self._resume(path)
            self._stream = path.open("ab", buffering=0)
        except OSError as error:
            raise self._refused(error) from error

    def write(self, values: dict[str, Any]) -> None:
        """Write an event, and put it on the disk. Raises `StorageError`."""
        key = _key(values)
        if key in self._known:
            self.counts["present"] += 1
            return
        line = json.dumps(values, ensure_ascii=self._stream is None, allow_nan=False) + "\n"
        if self._stream is None:
            sys.stdout.write(line)
            sys.stdout.flush()
        else:
            try:
                self._append(line.encode())
            except OSError as error:
                raise self._refused(error) from error
        self.counts["written"] += 1

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()

    def _append(self, line: bytes) -> None:
        assert self._stream is not None
        number = self._stream.fileno()
        before = os.fstat(number).st_size
        try:
            while line:  # a disk that is nearly full takes a part
                line = line[self._stream.write(line) :]
            os.fsync(number)
        except BaseException:
            # Whoever tries again writes the whole line. A pipe cannot be cut.
            with contextlib.suppress(OSError):
                os.ftruncate(number, before)
            raise

    def _resume(self, path: Path) -> None:
        with path.open("r+b") as stream:
            whole = 0
            while (line := stream.readline(_LONGEST)).endswith(b"\n"):
                whole += len(line)
                self._learn(line)
            if len(line) == _LONGEST or line[: len(_BEGINNING)] != _BEGINNING[: len(line)]:
                raise self._foreign()  # it is not half an event of ours
            stream.truncate(whole)

    def _learn(self, line: bytes) -> None:
        try:
            values = json.loads(line)
            self._known.add(_key(values))
        except (ValueError, TypeError, KeyError):
            raise self._foreign() from None

    def _foreign(self) -> StorageError:
        return StorageError(f"{self._path} has a line that is not an event; name another file for the events")

    def _refused(self, error: OSError) -> StorageError:
        return StorageError(
            f"cannot write {self._path}: {error.strerror or error}; free space or choose another file, then run it again"
        )


def _key(values: dict[str, Any]) -> tuple[str, ...]:
    return str(values["event"]), *(str(values.get(name)) for name in ("tracklet", "person", "former"))
