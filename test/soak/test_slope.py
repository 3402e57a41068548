"""The slope of memory, by hand and by chance."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ditta_ros.soak.slope import Z_95, slope

UNITS = list(range(1, 401))


def test_a_straight_line_is_found_exactly() -> None:
    found = slope(UNITS, [100 + 0.002 * unit for unit in UNITS])
    assert found.mb_per_1000 == pytest.approx(2.0)
    assert not found.is_zero
    assert found.p == pytest.approx(0)


def test_what_does_not_change_has_no_slope() -> None:
    found = slope(UNITS, [100.0] * 400)
    assert (found.mb_per_1000, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert found.is_zero


def test_the_first_half_does_not_count() -> None:
    assert slope(UNITS, [*range(200), *[200.0] * 200]).is_zero


def test_the_numbers_by_hand() -> None:
    """40 samples of which 20 count: x = -9.5..9.5, y = 0 but for 1 at both ends and in between.

    y is symmetric, so that the slope is 0; the rest is y less its mean 0.2, whose squares sum to
    4 * 0.8^2 + 16 * 0.2^2 = 3.2.  Neighbours: 1 0 0 .. 0 1 1 0 .. 0 1, with products
    0.64 for the pair in the middle, 4 of -0.16, and 14 of 0.04: 0.56, so that 0.175 are alike.
    """
    second = [1, *[0] * 8, 1, 1, *[0] * 8, 1]
    found = slope(range(40), [*[7] * 20, *second])
    assert found.mb_per_1000 == pytest.approx(0, abs=1e-9)
    spread = 665 / 1000**2  # the squares of -9.5..9.5, in thousands
    error = math.sqrt(3.2 / 18 / spread * 1.175 / 0.825)
    assert found.high == pytest.approx(Z_95 * error)
    assert found.low == pytest.approx(-Z_95 * error)


def test_noise_is_no_slope_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    zero = [slope(UNITS, generator.normal(size=400)).is_zero for _ in range(500)]
    assert 0.92 <= np.mean(zero) <= 0.98


def test_a_slope_under_noise_is_found() -> None:
    generator = np.random.default_rng(1)
    found = slope(UNITS, 0.05 * np.array(UNITS) + generator.normal(size=400))
    assert found.low < 50 < found.high
    assert not found.is_zero


def test_steps_up_and_down_are_not_taken_for_a_slope() -> None:
    """Memory walks in steps: without the samples' likeness nearly every such walk has a slope."""
    generator = np.random.default_rng(2)
    walks = 100 + np.repeat(generator.normal(size=(200, 20)), 20, axis=1)
    assert np.mean([slope(UNITS, walk).is_zero for walk in walks]) >= 0.85


def test_a_few_samples_tell_nothing() -> None:
    with pytest.raises(ValueError, match='needs 20 samples in the second half, got 19'):
        slope(range(38), [0.0] * 38)
