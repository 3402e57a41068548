from __future__ import annotations

import math

import numpy as np
import pytest

from ditta_ros.evaluation.scores import Scorer


def test_consistency_over_both_windows() -> None:
    """18 frames of one still pixel that changes its label at frame 9, and one that never does.

    Windows of 8 start at 0..9; those at 2..8 hold the change, so the mean is (3 + 7/2) / 10.
    Windows of 16 start at 0 and 1 and both hold it.
    """
    scorer = Scorer(2)
    for index in range(18):
        label = np.array([[0, 0 if index < 9 else 1]])
        scorer.add(label, np.array([[0, 0]]), np.ones((1, 2)))
    got = scorer.scores()
    assert (got.mvc8, got.mvc16) == pytest.approx((.65, .5))


def test_reliability_is_held_against_truth() -> None:
    scorer = Scorer(2)
    scorer.add(np.array([[0, 1]]), np.array([[0, 0]]), np.array([[1.0, .5]]))
    scorer.add(np.array([[0, 1]]), None, np.array([[1.0, 1.0]]))  # without truth: not counted
    counted = {left: (pixels, correct)
               for left, pixels, correct in scorer.reliability_curve.points() if pixels}
    assert counted == {.5: (1, 0), .95: (1, 1)}
    assert scorer.scores().reliability == pytest.approx(.875)


def test_without_truth_there_is_no_curve() -> None:
    scorer = Scorer(2)
    scorer.add(np.zeros((1, 2)), None, np.ones((1, 2)))
    assert math.isnan(scorer.reliability_curve.calibration_error())
    assert math.isnan(scorer.scores().mvc16)
