"""Zero bytes left: the files are searched here by other means than in the package."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gallery.fakes import ColourModel, make_id, make_image, make_settings, make_sighting, make_sightings
from resight.errors import GalleryError, StorageError
from resight.gallery import Crop, Gallery, Removal, Where, upkeep
from resight.gallery.sighting import Sighting
from resight.gallery.store import database, proof, purge, reserve, snapshot, stored

ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)])}


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery.create(tmp_path / "gallery", make_settings()) as made:
        yield made


def everything_in(folder: Path) -> bytes:
    """The bytes of all files, one after the other."""
    return b"\0".join(path.read_bytes() for path in sorted([folder, *folder.rglob("*")]) if path.is_file())


def pieces_left(folder: Path, *contents: bytes) -> list[bytes]:
    """Pieces of contents, 16 bytes each, that are in some file."""
    data = everything_in(folder)
    pieces = [content[start : start + 16] for content in contents for start in range(0, len(content) - 15, 8)]
    return [piece for piece in pieces if piece in data]


def personal(*sightings: Sighting) -> list[bytes]:
    """What must be gone: vectors, pixels of thumbnails (the tables before them are in every JPEG), and ids."""
    found = []
    for sighting in sightings:
        pixels = sighting.thumbnail[sighting.thumbnail.index(b"\xff\xda") + 14 :]
        found += [sighting.embedding.tobytes(), pixels, sighting.id.encode()]
    return found


def test_zero_bytes_are_left(gallery: Gallery) -> None:
    assert gallery.folder
    for start in range(0, 300, 60):  # in several transactions, so that rows move between pages
        gallery.add(make_sightings(60, start))
    upkeep.take_snapshot(gallery.folder, "before")
    gallery.label([make_id(5)], "person 1")
    where = Where(identities=frozenset({"person 1"}))
    gone = [gallery.get(record.id) for record in gallery.records(where)]
    assert len(gone) == 44
    assert len(pieces_left(gallery.folder, *personal(*gone))) > 44 * 20
    done = gallery.purge(where)
    # The label was given after the snapshot: there it is found by its id.
    assert done == Removal(removed=44, removed_from_snapshots=44, files=done.files, bytes=done.bytes, proved=True, note=done.note)
    assert done.bytes == sum(
        path.stat().st_size for path in gallery.folder.rglob("*") if path.is_file() and path.name != reserve.FILE
    )
    assert pieces_left(gallery.folder, *personal(*gone)) == []
    assert len(gallery) == 256
    assert upkeep.verify(gallery.folder) == []


def test_zero_bytes_of_the_crop_are_left(gallery: Gallery, tmp_path: Path) -> None:
    assert gallery.folder
    crops = [Crop(source=f"crop {number:02}.png", data=make_image(number), identity=str(number % 3)) for number in range(12)]
    gallery.enrol(ColourModel(), crops)
    gallery.purge(Where(identities=frozenset({"1"})))
    # What a gallery keeps of the others is a small copy of its own.
    assert pieces_left(gallery.folder, *(crop.data[60:] for crop in crops if crop.data)) == []
    data = everything_in(gallery.folder)
    assert all(crop.source.encode() not in data for crop in crops[1::3])


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_other_precisions(tmp_path: Path, precision: str) -> None:
    with Gallery.create(tmp_path, make_settings(precision=precision)) as gallery:
        gallery.add(make_sightings(50))
        row = sqlite3.connect(tmp_path / database.FILE).execute("SELECT embedding FROM vector WHERE number = 4").fetchone()
        assert pieces_left(tmp_path, row[0])
        assert gallery.purge(Where(ids=frozenset({make_id(3)}))).removed == 1
        assert pieces_left(tmp_path, row[0]) == []


def test_a_copy_that_another_sighting_has_by_right_is_no_remainder(gallery: Gallery) -> None:
    assert gallery.folder
    twin = make_sighting(1)
    other = make_sighting(900, embedding=twin.embedding, thumbnail=twin.thumbnail)
    gallery.add([*make_sightings(20), other])
    assert gallery.purge(Where(ids=frozenset({twin.id}))).proved
    assert pieces_left(gallery.folder, twin.embedding.tobytes())
    assert gallery.get(other.id).thumbnail == twin.thumbnail


def test_what_sqlite_left_behind_is_written_over(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deleted without overwriting, as SQLite does by itself: the search finds it, and the file is written anew."""
    assert gallery.folder
    gallery.add(make_sightings(200))
    gone = make_sighting(3)
    rewritten = []

    def careless(connection: sqlite3.Connection, ids: list[str]) -> int:
        connection.execute("PRAGMA secure_delete = OFF")
        return delete(connection, ids)

    def rewrite(*arguments: object) -> None:
        assert pieces_left(gallery.folder, gone.embedding.tobytes())  # type: ignore[arg-type]
        rewritten.append(arguments)
        original(*arguments)  # type: ignore[arg-type]

    delete, original = stored.delete, proof.rewrite
    monkeypatch.setattr(stored, "delete", careless)
    monkeypatch.setattr(proof, "rewrite", rewrite)
    assert gallery.purge(Where(ids=frozenset({gone.id}))).proved
    assert len(rewritten) == 1
    assert pieces_left(gallery.folder, gone.embedding.tobytes()) == []


