"""Vectors become distances: smaller is more alike."""

from resight.configuration import nearest_name
from resight.distances.cosine import Cosine
from resight.distances.distance import Distance
from resight.distances.euclidean import Euclidean
from resight.errors import ConfigurationError

__all__ = ["DISTANCES", "LEARNED", "distance_named"]

DISTANCES: dict[str, Distance] = {
    "euclidean": Euclidean(),
    "cosine": Cosine(),
}
"""Distances that need no fitting, by name."""

LEARNED = ("kissme", "xqda")
"""Names of distances that are learned from labelled vectors; see `resight.distances.fitted`."""


def distance_named(distance: str | Distance, *others: str) -> Distance:
    """Look a distance up.

    Parameters
    ----------
    distance : str or Distance
        A key of `DISTANCES`; a `Distance` is returned as it is.
    *others : str
        More names that the caller knows, for the message.

    Returns
    -------
    Distance

    Raises
    ------
    ConfigurationError
        If the name is unknown; the message names the nearest known one.
    """
    if isinstance(distance, Distance):
        return distance
    if distance not in DISTANCES:
        known = (*DISTANCES, *others)
        raise ConfigurationError(f"distance {distance!r} is unknown{nearest_name(distance, known)}; expected {', '.join(known)}")
    return DISTANCES[distance]
