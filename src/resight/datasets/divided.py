"""Folders called train, query and gallery, or test: VeRi, the `pytorch` folders of layumi's baseline, and many of one's own.

Each holds images, or one folder for each person. Names in the style of a published data set say identity and camera; otherwise the
folder is the person, and the name begins with the camera (see `resight.datasets.names.camera_of`).
"""

from __future__ import annotations

from pathlib import Path

from resight.datasets.accounting import NO_LABEL
from resight.datasets.divide import given_split
from resight.datasets.layout import Layout
from resight.datasets.names import NEARLY, Label, Style, camera_of, find_style, nfc, split_of
from resight.datasets.records import DISTRACTOR, JUNK, Dataset
from resight.datasets.rows import PERSON, Row, records_of
from resight.datasets.tree import Tree
from resight.errors import DatasetError

__all__ = ["LAYOUT", "fit", "load"]

_VALIDATION = ("val", "valid", "validation")


def fit(tree: Tree) -> float:
    """Share of the images in the divided folders whose names fit; 0 without a folder to search in and one to ask or train from."""
    parts = _parts(tree)
    if "gallery" not in parts.values() or len(set(parts.values())) < 2:
        return 0.0
    images = [image for image in tree.images if image.partition("/")[0] in parts]
    style = find_style([image.rpartition("/")[2] for image in images])
    return sum(_label(image, style) is not None for image in images) / len(images)


def load(root: str | Path | Tree, *, seed: int = 0) -> Dataset:
    """Read folders called train, query and gallery, or names to that effect.

    Parameters
    ----------
    root : str, Path or Tree
    seed : int
        Not used: the division is given. Without a folder of queries, one image of each person by each camera asks.

    Returns
    -------
    Dataset
        With one split. Junk and distractors are told as in Market-1501, but 0 is a person if it also trains or asks.

    Raises
    ------
    DatasetError
        If the folders are missing, or hold other names.
    """
    tree = Tree.read(root)
    parts = _parts(tree)
    images = [image for image in tree.images if image.partition("/")[0] in parts]
    style = find_style([image.rpartition("/")[2] for image in images])
    labels = {image: label for image in images if (label := _label(image, style)) is not None}
    if "gallery" not in parts.values() or len(labels) < NEARLY * len(images):
        raise DatasetError(
            f"{tree.root}: found {tree.summary()}; expected folders called train, query and gallery (or test), with images "
            "named like "
            "0002_c1s1_000451_03.jpg in them, or with one folder for each person"
        )
    junk = style.junk if style else "-1"
    people = {label.identity for image, label in labels.items() if parts[image.partition("/")[0]] != "gallery"}
    rows = []
    for image, label in labels.items():
        part = parts[image.partition("/")[0]]
        kind = JUNK if label.identity == junk else DISTRACTOR if label.identity == "0" and "0" not in people else PERSON
        if kind == PERSON or part == "gallery":
            identity = label.identity if kind == PERSON else ""
            rows.append(Row(tree.path(image), identity, label.camera, tracklet=label.tracklet, part=part, kind=kind))
    everything = records_of(rows)
    split, notes = given_split(
        *(everything.select([part == wanted for part in everything.parts]) for wanted in ("train", "query", "gallery"))
    )
    if validation := [folder for folder in parts if folder.lower() in _VALIDATION]:
        notes.insert(0, f"images of {', '.join(validation)} are used to train on, too")
    left_out = {NO_LABEL: len(images) - len(labels), "junk outside the gallery": len(labels) - len(rows)}
    return Dataset("divided", tree.root, (split,), tuple(notes), tree.account(len(rows), left_out))


def _parts(tree: Tree) -> dict[str, str]:
    """The folders that are read, and what each is: train, query or gallery."""
    parts = {folder: split_of(folder) for folder in tree.folders if split_of(folder)}
    if any(folder.lower() == "train_all" for folder in parts):  # it holds train and val over again
        parts = {folder: part for folder, part in parts.items() if part != "train" or folder.lower() == "train_all"}
    searched = [folder for folder, part in parts.items() if part == "gallery"]
    if len(searched) > 1:
        raise DatasetError(f"{tree.root}: {' and '.join(searched)} may both be the gallery; move away the one that is not")
    return parts


def _label(image: str, style: Style | None) -> Label | None:
    _, *folders, name = image.split("/")
    if style is not None:
        return style.parse(name)
    if len(folders) != 1:
        return None
    return Label(folders[0] if folders[0] == "-1" else nfc(folders[0]), camera_of(name))


LAYOUT = Layout(
    about="folders called train, query and gallery (or image_train, image_query, image_test, and the like), each with images named "
    "like 0002_c1s1_000451_03.jpg or with one folder for each person",
    fit=fit,
    load=load,
    by_folders=True,
)
