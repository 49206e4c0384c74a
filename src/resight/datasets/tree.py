"""The files below a folder: which are images, and why the others are not."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from resight.datasets.accounting import DUPLICATE, HIDDEN, OTHER_FOLDER, UNREADABLE, Accounting
from resight.errors import DatasetError
from resight.images import can_decode, holds_several, kind_of, list_files

__all__ = ["IMAGE_SUFFIXES", "Tree", "count_several", "ending", "is_hidden", "is_image"]

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff"})
"""Endings, in lower case, of files that are taken for images without a look inside."""

_SINGLE = IMAGE_SUFFIXES - {".gif", ".tif", ".tiff", ".webp"}
"""Endings of files that hold one picture."""

_SYSTEM = frozenset(
    {
        "@eadir",
        "__macosx",
        "#recycle",
        "@recycle",
        "#snapshot",
        "lost+found",
        "$recycle.bin",
        "thumbs.db",
        "desktop.ini",
        "system volume information",
    }
)


@dataclass(frozen=True)
class Tree:
    """The files below a folder.

    Hidden and system names are passed over. Links are followed, wherever they lead; a folder or file that was met before is not
    met again, so loops end.

    Attributes
    ----------
    root : Path
        The folder.
    images : tuple of str
        Image files, as paths relative to `root` with ``/``, sorted by folder and name.
    left_out : mapping of str to int
        All other files, by reason.
    twins : tuple of (str, str)
        Links to a file that is among `images`, and that file.
    url : str
        URL of the folder; empty for a local one.
    """

    root: Path
    images: tuple[str, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)
    twins: tuple[tuple[str, str], ...] = ()
    url: str = ""

    @staticmethod
    def of_url(url: str) -> Tree | None:
        """List a folder by URL, by endings alone; None if it is a file. Raises `DatasetError`."""
        names = list_files(url)
        if names is None:
            return None
        left_out: Counter[str] = Counter()
        images = []
        for name in names:
            if any(map(is_hidden, name.split("/"))):
                left_out[HIDDEN] += 1
            elif not _has_known_ending(name):
                left_out[ending(name)] += 1
            else:
                images.append(name)
        return Tree(Path(url), tuple(images), left_out, url=url.rstrip("/"))

    @staticmethod
    def read(root: str | Path | Tree) -> Tree:
        """List a folder and everything below it; a tree is itself. Raises `DatasetError` if it is not a readable folder."""
        return root if isinstance(root, Tree) else _Walk(Path(root)).tree()

    def below(self, name: str) -> Tree | None:
        """The part in a subfolder, such as ``"campus"``; None without an image there. All other files are left out."""
        start = name + "/"
        inside = [image for image in self.images if image.startswith(start)]
        if not inside:
            return None
        others = Counter({OTHER_FOLDER: len(self.images) - len(inside)}) + Counter(self.left_out)
        twins = tuple((a[len(start) :], b[len(start) :]) for a, b in self.twins if a.startswith(start) and b.startswith(start))
        return Tree(self.root / name, tuple(image[len(start) :] for image in inside), others, twins)

    @property
    def folders(self) -> list[str]:
        """Names of the folders directly in `root` that hold images, sorted."""
        return sorted({image.partition("/")[0] for image in self.images if "/" in image})

    def path(self, image: str) -> str:
        """The file's path."""
        return os.path.join(self.place, image)

    @property
    def place(self) -> str:
        """The folder's path or URL."""
        return self.url or str(self.root)

    def account(self, used: int, left_out: Mapping[str, int]) -> Accounting:
        """The accounting of all files, if `used` images are used; images that `left_out` does not explain are in other folders."""
        rest = len(self.images) - used - sum(left_out.values())
        others = Counter(self.left_out) + Counter(left_out) + Counter({OTHER_FOLDER: rest})
        return Accounting(used, others, count_several(map(self.path, self.images)))

    def summary(self) -> str:
        """Describe what was found, for a refusal: ``12 folders (0000, 0001, ...) and 24 images two levels down``."""
        depths = Counter(image.count("/") for image in self.images)
        folders = len({image.rpartition("/")[0] for image in self.images if "/" in image})
        top = self.folders
        names = f" below {', '.join(top[:4])}{', ...' if len(top) > 4 else ''}" if top else ""
        levels = "; ".join(
            f"{count} images {_LEVELS.get(depth, f'{depth} levels down')}" for depth, count in sorted(depths.items())
        )
        return f"{folders} folders{names} with {levels or 'no image'}" if folders else levels or "no image"


