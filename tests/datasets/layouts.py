"""Small folders in the layouts of the real data sets, with images of a few pixels of noise."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np


def write_images(folder: Path, names: Iterable[str], size: tuple[int, int] = (6, 4)) -> None:
    """One image of noise under each name; no two alike."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        seed = int.from_bytes(os.fsencode(path)[-60:], "big")
        pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
        path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())


def write_market(root: Path) -> None:
    """Two people to train on, two to test; junk, a distractor, and files that are not for us."""
    write_images(
        root,
        [
            "bounding_box_train/0002_c1s1_000451_03.jpg",
            "bounding_box_train/0002_c2s1_000776_01.jpg",
            "bounding_box_train/0007_c6s3_077419_03.jpg",
            "query/0001_c1s1_001051_00.jpg",
            "query/0003_c3s1_001051_00.jpg",
            "bounding_box_test/0001_c2s1_001051_00.jpg",
            "bounding_box_test/0003_c1s1_001051_00.jpg",
            "bounding_box_test/-1_c1s1_000401_03.jpg",
            "bounding_box_test/-1_c4s1_000401_03.jpg",
            "bounding_box_test/0000_c5s1_000401_03.jpg",
        ],
    )
    (root / "bounding_box_test" / "Thumbs.db").write_bytes(b"x")


def write_duke(root: Path) -> None:
    """One person to train on, one to test."""
    write_images(
        root,
        [
            "bounding_box_train/0001_c2_f0046182.jpg",
            "bounding_box_train/0001_c1_f0044158.jpg",
            "query/0005_c2_f0046985.jpg",
            "bounding_box_test/0005_c1_f0044158.jpg",
            "bounding_box_test/0008_c8_f0044158.jpg",
        ],
    )


def write_viper(root: Path, people: int = 8) -> None:
    """People 0, 1, ..., each once in `cam_a` and once in `cam_b`."""
    for number in range(people):
        write_images(root, [f"cam_a/{number:03d}_{45 * (number % 3)}.bmp", f"cam_b/{number:03d}_{90 + 45 * (number % 3)}.bmp"])


def write_cuhk01(folder: Path, people: int = 7) -> None:
    """People 1, 2, ..., each with two images by each camera."""
    write_images(folder, [f"{number:04d}{image:03d}.png" for number in range(1, people + 1) for image in range(1, 5)])


def write_folder(root: Path) -> None:
    """Six people with three images by each of two cameras, and one seen by one camera."""
    for name in ("anna", "ben", "chloé", "0", "-1", "frank"):
        write_images(root, [f"{name}/{camera}_{number}.png" for camera in ("door", "gate") for number in range(3)])
    write_images(root, ["zoe/door_0.png", "zoe/door_1.png"])


def write_prid(root: Path) -> None:
    """Six people by both cameras, one by camera a alone, two by camera b alone."""
    write_images(root / "single_shot", [f"cam_{camera}/person_{number:04d}.png" for camera in "ab" for number in range(1, 7)])
    write_images(root / "single_shot", ["cam_a/person_0201.png", "cam_b/person_0201.png", "cam_b/person_0300.png"])


def write_ilids(root: Path) -> None:
    """Four people with two frames by each of two cameras."""
    names = [f"cam{c}/person{n:03d}/cam{c}_person{n:03d}_{f:05d}.png" for c in (1, 2) for n in (1, 2, 5, 9) for f in (3, 4)]
    write_images(root / "i-LIDS-VID" / "sequences", names)


def write_cameras(root: Path) -> None:
    """Four people by two cameras, a folder for each camera."""
    write_images(
        root, [f"cam{camera}/{name}_{number}.png" for camera in (1, 2) for name in ("ann", "bo", "cy", "di") for number in (1, 2)]
    )
