"""Looking for what was deleted in bytes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Traces", "telling_part", "without_legitimate"]

_WORD, _PIECE = 8, 16
_LEAST_BITS, _MOST_BITS = 16, 27
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: multiplying by it mixes a word's bits into the upper ones

Words = NDArray[np.uint64]


class Traces:
    """Contents that should be gone, and where pieces of them still are.

    Any 16 bytes of a content hold, wherever they lie in a file, a whole word of 8 bytes at a place that 8 divides. So it is enough
    to compare those words of the file with the words at every place of the contents, an eighth of the work; only where a word
    agrees are the bytes around it compared. Words of one repeated byte tell nothing and are passed over.

    Parameters
    ----------
    contents : iterable of bytes
        Those shorter than 16 bytes are passed over.
    """

    def __init__(self, contents: Iterable[bytes]) -> None:
        long = [content for content in contents if len(content) >= _PIECE]
        self._text = b"".join(long)
        self._ends = np.cumsum([len(content) for content in long], dtype=np.int64)
        windows = np.lib.stride_tricks.sliding_window_view(np.frombuffer(self._text or bytes(_WORD), np.uint8), _WORD)
        words = np.ascontiguousarray(windows).view("<u8").ravel()
        # Words of one content, and of more than one byte.
        inside = np.ones(len(words), np.bool_)
        inside[(self._ends[:-1, None] - np.arange(1, _WORD)).ravel()] = False
        places = np.flatnonzero(inside & (words != words.astype(np.uint8) * np.uint64(0x0101010101010101)))
        order = np.argsort(words[places], kind="stable")
        self._words, self._places = words[places][order], places[order]
        # At most one in sixteen foreign words gets past this table, which lies in the processor's cache for a few contents.
        bits = int(np.clip(np.ceil(np.log2(16 * len(self._words) + 1)), _LEAST_BITS, _MOST_BITS))
        self._shift = np.uint64(64 - bits)
        self._table = np.zeros(1 << bits, np.bool_)
        self._table[self._hash(self._words)] = True

    def in_chunks(self, chunks: Iterable[bytes]) -> set[bytes]:
        """Pieces of 16 bytes or more that are in a file, which comes in chunks of any length."""
        found: set[bytes] = set()
        before = b""
        for chunk in chunks:
            data = before + chunk
            found |= self.in_bytes(data)
            before = data[-2 * _PIECE :]
        return found

    def in_bytes(self, data: bytes) -> set[bytes]:
        """Pieces of 16 bytes or more that are in some bytes."""
        words: Words = np.frombuffer(data, "<u8", len(data) // _WORD)
        likely = np.flatnonzero(self._table[self._hash(words)])
        first, last = (np.searchsorted(self._words, words[likely], side) for side in ("left", "right"))
        found: set[bytes] = set()
        for word, low, high in zip(likely.tolist(), first.tolist(), last.tolist(), strict=True):
            for place in self._places[low:high].tolist():
                piece = self._around(data, word * _WORD, place)
                if len(piece) >= _PIECE:
                    found.add(piece)
        return found

    def _hash(self, words: Words) -> Words:
        return (words * _SPREAD) >> self._shift

    def _around(self, data: bytes, here: int, place: int) -> bytes:
        """What a content and some bytes have in common around a word that stands here and there, at most 40 bytes of it."""
        content = int(np.searchsorted(self._ends, place, "right"))
        low, high = (int(self._ends[content - 1]) if content else 0), int(self._ends[content])
        start, stop = 0, _WORD
        while (
            start > -_PIECE and here + start > 0 and place + start > low and data[here + start - 1] == self._text[place + start - 1]
        ):
            start -= 1
        while (
            stop < _WORD + _PIECE
            and here + stop < len(data)
            and place + stop < high
            and data[here + stop] == self._text[place + stop]
        ):
            stop += 1
        return data[here + start : here + stop]


def without_legitimate(pieces: set[bytes], others: Iterable[bytes]) -> set[bytes]:
    """Those pieces that are not of the contents of others, whose right it is to be in a file.

    A piece is theirs if they hold its first or its last 16 bytes: where they end, bytes that follow in the file may agree by
    chance. Of what is really left there are pieces from its middle.
    """
    traces = Traces(pieces)
    for content in others:
        if not pieces:
            break
        if traces.in_bytes(content):
            pieces = {piece for piece in pieces if piece[:_PIECE] not in content and piece[-_PIECE:] not in content}
    return pieces


def telling_part(jpeg: bytes) -> bytes:
    """The pixels of a JPEG, without the tables before them, which all JPEGs of one encoder have in common."""
    start = jpeg.find(b"\xff\xda")
    return jpeg[start + 14 :] if start >= 0 else jpeg
