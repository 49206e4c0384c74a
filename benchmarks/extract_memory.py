"""Memory of `resight extract`: the same images listed more and more often, each list in a process of its own.

    python benchmarks/extract_memory.py --model model.onnx --data /path/to/images --json results/benchmark-extract-memory.json

The list of names and labels may grow; vectors and pixels may not.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from resight.datasets.image_list import find_images
from resight.files import write_json
from resight.provenance import provenance

_EXTRACT = """
import sys
from resight.cli import main
code = main(sys.argv[1:])
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print("peak", int(peak.split()[1]) * 1024)
sys.exit(code)
"""


def extract(model: str, paths: tuple[str, ...], count: int, folder: Path) -> dict[str, Any]:
    """Extract `count` images, paths repeated as often as that takes; what memory and time it took."""
    listed = folder / "list.txt"
    listed.write_text("\n".join(str(Path(paths[i % len(paths)]).resolve()) for i in range(count)) + "\n")
    arguments = ["extract", "--model", model, "--images", str(listed), "--out", str(folder / f"v{count}")]
    done = subprocess.run([sys.executable, "-c", _EXTRACT, *arguments], capture_output=True, text=True, check=True)
    report = json.loads((folder / f"v{count}.report.json").read_text())
    return {
        "images": count,
        "peak_megabytes": int(done.stdout.split("peak ")[1]) / 1e6,
        "vectors_megabytes": 4e-6 * report["vectors"] * report["embedding_size"],
        "seconds": report["seconds"],
        "images_per_second": report["images_per_second"],
    }


def main() -> None:
    """Run the benchmark as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True, metavar="FOLDER", help="images")
    parser.add_argument("--counts", type=int, nargs="+", default=[2_000, 20_000, 200_000])
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    options = parser.parse_args()
    paths = find_images(options.data).paths
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for count in options.counts:
            rows.append(extract(options.model, paths, count, Path(folder)))
            print("{images} images: {peak_megabytes:.0f} MB at most, {images_per_second:.0f} images/s".format_map(rows[-1]))
    if options.json:
        config = {"model": Path(options.model).name, "counts": options.counts}
        write_json(options.json, {"figures": rows, "provenance": provenance(config)})


if __name__ == "__main__":
    main()
