"""Overlap of boxes, against counting pixels."""

from __future__ import annotations

import numpy as np
import pytest

from resight.cameras.boxes import overlap, overlap_grown, shared_area


def counted(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes of whole numbers, by counting cells."""
    grid = np.zeros((2, 60, 60), bool)
    for number, (left, top, right, bottom) in enumerate((one, other)):
        grid[number, top:bottom, left:right] = True
    return float(grid.all(0).sum() / max(grid.any(0).sum(), 1))


def test_overlap_is_a_share_of_pixels() -> None:
    rng = np.random.default_rng(0)
    corners = rng.integers(10, 30, (12, 2))
    boxes = np.concatenate([corners, corners + rng.integers(1, 20, (12, 2))], axis=1)
    ones, others = boxes[:7], boxes[7:]
    expected = np.array([[counted(one, other) for other in others] for one in ones])
    assert overlap(ones.astype(np.float32), others.astype(np.float32)) == pytest.approx(expected)
    grown = overlap_grown(ones.astype(np.float64), others.astype(np.float64), np.zeros(7))
    assert grown == pytest.approx(expected)


def test_grown_boxes_overlap_sooner() -> None:
    ones, others = np.array([[20.0, 20, 24, 28]]), np.array([[26.0, 20, 30, 28]])
    assert overlap(ones, others)[0, 0] == 0
    both = counted(np.array([18, 16, 26, 32]), np.array([24, 16, 32, 32]))  # each twice as large
    assert overlap_grown(ones, others, np.array([1.0]))[0, 0] == pytest.approx(both)


def test_a_box_without_area_overlaps_nothing() -> None:
    flat = np.array([[5.0, 5, 5, 9]])
    assert overlap(flat, flat)[0, 0] == 0 and shared_area(flat, flat)[0, 0] == 0
