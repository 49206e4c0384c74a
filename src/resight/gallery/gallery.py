"""The door to the sightings of a gallery: enrol crops, search for a person, label, purge.

`resight.gallery.upkeep` is for a gallery as a whole: snapshots, backups, damage, older versions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from resight.datasets.names import near_names, nfc
from resight.errors import MissingSightingError
from resight.gallery.crops import Crop
from resight.gallery.enrol import Embed, Enrolment, enrol
from resight.gallery.matches import Match, Matches, fuse
from resight.gallery.settings import Settings, future_from
from resight.gallery.sighting import EVERYTHING, Record, Sighting, Where
from resight.gallery.statistics import Statistics, statistics_of
from resight.gallery.store.interface import Camera, Removal, Store, is_database
from resight.gallery.store.sqlite import SqliteStore
from resight.images import Pixels
from resight.memory import overwrite_freed_memory
from resight.models.model import Model
from resight.progress import Progress, silent

__all__ = ["Gallery"]


class Gallery:
    """Sightings on disk, searched by the vectors of one model.

    Make one with `Gallery.create` or `Gallery.open`; as a context manager it closes at the end. Threads may share a gallery;
    each process opens its own.

    Attributes
    ----------
    folder : Path or None
        None for a gallery in a database.
    """

    def __init__(self, store: Store, folder: Path | None = None) -> None:
        self._store = store
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
        ConfigurationError
            If the folder would be in that of another gallery.
        GalleryError
            If there is one already, or the database cannot be used.
        StorageError
            If the folder cannot be written.
        """
        if is_database(location):
            from resight.gallery.store.postgres import PostgresStore

            return cls(PostgresStore.create(str(location), settings))
        return cls(SqliteStore.create(Path(location), settings), Path(location))

    @classmethod
    def open(cls, location: str | Path) -> Self:
        """Open a gallery.

        Raises
        ------
        GalleryError
            If there is none, or another version of Resight wrote it.
        GalleryDamagedError
            If its file is damaged.
        """
        if is_database(location):
            from resight.gallery.store.postgres import PostgresStore

            return cls(PostgresStore(str(location)))
        return cls(SqliteStore(Path(location)), Path(location))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._store)

    def __repr__(self) -> str:
        where = f"in {self.folder}" if self.folder else "in a database"
        return f"<Gallery {where}: {len(self)} sightings by {self.settings.model}, {self.settings.distance} distance>"

    @property
    def settings(self) -> Settings:
        """Model, distance, precision and retention of the gallery."""
        return self._store.settings

    def enrol(
        self, extractor: Model, crops: Sequence[Crop], *, embed: Embed | None = None, progress: Progress = silent
    ) -> Enrolment:
        """Embed crops and add them; see `resight.gallery.enrol.enrol`."""
        return enrol(self._store, extractor, crops, embed=embed, progress=progress)

    def add(self, sightings: Sequence[Sighting]) -> int:
        """Add embedded sightings, all or none; return how many are new. Raises `ArrayError` for NaN and for wrong shapes."""
        return self._store.add(sightings)

    def embed(self, extractor: Model, images: Sequence[Pixels]) -> NDArray[np.float32]:
        """Embed images of any size, uint8 RGB, as float32 (n, d).

        Raises
        ------
        ModelMismatchError
            If `extractor` is not the gallery's model.
        ArrayError
            If the model gives NaN or infinity.
        """
        self.settings.check_model(extractor)
        return extractor.embed(images)

    def search(self, vectors: NDArray[np.float32], k: int = 10, where: Where = EVERYTHING) -> Matches:
        """Find the sightings most like one person.

        Parameters
        ----------
        vectors : float32 array of shape (d,) or (m, d)
            One image of the person, or several, which are fused into one query (see `fuse`).
        k : int
            Largest number of matches.
        where : Where
            Sightings to search.

        Returns
        -------
        Matches
            The most alike first; of equally near ones the smaller id first. It prints as a table.

        Raises
        ------
        ArrayError
            If there is no vector, the vectors have another dimension or hold NaN, or k is less than 1.
        GalleryDamagedError
            If a result does not match its checksum.
        """
        return self.search_each(fuse(vectors), k, where)[0]

    def search_each(self, vectors: NDArray[np.float32], k: int = 10, where: Where = EVERYTHING) -> list[Matches]:
        """Search once for each vector of an array of shape (q, d); see `search`. All records are read at once."""
        ids, distances = self._store.search(vectors, k, where)
        # Records only: vectors and thumbnails are most of the bytes on disk, and a ranked list needs neither.
        found = {record.id: record for record in self._store.records(Where(ids=frozenset(ids.ravel().tolist())))}
        lists = []
        for row, values in zip(ids.tolist(), distances.tolist(), strict=True):
            # What was purged between the two reads is left out.
            pairs = [(found[id], distance) for id, distance in zip(row, values, strict=True) if id in found]
            lists.append(Matches(Match(rank=rank, distance=value, record=record) for rank, (record, value) in enumerate(pairs, 1)))
        return lists

    def get(self, id: str) -> Sighting:
        """Return one sighting. Raises `MissingSightingError` if the gallery has none of this id."""
        found = self._store.get([id])
        if id not in found:
            raise MissingSightingError(f"no sighting {id} in this gallery; it may have been purged")
        return found[id]

    def sightings(self, ids: Iterable[str]) -> dict[str, Sighting]:
        """Return sightings by id, in the order of `ids`; ids that are not in the gallery are left out."""
        return self._store.get(ids)

    def records(self, where: Where = EVERYTHING) -> list[Record]:
        """Return records, without vectors and thumbnails, in the order of their enrolment."""
        return self._store.records(where)

    def page(self, where: Where = EVERYTHING, limit: int = 100, after: str = "") -> list[Record]:
        """List records by time, those without a time last. To go on, give the id of the last record as `after`.

        The filter may name cameras, identities and times. Raises `MissingSightingError` if `after` is no longer in the list.
        """
        last = None
        if after:
            last = next(iter(self._store.records(Where(ids=frozenset([after])))), None)
            if last is None or not where.holds(last):
                raise MissingSightingError(f"sighting {after} is no longer in this list; start it again")
        return self._store.page(where, limit, last)

    def cameras(self) -> dict[str, Camera]:
        """Return the cameras by name, sorted: number of sightings, and times of the first and the last."""
        return self._store.cameras()

    def people(self, cameras: frozenset[str] | None = None) -> tuple[int, int]:
        """Return the number of people with a name, and of sightings without, by some or all cameras."""
        summary = self._store.summary(cameras, None, future_from())
        return summary.identities, summary.unlabelled

    def names(self) -> tuple[set[str], set[str]]:
        """Return the names of all cameras and of all people, also of those that only snapshots hold."""
        return self._store.names()

    def label(self, ids: Iterable[str], identity: str, was: Mapping[str, str] | None = None) -> int:
        """Set the identity of sightings (empty: unknown); return how many there are.

        With `was`, identities by id as they were read before, sightings that somebody has named otherwise meanwhile are left alone.
        """
        return self._store.label(ids, nfc(identity), was)

    def purge(self, where: Where, *, progress: Progress = silent) -> Removal:
        """Delete sightings for good, from this process's memory too; see `resight.gallery.store.purge`."""
        removal = self._store.remove(where, progress=progress)
        overwrite_freed_memory()
        return removal

    def reach(self, where: Where) -> tuple[list[str], int]:
        """Return what `purge` would delete: ids in the gallery, and the number of further sightings that only snapshots hold."""
        if where.ids is not None and where == Where(ids=where.ids):  # damaged sightings too
            here = sorted(self._store.present(where.ids))
        else:
            here = [record.id for record in self._store.records(where)]
        return here, len(self._store.copies(where).difference(here))

    def near_names(self, where: Where) -> list[str]:
        """Return names that a filter does not select, but which differ from its names in no visible letter.

        The names are those of the gallery and its snapshots. Case, blanks and invisible characters are ignored here, and only here.
        """
        near: set[str] = set()
        for asked, known in zip((where.cameras, where.identities), self.names(), strict=True):
            near |= near_names(asked or (), known)
        return sorted(near)

    def statistics(self, cameras: frozenset[str] | None = None, *, now: datetime | None = None) -> Statistics:
        """Count the gallery's sightings.

        Parameters
        ----------
        cameras : set of str, optional
            Count only these cameras, and say nothing of files.
        now : datetime, optional
            Time from which expiry is counted; the present by default.
        """
        summary = self._store.summary(cameras, self.settings.expired_before(now), future_from(now))
        return statistics_of(summary, self.settings, self.folder if cameras is None else None)

    def close(self) -> None:
        """Close files and connections."""
        self._store.close()
