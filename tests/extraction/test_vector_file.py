"""A file that grows: whatever happens to it, what its journal speaks of is there, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from resight.errors import StorageError
from resight.extraction.vector_file import VectorFile


def rows(start: int, count: int) -> NDArray[np.float32]:
    return np.arange(start * 3, (start + count) * 3, dtype=np.float32).reshape(count, 3)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("count", [0, 1, 9, 10, 99, 100, 12345])
def test_the_result_is_what_numpy_writes(count: int, tmp_path: Path) -> None:
    with VectorFile(tmp_path / "v.npy", 3, "f") as file:
        file.start()
        for start in range(0, count, 100):
            file.append(rows(start, min(100, count - start)), {})
        assert not (tmp_path / "v.npy").exists()
        file.flush()
        file.publish()
    np.save(tmp_path / "expected.npy", rows(0, count))
    assert (tmp_path / "v.npy").read_bytes() == (tmp_path / "expected.npy").read_bytes()
    assert names(tmp_path) == ["expected.npy", "v.npy"]


def test_rows_that_mean_nothing_are_left_out(tmp_path: Path) -> None:
    with VectorFile(tmp_path / "v.npy", 3, "f") as file:
        file.start()
        file.append(rows(0, 4), {1: "bad", 3: "worse"})
        file.append(rows(4, 2), {0: "worst"})
        file.append(rows(6, 2), {0: "all", 1: "of them"})
        file.flush()
        assert (file.done, file.rows) == (8, 3)
        assert file.failures == {1: "bad", 3: "worse", 4: "worst", 6: "all", 7: "of them"}
        file.publish()
    assert np.array_equal(np.load(tmp_path / "v.npy"), rows(0, 8)[[0, 2, 5]])


def interrupted(path: Path, seconds: float = 0.0) -> None:
    """Three notes: of 10, 20 and 25 images, one of them bad."""
    with VectorFile(path, 3, "f", seconds=seconds) as file:
        file.start()
        file.append(rows(0, 10), {})
        file.append(rows(10, 10), {2: "bad"})
        file.append(rows(20, 5), {})


def test_work_goes_on_where_it_stopped(tmp_path: Path) -> None:
    interrupted(tmp_path / "v.npy")
    with VectorFile(tmp_path / "v.npy", 3, "f") as file:
        assert (file.begun, file.done, file.rows, file.failures) == (True, 25, 24, {12: "bad"})
        assert file.spent >= 0
        file.append(rows(25, 5), {4: "last"})
        file.flush()
        file.publish()
    assert np.array_equal(np.load(tmp_path / "v.npy"), np.delete(rows(0, 30), [12, 29], axis=0))


def test_what_the_journal_does_not_know_is_done_again(tmp_path: Path) -> None:
    interrupted(tmp_path / "v.npy", seconds=3600)
    assert len((tmp_path / "v.npy.partial").read_bytes()) > 25 * 12
    with VectorFile(tmp_path / "v.npy", 3, "f") as file:
        assert (file.begun, file.done, file.rows) == (True, 0, 0)


def test_a_torn_journal_counts_to_its_last_whole_line(tmp_path: Path) -> None:
    interrupted(tmp_path / "v.npy")
    journal = tmp_path / "v.npy.journal"
    whole, vectors = journal.read_bytes(), (tmp_path / "v.npy.partial").read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    states = [(False, 0, 0), (True, 0, 0), (True, 10, 10), (True, 20, 19), (True, 25, 24)]
    cuts = {0, 1, *range(0, len(whole), 29), *(end + step for end in ends for step in (-2, -1, 0, 1) if end + step <= len(whole))}
    for cut in cuts:
        for tail in (b"", b"\0" * 7, b'{"done": 99}\n'):
            journal.write_bytes(whole[:cut] + tail)
            (tmp_path / "v.npy.partial").write_bytes(vectors + b"more")
            with VectorFile(tmp_path / "v.npy", 3, "f") as file:
                assert (file.begun, file.done, file.rows) == states[sum(end <= cut for end in ends)]
                if file.begun:
                    file.append(rows(0, 1), {})
                    file.flush()
            if sum(end <= cut for end in ends):
                with VectorFile(tmp_path / "v.npy", 3, "f") as file:
                    assert file.done == states[sum(end <= cut for end in ends)][1] + 1


def test_vectors_that_were_lost_do_not_count(tmp_path: Path) -> None:
    interrupted(tmp_path / "v.npy")
    journal, partial = (tmp_path / f"v.npy.{kind}" for kind in ("journal", "partial"))
    whole, vectors = journal.read_bytes(), partial.read_bytes()
    for size in range(0, len(vectors) + 1, 4):
        journal.write_bytes(whole)
        partial.write_bytes(vectors[:size])
        with VectorFile(tmp_path / "v.npy", 3, "f") as file:
            kept = (size - (len(vectors) - 24 * 12)) // 12
            assert file.rows == (24 if kept >= 24 else 19 if kept >= 19 else 10 if kept >= 10 else 0)
            assert file.begun == (kept >= 0)


def test_starting_anew_forgets_everything(tmp_path: Path) -> None:
    interrupted(tmp_path / "v.npy")
    with VectorFile(tmp_path / "v.npy", 3, "f") as file:
        file.start()
        assert (file.begun, file.done, file.rows, file.failures, file.spent) == (True, 0, 0, {}, 0.0)
        file.append(rows(0, 2), {})
        file.flush()
        file.publish()
    assert np.array_equal(np.load(tmp_path / "v.npy"), rows(0, 2))


@pytest.mark.parametrize("size", [1, 3, 50])
def test_the_work_of_others_is_seen_and_not_touched(size: int, tmp_path: Path) -> None:
    interrupted(tmp_path / "v.npy")
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}
    with VectorFile(tmp_path / "v.npy", size, "g") as file:
        assert (file.begun, file.foreign, file.done) == (False, True, 0)
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == before
    with VectorFile(tmp_path / "v.npy", size, "g") as file:
        file.start()
        file.append(np.zeros((2, size), np.float32), {})
        file.flush()
        file.publish()
    assert np.load(tmp_path / "v.npy").shape == (2, size)
    assert names(tmp_path) == ["v.npy"]


def test_looking_without_starting_leaves_nothing(tmp_path: Path) -> None:
    with VectorFile(tmp_path / "new" / "v.npy", 3, "f") as file:
        assert not file.begun and not file.foreign
    assert names(tmp_path / "new") == []


@pytest.mark.parametrize(
    "text", ["[]\n", "7\n", '{"format": "other", "fingerprint": "f"}\n', '{"format": "resight-journal-1"}\n', "\n"]
)
def test_a_journal_of_something_else_is_no_work(text: str, tmp_path: Path) -> None:
    (tmp_path / "v.npy.journal").write_text(text)
    with VectorFile(tmp_path / "v.npy", 3, "f") as file:
        assert not file.begun and not file.foreign


def test_two_writers_at_once_are_refused(tmp_path: Path) -> None:
    with VectorFile(tmp_path / "v.npy", 3, "f") as first:
        first.start()
        with pytest.raises(StorageError, match=r"another extraction is writing .*v\.npy"), VectorFile(tmp_path / "v.npy", 3, "f"):
            pass
        first.append(rows(0, 2), {})
        first.flush()
        first.publish()
    with VectorFile(tmp_path / "v.npy", 3, "f"):
        pass
    assert np.array_equal(np.load(tmp_path / "v.npy"), rows(0, 2))


def test_the_journal_is_readable(tmp_path: Path) -> None:
    interrupted(tmp_path / "v.npy")
    entries = [json.loads(line) for line in (tmp_path / "v.npy.journal").read_text().splitlines()]
    assert entries[0] == {"format": "resight-journal-1", "fingerprint": "f"}
    assert [(entry["done"], entry["rows"]) for entry in entries[1:]] == [(10, 10), (20, 19), (25, 24)]
    assert entries[2]["failures"] == {"12": "bad"}


def test_a_folder_in_the_way_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "v.npy.partial").mkdir()
    with pytest.raises(StorageError, match=r"cannot write .*v\.npy: Is a directory"), VectorFile(tmp_path / "v.npy", 3, "f"):
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"), VectorFile(tmp_path / "file" / "v.npy", 3, "f"):
        pass