_LEVELS = {0: "directly in it", 1: "one level down", 2: "two levels down", 3: "three levels down"}


def is_hidden(name: str) -> bool:
    """Tell if a file or folder of this name is passed over: ``.name``, ``@eaDir``, ``__MACOSX``, ``#recycle``, ``Thumbs.db``."""
    return name.startswith(".") or name.lower() in _SYSTEM


def ending(name: str) -> str:
    """The reason for which a file is not read, by its ending."""
    return f"ending not read: {os.path.splitext(name)[1].lower() or 'none'}"


def is_image(path: str | Path) -> bool:
    """Tell if a file is an image that is read: by its ending, and without a known one by its first bytes."""
    return _has_known_ending(path) or bool(_kind(path))


def count_several(paths: Iterable[str]) -> int:
    """How many images hold several pictures; only files that may, by their ending, are opened."""
    return sum(1 for path in paths if os.path.splitext(path)[1].lower() not in _SINGLE and holds_several(path))


def _has_known_ending(path: str | Path) -> bool:
    return os.path.splitext(path)[1].lower() in IMAGE_SUFFIXES


def _kind(path: str | Path) -> str:
    """Format of an image by its first bytes; empty for any other file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            head = os.read(descriptor, 32)
        finally:
            os.close(descriptor)
    except (OSError, ValueError):
        return ""
    return kind_of(head)


class _Walk:
    """One walk through a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.left_out: Counter[str] = Counter()
        self.real: list[str] = []
        self.links: list[str] = []
        self.linked_folders: list[str] = []
        self.seen: set[tuple[int, int]] = set()

    def tree(self) -> Tree:
        try:
            self._enter("", hidden=False)
            # What is there itself comes before what is there by a link.
            while self.linked_folders:
                self._enter(self.linked_folders.pop(0), hidden=False)
        except FileNotFoundError as error:
            raise DatasetError(f"{self.root}: no such folder") from error
        except OSError as error:
            raise DatasetError(f"{self.root}: cannot be read as a folder: {error.strerror}") from error
        images, twins = list(self.real), []
        if self.links:
            targets = {os.path.realpath(os.path.join(self.root, image)): image for image in self.real}
            for link in sorted(self.links):
                target = os.path.realpath(os.path.join(self.root, link))
                if target in targets:
                    self.left_out[DUPLICATE] += 1
                    twins.append((link, targets[target]))
                else:
                    targets[target] = link
                    images.append(link)
        return Tree(self.root, tuple(sorted(images, key=lambda image: image.split("/"))), self.left_out, tuple(twins))

    def _enter(self, folder: str, *, hidden: bool) -> None:
        path = os.path.join(self.root, folder)
        status = os.stat(path)
        if (status.st_dev, status.st_ino) in self.seen:
            return
        self.seen.add((status.st_dev, status.st_ino))
        try:
            entries = sorted(os.scandir(path), key=lambda entry: entry.name)
        except OSError:
            if not folder:
                raise
            self.left_out[UNREADABLE] += 1
            return
        for entry in entries:
            name = f"{folder}/{entry.name}" if folder else entry.name
            self._take(entry, name, hidden=hidden or is_hidden(entry.name))

    def _take(self, entry: os.DirEntry[str], name: str, *, hidden: bool) -> None:
        try:
            mode = entry.stat().st_mode
        except OSError:  # a link that leads nowhere, or to itself
            self.left_out[HIDDEN if hidden else UNREADABLE] += 1
            return
        if stat.S_ISDIR(mode):
            if not entry.is_symlink():
                self._enter(name, hidden=hidden)
            elif not hidden:
                self.linked_folders.append(name)
        elif hidden:
            self.left_out[HIDDEN] += 1
        elif not stat.S_ISREG(mode):
            self.left_out[UNREADABLE] += 1
        elif not is_image(entry.path):
            self.left_out[ending(entry.name)] += 1
        elif not _has_known_ending(entry.name) and not can_decode(kind := _kind(entry.path)):
            self.left_out[f"{kind.upper()}, which needs the extra [heif]"] += 1
        else:
            (self.links if entry.is_symlink() else self.real).append(name)
