"""Time from an image file's bytes to pixels of a network's size: Pillow, OpenCV, simplejpeg and Resight, in turn, in one run.

    python benchmarks/decode.py --data /path/to/Market-1501 --json results/benchmark-decode.json

Runs on one thread and counts processor time, so that other work on the machine disturbs it little.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from resight.datasets.image_list import find_images
from resight.files import write_json
from resight.images import decode, read_file, resize
from resight.provenance import provenance

Pixels = NDArray[np.uint8]
Decoder = Callable[[bytes, tuple[int, int]], Pixels]


def by_pillow(data: bytes, size: tuple[int, int]) -> Pixels:
    """As most repositories of the field do."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB").resize(size[::-1], Image.Resampling.BILINEAR))


def by_opencv(data: bytes, size: tuple[int, int]) -> Pixels:
    """No look at the header."""
    return resize(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB), size)  # type: ignore[arg-type]


def by_simplejpeg(data: bytes, size: tuple[int, int]) -> Pixels:
    """No look at the header."""
    return resize(simplejpeg.decode_jpeg(data, "RGB"), size)


def by_resight(data: bytes, size: tuple[int, int]) -> Pixels:
    """The header held against the bounds, then whatever is fastest."""
    return resize(decode(data), size)


def microseconds(contestants: dict[str, Callable[[], object]], count: int, rounds: int) -> dict[str, Any]:
    """Processor time for one image of each contestant, interleaved, after a round that is not measured."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, work in contestants.items():
            start = time.thread_time()
            work()
            if turn:
                times[name].append(1e6 * (time.thread_time() - start) / count)
    return {name: {"median": statistics.median(found), "rounds": found} for name, found in times.items()}


def compared(decoders: dict[str, Decoder], files: Sequence[bytes], size: tuple[int, int], rounds: int) -> dict[str, Any]:
    """Times of decoders, and how many times Resight's time each takes."""

    def work(decoder: Decoder) -> None:
        for data in files:
            decoder(data, size)

    found = microseconds({name: partial(work, decoder) for name, decoder in decoders.items()}, len(files), rounds)
    ours = found["resight"]["rounds"]
    for figures in found.values():
        figures["ratio"] = statistics.median(theirs / mine for theirs, mine in zip(figures["rounds"], ours, strict=True))
    return found


def main() -> None:
    """Run the benchmark as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", required=True, metavar="FOLDER", help="images, such as Market-1501's")
    parser.add_argument("--images", type=int, default=1000, help="of them (default 1000)")
    parser.add_argument("--rounds", type=int, default=9, help="measurements of each, in turn (default 9)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    paths = find_images(options.data).paths
    paths = [paths[i] for i in np.linspace(0, len(paths) - 1, min(options.images, len(paths))).astype(int)]
    files = [read_file(path) for path in paths]
    figures: dict[str, Any] = {
        "images": len(files),
        "mean_bytes": statistics.mean(map(len, files)),
        "read": microseconds({"read": lambda: [read_file(path) for path in paths]}, len(files), options.rounds)["read"],
    }
    print(f"reading a file: {figures['read']['median']:.1f} us")
    decoders: dict[str, Decoder] = {"pillow": by_pillow, "opencv": by_opencv, "simplejpeg": by_simplejpeg, "resight": by_resight}
    for size in ((128, 128), (256, 128)):
        found = figures[f"to_{size[0]}x{size[1]}"] = compared(decoders, files, size, options.rounds)
        line = ", ".join(f"{name} {values['median']:.1f} us ({values['ratio']:.2f})" for name, values in found.items())
        print(f"decoding and resizing to {size[0]}x{size[1]}: {line}")
    if options.json:
        config = {name: value for name, value in vars(options).items() if name not in ("json", "data")}
        write_json(options.json, {"figures": figures, "provenance": provenance(config, seed=options.seed)})


if __name__ == "__main__":
    main()
