"""One stream through the node: warm-up, adaptation, rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ditta_ros.evaluation.source import Source, SourceFrame
from ditta_ros.ros.player import Answer, Player, PlayerError

FIRST_TIMEOUT_S, SHORTEST_TIMEOUT_S = 60.0, 10.0
SLOWER_THAN_EVER = 5.0
SENDINGS = 3
ADAPTATION_SILENCE_S = 120.0


@dataclass
class Phase:
    """A part of the stream: how long each of its frames waited for its mask."""

    name: str
    latencies_s: list[float] = field(default_factory=list)

    @property
    def frames(self) -> int:
        """Return how many frames were labelled."""
        return len(self.latencies_s)

    @property
    def median_ms(self) -> float:
        """Return the median wait; NaN without frames."""
        return float(np.median(self.latencies_s)) * 1e3 if self.latencies_s else float('nan')

    @property
    def rate_fps(self) -> float:
        """Return how many frames a second it could label, sent as fast as it answers."""
        return self.frames / sum(self.latencies_s) if self.latencies_s else float('nan')


@dataclass(frozen=True)
class Played:
    """One frame and what the node made of it; ``answer`` None where it made nothing."""

    index: int
    warm_up: bool
    frame: SourceFrame
    answer: Answer | None


class Play:
    """Sends a source's frames through a player and keeps count."""

    def __init__(
        self, source: Source, player: Player, warm_up_frames: int,
        tell: Callable[[dict[str, Any]], None],
    ) -> None:
        """``tell`` is given the node's status from time to time while it adapts."""
        self.warm_up, self.frozen = Phase('warm-up'), Phase('frozen')
        self.adaptation_s = 0.0
        self.sent = self.labelled = self.sent_again = 0
        self._source, self._player = source, player
        self._warm_up_frames = warm_up_frames
        self._tell = tell

    def frames(self) -> Iterator[Played]:
        """Yield each frame with its answer, at the source's rate or as fast as they come.

        After the last frame of the warm-up the stream waits, as one would pause a bag, until the
        model is frozen.  Raises PlayerError where two frames in a row stay without an answer,
        or where the adaptation stands still.
        """
        silent = False
        next_s = 0.0
        for index, frame in enumerate(self._source):
            if 0 < index == self._warm_up_frames:
                self._await_frozen()
            time.sleep(max(0.0, next_s - time.monotonic()))
            next_s = time.monotonic() + 1 / self._source.rate_hz
            answer = self._player.ask(
                frame.rgb, frame.stamp_ns, frame.frame_id, self._patience_s(), SENDINGS)
            if answer is None and silent:
                raise PlayerError(
                    f'frames {index - 1} and {index} stayed without an answer, each sent '
                    f'{SENDINGS} times')
            silent = answer is None
            warm_up = index < self._warm_up_frames
            self._count(self.warm_up if warm_up else self.frozen, answer)
            yield Played(index, warm_up, frame, answer)
        if self.sent <= self._warm_up_frames:
            self._await_frozen()

    def _patience_s(self) -> float:
        """Return when an image counts as lost: one sent again too early would be seen twice."""
        known = [*self.warm_up.latencies_s, *self.frozen.latencies_s]
        if not known:
            return FIRST_TIMEOUT_S
        return max(SHORTEST_TIMEOUT_S, SLOWER_THAN_EVER * max(known))

    def _await_frozen(self) -> None:
        started_s = changed_s = time.monotonic()
        before: dict[str, Any] = {}
        while not self._player.wait_until(self._is_frozen, timeout_s=0.5):
            if self._player.status != before:
                before, changed_s = self._player.status, time.monotonic()
                self._tell(before)
            if time.monotonic() - changed_s > ADAPTATION_SILENCE_S:
                raise PlayerError(
                    f'segmentation/status has not changed for {ADAPTATION_SILENCE_S:.0f} s while '
                    f'waiting for phase frozen, last: {before}')
        self.adaptation_s = time.monotonic() - started_s

    def _is_frozen(self) -> bool:
        return self._player.status.get('phase') == 'frozen'

    def _count(self, phase: Phase, answer: Answer | None) -> None:
        self.sent += 1
        self.sent_again += SENDINGS - 1 if answer is None else answer.sendings - 1
        if answer is not None:
            self.labelled += 1
            phase.latencies_s.append(answer.latency_s)
