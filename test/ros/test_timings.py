from __future__ import annotations

import pytest

from ditta_ros.ros.timings import KEPT, Timings


def test_nothing_is_said_of_no_frames() -> None:
    assert Timings().summary_ms() == {}


@pytest.mark.parametrize(('milliseconds', 'expected'), [
    ([7], (7, 7, 7)),
    ([3, 1, 2], (2, 3, 3)),
    (range(1, 101), (50, 95, 100)),
    (range(1, KEPT + 101), (200, 290, 300)),  # the first hundred are gone
])
def test_percentiles_by_hand(milliseconds, expected) -> None:
    timings = Timings()
    for each in milliseconds:
        timings.add(each / 1e3)
    assert timings.summary_ms() == dict(zip(('p50', 'p95', 'max'), expected, strict=True))
