"""Hand-computed cases; times are seconds of the caller's clock."""

from __future__ import annotations

import pytest

from ditta_ros.ros.pacing import MEMORY_S, Pacing


def camera(pacing: Pacing, *arrivals_s: float) -> None:
    for arrived_s in arrivals_s:
        pacing.arrived(arrived_s)


def known(kind: str, unit_s: float, now_s: float) -> Pacing:
    """Pacing that has seen three units of ``kind``, the first of them slow, up to ``now_s``."""
    pacing = Pacing()
    pacing.finished(kind, now_s - 9.0, now_s - 4.0, None)
    for _ in range(2):
        pacing.finished(kind, now_s - unit_s, now_s, None)
    return pacing


def test_the_first_two_units_of_a_kind_run_and_the_second_is_the_measure() -> None:
    pacing = Pacing()
    camera(pacing, 0.0, 0.1)
    assert pacing.may_start('track', 0.1, False, 0.0)
    pacing.finished('track', 0.1, 5.1, 0.2)  # loads and compiles: 5 s
    assert pacing.expected_s('track', 5.1) is None
    assert pacing.may_start('track', 5.1, True, 0.0)
    pacing.finished('track', 5.1, 5.3, 5.1)
    assert pacing.expected_s('track', 5.3) == pytest.approx(0.2)
    assert not pacing.may_start('track', 5.3, True, 0.0)
    assert pacing.may_start('learn', 5.3, True, 0.0), 'another kind is another measure'
    # A frame has waited since 0.2 s: 5.1 s that labelling pays off in 20.4 s.
    pacing.labelled(20.3)
    assert not pacing.may_start('track', 5.3, True, 0.21)
    pacing.labelled(0.2)
    assert pacing.may_start('track', 5.3, True, 0.21)


def test_a_unit_is_expected_to_take_the_longest_but_one_of_the_last_minute() -> None:
    pacing = Pacing()
    pacing.finished('learn', 0.0, 0.5, None)  # the first
    ended_s = 1.0
    for unit_s in (0.03, 0.08, 0.05, 0.70):
        pacing.finished('learn', ended_s, ended_s + unit_s, None)
        ended_s += 1.0
    assert pacing.expected_s('learn', 5.0) == pytest.approx(0.08)  # not the whim of 0.7 s
    assert pacing.expected_s('learn', 2.0 + MEMORY_S + 1.5) == pytest.approx(0.7)
    assert pacing.expected_s('learn', 5.0 + MEMORY_S) is None


@pytest.mark.parametrize(('now_s', 'waits', 'max_added_s', 'fits'), [
    # A frame each 0.1 s, the last at 0.3 s; the unit takes 0.06 s.
    (0.32, False, 0.00, True),  # ends at 0.38 s
    (0.36, False, 0.00, False),  # would end at 0.42 s: the next frame would wait 0.02 s
    (0.36, False, 0.03, True),
    (0.36, False, 0.01, False),
    (0.45, False, 0.05, False),  # the frame is late and may come any moment
    (0.45, False, 0.07, True),
    (0.61, False, 0.00, True),  # more than three periods without one: the camera is silent
    (0.61, True, 0.05, False),  # one waits
    (0.61, True, 0.07, True),
])
def test_a_frame_waits_no_longer_than_allowed(
    now_s: float, waits: bool, max_added_s: float, fits: bool,
) -> None:
    pacing = known('track', 0.06, 0.0)
    camera(pacing, 0.0, 0.1, 0.2, 0.3)
    assert pacing.may_start('track', now_s, waits, max_added_s) is fits


def test_without_two_frames_the_time_is_free() -> None:
    pacing = known('track', 60.0, 0.0)
    assert pacing.may_start('track', 1.0, False, 0.0)
    camera(pacing, 1.0)
    assert pacing.may_start('track', 1.1, False, 0.0)
    assert not pacing.may_start('track', 1.1, True, 0.0)


def test_frames_that_come_early_make_the_next_one_expected_early() -> None:
    pacing = Pacing()
    camera(pacing, 0.0, 0.10, 0.20, 0.26, 0.36)  # one of four came after 0.06 s
    assert pacing.slack_s(0.37, waits=False) == pytest.approx(0.05)
    assert pacing.period_s == pytest.approx(0.09)
    # Of twenty intervals the two shortest are passed over: 0.1 s again.
    camera(pacing, *(0.46 + 0.1 * count for count in range(16)))
    assert pacing.slack_s(1.97, waits=False) == pytest.approx(0.09)


def test_frames_in_bursts_leave_no_slack_and_are_not_silence() -> None:
    pacing = known('learn', 0.02, 0.0)
    camera(pacing, 0.0, 0.0, 0.0, 0.3, 0.3, 0.3, 0.6, 0.6, 0.6)
    assert pacing.rate_hz(0.65) == pytest.approx(8 / 0.6)
    assert pacing.slack_s(0.65, waits=False) == 0
    assert not pacing.may_start('learn', 0.65, False, 0.01)
    assert pacing.may_start('learn', 0.65, False, 0.03)


