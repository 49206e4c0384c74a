"""Everybody whom a linker remembers: their passages, and who is near to whom."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from resight.cameras.camera_means import CameraMeans
from resight.cameras.ways import Passage

__all__ = ["Limits", "People", "Person", "Seen", "Threshold"]

_NOBODY = 0  # owner of a row without a passage; people are numbered from 1
Threshold = Callable[[NDArray[np.float64]], float]
"""Largest distance of one person's passages, for the embedding of one of them."""


class Seen(Passage, Protocol):
    """A passage with its name and its fused embedding; a `Tracklet` is one."""

    @property
    def name(self) -> str:
        """Name of the passage, given once."""

    @property
    def embedding(self) -> NDArray[np.float32]:
        """Float32 (d,), of any length but 0."""


@dataclass(frozen=True)
class Limits:
    """Largest mean cosine distances of one person's passages.

    Attributes
    ----------
    plain : callable
        For vectors as they are: the distance for the embedding of a passage. A person's is the mean of theirs.
    centred : callable, optional
        For vectors less the mean of their camera, which are compared once the means of two cameras are known; see
        `resight.cameras.camera_means`. It takes the number of people who are remembered. Without it, vectors are always compared
        as they are.
    """

    plain: Threshold
    centred: Callable[[int], float] | None = None


@dataclass
class Person:
    """Passages of one person, and the name that an operator gave."""

    passages: list[Seen] = field(default_factory=list)
    named: str = ""


class People(dict[int, Person]):
    """Everybody who is remembered, with all vectors as one matrix, so that one product compares somebody with all."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self._limits = limits
        self._row: dict[str, int] = {}  # of a passage
        self._free: list[int] = []
        self._vectors = np.empty((0, 0), np.float32)  # of length 1
        self._cameras: dict[str, int] = {}
        self._camera, self._owner, self._limit = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
        self._means = CameraMeans()

    @property
    def passages(self) -> int:
        """Number of passages."""
        return len(self._row)

    @property
    def centred(self) -> bool:
        """True if vectors are compared less the mean of their camera."""
        return self._limits.centred is not None and self._means.known

    def person_of(self, name: str) -> int | None:
        """Number of the person whose passage has a name."""
        row = self._row.get(name)
        return None if row is None else int(self._owner[row])

    def give(self, passage: Seen, number: int) -> None:
        """Give a passage to somebody, who may be new. One of the same name is forgotten."""
        self.forget(passage.name)
        vector = np.asarray(passage.embedding, np.float64)
        unit = vector / np.linalg.norm(vector)
        if not self._free:
            self._grow(len(unit))
        row = self._row[passage.name] = self._free.pop()
        self._vectors[row], self._owner[row], self._limit[row] = unit, number, self._limits.plain(vector)
        self._camera[row] = self._cameras.setdefault(passage.camera, len(self._cameras))
        self._means.add(passage.camera, self._vectors[row])
        self.setdefault(number, Person()).passages.append(passage)

    def move(self, names: Collection[str], to: int) -> None:
        """Give passages to somebody else, who may be new. Who has none left, is forgotten."""
        for name in names:
            row = self._row[name]
            self.setdefault(to, Person()).passages.append(self._take(name, int(self._owner[row])))
            self._owner[row] = to

    def forget(self, name: str) -> None:
        """Forget a passage, if it is remembered, and its person with the last of them."""
        row = self._row.pop(name, None)
        if row is None:
            return
        passage = self._take(name, int(self._owner[row]))
        self._means.add(passage.camera, self._vectors[row], -1)
        self._free.append(row)
        self._owner[row] = _NOBODY

    def _take(self, name: str, number: int) -> Seen:
        mine = self[number].passages
        taken = mine.pop(next(at for at, one in enumerate(mine) if one.name == name))
        if not mine:
            del self[number]
        return taken

    def near(self, number: int) -> list[tuple[float, int]]:
        """Mean cosine distance and number of all others within the limit, the least first."""
        mine = np.array([self._row[one.name] for one in self[number].passages])
        rows = np.flatnonzero(self._owner != _NOBODY)
        distances, limit = 1 - self._likeness(mine)[rows], float(self._limit[mine].mean())
        if self._limits.centred is not None and self.centred:
            limit = self._limits.centred(len(self))
        owners, at = np.unique(self._owner[rows], return_inverse=True)
        means = np.bincount(at, distances) / np.bincount(at)
        within = np.flatnonzero(means <= limit).tolist()
        return sorted((float(means[place]), int(owners[place])) for place in within if owners[place] != number)

    def _likeness(self, mine: NDArray[np.int64]) -> NDArray[np.floating]:
        """Mean cosine of some rows with each row."""
        if not self.centred:
            plain: NDArray[np.floating] = self._vectors @ self._vectors[mine].mean(axis=0)
            return plain
        means = self._means.of(self._cameras).astype(np.float32)
        # (v - m) . x = v . x - m . x, so that no matrix of all centred vectors is made.
        at = np.arange(len(self._camera)), self._camera
        shares = self._vectors @ means.T
        squares = 1 - 2 * shares[at] + np.einsum("ij,ij->i", means, means)[self._camera]
        lengths = np.sqrt(np.maximum(squares, 1e-6))
        asked = ((self._vectors[mine] - means[self._camera[mine]]) / lengths[mine, None]).mean(axis=0)
        found: NDArray[np.floating] = (self._vectors @ asked - (means @ asked)[self._camera]) / lengths
        return found

    def _grow(self, size: int) -> None:
        """Make room for as many passages again."""
        old, new = len(self._owner), 2 * len(self._owner) + 64
        vectors = np.zeros((new, size), np.float32)
        vectors[:old] = self._vectors[:old].reshape(old, size)
        self._vectors = vectors
        self._camera, self._owner = np.resize(self._camera, new), np.append(self._owner, np.zeros(new - old, np.int64))
        self._camera[old:] = 0
        self._limit = np.append(self._limit, np.zeros(new - old))
        self._free = list(range(new - 1, old - 1, -1))
