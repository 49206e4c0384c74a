"""Searches that wait are logged with one write to the disk and answered together, by one worker thread."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from resight.errors import BusyError
from resight.gallery import Gallery, Matches, Where, fuse
from resight.gallery.grouping import OnePer, search_one_per
from resight.service.audit import Act, Audit

__all__ = ["LARGEST_BATCH", "Question", "SearchQueue"]

LARGEST_BATCH = 32
"""Most searches that are answered together."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Question:
    """One search.

    Attributes
    ----------
    vectors : float32 array of shape (m, d)
        Images of one person.
    k : int
        Number of matches.
    where : Where
    act : Act
        Entry for the audit log.
    one_per : str
        See `resight.gallery.grouping.search_one_per`.
    """

    vectors: NDArray[np.float32]
    k: int
    where: Where
    act: Act
    one_per: OnePer = "sighting"
    answer: Future[Matches] = field(default_factory=Future)


class SearchQueue:
    """A worker thread that answers searches. It does no search that it cannot log.

    Parameters
    ----------
    gallery : Gallery
    audit : Audit
    observe : callable, optional
        Called with the number of searches in each batch.
    """

    def __init__(self, gallery: Gallery, audit: Audit, observe: Callable[[int], None] | None = None) -> None:
        self.gallery, self.audit = gallery, audit
        self._observe = observe or (lambda count: None)
        self._waiting: deque[Question] = deque()
        self._changed = threading.Condition()
        self._open = True
        self._thread = threading.Thread(target=self._work, name="searches", daemon=True)
        self._thread.start()

    def ask(self, question: Question) -> Future[Matches]:
        """Queue a search. Its answer raises the errors of `Gallery.search`, and `StorageError` if it cannot be logged."""
        with self._changed:
            if not self._open:
                raise BusyError("the service is stopping; ask again when it runs")
            self._waiting.append(question)
            self._changed.notify()
        return question.answer

    def close(self, timeout: float | None = None) -> None:
        """Answer the waiting searches, then stop; after `timeout` seconds stop waiting for them."""
        with self._changed:
            self._open = False
            self._changed.notify()
        self._thread.join(timeout)

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
                if question.one_per == "sighting":
                    alike[question.where, question.k].append(question)
                else:
                    self._answer_grouped(question)
        except Exception as error:
            _fail(asked, error)
            return
        for (where, k), several in alike.items():
            try:
                people = np.concatenate([fuse(question.vectors) for question in several])
                answers = self.gallery.search_each(people, k, where)
            except Exception as error:
                _fail(several, error)
                continue
            for question, answer in zip(several, answers, strict=True):
                question.answer.set_result(answer)

    def _answer_grouped(self, question: Question) -> None:
        try:
            found = search_one_per(self.gallery, question.vectors, question.k, question.where, question.one_per)
        except Exception as error:
            _fail([question], error)
        else:
            question.answer.set_result(Matches(found))


def _fail(asked: Sequence[Question], error: Exception) -> None:
    for question in asked:
        question.answer.set_exception(error)
