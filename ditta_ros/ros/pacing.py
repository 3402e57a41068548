"""When a unit of adaptation may run, so that labels keep flowing.

The worker labels and adapts on one thread, so a frame that comes during a unit waits for its end.
Two rules keep that small:

1. A unit starts only where the next frame would wait ``max_added_s`` for it at most.
2. Units may take a share of the labelling's own time: what they have made frames wait is a debt,
   which labelling pays off with ``SHARE`` of the time that it takes.  A unit that would make a
   frame wait starts only without debt, so a saturated robot adapts, too, and still labels at
   1 / (1 + ``SHARE``) = 80 % of its rate or more.

The class keeps no clock and no thread: times are seconds of one monotonic clock, given by the
caller.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from itertools import pairwise
from statistics import fmean

SHARE = 0.25
INTERVALS = 20  # between the last frames, from which the next one is foretold
EARLY = 0.1  # this share of the last frames came sooner than the next one is expected
SILENT_PERIODS = 3.0  # without a frame: the camera is silent
MEMORY_S = 60.0  # what a unit took is forgotten then, so that a busy minute does not stop it
UNITS = 256  # remembered of a kind at most
STARVED_S = 10.0  # refused for so long while frames keep coming


class Pacing:
    """Decides about one stream's units of adaptation.

    ``starved`` says in one sentence why a kind of unit never fits, with the remedy; empty where
    all is well.
    """

    def __init__(self) -> None:
        self.starved = ''
        self._arrivals_s: deque[float] = deque(maxlen=INTERVALS + 1)
        self._units: dict[str, deque[tuple[float, float]]] = {}  # kind -> (end_s, duration_s)
        self._debt_s = 0.0
        self._refused = ('', 0.0, 0.0)  # kind, since when, the most room there was

    def arrived(self, now_s: float) -> None:
        """Note that a frame came."""
        self._arrivals_s.append(now_s)

    def labelled(self, duration_s: float) -> None:
        """Note that a frame was labelled."""
        self._debt_s = max(0.0, self._debt_s - SHARE * duration_s)

    def finished(
        self, kind: str, start_s: float, end_s: float, waiting_since_s: float | None,
    ) -> None:
        """Note that a unit ended; ``waiting_since_s``: when the frame came that waits now."""
        if waiting_since_s is not None:
            self._debt_s += end_s - max(start_s, waiting_since_s)
        if kind in self._units:
            self._units[kind].append((end_s, end_s - start_s))
        else:  # the first loads and compiles: it says nothing about the others
            self._units[kind] = deque(maxlen=UNITS)

    def may_start(self, kind: str, now_s: float, waits: bool, max_added_s: float) -> bool:
        """Whether a unit of ``kind`` may start now; ``waits``: a frame waits for its label.

        A kind of which nothing is known may: its first two units, and one after a minute in
        which none ran.  ``kind`` 'none' may not, and ends what was starved.
        """
        if kind == 'none':
            self._content()
            return False
        unit_s = self.expected_s(kind, now_s)
        if unit_s is None:
            return True
        slack_s = self.slack_s(now_s, waits)
        if unit_s > slack_s + max_added_s:
            self._refuse(kind, unit_s, slack_s + max_added_s, now_s)
            return False
        self._content()
        return unit_s <= slack_s or self._debt_s == 0

    def expected_s(self, kind: str, now_s: float) -> float | None:
        """Return how long a unit of ``kind`` will take; None: unknown.

        That is the longest but one of the last minute: one may have been a whim of the machine.
        """
        longest = heapq.nlargest(2, (
            duration_s for end_s, duration_s in self._units.get(kind, ())
            if now_s - end_s <= MEMORY_S))
        return longest[-1] if longest else None

    def slack_s(self, now_s: float, waits: bool) -> float:
        """Return the time until the next frame, as early as it may be; infinity: none comes."""
        if waits:
            return 0.0
        if self.silent(now_s):
            return math.inf
        intervals_s = sorted(self._intervals_s())
        soonest_s = intervals_s[int(EARLY * len(intervals_s))]
        return max(0.0, self._arrivals_s[-1] + soonest_s - now_s)

    def silent(self, now_s: float) -> bool:
        """Whether the camera sends nothing, as far as two frames or more can tell."""
        period_s = self.period_s
        return period_s is None or now_s - self._arrivals_s[-1] > SILENT_PERIODS * period_s

    def rate_hz(self, now_s: float) -> float:
        """Return how many frames come in a second; 0 where the camera is silent."""
        return 0.0 if self.silent(now_s) or not self.period_s else 1 / self.period_s

    @property
    def period_s(self) -> float | None:
        """The mean time between the last frames, which bursts do not move; None before two."""
        intervals_s = self._intervals_s()
        return fmean(intervals_s) if intervals_s else None

    def _intervals_s(self) -> list[float]:
        return [after - before for before, after in pairwise(self._arrivals_s)]

    def _refuse(self, kind: str, unit_s: float, room_s: float, now_s: float) -> None:
        refused_kind, since_s, most_s = self._refused
        if kind != refused_kind:
            since_s, most_s = now_s, 0.0
        self._refused = (kind, since_s, max(most_s, room_s))
        if now_s - since_s >= STARVED_S and not self.starved:
            self.starved = (
                f'adaptation stands still: a {kind} unit takes {1e3 * unit_s:.0f} ms, and the '
                f'frames leave {1e3 * self._refused[2]:.0f} ms for it: raise '
                'adaptation.max_added_latency_ms, or lower segmenter.max_side_px or the '
                "camera's rate")

    def _content(self) -> None:
        self._refused = ('', 0.0, 0.0)
        self.starved = ''
