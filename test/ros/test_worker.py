from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from ditta_ros.ros import pacing
from worker_rig import PATIENCE_S, Rig, Slow, until


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


def test_a_waiting_frame_goes_before_pending_work_and_a_unit_follows_each_frame(
    rig: Rig,
) -> None:
    rig.start()
    rig.stream.hold.clear()
    rig.worker.offer(1)
    until(lambda: rig.stream.calls == ['feed 1'])
    rig.stream.units = 100
    rig.worker.offer(2)
    rig.stream.hold.set()
    # Frame 2 has waited all the time, and yet one unit of work was done after frame 1.
    until(lambda: rig.stream.units == 0)
    assert rig.stream.calls[:3] == ['feed 1', 'work', 'feed 2']
    assert rig.stream.calls[3:] == 99 * ['work'], 'the camera is silent: all time is free'


def test_a_unit_that_would_make_a_frame_wait_too_long_is_put_off_until_the_camera_is_silent(
    rig: Rig,
) -> None:
    rig.start()
    # Three units of 20 ms and more, of which the last two are remembered.
    for message in range(3):
        rig.stream.faults['work'] = Slow()
        rig.stream.units = 1
        rig.worker.offer(message)
        until(lambda: rig.stream.units == 0)
    rig.max_added_latency_ms = 0.0
    rig.stream.calls.clear()
    rig.stream.hold.clear()
    rig.worker.offer(3)
    until(lambda: rig.stream.calls == ['feed 3'])
    rig.stream.units = 1
    for message in range(4, 30):
        rig.worker.offer(message)
    rig.stream.hold.set()
    until(lambda: rig.stream.units == 0)
    assert rig.stream.calls == ['feed 3', 'feed 29', 'work']


def test_a_stream_that_leaves_no_room_is_told_once(
    rig: Rig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pacing, 'STARVED_S', 0.0)
    rig.start()
    for message in range(3):
        rig.stream.faults['work'] = Slow()
        rig.stream.units = 1
        rig.worker.offer(message)
        until(lambda: rig.stream.units == 0)
    rig.max_added_latency_ms = 0.0
    rig.stream.hold.clear()
    rig.worker.offer(3)
    until(lambda: 'feed 3' in rig.stream.calls)
    rig.stream.units = 1
    rig.worker.offer(4)
    rig.stream.hold.set()
    until(lambda: rig.stream.units == 0)  # the camera has become silent
    record, = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith('adaptation stands still: a learn unit takes ')
    until(lambda: rig.worker.status()['starved'] == '')


def test_a_frame_waits_for_one_unit_of_work_at_most(rig: Rig) -> None:
    rig.stream.hold.clear()
    rig.stream.units = 100
    rig.worker.start()
    until(lambda: rig.stream.calls == ['work'])
    rig.worker.offer(2)
    rig.stream.hold.set()
    until(lambda: 'feed 2' in rig.stream.calls)
    assert rig.stream.calls[:2] == ['work', 'feed 2']


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
        rig.worker.offer(1234)
        until(lambda count=count: rig.counts().get('bad_message') == count)
    rig.worker.offer(1)
    until(lambda: rig.counts() == {'received': 4, 'labelled': 1, 'bad_message': 3})
    assert [record.getMessage() for record in caplog.records] == [
        'image dropped: a message is small, got 1234: send another']


def test_a_message_that_is_no_image_takes_no_image_s_place(
    rig: Rig, caplog: pytest.LogCaptureFixture,
) -> None:
    rig.start()
    rig.stream.hold.clear()
    rig.worker.offer(1)
    until(lambda: rig.stream.calls == ['feed 1'])
    for message in (2, -7, -7):
        rig.worker.offer(message)
    assert rig.counts() == {'received': 4, 'labelled': 0, 'bad_message': 2}
    rig.stream.hold.set()
    until(lambda: rig.counts() == {'received': 4, 'labelled': 2, 'bad_message': 2})
    assert [record.getMessage() for record in caplog.records] == [
        'image dropped: a message is positive, got -7: send another']


