"""Average precision by hand, by a loop that follows the official code's definition, and by scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from resight.errors import ArrayError, NoMatchError
from resight.evaluation.average_precision import average_precision, average_precision_trapezoidal, inverse_negative_penalty

lists_with_a_match = st.lists(st.booleans(), min_size=1, max_size=40).filter(any)


def of(matches: list[bool]) -> tuple[list[int], list[int]]:
    """One list as ranks and counts."""
    return [rank for rank, match in enumerate(matches, 1) if match], [sum(matches)]


def trapezoids(matches: list[bool]) -> float:
    """The area under precision over recall, one rank after the other, from precision 1 at recall 0."""
    area, old_recall, old_precision, found = 0.0, 0.0, 1.0, 0
    for rank, match in enumerate(matches, 1):
        found += match
        recall, precision = found / sum(matches), found / rank
        area += (recall - old_recall) * (old_precision + precision) / 2
        old_recall, old_precision = recall, precision
    return area


@pytest.mark.parametrize(
    ("matches", "plain", "trapezoidal", "penalty"),
    [
        ([True], 1, 1, 1),
        ([True, True, False], 1, 1, 1),
        ([False, True], 1 / 2, 1 / 4, 1 / 2),
        ([True, False, True], (1 + 2 / 3) / 2, (1 + (1 / 2 + 2 / 3) / 2) / 2, 2 / 3),
        ([False, False, False, True], 1 / 4, 1 / 8, 1 / 4),
        ([False, True, True], (1 / 2 + 2 / 3) / 2, (1 / 4 + (1 / 2 + 2 / 3) / 2) / 2, 2 / 3),
    ],
)
def test_by_hand(matches: list[bool], plain: float, trapezoidal: float, penalty: float) -> None:
    assert average_precision(*of(matches)) == pytest.approx(plain, abs=1e-15)
    assert average_precision_trapezoidal(*of(matches)) == pytest.approx(trapezoidal, abs=1e-15)
    assert inverse_negative_penalty(*of(matches)) == pytest.approx(penalty, abs=1e-15)


@settings(deadline=None)
@given(lists_with_a_match)
def test_equals_other_implementations(matches: list[bool]) -> None:
    assert average_precision(*of(matches)) == pytest.approx(average_precision_score(matches, -np.arange(len(matches))), abs=1e-12)
    assert average_precision_trapezoidal(*of(matches)) == pytest.approx(trapezoids(matches), abs=1e-12)
    last = max(rank for rank, match in enumerate(matches, 1) if match)
    assert inverse_negative_penalty(*of(matches)) == pytest.approx(sum(matches) / last, abs=1e-15)


@settings(deadline=None)
@given(st.lists(lists_with_a_match, min_size=1, max_size=8))
@pytest.mark.parametrize("function", [average_precision, average_precision_trapezoidal, inverse_negative_penalty])
def test_many_lists_at_once_equal_one_at_a_time(function: Any, lists: list[list[bool]]) -> None:
    ranks = np.concatenate([of(matches)[0] for matches in lists])
    together = function(ranks, [sum(matches) for matches in lists])
    np.testing.assert_allclose(together, [function(*of(matches))[0] for matches in lists], rtol=1e-13)


def test_mistakes() -> None:
    with pytest.raises(NoMatchError):
        average_precision([1, 2], [2, 0])
    with pytest.raises(NoMatchError):
        average_precision([], [])
    with pytest.raises(ArrayError, match="sum to 3"):
        average_precision([1, 2], [2, 1])
