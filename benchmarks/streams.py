"""Eight live streams at five frames a second, for as long as you like: is a frame lost, and does memory grow?

    python benchmarks/streams.py --yolox yolox_nano.onnx --minutes 30 --json results/benchmark-streams.json

`resight watch` watches them, detects on every frame and fills a gallery, until it is interrupted. The streams are films of drawn
people, H.264 over HTTP. A process of its own sends them at the pace of a camera, again and again, with a clock that goes on. Memory
is the resident set of `watch`. Its growth is that between the medians of the second and of the last sixth of the time, so that what
grows at the beginning, until every part has worked once, does not count.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import av

from resight.drawn.video import Films, film
from resight.files import read_json, write_json
from resight.gallery import Gallery, Settings
from resight.models import load_model
from resight.provenance import provenance

SIZE = (480, 640)
EVERY = 5.0  # seconds between two looks at the memory


def draw(folder: Path, cameras: int, seconds: float, rate: int, seed: int = 0) -> list[Path]:
    """Films of drawn people."""
    plan = Films(people=4 * cameras, cameras=max(2, cameras), seconds=seconds, rate=rate, size=SIZE, seed=seed)
    made = []
    for number in range(1, cameras + 1):
        made.append(folder / f"{number}.mp4")
        write_film(made[-1], (drawn.pixels for drawn in film(plan, number)), rate)
    return made


def write_film(path: Path, pictures: Iterator[Any], rate: int) -> None:
    """Frames, uint8 RGB (height, width, 3), as H.264; a frame that needs no other comes every two seconds."""
    with av.open(str(path), "w") as container:
        options = {"preset": "veryfast", "crf": "20", "g": str(2 * rate), "bf": "0"}
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.pix_fmt = "yuv420p"
        for number, pixels in enumerate(pictures):
            if not number:
                stream.height, stream.width = pixels.shape[:2]
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


class Sent:
    """A file that FFmpeg writes to, and that a client gets until it is `gone`."""

    def __init__(self, client: Any) -> None:
        self.client, self.gone = client, False

    def write(self, data: bytes) -> int:
        """Send bytes."""
        try:
            self.client.write(data)
        except OSError:
            self.gone = True
        return len(data)


def send(path: Path, client: Any, rate: int) -> None:
    """Send a film as MPEG-TS at its pace, again and again, until the client goes."""
    number, begin, sent = 0, time.monotonic(), Sent(client)
    with av.open(sent, "w", format="mpegts", options={"flush_packets": "1"}) as out:
        with av.open(str(path)) as source:
            stream = out.add_stream_from_template(source.streams.video[0])
        while not sent.gone:
            with av.open(str(path)) as source:
                for packet in source.demux(source.streams.video[0]):
                    if packet.pts is None or sent.gone:
                        continue
                    time.sleep(max(0.0, begin + number / rate - time.monotonic()))
                    packet.stream, packet.time_base = stream, Fraction(1, rate)
                    packet.pts = packet.dts = number
                    out.mux(packet)
                    number += 1


def serve(films: list[Path], rate: int, tell: Connection) -> None:
    """Serve films as streams: /0.ts, /1.ts and so on take turns with the films. Tells the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "video/mp2t")
            self.end_headers()
            send(films[int(self.path.strip("/").partition(".")[0]) % len(films)], self.wfile, rate)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    tell.send(server.server_port)
    server.serve_forever()


def resident(pid: int) -> float:
    """Memory of a process in MB."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1000 if found else 0.0


def grown(memory: list[float]) -> dict[str, float]:
    """Growth in per cent, from the second sixth of the time to the last one."""
    part = max(1, len(memory) // 6)
    first, last = statistics.median(memory[part : 2 * part] or memory), statistics.median(memory[-part:])
    return {"first_megabytes": first, "last_megabytes": last, "percent": 100 * (last / first - 1)}


def measure(yolox: Path, films: list[Path], *, streams: int, rate: int, minutes: float, folder: Path) -> dict[str, Any]:
    """Watch streams for some minutes: frames of each, those that were dropped, memory, and the share of a core that it took."""
    with Gallery.create(folder / "live", Settings.for_model("student", load_model("student"), retention=86_400)):
        pass
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(films, rate, theirs), daemon=True)
    server.start()
    port = ours.recv()
    cameras = [f"camera-{number}=http://127.0.0.1:{port}/{number}.ts" for number in range(streams)]
    command = [sys.executable, "-m", "resight.cli", "watch", *cameras, "--gallery", str(folder / "live")]
    command += ["--detector", f"yolox:{yolox}", "--out", str(folder / "events.jsonl"), "--json", str(folder / "live.json")]
    memory: list[float] = []
    began = time.monotonic()
    with (folder / "said").open("w") as said, subprocess.Popen(command, stderr=said) as watching:
        while time.monotonic() < began + 60 * minutes and watching.poll() is None:
            time.sleep(min(EVERY, 10 * minutes))
            with contextlib.suppress(OSError):
                memory.append(resident(watching.pid))
        watching.terminate()  # a process in the background may ignore what Ctrl-C sends
        _, status, used = os.wait4(watching.pid, 0)
        watching.returncode = os.waitstatus_to_exitcode(status)
    elapsed = time.monotonic() - began
    server.terminate()
    if watching.returncode:
        sys.exit(f"watch ended with {watching.returncode}: {(folder / 'said').read_text()[-500:]}")
    found: dict[str, Any] = read_json(folder / "live.json")
    counts = {
        name: sum(camera[name] for camera in found["cameras"].values())
        for name in ("frames", "dropped", "broken", "reconnected", "tracklets")
    }
    return {
        "streams": streams,
        "frames_per_second_each": rate,
        "seconds": elapsed,
        **counts,
        "least_frames": min(camera["frames"] for camera in found["cameras"].values()),
        "core_share": (used.ru_utime + used.ru_stime) / elapsed,
        "memory": grown(memory) | {"samples": memory},
    }


def line(found: dict[str, Any]) -> str:
    """The figures in words."""
    memory = found["memory"]
    return (
        f"{found['streams']} streams for {found['seconds'] / 60:.1f} minutes: "
        f"{found['frames']} frames, {found['dropped']} dropped, {found['reconnected']} times reconnected, "
        f"{found['tracklets']} tracklets; {found['core_share']:.2f} of a core; "
        f"memory {memory['first_megabytes']:.0f} to {memory['last_megabytes']:.0f} MB ({memory['percent']:+.1f} %)"
    )


def main() -> None:
    """Run the benchmark as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--yolox", type=Path, required=True, metavar="FILE", help="YOLOX-nano as ONNX")
    parser.add_argument("--streams", type=int, default=8)
    parser.add_argument("--rate", type=int, default=5, help="frames a second of each (default 5)")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        films = draw(Path(temporary), 4, 30, options.rate, options.seed)
        found = measure(
            options.yolox,
            films,
            streams=options.streams,
            rate=options.rate,
            minutes=options.minutes,
            folder=Path(temporary),
        )
    print(line(found))
    if options.json:
        config = {name: value for name, value in vars(options).items() if name not in ("json", "yolox")}
        write_json(options.json, {"figures": found, "provenance": provenance(config, seed=options.seed)})
    else:
        print(json.dumps(found["memory"]))


if __name__ == "__main__":
    main()
