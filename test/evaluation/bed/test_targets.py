"""The targets' measures, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ditta_ros.evaluation.bed.targets import TargetMeter


def test_targets_by_hand() -> None:
    meter = TargetMeter(2)
    meter.add(np.array([[0, 0, 1, 1, 255]], np.uint8), np.array([[0, 0, 1, 0, 1]], np.uint8),
              np.array([[0, 1, 0, 0, 0]], np.uint8))
    got = meter.targets()
    assert got.accuracy == pytest.approx(3 / 4)
    assert got.iss_accuracy == pytest.approx(1 / 4)
    assert got.miou == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert got.iss_miou == pytest.approx((1 / 4 + 0 / 3) / 2)
    assert got.share == 1


def test_pixels_without_target_are_compared_for_neither() -> None:
    meter = TargetMeter(2)
    meter.add(np.array([[0, 0, 1, 1]], np.uint8), np.array([[0, 255, 255, 0]], np.uint8),
              np.array([[0, 0, 1, 1]], np.uint8))
    got = meter.targets()
    assert (got.accuracy, got.iss_accuracy, got.share) == (1 / 2, 1, 1 / 2)


def test_nothing_to_compare() -> None:
    got = TargetMeter(2).targets()
    assert math.isnan(got.accuracy) and math.isnan(got.miou) and math.isnan(got.share)
