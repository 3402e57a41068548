"""One newest-wins slot and the one thread that uses the session.

Frames come first: a waiting frame is labelled before anything else but what ``call`` was given.
Between frames the session gets units of adaptation, where ``pacing`` finds room for them; a
frame waits for one unit at most.

On a GPU, too: a unit reads back what it computes as it goes (masks, prompts, losses), so it ends
when its kernels have.  A stream of less priority would let nothing overlap with it on this one
thread; what bounds a frame's wait is ``max_added_latency_ms``.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, Protocol, TypeVar

import torch

from ditta_ros.frame import Frame
from ditta_ros.ros.calls import FAULTS, Calls
from ditta_ros.ros.complaints import Complaints
from ditta_ros.ros.messages import MessageError
from ditta_ros.ros.pacing import Pacing
from ditta_ros.ros.timings import Timings

M = TypeVar('M')
T = TypeVar('T')
log = logging.getLogger(__name__)

REST_S = 0.5  # whoever waits for nothing in particular looks again then
RETRY_S = 0.05  # a unit that found no room is asked for again then


class Stream(Protocol):
    """What the worker needs of a session."""

    @property
    def next_unit(self) -> str:
        """The kind of the unit that ``work`` will do next; 'none': nothing is pending."""

    def feed(self, frame: Frame) -> Any:
        """Label ``frame`` at once."""

    def warm_start(self) -> None:
        """Do ahead of the frames, on the thread that labels them, what they would wait for."""

    def work(self) -> bool:
        """Do one unit of adaptation work; False when nothing is pending."""

    def status(self) -> dict[str, Any]:
        """Return what there is to tell, in JSON's types."""

    def abandon(self, why: str) -> None:
        """Do no more adaptation work for now; labels go on."""


