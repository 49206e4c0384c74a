"""The filter in closed form, against the matrices of a textbook."""

from __future__ import annotations

import numpy as np
import pytest

from resight.cameras.tracking import motion
from resight.cameras.tracking.motion import Motion


def test_is_a_kalman_filter_of_constant_velocity() -> None:
    rng = np.random.default_rng(0)
    ours = Motion()
    ours.add(np.array([[10.0, 20, 50, 120]]))
    state, variance = np.array([30.0, 0.0]), np.diag([(100 * motion._MEASURED[0]) ** 2, (100 * motion._SPEED[0]) ** 2])
    for _ in range(12):
        dt = float(rng.uniform(0.02, 0.3))
        tall = float(ours.position[0, 3])
        ours.predict(dt, np.array([False]))
        step = np.array([[1, dt], [0, 1]])
        noise = (tall * motion._CHANGE[0]) ** 2 * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
        state, variance = step @ state, step @ variance @ step.T + noise
        middle, sure = float(rng.normal(40, 5)), float(rng.uniform(0.3, 1))
        measured = (float(ours.position[0, 3]) * motion._MEASURED[0]) ** 2 * (1 + 3 * (1 - sure) ** 2)
        gain = variance[:, 0] / (variance[0, 0] + measured)
        state = state + gain * (middle - state[0])
        variance = variance - np.outer(gain, variance[0])
        ours.correct(np.array([0]), np.array([[middle - 20, 20, middle + 20, 120]]), np.array([sure]))
        assert ours.position[0, 0] == pytest.approx(state[0]) and ours.velocity[0, 0] == pytest.approx(state[1])


def test_who_walks_on_is_predicted_and_who_is_unseen_slows_down() -> None:
    ours = Motion()
    ours.add(np.array([[0.0, 0, 40, 100]]))
    for number in range(1, 26):
        ours.predict(0.04, np.array([False]))
        ours.correct(np.array([0]), np.array([[4.0 * number, 0, 4.0 * number + 40, 100]]), np.array([1.0]))
    assert ours.velocity[0, 0] == pytest.approx(100, abs=5)
    for _ in range(100):
        ours.predict(0.04, np.array([True]))
    assert 150 < ours.boxes()[0, 0] < 220  # one more second's way, and no further
    assert ours.position[0, 2:] == pytest.approx([40, 100], abs=1)
