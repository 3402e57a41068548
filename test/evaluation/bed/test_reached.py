"""What a model reached, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ditta_ros.evaluation.bed.reached import Meter


def test_reached_by_hand() -> None:
    meter = Meter(('sky', 'road', 'pole'))
    truth = np.array([[0, 0, 1, 1]], np.uint8)
    for index in range(10):
        label = truth.copy()
        label[0, 0] = 2 if index == 0 else 0
        meter.add(truth, label)
    got = meter.reached()
    assert got.accuracy == pytest.approx(39 / 40)
    assert got.class_iou == {'sky': pytest.approx(19 / 20), 'road': 1.0}  # no pole in the truth
    assert got.miou == pytest.approx((19 / 20 + 1) / 2)
    # Windows begin at frames 0 and 1; in the first one pixel of four changes.
    assert got.mvc8 == pytest.approx((3 / 4 + 1) / 2)
