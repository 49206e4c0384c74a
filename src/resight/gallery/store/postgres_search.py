"""The nearest vectors in PostgreSQL: exactly, or by an HNSW index on half-precision vectors.

Either way the server proposes rows, and the distances of these are computed again as everywhere else.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from resight.distances import DISTANCES, distance_named
from resight.errors import ConfigurationError, GalleryDamagedError
from resight.gallery.settings import Settings
from resight.gallery.sighting import Where
from resight.gallery.store.postgres_index import operator_of
from resight.gallery.store.postgres_rows import condition_of, vector_crc, vector_text
from resight.ranking.nearest import nearest

__all__ = ["check_distance", "search_exactly", "search_index"]

Found = tuple[list[str], list[float]]

_SPARE = 16  # rows beyond the k nearest that are fetched at first
_LARGEST = 1000  # hnsw.ef_search
_FEW = 2_500  # rows that are compared about as fast as the index is scanned for them


def check_distance(distance: str) -> str:
    """Return a distance in SQL. Raises `ConfigurationError` if it has no such form."""
    if (expression := distance_named(distance).sql) is None:
        known = ", ".join(name for name, each in DISTANCES.items() if each.sql)
        raise ConfigurationError(f"PostgreSQL cannot compute the distance {distance!r}; expected {known}, or a gallery in a folder")
    return expression


def search_exactly(connection: psycopg.Connection, query: NDArray[np.float32], k: int, where: Where, settings: Settings) -> Found:
    """Find the k nearest of all vectors that pass a filter, in a transaction."""
    distance, (condition, parameters) = distance_named(settings.distance), condition_of(where)
    statement = (
        f"SELECT id, embedding::real[], embedding_crc, {check_distance(settings.distance)} AS distance "
        f"FROM resight.sighting{condition} ORDER BY distance, id LIMIT %s"
    )
    limit = k + _SPARE
    while True:
        rows = connection.execute(statement.encode(), (vector_text(query), *parameters, limit), binary=True).fetchall()
        ids, distances = _decide(rows, query, k, settings)
        if len(rows) < limit:
            return ids, distances
        # The server computes in float32: the last row must be farther by more than that may round.
        if max(row[3] for row in rows) > distances[-1] + distance.sql_margin(distances[-1], len(query)):
            return ids, distances
        limit *= 4


def search_index(connection: psycopg.Connection, query: NDArray[np.float32], k: int, where: Where, settings: Settings) -> Found:
    """Find nearly always the k nearest, in a transaction.

    If few rows pass the filter, all of them are compared: the server would often choose the index for them, too, which is slower
    then and loses some. For more, the filter is applied while the index is scanned, which goes on until enough rows have passed.
    If it ends without k rows, all rows that pass are compared. A zero vector is in no index by cosine distance, so only such a
    comparison finds it.
    """
    condition, parameters = condition_of(where)
    counted = f"SELECT count(*) FROM (SELECT FROM resight.sighting{condition} LIMIT %s) found"
    (passing,) = connection.execute(counted.encode(), (*parameters, _FEW + 1)).fetchone() or (0,)
    if passing <= _FEW:
        return search_exactly(connection, query, k, where, settings)
    statement = (
        f"SELECT id, embedding::real[], embedding_crc FROM resight.sighting{condition} "
        f"ORDER BY embedding::halfvec({len(query)}) {operator_of(settings.distance)} %s::halfvec({len(query)}) LIMIT %s"
    )
    limit = k + _SPARE
    connection.execute(
        "SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', %s, true), "
        "set_config('enable_seqscan', 'off', true)",  # the server does not know what reading vectors costs
        (str(min(max(settings.hnsw, limit), _LARGEST)),),
    )
    rows = connection.execute(statement.encode(), (*parameters, vector_text(query), limit), binary=True).fetchall()
    return _decide(rows, query, k, settings) if len(rows) >= k else search_exactly(connection, query, k, where, settings)


def _decide(rows: list[tuple[Any, ...]], query: NDArray[np.float32], k: int, settings: Settings) -> Found:
    """Return the k nearest of some rows: id, vector, checksum. Raises `GalleryDamagedError`."""
    if not rows:
        return [], []
    rows.sort(key=lambda row: row[0])  # `nearest` puts the lower of equally near rows first
    vectors = np.array([row[1] for row in rows], np.float32)
    if any(vector_crc(row[0], vector) != row[2] for row, vector in zip(rows, vectors, strict=True)):
        raise GalleryDamagedError("a vector in the database does not fit its checksum; see `resight gallery verify`")
    places, distances = nearest(query[None], vectors, min(k, len(rows)), distance_named(settings.distance))
    return [rows[place][0] for place in places[0]], distances[0].tolist()
