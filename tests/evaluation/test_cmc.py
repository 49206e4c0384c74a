"""The CMC curve against counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resight.errors import ArrayError, NoMatchError
from resight.evaluation.cmc import cmc


@given(st.lists(st.integers(1, 30), min_size=1, max_size=50), st.integers(1, 40))
def test_counts_queries_found_by_rank(ranks: list[int], max_rank: int) -> None:
    expected = [np.mean([rank <= k for rank in ranks]) for k in range(1, max_rank + 1)]
    np.testing.assert_allclose(cmc(ranks, max_rank), expected, rtol=1e-14)


def test_mistakes() -> None:
    with pytest.raises(NoMatchError, match="nothing to score"):
        cmc([], 5)
    for ranks, max_rank in (([0, 1], 5), ([1.5], 5), ([[1]], 5), ([1], 0)):
        with pytest.raises(ArrayError, match="whole numbers from 1"):
            cmc(ranks, max_rank)
