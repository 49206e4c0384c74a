"""The Pareto front against its definition, pair by pair."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from resight.tradeoff.pareto import pareto_front

points = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6)), min_size=1, max_size=12)


@given(points)
def test_the_front_is_what_nobody_beats(rows: list[tuple[int, int]]) -> None:
    front = pareto_front([cost for cost, _ in rows], [score for _, score in rows])
    for (cost, score), on in zip(rows, front, strict=True):
        beaten = any(c <= cost and s >= score and (c, s) != (cost, score) for c, s in rows)
        assert on == (not beaten)


def test_there_is_always_a_front() -> None:
    assert pareto_front([1, 1, 1], [2, 2, 2]).all()
    assert pareto_front(np.array([5.0]), np.array([0.0])).all()
