"""Galleries of the version before, migrated; also if the migration is killed again and again."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from gallery.fakes import make_id, make_settings, make_sighting, make_sightings
from gallery.store.old import SQLITE_2, make_old, version_of
from gallery.store.test_faults import ENVIRONMENT, HERE, posix
from resight.cli import main
from resight.errors import GalleryDamagedError, GalleryError, StorageError
from resight.gallery import Gallery, Sighting, Where, upkeep
from resight.gallery.store import database
from resight.gallery.store.schema import STEPS


def contents(location: str) -> dict[str, object]:
    with Gallery.open(location) as gallery:
        found = gallery.sightings(record.id for record in gallery.records())
    return {id: (s.to_dict(), s.embedding.tobytes(), s.thumbnail) for id, s in found.items()}


def answers(location: str) -> list[tuple[str, float]]:
    queries = np.stack([make_sighting(number).embedding + 0.1 for number in range(5)])
    with Gallery.open(location) as gallery:
        return [(match.record.id, match.distance) for found in gallery.search_each(queries, 7) for match in found]


def new_like(location: str, count: int) -> tuple[dict[str, object], list[tuple[str, float]]]:
    """What a new gallery of the same sightings holds and answers."""
    with Gallery.create(location, make_settings()) as gallery:
        gallery.add(make_sightings(count))
    return contents(location), answers(location)


def tables(path: Path) -> set[str]:
    connection = sqlite3.connect(path)
    found = {" ".join(sql.split()) for (sql,) in connection.execute("SELECT sql FROM sqlite_schema WHERE sql NOT NULL")}
    connection.close()
    return found


def test_a_gallery_of_the_version_before(location: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = new_like(str(tmp_path / "new"), 40)
    make_old(location, make_settings(), make_sightings(40), snapshots=["monday"])
    with pytest.raises(GalleryError, match=r"an older version .*back it up, then run `resight gallery migrate`") as caught:
        Gallery.open(location)
    assert not isinstance(caught.value, GalleryDamagedError)
    assert main(["gallery", "migrate", location]) == 0
    assert "and is migrated" in capsys.readouterr().out
    assert (contents(location), answers(location)) == expected
    assert upkeep.verify(location) == []
    assert main(["gallery", "migrate", location]) == 0
    assert "is of the present version" in capsys.readouterr().out
    if location.startswith("postgres"):
        assert layout(location) == layout_of_a_new_one(location)
        return
    assert tables(Path(location) / database.FILE) == tables(tmp_path / "new" / database.FILE)
    assert upkeep.restore_snapshot(location, "monday").count == 20
    assert len(contents(location)) == 20


def layout(location: str) -> set[str]:
    import psycopg

    with psycopg.connect(location) as connection:
        storage = "SELECT attname || ' ' || attstorage::text FROM pg_attribute WHERE attrelid = 'resight.sighting'::regclass"
        named = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'resight'"
        return {row[0] for query in (named, storage) for row in connection.execute(query.encode())}


def layout_of_a_new_one(location: str) -> set[str]:
    import psycopg

    with psycopg.connect(location, autocommit=True) as connection:
        connection.execute("SET client_min_messages = error")
        connection.execute("DROP SCHEMA resight CASCADE")
    Gallery.create(location, make_settings()).close()
    return layout(location)


def test_the_frozen_tables_are_those_that_the_steps_begin_with(tmp_path: Path) -> None:
    """Every version since the frozen one has its step, and all steps lead to the tables of a new gallery."""
    connection = sqlite3.connect(tmp_path / "old")
    connection.executescript(SQLITE_2)
    for version in range(database.OLDEST, database.VERSION):
        for statement in STEPS[version]:
            connection.execute(statement)
    connection.close()
    Gallery.create(tmp_path / "new", make_settings()).close()
    assert tables(tmp_path / "old") == tables(tmp_path / "new" / database.FILE)


def test_nothing_is_migrated_while_others_use_it(location: str) -> None:
    make_old(location, make_settings(), make_sightings(5))
    if location.startswith("postgres"):
        import psycopg

        with psycopg.connect(location, application_name="resight"), pytest.raises(GalleryError, match="stop the services"):
            upkeep.migrate(location)
    else:
        other = sqlite3.connect(Path(location) / database.FILE)
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("SELECT count(*) FROM sighting").fetchone()
        with pytest.raises(StorageError, match=r"another process has .* open; stop the service"):
            upkeep.migrate(location)
        other.close()
        assert version_of(Path(location) / database.FILE) == 2
    assert upkeep.migrate(location)[1] == 1 and len(contents(location)) == 5


def test_a_damaged_gallery_stays_as_it_is(location: str) -> None:
    make_old(location, make_settings(), make_sightings(5))
    if location.startswith("postgres"):
        import psycopg

        with psycopg.connect(location, autocommit=True) as connection:
            connection.execute("UPDATE resight.sighting SET source = 'other' WHERE id = %s", (make_id(2),))
    else:
        file = sqlite3.connect(Path(location) / database.FILE, isolation_level=None)
        assert file.execute("UPDATE sighting SET source = 'other' WHERE id = ?", (make_id(2),)).rowcount == 1
        file.close()
    with pytest.raises(GalleryDamagedError, match=f"{make_id(2)}.*nothing was changed"):
        upkeep.migrate(location)
    with pytest.raises(GalleryError, match="resight gallery migrate"):
        Gallery.open(location)


@posix
@pytest.mark.parametrize(
    ("kills", "count"), [(30, 300), pytest.param(30, 5000, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])]
)
def test_killed_at_any_moment(location: str, tmp_path: Path, kills: int, count: int) -> None:
    """`kill -9` in the middle: every file is of one version or the other, nothing is lost, and the next migration goes on."""
    expected = new_like(str(tmp_path / "new"), count)
    database_, folder = location.startswith("postgres"), Path(location)
    kills = kills if count > 300 or not database_ else 6
    make_old(location, make_settings(), make_sightings(count), snapshots=["a", "b"])
    if not database_:
        shutil.copytree(folder, tmp_path / "old")
    choose, took, states = np.random.default_rng(1), 0.0, set()
    command = [sys.executable, str(HERE / "migrating.py"), location]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as mother:
        assert mother.stdin and mother.stdout
        for number in range(kills + 1):
            if not database_:
                if len(states_of(folder)) == 1 and states_of(folder) == {3}:  # done; begin again
                    shutil.rmtree(folder)
                    shutil.copytree(tmp_path / "old", folder)
            else:
                make_old_again(location)
            mother.stdin.write("\n")
            mother.stdin.flush()
            child, began = int(mother.stdout.readline()), time.monotonic()
            if number:  # the first one may end, and tells how long it takes
                time.sleep(choose.uniform(0, took))
                with suppress(ProcessLookupError):  # it may have ended
                    os.kill(child, signal.SIGKILL)
            code = int(mother.stdout.readline())
            took = took or time.monotonic() - began
            assert code in (0, signal.SIGKILL)
            if not database_:
                states.add((code == 0, tuple(sorted(states_of(folder)))))
                assert len(raw_ids(folder)) == count
        mother.stdin.close()
    upkeep.migrate(location)
    assert (contents(location), answers(location)) == expected
    assert upkeep.verify(location) == []
    if not database_:
        assert (False, (2,)) in states or (False, (2, 3)) in states  # some were killed half-way
        assert states_of(folder) == {3} and upkeep.restore_snapshot(folder, "b").count == count // 2


def states_of(folder: Path) -> set[int]:
    return {version_of(path) for path in [folder / database.FILE, *(folder / "snapshots").glob("*.sqlite")]}


def raw_ids(folder: Path) -> set[str]:
    connection = sqlite3.connect(folder / database.FILE)
    found = {id for (id,) in connection.execute("SELECT id FROM sighting")}
    connection.close()
    return found


def make_old_again(location: str) -> None:
    """Take back the migration of a database, if it was done; the server may still work for a client that was killed."""
    import psycopg

    others = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    with psycopg.connect(location, autocommit=True) as connection:
        end = time.monotonic() + 30
        while connection.execute(others).fetchone() != (0,) and time.monotonic() < end:
            time.sleep(0.01)
        connection.execute("SET client_min_messages = error")
        connection.execute("DROP INDEX IF EXISTS resight.sighting_tracklet_idx")
        connection.execute("DROP TABLE IF EXISTS resight.audit")
        connection.execute("UPDATE resight.kept SET value = '3' WHERE name = 'version'")


def test_a_database_waits_for_programs_that_end_and_not_for_others(postgres: str) -> None:
    import psycopg

    make_old(postgres, make_settings(), make_sightings(5))
    with psycopg.connect(postgres, application_name="resight"), pytest.raises(GalleryError, match="stop the services"):
        upkeep.migrate(postgres)
    ending = psycopg.connect(postgres, application_name="resight")
    later = threading.Timer(0.5, ending.close)
    later.start()
    assert upkeep.migrate(postgres)[1] == 1
    later.join()


def test_older_vectors_move_into_their_rows_with_the_next_purge(postgres: str) -> None:
    import psycopg

    def beside() -> int:
        with psycopg.connect(postgres) as connection:
            query = "SELECT count(*) FROM resight.sighting WHERE pg_column_toast_chunk_id(embedding) IS NOT NULL"
            return int((connection.execute(query).fetchone() or (0,))[0])

    def long(count: int) -> list[Sighting]:
        rng = np.random.default_rng(4)
        return [make_sighting(number, embedding=rng.standard_normal(count).astype(np.float32)) for number in range(6)]

    some = long(600)
    make_old(postgres, make_settings(dimension=600), some)
    assert upkeep.migrate(postgres)[1] == 1
    assert beside() == 6
    with Gallery.open(postgres) as gallery:
        assert gallery.purge(Where(ids=frozenset({some[0].id}))).removed == 1
        assert beside() == 0
        gallery.add(some[:1])
        assert beside() == 0
        found = gallery.sightings([one.id for one in some])
    for one in some:
        np.testing.assert_array_equal(found[one.id].embedding, one.embedding)
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("SET client_min_messages = error")
        connection.execute("DROP SCHEMA resight CASCADE")
    with Gallery.create(postgres, make_settings(dimension=1001)) as gallery:
        gallery.add(long(1001))
    assert beside() == 6
