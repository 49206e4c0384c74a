"""One folder for each person: who is on its images, and which camera saw them."""

from __future__ import annotations

import os
import re
from collections import Counter

from resight.datasets.accounting import NO_LABEL
from resight.datasets.names import NEARLY, STYLES, Style, camera_of, first_cut, nfc, split_of
from resight.datasets.rows import Row, kinds_of
from resight.datasets.tree import Tree
from resight.errors import DatasetError

__all__ = ["Found", "check_folders", "refuse_parts", "rows_by_folders"]

Found = tuple[list[Row], dict[str, int], list[str]]
"""Rows, how many images are left out by reason, and what a user should know."""

_SHOT = re.compile("[a-zA-Z]{0,5}[0-9]+")
"""The end of a name that numbers the images of a camera."""


def refuse_parts(tree: Tree) -> None:
    """Refuse folders called train, query, gallery and the like."""
    if parts := [folder for folder in tree.folders if split_of(folder)]:
        raise DatasetError(
            f"{tree.place}: {', '.join(parts)} {'are parts' if len(parts) > 1 else 'is a part'} of a data set, not people; "
            f"found {tree.summary()}; expected train, query and gallery (or test) with images named like "
            "0002_c1s1_000451_03.jpg, or with one folder for each person; or say by --name-pattern what the names mean, or "
            "write a CSV with path, identity, camera, split"
        )


def check_folders(tree: Tree) -> None:
    """Refuse folders that may as well be cameras: few of them, and more different beginnings of names, each in several."""
    images = [image.split("/") for image in tree.images if image.count("/") == 1]
    pairs = {(folder, camera) for (folder, _), camera in zip(images, _cameras(images), strict=True) if camera}
    cameras = Counter(camera for _, camera in pairs)
    if 1 < len(tree.folders) < len(cameras) and all(count > 1 for count in cameras.values()):
        raise DatasetError(
            f"{tree.place}: {len(tree.folders)} folders ({', '.join(tree.folders[:3])}, ...), and names that begin in "
            f"{len(cameras)} ways "
            f"({', '.join(sorted(cameras)[:3])}, ...): are the folders people or cameras? Give --layout folder for people, or "
            "--name-pattern {camera}/{identity}_{*} for cameras"
        )


def rows_by_folders(tree: Tree, without_camera: bool) -> Found:
    """Rows of ``person/camera_anything.jpg``."""
    refuse_parts(tree)
    images = [image.split("/") for image in tree.images if image.count("/") == 1]
    cameras = _cameras(images)
    known = any(cameras) and not without_camera
    kinds = kinds_of(_published(images)[0], [_plain(folder) for folder, _ in images])
    rows = [
        Row(tree.path("/".join(image)), nfc(image[0]), camera, kind=kind)
        for image, camera, kind in zip(images, cameras, kinds, strict=True)
        if camera or not known
    ]
    return rows, {NO_LABEL: len(images) - len(rows)}, _camera_notes(tree, images, cameras)


def _cameras(images: list[list[str]]) -> list[str]:
    """The camera of each image, by its folder and name; empty if the name does not say it."""
    style, published = _published(images)
    if style is not None:
        return published
    if sum(name.startswith(folder + "_") for folder, name in images) >= NEARLY * len(images):  # the person's name over again
        return [camera_of(name.removeprefix(folder + "_")) for folder, name in images]
    return [camera_of(name) for _, name in images]


def _plain(folder: str) -> str:
    return str(int(folder)) if folder.isdecimal() else folder


def _published(images: list[list[str]]) -> tuple[Style | None, list[str]]:
    """The style of a published data set that nearly all names have, if they say the folder's person, and each image's camera."""
    plain = [_plain(folder) for folder, _ in images]
    for style in STYLES.values():
        labels = [style.parse(name) for _, name in images]
        fits = [label is not None and label.identity == folder for label, folder in zip(labels, plain, strict=True)]
        if sum(fits) >= NEARLY * len(images):
            return style, [label.camera if label is not None else "" for label in labels]
    return None, []


def _camera_notes(tree: Tree, images: list[list[str]], cameras: list[str]) -> list[str]:
    found = sorted(set(cameras) - {""})
    if len(found) > 20 and 2 * len(found) > len(images):
        raise DatasetError(
            f"{tree.place}: the names of {len(images)} images would be of {len(found)} cameras ({', '.join(found[:3])}, ...); "
            "say by "
            "--name-pattern what they mean, such as {identity}/{camera}_{*}, or {identity}/{*} if no camera is known"
        )
    named = [name for (_, name), camera in zip(images, cameras, strict=True) if camera]
    first = sorted(set(map(first_cut, named)))
    tails = sorted({tail for name in named if not _SHOT.fullmatch(tail := os.path.splitext(name)[0].rpartition("_")[2])})
    if not found or (len(first) == len(found) and not tails) or _published(images)[0] is not None:
        return []
    doubt = (
        f"before the first: {', '.join(first[:5])}"
        if len(first) != len(found)
        else f"after it, not a number: {', '.join(tails[:3])}"
    )
    return [
        f"cameras are {', '.join(found[:5])}{', ...' if len(found) > 5 else ''}: the part before a name's last underscore "
        f"({doubt}); "
        "--name-pattern says it in another way"
    ]