def test_copies_of_ids_in_indexes_do_not_have_whole_files_written_anew(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that was moved within an index, and back, leaves a copy behind."""
    assert gallery.folder
    gallery.add(make_sightings(200))
    gone = make_sighting(3)
    with database.opened(gallery.folder / database.FILE) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        for camera in ("~" * len(gone.camera), gone.camera):
            connection.execute("UPDATE sighting SET camera = ? WHERE id = ?", (camera, gone.id))
    monkeypatch.delattr(proof, "rewrite")
    assert gallery.purge(Where(ids=frozenset({gone.id}))).proved
    assert pieces_left(gallery.folder, gone.id.encode()) == []


@pytest.mark.parametrize(("enough", "passes"), [(1000, 1), (50, 2)])
def test_what_look_alikes_have_in_common_has_nothing_read_or_written_twice(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch, enough: int, passes: int
) -> None:
    """All share most of their pixels, and each of a few that are left shares some with one of the others alone."""
    assert gallery.folder
    noise, read = np.random.default_rng(0).bytes, []
    common, shared = noise(2000), [noise(40) for _ in range(20)]
    pixels = [b"\xff\xda" + bytes(12) + common + shared[number % 20] + noise(300) for number in range(40)]
    pixels += [b"\xff\xda" + bytes(12) + common + noise(340) for _ in range(200)]
    gallery.add([make_sighting(number, thumbnail=one) for number, one in enumerate(pixels)])
    original = proof.Reader.chunks

    def chunks(self: proof.Reader, path: Path) -> Iterator[bytes]:
        for chunk in original(self, path):
            read.append(len(chunk))
            yield chunk

    monkeypatch.setattr(proof.Reader, "chunks", chunks)
    monkeypatch.setattr(proof, "_SAMPLE", 3)
    monkeypatch.setattr(proof, "_SOME", enough)
    monkeypatch.delattr(proof, "rewrite")
    done = gallery.purge(Where(ids=frozenset(map(make_id, range(20)))))
    assert done.proved and sum(read) < 1.01 * passes * done.bytes
    assert pieces_left(gallery.folder, *(one[-300:] for one in pixels[:20])) == []
    assert len(pieces_left(gallery.folder, *shared)) == 80  # which others hold


def test_a_copy_in_a_foreign_file_is_named(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gallery.folder
    gallery.add(make_sightings(20))
    copy = gallery.folder / "exported" / "vectors.bin"
    copy.parent.mkdir()
    copies = copy, gallery.folder / "gallery.sqlite.old"
    for each in copies:
        each.write_bytes(b"header" + make_sighting(3).embedding.tobytes())
    (gallery.folder / "audit.log").write_text(f"purged {make_id(3)}\n")  # ids may be named in an audit log
    monkeypatch.setattr(purge, "_BATCH", 2)
    monkeypatch.setattr(proof, "_SOME", 2)  # pieces, which one of the copies has
    left = r"pieces of what was deleted are left in .*vectors\.bin, .*sqlite\.old; delete"
    for ids in ({make_id(3), *map(make_id, range(5, 9))}, set[str](), {make_id(9)}):  # a later purge does not forget it
        with pytest.raises(GalleryError, match=left):
            gallery.purge(Where(ids=frozenset(ids)))
        assert gallery._store.present(ids) == set()  # they are deleted all the same
        assert pieces_left(gallery.folder / database.FILE, *map(str.encode, ids)) == []
        assert "a purge was interrupted" in upkeep.verify(gallery.folder)[0]
        upkeep.restore_snapshot(gallery.folder, upkeep.take_snapshot(gallery.folder).name)  # nor do these
    copy.unlink()
    with pytest.raises(GalleryError, match=r"left in \S*sqlite\.old; delete"):
        gallery.purge(Where(ids=frozenset({make_id(10)})))
    copies[1].unlink()
    assert gallery.purge(Where(ids=frozenset({make_id(11)}))).proved
    assert upkeep.verify(gallery.folder) == []


def test_many_are_purged_in_batches(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gallery.folder
    monkeypatch.setattr(purge, "_BATCH", 7)
    sightings = make_sightings(60)
    gallery.add(sightings)
    upkeep.take_snapshot(gallery.folder, "all")
    steps: list[tuple[int, int]] = []
    done = gallery.purge(Where(cameras=frozenset({"hall"})), progress=lambda stage, n, of, note="": steps.append((n, of)))
    assert (done.removed, done.removed_from_snapshots) == (20, 20)
    assert steps == [(0, 20), (7, 20), (14, 20), (20, 20)]
    assert pieces_left(gallery.folder, *personal(*sightings[1::3])) == []


def test_what_cannot_be_proved_is_deleted_all_the_same(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gallery.folder
    gallery.add(make_sightings(60))
    monkeypatch.setattr(purge, "_BATCH", 7)

    def fail(*_: object) -> None:
        raise StorageError("the disk is full")

    with monkeypatch.context() as full:
        full.setattr(purge, "_prove", fail)
        with pytest.raises(StorageError, match="20 sightings are deleted, but not all of their traces; the disk is full"):
            gallery.purge(Where(cameras=frozenset({"hall"})))
        assert len(gallery) == 40
        full.setattr(purge, "finish", fail)  # which the next one would do first
        with pytest.raises(StorageError, match="20 sightings are deleted"):
            gallery.purge(Where(cameras=frozenset({"entrance"})))
    assert len(gallery) == 20
    stranger = gallery.folder / "audit.jsonl"  # the interrupted purges would have searched it for vectors, which nobody knows now
    stranger.write_text("purged")
    done = gallery.purge(Where(ids=frozenset()))
    assert not done.proved and f"{stranger} could not be searched for what it deleted" in done.note
    assert upkeep.verify(gallery.folder) == []
    gone = [sighting for sighting in make_sightings(60) if sighting.camera in ("hall", "entrance")]
    assert pieces_left(gallery.folder, *personal(*gone)) == []


class Killed(BaseException):
    """Stands for a process that ends at this point."""


@pytest.mark.parametrize("step", ["_purge_snapshots", "_prove", "_forget"])
def test_an_interrupted_purge_is_finished_by_whoever_comes_next(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    assert gallery.folder
    sightings = make_sightings(60)
    gallery.add(sightings)
    upkeep.take_snapshot(gallery.folder, "before")

    def die(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(purge, step, die)
    with pytest.raises(Killed):
        gallery.purge(Where(cameras=frozenset({"hall"})))
    monkeypatch.undo()
    gallery.close()
    with Gallery.open(gallery.folder) as again:
        assert len(again) == 40  # deleted is deleted
        assert any("interrupted" in problem for problem in upkeep.verify(gallery.folder))
        upkeep.restore_snapshot(gallery.folder, "before")
        assert len(again) == 40  # and does not come back from a snapshot
        assert again.search(sightings[1].embedding[None], 60)[0].record.id != sightings[1].id
        assert upkeep.verify(gallery.folder) == []
    assert pieces_left(gallery.folder, *personal(*sightings[1::3])) == []


def test_a_purge_that_is_still_running_is_no_interrupted_one(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gallery.folder
    gallery.add(make_sightings(30))
    found = []

    def meanwhile(*arguments: object) -> object:
        (gallery.folder / ".half.partial").touch()  # type: ignore[operator]
        with Gallery.open(gallery.folder) as other:  # type: ignore[arg-type]
            found.append(upkeep.verify(other.folder))
        return original(*arguments)  # type: ignore[arg-type]

    original = purge._purge_snapshots
    monkeypatch.setattr(database, "_PATIENCE", 0.1)
    monkeypatch.setattr(purge, "_purge_snapshots", meanwhile)
    gallery.purge(Where(cameras=frozenset({"hall"})))
    assert found == [[]]
    (gallery.folder / ".half.partial").touch()
    assert len(upkeep.verify(gallery.folder)) == 1


@pytest.mark.parametrize("first", ["snapshot", "restore"])
def test_snapshots_and_purges_exclude_each_other(gallery: Gallery, monkeypatch: pytest.MonkeyPatch, first: str) -> None:
    """Or a snapshot could keep, or bring back, what is purged meanwhile."""
    assert gallery.folder
    gallery.add(make_sightings(30))
    upkeep.take_snapshot(gallery.folder, "a")
    other = Gallery.open(gallery.folder)
    refused = []

    def meanwhile(*arguments: object) -> object:
        for call in (
            lambda: other.purge(Where(cameras=frozenset({"hall"}))),
            lambda: upkeep.take_snapshot(other.folder),
            lambda: upkeep.restore_snapshot(other.folder, "a"),
        ):
            with pytest.raises(StorageError, match=r"gallery\.lock is in use by another process; run it again"):
                call()
            refused.append(call)
        assert other.add(make_sightings(1, 30 + len(refused))) == 1  # which nothing keeps from going on
        return original(*arguments)

    original = snapshot.copied
    monkeypatch.setattr(database, "_PATIENCE", 0.1)
    monkeypatch.setattr(snapshot, "copied", meanwhile)
    _ = upkeep.take_snapshot(gallery.folder, "b") if first == "snapshot" else upkeep.restore_snapshot(gallery.folder, "a")
    monkeypatch.undo()
    assert len(refused) == 3
    other.purge(Where(cameras=frozenset({"hall"})))
    other.close()


def test_a_reader_that_goes_on_is_told_of(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gallery.folder
    gallery.add(make_sightings(30))
    monkeypatch.setattr(database, "_PATIENCE", 0.2)
    reader = sqlite3.connect(gallery.folder / database.FILE, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM sighting").fetchone()
    with pytest.raises(StorageError, match="another process"):
        gallery.purge(Where(cameras=frozenset({"hall"})))
    reader.execute("ROLLBACK")
    reader.close()
    gallery.purge(Where(ids=frozenset()))  # finishes it
    assert upkeep.verify(gallery.folder) == []
    assert pieces_left(gallery.folder, make_sighting(1).embedding.tobytes()) == []


def test_damaged_snapshots_and_sightings(gallery: Gallery) -> None:
    assert gallery.folder
    gallery.add(make_sightings(30))
    taken = upkeep.take_snapshot(gallery.folder, "broken")
    taken.path.write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(GalleryError, match=r"broken\.sqlite is damaged.*delete it"):
        gallery.purge(Where(ids=frozenset({make_id(2)})))
    taken.path.unlink()
    gallery.purge(Where(ids=frozenset({make_id(2)})))
    assert upkeep.verify(gallery.folder) == []
    # One that is damaged itself can be purged by its id.
    connection = sqlite3.connect(gallery.folder / database.FILE)
    connection.execute("UPDATE sighting SET camera = 'elsewhere' WHERE id = ?", (make_id(7),))
    connection.commit()
    connection.close()
    assert f"sighting {make_id(7)}" in upkeep.verify(gallery.folder)[0]
    gallery.purge(Where(ids=frozenset({make_id(7)})))
    assert upkeep.verify(gallery.folder) == []
    assert len(gallery.search(make_sighting(8).embedding[None], 50)) == 28


def test_names_are_compared_after_normalisation_and_near_ones_are_named(gallery: Gallery) -> None:
    composed, apart = "Zo\u00eb", "Zoe\u0308"
    gallery.add(
        [make_sighting(1, identity=apart), make_sighting(2, identity="zoe\u0308 "), make_sighting(3, identity="Zo\u00eb\u200b")]
    )
    gallery.add([make_sighting(4, identity="Zoe")])
    assert gallery.near_names(Where(identities=frozenset({composed}))) == ["Zo\u00eb\u200b", "zo\u00eb "]
    assert gallery.near_names(Where(identities=frozenset({"Zoe"}))) == []
    assert gallery.purge(Where(identities=frozenset({composed}))).removed == 1
    assert [record.id for record in gallery.records()] == [make_id(2), make_id(3), make_id(4)]


def test_a_link_in_the_folder_is_refused(gallery: Gallery, tmp_path: Path) -> None:
    gallery.add(make_sightings(3))
    (tmp_path / "elsewhere").mkdir()
    assert gallery.folder
    (gallery.folder / "snapshots").symlink_to(tmp_path / "elsewhere")
    for call in (lambda: gallery.purge(Where(ids=frozenset({make_id(1)}))), lambda: upkeep.take_snapshot(gallery.folder)):
        with pytest.raises(GalleryError, match="snapshots is a link, which a purge does not follow; put the file in its place"):
            call()
    assert len(gallery) == 3
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert "snapshots is a link" in upkeep.verify(gallery.folder)[0]


def test_near_names_are_also_those_of_snapshots(gallery: Gallery) -> None:
    assert gallery.folder
    gallery.add([make_sighting(1, identity="anna "), make_sighting(2, camera="Hall")])
    upkeep.take_snapshot(gallery.folder, "a")
    gallery.purge(Where(ids=frozenset()))
    gallery.label([make_id(1)], "berta")
    assert gallery.near_names(Where(identities=frozenset({"Anna"}), cameras=frozenset({"hall"}))) == ["Hall", "anna "]


REMEMBER = """
import sys
from gallery.fakes import make_id
from resight.gallery import Gallery, Where
with Gallery.open(sys.argv[1]) as gallery:
    for number in range(200):
        gallery.get(make_id(number))
    gallery.search(gallery.get(make_id(1400)).embedding, 5)
    print("there", flush=True)
    sys.stdin.readline()
    assert gallery.purge(Where(ids=frozenset(map(make_id, range(200))))).proved
    print("purged", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux")
def test_another_process_finds_nothing_of_it_in_memory(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(1500, 512)).astype(np.float32)
    sightings = [replace(one, embedding=vector) for one, vector in zip(make_sightings(1500), vectors, strict=True)]
    with Gallery.create(tmp_path / "gallery", replace(make_settings(), dimension=512)) as gallery:
        gallery.add(sightings)
        upkeep.take_snapshot(gallery.folder, "a")
    wanted = vectors[:200], vectors[700]
    command = [sys.executable, "-c", REMEMBER, str(tmp_path / "gallery")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "there\n"
        assert all(pieces_in_memory(process.pid, some) > some.size // 3 for some in wanted)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "purged\n"
        gone, kept = (pieces_in_memory(process.pid, some) for some in wanted)
        assert (gone, kept > 0) == (0, True)
        assert not any(one.thumbnail[-60:-20] in memory for memory in memories(process.pid) for one in sightings[:200:20])
        process.stdin.write("\n")


def pieces_in_memory(process: int, vectors: NDArray[np.float32]) -> int:
    """How often any 32 bytes of some vectors are in the memory of a process. Blocks in use may hold less in their gaps."""
    words, count = np.sort(vectors.view(np.uint64).ravel()), 0
    for memory in memories(process):
        found = np.frombuffer(memory, np.uint64)
        known = words.take(np.searchsorted(words, found), mode="clip") == found
        count += int(np.count_nonzero(known[3:] & known[2:-1] & known[1:-2] & known[:-3]))
    return count


def memories(process: int) -> Iterator[bytes]:
    """All memory that a process can write, in use or not."""
    with open(f"/proc/{process}/mem", "rb", 0) as memory:
        for line in Path(f"/proc/{process}/maps").read_text().splitlines():
            span, rights, *_ = line.split()
            first, last = (int(place, 16) for place in span.split("-"))
            if rights.startswith("rw") and "[v" not in line:
                with suppress(OSError):
                    memory.seek(first)
                    yield memory.read(last - first)


def test_nothing_of_it_stays_in_memory(gallery: Gallery) -> None:
    gallery.add(make_sightings(30))
    gallery.search(make_sighting(1).embedding, 1)
    memory = gallery._store._memory  # type: ignore[attr-defined]
    assert make_id(1) in memory.ids()
    gallery.purge(Where(ids=frozenset({make_id(1)})))
    assert make_id(1) not in memory.ids()
