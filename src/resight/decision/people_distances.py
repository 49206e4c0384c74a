"""Distance of every query to everybody in a gallery, from which searches among some or all people are counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resight.datasets.records import DISTRACTOR, JUNK
from resight.decision.cohort import Cohort
from resight.decision.open_set import LabelledSearches
from resight.distances import distance_named
from resight.distances.distance import DistanceFunction
from resight.distances.vectors import embeddings_of
from resight.errors import ArrayError
from resight.progress import Progress, silent

__all__ = ["FEWEST_PEOPLE", "PeopleDistances", "people_distances", "search_everybody"]

_BLOCK = 1 << 23  # distances that are held at a time
_CLOSEST = 32  # people whose distances a search keeps
FEWEST_PEOPLE = 3  # people


@dataclass(frozen=True, kw_only=True, eq=False)
class PeopleDistances:
    """Distance of every query to the nearest image of everybody in a gallery; see `people_distances`.

    Attributes
    ----------
    people : int
        Number of people who ask. They have the first columns.
    persons : int64 array of shape (q,)
        Person on the query, in increasing order.
    between : float32 array of shape (q, columns)
        Infinity for the query's own person, and for those who are not in the gallery. The last column is for strangers without
        a name, whoever they are.
    own : float32 array of shape (q,)
        Distance of the nearest image of the same person by another camera; infinity without one.
    images : int64 array of shape (columns,)
        Number of images in the gallery.
    """

    people: int
    persons: NDArray[np.int64]
    between: NDArray[np.float32]
    own: NDArray[np.float32]
    images: NDArray[np.int64]

    def among(self, people: NDArray[np.bool_] | None = None) -> LabelledSearches:
        """Searches of some people among each other; of all by default.

        Parameters
        ----------
        people : bool array of shape (people,), optional
        """
        chosen: NDArray[np.bool_] = np.ones(self.people, np.bool_) if people is None else people
        rows = chosen[self.persons]
        columns: NDArray[np.bool_] = np.ones(self.between.shape[1], np.bool_)
        columns[: self.people] = chosen
        between, persons, here = self.between, self.persons, self.images[:-1][columns[:-1]]
        if not chosen.all():
            between, persons = between[np.ix_(rows, columns)], (np.cumsum(chosen) - 1)[persons[rows]]
        count, last = int(np.count_nonzero(chosen)), between.shape[1] - 1
        if count < FEWEST_PEOPLE or np.count_nonzero(here) < FEWEST_PEOPLE:
            raise ArrayError(f"{min(count, int(np.count_nonzero(here)))} people; expected at least three")
        nearest = between.argmin(axis=1)
        kept = min(_CLOSEST, last)
        closest = np.sort(np.partition(between, kept - 1, axis=1)[:, :kept], axis=1)
        return LabelledSearches(
            people=count,
            enrolled=int(np.count_nonzero(here)) - 1,
            per_person=float(here[here > 0].mean()),
            persons=persons,
            closest=closest,
            nearest=np.where(nearest < count, nearest, -1),
            own=self.own[rows],
        )


def search_everybody(
    vectors: ArrayLike,
    identities: ArrayLike,
    cameras: ArrayLike,
    distance: str | DistanceFunction,
    *,
    cohort: Cohort | None = None,
    progress: Progress = silent,
) -> LabelledSearches:
    """Search with every image among all others, for its person and for an absent one.

    Parameters
    ----------
    vectors : array of shape (n, d)
    identities, cameras : int arrays of shape (n,)
        Images with identity 0 or less are left out. Strangers may be seen by any camera, even the query's own, as in a real search.
    distance, cohort, progress
        See `people_distances`, also for the errors.

    Returns
    -------
    LabelledSearches
    """
    images, who, seen_by = _labelled("labelled", vectors, identities, cameras)
    people = who > DISTRACTOR
    side = images[people], who[people], seen_by[people]
    return people_distances(*side, *side, distance, cohort=cohort, progress=progress).among()


def people_distances(
    queries: ArrayLike,
    query_identities: ArrayLike,
    query_cameras: ArrayLike,
    gallery: ArrayLike,
    gallery_identities: ArrayLike,
    gallery_cameras: ArrayLike,
    distance: str | DistanceFunction,
    *,
    cohort: Cohort | None = None,
    progress: Progress = silent,
) -> PeopleDistances:
    """Compare queries with everybody in a gallery. It takes four bytes for each query and person.

    Parameters
    ----------
    queries : array of shape (q, d)
    query_identities, query_cameras : int arrays of shape (q,)
        Queries of identity 0 or less are left out.
    gallery : array of shape (n, d)
    gallery_identities, gallery_cameras : int arrays of shape (n,)
        Images of identity -1 are left out; those of identity 0 show strangers without a name.
    distance : str or callable
        A key of `resight.distances.DISTANCES`, or a function of (q, d) and (n, d) arrays that returns distances (q, n).
    cohort : Cohort, optional
        All distances of a query are then less its `Cohort.commonness`.
    progress : Progress

    Returns
    -------
    PeopleDistances

    Raises
    ------
    ArrayError
        If shapes do not fit, a vector holds NaN or infinity, or there are fewer than three people.
    ConfigurationError
        If `distance` is unknown.
    """
    asking, who, seen_by = _labelled("query", queries, query_identities, query_cameras)
    images, whose, cameras = _labelled("gallery", gallery, gallery_identities, gallery_cameras)
    compare = distance if callable(distance) else distance_named(distance).between
    order = np.argsort(who, kind="stable")
    order = order[who[order] > DISTRACTOR]
    asking, seen_by = asking[order], seen_by[order]
    names, persons = np.unique(who[order], return_inverse=True)
    known = whose > DISTRACTOR
    columns = np.concatenate([names, np.setdiff1d(whose[known], names)])
    place = np.full(len(whose), len(columns))  # of people without a name
    by_name = np.argsort(columns)
    place[known] = by_name[np.searchsorted(columns, whose[known], sorter=by_name)]
    order = np.argsort(place, kind="stable")  # the images of a person are a slice
    order = order[whose[order] != JUNK]
    images, cameras = images[order], cameras[order]
    if len(names) < FEWEST_PEOPLE or len(images) == 0:
        raise ArrayError(f"{len(names) if len(images) else 0} people; expected at least three")
    present, starts = np.unique(place[order], return_index=True)
    spans = {int(column): slice(start, end) for column, start, end in zip(present, starts, [*starts[1:], len(images)], strict=True)}
    count = len(asking)
    between, own = np.full((count, len(columns) + 1), np.inf, np.float32), np.full(count, np.inf, np.float32)
    height = max(1, _BLOCK // len(images))
    for first in range(0, count, height):
        rows = slice(first, min(first + height, count))
        block = compare(asking[rows], images)
        between[rows, present] = np.minimum.reduceat(block, starts, axis=1)
        for row, person in enumerate(persons[rows].tolist(), first):
            if (same := spans.get(person)) is not None:
                others = block[row - first, same][cameras[same] != seen_by[row]]
                own[row] = others.min(initial=np.inf)
        progress("search", rows.stop, count)
    if cohort is not None:
        common = cohort.commonness(asking).astype(np.float32)
        between -= common[:, None]
        own -= common
    between[np.arange(count), persons] = np.inf
    counts = np.bincount(place[order], minlength=len(columns) + 1)
    return PeopleDistances(people=len(names), persons=persons, between=between, own=own, images=counts)


def _labelled(
    name: str, vectors: ArrayLike, identities: ArrayLike, cameras: ArrayLike
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    images, who, seen_by = embeddings_of(name, vectors), np.asarray(identities), np.asarray(cameras)
    if who.shape != (len(images),) or seen_by.shape != who.shape:
        raise ArrayError(
            f"{len(images)} vectors, identities of shape {who.shape}, cameras of shape {seen_by.shape}; expected as many of each"
        )
    return images, who, seen_by
