"""The HNSW index of a gallery in PostgreSQL, on half-precision vectors."""

from __future__ import annotations

import re

import psycopg

from resight.distances import distance_named
from resight.errors import ConfigurationError, GalleryError
from resight.gallery.settings import Settings

__all__ = ["build_index", "find_index_damage", "index_sql", "operator_of"]

_MOST_NUMBERS = 4_000  # in a vector that HNSW takes
_LINKS, _WIDTH = 16, 100  # m and ef_construction
_CLASSES = {"<=>": "halfvec_cosine_ops", "<->": "halfvec_l2_ops", "<+>": "halfvec_l1_ops"}


def index_sql(settings: Settings, concurrently: str = "") -> str:
    """Return the statement that builds the HNSW index.

    Raises
    ------
    ConfigurationError
        If pgvector has no such index for the distance or the dimension.
    """
    operator = operator_of(settings.distance)
    if operator not in _CLASSES or settings.dimension > _MOST_NUMBERS:
        raise ConfigurationError(
            f"pgvector has no HNSW index for the distance {settings.distance} of vectors of {settings.dimension} numbers "
            f"(at most {_MOST_NUMBERS}); leave --hnsw out"
        )
    how = f"hnsw ((embedding::halfvec({settings.dimension})) {_CLASSES[operator]}) WITH (m = {_LINKS}, ef_construction = {_WIDTH})"
    return f"CREATE INDEX {concurrently} nearest ON resight.sighting USING {how}"


def build_index(connection: psycopg.Connection, settings: Settings) -> None:
    """Build the HNSW index, in a transaction. Raises `ConfigurationError`, and `GalleryError` for an old pgvector."""
    query = "SELECT string_to_array(extversion, '.')::int[] >= '{0, 8}', extversion FROM pg_extension WHERE extname = 'vector'"
    enough, version = connection.execute(query).fetchone() or (False, "")
    if not enough:  # older ones lose what a filter lets through
        raise GalleryError(f"pgvector {version} scans an index no further for a filter; install 0.8 or newer, or leave --hnsw out")
    connection.execute(index_sql(settings).encode())


def find_index_damage(connection: psycopg.Connection, settings: Settings) -> list[str]:
    """Say that the HNSW index is missing, without which a search compares all vectors; an empty list if all is well."""
    whole = connection.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('resight.nearest')").fetchone()
    if not settings.hnsw or whole == (True,):
        return []
    return ["the HNSW index is missing or unfinished, because a purge was interrupted; the next purge builds it"]


def operator_of(distance: str) -> str:
    """Return pgvector's operator for a distance; empty if the server computes it by none."""
    found = re.search(r"embedding (\S+) %s", distance_named(distance).sql or "")
    return found[1] if found else ""
