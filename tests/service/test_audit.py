"""The audit log: what is in it is on the disk, and whatever is done to it shows."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from resight.errors import AuditError, StorageError
from resight.service import Act, AuditLog, audit, audit_chain, audit_checks
from resight.service.audit_chain import files_of, verify_file, verify_log


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log of 20 entries, some of them written together."""
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    for number in range(10):
        log.append([Act("anna", "search", {"k": number}), Act("böb\u2028\n", "list", {"identity": 'a"b', "cameras": None})])
    log.close()
    return path


def test_entries_are_chained_and_numbered(path: Path) -> None:
    entries = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [entry["number"] for entry in entries] == list(range(1, 21))
    assert [entry["previous"] for entry in entries[1:]] == [entry["sha256"] for entry in entries[:-1]]
    assert (entries[0]["who"], entries[0]["action"], entries[0]["details"]) == ("anna", "search", {"k": 0})
    assert verify_log(path) == ([], (20, entries[-1]["sha256"]))


def test_it_goes_on_where_it_ended(path: Path) -> None:
    log = AuditLog(path)
    (entry,) = log.append([Act("anna", "export", {})])
    assert entry["number"] == 21
    assert log.problems() == []
    assert log.head == (21, entry["sha256"])
    assert [one["number"] for one in log.newest(2)] == [21, 20]
    assert [one["number"] for one in log.newest(2, before=20)] == [19, 18]
    log.close()


def test_every_change_of_a_byte_shows(path: Path) -> None:
    data, rng = path.read_bytes(), np.random.default_rng(0)
    for place in rng.choice(len(data) - 1, 400, replace=False).tolist():
        changed = bytearray(data)
        changed[place] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(changed))
        problems, _ = verify_log(path)
        assert problems, place


@pytest.mark.parametrize("number", [1, 2, 10, 19])
def test_entries_cannot_be_removed_exchanged_repeated_or_put_in(path: Path, number: int) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    entry = json.loads(lines[number])
    for changed in (
        lines[:number] + lines[number + 1 :] if number < 19 else lines[:18] + lines[19:],
        [*lines[: number - 1], lines[number], lines[number - 1], *lines[number + 1 :]],
        [*lines[:number], lines[number - 1], *lines[number:]],
        [*lines[:number], (json.dumps(entry | {"who": "eve"}) + "\n").encode(), *lines[number + 1 :]],
        [*lines[:number], b"\n", *lines[number:]],
        [*lines[:number], b"[]\n", *lines[number:]],
    ):
        path.write_bytes(b"".join(changed))
        assert verify_log(path)[0]
        with pytest.raises(AuditError, match="evidence"):
            AuditLog(path)


def test_cutting_off_the_end_shows_in_a_running_service_and_to_who_knows_the_head(path: Path) -> None:
    log = AuditLog(path)
    head = log.head
    lines = path.read_bytes().splitlines(keepends=True)
    with path.open("r+b") as stream:
        stream.truncate(len(b"".join(lines[:15])))
    assert "ends with entry 15" in log.problems()[0]
    with pytest.raises(StorageError, match="another program"):
        log.append([Act("anna", "search", {})])
    log.close()
    later = AuditLog(path)
    assert later.head != head
    later.close()


def test_an_entry_that_was_being_written_when_the_process_died_is_dropped(path: Path) -> None:
    data = path.read_bytes()
    for length in (1, 17, 200):
        path.write_bytes(data + data[:length].rstrip(b"\n"))
        log = AuditLog(path)
        assert log.head[0] == 20
        log.append([Act("anna", "search", {})])
        log.close()
        assert verify_log(path)[1][0] == 21


