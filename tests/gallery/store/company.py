"""A service and the command line as processes that share one gallery, and can be killed.

The processes are forked from a server that has imported everything, which spares each of them a second.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import multiprocessing
import os
import re
import secrets
import sys
import time
from pathlib import Path
from typing import Any

from gallery.fakes import make_image
from resight.cli import main
from resight.gallery import sighting_id

CAMERA = "hall"

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["resight.cli", "resight.gallery", "resight.models", "resight.service.server", "onnxruntime"])


class Killed(Exception):
    """The process was killed before it had answered."""


def make_crop(number: int) -> tuple[bytes, str]:
    """An image file, and the id that its sighting will have."""
    data = make_image(number)
    return data, sighting_id(hashlib.sha256(data).hexdigest(), CAMERA, None)


def _run(arguments: list[str], said: str) -> None:
    descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    sys.exit(main(arguments))


class Shell:
    """Runs `resight`, one command at a time."""

    def __init__(self, folder: Path) -> None:
        self._said = folder / "shell.txt"
        self.process: Any = None

    def resight(self, *arguments: object) -> tuple[int, str]:
        """Exit code and output of a command. Raises `Killed`."""
        process = _forks.Process(target=_run, args=(list(map(str, arguments)), str(self._said)))
        process.start()
        self.process = process
        process.join()
        code = process.exitcode or 0
        if code < 0:
            raise Killed
        return code, self._said.read_text()

    def kill(self) -> None:
        """Kill -9 whatever it is doing."""
        if self.process is not None:
            self.process.kill()


class Service:
    """`resight serve`, asked over HTTP."""

    def __init__(self, gallery: Path, folder: Path) -> None:
        self._gallery, self._said = gallery, folder / "service.txt"
        self.process: Any = None
        self._port, self._token = 0, ""

    def start(self) -> None:
        """Start it unless it is running."""
        if self.process is not None and self.process.is_alive():
            return
        self._said.write_text("")
        arguments = ["serve", str(self._gallery), "--port", "0"]
        self.process = _forks.Process(target=_run, args=(arguments, str(self._said)))
        self.process.start()
        deadline = time.monotonic() + 60
        while not (found := re.search(r":(\d+)/#token=(\S+)\n", self._said.read_text())):
            assert self.process.is_alive() and time.monotonic() < deadline, self._said.read_text()
            time.sleep(0.01)
        self._port, self._token = int(found[1]), found[2]

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        self.process.join()

    def ask(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> tuple[int, Any]:
        """Status and JSON of an answer. Raises `Killed`."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {self._token}", "Content-Type": kind})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException):
            self.process.join(10)
            if self.process.is_alive():
                raise
            raise Killed from None
        finally:
            connection.close()

    def enrol(self, data: bytes) -> tuple[int, Any]:
        """Add one crop."""
        boundary = secrets.token_hex(16)
        fields = f'--{boundary}\r\nContent-Disposition: form-data; name="camera"\r\n\r\n{CAMERA}\r\n'
        fields += f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="x.png"\r\n'
        fields += "Content-Type: image/png\r\n\r\n"
        body = fields.encode() + data + f"\r\n--{boundary}--\r\n".encode()
        return self.ask("POST", "/api/sightings", body, f"multipart/form-data; boundary={boundary}")

    def purge(self, *ids: str) -> tuple[int, Any]:
        """Delete sightings."""
        return self.ask("POST", "/api/purge", json.dumps({"ids": ids, "dry_run": False}).encode())
