"""The drawn camera network: the same for the same seed, whole or not there, and neither trivial nor hopeless."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.layouts import write_market
from resight.datasets import Dataset, Records, inspect, open_dataset
from resight.datasets.drawn import MARKER, load
from resight.drawn import crops
from resight.drawn.sheet import draw_sheet
from resight.errors import DatasetError, StorageError
from resight.images import read_image, read_images
from resight.models import load_model
from resight.models.embedding import embed_files

SMALL = {"identities_train": 4, "identities_test": 6, "cameras": 3, "images_per_camera": 2, "size": (64, 32)}


def draw(root: Path, **options: object) -> Dataset:
    return crops.generate(root, **(SMALL | options))  # type: ignore[arg-type]


def digests(root: Path) -> dict[str, str]:
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("drawn")
    draw(root)
    return root


def test_the_layout_is_markets(drawn: Path) -> None:
    dataset = open_dataset(drawn)
    assert dataset.name == "drawn" and dataset.warnings == ()
    assert dataset.train.people().tolist() == [1, 2, 3, 4]
    assert dataset.query.people().tolist() == dataset.gallery.people().tolist() == [5, 6, 7, 8, 9, 10]
    found = inspect(dataset)
    assert found.unreadable == () and found.unmatched_queries == 0 and found.duplicates == 0
    assert found.gallery.junk > 0 and found.gallery.distractors > 0
    assert found.train.heights == (64, 64) and found.train.widths == (32, 32)
    pairs = list(zip(dataset.query.identities.tolist(), dataset.query.cameras.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)  # one query of each person by each camera
    for person in dataset.query.people():
        assert len(set(dataset.query.cameras[dataset.query.identities == person].tolist())) >= 2


def test_the_same_seed_gives_the_same_bytes(drawn: Path, tmp_path: Path) -> None:
    draw(tmp_path / "again")
    assert digests(tmp_path / "again") == digests(drawn)
    draw(tmp_path / "other", seed=1)
    same = digests(drawn).items() & digests(tmp_path / "other").items()
    assert not same


def test_an_image_does_not_depend_on_how_many_others_are_drawn(drawn: Path, tmp_path: Path) -> None:
    draw(tmp_path, identities_test=1)
    kept = {name: digest for name, digest in digests(tmp_path).items() if name.startswith("bounding_box_train")}
    assert kept and kept.items() <= digests(drawn).items()


def test_a_complete_folder_is_reused(drawn: Path) -> None:
    times = {path: path.stat().st_mtime_ns for path in drawn.rglob("*.jpg")}
    calls: list[int] = []
    draw(drawn, progress=lambda stage, done, total, note="": calls.append(done))
    assert calls == []
    assert times == {path: path.stat().st_mtime_ns for path in drawn.rglob("*.jpg")}


def test_an_interrupted_drawing_is_not_taken_for_complete_and_is_done_again(drawn: Path, tmp_path: Path) -> None:
    def interrupt(stage: str, done: int, total: int, note: str = "") -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw(tmp_path, progress=interrupt)
    assert not (tmp_path / MARKER).exists()
    next((tmp_path / "query").iterdir()).write_bytes(b"half")
    with pytest.raises(DatasetError, match="no complete drawn network"):
        load(tmp_path)
    draw(tmp_path)
    assert digests(tmp_path) == digests(drawn)


def test_a_folder_that_lost_an_image_is_drawn_again(drawn: Path, tmp_path: Path) -> None:
    draw(tmp_path)
    next((tmp_path / "query").iterdir()).unlink()
    with pytest.raises(DatasetError, match="draw it again"):
        load(tmp_path)
    draw(tmp_path)
    assert digests(tmp_path) == digests(drawn)


def test_other_parameters_replace_an_earlier_drawing(drawn: Path, tmp_path: Path) -> None:
    draw(tmp_path, identities_test=9, seed=5)
    draw(tmp_path)
    assert digests(tmp_path) == digests(drawn)


def test_somebody_elses_images_are_never_touched(tmp_path: Path) -> None:
    write_market(tmp_path)
    before = digests(tmp_path)
    with pytest.raises(DatasetError, match="10 images that were not drawn here"):
        draw(tmp_path)
    assert digests(tmp_path) == before


def test_the_marker_says_how_it_was_drawn(drawn: Path) -> None:
    marker = json.loads((drawn / MARKER).read_text())
    assert marker["seed"] == 0 and marker["size"] == [64, 32] and marker["cameras"] == 3
    assert marker["images"] == len(list(drawn.rglob("*.jpg")))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"cameras": 1}, "cameras is 1; expected 2 to 6"),
        ({"cameras": 7}, "cameras is 7"),
        ({"images_per_camera": 1}, "images_per_camera is 1; expected 2"),
        ({"identities_test": 0}, "identities_test is 0"),
        ({"size": (16, 64)}, "height is 16; expected 32"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_what_cannot_be_drawn(tmp_path: Path, options: dict[str, object], reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        draw(tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot write into"):
        draw(tmp_path / "file" / "below")


@pytest.mark.parametrize("size", [(32, 16), (160, 64), (96, 96)])
def test_any_size(tmp_path: Path, size: tuple[int, int]) -> None:
    dataset = draw(tmp_path, size=size, identities_train=1, identities_test=1)
    assert read_images(dataset.train.paths, size).std() > 10


def strips(records: Records) -> NDArray[np.float32]:
    """Mean colour of 16 strips of the middle: what a classical baseline would see at its simplest."""
    pixels = read_images(records.paths, (128, 64)).astype(np.float32)
    return pixels.reshape(-1, 16, 8, 64, 3)[:, :, :, 16:48].mean((2, 3)).reshape(len(records), -1)


def first_rank(query: NDArray[np.float32], gallery: NDArray[np.float32], dataset: Dataset) -> float:
    """Share of queries whose nearest gallery image, of another camera, shows the same person."""
    distances = ((query[:, None] - gallery[None]) ** 2).sum(-1)
    same = dataset.query.identities[:, None] == dataset.gallery.identities
    distances[(same & (dataset.query.cameras[:, None] == dataset.gallery.cameras)) | (dataset.gallery.identities == -1)] = np.inf
    return float(same[np.arange(len(query)), distances.argmin(1)].mean())


def test_colour_alone_does_not_decide(tmp_path: Path) -> None:
    """Mean colours hardly find anybody; a network that never saw a drawn person finds several times as many."""
    dataset = crops.generate(tmp_path, identities_train=1, identities_test=60, images_per_camera=2)
    colours = first_rank(strips(dataset.query), strips(dataset.gallery), dataset)
    student = load_model("student")
    query, gallery = (embed_files(student, part.paths) for part in (dataset.query, dataset.gallery))
    assert colours < 0.15
    assert first_rank(query, gallery, dataset) > max(3 * colours, 0.15)


def test_people_differ_and_cameras_differ(tmp_path: Path) -> None:
    """Images of one person by one camera are more alike than by two cameras, and those more than images of two people."""
    train = draw(tmp_path, identities_train=30, identities_test=1, size=(128, 64)).train
    vectors = strips(train)
    distances = np.sqrt(((vectors[:, None] - vectors[None]) ** 2).sum(-1))
    same_person = train.identities[:, None] == train.identities
    same_camera = train.cameras[:, None] == train.cameras
    other_image = ~np.eye(len(train), dtype=bool)
    near = distances[same_person & same_camera & other_image].mean()
    across = distances[same_person & ~same_camera].mean()
    strangers = distances[~same_person & ~same_camera].mean()
    assert near < 0.95 * across
    assert across < 0.95 * strangers


def test_the_sheet_has_a_row_a_person_and_a_group_a_camera(drawn: Path, tmp_path: Path) -> None:
    train = open_dataset(drawn).train
    draw_sheet(train, tmp_path / "people.png", people=2, each=2)
    sheet = read_image(tmp_path / "people.png")
    assert sheet.shape == (2 * 128 + 3 * 12, 3 * 2 * 64 + 4 * 12, 3)
    rows, columns = ((sheet == 255).all((1, 2)), (sheet == 255).all((0, 2)))
    assert rows.sum() == 3 * 12 and columns.sum() >= 4 * 12