def test_what_a_unit_made_a_frame_wait_is_paid_off_by_labelling() -> None:
    pacing = known('learn', 0.04, 0.0)
    camera(pacing, 0.0, 0.1)
    assert pacing.may_start('learn', 0.1, True, 0.05)
    pacing.finished('learn', 0.1, 0.14, 0.05)  # the frame has waited all the time: debt 0.04
    assert not pacing.may_start('learn', 0.15, True, 0.05)
    pacing.labelled(0.1)  # 0.04 - 0.25 x 0.1
    assert not pacing.may_start('learn', 0.15, True, 0.05)
    pacing.labelled(0.07)  # 0.015 - 0.25 x 0.07 < 0
    assert pacing.may_start('learn', 0.15, True, 0.05)
    # Debt does not stop what makes nobody wait.
    pacing.finished('learn', 0.15, 0.19, 0.17)
    assert pacing.may_start('learn', 0.11, False, 0.0)


def test_a_unit_that_made_nobody_wait_is_no_debt() -> None:
    pacing = known('learn', 0.04, 0.0)
    camera(pacing, 0.0, 0.1)
    pacing.finished('learn', 0.1, 0.14, None)
    assert pacing.may_start('learn', 0.14, True, 0.05)


@pytest.mark.parametrize(('label_s', 'period_s'), [(0.2, 0.033), (0.1, 0.095), (0.1, 0.12)])
def test_a_busy_robot_adapts_and_labels_at_four_fifths_of_its_rate(
    label_s: float, period_s: float,
) -> None:
    alone, _ = simulate(label_s, period_s, unit_s=0.0, max_added_s=0.05)
    labelled, units = simulate(label_s, period_s, unit_s=0.04, max_added_s=0.05)
    assert alone * 0.8 - 1 <= labelled <= alone
    assert units > 50


def simulate(
    label_s: float, period_s: float, unit_s: float, max_added_s: float,
) -> tuple[int, int]:
    """Return how many frames are labelled and units done in a minute, newest frame first."""
    pacing = known('learn', unit_s, 0.0) if unit_s else Pacing()
    now_s, next_s, waiting_since_s = 0.0, 0.0, None
    labelled = units = 0
    while now_s < 60.0:
        if waiting_since_s is None:
            fits = unit_s > 0 and pacing.may_start('learn', now_s, False, max_added_s)
            if not fits:
                now_s += 0.001
        else:
            waiting_since_s = None
            now_s += label_s
            labelled += 1
            pacing.labelled(label_s)
            next_s, waiting_since_s = arrivals(pacing, next_s, now_s, period_s)
            fits = unit_s > 0 and pacing.may_start(
                'learn', now_s, waiting_since_s is not None, max_added_s)
        if fits:
            start_s, now_s = now_s, now_s + unit_s
            before_s = waiting_since_s
            next_s, came_s = arrivals(pacing, next_s, now_s, period_s)
            waiting_since_s = came_s if before_s is None else before_s
            pacing.finished('learn', start_s, now_s, waiting_since_s)
            units += 1
        elif waiting_since_s is None:
            next_s, waiting_since_s = arrivals(pacing, next_s, now_s, period_s)
    return labelled, units


def arrivals(
    pacing: Pacing, next_s: float, now_s: float, period_s: float,
) -> tuple[float, float | None]:
    """Let the frames up to now arrive; return when the next will, and when the first came."""
    first_s = next_s if next_s <= now_s else None
    while next_s <= now_s:
        pacing.arrived(next_s)
        next_s += period_s
    return next_s, first_s


def test_a_kind_that_never_fits_is_told_with_the_remedy() -> None:
    pacing = known('track', 0.3, 0.0)
    for count in range(102):
        now_s = 0.1 * count
        pacing.arrived(now_s)
        fits = pacing.may_start('track', now_s + 0.04, False, 0.05)
        assert fits is (count == 0)  # one frame alone tells no rate
        if count < 100:
            assert pacing.starved == ''
    assert pacing.starved == (
        'adaptation stands still: a track unit takes 300 ms, and the frames leave 110 ms for it: '
        "raise adaptation.max_added_latency_ms, or lower segmenter.max_side_px or the camera's "
        'rate')
    assert pacing.may_start('track', 10.14, False, 0.3)
    assert pacing.starved == ''


def test_a_starved_kind_is_measured_anew_each_minute_and_stays_starved() -> None:
    pacing = known('track', 0.35, 0.0)
    camera(pacing, 0.0, 0.1)
    started_s = []
    for count in range(2, 1300):
        now_s = 0.1 * count
        pacing.arrived(now_s)
        if pacing.may_start('track', now_s, False, 0.05):
            started_s.append(now_s)
            pacing.finished('track', now_s, now_s + 0.35, now_s + 0.1)
        assert bool(pacing.starved) is (now_s > 10.15), now_s
    assert started_s == pytest.approx([60.1, 120.5])


def test_nothing_pending_is_not_starved() -> None:
    pacing = known('track', 0.3, 0.0)
    for count in range(120):
        pacing.arrived(0.1 * count)
        pacing.may_start('track', 0.1 * count, True, 0.0)
    assert pacing.starved
    assert not pacing.may_start('none', 12.0, False, 0.0)
    assert pacing.starved == ''


def test_a_debt_is_not_starvation() -> None:
    pacing = known('learn', 0.04, 0.0)
    camera(pacing, 0.0, 0.1)
    pacing.finished('learn', 0.1, 9.1, 0.1)
    for count in range(92, 300):
        now_s = 0.1 * count
        pacing.arrived(now_s)
        assert not pacing.may_start('learn', now_s, True, 0.05)
        assert not pacing.may_start('learn', now_s, True, 0.01)
    assert pacing.starved == ''
