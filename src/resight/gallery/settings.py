"""Settings of a gallery: its model, distance, precision and retention."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from resight.distances import distance_named
from resight.errors import ConfigurationError, ModelMismatchError
from resight.gallery.store.precision import PRECISIONS
from resight.models.model import Model

__all__ = ["Settings", "future_from", "parse_retention"]

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_LONGEST = 36_500 * _UNITS["d"]
"""Longest retention, in seconds: 100 years. Earlier times have no date."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of a gallery. They are chosen when it is made; only `hnsw` can change, see `resight.gallery.upkeep.migrate`.

    Attributes
    ----------
    model : str
        Name for `resight.models.load_model`.
    model_sha256 : str
        SHA-256 of the model.
    height, width : int
        Size of its input, in pixels.
    dimension : int
        Numbers in one vector.
    distance : str
        A key of `resight.distances.DISTANCES`.
    retention : int or None
        Seconds to keep a sighting; None keeps it forever.
    precision : str
        Type of the stored numbers, one of `resight.gallery.store.precision.PRECISIONS`.
    created : str
        Time of creation; ISO 8601, UTC.
    hnsw : int
        Candidates that each search in a database takes from an HNSW index, at most 1000; 0 compares all vectors. A folder has none.
    """

    model: str
    model_sha256: str
    height: int
    width: int
    dimension: int
    distance: str
    retention: int | None
    precision: str = "float32"
    created: str = ""
    hnsw: int = 0

    def __post_init__(self) -> None:
        distance_named(self.distance)
        if self.precision not in PRECISIONS:
            raise ConfigurationError(f"precision {self.precision!r} is unknown; expected {', '.join(PRECISIONS)}")
        if self.retention is not None and not 0 < self.retention <= _LONGEST:
            raise ConfigurationError(f"a retention of {self.retention} seconds; expected a positive time of at most 100 years")
        if not 0 <= self.hnsw <= 1000:
            raise ConfigurationError(f"hnsw is {self.hnsw}; expected at most 1000 candidates, or 0 for an exact search")
        if not self.model_sha256:
            raise ConfigurationError(f"{self.model} is untrained and has no SHA-256 to know it by; name a trained model")

    @classmethod
    def for_model(
        cls,
        model: str,
        extractor: Model,
        *,
        retention: int | None,
        distance: str = "",
        precision: str = "float32",
        hnsw: int = 0,
    ) -> Settings:
        """Make settings for a model's vectors; the distance is the model's own by default.

        Raises
        ------
        ConfigurationError
            If the model is untrained or compares by a learned distance, or an option is unknown.
        """
        if not isinstance(extractor.distance, str):
            raise ConfigurationError(
                f"{extractor.name} has a learned distance, which a gallery cannot search by; use the model it was fitted to"
            )
        height, width = extractor.size
        return cls(
            model=model,
            model_sha256=extractor.sha256,
            height=height,
            width=width,
            dimension=extractor.embedding_size,
            distance=distance or extractor.distance,
            retention=retention,
            precision=precision,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            hnsw=hnsw,
        )

    def check_model(self, extractor: Model) -> None:
        """Raise `ModelMismatchError` for a model whose SHA-256, input size or dimension is not this gallery's."""
        height, width = extractor.size
        given = (extractor.sha256, (height, width), extractor.embedding_size)
        if given != (self.model_sha256, (self.height, self.width), self.dimension):
            raise ModelMismatchError(
                f"{extractor.name} ({extractor.sha256[:12] or 'untrained'}, {height}x{width}, {extractor.embedding_size} numbers) "
                f"is not the model of this gallery, {self.model} ({self.model_sha256[:12]}, {self.height}x{self.width}, "
                f"{self.dimension} numbers); use that one, or make another gallery"
            )

    def check_cosine(self) -> None:
        """Raise `ConfigurationError` for another distance, by which nobody is joined."""
        if self.distance != "cosine":
            raise ConfigurationError(f"a gallery by {self.distance} distance; people are joined by the cosine distance")

    def expired_before(self, now: datetime | None = None) -> datetime | None:
        """Return the time before which sightings have expired; None if they never expire."""
        return None if self.retention is None else (now or datetime.now(UTC)) - timedelta(seconds=self.retention)


def future_from(now: datetime | None = None) -> datetime:
    """Return the time from which on an enrolment is in the future; one hour is left to clocks that differ."""
    return (now or datetime.now(UTC)) + timedelta(hours=1)


def parse_retention(text: str) -> int | None:
    """Parse a retention such as ``30d``, ``12h``, ``90m`` or ``45s`` into seconds; ``unlimited`` is None.

    Raises
    ------
    ConfigurationError
        If the text is something else, or longer than 100 years.

    Examples
    --------
    >>> parse_retention("30d"), parse_retention("unlimited")
    (2592000, None)
    """
    if text == "unlimited":
        return None
    if not (match := re.fullmatch(r"(\d{1,6})([dhms])", text)):
        raise ConfigurationError(f"retention {text!r}; expected for example 30d, 12h, or unlimited")
    if (seconds := int(match[1]) * _UNITS[match[2]]) > _LONGEST:
        raise ConfigurationError(f"retention {text!r}; expected at most 36500d, which are 100 years, or unlimited")
    return seconds
