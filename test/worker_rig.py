"""A worker with a session that does as it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

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


def check(message: int) -> None:
    """A negative message is no image."""
    if message < 0:
        raise MessageError(f'a message is positive, got {message}: send another')


def read(message: int) -> Frame:
    """A frame whose stamp is the message; one of 1000 and more cannot be read."""
    if message >= 1000:
        raise MessageError(f'a message is small, got {message}: send another')
    return Frame(message, 'camera', torch.zeros((2, 3, 3), dtype=torch.uint8))


class Stream:
    """Feeds and works as it is told, and keeps the order in which it was called."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.units = 0  # of work that are pending
        self.hold = threading.Event()  # feed and work wait for it
        self.hold.set()
        self.faults: dict[str, BaseException] = {}
        self.warm_started_in = ''  # the thread's name

    @property
    def next_unit(self) -> str:
        return 'learn' if self.units else 'none'

    def warm_start(self) -> None:
        self.warm_started_in = threading.current_thread().name

    def feed(self, frame: Frame) -> int:
        self._call(f'feed {frame.stamp_ns}')
        return frame.stamp_ns

    def work(self) -> bool:
        self._call('work')
        self.units -= 1
        return True

    def status(self) -> dict[str, Any]:
        return {'phase': 'adapt' if self.units else 'frozen'}

    def abandon(self, why: str) -> None:
        self.calls.append(f'abandon {why}')
        self.units = 0

    def _call(self, name: str) -> None:
        self.calls.append(name)
        assert self.hold.wait(PATIENCE_S)
        fault = self.faults.pop(name, None)
        if isinstance(fault, Slow):
            time.sleep(0.02)
        elif fault is not None:
            raise fault


class Slow(Exception):  # noqa: N818 - not an error: it stands for time that passes
    """A fault that is no fault: the call takes 20 ms."""


class Rig:
    def __init__(self) -> None:
        self.stream = Stream()
        self.published: list[tuple[int, int, int]] = []
        self.told: list[dict[str, Any]] = []
        self.max_added_latency_ms = 1e6
        self.status_rate_hz = 2.0
        self.worker: Worker[int] = Worker(
            self.stream, check, read, self._publish, self.told.append,
            lambda: self.max_added_latency_ms, lambda: self.status_rate_hz)

    def _publish(self, message: int, frame: Frame, segmentation: int) -> None:
        self.published.append((message, frame.stamp_ns, segmentation))

    def start(self) -> None:
        self.worker.start()
        until(lambda: len(self.told) == 1)

    def counts(self) -> dict[str, int]:
        status = self.worker.status()
        return {
            'received': status['frames_received'], 'labelled': status['frames_labelled'],
            **{cause: count for cause, count in status['dropped'].items() if count}}
