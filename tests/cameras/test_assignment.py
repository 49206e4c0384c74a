"""The exact assignment, against SciPy's and against every pairing there is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from resight.cameras.assignment import assign
from resight.errors import ArrayError


@pytest.mark.parametrize("seed", range(4))
def test_costs_as_little_as_scipys(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(150):
        n, m = rng.integers(0, 13, 2)
        # Whole numbers make ties, which is where shortest paths go wrong.
        costs = rng.integers(-4, 5, (n, m)).astype(float) if seed % 2 else rng.normal(size=(n, m))
        rows, columns = assign(costs)
        assert len(rows) == len(columns) == min(n, m)
        assert (np.diff(rows) > 0).all() and len(set(columns.tolist())) == len(columns)
        best = linear_sum_assignment(costs)
        assert costs[rows, columns].sum() == pytest.approx(costs[best].sum())


def test_equal_costs_give_equal_pairs() -> None:
    assert [part.tolist() for part in assign(np.zeros((2, 4)))] == [part.tolist() for part in assign(np.zeros((2, 4)))]


@pytest.mark.parametrize("costs", [np.zeros(3), [[1, np.nan]], [[np.inf, 1]]])
def test_what_cannot_be_assigned_is_refused(costs: object) -> None:
    with pytest.raises(ArrayError, match="costs"):
        assign(costs)
