"""Small inputs that once went wrong, drawn: people in two colours on a gray ground, in folders, tables and archives of many "
"shapes."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import cv2
import numpy as np

FOUR = ("ann", "bob", "cid", "dan")


def person(number: int, camera: int = 0, shot: int = 0, height: int = 96, width: int = 48) -> np.ndarray:
    """A person, whose colours follow from the number; camera and shot add a background and noise."""
    colours = np.random.default_rng(1000 + number)
    top, low = colours.integers(20, 235, 3), colours.integers(20, 235, 3)
    noise = np.random.default_rng(number * 977 + camera * 31 + shot)
    image = np.full((height, width, 3), 90 + 20 * camera, np.uint8)
    cv2.ellipse(image, (width // 2, height // 10), (width // 8, height // 14), 0, 0, 360, (170, 190, 220), -1)
    cv2.rectangle(image, (width // 4, height * 18 // 100), (width * 3 // 4, height * 55 // 100), top.tolist(), -1)
    cv2.rectangle(image, (width * 3 // 10, height * 55 // 100), (width * 7 // 10, height * 95 // 100), low.tolist(), -1)
    return np.clip(image.astype(int) + noise.normal(0, 6, image.shape) + noise.integers(-6, 7), 0, 255).astype(np.uint8)


def put(path: Path, number: int, camera: int = 0, shot: int = 0, ending: str = ".jpg", **size: int) -> None:
    """Write a person's image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(ending, person(number, camera, shot, **size))[1].tobytes())


def four_people(root: Path) -> None:
    """Four people by two cameras, two images each."""
    for number, name in enumerate(FOUR):
        for camera, place in enumerate(("hall", "door")):
            for shot in range(2):
                put(root / name / f"{place}_{shot:04d}.jpg", number, camera, shot)


def cameras_with_underscores(root: Path) -> None:
    for number, name in enumerate(("ann", "bob", "cid", "dan", "eve", "fay", "gus", "hal")):
        for camera, place in enumerate(("front_door", "front_yard")):
            for shot in range(2):
                put(root / name / f"{place}_{shot:04d}.jpg", number, camera, shot)
        if number % 2 == 0:
            put(root / name / "hall_0000.jpg", number, 2)


def divided(root: Path, train: str, query: str, gallery: str) -> None:
    for number in range(2, 10):
        for camera in (1, 2):
            for shot in range(2):
                put(root / train / f"{number:04d}_c{camera}s1_{shot:06d}_00.jpg", number, camera, shot)
    for number in range(20, 26):
        put(root / query / f"{number:04d}_c1s1_000000_00.jpg", number, 1, 0)
        for camera in (1, 2):
            put(root / gallery / f"{number:04d}_c{camera}s1_000001_00.jpg", number, camera, 1)


def hidden(root: Path) -> None:
    four_people(root)
    for where in (".ipynb_checkpoints", ".Trash-1000"):
        put(root / where / "hall_0000.jpg", 0, 0, 9)
        put(root / where / "door_0000.jpg", 1, 1, 9)
    for path in sorted((root / "ann").glob("*.jpg")):
        put(root / "ann" / "@eaDir" / path.name / "SYNOPHOTO_THUMB_M.jpg", 0, height=48, width=24)
        (root / "ann" / ("._" + path.name)).write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(80))


def hidden_flat(root: Path) -> None:
    for number in range(3):
        put(root / f"c{number}.jpg", number)
        put(root / ".Trash-1000" / "files" / f"old{number}.jpg", number + 10)
        put(root / "@eaDir" / f"c{number}.jpg" / "SYNOPHOTO_THUMB_M.jpg", number, height=48, width=24)
        put(root / ".thumbnails" / f"c{number}.png", number, ending=".png", height=48, width=24)


def junk(root: Path) -> None:
    rows = []
    for number in range(1, 9):
        parts = (
            ("query", 1, 0, number),
            ("bounding_box_test", 1, 1, number),
            ("bounding_box_test", 2, 2, number),
            ("bounding_box_test", 2, 3, -1),
        )
        for part, camera, shot, label in parts:
            name = f"{'-1' if label < 0 else f'{label:04d}'}_c{camera}s1_{number:06d}_{shot:02d}.jpg"
            put(root / part / name, number, camera if label > 0 else 1, shot)
            rows.append((f"{part}/{name}", label, camera, "query" if part == "query" else "gallery"))
    for number in range(20, 24):
        for camera in (1, 2):
            name = f"bounding_box_train/{number:04d}_c{camera}s1_000000_00.jpg"
            put(root / name, number, camera)
            rows.append((name, number, camera, "train"))
    write_table(root / "list.csv", "path,identity,camera,split", rows)


