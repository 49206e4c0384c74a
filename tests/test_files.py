"""Files are whole or not there."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from resight.errors import StorageError
from resight.files import atomic_write, create_private, locked, read_json, sha256_file, write_json, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_content_appears_under_the_final_name_only_when_complete(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "file.bin"
    with atomic_write(target) as stream:
        stream.write(b"half")
        stream.flush()
        assert not target.exists()
        stream.write(b" and half")
    assert target.read_bytes() == b"half and half"
    assert names(target.parent) == ["file.bin"]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("old", [None, b"old content"])
def test_a_failing_block_changes_nothing(tmp_path: Path, failure: type[BaseException], old: bytes | None) -> None:
    target = tmp_path / "file.bin"
    if old is not None:
        target.write_bytes(old)
    with pytest.raises(failure), atomic_write(target) as stream:
        stream.write(b"new content")
        raise failure
    assert names(tmp_path) == ([] if old is None else ["file.bin"])
    assert old is None or target.read_bytes() == old


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_is_a_storage_error_and_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    target = tmp_path / "file.txt"
    write_text(target, "old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(StorageError, match=r"file\.txt: No space left on device; free space"):
        write_text(target, "new")
    monkeypatch.undo()
    assert target.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_write_that_finds_the_disk_full_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No space left"), atomic_write(tmp_path / "file.bin"), open("/dev/full", "wb") as full:
        full.write(b"x" * 100_000)
    assert names(tmp_path) == []


def test_a_parent_that_is_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot write"):
        write_text(tmp_path / "file" / "below.txt", "text")


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_text(tmp_path / "file", "text")
    finally:
        assert os.umask(old) == 0o027  # looking at the mask did not change it
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX")
def test_a_pipe_is_written_as_it_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor() as pool:
        read = pool.submit((tmp_path / "pipe").read_text)
        write_text(tmp_path / "pipe", "text")
        assert read.result() == "text"
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX")
def test_private_files_are_private_from_their_first_byte(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old")
    target.chmod(0o644)
    with atomic_write(target, "w", private=True) as stream:
        (partial,) = set(tmp_path.iterdir()) - {target}
        assert stat.S_IMODE(partial.stat().st_mode) == 0o600
        stream.write("new")
    write_json(tmp_path / "file.json", "secret", private=True)
    create_private(tmp_path / "empty")
    assert {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in names(tmp_path)} == dict.fromkeys(
        ["empty", "file", "file.json"], 0o600
    )
    with pytest.raises(FileExistsError):
        create_private(target)


def test_json_round_trip_in_utf8(tmp_path: Path) -> None:
    value = {"name": "Zoë ☂", "figures": [1, 2.5, None, True]}
    write_json(tmp_path / "file.json", value)
    assert read_json(tmp_path / "file.json") == value
    assert "Zoë ☂" in (tmp_path / "file.json").read_text(encoding="utf-8")


def test_json_refuses_nan_and_keeps_the_old_file(tmp_path: Path) -> None:
    write_json(tmp_path / "file.json", [1])
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "file.json", [float("nan")])
    assert read_json(tmp_path / "file.json") == [1]


def test_sha256(tmp_path: Path) -> None:
    content = os.urandom(300_000)
    (tmp_path / "file").write_bytes(content)
    assert sha256_file(tmp_path / "file") == hashlib.sha256(content).hexdigest()


@pytest.mark.skipif(os.name == "nt", reason="files are not locked on this system")
def test_one_at_a_time_holds_a_lock(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with locked(path, private=True) as stream:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        stream.write(b"mine")
        with pytest.raises(BlockingIOError), locked(path):
            raise AssertionError("two hold it")
    with locked(path) as stream:
        stream.seek(0)
        assert stream.read() == b"mine"


@pytest.mark.skipif(os.name == "nt", reason="files are not locked on this system")
def test_a_lock_of_a_file_that_was_removed_meanwhile_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal"
    opened: list[int] = []
    original = os.open

    def open_and_remove(name: str | Path, *arguments: int) -> int:
        descriptor = original(name, *arguments)
        if not opened:
            path.unlink()
        opened.append(descriptor)
        return descriptor

    monkeypatch.setattr(os, "open", open_and_remove)
    with locked(path) as stream:
        assert len(opened) == 2
        assert os.path.samestat(os.fstat(stream.fileno()), path.stat())
