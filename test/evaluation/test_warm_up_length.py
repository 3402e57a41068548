"""How much of a stream teaches: every form, and where the scored frames begin, by hand."""

from __future__ import annotations

import pytest

from ditta_ros.evaluation.warm_up_length import Boundary, WarmUpLength
from ditta_ros.settings import SettingError, from_flat

SECOND_NS = 10**9


@pytest.mark.parametrize(('text', 'unit', 'amount', 'shown'), [
    ('10%', 'percent', 10.0, '10%'),
    (' 12.5 % ', 'percent', 12.5, '12.5%'),
    ('30 frames', 'frames', 30.0, '30 frames'),
    ('1frame', 'frames', 1.0, '1 frames'),
    ('5 s', 'seconds', 5.0, '5 s'),
    ('0.5s', 'seconds', 0.5, '0.5 s'),
    ('full', 'full', 100.0, 'full'),
])
def test_forms(text: str, unit: str, amount: float, shown: str) -> None:
    length = WarmUpLength.parse(text)
    assert (length.unit, length.amount, length.text) == (unit, amount, shown)
    assert WarmUpLength.parse(shown) == length


@pytest.mark.parametrize('text', [
    '', '10', '0%', '100%', '-5%', '2.5 frames', '0 frames', '5 m', 'nan%', 'all'])
def test_what_is_no_length(text: str) -> None:
    with pytest.raises(SettingError, match=f'--warmup takes a share .* got {text!r}'):
        WarmUpLength.parse(text)


@pytest.mark.parametrize(('text', 'scored', 'warm_up_frames'), [
    ('25%', [2, 3, 4, 5, 6, 7, 8, 9], 2),  # 10 * 25 // 100
    ('1%', [1, 2, 3, 4, 5, 6, 7, 8, 9], 1),  # one frame at least
    ('7 frames', [7, 8, 9], 7),
    ('0.5 s', [5, 6, 7, 8, 9], 5),  # the frame at 0.5 s is no longer in it
    ('full', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 10),
    ('10 frames', [], 10),
])
def test_scored_frames_of_ten_at_ten_hz(
    text: str, scored: list[int], warm_up_frames: int,
) -> None:
    length = WarmUpLength.parse(text)
    boundary = Boundary(from_flat(length.values(10)).warm_up, length.whole)
    first_ns = 3 * SECOND_NS
    assert [index for index in range(10)
            if boundary.passed(index, first_ns + index * SECOND_NS // 10)] == scored
    assert boundary.warm_up_frames == warm_up_frames


def test_frames_that_were_dropped_belong_to_the_stream_all_the_same() -> None:
    boundary = Boundary(from_flat(WarmUpLength.parse('4 frames').values(10)).warm_up, False)
    assert [boundary.passed(index, index) for index in (0, 1, 6, 9)] == [False, False, True, True]
    assert boundary.warm_up_frames == 4