@pytest.mark.skipif(os.name != "posix", reason="locks as POSIX does")
def test_a_second_service_is_refused_and_changes_nothing(path: Path) -> None:
    first = AuditLog(path)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:17])  # an entry that the first is writing at this moment
    for _ in range(2):
        with pytest.raises(StorageError, match=f"another service is writing the audit log {path}; .*--audit"):
            AuditLog(path)
    assert path.read_bytes() == whole + whole[:17]
    path.write_bytes(whole)
    first.append([Act("anna", "search", {})])
    assert first.problems() == verify_log(path)[0] == []  # who reads needs no lock
    first.close()
    second = AuditLog(path)
    assert second.head == first.head
    second.close()


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX")
def test_nobody_else_may_read_it(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_another_writer_or_another_file_is_noticed(path: Path) -> None:
    first = AuditLog(path)
    first.append([Act("anna", "search", {})])
    whole = path.read_bytes()
    path.write_bytes(whole + whole)  # by somebody who heeds no lock
    with pytest.raises(StorageError, match="another program"):
        first.append([Act("bob", "search", {})])
    path.write_bytes(whole)
    path.rename(path.with_name("old"))
    path.write_bytes(path.with_name("old").read_bytes())
    with pytest.raises(StorageError, match="another program"):
        first.append([Act("anna", "search", {})])
    path.unlink()
    with pytest.raises(StorageError, match="cannot be written"):
        first.append([Act("anna", "search", {})])
    first.close()


def test_threads_may_write_while_others_verify(path: Path) -> None:
    log, found = AuditLog(path), []

    def write(who: str) -> None:
        for number in range(20):
            log.append([Act(who, "search", {"k": number})] * 2)

    threads = [threading.Thread(target=write, args=(f"thread {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        found += log.problems()
    assert found == log.problems() == []
    assert log.head[0] == 20 + 4 * 20 * 2
    log.close()


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        AuditLog(tmp_path / "file" / "audit.jsonl")


FULL_DISK = """
import resource, sys
from pathlib import Path
from resight.errors import StorageError
from resight.service import Act, AuditLog, audit, audit_chain
from resight.service.audit_chain import files_of, verify_file, verify_log
path = Path(sys.argv[1])
log = AuditLog(path)
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 700, resource.RLIM_INFINITY))
written = 20
try:
    while True:
        log.append([Act("anna", "search", {"text": "x" * 100})])
        written += 1
except StorageError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert verify_log(path) == ([], log.head) and log.head[0] == written > 20, (verify_log(path), log.head, written)
log.append([Act("anna", "search", {})])
assert verify_log(path)[0] == [] and log.problems() == []
"""


@pytest.mark.skipif(os.name != "posix", reason="limits the size of files as POSIX does")
def test_a_full_disk_leaves_nothing_half_written(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "cannot be written" in done.stdout


@pytest.fixture
def archived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log of 300 entries in several files."""
    monkeypatch.setattr(audit, "_FULL", 4000)
    path = tmp_path / "people.log.jsonl"
    log = AuditLog(path)
    for start in range(1, 301, 15):
        log.append([Act("anna", "search", {"n": number, "text": "x" * (number % 300)}) for number in range(start, start + 15)])
    log.close()
    assert len(files_of(path)) > 10
    return path


def test_the_chain_goes_on_in_the_next_file(archived: Path) -> None:
    entries = [json.loads(line) for file in files_of(archived) for line in file.read_bytes().splitlines()]
    assert [entry["number"] for entry in entries] == list(range(1, 301))
    assert [entry["previous"] for entry in entries] == ["0" * 64, *[entry["sha256"] for entry in entries[:-1]]]
    assert verify_log(archived) == ([], (300, entries[-1]["sha256"]))
    assert all(file.stat().st_size < 14_000 for file in files_of(archived))
    log = AuditLog(archived)  # as if it were started again
    assert (log.head[0], log.problems()) == (300, [])
    log.append([Act("anna", "search", {})] * 40)
    log.append([Act("anna", "search", {})])
    log.close()
    assert verify_log(archived)[0] == []


def test_a_kill_between_two_files_loses_nothing(archived: Path) -> None:
    first = json.loads(archived.read_bytes().splitlines()[0])["number"]
    archived.rename(audit_chain.archive_of(archived, first))
    log = AuditLog(archived)
    assert (log.head[0], log.problems()) == (300, [])
    assert log.append([Act("anna", "search", {})])[0]["number"] == 301
    log.close()
    assert verify_log(archived)[1][0] == 301


@pytest.mark.parametrize("which", [0, 5, -2])
def test_changes_of_an_archive_show(archived: Path, which: int) -> None:
    log, file = AuditLog(archived), files_of(archived)[which]
    data = file.read_bytes()
    lines = data.splitlines(keepends=True)
    assert log.problems() == []
    for changed, problem in (
        (data.replace(b"anna", b"anne", 1), "is not as it was written"),
        (b"".join(lines[1:]), "cannot be found; put the file of that part back"),
        (data[:-9], "is not as it was written"),
        (data + lines[-1], "does not follow"),
    ):
        file.write_bytes(changed)
        assert problem in log.problems()[0]
        assert problem in verify_log(archived)[0][0]
    file.write_bytes(b"".join(lines[:-1]))
    assert "cannot be found" in log.problems()[0]
    file.unlink()
    assert "cannot be found" in log.problems()[0]
    assert "cannot be found" in verify_log(archived)[0][0]
    file.write_bytes(data)
    assert log.problems() == verify_log(archived)[0] == []
    log.close()


def test_an_archive_that_ends_otherwise_is_noticed_at_the_start(archived: Path) -> None:
    file = files_of(archived)[-2]
    data = file.read_bytes()
    for changed in (data[:-9], data.replace(b"anna", b"anne"), b"".join(data.splitlines(keepends=True)[:-1])):
        file.write_bytes(changed)
        with pytest.raises(AuditError, match="evidence"):
            AuditLog(archived)
    file.write_bytes(data)
    AuditLog(archived).close()


def test_only_what_somebody_touched_is_read_again(archived: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    for module in (audit, audit_checks):
        monkeypatch.setattr(module, "verify_file", lambda file, *a, **k: (read.append(file.name), verify_file(file, *a, **k))[1])
    log = AuditLog(archived)
    assert log.problems() == []
    assert sorted(read) == sorted(file.name for file in files_of(archived))  # each once
    read.clear()
    for _ in range(20):  # some of which begin new files
        log.append([Act("anna", "audit", {"text": "x" * 900})])
        assert log.problems() == []
    assert read == []
    monkeypatch.setattr(audit, "_FULL", 2**30)
    for _ in range(10):  # changed at once after it was written, and of the same size
        log.append([Act("anna", "audit", {})])
        good = archived.read_bytes()
        archived.write_bytes(good.replace(b"anna", b"anne", 1))
        assert "is not as it was written" in log.problems()[0]
        log.append([Act("anna", "audit", {})])
        assert "is not as it was written" in log.problems()[0]
        good += archived.read_bytes()[len(good) :]
        archived.write_bytes(good)
        assert log.problems() == []
    log.close()


def test_a_page_reads_no_more_of_the_log_than_it_shows(archived: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_chain, "_BLOCK", 1000)
    read: list[bytes] = []
    monkeypatch.setattr(audit_chain, "_entry", lambda line, entry=audit_chain._entry: (read.append(line), entry(line))[1])
    monkeypatch.setattr(audit, "_FULL", 2**30)
    whole = AuditLog(tmp_path / "audit.jsonl")
    whole.append([Act("anna", "search", {"n": number, "text": "x" * (number % 300)}) for number in range(1, 501)])
    for log, last in ((whole, 500), (AuditLog(archived), 300)):
        assert [entry["number"] for entry in log.newest(1000)] == list(range(last, 0, -1))
        for before in (None, last - 20, 250, 150, 12, 2):
            read.clear()
            end = before or last + 1
            assert [entry["number"] for entry in log.newest(3, before)] == list(range(end - 1, max(0, end - 4), -1))
            assert len(read) < 80
        assert log.newest(3, before=1) == []
        log.close()


def test_a_file_that_cannot_be_archived_goes_on(archived: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AuditLog(archived)
    with monkeypatch.context() as full:
        full.setattr(audit, "_FULL", 1)
        full.setattr(log, "_open", lambda: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(StorageError, match="No space left"):
            log.append([Act("anna", "search", {})])
    assert log.append([Act("anna", "search", {})])[0]["number"] == 301
    assert log.problems() == verify_log(archived)[0] == []
    log.close()
