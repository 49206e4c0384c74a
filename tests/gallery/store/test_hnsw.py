"""A gallery in PostgreSQL that is searched by an HNSW index: hardly anything is lost, also with a filter and by a purge."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from gallery.fakes import CAMERAS, START, make_id, make_settings, make_sighting, make_sightings
from resight.cli import main
from resight.errors import ConfigurationError, GalleryError
from resight.gallery import Gallery, Sighting, Where, upkeep

RARE = "cellar"
MANY = Where(since=START + timedelta(seconds=400))
HALF = Where(cameras=frozenset({"hall"}), since=START + timedelta(seconds=1500))


def crowd() -> list[Sighting]:
    """3000 sightings, three of which are by a camera that sees hardly anybody."""
    rare = dict.fromkeys((7, 700, 1700), RARE)
    return [make_sighting(number, camera=rare.get(number, CAMERAS[number % 3])) for number in range(3000)]


def truth(sightings: list[Sighting], queries: NDArray[np.float32], where: Where, distance: str) -> list[list[str]]:
    chosen = [sighting for sighting in sightings if where.holds(sighting)]
    table = cdist(queries.astype(float), np.stack([one.embedding for one in chosen]).astype(float), distance)
    return [[chosen[row].id for row in rows] for rows in np.argsort(table, axis=1)[:, :10]]


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_hardly_anything_is_lost_also_with_a_filter(postgres: str, distance: str) -> None:
    import psycopg

    sightings = crowd()
    queries = np.stack([make_sighting(number).embedding for number in range(5000, 5040)])
    with Gallery.create(postgres, make_settings(distance=distance, hnsw=100)) as gallery:
        gallery.add(sightings)
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE resight.sighting")
        for where, least in ((Where(), 0.98), (MANY, 0.95), (HALF, 1.0), (Where(cameras=frozenset({RARE})), 1.0)):
            expected = truth(sightings, queries, where, distance)
            answers = gallery.search_each(queries, 10, where)
            found = [[match.record.id for match in matches] for matches in answers]
            assert all(len(some) == len(others) for some, others in zip(found, expected, strict=True))
            hits = [len(set(some) & set(others)) / len(others) for some, others in zip(found, expected, strict=True)]
            assert np.mean(hits) >= least, where
            # The nearest that it finds are as far as an exact search says.
            near = [matches[0].distance for matches in answers]
            vectors = gallery.sightings([some[0] for some in found])
            alone = cdist(queries.astype(float), np.stack([vectors[some[0]].embedding for some in found]).astype(float), distance)
            np.testing.assert_allclose(near, alone.diagonal(), rtol=1e-5)
    # A session counts its scans when it ends.
    scans, end = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'nearest'", time.monotonic() + 10
    with psycopg.connect(postgres, autocommit=True) as connection:
        while (connection.execute(scans).fetchone() or (0,))[0] < len(queries):
            assert time.monotonic() < end
            time.sleep(0.05)


def test_what_no_index_holds_is_found_if_it_is_among_few(postgres: str) -> None:
    lost = make_sighting(1, embedding=np.zeros(16, np.float32), camera=RARE)
    with Gallery.create(postgres, make_settings(distance="cosine", hnsw=50)) as gallery:
        gallery.add([*make_sightings(40, 2), lost])
        (match,) = gallery.search(make_sighting(1).embedding, 5, Where(cameras=frozenset({RARE})))
        assert (match.record.id, match.distance) == (lost.id, 1.0)
        assert len(gallery.search(make_sighting(1).embedding, 60)) == 41


def test_the_choice_is_changed_by_migrate(postgres: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def nearest() -> list[str]:
        with Gallery.open(postgres) as gallery:
            return [match.record.id for match in gallery.search(make_sighting(3).embedding, 3)]

    with Gallery.create(postgres, make_settings()) as gallery:
        gallery.add(make_sightings(50))
        with pytest.raises(GalleryError, match="stop the services"):
            upkeep.migrate(postgres, hnsw=80)
    exact = nearest()
    for hnsw, kept in ((80, True), (200, True), (0, False)):
        assert main(["gallery", "migrate", postgres, "--hnsw", str(hnsw)]) == 0
        with Gallery.open(postgres) as gallery:
            assert gallery.settings == replace(make_settings(), hnsw=hnsw)
        assert nearest() == exact and upkeep.verify(postgres) == []
        assert has_index(postgres) is kept
        assert upkeep.migrate(postgres, hnsw=hnsw)[1] == 0
    with pytest.raises(ConfigurationError, match="in a folder is searched exactly"):
        Gallery.create(tmp_path / "folder", make_settings(hnsw=80))
    with pytest.raises(ConfigurationError, match="at most 1000 candidates"):
        upkeep.migrate(postgres, hnsw=1001)


def test_a_pgvector_that_would_lose_what_a_filter_lets_through_is_refused(postgres: str) -> None:
    import psycopg

    Gallery.create(postgres, make_settings()).close()
    with psycopg.connect(postgres) as connection:
        connection.execute("UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'")
        connection.commit()
        try:
            with pytest.raises(GalleryError, match=r"pgvector 0.7.4 .* install 0.8 or newer"):
                upkeep.migrate(postgres, hnsw=80)
        finally:
            connection.execute("UPDATE pg_extension SET extversion = '0.8.5' WHERE extname = 'vector'")
    with Gallery.open(postgres) as gallery:
        assert gallery.settings.hnsw == 0


def test_dimensions_that_no_index_takes_are_refused_before_anything_is_made(postgres: str) -> None:
    with pytest.raises(ConfigurationError, match=r"4001 numbers \(at most 4000\); leave --hnsw out"):
        Gallery.create(postgres, make_settings(dimension=4001, hnsw=80))
    Gallery.create(postgres, make_settings(dimension=4001)).close()


def test_a_backup_keeps_the_choice(postgres: str, tmp_path: Path) -> None:
    import psycopg

    with Gallery.create(postgres, make_settings(hnsw=80)) as gallery:
        gallery.add(make_sightings(20))
    upkeep.back_up(postgres, tmp_path / "people.sqlite")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("SET client_min_messages = error")
        connection.execute("DROP SCHEMA resight CASCADE")
    for location in (postgres, str(tmp_path / "folder")):  # which searches exactly
        upkeep.restore_backup(tmp_path / "people.sqlite", location)
        with Gallery.open(location) as gallery:
            assert len(gallery.search(make_sighting(3).embedding, 3)) == 3
    assert has_index(postgres)


def test_an_interrupted_purge_is_finished_by_the_next(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from resight.gallery.store import postgres_purge

    with Gallery.create(postgres, make_settings(hnsw=80)) as gallery:
        gallery.add(make_sightings(40))
        ids = frozenset(map(make_id, range(10)))

        def die(*_: object) -> str:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(postgres_purge, "index_sql", die)
            gallery.purge(Where(ids=ids))
        assert gallery.reach(Where(ids=frozenset())) == ([], 10)  # which is how a service finds it
        assert len(gallery.search(make_sighting(3).embedding, 40)) == 30
        (problem,) = upkeep.verify(postgres)
        assert "the next purge builds it" in problem
        assert gallery.purge(Where(ids=frozenset())).removed == 0
        assert gallery.reach(Where(ids=frozenset())) == ([], 0)
    assert upkeep.verify(postgres) == [] and has_index(postgres)


def has_index(postgres: str) -> bool:
    import psycopg

    with psycopg.connect(postgres) as connection:
        return connection.execute("SELECT to_regclass('resight.nearest')").fetchone() != (None,)
