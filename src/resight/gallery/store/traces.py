"""Searches bytes for pieces of deleted contents, in time that grows with what is searched and not with what is found."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from resight.gallery.store.sieve import SPREAD, SPREAD_TOO, Places, Sieve, Words

__all__ = ["Traces", "telling_part"]

_WORD, _PIECE = 8, 16
_NEAR = 16  # bytes around a piece of a survivor that may agree with a deleted content by chance
_FOLD = np.uint64(31)
_WORTH = 256  # bytes of survivors for each forgotten piece in them that make filling the sieves anew worth while
_LEAST, _MOST = 2**17, 2**23  # bytes that are searched at a time: few at first, of which most may be known


class Traces:
    """Pieces of 16 bytes of contents that should be gone.

    Any 16 bytes of a content hold, wherever they lie in a file, a whole word of 8 bytes at a place that 8 divides. So it is enough
    to look up those words of the file among the words at every place of the contents. Only around a known word are the nine pieces
    that hold it looked up. Words of one repeated byte tell nothing and are passed over.

    Parameters
    ----------
    contents : iterable of bytes
        Pieces to forget; those shorter than 16 bytes are passed over.
    """

    def __init__(self, contents: Iterable[bytes]) -> None:
        long = [content for content in contents if len(content) >= _PIECE]
        self._text = b"".join(long)
        ends = np.cumsum([len(content) for content in long], dtype=np.int64)
        self._words = _words(self._text)
        inside = np.ones(max(0, len(self._text) - _PIECE + 1), np.bool_)  # pieces of one content
        inside[(ends[:-1, None] - np.arange(1, _PIECE)).ravel()] = False
        keys = _keys(self._words[: len(inside)], self._words[_WORD:])
        places = np.flatnonzero(inside)
        order = np.argsort(keys[places], kind="stable")
        self._keys, self._places = keys[places][order], places[order]  # sorted
        first = np.append(True, self._keys[1:] != self._keys[:-1])[: len(places)]
        self._keys, self._places = self._keys[first], self._places[first]  # one of equal pieces stands for all
        self._alive = np.ones(len(self._keys), np.bool_)
        self._fill()

    def _fill(self) -> None:
        """Fill the sieves, which foreign words and pieces rarely get past, with the pieces that are still searched for."""
        alive = self._places[self._alive]
        self._known_keys = Sieve(self._keys[self._alive])
        covered = np.zeros(len(self._words) + 1, np.int64)  # the nine words of each of these pieces
        covered[alive] += 1
        covered[alive + _WORD + 1] -= 1
        words = self._words[np.cumsum(covered[:-1]) > 0]
        self._known_words = Sieve(words[~_dull(words)])

    def __len__(self) -> int:
        """Number of different pieces that are still searched for."""
        return int(np.count_nonzero(self._alive))

    def forget(self, survivors: Iterable[bytes]) -> None:
        """Search no longer for pieces that other contents hold, too: they may be in a file."""
        stale = 0
        for data in _joined(survivors):
            numbers = self._find(data)[1]
            self._alive[numbers] = False
            stale += len(numbers)
            if stale > len(data) // _WORTH:  # from now on, what is forgotten costs no look-up
                self._fill()
                stale = 0
        self._fill()

    def drop(self, pieces: Iterable[bytes]) -> None:
        """Search no longer for some pieces."""
        for number in filter(None.__ne__, map(self._number, pieces)):
            self._alive[number] = False
        self._fill()

    def left(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Find the pieces that are in a file, which comes in chunks of any length.

        Where a survivor's content ends, the bytes that follow in the file may agree with a deleted content by chance. A piece that
        touches a forgotten one is therefore not a trace. Of real traces there are pieces apart from forgotten ones.
        """
        data, first, end = b"", 0, _PIECE + _NEAR
        for chunk in itertools.chain(_parts(chunks), [b""]):
            data += chunk
            last = len(data) - end if chunk else len(data)  # later pieces wait for the bytes after them
            if last <= first:
                continue
            begins = np.zeros(len(data), np.bool_)
            begins[self._find(data)[0]] = True
            for start in (np.flatnonzero(begins[first:last]) + first).tolist():
                if not self._touches_forgotten(data, start):
                    yield data[start : start + _PIECE]
            data, first = data[-(end + _NEAR) :], min(_NEAR, last)

    def confirm(self, pieces: set[bytes], survivors: Iterable[bytes]) -> set[bytes]:
        """Return those of a few pieces that no survivor holds at any place."""
        few = Traces(pieces)
        dull = np.array([_dull(_words(few._piece(number))).any() for number in range(len(few))], np.bool_)
        for data in _joined(survivors):
            few._alive[few._find(data)[1]] = False
            if np.any(few._alive & dull):  # aligned words may not tell of these
                few._alive[few._find_everywhere(data)] = False
            if not len(few):
                break
        return {few._piece(number) for number in np.flatnonzero(few._alive).tolist()}

    def _piece(self, number: int) -> bytes:
        place = int(self._places[number])
        return self._text[place : place + _PIECE]

    def _find(self, data: bytes) -> tuple[Places, Places]:
        """Places where pieces begin in some bytes, and their numbers."""
        shifted: list[Words] = [
            np.frombuffer(data, "<u8", max(0, len(data) - start) // _WORD, min(start, len(data))) for start in range(_WORD)
        ]
        likely = self._known_words.pick(shifted[0])
        starts, numbers = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for back in range(_WORD + 1):
            shift = -back % _WORD
            index = likely - (back + shift) // _WORD
            index = index[(index >= 0) & (index + 1 < len(shifted[shift]))]
            some, found = self._look_up(_keys(shifted[shift][index], shifted[shift][index + 1]))
            starts.append(index[some] * _WORD + shift)
            numbers.append(found)
        return np.concatenate(starts), np.concatenate(numbers)

    def _find_everywhere(self, data: bytes) -> Places:
        """Return the numbers of pieces that are in some bytes, slowly: also those of words that tell nothing."""
        shifted = (np.frombuffer(data, "<u8", max(0, len(data) - start) // _WORD, start) for start in range(_WORD))
        return np.concatenate([self._look_up(_keys(words[:-1], words[1:]))[1] for words in shifted])

    def _look_up(self, keys: Words) -> tuple[Places, Places]:
        """Return which keys are those of pieces that are still searched for, and the numbers of these pieces."""
        some = self._known_keys.pick(keys)
        if not len(self._keys):
            return some[:0], some[:0]
        found = np.searchsorted(self._keys, keys[some])
        found[found == len(self._keys)] = 0
        same = (self._keys[found] == keys[some]) & self._alive[found]
        return some[same], found[same]

    def _touches_forgotten(self, data: bytes, start: int) -> bool:
        """Tell if an unbroken run of known pieces leads from one to a forgotten one nearby."""
        for step in (-1, 1):
            for place in range(start + step, start + step * (_NEAR + 1), step):
                piece = data[place : place + _PIECE] if place >= 0 else b""
                number = self._number(piece) if len(piece) == _PIECE else None
                if number is None:
                    break
                if not self._alive[number]:
                    return True
        return False

    def _number(self, piece: bytes) -> int | None:
        first, second = np.frombuffer(piece, "<u8")
        key = _keys(np.array([first]), np.array([second]))[0]
        number = int(np.searchsorted(self._keys, key))
        return number if number < len(self._keys) and self._keys[number] == key else None


def _words(text: bytes) -> Words:
    """The words at every place of a text."""
    if len(text) < _WORD:
        return np.empty(0, np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(np.frombuffer(text, np.uint8), _WORD)
    return np.ascontiguousarray(windows).view("<u8").ravel()


def _dull(words: Words) -> NDArray[np.bool_]:
    """Tell which words repeat one byte."""
    same: NDArray[np.bool_] = words == words.astype(np.uint8) * np.uint64(0x0101010101010101)
    return same


def _keys(first: Words, second: Words) -> Words:
    """Hashes of pieces of two words."""
    folded: Words = np.bitwise_xor(second, np.right_shift(second, _FOLD))
    return np.add(np.multiply(first, SPREAD), np.multiply(folded, SPREAD_TOO))


def _parts(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in smaller chunks, of which the first are the smallest."""
    size = _LEAST
    for chunk in chunks:
        start = 0
        while start < len(chunk):
            yield chunk[start : start + size]
            start, size = start + size, min(2 * size, _MOST)


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
