"""A process that has a gallery open keeps its locks: nothing in it but SQLite opens the gallery's files."""

from __future__ import annotations

import ast
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import resight
from gallery.fakes import make_id, make_settings, make_sightings
from resight.errors import StorageError
from resight.gallery import Gallery, Where, upkeep
from resight.gallery.store import database, reading
from resight.gallery.store.reading import Reader

PACKAGE = Path(resight.__file__).parent
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)])}

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX locks")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Gallery.create(tmp_path / "gallery", make_settings()) as gallery:
        gallery.add(make_sightings(30))
    return tmp_path / "gallery"


# All other ways to open a file. Those of shutil are missing, because only its rmtree may be imported, which opens folders.
OPENING = {
    *("open", "fdopen", "open_code", "read_bytes", "read_text", "write_bytes", "write_text", "touch", "truncate", "memmap"),
    *("fromfile", "tofile", "load", "save", "loadtxt", "savetxt", "file_digest", "sha256_file", "FileIO", "sendfile"),
    *("atomic_write", "allocate", "create_private", "read_file", "read_json"),
}
ALLOWED = {
    ("reading.py", "open"): "in the child process",
    ("schema.py", "create_private"): "a new file, which nobody can have locked",
    ("snapshot.py", "create_private"): "a new file, which nobody can have locked",
    ("backup.py", "create_private"): "a new file, which nobody can have locked",
    ("backlog.py", "create_private"): "a new file, which nobody can have locked",
    ("reserve.py", "allocate"): "a new file, which SQLite never has open",
    ("kept.py", "write_bytes"): "a crop",
    ("kept.py", "atomic_write"): "the table beside the crops",
    ("kept.py", "read_text"): "whose crops they are",
    ("kept.py", "write_text"): "whose crops they are",
    ("enrol.py", "read_file"): "a crop",
    ("open.py", "read_text"): "a token",
    ("picture.py", "atomic_write"): "a picture",
}


