"""Two services on one database behind nginx, under load, while one of them is killed and started again.

    python benchmarks/two_services.py --json results/benchmark-two-services.json

The gallery is in PostgreSQL, with an HNSW index. nginx has the configuration of deploy/, with TLS. Clients search as in
benchmarks/service.py, first with both services, then while one is killed (`kill -9`), stays away, and is started again. Meanwhile
one more client enrols crops. At the end, every enrolment that was acknowledged must be in the gallery, and the audit chain whole.
Needs nginx and openssl.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from database import SHARED_BUFFERS, started

from resight.drawn import crops
from resight.files import write_json
from resight.gallery import Gallery, upkeep
from resight.provenance import provenance
from resight.service import new_token
from resight.service.audit_database import DatabaseAudit
from service import BOUNDARY, cpu_seconds, fill, press

DEPLOY = Path(__file__).parents[1] / "deploy"
PORTS = (8701, 8702)
SECURE, PLAIN = 8743, 8780


def start(location: str, port: int, access: Path) -> subprocess.Popen[bytes]:
    """Start a service, and wait until it is ready."""
    command = [sys.executable, "-m", "resight.cli", "serve", location, "--port", str(port), "--access", str(access)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    ready(f"http://127.0.0.1:{port}/readyz")
    return process


def ready(address: str, context: ssl.SSLContext | None = None) -> None:
    """Wait until an address answers."""
    for _ in range(2400):
        try:
            with urllib.request.urlopen(address, timeout=10, context=context):
                return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"{address} does not answer")


@contextmanager
def nginx(folder: Path) -> Iterator[Path]:
    """nginx before both services; gives its certificate."""
    certificate, key = folder / "fullchain.pem", folder / "privkey.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(
        [*make, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True, stderr=subprocess.DEVNULL
    )
    text = (DEPLOY / "nginx/resight.conf").read_text()
    server = "    server 127.0.0.1:{} max_fails=2 fail_timeout=5s;"
    for old, new in {
        server.format(8000): "\n".join(map(server.format, PORTS)),
        "listen 443": f"listen 127.0.0.1:{SECURE}",
        "listen 80": f"listen 127.0.0.1:{PLAIN}",
        "gallery.example.org": "localhost",
        "/etc/ssl/resight": str(folder),
    }.items():
        assert old in text
        text = text.replace(old, new)
    paths = "".join(f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    about = f"daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;"
    (folder / "nginx.conf").write_text(f"{about}\nevents {{}}\nhttp {{\naccess_log off;\n{paths}{text}\n}}\n")
    process = subprocess.Popen(["nginx", "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        ready(f"https://localhost:{SECURE}/readyz", ssl.create_default_context(cafile=str(certificate)))
        yield certificate
    finally:
        process.terminate()
        process.wait(30)


def enrol(token: str, certificate: Path, stop: threading.Event, acknowledged: list[str], statuses: Counter[str]) -> None:
    """Enrol crops of noise, some ten a second, one after the other."""
    rng, context = np.random.default_rng(3), ssl.create_default_context(cafile=str(certificate))
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="crop.png"\r\nContent-Type: image/png\r\n\r\n'
    headers = {"Authorization": f"Bearer {token}", "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    while not stop.wait(0.1):
        image = cv2.imencode(".png", rng.integers(0, 256, (128, 64, 3), dtype=np.uint8))[1].tobytes()
        body = head.encode() + image + f"\r\n--{BOUNDARY}--\r\n".encode()
        request = urllib.request.Request(f"https://localhost:{SECURE}/api/sightings", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=120, context=context) as answer:
                acknowledged.append(json.load(answer)["id"])
                statuses[str(answer.status)] += 1
        except urllib.error.HTTPError as error:
            statuses[str(error.code)] += 1


def measure(location: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Both services, then one after the other."""
    crops.generate(folder / "people", identities_train=2, identities_test=25, seed=options.seed)
    pictures = sorted((folder / "people" / "query").glob("*.jpg"))
    print(f"filling a gallery with {options.size:,} vectors", flush=True)
    fill(location, options.size, pictures, options.seed)
    print("building its index", flush=True)
    upkeep.migrate(location, hnsw=options.hnsw)
    token, images = new_token(folder / "access.toml", "anna", "admin"), [path.read_bytes() for path in pictures]
    run = partial(start, location, access=folder / "access.toml")
    services = [run(port=port) for port in PORTS]
    figures: dict[str, Any] = {}
    acknowledged: list[str] = []
    enrolled: Counter[str] = Counter()
    stop = threading.Event()
    try:
        with nginx(folder) as certificate, multiprocessing.get_context("spawn").Pool(1) as pool:
            wanted = vars(options) | {"certificate": str(certificate)}
            writer = threading.Thread(target=enrol, args=(token, certificate, stop, acknowledged, enrolled))
            writer.start()
            try:
                for name in ("both", "one killed and started again"):
                    before = sum(cpu_seconds(service.pid) for service in services)
                    waiting = pool.apply_async(press, (SECURE, token, images, wanted))
                    if name == "both":
                        figures[name] = waiting.get()
                        spent = sum(cpu_seconds(service.pid) for service in services) - before
                        figures[name]["server_cpu_seconds"] = spent
                    else:
                        time.sleep(options.warm_up + options.seconds / 3)
                        services[0].kill()
                        services[0].wait()
                        time.sleep(options.seconds / 6)
                        services[0] = run(port=PORTS[0])
                        figures[name] = waiting.get()
                    print(name, figures[name], flush=True)
            finally:
                stop.set()
                writer.join()
    finally:
        for service in services:
            service.kill()
            service.wait()
    with Gallery.open(location) as gallery:
        lost = len(set(acknowledged) - set(gallery.sightings(acknowledged)))
    with closing(DatabaseAudit(location)) as audit:
        problems = audit.problems()
    figures["enrolments"] = {"statuses": dict(enrolled), "acknowledged": len(acknowledged), "lost": lost}
    figures["audit_problems"] = problems
    print(figures["enrolments"], problems or "the audit chain is whole", flush=True)
    return figures


def main() -> None:
    """Run the benchmark as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", type=int, default=100_000, help="sightings in the gallery (default 100,000)")
    parser.add_argument("--hnsw", type=int, default=200, help="candidates of its index (default 200)")
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60, help="of load, twice (default 60)")
    parser.add_argument("--warm-up", type=float, default=5, help="seconds before them (default 5)")
    parser.add_argument("--k", type=int, default=20, help="sightings that a search asks for (default 20)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="resight-benchmark-"))
    database = started(folder)
    try:
        figures = measure(database.get_uri(), folder, options)
    finally:
        database.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
    if options.json:
        config = {name: value for name, value in vars(options).items() if name != "json"} | {"shared_buffers": SHARED_BUFFERS}
        write_json(options.json, {"figures": figures, "provenance": provenance(config, seed=options.seed)})
    failed = sum(one.get("errors_5xx", 0) for one in figures.values() if isinstance(one, dict))
    if failed or figures["enrolments"]["lost"] or figures["audit_problems"]:
        sys.exit("the services failed")


if __name__ == "__main__":
    main()
