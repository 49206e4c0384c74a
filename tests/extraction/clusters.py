"""Scripts that start Ray clusters, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

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
