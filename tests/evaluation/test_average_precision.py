"""Average precision by hand, by a loop that follows the official code's definition, and by scikit-learn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from resight.errors import ArrayError, NoMatchError
from resight.evaluation import average_precision as module
from resight.evaluation.average_precision import average_precision, average_precision_trapezoidal, inverse_negative_penalty

lists_with_a_match = st.lists(st.booleans(), min_size=1, max_size=40).filter(any)


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
    assert average_precision(matches) == pytest.approx(plain, abs=1e-15)
    assert average_precision_trapezoidal(matches) == pytest.approx(trapezoidal, abs=1e-15)
    assert inverse_negative_penalty(matches) == pytest.approx(penalty, abs=1e-15)


@given(lists_with_a_match)
def test_equals_other_implementations(matches: list[bool]) -> None:
    assert average_precision(matches) == pytest.approx(average_precision_score(matches, -np.arange(len(matches))), abs=1e-12)
    assert average_precision_trapezoidal(matches) == pytest.approx(trapezoids(matches), abs=1e-12)
    last = max(rank for rank, match in enumerate(matches, 1) if match)
    assert inverse_negative_penalty(matches) == pytest.approx(sum(matches) / last, abs=1e-15)


@given(st.lists(lists_with_a_match, min_size=1, max_size=8))
@pytest.mark.parametrize("name", ["average_precision", "average_precision_trapezoidal", "inverse_negative_penalty"])
def test_many_lists_at_once_equal_one_at_a_time(name: str, lists: list[list[bool]]) -> None:
    ranks = np.concatenate([np.flatnonzero(matches) + 1 for matches in lists])
    together = getattr(module, f"{name}_of_ranks")(ranks, [sum(matches) for matches in lists])
    np.testing.assert_allclose(together, [getattr(module, name)(matches) for matches in lists], rtol=1e-13)


@pytest.mark.parametrize("function", [average_precision, average_precision_trapezoidal, inverse_negative_penalty])
def test_mistakes(function: Callable[..., float]) -> None:
    for empty in ([], [False, False]):
        with pytest.raises(NoMatchError, match="no entry"):
            function(empty)
    for wrong in ([[True]], [0.2, 0.9], [2, 0]):
        with pytest.raises(ArrayError, match="expected one list of booleans"):
            function(wrong)


def test_mistakes_of_many_lists() -> None:
    with pytest.raises(NoMatchError):
        module.average_precision_of_ranks([1, 2], [2, 0])
    with pytest.raises(NoMatchError):
        module.average_precision_of_ranks([], [])
    with pytest.raises(ArrayError, match="sum to 3"):
        module.average_precision_of_ranks([1, 2], [2, 1])
