"""A threshold with the error rates that were measured at it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from resight.decision.confidence import Rate
from resight.decision.open_set import LabelledSearches

__all__ = ["OperatingPoint", "measure"]


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """A threshold with its measured error rates.

    Attributes
    ----------
    wanted : float
        Allowed rate of false answers to searches for an absent person.
    threshold : float
        Largest distance that counts; with a cohort, less the query's commonness.
    false_positives : Rate
        Measured rate of false answers, and limits between which lies the rate that as many other people show. On the people used
        for the choice the rate is at most `wanted`; or the upper limit of the true rate is, if that was guaranteed.
    misses : Rate or None
        Rate of searches for a present person that find no image of that person within the threshold; None if no person was seen by
        two cameras.
    people_to_halve : int or None
        Number of labelled people that would bring the limits of `false_positives` to half their distance.
    """

    wanted: float
    threshold: float
    false_positives: Rate
    misses: Rate | None
    people_to_halve: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        rates = {"false_positives": self.false_positives, "misses": self.misses}
        return asdict(self) | {name: None if rate is None else rate._asdict() for name, rate in rates.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make one from what `to_dict` returned. Raises `ValueError`, `KeyError` or `TypeError` for anything else."""
        misses, people = values["misses"], values["people_to_halve"]
        return cls(
            wanted=float(values["wanted"]),
            threshold=float(values["threshold"]),
            false_positives=Rate(**values["false_positives"]),
            misses=None if misses is None else Rate(**misses),
            people_to_halve=None if people is None else int(people),
        )


def measure(searches: LabelledSearches, wanted: float, threshold: float, confidence: float) -> OperatingPoint:
    """Measure a threshold's error rates on some people; better on others than those it was chosen for."""
    false_positives, misses = searches.false_positives(confidence), searches.misses(confidence)
    return OperatingPoint(
        wanted=wanted,
        threshold=threshold,
        false_positives=false_positives.elsewhere(threshold),
        misses=None if misses is None else misses.elsewhere(threshold),
        people_to_halve=math.ceil(searches.people * false_positives.halving(threshold)),
    )
