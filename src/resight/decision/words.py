"""Why an answer is what it is, in plain words: the nearest, somebody else, and how common such clothes are here.

Nothing here is a percentage: what is said was measured in this search and in this gallery.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resight.decision.calibration import UNKNOWN, Band, Calibration
from resight.decision.cohort import Cohort
from resight.decision.decide import bands
from resight.gallery import Gallery, Match
from resight.gallery.people import is_provisional

__all__ = ["Answer", "Usual", "answer", "explain", "look_around"]

_SAMPLE = 200  # sightings
_FEWEST = 30
_UNLABELLED = "These distances were chosen without labels: nobody has checked how often they are right here."
_PART = 3  # a third of them is common, a third is rare


@dataclass(frozen=True, eq=False)
class Usual:
    """How common the appearances of some sightings of a gallery are, the most common first.

    Attributes
    ----------
    commonness : float64 array of shape (n,)
        See `resight.decision.cohort.Cohort.commonness`; increasing.
    """

    commonness: NDArray[np.float64]

    def words(self, common: float) -> str:
        """Say how common an appearance is, among these sightings."""
        count = len(self.commonness)
        rarer = count - int(np.searchsorted(self.commonness, common, side="right"))
        among = f"{count} sightings of this gallery"
        if rarer >= count * (_PART - 1) / _PART:
            return f"Many people look like this here: {rarer} of {among} look rarer. A match must therefore be nearer than usual."
        if rarer <= count / _PART:
            return (
                f"Few people look like this here: {count - rarer} of {among} look more common. A match may be further than usual."
            )
        return f"This is neither a common nor a rare look here: {rarer} of {among} look rarer."


def look_around(gallery: Gallery, cohort: Cohort, *, seed: int = 0) -> Usual | None:
    """Look at some sightings of a gallery, drawn by lot; None if it has too few."""
    ids = [record.id for record in gallery.records()]
    if len(ids) < _FEWEST:
        return None
    drawn = np.random.default_rng(seed).permutation(len(ids))[:_SAMPLE]
    vectors = [one.embedding for one in gallery.sightings([ids[place] for place in drawn]).values()]
    return Usual(np.sort(cohort.commonness(np.stack(vectors)))) if len(vectors) >= _FEWEST else None


@dataclass(frozen=True)
class Answer:
    """Answer to a search.

    Attributes
    ----------
    bands : list of str
        "match", "possible" or "unknown" for each place of the ranked list.
    match, possible : float
        Distances up to which this question has a match, and a possible one.
    why : tuple of str
        Sentences; see `explain`.
    """

    bands: list[Band]
    match: float
    possible: float
    why: tuple[str, ...]

    @property
    def decision(self) -> Band:
        """The band of the first place; "unknown" without any."""
        return self.bands[0] if self.bands else UNKNOWN


def answer(
    matches: Sequence[Match], calibration: Calibration, query: NDArray[np.float32], people: int | None, usual: Usual | None
) -> Answer:
    """Answer a search, and say why.

    Parameters
    ----------
    matches : sequence of Match
        The ranked list.
    calibration : Calibration
        The one that applies; see `Calibration.asked_with`.
    query : float32 array of shape (d,)
    people : int or None
        People in the gallery; see `Calibration.thresholds`.
    usual : Usual or None
        Appearances of the gallery that the caller may know of.
    """
    common = calibration.commonness(query)
    match, possible = calibration.thresholds_at(common, people)
    found = bands([one.distance for one in matches], match, possible).tolist()
    why = explain(matches, match, possible, common=common, usual=usual)
    return Answer(found, match, possible, why if calibration.labelled or not why else (*why, _UNLABELLED))


def explain(
    matches: Sequence[Match], match: float, possible: float, *, common: float | None = None, usual: Usual | None = None
) -> tuple[str, ...]:
    """Say in plain words why the first of a ranked list is a match, possible or unknown.

    Parameters
    ----------
    matches : sequence of Match
        The ranked list.
    match, possible : float
        Distances up to which this question has a match, and a possible one; see `Calibration.thresholds`.
    common : float, optional
        Commonness of the query.
    usual : Usual, optional

    Returns
    -------
    tuple of str
        Sentences; none for an empty list.
    """
    if not matches:
        return ()
    said = [_nearest(matches[0], match, possible), *_second(matches, match, possible)]
    if common is not None and usual is not None:
        said.append(usual.words(common))
    return tuple(said)


def _nearest(first: Match, match: float, possible: float) -> str:
    at = f"The nearest is at {_number(first.distance)}"
    if possible < 0:
        return f"{at}, and no distance is near enough for this question."
    if first.distance <= match:
        return f"{at}; for this question, everything up to {_number(match)} is a match."
    if first.distance <= possible:
        return f"{at}: too far for a match, which is up to {_number(match)}; what is up to {_number(possible)} is possible."
    return f"{at}; for this question, only what is within {_number(possible)} would be possible."


def _second(matches: Sequence[Match], match: float, possible: float) -> tuple[str, ...]:
    """The nearest of somebody else, if names tell people apart."""
    who = _person(matches[0].record.identity)
    if not who:
        return ()
    other = next((one for one in matches[1:] if _person(one.record.identity) not in ("", who)), None)
    if other is None:
        return (f"Nobody else with a name is among the {len(matches)} nearest.",) if len(matches) > 1 else ()
    somebody = f"The nearest of somebody else, {other.record.identity}, is at {_number(other.distance)}"
    if other.distance <= match:
        return (f"{somebody}, which is a match, too: the two may be one person, or look alike. Compare both.",)
    if other.distance <= possible:
        return (f"{somebody}, which is possible, too. Compare both.",)
    return (f"{somebody}, which is too far.",)


def _person(identity: str) -> str:
    """Name of a person; ``anna?`` may be anna."""
    return identity[:-1] if is_provisional(identity) and identity.endswith("?") else identity


def _number(distance: float) -> str:
    return f"{distance:.3f}"
