"""Calls from other threads, by themselves and through the worker."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ditta_ros.ros.calls import Calls
from worker_rig import PATIENCE_S, Rig, Stream, until


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.stream.hold.set()
    rig.worker.stop()


def test_calls_are_made_in_order_and_each_future_gets_its_own() -> None:
    calls, made = Calls(), []
    futures = [calls.add(lambda got, name=name: made.append((name, got))) for name in 'abc']
    failing = calls.add(lambda got: got / 0)
    futures[1].cancel()
    assert len(calls) == 4 and not made
    calls.run(7)
    assert made == [('a', 7), ('c', 7)] and not calls
    assert isinstance(failing.exception(0), ZeroDivisionError)


def test_a_call_is_made_between_frames_on_the_thread_of_the_session(rig: Rig) -> None:
    rig.start()
    rig.stream.hold.clear()
    rig.worker.offer(1)
    until(lambda: rig.stream.calls == ['feed 1'])
    rig.worker.offer(2)

    def command(stream: Stream) -> str:
        stream.calls.append('command')
        return threading.current_thread().name

    future = rig.worker.call(command)
    assert not future.done()
    rig.stream.hold.set()
    assert future.result(PATIENCE_S) == 'ditta_worker'
    until(lambda: rig.stream.calls == ['feed 1', 'command', 'feed 2'])


def test_while_it_is_stopped_a_call_is_made_at_once_and_its_effect_told(rig: Rig) -> None:
    def command(stream: Stream) -> str:
        stream.units = 7
        return threading.current_thread().name

    assert rig.worker.call(command).result(0) == threading.current_thread().name
    assert rig.told[-1]['phase'] == rig.worker.status()['phase'] == 'adapt'
    rig.worker.start()
    rig.worker.stop()
    assert rig.worker.call(command).result(0) == threading.current_thread().name


def test_a_fault_in_a_call_is_its_own(rig: Rig) -> None:
    rig.start()
    with pytest.raises(FileNotFoundError):
        rig.worker.call(lambda _: Path('/no/such/file').stat()).result(PATIENCE_S)
    rig.worker.offer(1)
    until(lambda: rig.counts() == {'received': 1, 'labelled': 1})


def test_calls_that_wait_when_it_stops_are_made(rig: Rig) -> None:
    rig.start()
    rig.stream.hold.clear()
    rig.worker.offer(1)
    until(lambda: rig.stream.calls == ['feed 1'])
    future = rig.worker.call(lambda stream: stream.calls.append('command'))
    threading.Timer(0.05, rig.stream.hold.set).start()
    rig.worker.stop()
    assert future.done() and future.exception() is None
    assert rig.stream.calls == ['feed 1', 'command']


@pytest.mark.filterwarnings('ignore::pytest.PytestUnhandledThreadExceptionWarning')
def test_nobody_waits_for_a_thread_that_died(rig: Rig) -> None:
    def mistake(_: Stream) -> None:
        raise AttributeError('no such thing')

    rig.start()
    rig.stream.hold.clear()
    rig.worker.offer(1)
    until(lambda: rig.stream.calls == ['feed 1'])
    first, second = rig.worker.call(mistake), rig.worker.call(lambda _: None)
    rig.stream.hold.set()
    until(lambda: rig.worker.died)
    assert isinstance(first.exception(0), RuntimeError)
    assert second.cancelled()
