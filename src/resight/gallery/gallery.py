"""A gallery as people use it: crops go in, a person's images ask, and the most alike sightings come out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from resight.datasets.names import nfc
from resight.distances.euclidean import embeddings_of
from resight.errors import GalleryError, MissingSightingError
from resight.gallery.crops import Crop
from resight.gallery.enrol import Enrolment, embed, enrol
from resight.gallery.settings import Settings
from resight.gallery.sighting import EVERYTHING, Record, Sighting, Where
from resight.gallery.statistics import Statistics, summarise
from resight.gallery.store.snapshot import Snapshot, restore, snapshots, take_snapshot
from resight.gallery.store.sqlite import SqliteStore
from resight.gallery.store.store import Camera, Removal, Store
from resight.images import Pixels
from resight.models.embedding import Model
from resight.progress import Progress, silent

__all__ = ["Gallery", "Match", "fuse"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Match:
    """One place of a ranked list.

    Attributes
    ----------
    rank : int
        From 1.
    distance : float
        Smaller is more alike.
    record : Record
    """

    rank: int
    distance: float
    record: Record

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"rank": self.rank, "distance": self.distance, **self.record.to_dict()}


class Gallery:
    """Sightings that outlive the process, searched by the vectors of one model.

    Threads may share one; processes open one each. Use `Gallery.create` and `Gallery.open`; as a context manager it is closed at
    the end.

    Parameters
    ----------
    index : Store
    folder : Path, optional
        Where it is, if it is in a folder.
    """

    def __init__(self, index: Store, folder: Path | None = None) -> None:
        self.index = index
        self.folder = folder

    @classmethod
    def create(cls, location: str | Path, settings: Settings) -> Self:
        """Make an empty gallery.

        Parameters
        ----------
        location : str or Path
            A folder, or ``postgresql://USER:PASSWORD@HOST/DATABASE``.
        settings : Settings
            See `Settings.for_model`.

        Raises
        ------
        GalleryError
            If there is one already, or the database cannot be used.
        StorageError
            If the folder cannot be written.
        """
        if _is_database(location):
            from resight.gallery.store.postgres import PostgresStore

            return cls(PostgresStore.create(str(location), settings))
        return cls(SqliteStore.create(Path(location), settings), Path(location))

    @classmethod
    def open(cls, location: str | Path) -> Self:
        """Open a gallery.

        Raises
        ------
        GalleryError
            If there is none, or it is of a newer version.
        GalleryDamagedError
            If its file is damaged.
        """
        if _is_database(location):
            from resight.gallery.store.postgres import PostgresStore

            return cls(PostgresStore(str(location)))
        return cls(SqliteStore(Path(location)), Path(location))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self.index)

    @property
    def settings(self) -> Settings:
        """What holds for all of it."""
        return self.index.settings

    def enrol(self, extractor: Model, crops: Sequence[Crop], *, progress: Progress = silent) -> Enrolment:
        """Embed crops and add them; see `resight.gallery.enrol.enrol`."""
        return enrol(self.index, extractor, crops, progress=progress)

    def embed(self, extractor: Model, images: Sequence[Pixels]) -> NDArray[np.float32]:
        """The vectors, float32 (n, d), of images of any size, uint8 RGB, by the gallery's model.

        Raises
        ------
        ModelMismatchError
            If it is not the gallery's model.
        ArrayError
            If the model gives NaN or infinity.
        """
        self.settings.check_model(extractor)
        return embed(extractor, images)

    def search(self, vectors: NDArray[np.float32], k: int = 10, where: Where = EVERYTHING) -> list[Match]:
        """The sightings most like one person.

        Parameters
        ----------
        vectors : float32 array of shape (m, d)
            One or more images of the person, which are fused into one question (see `fuse`).
        k : int
            At most so many.
        where : Where
            Which sightings are searched.

        Returns
        -------
        list of Match
            The most alike first; of equally near ones the smaller id first.

        Raises
        ------
        ArrayError
            If the vectors have another dimension or hold NaN, or k is less than 1.
        GalleryDamagedError
            If what is found does not fit its checksum.
        """
        ids, distances = self.nearest(fuse(vectors), k, where)
        return self.matches(ids[0], distances[0])

    def nearest(
        self, vectors: NDArray[np.float32], k: int, where: Where = EVERYTHING
    ) -> tuple[NDArray[np.str_], NDArray[np.float32]]:
        """The nearest sightings of each vector by itself: ids and distances, both of shape (q, min(k, matching sightings))."""
        return self.index.search(vectors, k, where)

    def matches(self, ids: NDArray[np.str_], distances: NDArray[np.float32]) -> list[Match]:
        """One ranked list from what `nearest` has found for one vector; what was purged since is left out."""
        # Not the sightings: vectors and thumbnails are most of what is on the disk, and nobody has asked for them.
        found = {record.id: record for record in self.index.records(Where(ids=frozenset(ids.tolist())))}
        pairs = [(id, distance) for id, distance in zip(ids.tolist(), distances.tolist(), strict=True) if id in found]
        return [Match(rank=rank, distance=distance, record=found[id]) for rank, (id, distance) in enumerate(pairs, 1)]

    def get(self, id: str) -> Sighting:
        """One sighting. Raises `MissingSightingError` if there is none of this id."""
        found = self.index.get([id])
        if id not in found:
            raise MissingSightingError(f"no sighting {id} in this gallery; it may have been purged")
        return found[id]

    def records(self, where: Where = EVERYTHING) -> list[Record]:
        """What is known of sightings, without vectors and thumbnails, in the order of their enrolment."""
        return self.index.records(where)

    def cameras(self) -> dict[str, Camera]:
        """The cameras by name, in the order of their names: how many sightings each has, and when it saw the first and the last."""
        return self.index.cameras()

    def label(self, ids: Iterable[str], identity: str) -> int:
        """Say whose image some are (empty: unknown); how many of them there are."""
        return self.index.label(ids, nfc(identity))

    def purge(self, where: Where, *, progress: Progress = silent) -> Removal:
        """Delete sightings for good; see `resight.gallery.store.purge`."""
        return self.index.remove(where, progress=progress)

    def keep(self, name: str, value: Any) -> None:
        """Keep a JSON value with the gallery, under a name, such as a calibration."""
        self.index.keep(name, value)

    def kept(self, name: str) -> Any:
        """The value kept under a name; None if there is none."""
        return self.index.kept(name)

    def meant(self, where: Where) -> set[str]:
        """Ids of what `purge` would delete, also where only a snapshot has it."""
        return {record.id for record in self.records(where)} | self.index.copies(where)

    def statistics(self, cameras: frozenset[str] | None = None, *, now: datetime | None = None) -> Statistics:
        """What is in the gallery, and what of it has expired.

        Parameters
        ----------
        cameras : set of str, optional
            Only what these have seen; then nothing is said of files.
        now : datetime, optional
            What expiry is counted from; the present unless given.
        """
        records = self.records(Where(cameras=cameras))
        expired: set[str] = set()
        if (cutoff := self.settings.expired_before(now)) is not None:
            old = Where(cameras=cameras, older_than=cutoff)
            expired = {record.id for record in records if old.holds(record)} | self.index.copies(old)
        if self.folder is None or cameras is not None:
            return summarise(records, self.settings, len(expired))
        return summarise(
            records,
            self.settings,
            len(expired),
            size=sum(file.stat().st_size for file in self.folder.rglob("*") if file.is_file()),
            snapshots=tuple(snapshot.name for snapshot in snapshots(self.folder)),
        )

    def take_snapshot(self, name: str = "") -> Snapshot:
        """Copy the gallery as it is, into its own folder, where a purge reaches the copy; see `resight.gallery.store.snapshot`."""
        return take_snapshot(self._folder("a snapshot"), name)

    def restore(self, name: str) -> Snapshot:
        """Make the gallery what it was when a snapshot was taken, but for what was purged since."""
        return restore(self._folder("a snapshot"), name)

    def problems(self, *, progress: Progress = silent) -> list[str]:
        """Everything that is damaged, in words; empty if nothing is."""
        return self.index.problems(progress=progress)

    def close(self) -> None:
        """Let go of files and connections."""
        self.index.close()

    def _folder(self, what: str) -> Path:
        if self.folder is None:
            raise GalleryError(f"{what} is of a gallery in a folder; back up a database with pg_dump")
        return self.folder


def fuse(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """One question out of several images of one person: the mean of their directions, in their mean length.

    Each image counts as much as another, however long its vector. A distance then means much the same whether one image asks or
    five, which the least of five distances would not: strangers come nearer with every image.

    Parameters
    ----------
    vectors : float32 array of shape (m, d)
        m at least 1.

    Returns
    -------
    float32 array of shape (1, d)
        The vector itself if there is only one; zeros if the directions cancel out.
    """
    images = embeddings_of("query", vectors)
    if len(images) == 1:
        return images
    lengths = np.linalg.norm(images.astype(np.float64), axis=1, keepdims=True)
    mean = np.divide(images, lengths, out=np.zeros(images.shape), where=lengths > 0).mean(axis=0)
    length = np.linalg.norm(mean)
    scale = float(lengths.mean() / length) if length > 0 else 0.0
    return np.asarray(mean[None] * scale, np.float32)


def _is_database(location: str | Path) -> bool:
    return str(location).startswith(("postgresql:", "postgres:"))
