"""Stamps in nanoseconds, by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from ditta_ros.stamps import nanoseconds


@pytest.mark.parametrize(('sec', 'nanosec', 'expected'), [
    (0, 0, 0),
    (12, 345, 12_000_000_345),
    (-1, 999_999_999, -1),  # a nanosecond before 1970
    (2**31 - 1, 999_999_999, 2_147_483_647_999_999_999),
    (np.int32(2**31 - 1), np.uint32(5), 2_147_483_647_000_000_005),  # of a library that uses numpy
])
def test_by_hand(sec: int, nanosec: int, expected: int) -> None:
    got = nanoseconds(SimpleNamespace(sec=sec, nanosec=nanosec))
    assert got == expected
    assert type(got) is int
