"""What disks, kernels and other processes do to a gallery."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gallery.fakes import DIMENSION, make_id, make_settings, make_sighting, make_sightings
from resight.cli import main
from resight.errors import StorageError
from resight.gallery import Gallery, Where, upkeep
from resight.gallery.store import proof

HERE = Path(__file__).parent
ENVIRONMENT = os.environ | {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]),
}

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")


class Ledger:
    """What must be in a gallery, from what its killed users said."""

    def __init__(self) -> None:
        self.there: set[str] = set()
        self.numbers: dict[str, int] = {}
        self.purged: set[str] = set()
        self.snapshots: dict[str, set[str]] = {}

    def take(self, lines: list[str], found: set[str], taken: set[str]) -> None:
        """Take in a log whose last action may not have been finished; `found` and `taken` are ids and snapshots that are there."""
        for number, line in enumerate(lines):
            action, *words = line.split()
            finished = number + 1 < len(lines) and lines[number + 1] == "done"
            ids = set(map(make_id, map(int, words))) if action == "add" else set(words)
            if action == "add":
                self.numbers |= {make_id(int(word)): int(word) for word in words}
                if not finished:
                    assert ids <= found or not ids & found, "half of an addition"
                self.there |= ids if finished else ids & found
            elif action == "purge":
                if not finished:
                    assert ids <= found or not ids & found, "half of a purge"
                gone = ids if finished else ids - found
                self.there -= gone
                self.purged |= gone
            elif action == "snapshot":
                assert not finished or words[0] in taken, "a snapshot is lost"
                if words[0] in taken:
                    self.snapshots[words[0]] = set(self.there)


def check(folder: Path, ledger: Ledger, lines: list[str], rng: np.random.Generator) -> None:
    with Gallery.open(folder) as gallery:
        problems = [p for p in upkeep.verify(gallery.folder) if "interrupted" not in p]
        assert problems == []
        ids = [record.id for record in gallery.records()]
        assert len(set(ids)) == len(ids) == len(gallery)
        ledger.take(lines, set(ids), {path.stem for path in proof.databases(folder)[1:]})
        assert set(ids) == ledger.there, "a lost write, or a phantom"
        for id, sighting in gallery.sightings(ids).items():
            assert gallery.search(sighting.embedding[None], 1)[0].record.id == id
        names = sorted(ledger.snapshots)
        if names and rng.random() < 0.5:
            name = names[int(rng.integers(len(names)))]
            upkeep.restore_snapshot(gallery.folder, name)
            ledger.there = ledger.snapshots[name] - ledger.purged
            assert {record.id for record in gallery.records()} == ledger.there, "what was purged came back"
        for name in names[:-1] if len(names) > 2 else []:
            (folder / "snapshots" / f"{name}.sqlite").unlink()
            del ledger.snapshots[name]
        if rng.random() < 0.2:
            gallery.purge(Where(ids=frozenset()))  # finishes an interrupted one
            assert upkeep.verify(gallery.folder) == []
            data = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
            for id in ledger.purged:
                vector = make_sighting(ledger.numbers[id]).embedding.tobytes()
                for piece in (id.encode(), *(vector[start : start + 16] for start in range(0, len(vector), 16))):
                    assert not [name for name in data if piece in data[name]]


@posix
@pytest.mark.parametrize("loops", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_killed_at_any_moment(tmp_path: Path, loops: int) -> None:
    """`kill -9` while others add, purge and take snapshots: no write that was acknowledged is lost, nothing deleted comes back."""
    folder, log = tmp_path / "gallery", tmp_path / "log"
    Gallery.create(folder, make_settings()).close()
    ledger, rng = Ledger(), np.random.default_rng(loops)
    command = [sys.executable, str(HERE / "churn.py"), str(folder), str(log)]
    interrupted = 0
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as mother:
        assert mother.stdin
        assert mother.stdout
        for seed in range(1, loops + 1):
            log.write_text("")
            mother.stdin.write(f"{seed}\n")
            mother.stdin.flush()
            child = int(mother.stdout.readline())
            deadline = time.monotonic() + 60
            while not log.read_text() and time.monotonic() < deadline:
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 0.25))
            os.kill(child, signal.SIGKILL)
            assert mother.stdout.readline() == "dead\n"
            lines = log.read_text().splitlines()
            interrupted += bool(lines) and lines[-1] != "done"
            check(folder, ledger, lines, rng)
        mother.stdin.close()
    assert ledger.numbers
    assert ledger.purged
    assert interrupted > loops / 4  # most were in the middle of something


FILL_THE_DISK = """
import resource, sys
from gallery.fakes import make_sightings
from resight.errors import StorageError
from resight.gallery import Gallery, Where, upkeep
gallery = Gallery.open(sys.argv[1])
limit = lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
limit(600_000)
for start in range(100, 5000, 10):
    try:
        gallery.add(make_sightings(10, start))
    except StorageError as error:
        print(error)
        break
    print(start, flush=True)
