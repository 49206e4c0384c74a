"""The result of an evaluation, as one value object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resight.errors import NoMatchError

__all__ = ["FIGURES", "Scores", "mean_scores"]

FIGURES = ("rank1", "rank5", "rank10", "rank20", "map", "map_trapezoidal", "minp")
"""The seven figures of `Scores`, in the order of tables."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Scores:
    """The score of one evaluation, or the mean of several.

    The seven figures are shares in [0, 1] here, and per cent in `to_dict`.

    Attributes
    ----------
    rank1, rank5, rank10, rank20 : float
        Share of the queries with their person among the first 1, 5, 10, 20 of the ranking.
    map : float
        Mean average precision, non-interpolated, as today's publications quote it.
    map_trapezoidal : float
        Mean average precision by trapezoids, as the released Market-1501 code computes it and older publications quote it.
    minp : float
        Mean inverse negative penalty.
    queries : int
        Scored queries.
    queries_without_match : int
        Queries that were left out because no gallery image of another camera shows their person.
    gallery : int
        Ranked gallery images: all but those of identity -1 (Market-1501: 15,913).
    cmc : float64 array of shape (50,)
        See `resight.evaluation.cmc.cmc`.
    average_precisions : float64 array of shape (queries given,)
        One for each query in the caller's order, non-interpolated; NaN for a query without a match.
    seconds_ranking : float
        Wall-clock seconds from embeddings or distances to scores.
    deviations : mapping of str to float
        Sample standard deviation of each of the seven figures over the splits; empty for a single evaluation.
    splits : int
        Evaluations that this is the mean of.
    distance : str
        Name of the distance, ``"fitted"`` for a model's own learned one; empty if `evaluate_model` did not compute the score.
    """

    rank1: float
    rank5: float
    rank10: float
    rank20: float
    map: float
    map_trapezoidal: float
    minp: float
    queries: int
    queries_without_match: int
    gallery: int
    cmc: NDArray[np.float64]
    average_precisions: NDArray[np.float64]
    seconds_ranking: float
    deviations: Mapping[str, float] = field(default_factory=dict)
    splits: int = 1
    distance: str = ""

    def __repr__(self) -> str:
        figures = {"Rank-1": self.rank1, "Rank-5": self.rank5, "Rank-10": self.rank10, "mAP": self.map}
        said = ", ".join(f"{name} {100 * value:.2f} %" for name, value in figures.items())
        divisions = f", mean of {self.splits} divisions" if self.splits > 1 else ""
        return f"<Scores: {said}; {self.queries} queries, {self.gallery} gallery images{divisions}>"

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON and tables.

        Returns
        -------
        dict
            The seven figures in **per cent**, unrounded, as the field quotes them (``"rank1": 91.18...``), their
            ``..._deviation`` in percent points if this is a mean, `queries`, `queries_without_match`, `gallery`, `splits`
            and `seconds_ranking`. The arrays are left out.
        """
        row: dict[str, Any] = {name: 100 * getattr(self, name) for name in FIGURES}
        row |= {f"{name}_deviation": 100 * deviation for name, deviation in self.deviations.items()}
        row |= {name: getattr(self, name) for name in ("queries", "queries_without_match", "gallery", "splits")}
        return row | {"seconds_ranking": self.seconds_ranking}


def mean_scores(scores: Sequence[Scores]) -> Scores:
    """The mean over several evaluations, such as the ten random splits of VIPeR and CUHK01.

    Parameters
    ----------
    scores : sequence of Scores
        One for each split.

    Returns
    -------
    Scores
        Mean figures and CMC (as long as the shortest) with their `deviations`; `queries` and `gallery` are means over the
        splits, rounded; `queries_without_match` and `seconds_ranking` are sums; `average_precisions` are joined.

    Raises
    ------
    NoMatchError
        If `scores` is empty.
    """
    if not scores:
        raise NoMatchError("no scores to average; expected those of at least one split")
    figures = {name: np.array([getattr(score, name) for score in scores]) for name in FIGURES}
    length = min(len(score.cmc) for score in scores)
    return Scores(
        **{name: float(values.mean()) for name, values in figures.items()},
        queries=round(float(np.mean([score.queries for score in scores]))),
        queries_without_match=sum(score.queries_without_match for score in scores),
        gallery=round(float(np.mean([score.gallery for score in scores]))),
        cmc=np.mean([score.cmc[:length] for score in scores], axis=0),
        average_precisions=np.concatenate([score.average_precisions for score in scores]),
        seconds_ranking=sum(score.seconds_ranking for score in scores),
        # Deviation of a sample of splits; a single split has none.
        deviations={name: float(values.std(ddof=1)) for name, values in figures.items()} if len(scores) > 1 else {},
        splits=len(scores),
        distance=scores[0].distance,
    )
