"""Many searches at once: what waits is logged with one wait for the disk, and searched together, by one worker."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from resight.errors import BusyError
from resight.gallery import Gallery, Where, fuse
from resight.service.audit import Act, AuditLog

__all__ = ["LARGEST_BATCH", "Nearest", "Places", "Question", "Searches"]

LARGEST_BATCH = 32
"""Searches that are answered together."""


Nearest = tuple[NDArray[np.str_], NDArray[np.float32]]
"""Ids and distances, both of shape (m,), nearest first."""


class Places:
    """How many uploads may be worked on or wait at once; no more are taken in.

    Parameters
    ----------
    count : int
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.taken = 0
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raises `BusyError` if there is no place."""
        if self.taken >= self.count:
            raise BusyError(f"{self.count} uploads are being worked on already; ask again in a moment")

    @contextmanager
    def one(self) -> Iterator[None]:
        """Take a place for the length of a block. Raises `BusyError` if there is none."""
        with self._lock:
            self.check()
            self.taken += 1
        try:
            yield
        finally:
            with self._lock:
                self.taken -= 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Question:
    """One search.

    Attributes
    ----------
    vectors : float32 array of shape (m, d)
        Of images of one person.
    k : int
    where : Where
    act : Act
        What the audit log says of it.
    """

    vectors: NDArray[np.float32]
    k: int
    where: Where
    act: Act
    answer: Future[Nearest] = field(default_factory=Future)


class Searches:
    """A worker that answers searches. A search that cannot be logged is not done.

    Parameters
    ----------
    gallery : Gallery
    audit : AuditLog
    observe : callable, optional
        Told the number of searches in each batch.
    """

    def __init__(self, gallery: Gallery, audit: AuditLog, observe: Callable[[int], None] | None = None) -> None:
        self.gallery, self.audit = gallery, audit
        self._observe = observe or (lambda count: None)
        self._waiting: deque[Question] = deque()
        self._changed = threading.Condition()
        self._open = True
        self._thread = threading.Thread(target=self._work, name="searches", daemon=True)
        self._thread.start()

    def ask(self, question: Question) -> Future[Nearest]:
        """The answer to come, for `Gallery.matches`. It raises what a search raises, and `StorageError` if it cannot be logged."""
        with self._changed:
            if not self._open:
                raise BusyError("the service is stopping; ask again when it runs")
            self._waiting.append(question)
            self._changed.notify()
        return question.answer

    def close(self) -> None:
        """Answer what waits, and stop."""
        with self._changed:
            self._open = False
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                while self._open and not self._waiting:
                    self._changed.wait()
                if not self._waiting:
                    return
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), LARGEST_BATCH))]
            if asked := [question for question in batch if question.answer.set_running_or_notify_cancel()]:
                self._observe(len(asked))
                self._answer(asked)

    def _answer(self, asked: Sequence[Question]) -> None:
        try:
            self.audit.append([question.act for question in asked])
            alike: defaultdict[tuple[Where, int], list[Question]] = defaultdict(list)
            for question in asked:
                alike[question.where, question.k].append(question)
        except Exception as error:
            _fail(asked, error)
            return
        for (where, k), several in alike.items():
            try:
                people = np.concatenate([fuse(question.vectors) for question in several])
                ids, distances = self.gallery.nearest(people, k, where)
            except Exception as error:
                _fail(several, error)
                continue
            for question, answer in zip(several, zip(ids, distances, strict=True), strict=True):
                question.answer.set_result(answer)


def _fail(asked: Sequence[Question], error: Exception) -> None:
    for question in asked:
        question.answer.set_exception(error)