limit(100_000)
for call in (lambda: upkeep.take_snapshot(gallery.folder), lambda: gallery.add(make_sightings(10, 9000))):
    try:
        call()
    except StorageError as error:
        print(error)
print(len(gallery.search(make_sightings(1)[0].embedding[None], 9999)))
"""


@posix
def test_a_full_disk(tmp_path: Path) -> None:
    with Gallery.create(tmp_path / "gallery", make_settings()) as gallery:
        gallery.add(make_sightings(100))
    command = [sys.executable, "-c", FILL_THE_DISK, str(tmp_path / "gallery")]
    run = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=True)
    *added, full, snapshot, again, found = run.stdout.splitlines()
    for message in (full, snapshot, again):
        assert "cannot write" in message
        assert "then run it again" in message
    assert int(found) == 100 + 10 * len(added)  # it still answers
    with Gallery.open(tmp_path / "gallery") as gallery:
        assert upkeep.verify(gallery.folder) == []
        acknowledged = [*range(100), *(number for start in added for number in range(int(start), int(start) + 10))]
        assert {record.id for record in gallery.records()} == set(map(make_id, acknowledged))
        assert gallery.add(make_sightings(10, 9000)) == 10  # with space again


PURGE_ON_A_FULL_DISK = """
import os, sys
from pathlib import Path
from gallery.fakes import ColourModel, make_id, make_settings, make_sightings
from resight.cli import main
from resight.errors import StorageError
from resight.gallery import Gallery, Where, upkeep
from resight.service import AuditLog
from resight.service.lifecycle import Service
folder = Path(sys.argv[1]) / "gallery"

def fill():
    with open(folder.with_name("filler"), "ab", buffering=0) as stream:
        try:
            while stream.write(bytes(4096)):
                pass
        except OSError:
            pass

with Gallery.create(folder, make_settings(retention=3600)) as gallery:
    for start in range(0, 600, 60):
        gallery.add(make_sightings(60, start))
    upkeep.take_snapshot(gallery.folder, "a")
    audit = AuditLog(folder / "audit.jsonl")
    service = Service(gallery, ColourModel(), audit, None)
    try:
        while True:
            service.log("anna", "search", text="x" * 3000)
            fill()
    except StorageError:
        pass
    for call in (lambda: gallery.add(make_sightings(10, 1000)), lambda: service.log("anna", "search", text="x" * 9000)):
        try:
            call()
        except StorageError as error:
            print(error)
    before = os.statvfs(folder).f_bavail
    where = Where(identities=frozenset({"person 1"}))
    service.log_purge("anna")
    try:
        print(before, gallery.purge(where))
    except StorageError as error:
        print(before, error)
    print(len(gallery), gallery.records(where), audit.newest(1)[0]["action"])
    audit.close()
fill()
print(os.statvfs(folder).f_bavail, main(["gallery", "purge", str(folder), "--camera", "hall", "--yes"]))
print((folder / "reserve").stat().st_size)
folder.with_name("filler").unlink()
with Gallery.open(folder) as gallery:
    print(len(gallery), upkeep.verify(folder))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system in memory")
