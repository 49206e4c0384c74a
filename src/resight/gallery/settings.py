"""What holds for all of a gallery: whose vectors it keeps, how they are compared and stored, and for how long."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from resight.distances import distance_named
from resight.errors import ConfigurationError, ModelMismatchError
from resight.gallery.store.precision import PRECISIONS
from resight.models.model import Model

__all__ = ["Settings", "parse_retention"]

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_LONGEST = 36_500 * _UNITS["d"]
"""Of a retention, 100 years; a time that much longer ago has no date."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Chosen when a gallery is made, and never changed.

    Attributes
    ----------
    model : str
        As `resight.models.load_model` takes it.
    model_sha256 : str
        Names its weights.
    height, width : int
        Of its input, in pixels.
    dimension : int
        Numbers in one vector.
    distance : str
        A key of `resight.distances.DISTANCES`.
    retention : int or None
        For how many seconds a sighting may be kept; None is without end.
    precision : str
        One of `resight.gallery.store.precision.PRECISIONS`: how vectors are stored.
    created : str
        When; ISO 8601, UTC.
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

    def __post_init__(self) -> None:
        distance_named(self.distance)
        if self.precision not in PRECISIONS:
            raise ConfigurationError(f"precision {self.precision!r} is unknown; expected {', '.join(PRECISIONS)}")
        if self.retention is not None and not 0 < self.retention <= _LONGEST:
            raise ConfigurationError(f"a retention of {self.retention} seconds; expected a positive time of at most 100 years")
        if not self.model_sha256:
            raise ConfigurationError(f"{self.model} is untrained and has no SHA-256 to know it by; name a trained model")

    @classmethod
    def for_model(
        cls, model: str, extractor: Model, *, retention: int | None, distance: str = "", precision: str = "float32"
    ) -> Settings:
        """Settings for a gallery of a model's vectors; without `distance`, compared by the model's own.

        Raises
        ------
        ConfigurationError
            If the model is untrained or compares by a learned distance, or an option is unknown.
        """
        if not isinstance(extractor.distance, str):
            raise ConfigurationError(
                f"{extractor.name} compares by a learned distance, which a gallery cannot search by; use what it was fitted to"
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
        )

    def check_model(self, extractor: Model) -> None:
        """Refuse a model that is not this gallery's.

        Raises
        ------
        ModelMismatchError
            If its SHA-256, input size or dimension is another.
        """
        height, width = extractor.size
        given = (extractor.sha256, (height, width), extractor.embedding_size)
        if given != (self.model_sha256, (self.height, self.width), self.dimension):
            raise ModelMismatchError(
                f"{extractor.name} ({extractor.sha256[:12] or 'untrained'}, {height}x{width}, {extractor.embedding_size} numbers) "
                f"is not the model of this gallery, {self.model} ({self.model_sha256[:12]}, {self.height}x{self.width}, "
                f"{self.dimension} numbers); use that one, or make another gallery"
            )

    def expired_before(self, now: datetime | None = None) -> datetime | None:
        """Sightings older than this are kept too long; None if they may be kept without end."""
        return None if self.retention is None else (now or datetime.now(UTC)) - timedelta(seconds=self.retention)


def parse_retention(text: str) -> int | None:
    """A retention in seconds, from ``30d``, ``12h``, ``90m`` or ``45s``; None from ``unlimited``.

    Raises
    ------
    ConfigurationError
        If it is none of these, or longer than 100 years.

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
