"""Scores of tracking against ground truth: HOTA, IDF1 and MOTA.

Each is defined as in the MOTChallenge's own program, TrackEval: HOTA by Luiten et al. 2021, IDF1 by Ristani et al. 2016, MOTA by
Bernardin and Stiefelhagen 2008.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.cameras.assignment import assign
from resight.cameras.boxes import overlap
from resight.cameras.mot import MotRows
from resight.errors import DatasetError, NoMatchError

__all__ = ["TrackingScores", "score_tracks"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_EPSILON = float(np.finfo(np.float64).eps)
_ENOUGH = 0.5  # least overlap of a match, for IDF1 and MOTA
_LEVELS = np.arange(0.05, 0.99, 0.05)  # least overlaps of a match, for HOTA
_PERSON, _NOT_COUNTED = (1, -1), (2, 7, 8, 12)  # classes of MOT16 and MOT17; the latter neither count nor cost
_SHARES = ("hota", "detection", "association", "location", "idf1", "id_precision", "id_recall", "mota", "motp")


@dataclass(frozen=True, kw_only=True)
class TrackingScores:
    """How well tracks follow people.

    Attributes
    ----------
    hota, detection, association, location : float
        HOTA, and the DetA, AssA and LocA in it: means over overlaps .05 to .95.
    idf1, id_precision, id_recall : float
        Share of the boxes with the right identity, each person being one track.
    mota, motp : float
        1 - (missed + false + switches) / boxes of people (below 0 if there are more mistakes than boxes); mean overlap of matches.
    misses, false, switches : int
        Boxes of people that no track has, boxes of tracks on nobody, and changes of a person's track; at overlap .5.
    boxes, people, tracks : int
        Boxes and people of the ground truth, and tracks.
    """

    hota: float
    detection: float
    association: float
    location: float
    idf1: float
    id_precision: float
    id_recall: float
    mota: float
    motp: float
    misses: int
    false: int
    switches: int
    boxes: int
    people: int
    tracks: int

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON and tables: shares in **per cent**, then the counts."""
        return {name: 100 * value if name in _SHARES else value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class _Frame:
    """One frame: numbers of the people and of the tracks in it, and the overlap of each with each."""

    people: Indices
    tracks: Indices
    similar: Floats


def score_tracks(truth: MotRows, tracks: MotRows) -> TrackingScores:
    """Score tracks against ground truth.

    Boxes of the truth with confidence 0 do not count. In ground truth of MOT16 and later, only people who walk count, and a track
    on a distractor (somebody on a vehicle, standing still, or a reflection) costs nothing.

    Parameters
    ----------
    truth, tracks : MotRows

    Returns
    -------
    TrackingScores

    Raises
    ------
    NoMatchError
        If the truth has no box that counts.
    DatasetError
        If somebody has two boxes in one frame.
    """
    for name, rows in (("the ground truth", truth), ("the tracks", tracks)):
        _require_one_box(name, rows)
    frames, people, tracks_seen = _by_frame(truth, tracks)
    if not people:
        raise NoMatchError("the ground truth has no box that counts; expected rows with confidence 1 (and class 1 since MOT16)")
    boxes = sum(len(frame.people) for frame in frames)
    found = sum(len(frame.tracks) for frame in frames)
    matched, switches, motp = _clear(frames, people)
    right = _right_identities(frames, people, tracks_seen)
    hota, detection, association, location = _hota(frames, people, tracks_seen)
    return TrackingScores(
        hota=hota,
        detection=detection,
        association=association,
        location=location,
        idf1=2 * right / (boxes + found),
        id_precision=right / max(found, 1),
        id_recall=right / boxes,
        mota=(matched - (found - matched) - switches) / boxes,
        motp=motp,
        misses=boxes - matched,
        false=found - matched,
        switches=switches,
        boxes=boxes,
        people=people,
        tracks=tracks_seen,
    )


def _require_one_box(name: str, rows: MotRows) -> None:
    seen, counts = np.unique(np.stack([rows.frames, rows.ids]), axis=1, return_counts=True)
    if (counts > 1).any():
        frame, person = seen[:, int(np.argmax(counts > 1))].tolist()
        raise DatasetError(f"{name}: identity {person} has several boxes in frame {frame}; expected one")


def _by_frame(truth: MotRows, tracks: MotRows) -> tuple[list[_Frame], int, int]:
    """Return the frames with boxes that count, and the numbers of people and of tracks."""
    kept = []
    for number in np.union1d(truth.frames, tracks.frames).tolist():
        ours, theirs = (np.arange(len(rows))[rows.of(number)] for rows in (truth, tracks))
        similar = overlap(truth.xyxy[ours], tracks.xyxy[theirs])
        if not np.isin(truth.classes[ours], _PERSON).all():
            scores = np.where(similar < _ENOUGH - _EPSILON, 0, similar)
            rows, columns = assign(-scores)
            aside = (scores[rows, columns] > _EPSILON) & np.isin(truth.classes[ours[rows]], _NOT_COUNTED)
            theirs, similar = np.delete(theirs, columns[aside]), np.delete(similar, columns[aside], axis=1)
        counts = (truth.confidence[ours] != 0) & np.isin(truth.classes[ours], _PERSON)
        kept.append((truth.ids[ours[counts]], tracks.ids[theirs], similar[counts]))
    people = np.unique(np.concatenate([ids for ids, _, _ in kept])) if kept else np.empty(0)
    names = np.unique(np.concatenate([ids for _, ids, _ in kept])) if kept else np.empty(0)
    frames = [_Frame(np.searchsorted(people, ones), np.searchsorted(names, others), sim) for ones, others, sim in kept]
    return frames, len(people), len(names)


def _clear(frames: list[_Frame], people: int) -> tuple[int, int, float]:
    """Matches, switches and mean overlap of the matches. A match of the frame before goes first."""
    last, before = np.full(people, -1), np.full(people, -1)
    matched, switches, total = 0, 0, 0.0
    for frame in frames:
        if not len(frame.people) or not len(frame.tracks):
            continue  # as TrackEval: a frame without boxes does not end a match
        scores = 1000.0 * (frame.tracks[None] == before[frame.people][:, None]) + frame.similar
        scores[frame.similar < _ENOUGH - _EPSILON] = 0
        rows, columns = assign(-scores)
        good = scores[rows, columns] > _EPSILON
        rows, columns = rows[good], columns[good]
        who, track = frame.people[rows], frame.tracks[columns]
        switches += int(((last[who] >= 0) & (last[who] != track)).sum())
        last[who] = track
        before[:] = -1
        before[who] = track
        matched += len(rows)
        total += float(frame.similar[rows, columns].sum())
    return matched, switches, total / max(matched, 1)


def _right_identities(frames: list[_Frame], people: int, tracks: int) -> int:
    """Number of boxes with the right identity, for the best pairing of people and tracks."""
    together = np.zeros((people, tracks))
    for frame in frames:
        together[np.ix_(frame.people, frame.tracks)] += frame.similar >= _ENOUGH
    rows, columns = assign(-together)
    return int(together[rows, columns].sum())


def _hota(frames: list[_Frame], people: int, tracks: int) -> tuple[float, float, float, float]:
    """HOTA, DetA, AssA and LocA, each the mean over the levels."""
    possible = np.zeros((people, tracks))
    of_people, of_tracks = np.zeros((people, 1)), np.zeros((1, tracks))
    for frame in frames:
        union = frame.similar.sum(0)[None] + frame.similar.sum(1)[:, None] - frame.similar
        shares = np.divide(frame.similar, union, out=np.zeros_like(union), where=union > _EPSILON)
        possible[np.ix_(frame.people, frame.tracks)] += shares
        of_people[frame.people] += 1
        of_tracks[0, frame.tracks] += 1
    alignment = possible / np.maximum(of_people + of_tracks - possible, 1)
    matches = np.zeros((len(_LEVELS), people, tracks))
    located = np.zeros(len(_LEVELS))
    for frame in frames:
        rows, columns = assign(-alignment[np.ix_(frame.people, frame.tracks)] * frame.similar)
        similar = frame.similar[rows, columns]
        good = similar[None] >= _LEVELS[:, None] - _EPSILON
        matches[:, frame.people[rows], frame.tracks[columns]] += good
        located += good @ similar
    hits = matches.sum((1, 2))
    detection = hits / np.maximum(of_people.sum() + of_tracks.sum() - hits, 1)
    share = matches / np.maximum(of_people + of_tracks - matches, 1)
    association = (matches * share).sum((1, 2)) / np.maximum(hits, 1)
    location = np.maximum(located, 1e-10) / np.maximum(hits, 1e-10)
    means = (np.sqrt(detection * association).mean(), detection.mean(), association.mean(), location.mean())
    hota, deta, assa, loca = (float(value) for value in means)
    return hota, deta, assa, loca
