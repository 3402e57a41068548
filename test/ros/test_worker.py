from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from ditta_ros.frame import Frame
from ditta_ros.ros.messages import MessageError
from ditta_ros.ros.worker import Worker

PATIENCE_S = 15.0


def until(done: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < end_s, 'it did not happen'
        time.sleep(0.002)


def read(message: int) -> Frame:
    """A frame whose stamp is the message; a negative message cannot be read."""
    if message < 0:
        raise MessageError(f'a message is positive, got {message}: send another')
    return Frame(message, 'camera', torch.zeros((2, 3, 3), dtype=torch.uint8))


class Stream:
    """Feeds and works as it is told, and keeps the order in which it was called."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.units = 0  # of work that are pending
        self.hold = threading.Event()  # feed and work wait for it
        self.hold.set()
        self.faults: dict[str, BaseException] = {}

    def feed(self, frame: Frame) -> int:
        self._call(f'feed {frame.stamp_ns}')
        return frame.stamp_ns

    def work(self) -> bool:
        self._call('work')
        self.units -= self.units > 0
        return self.units > 0

    def status(self) -> dict[str, Any]:
        return {'phase': 'adapt' if self.units else 'frozen'}

    def _call(self, name: str) -> None:
        self.calls.append(name)
        assert self.hold.wait(PATIENCE_S)
        if name in self.faults:
            raise self.faults.pop(name)


class Rig:
    def __init__(self) -> None:
        self.stream = Stream()
        self.published: list[tuple[int, int, int]] = []
        self.told: list[dict[str, Any]] = []
        self.worker: Worker[int] = Worker(self.stream, read, self._publish, self.told.append)

    def _publish(self, message: int, frame: Frame, segmentation: int) -> None:
        self.published.append((message, frame.stamp_ns, segmentation))

    def start(self) -> None:
        self.worker.start()
        until(lambda: self.stream.calls == ['work'])  # the first look for work finds none
        self.stream.calls.clear()

    def counts(self) -> dict[str, int]:
        status = self.worker.status()
        return {
            'received': status['frames_received'], 'labelled': status['frames_labelled'],
            **{cause: count for cause, count in status['dropped'].items() if count}}


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.stream.hold.set()
    rig.worker.stop()


def test_the_newest_frame_wins(rig: Rig) -> None:
    rig.start()
    rig.stream.hold.clear()
    rig.worker.offer(1)
    until(lambda: rig.stream.calls == ['feed 1'])
    for message in (2, 3, 4):
        rig.worker.offer(message)
    rig.stream.hold.set()
    until(lambda: len(rig.published) == 2)
    assert rig.published == [(1, 1, 1), (4, 4, 4)]
    until(lambda: rig.counts() == {'received': 4, 'labelled': 2, 'superseded': 2})


def test_a_waiting_frame_goes_before_pending_work_and_work_follows_each_frame(rig: Rig) -> None:
    rig.start()
    rig.stream.hold.clear()
    rig.stream.units = 100
    rig.worker.offer(1)
    until(lambda: rig.stream.calls == ['feed 1'])
    rig.worker.offer(2)
    rig.stream.hold.set()
    # Frame 2 has waited all the time, and yet one unit of work was done after frame 1.
    until(lambda: rig.stream.units == 0)
    assert rig.stream.calls == ['feed 1', 'work', 'feed 2'] + 99 * ['work']


def test_a_frame_waits_for_one_unit_of_work_at_most(rig: Rig) -> None:
    rig.start()
    rig.stream.hold.clear()
    rig.stream.units = 100
    rig.worker.offer(1)
    rig.stream.hold.set()
    until(lambda: 'work' in rig.stream.calls)
    rig.stream.hold.clear()
    before = len(rig.stream.calls)
    rig.worker.offer(2)
    rig.stream.hold.set()
    until(lambda: 'feed 2' in rig.stream.calls)
    # The unit at hand when the frame came, and one that may have been begun meanwhile.
    assert rig.stream.calls.index('feed 2') <= before + 1


def test_a_fault_drops_the_frame_and_is_logged(
    rig: Rig, caplog: pytest.LogCaptureFixture,
) -> None:
    rig.stream.faults['feed 1'] = RuntimeError('out of memory')
    rig.start()
    for message in (1, 2):
        rig.worker.offer(message)
        until(lambda message=message: rig.counts()['received'] == message and
              sum(rig.counts().values()) == 2 * message)
    assert rig.counts() == {'received': 2, 'labelled': 1, 'fault': 1}
    assert rig.published == [(2, 2, 2)]
    record, = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == 'frame dropped: RuntimeError: out of memory'
    assert record.exc_info is not None


def test_a_message_that_cannot_be_read_is_counted_and_told_once(
    rig: Rig, caplog: pytest.LogCaptureFixture,
) -> None:
    rig.start()
    for count in range(1, 4):
        rig.worker.offer(-7)
        until(lambda count=count: rig.counts().get('bad_message') == count)
    rig.worker.offer(1)
    until(lambda: rig.counts() == {'received': 4, 'labelled': 1, 'bad_message': 3})
    assert [record.getMessage() for record in caplog.records] == [
        'image dropped: a message is positive, got -7: send another']


def test_after_a_fault_in_the_adaptation_it_waits_for_the_next_frame(rig: Rig) -> None:
    rig.start()
    rig.stream.units = 100
    rig.stream.faults['work'] = RuntimeError('no convergence')
    rig.worker.offer(1)
    until(lambda: rig.worker.status()['adaptation_faults'] == 1)
    rig.stream.hold.clear()
    rig.worker.offer(2)
    until(lambda: 'feed 2' in rig.stream.calls)
    assert rig.stream.calls == ['feed 1', 'work', 'feed 2']
    rig.stream.hold.set()
    until(lambda: rig.stream.units == 0)
    assert rig.counts() == {'received': 2, 'labelled': 2}


def test_it_stops_and_starts_again_and_counts_on(rig: Rig) -> None:
    rig.start()
    rig.worker.offer(1)
    until(lambda: rig.counts()['labelled'] == 1)
    rig.worker.stop()
    assert not rig.worker.died
    calls = list(rig.stream.calls)
    rig.worker.offer(2)  # nobody is there to take it
    assert rig.stream.calls == calls
    rig.worker.start()
    until(lambda: rig.counts() == {'received': 2, 'labelled': 2})


def test_what_waits_when_it_stops_is_dropped_with_its_cause(rig: Rig) -> None:
    rig.start()
    rig.stream.hold.clear()
    rig.worker.offer(1)
    until(lambda: rig.stream.calls == ['feed 1'])
    rig.worker.offer(2)
    stopper = threading.Thread(target=rig.worker.stop)
    stopper.start()
    until(lambda: rig.counts().get('stopped') == 1)
    rig.stream.hold.set()
    stopper.join(PATIENCE_S)
    assert rig.counts() == {'received': 2, 'labelled': 1, 'stopped': 1}
    assert rig.told[-1]['dropped']['stopped'] == 1  # the last status is told, too


@pytest.mark.filterwarnings('ignore::pytest.PytestUnhandledThreadExceptionWarning')
def test_a_mistake_in_the_program_ends_the_thread_and_is_seen(rig: Rig) -> None:
    rig.start()
    rig.stream.faults['feed 1'] = AttributeError('no such thing')
    assert not rig.worker.died
    rig.worker.offer(1)
    until(lambda: rig.worker.died)


def test_the_status_is_told_when_it_changed_and_only_then(rig: Rig) -> None:
    rig.start()
    until(lambda: len(rig.told) == 1)
    assert rig.told[0]['phase'] == 'frozen'
    rig.stream.units = 2
    rig.worker.offer(1)
    until(lambda: rig.told[-1]['frames_labelled'] == 1 and rig.told[-1]['phase'] == 'frozen')
    assert [status['phase'] for status in rig.told] == ['frozen', 'adapt', 'frozen']
    assert all(old != new for old, new in zip(rig.told, rig.told[1:], strict=False))
