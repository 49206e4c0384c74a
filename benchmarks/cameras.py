"""From a film to a gallery: frames a second of `resight watch` and of the usual way, and live streams, in one run on two cores.

    python benchmarks/cameras.py --yolox yolox_nano.onnx --osnet osnet_x0_25_market1501.pth \
        --sequence TUD-Campus --sequence TUD-Stadtmitte --json results/benchmark-cameras.json

The film has 640x480 pixels, in H.264: the sequences' frames, there and back again, or drawn people without any sequence. Everybody
runs as a command in a process of its own, in turn, each round. Its time is that for the film less that for a film of a few frames,
so that starting up does not count. `benchmarks/usual.py` is the usual way. IDF1 is that of `resight watch --score`.

`--stages` tells instead where the processor's time goes, from figures of threads, which other work on the machine disturbs little.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import cv2
from streams import SIZE, line, measure, write_film
from streams import draw as draw_streams

from resight.cameras import Detections, Detector, Frame, Watch
from resight.cameras.detectors import load_detector
from resight.cameras.events import EventLog
from resight.cameras.sources import VideoSource
from resight.cameras.tracking import Tracker
from resight.cameras.tracklets import Path as Passage
from resight.drawn.video import Films
from resight.drawn.video import film as draw_film
from resight.files import read_json, write_json
from resight.gallery import Gallery, Settings
from resight.gallery.keeping import Keeper
from resight.images import read_image
from resight.models import load_model
from resight.provenance import provenance

RATE = 25
WARM = 25  # frames of the film whose time is that of starting up


def pictures(sequences: Sequence[Path], count: int, seed: int) -> Iterator[Any]:
    """So many frames, or more: sequences one after the other, there and back again; or drawn ones."""
    if not sequences:
        plan = Films(people=max(2, count // 30), cameras=2, seconds=count / RATE, rate=RATE, size=SIZE, seed=seed)
        yield from (drawn.pixels for drawn in draw_film(plan, 1))
        return
    paths = [sorted((folder / "img1").iterdir()) for folder in sequences]
    for path in cycle([path for frames in paths for path in (*frames, *frames[::-1])]):
        pixels = read_image(path)
        yield pixels if pixels.shape[:2] == SIZE else cv2.resize(pixels, SIZE[::-1], interpolation=cv2.INTER_AREA)


def new_gallery(folder: Path) -> Path:
    """An empty gallery."""
    with Gallery.create(folder, Settings.for_model("student", load_model("student"), retention=None)):
        return folder


def timed(command: list[str], cores: set[int]) -> tuple[float, float]:
    """Seconds of a command, by the clock and of processors, on some cores."""
    began = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=lambda: os.sched_setaffinity(0, cores)
    ) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}: {said.decode()[-800:]}")
    return time.perf_counter() - began, used.ru_utime + used.ru_stime


def contestants(options: argparse.Namespace) -> dict[str, Callable[[Path, Path], list[str]]]:
    """Commands that take a film, and a folder for whatever they make."""

    def watch(*more: str) -> Callable[[Path, Path], list[str]]:
        def command(film: Path, folder: Path) -> list[str]:
            start = [sys.executable, "-m", "resight.cli", "watch", f"door={film}", "--start", "2026-03-01T12:00"]
            return [*start, "--gallery", str(new_gallery(folder / "people")), "--out", str(folder / "events.jsonl"), *more]

        return command

    def usual(film: Path, folder: Path) -> list[str]:
        script = str(Path(__file__).with_name("usual.py"))
        weights = ["--yolox", str(options.yolox), "--osnet", str(options.osnet)]
        return [sys.executable, script, str(film), *weights, "--out", str(folder / "people.npz")]

    found = {
        "every frame": watch("--detector", f"yolox:{options.yolox}"),
        "one in three": watch("--detector", f"yolox:{options.yolox}", "--every", "3"),
        "motion": watch("--detector", "motion"),
    }
    return found | ({"usual": usual} if options.osnet else {})


def race(options: argparse.Namespace, films: tuple[Path, Path], cores: set[int]) -> dict[str, Any]:
    """Frames a second, and processor time for a frame, of all contestants in turn."""
    figures: dict[str, Any] = {name: {"seconds": [], "processor_seconds": []} for name in contestants(options)}
    frames = options.frames - WARM
    for number in range(options.rounds):
        for name, command in contestants(options).items():
            taken = []
            for film in films:
                with tempfile.TemporaryDirectory() as folder:
                    taken.append(timed(command(film, Path(folder)), cores))
            (clock, processor), (clock_start, processor_start) = taken
            figures[name]["seconds"].append(clock - clock_start)
            figures[name]["processor_seconds"].append(processor - processor_start)
            print(f"round {number + 1}, {name}: {frames / (clock - clock_start):.1f} frames/s", flush=True)
    for found in figures.values():
        found["frames_per_second"] = frames / statistics.median(found["seconds"])
        found["processor_milliseconds"] = 1000 * statistics.median(found["processor_seconds"]) / frames
        if "usual" in figures:
            pairs = zip(figures["usual"]["seconds"], found["seconds"], strict=True)
            found["times_the_usual"] = statistics.median(theirs / ours for theirs, ours in pairs)
    return figures


def scores(options: argparse.Namespace) -> dict[str, Any]:
    """IDF1 and MOTA on the sequences, with detection in every frame and in one of three."""
    found: dict[str, Any] = {}
    for folder in options.sequence:
        for name, every in (("every frame", 1), ("one in three", 3)):
            with tempfile.TemporaryDirectory() as temporary:
                result = Path(temporary) / "result.json"
                command = [sys.executable, "-m", "resight.cli", "watch", f"a={folder}", "--detector", f"yolox:{options.yolox}"]
                command += ["--every", str(every), "--score", str(folder / "gt" / "gt.txt"), "--json", str(result)]
                subprocess.run(command, check=True, capture_output=True)
                values = read_json(result)["scores"]["a"]
            found.setdefault(folder.name, {})[name] = {key: values[key] for key in ("idf1", "mota", "hota")}
            print(f"{folder.name}, {name}: IDF1 {values['idf1']:.1f}, MOTA {values['mota']:.1f}", flush=True)
    return found


def stages(film: Path, detector: str, every: int) -> dict[str, Any]:
    """Processor milliseconds for a frame, by stage, with every network on one thread."""
    spent: dict[str, float] = defaultdict(float)
    crops = 0

    def timed_as(stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            begin = time.thread_time()
            try:
                return work(*given, **named)
            finally:
                spent[stage] += time.thread_time() - begin

        return call

    class Source(VideoSource):
        def frames(self) -> Iterator[Any]:
            frames = super().frames()
            following = timed_as("decode", lambda: next(frames, None))
            while (frame := following()) is not None:
                yield frame

    class Finder(Detector):
        def __init__(self, own: Detector) -> None:
            self.name, self.own, self.detect = own.name, own, timed_as("detect", own.detect)  # type: ignore[method-assign]

        def detect(self, frame: Frame) -> Detections: ...  # type: ignore[empty-body]

        def for_camera(self, camera: str) -> Detector:
            return Finder(self.own.for_camera(camera))

    class Follower(Tracker):
        update = timed_as("track", Tracker.update)  # type: ignore[assignment]
        wanted = timed_as("track", Tracker.wanted)  # type: ignore[assignment]

    source, model = Source("door", str(film), threads=1), load_model("student", threads=1)
    source.every = every
    run = timed_as("embed", model._run)  # type: ignore[attr-defined]

    def embed(pixels: Any) -> Any:
        nonlocal crops
        crops += len(pixels)
        return run(pixels)

    model._run = embed  # type: ignore[attr-defined]
    see, Passage.see = Passage.see, timed_as("tracklets", Passage.see)  # type: ignore[method-assign]
    try:
        with tempfile.TemporaryDirectory() as folder, Gallery.open(new_gallery(Path(folder) / "people")) as gallery:
            keeper = Keeper(EventLog(Path(folder) / "events.jsonl"), [source], gallery)
            watching = Watch([source], Finder(load_detector(detector, threads=1)), model, Follower, observers=[keeper])
            keep, begin = timed_as("gallery", keeper.keep), time.process_time()
            for event in watching.run():
                keep(event)
            whole = time.process_time() - begin
    finally:
        Passage.see = see  # type: ignore[method-assign]
    frames = source.counts.frames
    spent["other"] = whole - sum(spent.values())
    milliseconds = {stage: 1000 * seconds / frames for stage, seconds in spent.items()}
    return {"frames": frames, "milliseconds": milliseconds | {"whole": 1000 * whole / frames}, "crops": crops / frames}


def main() -> None:
    """Run the benchmark as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--yolox", type=Path, required=True, metavar="FILE", help="YOLOX-nano as ONNX")
    parser.add_argument("--osnet", type=Path, metavar="FILE", help="OSNet x0.25 of its authors; without it, no usual way")
    parser.add_argument("--sequence", action="append", default=[], type=Path, metavar="FOLDER", help="in MOTChallenge's layout")
    parser.add_argument("--frames", type=int, default=1000, help="of the film (default 1000)")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each, in turn (default 5)")
    parser.add_argument("--cores", type=int, default=2, help="that a contestant may use (default 2)")
    parser.add_argument("--minutes", type=float, default=5, help="of eight live streams; 0 is none (default 5)")
    parser.add_argument("--stages", action="store_true", help="measure the stages instead")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    options = parser.parse_args()
    cores = set(sorted(os.sched_getaffinity(0))[: options.cores])
    figures: dict[str, Any] = {"size": SIZE, "cores": len(cores)}
    with tempfile.TemporaryDirectory() as temporary:
        films = Path(temporary) / "film.mp4", Path(temporary) / "start.mp4"
        for film, frames in zip(films, (options.frames, WARM), strict=True):
            write_film(film, islice(pictures(options.sequence, options.frames, options.seed), frames), RATE)
        if options.stages:
            for name, detector, every in (("every frame", "yolox", 1), ("one in three", "yolox", 3), ("motion", "motion", 1)):
                found = stages(films[0], f"yolox:{options.yolox}" if detector == "yolox" else detector, every)
                figures.setdefault("stages", {})[name] = found
                parts = ", ".join(f"{stage} {value:.2f}" for stage, value in found["milliseconds"].items())
                print(f"{name}: {parts} ms a frame; {found['crops']:.1f} crops", flush=True)
        else:
            figures["film"] = race(options, films, cores)
            for name, found in figures["film"].items():
                print(f"{name}: {found['frames_per_second']:.1f} frames/s, {found['processor_milliseconds']:.1f} ms of processors")
            figures["scores"] = scores(options)
            if options.minutes:
                os.sched_setaffinity(0, cores)
                drawn = draw_streams(Path(temporary), 4, 30, 5, options.seed)
                live = measure(options.yolox, drawn, streams=8, rate=5, minutes=options.minutes, folder=Path(temporary))
                figures["streams"] = live
                print(line(live))
    if options.json:
        config = {name: value for name, value in vars(options).items() if name not in ("json", "yolox", "osnet", "sequence")}
        config["sequences"] = [folder.name for folder in options.sequence]
        write_json(options.json, {"figures": figures, "provenance": provenance(config, seed=options.seed)})


if __name__ == "__main__":
    main()
