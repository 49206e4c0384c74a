"""A data set layout: how well names fit it, and how it is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from resight.datasets.names import NEARLY
from resight.datasets.records import Dataset
from resight.datasets.tables import find_table
from resight.datasets.tree import Tree
from resight.errors import DatasetError

__all__ = ["Layout", "Load", "find", "in_folders", "recognise", "share_in_folders"]


class Load(Protocol):
    """Reads a folder of the layout."""

    def __call__(self, root: str | Path | Tree, *, seed: int = 0) -> Dataset:
        """Raises `DatasetError` if the folder is not of this layout. Layouts with a fixed division ignore `seed`."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One way in which a data set lies on the disk.

    Attributes
    ----------
    about : str
        Description of the layout, for a refusal.
    fit : callable
        Share of the image files in a tree, in [0, 1], whose names and folders fit; 0 if a folder that it needs is missing. Raises
        `DatasetError` if it is this layout for sure but cannot be used.
    load : callable
        Reads it.
    whole : bool
        True if its images are all images, and not queries and gallery alone.
    inside : tuple of str
        Names of the folders that it is customarily unpacked into: the parent of one will do as well.
    by_folders : bool
        True if the names of folders tell it, of which a table of labels beside them says more.
    """

    about: str
    fit: Callable[[Tree], float]
    load: Load
    whole: bool = False
    inside: tuple[str, ...] = ()
    by_folders: bool = False


def find(tree: Tree, fit: Callable[[Tree], float], inside: tuple[str, ...] = ()) -> tuple[float, Tree]:
    """The best fit among a folder and its customary subfolders, and that folder."""
    return max(((fit(place), place) for place in _places(tree, inside)), key=lambda found: found[0])


def recognise(tree: Tree, layouts: Mapping[str, Layout]) -> tuple[str, Tree]:
    """The first layout that nearly all names fit, and where: in the folder, or in the only folder in it.

    A table of labels goes before layouts that the names of folders tell.

    Raises `DatasetError`, which says what was found, if no layout fits.
    """
    fits = {}
    for name, layout in layouts.items():
        fits[name], place = find(tree, layout.fit, layout.inside)
        if fits[name] >= NEARLY and not (layout.by_folders and find_table(place.root) is not None):
            return name, tree
    if len(tree.folders) == 1 and (inside := tree.below(tree.folders[0])) is not None and len(inside.images) == len(tree.images):
        return recognise(inside, layouts)
    partly = "; ".join(f"{100 * fit:.0f} % of them fit {name}" for name, fit in fits.items() if fit)
    raise DatasetError(
        f"{tree.root}: no known layout: {tree.summary()}{'; ' + partly if partly else ''}. Expected one of: "
        + "; ".join(layout.about for layout in layouts.values())
        + ". Or name a CSV with the columns path, identity and camera, or say by --name-pattern what the names mean"
    )


def in_folders(tree: Tree, folders: Sequence[str], name: re.Pattern[str]) -> tuple[list[tuple[str, re.Match[str]]], int]:
    """Images in some folders whose whole path fits a rule, each with its match, and the number of other images in these folders."""
    inside = [image for image in tree.images if image.partition("/")[0] in folders]
    fitting = [(image, match) for image in inside if (match := name.fullmatch(image))]
    return fitting, len(inside) - len(fitting)


def share_in_folders(tree: Tree, folders: Sequence[str], name: re.Pattern[str]) -> float:
    """Share of the images in some folders whose whole path fits a rule; 0 if a folder is missing."""
    fitting, others = in_folders(tree, folders, name)
    return len(fitting) / (len(fitting) + others) if set(folders) <= set(tree.folders) else 0.0


def _places(tree: Tree, inside: tuple[str, ...]) -> Iterator[Tree]:
    yield tree
    lone = tree.folders if inside and len(tree.folders) == 1 else []
    for name in dict.fromkeys([*inside, *lone]):
        if (part := tree.below(name)) is not None:
            yield part
