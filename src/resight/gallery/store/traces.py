"""Searches bytes for pieces of deleted contents, in time that grows with what is searched and not with what is found."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from resight.gallery.store.sieve import SPREAD, Places, Sieve, Words

__all__ = ["Found", "Traces", "confirm", "telling_part"]

_WORD, _PIECE = 8, 16
_NEAR = 16  # bytes around a piece of a survivor that may agree with a deleted content by chance
_SPREAD_TOO, _FOLD = np.uint64(0xD6E8FEB86659FD93), np.uint64(31)
_WORTH = 32  # to look up one in so many pieces takes about as long as to fill the sieves anew
_LEAST, _MOST = 2**17, 2**21  # bytes of survivors that are searched at a time: few at first, of which most may be known

Number = TypeVar("Number", np.uint64, np.int64)


class Found(NamedTuple):
    """Pieces that follow each other in a file: its bytes, with those around, and where the pieces begin in them."""

    data: bytes
    starts: Places


class Traces:
    """Pieces of 16 bytes of contents that should be gone.

    Any 16 bytes of a content hold, wherever they lie in a file, a whole word of 8 bytes at a place that 8 divides. So it is enough
    to look up those words of the file among the words at every place of the contents. Only around a known word are the nine pieces
    that hold it looked up. Words of one repeated byte tell nothing. A piece with such a word at any place is passed over: it may be
    in a file by chance, where much begins or ends with zeros.

    Parameters
    ----------
    contents : iterable of bytes
        Pieces to forget; those shorter than 16 bytes are passed over.
    """

    def __init__(self, contents: Iterable[bytes]) -> None:
        long = [content for content in contents if len(content) >= _PIECE]
        text = b"".join(long)
        self._words = _windows(text).copy()
        self._keys = _keys(self._words[:-_WORD], self._words[_WORD:])  # of the pieces at every place
        ends = np.cumsum([len(content) for content in long], dtype=np.int64)
        self._alive = np.ones(len(self._keys), np.bool_)  # pieces that are searched for: none of two contents
        self._alive[(ends[:-1, None] - np.arange(1, _PIECE)).ravel()] = False
        self._known = _different(self._keys[self._alive])
        self._forgotten = np.empty(0, np.uint64)
        self._stale = len(self._keys)  # so that the sieves are filled before anything is looked up

    def _fill(self) -> None:
        """Fill the sieves, which foreign words and pieces rarely get past, with the pieces that are still searched for."""
        likely = Sieve(self._forgotten).pick(self._keys)
        self._alive[likely[_among(self._forgotten, self._keys[likely])]] = False
        covered = np.zeros(len(self._words), np.bool_)  # the nine words of each of these pieces
        for place in range(_WORD + 1):
            covered[place : place + len(self._alive)] |= self._alive
        words = self._words[covered]
        self._known_words = Sieve(words[~_dull(words)])
        self._known = self._known[~_among(self._forgotten, self._known)]
        self._known_keys = Sieve(self._known)
        self._stale = 0  # pieces that were looked up since then, although they are forgotten

    def forget_common(self, survivors: Iterable[bytes]) -> None:
        """Forget what a few contents hold, before anything else: so what most contents have in common costs no time."""
        data = _APART.join(survivors)
        keys = _different(_keys_at(data, np.arange(len(data) - _PIECE + 1)))
        self._forget(keys[_among(self._known, keys)])

    def forget(self, survivors: Iterable[bytes]) -> None:
        """Search no longer for pieces that other contents hold, too: they may be in a file."""
        for data in _joined(survivors):
            self._forget(self._find(data)[1])

    def drop(self, pieces: Iterable[bytes]) -> None:
        """Search no longer for some pieces."""
        words = np.frombuffer(b"".join(pieces), "<u8")
        self._forget(_keys(words[::2], words[1::2]))

    def _forget(self, keys: Words) -> None:
        if len(keys):
            self._forgotten = _different(np.append(self._forgotten, keys))

    def left(self, chunks: Iterable[bytes]) -> Iterator[Found]:
        """Find the pieces that are in a file, which comes in chunks of any length."""
        data, first, end = b"", 0, _PIECE + _NEAR
        for chunk in itertools.chain(chunks, [b""]):
            data += chunk
            last = len(data) - end if chunk else len(data)  # later pieces wait for the bytes after them
            if last <= first:
                continue
            starts = self._apart(data, _different(self._find(data)[0]))
            starts = starts[(starts >= first) & (starts < last)]
            for run in np.split(starts, np.flatnonzero(np.diff(starts) > 1) + 1) if len(starts) else ():
                around = max(0, int(run[0]) - _NEAR)
                yield Found(data[around : int(run[-1]) + end], run - around)
            data, first = data[-(end + _NEAR) :], min(_NEAR, last)

    def pieces(self, found: Found) -> set[bytes]:
        """Return those of the pieces that were found that are still traces."""
        keys = _keys_at(found.data, found.starts)
        alive = _among(self._known, keys) & ~_among(self._forgotten, keys)
        starts = self._apart(found.data, found.starts[alive])
        return {found.data[start : start + _PIECE] for start in starts.tolist()}

    def _apart(self, data: bytes, starts: Places) -> Places:
        """Return where pieces begin that tell something, and touch no forgotten one.

        The bytes that follow a survivor's content in the file may agree with a deleted content by chance. A piece that
        an unbroken run of known pieces leads from to a forgotten one nearby is therefore not a trace. Of real traces there are
        pieces apart from forgotten ones.
        """
        if not len(starts):
            return starts
        run = np.cumsum(np.diff(starts, prepend=starts[0]) > 1)
        begins, ends = starts[np.diff(run, prepend=-1) > 0], starts[np.diff(run, append=len(starts)) > 0]
        edges = np.clip([begins - 1, ends + 1], 0, len(data) - _PIECE)  # outside the data is nothing
        before, after = _among(self._forgotten, _keys_at(data, edges))
        touches = (before[run] & (starts - begins[run] < _NEAR)) | (after[run] & (ends[run] - starts < _NEAR))
        apart = starts[~touches]
        tells = ~_dull(_windows(data)[apart[:, None] + np.arange(_WORD + 1)]).any(axis=1)
        found: Places = apart[tells]
        return found

    def _find(self, data: bytes) -> tuple[Places, Words]:
        """Places where pieces begin in some bytes, and their keys."""
        if self._stale >= len(self._keys) // _WORTH:
            self._fill()
        likely = self._known_words.pick(np.frombuffer(data, "<u8", len(data) // _WORD))
        starts = (likely[:, None] * _WORD - np.arange(_WORD + 1)).ravel()
        starts = starts[(starts >= 0) & (starts <= len(data) - _PIECE)]
        keys = _keys_at(data, starts)
        some = self._known_keys.pick(keys)
        some = some[np.argsort(keys[some])]  # what is looked up in order is near to each other in memory
        some = some[_among(self._known, keys[some])]
        stale = _among(self._forgotten, keys[some])
        self._stale += int(np.count_nonzero(stale))
        return starts[some[~stale]], keys[some[~stale]]


def confirm(pieces: set[bytes], survivors: Iterable[bytes]) -> set[bytes]:
    """Return those of a few pieces, of which each tells something, that no survivor holds at any place."""
    few, ordered = Traces(pieces), list(pieces)
    keys = _keys_at(b"".join(ordered), np.arange(0, _PIECE * len(ordered), _PIECE))
    left = np.ones(len(ordered), np.bool_)
    for data in _joined(survivors):
        few._forget(few._find(data)[1])
        left = ~_among(few._forgotten, keys)
        if not left.any():
            break
    return set(itertools.compress(ordered, left))


def _windows(text: bytes) -> Words:
    """The words at every place of a text."""
    return np.ndarray(max(0, len(text) - _WORD + 1), "<u8", text, strides=(1,))


def _dull(words: Words) -> NDArray[np.bool_]:
    """Tell which words repeat one byte."""
    same: NDArray[np.bool_] = words == words.astype(np.uint8) * np.uint64(0x0101010101010101)
    return same


def _keys(first: Words, second: Words) -> Words:
    """Hashes of pieces of two words."""
    keys: Words = np.right_shift(second, _FOLD)
    keys ^= second
    keys *= _SPREAD_TOO
    keys += np.multiply(first, SPREAD)
    return keys


def _keys_at(data: bytes, starts: Places) -> Words:
    """Hashes of the pieces at some places of a text."""
    words = _windows(data)
    return _keys(words[starts], words[starts + _WORD])


def _different(numbers: NDArray[Number]) -> NDArray[Number]:
    """Sort numbers, and leave out those that are equal to others."""
    ordered = np.sort(numbers)
    different: NDArray[Number] = ordered[np.diff(ordered, prepend=ordered[:1] ^ 1) != 0]
    return different


def _among(some: Words | Places, keys: Words | Places) -> NDArray[np.bool_]:
    """Tell which keys are among some, which are sorted."""
    if not len(some):
        return np.zeros(keys.shape, np.bool_)
    found: NDArray[np.bool_] = some.take(np.searchsorted(some, keys), mode="clip") == keys
    return found


def _joined(contents: Iterable[bytes]) -> Iterator[bytes]:
    """Contents together, apart from each other by bytes that begin no piece."""
    several: list[bytes] = []
    size, most = 0, _LEAST
    for content in contents:
        several.append(content)
        size += len(content)
        if size > most:
            yield _APART.join([*several, b""])
            several, size, most = [], 0, min(2 * most, _MOST)
    yield _APART.join([*several, b""])


_APART = bytes.fromhex("c3a5f00d5eed1e55ba5eba11deadbea7facade0ddecade00")  # any bytes that follow each other in no content


def telling_part(jpeg: bytes) -> bytes:
    """Return the pixels of a JPEG, without the tables before them, which all JPEGs of one encoder have in common."""
    start = jpeg.find(b"\xff\xda")
    return jpeg[start + 14 :] if start >= 0 else jpeg
