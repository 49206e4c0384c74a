"""Films of the drawn camera network: the same for the same seed, and with true ground truth."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from resight.cameras.mot import read_mot
from resight.cli import main
from resight.drawn.films import Films, film
from resight.drawn.video import MARKER, generate_video
from resight.drawn.walks import plan_passes
from resight.errors import DatasetError
from resight.images import read_image

SMALL = Films(people=6, cameras=2, seconds=1.2, rate=5, size=(120, 160), seed=3)


def digests(root: Path) -> dict[str, str]:
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(root.rglob("*")) if p.is_file()}


def test_the_layout_is_motchallenges(tmp_path: Path) -> None:
    generate_video(tmp_path / "films", SMALL)
    first = digests(tmp_path / "films")
    for camera in (1, 2):
        folder = tmp_path / "films" / f"camera-{camera}"
        frames = sorted((folder / "img1").iterdir())
        assert [path.name for path in frames] == [f"{number:06d}.jpg" for number in range(1, 7)]
        assert read_image(frames[0]).shape == (120, 160, 3)
        assert "frameRate=5\nseqLength=6\nimWidth=160\nimHeight=120\n" in (folder / "seqinfo.ini").read_text()
        rows = read_mot(folder / "gt" / "gt.txt")
        assert len(rows) and set(rows.classes.tolist()) == {1} and rows.frames.max() <= 6
        assert (rows.xyxy[:, :2] >= 0).all() and (rows.xyxy[:, 2:] <= [160, 120]).all()
        assert ((rows.visibility >= 0) & (rows.visibility <= 1)).all()
        assert ((rows.visibility >= 0.1) == (rows.confidence == 1)).all()
    generate_video(tmp_path / "again", SMALL)
    assert digests(tmp_path / "again") == first
    generate_video(tmp_path / "other", replace(SMALL, seed=4))
    assert digests(tmp_path / "other") != first


def test_a_whole_folder_is_kept_and_a_foreign_one_left_alone(tmp_path: Path) -> None:
    root = generate_video(tmp_path / "films", SMALL)
    (root / "camera-1" / "gt" / "gt.txt").write_text("kept")
    generate_video(root, SMALL)
    assert (root / "camera-1" / "gt" / "gt.txt").read_text() == "kept"
    marker = json.loads((root / MARKER).read_text())
    (root / MARKER).write_text(json.dumps(marker | {"unfinished": True}))
    generate_video(root, SMALL)  # begun and not finished: drawn again
    assert (root / "camera-1" / "gt" / "gt.txt").read_text() != "kept"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(DatasetError, match="not drawn here"):
        generate_video(tmp_path / "mine", SMALL)


def test_boxes_hold_what_moves() -> None:
    """Between two frames of a still camera, more changes inside the boxes than outside."""
    films = replace(SMALL, people=12, seconds=4)
    inside, outside, before = [], [], None
    for frame in film(films, 0):
        mask = np.zeros(films.size, bool)
        for left, top, right, bottom in frame.xyxy.astype(int).tolist():
            mask[top:bottom, left:right] = True
        if before is not None and mask.any():
            change = abs(frame.pixels.astype(int) - before[0]).mean(axis=2)
            inside.append(change[mask].mean())
            outside.append(change[~(mask | before[1])].mean())
        before = frame.pixels.astype(int), mask
    assert len(inside) > 5 and np.mean(inside) > 1.5 * np.mean(outside)


def test_nobody_is_in_two_views_at_once() -> None:
    passes = plan_passes(people=60, cameras=5, seconds=60, size=(480, 640), seed=0)
    assert len({way.camera for way in passes}) == 5
    seen: dict[int, float] = {}
    several = set()
    for way in passes:
        assert way.start > seen.get(way.person, -100)
        several |= {way.person} if way.person in seen else set()
        seen[way.person] = way.end
        middle = way.at((way.start + way.end) / 2, (480, 640))
        assert middle is not None and way.at(way.end + 0.1, (480, 640)) is None
        assert way.rightwards == (np.sin(middle.view) > 0)
    assert len(several) > 20


def test_people_cross_and_hide_each_other() -> None:
    films = replace(SMALL, people=40, seconds=8)
    frames = list(film(films, 0))
    assert max(len(frame.ids) for frame in frames) >= 2
    assert min(frame.visible.min() for frame in frames if len(frame.ids)) < 0.7


def test_video_files(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    generate_video(tmp_path, SMALL, video=True)
    with av.open(str(tmp_path / "camera-2.mp4")) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert float(container.streams.video[0].average_rate) == 5
    stored = read_image(tmp_path / "camera-2" / "img1" / "000003.jpg")
    assert len(pictures) == 6 and abs(pictures[2].astype(int) - stored).mean() < 8


def test_the_verb_draws_them_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [
        "--people",
        "6",
        "--cameras",
        "2",
        "--seconds",
        "1.2",
        "--rate",
        "5",
        "--height",
        "120",
        "--width",
        "160",
        "--seed",
        "3",
    ]
    assert main(["film", str(tmp_path / "films"), *options, "--json", str(tmp_path / "out.json")]) == 0
    assert "2 films of 6 frames" in " ".join(capsys.readouterr().out.split())
    generate_video(tmp_path / "again", SMALL)
    assert digests(tmp_path / "films") == digests(tmp_path / "again")
    assert json.loads((tmp_path / "out.json").read_text())["frames"] == 6


@pytest.mark.parametrize("wrong", [{"people": 0}, {"cameras": 7}, {"seconds": 0.0}, {"size": (480, 4000)}])
def test_numbers_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(DatasetError, match="expected"):
        replace(SMALL, **wrong)  # type: ignore[arg-type]
