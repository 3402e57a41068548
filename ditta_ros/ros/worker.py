"""One newest-wins slot and the one thread that uses the session.

Frames come first: a waiting frame is labelled before anything else.  After each frame the
session gets one unit of adaptation work, and as many more as fit while no frame waits, so
that a saturated robot adapts too and a frame waits for one unit at most.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

import cv2

from ditta_ros.frame import Frame
from ditta_ros.ros.messages import MessageError

M = TypeVar('M')
log = logging.getLogger(__name__)

# What drivers, allocators and numerics raise.  Anything else is a mistake in the program: it
# ends the thread with its traceback, and the node with it.
FAULTS = (ArithmeticError, MemoryError, OSError, RuntimeError, ValueError, cv2.error)
STATUS_S = 0.5  # the status is told this often at most, and only where it changed
REPEAT_S = 5.0  # the same complaint is logged this often at most


class Stream(Protocol):
    """What the worker needs of a session."""

    def feed(self, frame: Frame) -> Any:
        """Label ``frame`` at once."""

    def work(self) -> bool:
        """Do one unit of adaptation work; False when nothing is pending."""

    def status(self) -> dict[str, Any]:
        """Return what there is to tell, in JSON's types."""


class Worker(Generic[M]):
    """Labels the newest message with ``session`` on its own thread.

    ``read`` makes a Frame of a message or raises MessageError; ``publish`` is given message,
    frame and segmentation; ``tell`` is given the status whenever it changed.  All three, and
    the session, are called on the worker's thread only.
    """

    def __init__(
        self, session: Stream, read: Callable[[M], Frame],
        publish: Callable[[M, Frame, Any], None], tell: Callable[[dict[str, Any]], None],
    ) -> None:
        self._session = session
        self._read, self._publish, self._tell = read, publish, tell
        self._wake = threading.Condition()
        self._waiting: M | None = None
        self._stopping = False
        self._received = self._labelled = self._adaptation_faults = 0
        self._dropped = {'superseded': 0, 'bad_message': 0, 'fault': 0, 'stopped': 0}
        self._told: dict[str, Any] = {}
        self._told_s = 0.0
        self._complained_s: dict[str, float] = {}
        self._thread: threading.Thread | None = None

    def offer(self, message: M) -> None:
        """Put ``message`` into the slot; one that still waits there is dropped.  Never waits."""
        with self._wake:
            self._received += 1
            self._dropped['superseded'] += self._waiting is not None
            self._waiting = message
            self._wake.notify()

    def start(self) -> None:
        """Start the thread; again after a stop, too."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name='ditta_worker', daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the frame or unit of work at hand and end the thread; drop what waits."""
        with self._wake:
            self._stopping = True
            self._dropped['stopped'] += self._waiting is not None
            self._waiting = None
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    @property
    def died(self) -> bool:
        """Whether the thread ended without having been stopped."""
        return self._thread is not None and not self._thread.is_alive()

    def status(self) -> dict[str, Any]:
        """Return the session's status and the counts; frames waiting are in no other count."""
        return {
            **self._session.status(),
            'frames_received': self._received, 'frames_labelled': self._labelled,
            'dropped': dict(self._dropped), 'adaptation_faults': self._adaptation_faults}

    def _run(self) -> None:
        pending = True
        while True:
            with self._wake:
                if not (pending or self._stopping or self._waiting is not None):
                    self._wake.wait(STATUS_S)
                if self._stopping:
                    break
                message, self._waiting = self._waiting, None
            if message is not None:
                self._label(message)
            if message is not None or pending:
                pending = self._work()
            self._tell_changes()
        self._tell_changes(at_once=True)

    def _label(self, message: M) -> None:
        try:
            frame = self._read(message)
            self._publish(message, frame, self._session.feed(frame))
        except MessageError as error:
            self._dropped['bad_message'] += 1
            self._complain(f'image dropped: {error}')
        except FAULTS as error:
            self._dropped['fault'] += 1
            self._complain(f'frame dropped: {type(error).__name__}: {error}', error)
        else:
            self._labelled += 1

    def _work(self) -> bool:
        """Do one unit of work; after a fault none is pending until the next frame."""
        try:
            return self._session.work()
        except FAULTS as error:
            self._adaptation_faults += 1
            self._complain(f'adaptation step dropped: {type(error).__name__}: {error}', error)
            return False

    def _complain(self, text: str, error: BaseException | None = None) -> None:
        now = time.monotonic()
        if now - self._complained_s.get(text, -REPEAT_S) >= REPEAT_S:
            self._complained_s = {
                old: at for old, at in self._complained_s.items() if now - at < REPEAT_S}
            self._complained_s[text] = now
            log.error(text, exc_info=error)

    def _tell_changes(self, at_once: bool = False) -> None:
        status = self.status()
        now = time.monotonic()
        turned = status.get('phase') != self._told.get('phase')
        if status != self._told and (at_once or turned or now - self._told_s >= STATUS_S):
            self._told, self._told_s = status, now
            self._tell(status)