class Worker(Generic[M]):
    """Labels the newest message with ``session`` on its own thread.

    ``check`` raises MessageError for a message that is no image, and is called by ``offer``.  All
    else, and the session, is called on the worker's thread, or while it is stopped on that of
    ``call``: ``read`` makes a Frame of a message or raises MessageError; ``publish`` is given
    message, frame and segmentation; ``tell`` is given the status whenever it changed;
    ``max_added_latency_ms`` is asked before each unit of adaptation; ``tell`` is called
    ``status_rate_hz`` times a second at most.  ``start``, ``stop`` and
    ``call`` are for one thread, ``offer`` and ``status`` for any.
    """

    def __init__(
        self, session: Stream, check: Callable[[M], None], read: Callable[[M], Frame],
        publish: Callable[[M, Frame, Any], None], tell: Callable[[dict[str, Any]], None],
        max_added_latency_ms: Callable[[], float], status_rate_hz: Callable[[], float],
    ) -> None:
        self._session = session
        self._check, self._read, self._publish, self._tell = check, read, publish, tell
        self._max_added_latency_ms = max_added_latency_ms
        self._status_rate_hz = status_rate_hz
        self._wake = threading.Condition()  # also guards what offer and status touch
        self._waiting: M | None = None
        self._arrived_s = 0.0  # when the waiting message came
        self._waiting_since_s = 0.0  # when the first of those came that it replaced
        self._calls, self._complaints = Calls(), Complaints(log)
        self._running = self._stopping = False
        self._resting = False  # after a fault no unit is done until the next frame
        self._pacing, self._latency, self._engine = Pacing(), Timings(), Timings()
        self._received = self._labelled = self._adaptation_faults = 0
        self._dropped = {'superseded': 0, 'bad_message': 0, 'fault': 0, 'stopped': 0}
        self._session_status = session.status()
        self._told: dict[str, Any] = {}
        self._told_s = 0.0
        self._thread: threading.Thread | None = None

    def offer(self, message: M) -> None:
        """Put ``message`` into the slot; one that still waits there is dropped.  Never waits.

        One that is no image is dropped itself, so that it takes no image's place.
        """
        arrived_s = time.monotonic()
        try:
            self._check(message)
        except MessageError as error:
            self._drop_bad(error, received=1)
            return
        with self._wake:
            self._arrived_s = arrived_s
            self._pacing.arrived(arrived_s)
            self._received += 1
            if self._waiting is None:
                self._waiting_since_s = arrived_s
            else:
                self._dropped['superseded'] += 1
            self._waiting = message
            self._wake.notify()

    def call(self, function: Callable[[Any], T]) -> Future[T]:
        """Have ``function(session)`` called before the next frame or unit of adaptation.

        While the worker is stopped it is called at once.  What it raises of ``FAULTS`` is the
        future's.
        """
        with self._wake:
            future = self._calls.add(function)
            if self._running:
                self._wake.notify()
                return future
        self._calls.run(self._session)
        self._tell_changes(at_once=True)
        return future

    def start(self) -> None:
        """Start the thread; again after a stop, too."""
        self._stopping, self._running = False, True
        self._thread = threading.Thread(target=self._run, name='ditta_worker', daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish what is at hand and what was called for; end the thread; drop what waits."""
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
        """Return the session's last status, counts and times.

        Frames waiting are in no other count.  ``latency_ms``: from a message's arrival to its
        labels published; ``engine_ms``: in the session; of the last frames, as ``Timings`` sums
        them up.  ``starved``: why no unit of adaptation finds room, or empty.
        """
        with self._wake:
            return {
                **self._session_status,
                'frames_received': self._received, 'frames_labelled': self._labelled,
                'dropped': dict(self._dropped),
                'adaptation_faults': self._adaptation_faults + self._session_status.get(
                    'adaptation_faults', 0),
                'input_hz': round(self._pacing.rate_hz(time.monotonic()), 1),
                'latency_ms': self._latency.summary_ms(), 'engine_ms': self._engine.summary_ms(),
                'starved': self._pacing.starved}

    def _run(self) -> None:
        try:
            self._session.warm_start()
            stopping = False
            while not stopping:
                stopping = self._stopping  # before the calls: none that came before stop is lost
                self._calls.run(self._session)
                labelled = self._label_newest()
                worked = self._work_if_it_fits()
                self._tell_changes()
                if not (labelled or worked):
                    self._rest()
            self._tell_changes(at_once=True)
        finally:
            with self._wake:
                self._running = False
                self._calls.cancel()  # of a thread that died

    def _label_newest(self) -> bool:
        """Label the waiting message, where there is one."""
        with self._wake:
            message, self._waiting = self._waiting, None
            arrived_s = self._arrived_s
        if message is None:
            return False
        self._resting = False
        start_s = time.monotonic()
        try:
            self._label(message)
        except MessageError as error:
            self._drop_bad(error)
        except FAULTS as error:
            self._dropped['fault'] += 1
            self._complaints.say(f'frame dropped: {type(error).__name__}: {error}', error)
        else:
            end_s = time.monotonic()
            with self._wake:
                self._labelled += 1
                self._latency.add(end_s - arrived_s)
                self._pacing.labelled(end_s - start_s)
        return True

    def _drop_bad(self, error: MessageError, received: int = 0) -> None:
        with self._wake:
            self._received += received
            self._dropped['bad_message'] += 1
        self._complaints.say(f'image dropped: {error}')

    def _label(self, message: M) -> None:
        frame = self._read(message)
        start_s = time.monotonic()
        segmentation = self._session.feed(frame)
        _synchronise()
        with self._wake:
            self._engine.add(time.monotonic() - start_s)
        self._publish(message, frame, segmentation)

    def _work_if_it_fits(self) -> bool:
        """Do one unit of adaptation where there is one and the frames leave room for it."""
        kind, start_s = self._session.next_unit, time.monotonic()
        if not self._fits(kind, start_s):
            return False
        done = False
        try:
            done = self._session.work()
            _synchronise()
        except FAULTS as error:
            self._adaptation_faults += 1
            self._resting = True
            self._complaints.say(
                f'adaptation step dropped: {type(error).__name__}: {error}', error)
        except Exception as error:
            # A mistake in the program; but labels do not need the adaptation, and go on.
            self._adaptation_faults += 1
            log.exception('the adaptation ended with a mistake in the program: please report it')
            self._session.abandon(f'{type(error).__name__}: {error}')
        if done or self._resting:  # one that failed took its time, too
            with self._wake:
                self._pacing.finished(
                    kind, start_s, time.monotonic(),
                    None if self._waiting is None else self._waiting_since_s)
        return done

    def _fits(self, kind: str, now_s: float) -> bool:
        max_added_s = self._max_added_latency_ms() / 1e3
        with self._wake:
            if self._stopping or self._resting:
                return False
            before = self._pacing.starved
            fits = self._pacing.may_start(kind, now_s, self._waiting is not None, max_added_s)
            starved = self._pacing.starved
        if starved and not before:
            log.warning(starved)
        return fits

    def _rest(self) -> None:
        """Wait for what may come, not long where a unit of adaptation waits for room."""
        pending = self._session.next_unit != 'none' and not self._resting
        with self._wake:
            if not (self._calls or self._stopping or self._waiting is not None):
                self._wake.wait(RETRY_S if pending else REST_S)

    def _tell_changes(self, at_once: bool = False) -> None:
        self._session_status = self._session.status()
        now = time.monotonic()
        turned = self._session_status.get('phase') != self._told.get('phase')
        if not (at_once or turned or now - self._told_s >= 1 / self._status_rate_hz()):
            return
        status = self.status()
        if status != self._told:
            self._told, self._told_s = status, now
            self._tell(status)


def _synchronise() -> None:
    """Wait for the GPU, so that what it takes is counted where it is caused."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
