"""A source as a live camera: frames come at a rate, and are dropped where a method is busy.

The clock is simulated: it advances by the time that the method takes for each label and unit of
adaptation, measured, and by nothing else.  So reading files, scoring and writing cost the method
no frame.  What is done when is decided as in the node: one newest-wins slot, one worker, the same
``Pacing``.
"""

from __future__ import annotations

from collections.abc import Iterator

from ditta_ros.evaluation.driving import Driver, Labelled
from ditta_ros.evaluation.source import SourceFrame
from ditta_ros.ros.pacing import Pacing

RETRY_S = 0.05  # a unit that found no room is asked for again then, as by the node's worker


class LiveCamera:
    """One walk of a method through its source at ``rate_hz``; iterate over what gets labelled."""

    def __init__(self, driver: Driver, rate_hz: float, max_added_latency_ms: float) -> None:
        self._driver = driver
        self._rate_hz = rate_hz
        self._max_added_s = max_added_latency_ms / 1e3
        self._pacing = Pacing()
        self._now_s = 0.0
        self._frames = iter(driver.source)
        self._coming = next(self._frames, None)  # the next to arrive
        self._waiting: SourceFrame | None = None
        self._arrived_s = 0.0  # when the waiting frame came
        self._waiting_since_s = 0.0  # when the first of those came that it replaced
        driver.seen = driver.dropped = 0

    def __iter__(self) -> Iterator[Labelled]:
        """Label frames until no more come and none waits; what is not learnt then stays so."""
        while self._coming is not None or self._waiting is not None:
            self._admit()
            labelled = self._label_newest()
            if labelled is not None:
                yield labelled
                self._admit()
            if not self._work_if_it_fits() and labelled is None:
                self._rest()

    @property
    def _arrival_s(self) -> float:
        """When the coming frame arrives."""
        return self._driver.seen / self._rate_hz

    def _admit(self) -> None:
        """Put all frames that have come by now into the slot, where the newest stays."""
        while self._coming is not None and self._arrival_s <= self._now_s:
            if self._waiting is None:
                self._waiting_since_s = self._arrival_s
            else:
                self._driver.dropped += 1
            self._waiting, self._arrived_s = self._coming, self._arrival_s
            self._pacing.arrived(self._arrival_s)
            self._driver.seen += 1
            self._coming = next(self._frames, None)

    def _label_newest(self) -> Labelled | None:
        if self._waiting is None:
            return None
        given, self._waiting = self._waiting, None
        labelled, took_s = self._driver.label(self._driver.seen - 1, given)
        self._now_s += took_s
        self._pacing.labelled(took_s)
        self._driver.note_latency(labelled, self._now_s - self._arrived_s)
        return labelled

    def _work_if_it_fits(self) -> bool:
        """Do one unit of adaptation where there is one and the frames leave room for it."""
        kind, start_s = self._driver.next_unit, self._now_s
        waits = self._waiting is not None
        if not self._pacing.may_start(kind, start_s, waits, self._max_added_s):
            return False
        done, took_s = self._driver.work()
        if done:
            self._now_s += took_s
            self._pacing.finished(kind, start_s, self._now_s, self._kept_waiting_since_s())
        return done

    def _kept_waiting_since_s(self) -> float | None:
        """When the frame came that the unit which ends now has kept waiting; None: none has."""
        if self._waiting is not None:
            return self._waiting_since_s
        comes = self._coming is not None and self._arrival_s <= self._now_s
        return self._arrival_s if comes else None

    def _rest(self) -> None:
        """Let time pass to the next frame, or until a unit may have found room."""
        if self._coming is None or self._waiting is not None:
            return
        pending = self._driver.next_unit != 'none'
        soon_s = self._now_s + RETRY_S
        self._now_s = min(self._arrival_s, soon_s) if pending else self._arrival_s
