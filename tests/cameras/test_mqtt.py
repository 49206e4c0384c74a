"""Events to a real broker, Debian's Mosquitto, and what an independent subscriber gets of them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import client as paho

from cameras.films import walk
from resight.cameras.events import open_log
from resight.cameras.mqtt import MqttLog
from resight.cli import main
from resight.errors import ConfigurationError

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
needs_broker = pytest.mark.skipif(MOSQUITTO is None, reason="needs Mosquitto: apt install mosquitto")
TOPIC = "house/people"


def wait(until: Callable[[], bool], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end
        time.sleep(0.01)


class Broker:
    """A broker that can be killed and started again; it keeps its subscribers on the disk."""

    def __init__(self, folder: Path, *more: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        user = ["user root"] if os.getuid() == 0 else []
        keep = ["persistence true", f"persistence_location {folder}/"]
        self.file, self.kept = folder / "mosquitto.conf", folder / "mosquitto.db"
        self.file.write_text("\n".join([f"listener {self.port} 127.0.0.1", *user, *keep, *(more or ["allow_anonymous true"])]))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen([str(MOSQUITTO), "-c", str(self.file)], **quiet)  # type: ignore[call-overload]
        wait(self.answers)

    def answers(self) -> bool:
        with socket.socket() as tried:
            return not tried.connect_ex(("127.0.0.1", self.port))

    def keep(self) -> None:
        """Have it write down its subscribers."""
        assert self.process is not None
        self.kept.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR1)
        wait(self.kept.exists)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    made.start()
    yield made
    made.kill()


@contextmanager
def subscriber(broker: Broker, *, user: tuple[str, str] | None = None) -> Iterator[list[dict[str, Any]]]:
    """Messages of a client that the broker remembers."""
    got: list[dict[str, Any]] = []
    ready = threading.Event()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="listener", clean_session=False)
    client.on_connect = lambda *_: client.subscribe(TOPIC, qos=1)
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = lambda _client, _data, message: got.append(json.loads(message.payload))
    if user:
        client.username_pw_set(*user)
    client.reconnect_delay_set(0.1, 0.2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    try:
        assert ready.wait(10)
        yield got
    finally:
        client.disconnect()
        client.loop_stop()


def event(number: int) -> dict[str, Any]:
    return {"event": "left", "tracklet": f"door-{number}", "person": "Zoë"}


@needs_broker
def test_a_broker_that_is_killed_gets_every_event_once_it_is_back(broker: Broker) -> None:
    lines: list[str] = []
    log = MqttLog(f"mqtt://127.0.0.1:{broker.port}/{TOPIC}", lines.append, pauses=(0.1, 0.2, 0.3))
    with subscriber(broker) as got:
        for number in range(50):
            log.write(event(number))
        wait(lambda: len(got) >= 50)
        broker.keep()
        broker.kill()
        for number in range(50, 400):
            log.write(event(number))
        wait(lambda: len(lines) >= 3)
        broker.start()
        for number in range(400, 450):
            log.write(event(number))
        log.close()
        wait(lambda: len({one["tracklet"] for one in got}) >= 450)
    unique = list(dict.fromkeys(one["tracklet"] for one in got))
    assert unique == [f"door-{number}" for number in range(450)] and got[0] == event(0)
    assert log.counts == {"delivered": 450, "lost": 0}
    assert [line.rpartition("trying again in ")[2] for line in lines[:3]] == ["0.1 s", "0.2 s", "0.3 s"]
    assert lines[-1] == f"mqtt://127.0.0.1:{broker.port}/{TOPIC}: 450 events delivered"


def test_a_broker_that_is_away_holds_nobody_up_and_what_is_lost_is_counted() -> None:
    lines: list[str] = []
    with socket.socket() as silent:  # accepts connections, and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        log = MqttLog(f"mqtt://127.0.0.1:{silent.getsockname()[1]}/{TOPIC}", lines.append, backlog=100, grace=0.3)
        began = time.monotonic()
        for number in range(5000):
            log.write(event(number))
        assert time.monotonic() - began < 1 and log.counts["lost"] == 4900
        log.close()
        log.close()
        assert time.monotonic() - began < 3
    assert log.counts == {"delivered": 0, "lost": 5000} and lines[-1].endswith("0 events delivered, 5000 lost")


@needs_broker
def test_the_oldest_events_are_lost_if_too_many_wait(broker: Broker) -> None:
    with subscriber(broker) as got:
        broker.process.send_signal(signal.SIGSTOP)  # type: ignore[union-attr]
        log = MqttLog(f"mqtt://127.0.0.1:{broker.port}/{TOPIC}", backlog=100)
        for number in range(300):
            log.write(event(number))
        broker.process.send_signal(signal.SIGCONT)  # type: ignore[union-attr]
        log.close()
        wait(lambda: len(got) >= 100)
    assert [one["tracklet"] for one in got] == [f"door-{number}" for number in range(200, 300)]
    assert log.counts == {"delivered": 100, "lost": 200}


@needs_broker
def test_users_passwords_and_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for who, word in (("anna", "s3cr3t/#?"), ("listener", "l1sten")):
        flags = ["-b"] if (tmp_path / "users").exists() else ["-b", "-c"]
        subprocess.run(["mosquitto_passwd", *flags, tmp_path / "users", who, word], check=True)
    (tmp_path / "rights").write_text(f"user anna\ntopic write {TOPIC}\nuser listener\ntopic read {TOPIC}\n")
    made = Broker(tmp_path, "allow_anonymous false", f"password_file {tmp_path}/users", f"acl_file {tmp_path}/rights")
    made.start()
    place, lines = f"127.0.0.1:{made.port}/{TOPIC}", list[str]()
    try:
        with subscriber(made, user=("listener", "l1sten")) as got:
            log = MqttLog(f"mqtt://anna:s3cr3t%2F%23%3F@{place}", lines.append)
            log.write(event(1))
            log.close()
            monkeypatch.setenv("RESIGHT_MQTT_PASSWORD", "s3cr3t/#?")
            log = MqttLog(f"mqtt://anna@{place}", lines.append)
            log.write(event(2))
            log.close()
            wait(lambda: len(got) == 2)
            assert lines == [f"mqtt://{place}: 1 events delivered"] * 2
            log = MqttLog(f"mqtt://anna@{place}/elsewhere", lines.append)
            log.write(event(3))
            log.close()
            assert log.counts["lost"] == 1 and "refuses them: Not authorized" in lines[-1]
            log = MqttLog(f"mqtt://anna:wr0ng@{place}", lines.append, grace=0.5)
            log.write(event(4))
            wait(lambda: "trying again" in lines[-1])
            log.close()
            assert "refuses the connection (Not authorized)" in lines[-2] and "1 lost" in lines[-1]
    finally:
        made.kill()
    assert not any(word in line for line in lines for word in ("s3cr3t", "wr0ng", "anna"))


@needs_broker
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho leaves a refused socket to Python
def test_tls_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("right", "wrong"):
        make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=broker", "-days", "2"]
        make += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{tmp_path}/{name}.key", "-out", f"{tmp_path}/{name}.pem"]
        subprocess.run(make, check=True, capture_output=True)
    made = Broker(tmp_path, f"certfile {tmp_path}/right.pem", f"keyfile {tmp_path}/right.key", "allow_anonymous true")
    made.start()
    lines: list[str] = []
    try:
        for name, delivered in (("right", 1), ("wrong", 0)):
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / f"{name}.pem"))
            log = MqttLog(f"mqtts://127.0.0.1:{made.port}/{TOPIC}", lines.append, grace=5 * delivered + 0.5)
            log.write(event(1))
            if not delivered:
                wait(lambda: len(lines) > 1)
            log.close()
            assert log.counts["delivered"] == delivered
    finally:
        made.kill()
    assert "certificate verify failed" in lines[1]


@pytest.mark.parametrize(
    "address",
    [
        "mqtt://host", "mqtt://host/", "mqtt://host/a/#", "mqtt://host/a/+/b", "mqtt:///topic", "mqtt:topic", "mqtt://host:x/topic",
        "mqtt://anna:se#cret@host/topic", "mqtt://anna:se?cret@host/topic", "mqtt://anna:se/cret@host/topic",
    ],
)  # fmt: skip
def test_addresses_that_are_none_are_told_without_their_password(address: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="expected mqtt://USER@HOST:PORT/TOPIC") as told:
        open_log(address, print)
    assert "cret" not in str(told.value) and "anna" not in str(told.value)


@needs_broker
def test_watch_sends_its_events(broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result, file = tmp_path / "result.json", tmp_path / "events.jsonl"
    command = ["watch", f"door={walk(tmp_path / 'a.mp4', 60)}", "--model", "student-fastest"]
    assert main([*command, "--out", str(file)]) == 0
    written = [json.loads(line) for line in file.read_text().splitlines()]
    capsys.readouterr()
    with subscriber(broker) as got:
        address = f"mqtt://127.0.0.1:{broker.port}/{TOPIC}"
        assert main([*command, "--out", address, "--json", str(result)]) == 0
        wait(lambda: len(got) >= len(written))
    assert got == written != []
    assert json.loads(result.read_text())["events"] == {"delivered": len(written), "lost": 0}
    said = capsys.readouterr()
    assert f"{address}: {len(written)} events delivered" in said.err and "1 there, 1 used" in said.out
