"""Frames at a camera's rate, on a clock that counts what a method takes: every event by hand.

Times are sums of powers of two, so that they are exact.
"""

from __future__ import annotations

from typing import Any

from ditta_ros.evaluation.driving import Labelled
from ditta_ros.evaluation.live import LiveCamera
from ditta_ros.evaluation.source import SourceFrame

RATE_HZ = 4.0
PICTURE: Any = None  # nobody looks at it


class Metronome:
    """A driver whose labels and units of adaptation take times that are known."""

    def __init__(self, frames: int, label_s: float, units: int = 0, unit_s: float = 0.0) -> None:
        self.source = [SourceFrame(index, PICTURE) for index in range(frames)]
        self.seen = self.dropped = 0
        self.units_left = units
        self.latencies_s: list[float] = []
        self._label_s, self._unit_s = label_s, unit_s

    @property
    def next_unit(self) -> str:
        return 'learn' if self.units_left else 'none'

    def label(self, index: int, given: SourceFrame) -> tuple[Labelled, float]:
        assert given.stamp_ns == index
        return Labelled(index, given, PICTURE, PICTURE), self._label_s

    def note_latency(self, labelled: Labelled, latency_s: float) -> None:
        self.latencies_s.append(latency_s)

    def work(self) -> tuple[bool, float]:
        self.units_left -= 1
        return True, self._unit_s


def labelled(driver: Metronome, max_added_latency_ms: float = 100.0) -> list[int]:
    """Walk through the source; return which frames got labels."""
    return [each.index for each in LiveCamera(driver, RATE_HZ, max_added_latency_ms)]


def test_a_quick_method_labels_every_frame() -> None:
    driver = Metronome(6, label_s=.125)
    assert labelled(driver) == [0, 1, 2, 3, 4, 5]
    assert (driver.seen, driver.dropped) == (6, 0)
    assert driver.latencies_s == [.125] * 6


def test_a_slow_method_labels_the_newest_frame_each_time() -> None:
    # Free at .625, 1.25 and 1.875, when frames 2, 5 and 7 are the newest.
    driver = Metronome(8, label_s=.625)
    assert labelled(driver) == [0, 2, 5, 7]
    assert (driver.seen, driver.dropped) == (8, 4)
    assert driver.latencies_s == [.625, .75, .625, .75]


def test_units_that_fit_between_frames_delay_none() -> None:
    driver = Metronome(6, label_s=.125, units=3, unit_s=.0625)
    assert labelled(driver) == [0, 1, 2, 3, 4, 5]
    assert driver.units_left == 0
    assert driver.latencies_s == [.125] * 6


def test_units_that_are_too_long_are_put_off_once_they_are_known() -> None:
    # The first two are tried: .125 to 1.125 and 1.25 to 2.25.  The third would find no room.
    driver = Metronome(12, label_s=.125, units=3, unit_s=1.0)
    assert labelled(driver) == [0, 4, 9, 10, 11]
    assert (driver.dropped, driver.units_left) == (7, 1)
    assert driver.latencies_s == [.125, .25, .125, .125, .125]


def test_units_that_delay_frames_wait_until_labelling_has_paid_for_the_last() -> None:
    # The second unit ends at .75 with frames 1 and 2 delayed by .125 and .25, less .03125 that
    # the label between paid; the labels of frames 3 to 13 pay the rest.  Then frame 14 waits.
    driver = Metronome(16, label_s=.125, units=3, unit_s=.25)
    assert labelled(driver, max_added_latency_ms=1000.0) == [0, 1, *range(3, 16)]
    assert driver.units_left == 0
    assert driver.latencies_s == [.125, .25, *[.125] * 11, .25, .125]


def test_a_camera_of_one_frame() -> None:
    driver = Metronome(1, label_s=.125, units=2, unit_s=.125)
    assert labelled(driver) == [0]
    assert driver.units_left == 1  # one unit was tried after the label, then the stream ended
