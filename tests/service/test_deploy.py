"""The files in `deploy/`: the unit's command behind nginx with TLS, started for real; metrics that exist; the rest is parsed."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gallery.fakes import make_image
from gallery.remote.test_backlog import make_parcel
from resight.cli import app
from resight.errors import GalleryAwayError
from resight.gallery import Gallery, Settings
from resight.gallery.remote.service import ServiceGallery
from resight.models import load_model
from resight.service import new_token
from service.worlds import World

DEPLOY = Path(__file__).parents[2] / "deploy"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def test_every_metric_of_the_alerts_and_the_dashboard_exists(serve: Callable[..., World]) -> None:
    yaml = pytest.importorskip("yaml", reason="needs PyYAML")
    world = serve()
    world.client("viewer").post("/api/search", files={"images": make_image(1)}, data={"k": "1"})
    answer = world.client("admin").get("/api/metrics").text
    there = {line.split("{")[0].split()[0] for line in answer.splitlines() if not line.startswith("#")}
    rules = [rule for group in yaml.safe_load((DEPLOY / "prometheus/alerts.yaml").read_text())["groups"] for rule in group["rules"]]
    board = json.loads((DEPLOY / "grafana/resight.json").read_text())
    asked = [rule["expr"] for rule in rules] + [each["expr"] for panel in board["panels"] for each in panel["targets"]]
    named = {name for expression in asked for name in re.findall(r"resight_\w+", expression)}
    assert len(named) > 8 and named <= there, named - there
    assert all(rule["annotations"]["summary"] and rule["labels"]["severity"] in ("page", "ticket") for rule in rules)
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_the_state_of_the_gallery_is_measured(serve: Callable[..., World], tmp_path: Path) -> None:
    world = serve()

    def measured() -> dict[str, float]:
        lines = world.client("admin").get("/api/metrics").text.splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}

    before = measured()
    assert before["resight_ready"] == 1
    assert {place: before[f'resight_free_bytes{{place="{place}"}}'] > 0 for place in ("audit", "gallery")}
    assert before['resight_sightings{camera="hall"}'] == 8
    last = world.gallery.cameras()["hall"].last
    assert last is not None and before['resight_last_sighting_timestamp_seconds{camera="hall"}'] == last.timestamp()
    (tmp_path / "gallery" / "gallery.sqlite").rename(tmp_path / "elsewhere")
    after = measured()
    assert after["resight_ready"] == 0 and not [name for name in after if "camera=" in name]
    (tmp_path / "elsewhere").rename(tmp_path / "gallery" / "gallery.sqlite")


def unit(name: str) -> tuple[dict[str, str], str]:
    """Environment and command of a unit."""
    lines = (DEPLOY / "systemd" / name).read_text().splitlines()
    environment = dict(line.removeprefix("Environment=").split("=", 1) for line in lines if line.startswith("Environment="))
    (command,) = (line.removeprefix("ExecStart=") for line in lines if line.startswith("ExecStart="))
    return environment, command


def expanded(command: str, values: dict[str, str]) -> list[str]:
    return [re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], word) for word in shlex.split(command)]


@pytest.mark.parametrize("name", ["resight.service", "resight-watch@.service"])
def test_units_are_what_systemd_expects(name: str, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("needs systemd-analyze")
    text = (DEPLOY / "systemd" / name).read_text().replace("/opt/resight/bin/resight", sys.executable)
    (tmp_path / name).write_text(text)
    done = subprocess.run([analyze, "verify", str(tmp_path / name)], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if name in line]
    assert told == [], done.stderr
    environment, command = unit(name)
    values = {"RESIGHT_SOURCE": "rtsp://10.0.0.7/main"} | environment
    app.parse_args(expanded(command.replace("%i", "door"), values)[1:], exit_on_error=False, print_error=False)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def wait_for(address: str, **options: Any) -> None:
    began = time.monotonic()
    while time.monotonic() - began < 240:
        try:
            if httpx.get(address, timeout=10, **options).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"{address} does not answer")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[int, str]]:
    """The command of the unit, on a gallery of its own: its port and a token."""
    settings = Settings.for_model("student-fastest", load_model("student-fastest"), retention=None)
    Gallery.create(tmp_path / "people", settings).close()
    token, port = new_token(tmp_path / "access.toml", "watcher", "operator"), free_port()
    environment, command = unit("resight.service")
    values = environment | {
        "RESIGHT_GALLERY": str(tmp_path / "people"),
        "RESIGHT_ACCESS": str(tmp_path / "access.toml"),
        "RESIGHT_PORT": str(port),
    }
    words = [sys.executable, "-m", "resight.cli", *expanded(command, values)[1:]]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/readyz")
        yield port, token
        process.send_signal(signal.SIGINT)  # as the unit says
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def proxy(service: tuple[int, str], tmp_path: Path) -> Iterator[tuple[int, int, Path]]:
    """nginx in front of the service."""
    with behind_nginx(tmp_path, service[0]) as found:
        yield found


@contextmanager
def behind_nginx(tmp_path: Path, *ports: int) -> Iterator[tuple[int, int, Path]]:
    """nginx with the configuration of `deploy/` before some services: its port for TLS, the other one, and its certificate."""
    if NGINX is None or shutil.which("openssl") is None:
        pytest.skip("needs nginx and openssl")
    certificate, key = tmp_path / "fullchain.pem", tmp_path / "privkey.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,DNS:gallery.example.org"]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*make, *subject], check=True, capture_output=True)
    secure, plain = free_port(), free_port()
    changes = {
        "    server 127.0.0.1:8000 max_fails=2 fail_timeout=5s;": "\n".join(
            f"    server 127.0.0.1:{port} max_fails=2 fail_timeout=5s;" for port in ports
        ),
        "listen 443": f"listen 127.0.0.1:{secure}",
        "listen 80": f"listen 127.0.0.1:{plain}",
        "server_name gallery.example.org": "server_name gallery.example.org localhost",
        "/etc/ssl/resight/fullchain.pem": str(certificate),
        "/etc/ssl/resight/privkey.pem": str(key),
    }
    text = (DEPLOY / "nginx/resight.conf").read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    paths = "".join(f"{name}_temp_path {tmp_path}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid {tmp_path}/nginx.pid; error_log {tmp_path}/error.log; worker_processes 1;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{paths}{text}\n}}\n"
    )
    process = subprocess.Popen([NGINX, "-e", str(tmp_path / "error.log"), "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")])
    try:
        wait_for(f"https://localhost:{secure}/readyz", verify=trusted(certificate))
        yield secure, plain, certificate
    finally:
        process.terminate()
        process.wait(30)


def trusted(certificate: Path) -> Any:
    import ssl

    return ssl.create_default_context(cafile=str(certificate))


@pytest.mark.skipif(os.name != "posix", reason="sends signals as POSIX does")
def test_a_watcher_reaches_the_service_through_nginx_with_tls(
    service: tuple[int, str], proxy: tuple[int, int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secure, plain, certificate = proxy
    with httpx.Client(verify=trusted(certificate), base_url=f"https://localhost:{secure}", timeout=60) as client:
        name = {"Host": "gallery.example.org"}
        page = client.get("/", headers=name)
        assert page.status_code == 200 and "max-age" in page.headers["strict-transport-security"]
        assert client.get("/api/session", headers=name).status_code == 401
        large = client.post("/api/tracklets", headers=name, content=bytes(9_000_000))
        assert large.status_code == 413
        away = httpx.get(f"http://localhost:{plain}/x?y=1", headers=name)
        assert (away.status_code, away.headers["location"]) == (301, "https://gallery.example.org/x?y=1")
        assert client.get("/", headers={"Host": "localhost"}).status_code == 200
    model = load_model("student-fastest")
    gallery = ServiceGallery(f"https://localhost:{secure}", lambda: service[1])
    with pytest.raises(GalleryAwayError, match="certificate"):
        gallery.settings()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert gallery.settings().model_sha256 == model.sha256
    parcel = make_parcel()  # its vector is of another model: the service embeds the crops
    assert [gallery.deliver(parcel, model) for _ in range(2)] == ["added", "present"]
    gallery.close()
    with Gallery.open(tmp_path / "people") as opened:
        assert [record.id for record in opened.records()] == [parcel.id]


def test_what_no_engine_runs_here_can_be_read() -> None:
    """Neither Docker nor Compose runs in this test: names, paths and commands are checked."""
    yaml = pytest.importorskip("yaml", reason="needs PyYAML")
    root = DEPLOY.parent
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            assert all((root / name).exists() for name in line.split()[1:-1]), line
    (start,) = (json.loads(line.removeprefix("ENTRYPOINT ")) for line in lines if line.startswith("ENTRYPOINT "))
    (command,) = (json.loads(line.removeprefix("CMD ")) for line in lines if line.startswith("CMD "))
    assert start == ["resight"]
    app.parse_args(command, exit_on_error=False, print_error=False)
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert set(compose["services"]) == {"database", "service", "proxy"}
    service = compose["services"]["service"]
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).samefile(DEPLOY / "Dockerfile")
    app.parse_args([re.sub(r"\$\{[^}]*\}", "x", word) for word in service["command"]], exit_on_error=False, print_error=False)
    for each in compose["services"].values():
        for volume in each.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or source == "./tls" or (DEPLOY / source).exists(), volume
    plain, composed = ((DEPLOY / "nginx" / name).read_text() for name in ("resight.conf", "compose.conf"))
    body = plain[plain.index("upstream resight {") :]
    assert composed.endswith(body.replace("server 127.0.0.1:8000", "server service:8000"))