def test_a_purge_on_a_full_disk(tmp_path: Path) -> None:
    mount = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    small = f"mount -t tmpfs -o size=14m tmpfs {tmp_path}"
    if not shutil.which("unshare") or subprocess.run([*mount, small], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system in memory")
    command = [*mount, f'{small} && exec "$0" "$@"', sys.executable, "-c", PURGE_ON_A_FULL_DISK, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    add, log, first, left, deleted, proved, second, kept, end = run.stdout.splitlines()
    assert "full" in add
    assert "No space left" in log
    assert first.startswith("0 Removal(removed=86, removed_from_snapshots=86,")  # with 0 bytes free
    assert "proved=True" in first
    assert left == "514 [] purge"
    assert deleted == "171 sightings deleted, and 171 copies in snapshots"
    assert proved.startswith("proved: ")
    assert (second, int(kept) >= 2**21, end) == ("0 0", True, "343 []")


@pytest.fixture
def nobody() -> Iterator[Path]:
    """A folder outside of pytest's, which other users can enter; the test goes on as a user without rights if it may."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        if hasattr(os, "setresuid") and os.getresuid()[2] == 0:
            os.setresuid(0, 0, 0)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)
        shutil.rmtree(folder)


def give_up_rights(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    if os.getuid() == 0:
        os.setresuid(65534, 65534, 0)


@posix
def test_a_folder_that_cannot_be_written(nobody: Path) -> None:
    with Gallery.create(nobody / "gallery", make_settings()) as gallery:
        gallery.add(make_sightings(50))
        upkeep.take_snapshot(gallery.folder, "a")
    give_up_rights(nobody)
    with Gallery.open(nobody / "gallery") as gallery:
        assert gallery.search(make_sighting(7).embedding[None], 1)[0].record.id == make_id(7)
        assert gallery.statistics().count == 50
        assert upkeep.verify(gallery.folder) == []
        for call in (
            lambda: gallery.add(make_sightings(1, 50)),
            lambda: gallery.purge(Where(cameras=frozenset({"hall"}))),
            lambda: upkeep.take_snapshot(gallery.folder, "b"),
            lambda: upkeep.restore_snapshot(gallery.folder, "a"),
        ):
            with pytest.raises(StorageError, match="cannot write"):
                call()
        assert len(gallery) == 50
    with pytest.raises(StorageError, match="cannot write"):
        Gallery.create(nobody / "another", make_settings())


WRITE = """
import sys
from gallery.fakes import make_id, make_sightings
from resight.gallery import Gallery, Where
gallery = None
for line in sys.stdin:
    what, number = line.split()
    if what == "open":
        gallery = Gallery.open(sys.argv[1])
    elif what == "add":
        gallery.add(make_sightings(10, int(number)))
    elif what == "purge":
        gallery.purge(Where(ids=frozenset([make_id(int(number))])))
    elif what == "close":
        gallery.close()
    print("done", flush=True)
"""


@posix
def test_who_may_only_read_sees_what_others_write(nobody: Path) -> None:
    folder = nobody / "gallery"
    with Gallery.create(folder, make_settings()) as gallery:
        gallery.add(make_sightings(10))
    command = [sys.executable, "-c", WRITE, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as writer:
        assert writer.stdin
        assert writer.stdout
        if os.getuid():  # no other user can be had, so the files are made writable again for the writer
            pytest.skip("needs another user")
        give_up_rights(nobody)

        def tell(what: str, number: int = 0) -> None:
            assert writer.stdin
            assert writer.stdout
            writer.stdin.write(f"{what} {number}\n")
            writer.stdin.flush()
            assert writer.stdout.readline() == "done\n"

        def seen() -> set[int]:
            """Numbers that each way to ask knows."""
            found = [{match.record.id for match in gallery.search(make_sighting(0).embedding[None], 999)}]
            found += [{record.id for record in records} for records in (gallery.records(), gallery.page(limit=999))]
            assert found[0] == found[1] == found[2]
            assert len(gallery) == gallery.statistics().count == len(found[0])
            return {number for number in range(99) if make_id(number) in found[0]}

        with Gallery.open(folder) as gallery:
            assert seen() == set(range(10))
            tell("open")  # the reader was there first
            tell("add", 10)
            assert seen() == set(range(20))
            tell("purge", 3)  # which leaves an empty log
            with Gallery.open(folder) as later:
                assert len(later) == 19
                tell("add", 20)
                assert len(later) == 29
            tell("close")
            assert seen() == set(range(30)) - {3}
            tell("open")
            tell("add", 30)
            assert seen() == set(range(40)) - {3}


ADD = """
import sys
import numpy as np
from gallery.fakes import make_sighting
from resight.gallery import Gallery
with Gallery.open(sys.argv[1]) as gallery:
    order = np.random.default_rng(int(sys.argv[2])).permutation(80).tolist()
    print(sum(gallery.add([make_sighting(number)]) for number in order))
"""


def test_two_processes_add_at_once_and_a_third_reads(tmp_path: Path) -> None:
    with Gallery.create(tmp_path / "gallery", make_settings()) as gallery:
        commands = [[sys.executable, "-c", ADD, str(tmp_path / "gallery"), str(seed)] for seed in range(2)]
        processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) for command in commands]
        sizes = [0]
        while any(process.poll() is None for process in processes):
            matches = gallery.search(np.ones((1, DIMENSION), np.float32), 100)
            assert len({match.record.id for match in matches}) == len(matches) >= sizes[-1]
            sizes.append(len(matches))
        assert sum(int(process.communicate()[0]) for process in processes) == 80
        assert len(gallery) == 80
        assert upkeep.verify(gallery.folder) == []


def test_what_an_interrupted_run_left_is_named_and_removed(tmp_path: Path) -> None:
    with Gallery.create(tmp_path, make_settings()) as gallery:
        gallery.add(make_sightings(5))
        left = tmp_path / "snapshots" / ".x.sqlite.123.partial"
        left.parent.mkdir()
        left.write_bytes(b"half a snapshot")
        assert upkeep.verify(gallery.folder) == [f"{left} is what an interrupted run left; a purge removes it"]
        assert main(["gallery", "purge", str(tmp_path), "--id", "0" * 32, "--yes"]) == 2  # nobody to delete
        assert upkeep.verify(gallery.folder) == []