def labels_later(root: Path) -> Path:
    names = ("anna", "bob", "cid")
    for number, _ in enumerate(names, 1):
        put(root / f"p{number}.jpg", number)
    rows = [(f"{root.name}/p{number}.jpg", name) for number, name in enumerate(names, 1)]
    write_table(root.parent / "labels.csv", "path,identity", rows)
    return root.parent / "labels.csv"


def nested(root: Path, kind: str) -> None:
    for part, people in (("train", range(6)), ("test", range(6, 12))):
        for number in people:
            for camera in (1, 8):
                if kind == "msmt17":
                    put(
                        root / part / f"{number:04d}" / f"{number:04d}_{camera:03d}_{camera:02d}_0303morning_0015_0.jpg",
                        number,
                        camera,
                    )
                elif kind == "layumi":
                    where = {"train": "train", "test": "gallery"}[part]
                    put(root / where / f"{number:04d}" / f"{number:04d}_c{camera}s1_000001_00.jpg", number, camera)
                    if part == "test":
                        put(root / "query" / f"{number:04d}" / f"{number:04d}_c{camera}s1_000002_00.jpg", number, camera, 1)
                else:
                    for frame in range(3):
                        name = f"{number:04d}C{camera}T0001F{frame + 1:03d}.jpg"
                        put(root / f"bbox_{part}" / f"{number:04d}" / name, number, camera, frame)
    if kind == "msmt17":
        for name, people, cameras in (
            ("train", range(6), (1, 8)),
            ("val", range(6), (1, 8)),
            ("query", range(6, 12), (1,)),
            ("gallery", range(6, 12), (8,)),
        ):
            lines = [f"{i:04d}/{i:04d}_{c:03d}_{c:02d}_0303morning_0015_0.jpg {i}\n" for i in people for c in cameras]
            (root / f"list_{name}.txt").write_text("".join(lines))


def one_camera(root: Path) -> None:
    rows = []
    for number in range(1, 9):
        for shot in range(4):
            put(root / f"p{number}_{shot}.jpg", number, 1, shot)
            rows.append((f"p{number}_{shot}.jpg", f"person {number}", "entrance"))
    write_table(root / "list.csv", "path,identity,camera", rows)
    write_table(root / "nocamera.csv", "path,identity", [row[:2] for row in rows])


def decomposed_name(root: Path) -> None:
    for number in (1, 2):
        put(root / f"p{number}.jpg", 1, number)
    name = unicodedata.normalize("NFD", "José Muñoz")
    write_table(root / "list.csv", "path,camera,identity", [(f"p{number}.jpg", f"cam{number}", name) for number in (1, 2)])


def numbered_run(root: Path) -> None:
    for number in [*range(1, 21), *range(995, 1010), *range(1995, 2010)]:
        put(root / f"{number:07d}.jpg", number % 17, number % 3, number, height=48, width=24)


def text_identities(root: Path) -> None:
    rows = []
    for number, name in enumerate(("anna", "6ba7b810-9dad-11d1-80b4-00c04fd43001", "P070", "bob")):
        for camera in ("hall", "rtsp://10.0.0.2/s1"):
            put(root / f"{number}_{len(camera)}.jpg", number, 1 + (camera != "hall"))
            rows.append((f"{number}_{len(camera)}.jpg", name, camera))
    write_table(root / "list.csv", "path,identity,camera", rows)


def other_endings(root: Path) -> None:
    for number, name in enumerate(FOUR):
        for camera, place in enumerate(("hall", "door")):
            for shot in range(2):
                ending = {"cid": ".jfif", "dan": ".tif"}.get(name, ".jpg")
                put(root / name / f"{place}_{shot}{ending}", number, camera, shot, ending=".tif" if name == "dan" else ".jpg")


def tracklets(root: Path) -> None:
    rows = []
    for shot in range(25):
        put(root / f"a{shot:02d}.jpg", 1, 1, shot)
        rows.append((f"a{shot:02d}.jpg", "hall", f"2026-03-01T08:00:{shot:02d}", "t1"))
    for number in range(2, 6):
        put(root / f"b{number}.jpg", number, 2)
        rows.append((f"b{number}.jpg", "door", f"2026-03-01T09:00:0{number}", f"t{number}"))
    put(root / "same.jpg", 1, 2, 3)
    rows.append(("same.jpg", "door", "2026-03-01T09:30:00", "t9"))
    write_table(root / "list.csv", "path,camera,time,tracklet", rows)


def write_table(path: Path, header: str, rows: list[tuple[object, ...]]) -> None:
    path.write_text(header + "\n" + "".join(",".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
