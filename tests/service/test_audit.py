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
from resight.service import Act, AuditLog, audit
from resight.service.audit import verify_log


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
from resight.service import Act, AuditLog, audit
from resight.service.audit import verify_log
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


def test_a_page_reads_no_more_of_the_log_than_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_BLOCK", 1000)
    log = AuditLog(tmp_path / "audit.jsonl")
    log.append([Act("anna", "search", {"n": number, "text": "x" * (number % 300)}) for number in range(1, 501)])
    assert [entry["number"] for entry in log.newest(1000)] == list(range(500, 0, -1))
    assert [entry["number"] for entry in log.newest(3, before=480)] == [479, 478, 477]
    read = []
    monkeypatch.setattr(audit, "_entry", lambda line, entry=audit._entry: read.append(line) or entry(line))
    assert [entry["number"] for entry in log.newest(2)] == [500, 499]
    assert len(read) < 20
    log.close()