def test_after_a_fault_in_the_adaptation_it_waits_for_the_next_frame(rig: Rig) -> None:
    rig.start()
    rig.stream.hold.clear()
    rig.worker.offer(1)
    until(lambda: rig.stream.calls == ['feed 1'])
    rig.stream.units = 100
    rig.stream.faults['work'] = RuntimeError('no convergence')
    rig.stream.hold.set()
    until(lambda: rig.worker.status()['adaptation_faults'] == 1)
    rig.stream.hold.clear()
    rig.worker.offer(2)
    until(lambda: 'feed 2' in rig.stream.calls)
    assert rig.stream.calls == ['feed 1', 'work', 'feed 2']
    rig.stream.hold.set()
    until(lambda: rig.stream.units == 0)
    assert rig.counts() == {'received': 2, 'labelled': 2}


def test_a_mistake_in_the_adaptation_ends_it_and_labels_go_on(
    rig: Rig, caplog: pytest.LogCaptureFixture,
) -> None:
    rig.start()
    rig.stream.hold.clear()
    rig.worker.offer(1)
    until(lambda: rig.stream.calls == ['feed 1'])
    rig.stream.units = 100
    rig.stream.faults['work'] = AttributeError('no such thing')
    rig.stream.hold.set()
    until(lambda: rig.stream.calls[1:] == ['work', 'abandon AttributeError: no such thing'])
    rig.worker.offer(2)
    until(lambda: rig.counts() == {'received': 2, 'labelled': 2})
    assert not rig.worker.died
    assert rig.worker.status()['adaptation_faults'] == 1
    record, = caplog.records
    assert record.getMessage() == (
        'the adaptation ended with a mistake in the program: please report it')
    assert record.exc_info is not None


def test_faults_that_the_session_bore_are_counted_too(
    rig: Rig, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        rig.stream, 'status', lambda: {'phase': 'adapt', 'adaptation_faults': 3})
    rig.start()
    assert rig.worker.status()['adaptation_faults'] == 3


def test_what_frames_would_wait_for_is_done_on_the_thread_that_labels(rig: Rig) -> None:
    rig.start()
    assert rig.stream.warm_started_in == 'ditta_worker'
    rig.worker.stop()
    rig.stream.warm_started_in = ''
    rig.worker.start()  # another thread
    until(lambda: rig.stream.warm_started_in == 'ditta_worker')


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
    assert rig.told[0]['phase'] == 'frozen'
    rig.stream.hold.clear()
    rig.worker.offer(1)
    until(lambda: rig.stream.calls == ['feed 1'])
    rig.stream.units = 2  # while no idle thread can find them
    rig.stream.hold.set()
    until(lambda: rig.told[-1]['frames_labelled'] == 1 and rig.told[-1]['phase'] == 'frozen')
    assert [status['phase'] for status in rig.told] == ['frozen', 'adapt', 'frozen']
    assert all(old != new for old, new in zip(rig.told, rig.told[1:], strict=False))


def test_the_rate_of_the_status_changes_while_it_runs(rig: Rig) -> None:
    rig.status_rate_hz = 1e-3
    rig.start()
    rig.worker.offer(1)
    until(lambda: rig.counts() == {'received': 1, 'labelled': 1})
    rig.worker.call(lambda stream: None).result(PATIENCE_S)  # a round after that has passed
    assert len(rig.told) == 1
    rig.status_rate_hz = 1e3
    rig.worker.offer(2)
    until(lambda: rig.told[-1]['frames_labelled'] == 2)


def test_the_times_of_each_frame_are_in_the_status(rig: Rig) -> None:
    rig.start()
    status = rig.worker.status()
    assert (status['latency_ms'], status['engine_ms'], status['input_hz']) == ({}, {}, 0.0)
    rig.stream.faults['feed 1'] = Slow()
    rig.worker.offer(1)
    until(lambda: rig.counts() == {'received': 1, 'labelled': 1})
    status = rig.worker.status()
    assert status['engine_ms']['p50'] >= 20
    # The way to the thread, the reading and the publishing are latency, but not the engine's.
    assert status['latency_ms']['max'] > status['engine_ms']['max']
