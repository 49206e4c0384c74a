"""How many cores a process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from resight import compute
from resight.compute import _container_limit, usable_cores


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize(
    ("mine", "files", "cores"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, math.inf),
        ("0::/a/b\n", {"a/cpu.max": "200000 100000", "a/b/cpu.max": "max 100000"}, 2),
        ("0::/docker/not-seen-from-here\n", {"cpu.max": "300000 100000"}, 3),
        ("4:cpu,cpuacct:/x\n0::/\n", {"cpu/x/cpu.cfs_quota_us": "50000\n", "cpu/x/cpu.cfs_period_us": "100000\n"}, 0.5),
        ("4:cpu,cpuacct:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, math.inf),
        ("3:cpuset:/\n", {"cpu.max": "100000 100000"}, math.inf),
        ("0::/\n", {"cpu.max": "nonsense"}, math.inf),
    ],
)
def test_the_limit_of_a_container(tmp_path: Path, mine: str, files: dict[str, str], cores: float) -> None:
    write(tmp_path, {"cgroup": mine})
    write(tmp_path / "fs", files)
    assert _container_limit(tmp_path / "fs", tmp_path / "cgroup") == cores


def test_no_control_groups(tmp_path: Path) -> None:
    assert _container_limit(tmp_path / "fs", tmp_path / "missing") == math.inf


@pytest.mark.parametrize(("limit", "cores"), [(math.inf, 8), (2.0, 2), (1.5, 2), (0.2, 1), (64.0, 8)])
def test_the_least_of_affinity_and_limit_counts(monkeypatch: pytest.MonkeyPatch, limit: float, cores: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    monkeypatch.setattr(compute, "_container_limit", lambda: limit)
    assert usable_cores() == cores
