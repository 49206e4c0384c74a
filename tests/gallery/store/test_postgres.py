"""What is special about PostgreSQL; the rest is in `test_index`."""

from __future__ import annotations

import pytest

from gallery.fakes import make_id, make_settings, make_sighting, make_sightings
from resight.errors import ConfigurationError, GalleryDamagedError, GalleryError
from resight.gallery import Gallery, Where, upkeep


def test_what_it_cannot_do(postgres: str) -> None:
    with pytest.raises(ConfigurationError, match="float32, not int8"):
        Gallery.create(postgres, make_settings(precision="int8"))
    with pytest.raises(ConfigurationError, match="vectors of 26960 numbers; pgvector stores at most 16000"):
        Gallery.create(postgres, make_settings(dimension=26_960))
    with pytest.raises(GalleryError, match="no gallery; make one"):
        Gallery.open(postgres)
    with Gallery.create(postgres, make_settings()) as gallery:
        for call in (lambda: upkeep.take_snapshot(postgres), lambda: upkeep.restore_snapshot(postgres, "a")):
            with pytest.raises(GalleryError, match="pg_dump"):
                call()
        assert gallery.statistics().bytes is None


def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(GalleryError, match="the database says") as caught:
        Gallery.open("postgresql://somebody:secret@127.0.0.1:9/nothing")
    assert "secret" not in str(caught.value)


def test_a_connection_that_broke_is_made_anew(postgres: str) -> None:
    import psycopg

    with Gallery.create(postgres, make_settings()) as gallery:
        gallery.add(make_sightings(9))
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'resight'")
        with pytest.raises(GalleryError, match="the database says"):
            len(gallery)
        assert len(gallery) == 9


def test_a_purge_says_what_it_cannot_prove(postgres: str) -> None:
    with Gallery.create(postgres, make_settings()) as gallery:
        gallery.add(make_sightings(9))
        done = gallery.purge(Where(cameras=frozenset({"hall"})))
        assert (done.removed, done.proved) == (3, False)
        assert "backups" in done.note


def test_dead_rows_are_gone_from_the_table(postgres: str) -> None:
    import psycopg

    with Gallery.create(postgres, make_settings()) as gallery:
        gallery.add(make_sightings(300))
        with psycopg.connect(postgres) as connection:
            size = "SELECT pg_relation_size('resight.sighting')"
            (before,) = connection.execute(size).fetchone() or (0,)
        gallery.purge(Where(ids=frozenset(make_id(number) for number in range(290))))
        with psycopg.connect(postgres) as connection:
            (after,) = connection.execute(size).fetchone() or (0,)
    assert after < before / 5


@pytest.mark.parametrize("change", ["camera = 'x'", "embedding = embedding + embedding", "thumbnail = 'x'"])
def test_changes_behind_its_back_are_named(postgres: str, change: str) -> None:
    import psycopg

    with Gallery.create(postgres, make_settings()) as gallery:
        gallery.add(make_sightings(9))
        with psycopg.connect(postgres) as connection:
            connection.execute(f"UPDATE resight.sighting SET {change} WHERE number = 5".encode())
        (problem,) = upkeep.verify(postgres)
        assert make_id(4) in problem
        with pytest.raises(GalleryDamagedError):
            gallery.get(make_id(4))
        if "thumbnail" not in change:  # a search does not read it
            with pytest.raises(GalleryDamagedError):
                gallery.search(make_sighting(4).embedding[None], 9)
        gallery.purge(Where(ids=frozenset({make_id(4)})))
        assert upkeep.verify(postgres) == []
        assert len(gallery.search(make_sighting(4).embedding[None], 9)) == 8


def test_counts_are_kept_without_reading_records_and_settle(postgres: str) -> None:
    import psycopg

    with Gallery.create(postgres, make_settings()) as gallery:
        for start in range(0, 200, 20):
            gallery.add(make_sightings(20, start))
        gallery.label(map(make_id, range(50)), "somebody")
        gallery.purge(Where(identities=frozenset({"person 1"})))
        expected, size = gallery.statistics().cameras, len(gallery)
        with psycopg.connect(postgres, autocommit=True) as connection:
            rows = connection.execute("SELECT camera, identity FROM resight.tally").fetchall()
            assert len(set(rows)) == len(rows) == 3 * 7  # one for each pair, and none of the person that is gone
            assert upkeep.verify(postgres) == []
            connection.execute("ALTER TABLE resight.sighting RENAME COLUMN source TO hidden")  # no record can be read
            assert (
                gallery.statistics().cameras == {name: camera.sightings for name, camera in gallery.cameras().items()} == expected
            )
            assert (len(gallery), len(gallery._store.names()[1])) == (size, 7)
            connection.execute("ALTER TABLE resight.sighting RENAME COLUMN hidden TO source")
            connection.execute("UPDATE resight.tally SET count = count + 1 WHERE identity = 'somebody'")
        assert upkeep.verify(postgres) == ["the database's counts by camera and identity are wrong"]


@pytest.mark.parametrize(("version", "said"), [(99, "a newer version.*upgrade"), (1, "an older version")])
def test_another_version_is_named(postgres: str, version: int, said: str) -> None:
    import psycopg

    Gallery.create(postgres, make_settings()).close()
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("UPDATE resight.kept SET value = %s WHERE name = 'version'", (str(version),))
    with pytest.raises(GalleryError, match=said) as caught:
        Gallery.open(postgres)
    assert not isinstance(caught.value, GalleryDamagedError)
