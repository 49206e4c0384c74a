"""Scores of groups of passages against the people that they are of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from resight.errors import NoMatchError

__all__ = ["GroupScores", "score_groups"]


@dataclass(frozen=True, kw_only=True)
class GroupScores:
    """How well groups are people; shares from 0 to 1.

    Attributes
    ----------
    pair_precision, pair_recall : float
        Share of the pairs within a group that are one person's, and of the pairs of one person that are within a group; 1 if there
        is no such pair.
    b_precision, b_recall, b_f1 : float
        B-cubed: for each passage, the share of its group that is the same person, and the share of its person that is in the same
        group; means over passages, and their harmonic mean.
    passages, people, groups : int
    """

    pair_precision: float
    pair_recall: float
    b_precision: float
    b_recall: float
    b_f1: float
    passages: int
    people: int
    groups: int

    def to_dict(self) -> dict[str, float]:
        """Plain numbers for JSON and tables: shares in **per cent**, then the counts."""
        counts = ("passages", "people", "groups")
        return {name: value if name in counts else 100 * value for name, value in asdict(self).items()}


def score_groups(people: Sequence[object], groups: Sequence[object]) -> GroupScores:
    """Score groups, one for each passage, against people.

    Raises
    ------
    NoMatchError
        If there is no passage, or not a group for each.

    Examples
    --------
    >>> scores = score_groups(["ann", "ann", "bob"], [1, 1, 1])
    >>> round(scores.pair_precision, 3), scores.pair_recall, round(scores.b_precision, 3)
    (0.333, 1.0, 0.556)

    References
    ----------
    A. Bagga, B. Baldwin, "Algorithms for Scoring Coreference Chains", 1998.
    """
    if not len(people) or len(people) != len(groups):
        raise NoMatchError(f"{len(people)} passages of people and {len(groups)} of groups; expected as many, and at least one")
    who = np.unique([str(one) for one in people], return_inverse=True)[1]
    where = np.unique([str(one) for one in groups], return_inverse=True)[1]
    together = np.zeros((who.max() + 1, where.max() + 1))
    np.add.at(together, (who, where), 1)
    of_people, of_groups = together.sum(1), together.sum(0)
    both, ours, theirs = ((counts * (counts - 1)).sum() / 2 for counts in (together, of_people, of_groups))
    b_precision = float((together**2 / of_groups[None]).sum() / len(people))
    b_recall = float((together**2 / of_people[:, None]).sum() / len(people))
    return GroupScores(
        pair_precision=float(both / theirs) if theirs else 1.0,
        pair_recall=float(both / ours) if ours else 1.0,
        b_precision=b_precision,
        b_recall=b_recall,
        b_f1=2 * b_precision * b_recall / (b_precision + b_recall),
        passages=len(people),
        people=len(of_people),
        groups=len(of_groups),
    )
