from __future__ import annotations

import numpy as np
import pytest

from ditta_ros.ros import copies

SIZE_PX = (480, 640)


def test_copies_are_counted() -> None:
    pixels = np.zeros(1_000_000, np.uint8)
    assert copies._allocated(lambda: pixels[:10]) < 1e4
    assert copies._allocated(pixels.copy) == pytest.approx(1e6, rel=0.01)
    # At one time, not in a row.
    assert copies._allocated(lambda: [pixels.copy().sum() for _ in range(3)]) < 1.1e6


def test_one_copy_in_and_one_out_at_most() -> None:
    # What rclpy has made of the message is viewed; other channel orders are put right once.
    assert copies.copies_in('rgb8', SIZE_PX) < 0.01
    assert copies.copies_in('bgr8', SIZE_PX) == pytest.approx(1, abs=0.01)
    assert copies.copies_out(SIZE_PX) == pytest.approx(1, abs=0.1)  # an array has some reserve
