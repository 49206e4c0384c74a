"""Parcels on disk: what was put stays until it is removed, whatever happens."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gallery.fakes import START
from gallery.test_tracklets import make_tracklet
from resight.errors import ConfigurationError, ImageError, StorageError
from resight.gallery.remote.backlog import Backlog
from resight.gallery.remote.parcel import Parcel, parcel_of

MOST = 1_000_000


def make_parcel(number: int = 0) -> Parcel:
    """A parcel with two crops of noise."""
    crops = tuple(np.random.default_rng((number, n)).integers(0, 256, (150, 80, 3), dtype=np.uint8) for n in range(2))
    made = make_tracklet(crops=crops, name=f"door-{number}", start=START.timestamp() + number)
    return parcel_of(made, "door.mp4", "f" * 64)


def drain(backlog: Backlog) -> list[str]:
    names = []
    while (waiting := backlog.first()) is not None:
        names.append(waiting.parcel.name)
        backlog.remove(waiting.number)
    return names


def test_what_was_put_comes_out_unchanged_and_in_order(tmp_path: Path) -> None:
    parcels = [make_parcel(0), replace(make_parcel(1), time=None), make_parcel(2)]
    backlog = Backlog(tmp_path / "a" / "b", MOST)
    for parcel in [*parcels, parcels[0]]:  # the same one twice is one
        backlog.put(parcel)
    backlog.close()
    backlog = Backlog(tmp_path / "a" / "b", MOST)
    assert len(backlog) == 3
    for parcel in parcels:
        waiting = backlog.first()
        assert waiting is not None
        found = waiting.parcel
        assert (found.name, found.camera, found.source, found.time, found.seconds, found.model_sha256, found.id, found.strip) == (
            parcel.name, parcel.camera, parcel.source, parcel.time, parcel.seconds, parcel.model_sha256, parcel.id, parcel.strip,
        )  # fmt: skip
        assert np.array_equal(found.embedding, parcel.embedding)
        assert [crop.shape for crop in found.crops()] == [(128, 64, 3)] * 2
        backlog.remove(waiting.number)
    assert backlog.first() is None
    backlog.close()


def test_what_was_removed_leaves_no_bytes_and_others_cannot_look(tmp_path: Path) -> None:
    parcel = make_parcel()
    backlog = Backlog(tmp_path, MOST)
    backlog.put(parcel)
    assert drain(backlog) == [parcel.name]
    backlog.close()
    data = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert parcel.strip[1000:1016] not in data and parcel.embedding.tobytes()[16:32] not in data
    if os.name == "posix":
        assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_its_size_is_bounded(tmp_path: Path) -> None:
    parcels = [make_parcel(number) for number in range(4)]
    backlog = Backlog(tmp_path, 3 * max(len(parcel.strip) for parcel in parcels) + 3000)
    for parcel in parcels[:3]:
        assert backlog.has_room(parcel)
        backlog.put(parcel)
    assert not backlog.has_room(parcels[3])
    backlog.close()
    backlog = Backlog(tmp_path, 3 * max(len(parcel.strip) for parcel in parcels) + 3000)
    assert not backlog.has_room(parcels[3])  # which it remembers
    assert backlog.drop_oldest() and backlog.has_room(parcels[3])
    backlog.put(parcels[3])
    assert drain(backlog) == ["door-1", "door-2", "door-3"] and not backlog.drop_oldest()
    backlog.close()


def test_what_was_refused_is_kept_apart_until_the_next_time(tmp_path: Path) -> None:
    backlog = Backlog(tmp_path, MOST)
    for number in range(2):
        backlog.put(make_parcel(number))
    waiting = backlog.first()
    assert waiting is not None
    backlog.set_aside(waiting.number)
    assert len(backlog) == 1 and drain(backlog) == ["door-1"]
    backlog.close()
    backlog = Backlog(tmp_path, MOST)
    assert drain(backlog) == ["door-0"]
    backlog.close()


CHILD = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from gallery.remote.test_backlog import Backlog, make_parcel
backlog = Backlog(Path({folder!r}), 10**9)
for number in range(1000):
    backlog.put(make_parcel(number))
    print(number, flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="kills as POSIX does")
def test_a_killed_watcher_loses_nothing_and_a_second_one_is_refused(tmp_path: Path) -> None:
    program = CHILD.format(tests=str(Path(__file__).parents[2]), folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        with pytest.raises(ConfigurationError, match="another watcher uses the backlog"):
            Backlog(tmp_path, MOST)
        for _ in range(20):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        said = [*range(21), *map(int, process.stdout.read().split())]
    backlog = Backlog(tmp_path, MOST)
    found = drain(backlog)
    assert found[: len(said)] == [f"door-{number}" for number in said] and len(found) <= len(said) + 1
    backlog.close()


def test_files_that_are_no_backlog(tmp_path: Path) -> None:
    (tmp_path / "backlog.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(StorageError, match=r"cannot use the backlog .*--backlog"):
        Backlog(tmp_path, MOST)
    (tmp_path / "backlog.sqlite").unlink()
    connection = sqlite3.connect(tmp_path / "backlog.sqlite")
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(StorageError, match="another version of Resight"):
        Backlog(tmp_path, MOST)
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"cannot write .*--backlog"):
        Backlog(tmp_path / "file", MOST)


def test_a_damaged_strip_is_named() -> None:
    for strip in (b"", make_parcel().strip[:50]):
        with pytest.raises(ImageError):
            replace(make_parcel(), strip=strip).crops()
