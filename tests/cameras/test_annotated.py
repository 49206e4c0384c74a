"""Annotated video."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from resight.cameras import Frame
from resight.cameras.annotated import VideoWriter, annotate
from resight.cameras.tracking import Tracks
from resight.errors import StorageError


def tracks(*boxes: tuple[float, ...]) -> Tracks:
    count = len(boxes)
    rows = np.arange(count)
    return Tracks(rows + 1, np.array(boxes, np.float32).reshape(-1, 4), np.ones(count, np.float32), rows, np.ones(count, bool))


def noise(height: int = 200, width: int = 200) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_people_are_blurred_and_nothing_else() -> None:
    pixels = noise()
    before = pixels.copy()
    drawn = annotate(pixels, tracks((40, 50, 100, 170), (-30, -30, 10, 20)), blur=True)
    np.testing.assert_array_equal(pixels, before)
    inside = drawn[54:166, 44:96]
    assert len(np.unique(inside.reshape(-1, 3), axis=0)) <= 6 * 12
    np.testing.assert_array_equal(drawn[172:, :], pixels[172:, :])
    sharp = annotate(pixels, tracks((40, 50, 100, 170)))
    np.testing.assert_array_equal(sharp[54:166, 44:96], pixels[54:166, 44:96])
    assert (sharp[50, 60:90] == sharp[50, 60]).all()  # a line around them


def test_frames_keep_their_times_and_the_size_of_the_first(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "a.mp4")
    for index, (time, size) in enumerate([(5.0, (99, 121)), (5.5, (99, 121)), (5.5, (50, 60)), (9.0, (98, 120))]):
        writer.see(Frame(pixels=noise(*size), time=time, index=index, camera="door"), tracks())
    assert not (tmp_path / "a.mp4").exists()
    writer.end("door")
    with av.open(str(tmp_path / "a.mp4")) as film:
        found = [(round(picture.time, 2), picture.height, picture.width) for picture in film.decode(video=0)]
    assert [each[0] for each in found] == [0, 0.5, 0.5, 4] and {each[1:] for each in found} == {(98, 120)}
    writer.see(Frame(pixels=noise(), time=0.0, index=0, camera="door"), tracks())
    writer.close()
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc, which Linux has")
def test_a_folder_that_cannot_be_written_is_one_line() -> None:
    writer = VideoWriter(Path("/proc/a.mp4"))
    with pytest.raises(StorageError, match=r"cannot write /proc/a.mp4"):
        writer.see(Frame(pixels=noise(), time=0.0, index=0, camera="door"), tracks())


FULL = """
import contextlib, resource, sys
from pathlib import Path
import numpy as np
from cameras.stand_in import make_tracks
from resight.cameras import Frame
from resight.cameras.annotated import VideoWriter
from resight.errors import StorageError
noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
try:
    with contextlib.closing(VideoWriter(Path(sys.argv[1], "a.mp4"), 2)) as writer:
        for camera in ("door", "hall"):
            for index in range(3):
                writer.see(Frame(pixels=noise, time=index / 10, index=index, camera=camera), make_tracks())
        writer.end("door")
except StorageError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of POSIX")
def test_a_full_disk_is_one_line_and_nothing_remains(tmp_path: Path) -> None:
    paths = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": paths}
    run = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, env=environment, check=True)
    assert run.stdout.startswith(f"cannot write {tmp_path / 'a-door.mp4'}: File too large; free space")
    assert not list(tmp_path.iterdir())
