"""Scripts that start Ray clusters, each in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from resight.drawn import crops

MEMORY = 100 * 2**20
"""Bytes of each node's object store."""

_PATIENCE = {"RAY_raylet_start_wait_time_s": "300", "RAY_agent_register_timeout_ms": "300000"}
"""For machines that have other work."""


def run_script(script: str, **more: str) -> str:
    """Run a script, with `more` in its environment, and return what it prints."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", **_PATIENCE, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | more
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def make_images(root: Path, count: int) -> Path:
    """Write so many drawn crops into one folder, of which number 300 is no image."""
    people = -(-count // 24)
    crops.generate(root / "drawn", identities_train=2, identities_test=people, cameras=3, images_per_camera=8, size=(64, 32))
    flat = root / "flat"
    flat.mkdir()
    for number, path in enumerate(sorted((root / "drawn").rglob("*.jpg"))[:count]):
        shutil.copy(path, flat / f"{number:04}.jpg")
    (flat / "0300.jpg").write_bytes(b"no image")
    return flat
