"""When labels have become worse for good, by hand."""

from __future__ import annotations

import pytest
import torch

from ditta_ros.drift import Drift, Sign
from ditta_ros.settings import AdaptationSettings

WINDOW = 4
WARN = AdaptationSettings()
READAPT = AdaptationSettings(on_drift='readapt', readapt_min_interval_s=3.0)
STEADY = torch.zeros((8, 8), dtype=torch.uint8)


def told(values: list[float], worse: int = -1) -> list[bool]:
    """Whether a sign says that it has drifted, after each value."""
    sign, out = Sign('reliability', worse, WINDOW), []
    for value in values:
        sign.add(value)
        out.append(bool(sign.drifted))
    return out


@pytest.mark.parametrize(('later', 'first_told'), [
    # The mean of four is 0.7, 0.6, 0.5, 0.4, ...: from the first on 0.05 below 0.8, and for four
    # frames in a row with the fourth.
    ([0.4] * 8, 3),
    # 0.79, 0.78, 0.77, 0.76 and no less.
    ([0.76] * 20, None),
    # 0.7375 with the last of the first four, and then for four frames in a row.
    ([0.74] * 20, 6),
    # Better is no drift.
    ([1.0] * 20, None),
    # One bad frame moves four means, and is forgotten.
    ([0.4, 0.8, 0.8, 0.8, 0.8, 0.8], 3),
])
def test_a_mean_that_stays_lower_is_drift(later: list[float], first_told: int | None) -> None:
    out = told([0.8] * WINDOW + later)[WINDOW:]
    assert (out.index(True) if True in out else None) == first_told


def test_drift_ends_when_the_mean_comes_back() -> None:
    out = told([0.8] * WINDOW + [0.4] * 5 + [0.8] * 4)
    assert out[WINDOW + 4] and not out[-1]


def test_what_varied_at_first_may_vary() -> None:
    # Standard deviation 0.1, so that the mean may be lower by 0.3.
    assert True not in told([0.7, 0.9, 0.7, 0.9] + [0.55] * 12)
    assert True in told([0.7, 0.9, 0.7, 0.9] + [0.45] * 12)


def test_more_may_be_worse() -> None:
    assert True in told([0.1] * WINDOW + [0.3] * 8, worse=1)
    assert True not in told([0.3] * WINDOW + [0.1] * 8, worse=1)


def watched(drift: Drift, frames: int, reliability: float, first: int = 0,
            flickers: bool = False) -> None:
    """Add frames, a second apart."""
    for t in range(first, first + frames):
        label = STEADY + t % 2 if flickers else STEADY
        drift.add(t * 10**9, label, torch.full((8, 8), reliability))


def test_both_signs_are_named_with_what_they_were() -> None:
    drift = Drift(WINDOW)
    watched(drift, 5, 0.75)
    assert drift.found == ''
    watched(drift, 8, 0.25, 5, flickers=True)
    assert drift.found == (
        'reliability 0.25, at first 0.75, for 8 frames; '
        'flicker 1.00, at first 0.00, for 8 frames')


def test_a_jump_is_no_flicker() -> None:
    drift = Drift(WINDOW)
    watched(drift, 5, 0.75)
    for t in range(20):
        drift.forget()
        drift.add((5 + t) * 10**9, STEADY + t % 2, torch.full((8, 8), 0.75))
    assert drift.found == ''


def test_a_warning_comes_once_and_a_warm_up_only_where_it_is_wanted_and_can_be(
    caplog: pytest.LogCaptureFixture,
) -> None:
    drift = Drift(WINDOW)
    watched(drift, 5, 0.75)
    watched(drift, 8, 0.25, 5)
    assert not drift.asks_for_warm_up(WARN, adapts=True)
    assert not drift.asks_for_warm_up(READAPT, adapts=False)
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith('the labels have become worse: reliability 0.25')
    assert drift.asks_for_warm_up(READAPT, adapts=True)
    assert 'a new warm-up begins' in caplog.messages[1]


def test_a_warm_up_waits_for_its_time_by_the_stamps() -> None:
    rule = AdaptationSettings(on_drift='readapt', readapt_min_interval_s=20.0)
    drift = Drift(WINDOW)
    watched(drift, 5, 0.75)
    watched(drift, 8, 0.25, 5)
    assert drift.age_s == 12.0
    assert not drift.asks_for_warm_up(rule, adapts=True)
    watched(drift, 1, 0.25, 2)  # the stamps jump back, which is no time
    assert drift.age_s == 12.0
    watched(drift, 8, 0.25, 3)
    assert drift.age_s == 20.0
    assert drift.asks_for_warm_up(rule, adapts=True)


@pytest.mark.filterwarnings('error')
def test_small_frames_have_pixels_enough() -> None:
    drift = Drift(WINDOW)
    for t in range(20):
        drift.add(t, torch.zeros((1, 3), dtype=torch.uint8), torch.ones((1, 3)))
    assert drift.found == ''
