"""A service and the command line on one gallery: neither loses what the other has acknowledged."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gallery.store.company import CAMERA, Killed, Service, Shell, make_crop
from resight.gallery import Gallery, upkeep
from resight.gallery.store import database

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills as POSIX does")


@pytest.fixture
def parties(tmp_path: Path) -> Iterator[tuple[Path, Service, Shell]]:
    """An empty gallery, a service of it, which is not started, and a shell."""
    folder, shell = tmp_path / "gallery", Shell(tmp_path)
    assert shell.resight("gallery", "create", folder, "--retention", "unlimited")[0] == 0
    service = Service(folder, tmp_path)
    yield folder, service, shell
    if service.process is not None:
        service.kill()


def test_enrolments_after_a_purge_and_stats_survive_a_kill(parties: tuple[Path, Service, Shell]) -> None:
    folder, service, shell = parties
    service.start()
    crops, ids = zip(*map(make_crop, range(14)), strict=True)
    for crop in crops[:3]:
        assert service.enrol(crop)[0] == 201
    assert service.purge(ids[0])[0] == 200
    assert service.enrol(crops[3])[0] == 201
    log = folder / "gallery.sqlite-wal"
    before = log.stat()
    assert shell.resight("gallery", "stats", folder)[0] == 0
    assert os.path.samestat(before, log.stat())
    for crop in crops[4:]:
        assert service.enrol(crop)[0] == 201
    service.kill()
    with Gallery.open(folder) as gallery:
        assert {record.id for record in gallery.records()} == set(ids[1:])
        assert upkeep.verify(gallery.folder) == []


class Ledger:
    """What must be in a gallery, what may be, and what must not, from what its users were told."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.numbers: dict[str, int] = {}
        self.there: set[str] = set()
        self.touched: set[str] = set()  # by any purge, also one that was killed
        self.purged: set[str] = set()
        self.open: list[tuple[str, set[str]]] = []  # actions that were begun and not acknowledged
        self.done: dict[str, int] = {}
        self.snapshots: dict[str, set[str]] = {}  # what was surely there when each was begun

    def next_crops(self, count: int) -> tuple[list[bytes], set[str]]:
        with self._lock:
            first = len(self.numbers)
            crops, ids = zip(*map(make_crop, range(first, first + count)), strict=True)
            self.numbers |= dict(zip(ids, range(first, first + count), strict=True))
        return list(crops), set(ids)

    def count(self) -> int:
        with self._lock:
            return sum(self.done.values())

    def choose(self, rng: np.random.Generator) -> list[str]:
        with self._lock:
            there = sorted(self.there - self.touched)
        return rng.choice(there, min(len(there), int(rng.integers(1, 4))), replace=False).tolist() if there else ["0" * 32]

    def carry_out(self, action: str, ids: set[str], act: Callable[[], None], name: str = "") -> None:
        """Write down what is begun, do it, and write down that it is done, unless `Killed` ends it."""
        entry = action, ids
        with self._lock:
            self.open.append(entry)
            sure = self.there - self.touched
            self.touched |= ids if action == "purge" else set()
        act()
        with self._lock:
            self.open.remove(entry)
            self.done[action] = self.done.get(action, 0) + 1
            if action == "add":
                self.there |= ids
            elif action == "purge":
                self.purged |= ids
            elif action == "snapshot":
                self.snapshots[name] = sure

    def settle(self, found: set[str]) -> None:
        """Hold against it what is there now that nobody acts."""
        begun = set().union(*(ids for action, ids in self.open if action == "add"))
        assert found <= self.there | begun, "a phantom"
        assert not found & self.purged, "what was purged is there"
        assert self.there - self.touched <= found, "a lost write"
        for _, ids in self.open:
            assert ids <= found or not ids & found, "half of an action"
        self.purged |= self.touched - found
        self.touched = set(self.purged)
        self.there, self.open = found, []