def test_only_one_module_opens_files() -> None:
    found = set()
    for path in sorted((PACKAGE / "gallery").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                if name in OPENING and ast.unparse(node.func) != "Gallery.open":
                    found.add((path.name, name))
            elif isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
                allowed = names == {"shutil", "rmtree"}
                assert allowed or not names & {"shutil", "mmap", "fcntl"}, f"{path.name} imports {names}"
    assert found == ALLOWED.keys()


WATCHED = """
import sys
from pathlib import Path
from gallery.fakes import make_id, make_sightings
from resight.gallery import Gallery, Where, upkeep
from resight.gallery.store import proof
from resight.gallery.store.snapshot import restore
folder = Path(sys.argv[1])

def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes, Path)):
        path = Path(arguments[0] if not isinstance(arguments[0], bytes) else arguments[0].decode())
        if folder in path.parents and not path.is_dir() and path.exists():
            print("opened", path.name)

sys.addaudithook(watch)
with Gallery.open(folder) as gallery:
    gallery.add(make_sightings(10, 100))
    upkeep.take_snapshot(gallery.folder, "a")
    print(gallery.purge(Where(ids=frozenset([make_id(3)]))).proved)
    proof.rewrite(folder, gallery._store._reader)
    upkeep.restore_snapshot(folder, "a")
    gallery.statistics()
    print(upkeep.back_up(folder, folder.with_name("backup.sqlite")))
    print(upkeep.restore_backup(folder / "gallery.sqlite", folder.with_name("again")))
    print(upkeep.verify(gallery.folder))
damaged = folder / "gallery.sqlite"
damaged.rename(folder / "away")
print(restore(folder, "a").count)
"""


def test_this_process_opens_none_of_the_files(folder: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", WATCHED, str(folder)], capture_output=True, text=True, env=ENVIRONMENT, check=True, timeout=60
    )
    assert run.stdout.splitlines() == ["True", "39", "39", "[]", "39"]


PURGING = """
import sys
from gallery.fakes import make_id, make_sightings
from resight.gallery import Gallery, Where
from resight.gallery.store import purge

def between(stage, done, total):
    if done:
        print("between", flush=True)
        sys.stdin.readline()

purge._BATCH = 5
with Gallery.open(sys.argv[1]) as gallery:
    gallery.search(make_sightings(1)[0].embedding[None], 1)
    gallery.purge(Where(ids=frozenset(map(make_id, range(10)))), progress=between)
    print("purged", flush=True)
    for line in sys.stdin:
        try:
            print(gallery.add(make_sightings(10, int(line))), flush=True)
        except Exception as error:
            print(error, flush=True)
"""


@pytest.fixture
def purging(folder: Path) -> Iterator[tuple[subprocess.Popen[str], Callable[..., None]]]:
    """A process in the middle of a purge, with a function that tells it to go on and checks what it answers."""
    command = [sys.executable, "-c", PURGING, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        assert process.stdin and process.stdout
        assert process.stdout.readline() == "between\n"

        def tell(what: object, *answers: str) -> None:
            assert process.stdin and process.stdout
            process.stdin.write(f"{what}\n")
            process.stdin.flush()
            for answer in answers:
                assert answer in process.stdout.readline()

        yield process, tell
        process.kill()


@posix
def test_locks_hold_during_a_purge_and_after_it(
    folder: Path, purging: tuple[subprocess.Popen[str], Callable[..., None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    process, tell = purging
    monkeypatch.setattr(database, "_PATIENCE", 0.1)
    with Gallery.open(folder) as gallery:
        for call in (lambda: upkeep.take_snapshot(gallery.folder), lambda: gallery.purge(Where(ids=frozenset()))):
            with pytest.raises(StorageError, match=r"gallery\.lock is in use by another process"):
                call()
    tell("", "between")
    tell("", "purged")
    log = folder / "gallery.sqlite-wal"
    before = log.stat()
    for number in range(3):  # as `resight gallery stats` does
        with Gallery.open(folder) as gallery:
            assert gallery.statistics().count == 20 + 10 * number
        assert os.path.samestat(before, log.stat())
        tell(100 + 10 * number, "10")
    process.send_signal(signal.SIGKILL)
    process.wait()
    with Gallery.open(folder) as gallery:
        assert len(gallery) == 50
        assert upkeep.verify(gallery.folder) == []


@posix
def test_a_log_that_was_removed_is_noticed(folder: Path, purging: tuple[subprocess.Popen[str], Callable[..., None]]) -> None:
    process, tell = purging
    tell("", "between")
    tell("", "purged")
    (folder / "gallery.sqlite-wal").unlink()
    problem = "removed or replaced while it was open; restart"
    tell(100, problem)  # it writes no more, instead of acknowledging what is lost
    if Path("/proc/self/fd").exists():
        with Gallery.open(folder) as gallery:
            found = upkeep.verify(gallery.folder)
        assert f"gallery.sqlite or its log was removed or replaced while process {process.pid} had it open" in found[0]
    process.kill()
    process.wait()


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 250])
def test_reading_in_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    data = np.random.default_rng(size).bytes(size)
    files = [tmp_path / "first", tmp_path / "Küche\n☂"]
    for file in files:
        file.write_bytes(data)
    source = Path(reading.__file__).read_text(encoding="utf-8")
    monkeypatch.setattr(reading, "__file__", str(tmp_path / "reading.py"))
    (tmp_path / "reading.py").write_text(source.replace("_CHUNK = 2**22", "_CHUNK = 100"), encoding="utf-8")
    with Reader() as reader:
        for file in files:
            chunks = list(reader.chunks(file))
            assert b"".join(chunks) == data
            assert [len(chunk) for chunk in chunks] == [min(100, size - start) for start in range(0, size, 100)]
        assert list(reader.chunks(tmp_path / "none")) == []
        with pytest.raises(OSError) as raised:
            list(reader.chunks(tmp_path))
        assert (raised.value.errno, raised.value.filename) == (errno.EISDIR, str(tmp_path))
        assert b"".join(reader.chunks(files[0])) == data
        reader._process.kill()
        with pytest.raises(OSError):
            list(reader.chunks(files[0]))


def test_a_file_that_cannot_be_read_ends_a_purge(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "gone").symlink_to("gone")  # a loop, which nobody can open
    with Gallery.open(folder) as gallery:
        with monkeypatch.context() as unlinked:
            unlinked.setattr(Path, "is_symlink", lambda path: False)
            unlinked.setattr(Path, "is_file", lambda path: path.name == "gone" or os.path.isfile(path))
            with pytest.raises(StorageError, match=r"cannot read .*gone: .*; make it readable, then run it again"):
                gallery.purge(Where(ids=frozenset([make_id(1)])))
        (folder / "gone").unlink()
        gallery.purge(Where(ids=frozenset()))
        assert upkeep.verify(gallery.folder) == []
        assert len(gallery) == 29
