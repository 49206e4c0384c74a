"""The audit log in a database: one chain whoever writes it, and every change shows."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import chain

import pytest

from gallery.fakes import make_settings
from resight.cli import main
from resight.errors import AuditError, StorageError
from resight.gallery import Gallery
from resight.service import Act
from resight.service.audit_chain import line_of


@pytest.fixture
def logs(postgres: str) -> Iterator[list[object]]:
    """Two services' logs on one database, which have written 20 entries in turn."""
    from resight.service.audit_database import DatabaseAudit

    Gallery.create(postgres, make_settings()).close()
    with closing(DatabaseAudit(postgres)) as one, closing(DatabaseAudit(postgres)) as other:
        for number in range(10):
            one.append([Act("anna", "search", {"k": number})])
            other.append([Act("böb\u2028\n", "list", {"identity": 'a"b\\', "cameras": None})])
        yield [one, other]


def do(postgres: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(statement.encode())


def test_several_services_write_one_chain(logs, postgres: str) -> None:  # type: ignore[no-untyped-def]
    one, other = logs
    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(lambda n: (one, other)[n % 2].append([Act("c", "x", {"n": n}), Act("c", "y", {})]), range(40)))
    assert sorted(entry["number"] for entries in written for entry in entries) == list(range(21, 101))
    assert all(second["previous"] == first["sha256"] for first, second in written)  # both or none, side by side
    assert one.newest(3) == other.newest(3) == sorted(chain(*written), key=lambda entry: -entry["number"])[:3]
    assert [entry["number"] for entry in one.newest(2, before=20)] == [19, 18]
    assert one.problems() == other.problems() == []
    assert main(["gallery", "verify", postgres]) == 0


CHANGES = {
    "UPDATE resight.audit SET line = replace(line, '\"k\":3', '\"k\":4')": "entry 7 is not as it was written",
    "DELETE FROM resight.audit WHERE number = 8": "entry 8 does not follow",
    "DELETE FROM resight.audit WHERE number < 5": "entries 1 to 4, which came before",
    "DELETE FROM resight.audit WHERE number > 15": "ends with entry 15",
    "UPDATE resight.audit SET line = (SELECT line FROM resight.audit WHERE number = 2) WHERE number = 9": "entry 9 does not follow",
}


@pytest.mark.parametrize("statement", CHANGES)
def test_every_change_shows_also_of_what_was_followed_before(logs, postgres: str, statement: str) -> None:  # type: ignore[no-untyped-def]
    one, other = logs
    assert one.problems() == []
    do(postgres, statement)
    for log in (one, other):  # the other one never followed the chain
        (problem,) = log.problems()
        assert CHANGES[statement] in problem
    if "> 15" not in statement:  # who knows no head sees no cut end
        assert main(["gallery", "verify", postgres]) == 2


def test_a_forged_chain_shows_to_who_knows_the_head(logs, postgres: str) -> None:  # type: ignore[no-untyped-def]
    """Somebody changes an entry, and makes all later hashes anew."""
    import psycopg

    one, _ = logs
    assert one.problems() == []
    entries = one.newest(20)[::-1]
    with psycopg.connect(postgres, autocommit=True) as connection:
        previous = "0" * 64
        for entry in entries:
            del entry["sha256"]
            line, previous = line_of(entry | {"who": "eve", "previous": previous})
            connection.execute("UPDATE resight.audit SET line = %s WHERE number = %s", (line.decode().strip(), entry["number"]))
    assert main(["gallery", "verify", postgres]) == 0
    assert "this service wrote entry" in one.problems()[0]


def test_a_service_does_not_continue_a_changed_log(logs, postgres: str) -> None:  # type: ignore[no-untyped-def]
    from resight.service.audit_database import DatabaseAudit

    do(postgres, "UPDATE resight.audit SET line = replace(line, '\"k\":3', '\"k\":4')")
    with pytest.raises(AuditError, match="entry 7 is not as it was written; keep it as evidence"):
        DatabaseAudit(postgres)


def test_nothing_is_done_that_cannot_be_written_and_a_broken_connection_is_made_anew(logs, postgres: str) -> None:  # type: ignore[no-untyped-def]
    one, other = logs
    do(postgres, "ALTER TABLE resight.audit ADD CONSTRAINT full_disk CHECK (number < 21)")
    with pytest.raises(StorageError, match="nothing is done without it"):
        one.append([Act("anna", "search", {})])
    assert one.failing
    do(postgres, "ALTER TABLE resight.audit DROP CONSTRAINT full_disk")
    do(postgres, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'resight'")
    with pytest.raises(StorageError):
        one.append([Act("anna", "search", {})])
    assert one.append([Act("anna", "search", {})])[0]["number"] == 21 and not one.failing
    with pytest.raises(Exception, match="the database says"):
        other.newest(1)
    assert other.newest(1)[0]["number"] == 21
