"""Events to an MQTT broker, which may be away for a while."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from resight.datasets.names import camera_name
from resight.errors import ConfigurationError, MissingDependencyError

if TYPE_CHECKING:
    from paho.mqtt.client import Client

__all__ = ["MqttLog"]

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_PASSWORD = "RESIGHT_MQTT_PASSWORD"

_BACKLOG = 10_000
"""Largest number of events that wait for the broker, some megabytes."""

_AT_ONCE = 20
"""Largest number of events on their way. The broker has not confirmed them yet."""

_PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
"""Seconds before the next attempt to connect, after each failure in a row."""

_GRACE = 5.0
"""Seconds that `MqttLog.close` waits for events to be delivered."""

_KEEPALIVE = 20  # seconds of silence after which the broker is asked if it is still there


class MqttLog:
    """Events, a JSON object a message, on a topic of an MQTT broker (version 5, at least once).

    Nothing waits for the broker: a thread of its own connects, and delivers. If the broker is away, events wait, and it is tried
    again after pauses that grow to a minute. The oldest of too many events are lost, and counted.

    Parameters
    ----------
    address : str
        ``mqtt://USER:PASSWORD@HOST:PORT/TOPIC``, or ``mqtts://`` for TLS. User, password and port may be missing. A password in
        the environment variable RESIGHT_MQTT_PASSWORD counts unless the address has one.
    report : callable
        Called, from any thread, with a line about each failure, and one when it is closed.
    pauses : tuple of float
        Seconds before the next attempt to connect, after each failure in a row.
    backlog : int
        Largest number of events that wait.
    grace : float
        Seconds that `close` waits for events to be delivered.

    Attributes
    ----------
    shown : str
        The address without user and password.
    counts : dict of str to int
        Number of events that the broker has ``"delivered"``, and that were ``"lost"``.

    Raises
    ------
    ConfigurationError
        If the address has no host or no topic, or is of another kind.
    MissingDependencyError
        If paho-mqtt is not installed.
    """

    def __init__(
        self,
        address: str,
        report: Callable[[str], None] = lambda line: None,
        *,
        pauses: tuple[float, ...] = _PAUSES,
        backlog: int = _BACKLOG,
        grace: float = _GRACE,
    ) -> None:
        self._place = _Place.of(address)
        self.shown = self._place.shown
        self.counts = {"delivered": 0, "lost": 0}
        self._mqtt = _paho()
        self._report, self._pauses, self._backlog, self._grace = report, pauses, backlog, grace
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        self._sent: dict[int, bytes] = {}
        self._refused = ""
        self._closing, self._deadline = threading.Event(), 0.0
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._thread.start()

    def write(self, values: dict[str, Any]) -> None:
        """Put an event in line for the broker; returns at once."""
        payload = json.dumps(values, ensure_ascii=False, allow_nan=False).encode()
        with self._lock:
            if len(self._waiting) + len(self._sent) >= self._backlog:
                self._waiting.popleft()
                self.counts["lost"] += 1
            self._waiting.append(payload)

    def close(self) -> None:
        """Wait a moment for the events to be delivered, and tell how many were delivered and how many are lost."""
        if self._closing.is_set():
            return
        self._deadline = time.monotonic() + self._grace
        self._closing.set()
        self._thread.join(self._grace + 1)
        with self._lock:
            self.counts["lost"] += len(self._waiting) + len(self._sent)
            self._waiting.clear()
            self._sent = {}
        lost = f", {self.counts['lost']} lost" if self.counts["lost"] else ""
        reason = f" ({self._refused})" if lost and self._refused else ""
        self._report(f"{self.shown}: {self.counts['delivered']} events delivered{lost}{reason}")

    def _over(self) -> bool:
        """True if it was closed, and nothing waits, or has waited for too long."""
        if not self._closing.is_set():
            return False
        with self._lock:
            return not (self._waiting or self._sent) or time.monotonic() >= self._deadline

    def _run(self) -> None:
        failures = 0
        while not self._over():
            before, began = self.counts["delivered"], time.monotonic()
            reason = self._connection()
            if self._over():
                return
            steady = self.counts["delivered"] > before or time.monotonic() - began > self._pauses[-1]
            failures = 1 if steady else failures + 1
            pause = self._pauses[min(failures, len(self._pauses)) - 1]
            if self._closing.is_set():
                time.sleep(min(pause, 0.2))  # the last attempts come soon after each other
                continue
            self._report(f"{self.shown}: {reason}; events wait, trying again in {pause:g} s")
            self._closing.wait(pause)

    def _connection(self) -> str:
        """Connect and deliver until the connection ends. Returns why it ended."""
        client = self._mqtt.Client(self._mqtt.CallbackAPIVersion.VERSION2, protocol=self._mqtt.MQTTv5)
        connected, reason = False, ""

        def on_connect(_client: Client, _data: Any, _flags: Any, code: Any, _more: Any) -> None:
            nonlocal connected, reason
            connected, reason = not code.is_failure, f"the broker refuses the connection ({code})" if code.is_failure else ""

        def on_disconnect(_client: Client, _data: Any, _flags: Any, code: Any, _more: Any) -> None:
            nonlocal reason
            reason = reason or f"the connection broke ({code})"

        def on_publish(_client: Client, _data: Any, number: int, code: Any, _more: Any) -> None:
            with self._lock:
                if self._sent.pop(number, None) is not None:
                    self.counts["lost" if code.is_failure else "delivered"] += 1
                if code.is_failure:
                    self._refused = f"the broker refuses them: {code}"

        client.on_connect, client.on_disconnect, client.on_publish = on_connect, on_disconnect, on_publish
        if self._place.user:
            client.username_pw_set(self._place.user, self._place.password or None)
        try:
            if self._place.tls:
                client.tls_set()
            client.connect(self._place.host, self._place.port, keepalive=_KEEPALIVE)
            while not self._over() and client.loop(0.1) == self._mqtt.MQTT_ERR_SUCCESS:
                while connected and self._send_one(client):
                    pass
        except (OSError, ValueError) as error:
            reason = f"no connection ({getattr(error, 'strerror', None) or error})"
        finally:
            client.disconnect()
            with self._lock:  # what was not confirmed is sent again
                self._waiting.extendleft(reversed(self._sent.values()))
                self._sent = {}
        return reason or "no connection"

    def _send_one(self, client: Client) -> bool:
        """Send the event that has waited longest, if there is one and not too many are on their way."""
        with self._lock:
            if not self._waiting or len(self._sent) >= _AT_ONCE:
                return False
            payload = self._waiting.popleft()
            self._sent[client.publish(self._place.topic, payload, qos=1).mid] = payload
            return True


@dataclass(frozen=True, kw_only=True)
class _Place:
    """A topic of a broker, and how to get there."""

    shown: str
    host: str
    port: int
    tls: bool
    user: str
    password: str
    topic: str

    @classmethod
    def of(cls, address: str) -> _Place:
        scheme = address.partition("://")[0].lower()
        shown = f"{scheme}://..." if "@" in address else address
        expected = "expected mqtt://USER@HOST:PORT/TOPIC or mqtts://, and %23, %2F and %3F for #, / and ? in a password"
        try:
            parts = urlsplit(address)
            host, port = parts.hostname, parts.port or _PORTS[scheme]
        except (ValueError, KeyError):
            raise ConfigurationError(f"{shown} is not the address of an MQTT topic; {expected}") from None
        topic = unquote(parts.path.removeprefix("/"))
        if not host or not topic or "@" in parts.path or set(address) & set("#?") or set(topic) & set("#+\0"):
            raise ConfigurationError(f"{shown} does not name one topic of one broker; {expected}")
        return cls(
            shown=camera_name(address),
            host=host,
            port=port,
            tls=scheme == "mqtts",
            user=unquote(parts.username or ""),
            password=unquote(parts.password or "") or os.environ.get(_PASSWORD, ""),
            topic=topic,
        )


def _paho() -> Any:
    try:
        import paho.mqtt.client
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "MQTT needs paho-mqtt, which is not installed; in the folder of Resight, pip install '.[cameras]'"
        ) from error
    return paho.mqtt.client
