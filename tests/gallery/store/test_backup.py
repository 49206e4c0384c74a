"""A backup restored into an empty place gives the same answers, whichever store it came from and goes to."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gallery.fakes import make_id, make_settings, make_sighting, make_sightings
from gallery.store.old import age_file
from gallery.store.test_migrate import answers, contents
from resight.cli import main
from resight.errors import ConfigurationError, GalleryDamagedError, GalleryError, StorageError
from resight.gallery import Gallery, Where, upkeep
from resight.gallery.store import database


def order(location: str) -> list[str]:
    with Gallery.open(location) as gallery:
        return [record.id for record in gallery.records()]


def test_a_rehearsal_from_the_command_line(location: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "backups" / "people.sqlite"
    with Gallery.create(location, make_settings(retention=10**9)) as gallery:
        gallery.add(make_sightings(1200))
        gallery.label([make_id(3)], "somebody")
        gallery.purge(Where(ids=frozenset([make_id(5)])))
    before = contents(location), answers(location), order(location)
    assert main(["gallery", "backup", location, str(file)]) == 0
    assert "1199 sightings" in capsys.readouterr().out
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["people.sqlite"]
    with Gallery.open(location) as gallery:
        settings = gallery.settings
        gallery.add([make_sighting(5000)])
        gallery.purge(Where(cameras=frozenset({"hall"})))
    there = str(tmp_path / "new")
    assert main(["gallery", "restore", there, str(file)]) == 0
    assert "1199 sightings" in capsys.readouterr().out
    assert (contents(there), answers(there), order(there)) == before
    assert upkeep.verify(there) == []
    with Gallery.open(there) as gallery:
        assert gallery.settings == settings
        upkeep.take_snapshot(gallery.folder, "works")
        assert gallery.purge(Where(ids=frozenset([make_id(7)]))).proved
    assert main(["gallery", "restore", there, str(file)]) == 2
    assert "is not empty" in capsys.readouterr().err


def test_from_a_folder_to_a_database(postgres: str, tmp_path: Path) -> None:
    folder, file = str(tmp_path / "people"), tmp_path / "backup.sqlite"
    with Gallery.create(folder, make_settings()) as gallery:
        gallery.add(make_sightings(1200))
        assert upkeep.back_up(gallery.folder, file) == 1200
    assert upkeep.restore_backup(file, postgres) == 1200
    assert (contents(postgres), answers(postgres), order(postgres)) == (contents(folder), answers(folder), order(folder))
    assert upkeep.verify(postgres) == []
    with pytest.raises(GalleryError, match="a gallery already"):
        upkeep.restore_backup(file, postgres)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.sqlite", "people"]


def test_the_backup_of_an_older_version_is_migrated(tmp_path: Path) -> None:
    file = tmp_path / "backup.sqlite"
    with Gallery.create(tmp_path / "people", make_settings()) as gallery:
        gallery.add(make_sightings(20))
        upkeep.back_up(gallery.folder, file)
    age_file(file)
    data = file.read_bytes()
    assert upkeep.restore_backup(file, tmp_path / "new") == 20
    assert contents(str(tmp_path / "new")) == contents(str(tmp_path / "people")) and file.read_bytes() == data


def test_what_cannot_be_backed_up_or_restored(tmp_path: Path) -> None:
    people, file = tmp_path / "people", tmp_path / "backup.sqlite"
    with Gallery.create(people, make_settings()) as gallery:
        gallery.add(make_sightings(20))
        upkeep.back_up(gallery.folder, file)
        with pytest.raises(ConfigurationError, match="exists already"):
            upkeep.back_up(gallery.folder, file)
        with pytest.raises(StorageError, match="cannot write"):
            upkeep.back_up(gallery.folder, file / "below")
    with pytest.raises(ConfigurationError, match="there is no backup"):
        upkeep.restore_backup(tmp_path / "none.sqlite", tmp_path / "new")
    data = bytearray(file.read_bytes())
    data[data.index(make_sighting(4).embedding.tobytes()) + 5] ^= 1
    file.write_bytes(data)
    with pytest.raises(GalleryDamagedError, match=rf"the backup .* is damaged: {file}: sighting {make_id(4)}: its vector"):
        upkeep.restore_backup(file, tmp_path / "new")
    (people / database.FILE).write_bytes(data)
    for left in people.glob("gallery.sqlite-*"):
        left.unlink()
    with Gallery.open(people) as gallery, pytest.raises(GalleryDamagedError, match=r"no backup was made: .*its vector"):
        upkeep.back_up(gallery.folder, tmp_path / "other.sqlite")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.sqlite", "people"]
