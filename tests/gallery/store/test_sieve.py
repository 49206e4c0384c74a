"""The sieve against Python's own sets."""

from __future__ import annotations

import numpy as np
import pytest

from resight.gallery.store.sieve import Sieve


@pytest.mark.parametrize("size", [0, 1, 16_385, 300_000])
def test_what_was_put_in_passes_and_little_else(size: int) -> None:
    rng = np.random.default_rng(size)
    held, others = (rng.integers(0, 2**64, count, dtype=np.uint64) for count in (size, 100_000))
    sieve = Sieve(held)
    numbers = rng.permutation(np.concatenate([held, others]))
    picked = sieve.pick(numbers)
    assert np.all(np.diff(picked) > 0)
    assert set(held.tolist()) <= set(numbers[picked].tolist())
    assert len(picked) - size < 0.02 * len(others)
    assert len(sieve.pick(numbers[:0])) == 0