class Company:
    """Two parties that act on a gallery at random."""

    def __init__(self, folder: Path, service: Service, shell: Shell) -> None:
        self.folder, self.service, self.shell = folder, service, shell
        self.ledger, self.stop = Ledger(), threading.Event()
        self.service_killed, self.interrupted = False, 0

    def live(self, act: Callable[[np.random.Generator], None], seed: int, failures: list[BaseException]) -> None:
        rng = np.random.default_rng(seed)
        try:
            while not self.stop.is_set():
                act(rng)
        except Killed:
            pass
        except BaseException as error:  # for the main thread
            failures.append(error)

    def by_service(self, rng: np.random.Generator) -> None:
        ledger, choice = self.ledger, rng.random()
        if choice < 0.6:
            (crop,), ids = ledger.next_crops(1)
            ledger.carry_out("add", ids, lambda: expect(201, self.service.enrol(crop)))
        elif choice < 0.8:
            some = ledger.choose(rng)
            ledger.carry_out("purge", set(some), lambda: expect(200, self.service.purge(*some)))
        else:
            ledger.carry_out("stats", set(), lambda: expect(200, self.service.ask("GET", "/api/stats")))

    def by_shell(self, rng: np.random.Generator) -> None:
        ledger, choice = self.ledger, rng.random()
        if choice < 0.3:
            crops, ids = ledger.next_crops(int(rng.integers(1, 4)))
            files = [self.folder.with_name(f"crop{number}.png") for number in range(len(crops))]
            for file, crop in zip(files, crops, strict=True):
                file.write_bytes(crop)
            ledger.carry_out("add", ids, lambda: self.command("add", *files, "--camera", CAMERA))
        elif choice < 0.5:
            some = ledger.choose(rng)
            ledger.carry_out("purge", set(some), lambda: self.command("purge", *(f"--id={id}" for id in some), "--yes"))
        elif choice < 0.7:
            ledger.carry_out("stats", set(), lambda: self.command("stats"))
        elif choice < 0.85:
            name = f"s{len(ledger.numbers)}x{rng.integers(10**9)}"
            ledger.carry_out("snapshot", set(), lambda: self.command("snapshot", name), name)
        else:
            ledger.carry_out("verify", set(), lambda: self.command("verify"))

    def command(self, verb: str, *arguments: object) -> None:
        code, said = self.shell.resight("gallery", verb, self.folder, *arguments)
        if verb == "verify" and code and self.service_killed:  # in the middle of a purge, perhaps
            assert "interrupted" in said, said
            assert not [line for line in said.splitlines() if "damaged:" in line], said
        else:
            assert code == 0 or "nothing was deleted" in said, said

    def loop(self, seed: int, rng: np.random.Generator) -> None:
        """Both act, one is killed, and all that was acknowledged is there."""
        self.service.start()
        self.stop.clear()
        self.service_killed = False
        failures: list[BaseException] = []
        actors = [
            threading.Thread(target=self.live, args=(act, 2 * seed + number, failures))
            for number, act in enumerate((self.by_service, self.by_shell))
        ]
        for actor in actors:
            actor.start()
        before, deadline = self.ledger.count(), time.monotonic() + 60
        while self.ledger.count() < before + 3 and not failures and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.5))
        if rng.random() < 0.5:
            self.service_killed = True
            self.service.kill()
        else:
            self.shell.kill()
        self.stop.set()
        for actor in actors:
            actor.join()
        if failures:
            raise failures[0]
        self.check(rng)

    def check(self, rng: np.random.Generator) -> None:
        ledger = self.ledger
        interrupted = {action for action, _ in ledger.open} & {"purge", "snapshot"}
        self.interrupted += bool(ledger.open)
        found, problems = self.look()
        assert all(interrupted and "interrupted" in problem for problem in problems), problems
        ledger.settle(found)
        if rng.random() < 0.2 and ledger.snapshots:
            name = str(rng.choice(sorted(ledger.snapshots)))
            self.command("restore", name, "--yes")
            ledger.there, problems = self.look()
            assert not ledger.there & ledger.purged, "what was purged came back"
            assert ledger.snapshots[name] - ledger.purged <= ledger.there <= ledger.numbers.keys() - ledger.purged
        if problems or rng.random() < 0.2:
            self.command("purge", f"--id={'0' * 32}", "--yes")  # finishes an interrupted one
            assert self.look() == (ledger.there, [])
        assert self.shell.resight("gallery", "verify", self.folder)[0] == 0
        if self.service.process.is_alive():
            assert self.service.ask("GET", "/api/stats")[1]["count"] == len(ledger.there)
        if rng.random() < 0.1:
            data = b"".join(path.read_bytes() for path in self.folder.rglob("*") if path.name != "audit.jsonl" and path.is_file())
            assert not [id for id in ledger.purged if id.encode() in data]
        for name in sorted(ledger.snapshots)[3:]:
            (self.folder / database.SNAPSHOTS / f"{name}.sqlite").unlink()
            del ledger.snapshots[name]

    def look(self) -> tuple[set[str], list[str]]:
        with Gallery.open(self.folder) as gallery:
            return {record.id for record in gallery.records()}, upkeep.verify(gallery.folder)


def expect(status: int, answer: tuple[int, Any]) -> None:
    assert answer[0] == status, answer


@pytest.mark.parametrize("loops", [8, pytest.param(200, marks=pytest.mark.slow)])
def test_company_is_killed_at_any_moment(parties: tuple[Path, Service, Shell], loops: int) -> None:
    """`kill -9` of a service or of the command line beside it: no acknowledged write is lost, nothing purged comes back."""
    company, rng = Company(*parties), np.random.default_rng(loops)
    for seed in range(1, loops + 1):
        company.loop(seed, rng)
    assert company.ledger.done.get("add")
    if loops > 100:  # in a few loops chance may purge everything, or nothing
        assert company.ledger.there
        assert company.ledger.purged
        assert company.interrupted > loops / 4  # most were in the middle of something
    print(f"{loops} loops, {company.interrupted} interrupted; acknowledged: {company.ledger.done}")
