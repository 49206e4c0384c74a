"""Deletes sightings from a gallery in PostgreSQL, and writes its tables anew, so that nothing of them is left in their files.

One purge of a database runs at a time, whichever process asks for it. The deletion and the list of what is deleted are one
transaction; from then on no search finds it. The list stays until the tables and the index are written anew. The next purge
finishes an interrupted one.
"""

from __future__ import annotations

import contextlib
import json
import time

from resight.gallery.settings import Settings
from resight.gallery.sighting import Where
from resight.gallery.store.postgres_index import index_sql
from resight.gallery.store.postgres_rows import condition_of
from resight.gallery.store.postgres_schema import connect, translated

__all__ = ["ERASURE", "purge"]

ERASURE = "erasure"
"""Name of the list of what is deleted."""

_LOCK = 5395260951170019189  # a number that nobody else is likely to take
_AGAIN = 0.2  # seconds


def purge(location: str, where: Where, settings: Settings) -> int:
    """Delete sightings, on a connection of its own, so that searches go on; return their number.

    Searches wait while the tables are written anew. They do not wait while the HNSW index is built: meanwhile they compare all
    vectors.
    """
    condition, parameters = condition_of(where)
    with contextlib.closing(connect(location)) as connection, translated():
        # Waiting in the server would hold a snapshot, for which the other purge's new index would wait in turn.
        while connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone() != (True,):
            time.sleep(_AGAIN)
        with connection.transaction():
            kept = connection.execute("SELECT value FROM resight.kept WHERE name = %s", (ERASURE,)).fetchone()
            found = connection.execute(f"DELETE FROM resight.sighting{condition} RETURNING id".encode(), parameters).fetchall()
            ids = [id for (id,) in found] + ([] if kept is None else json.loads(kept[0]))
            if not ids:
                return 0
            connection.execute("DELETE FROM resight.kept WHERE name = %s", (ERASURE,))
            connection.execute("INSERT INTO resight.kept VALUES (%s, %s)", (ERASURE, json.dumps(ids)))
            connection.execute("SELECT resight.settle()")  # which leaves no name that nobody has any more
        connection.execute("DROP INDEX IF EXISTS resight.nearest")
        connection.execute("VACUUM (FULL, ANALYZE) resight.sighting, resight.tally")
        if settings.hnsw:
            connection.execute(index_sql(settings, "CONCURRENTLY").encode())
        connection.execute("DELETE FROM resight.kept WHERE name = %s", (ERASURE,))
        connection.execute("VACUUM (FULL) resight.kept")
    return len(found)
