"""The audit log of a gallery in PostgreSQL: one chain in the gallery's database, which all of its services continue."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import psycopg

from resight.errors import AuditError, GalleryError, StorageError
from resight.gallery.store.postgres_schema import connect, translated
from resight.service.audit import Act, chained
from resight.service.audit_chain import START, Entry, Head, verify_lines

__all__ = ["DatabaseAudit", "verify_database"]

_RECENT = 1000  # entries that a service checks before it continues the chain


class DatabaseAudit:
    """A log of acts like `resight.service.audit.AuditLog`, as a table. Threads and processes may write at once.

    A writer locks the table, reads the newest entry, and adds its own: the numbers are the order in which entries were committed.

    Parameters
    ----------
    location : str
        The gallery's, see `resight.gallery.Gallery.open`.

    Attributes
    ----------
    folder : None
        Stands for the folder that an `AuditLog` has.
    failing : bool
        True after an entry could not be written, until the next one is.

    Raises
    ------
    AuditError
        If one of the newest entries was changed.
    GalleryError
        If the database cannot be used.
    """

    folder = None

    def __init__(self, location: str) -> None:
        self.failing = False
        self._location, self._lock = location, threading.Lock()
        self._connection = connect(location)
        self._checked, self._mark = START, ""  # entry up to which the chain was followed, and the mark of all up to there
        try:
            with self._transaction() as connection:
                newest = connection.execute("SELECT max(number) FROM resight.audit").fetchone()
                begin = (newest[0] or 0) - _RECENT if newest else 0
                problem, self._head = _follow(connection, _head(connection, begin))
        except BaseException:
            self.close()
            raise
        if problem:
            self.close()
            raise AuditError(
                f"the audit log in the database was changed: {problem}; keep it as evidence, and log to a file by --audit"
            )

    def append(self, acts: Sequence[Act]) -> list[Entry]:
        """See `AuditLog`."""
        self.failing = True
        try:
            with self._transaction() as connection:
                connection.execute("SET LOCAL synchronous_commit = on")
                connection.execute("LOCK TABLE resight.audit IN EXCLUSIVE MODE")  # readers do not wait
                entries, lines, head = chained(acts, _head(connection))
                for entry, line in zip(entries, lines, strict=True):
                    row = entry["number"], line.decode().rstrip("\n")
                    connection.execute("INSERT INTO resight.audit VALUES (%s, %s)", row)
        except GalleryError as error:
            raise StorageError(f"the audit log cannot be written, and nothing is done without it: {error}") from error
        self.failing, self._head = False, head
        return entries

    def newest(self, limit: int, before: int | None = None) -> list[Entry]:
        """See `AuditLog`."""
        query = "SELECT line FROM resight.audit WHERE number < %s ORDER BY number DESC LIMIT %s"
        with self._transaction() as connection:
            return [json.loads(line) for (line,) in connection.execute(query, (before or 2**62, limit))]

    def problems(self) -> list[str]:
        """Describe changes to the log; an empty list if there are none.

        The first call follows the whole chain. Later ones follow what is new; the server tells if anything before it has changed.
        """
        with self._transaction() as connection:
            begin = self._checked if self._mark == _mark(connection, self._checked[0]) else START
            problem, found = _follow(connection, begin)
            if not problem and _head(connection, self._head[0]) != self._head:
                problem = f"it ends with entry {found[0]}, and this service wrote entry {self._head[0]}"
            if not problem:
                self._checked, self._mark = found, _mark(connection, found[0])
        return [problem] if problem else []

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Connection]:
        with self._lock, translated():
            if self._connection.broken:  # the server was started again
                self._connection = connect(self._location)
            with self._connection.transaction():
                yield self._connection


def verify_database(location: str) -> list[str]:
    """Follow the chain of the log in a database; return the problem of the first changed entry, if there is one."""
    with closing(connect(location)) as connection, translated(), connection.transaction():
        problem, _ = _follow(connection, START)
    return [problem] if problem else []


def _follow(connection: psycopg.Connection, head: Head) -> tuple[str, Head]:
    """Follow the chain behind an entry, and read it in parts."""
    with connection.cursor("entries") as cursor:
        cursor.execute("SELECT line FROM resight.audit WHERE number > %s ORDER BY number", (head[0],))
        return verify_lines((f"{line}\n".encode() for (line,) in cursor), head)


def _head(connection: psycopg.Connection, number: int | None = None) -> Head:
    """Return the number and hash of an entry, by default of the newest; `START` without one."""
    query = (
        "SELECT number, line::json->>'sha256' FROM resight.audit WHERE number = coalesce(%s, number) ORDER BY number DESC LIMIT 1"
    )
    return connection.execute(query, (number,)).fetchone() or START


def _mark(connection: psycopg.Connection, number: int) -> str:
    """Return a text that differs if an entry up to a number was changed or removed."""
    query = "SELECT coalesce(sum(hashtextextended(line, number)), 0)::text FROM resight.audit WHERE number <= %s"
    return str((connection.execute(query, (number,)).fetchone() or ("",))[0])
