"""How long the last frames took, in three figures."""

from __future__ import annotations

import math
from collections import deque

KEPT = 200  # at 10 to 30 Hz what a person looking at it calls now


class Timings:
    """The last ``KEPT`` durations."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=KEPT)

    def add(self, seconds: float) -> None:
        """Keep one more; the oldest goes where there are too many."""
        self._seconds.append(seconds)

    def summary_ms(self) -> dict[str, float]:
        """Return ``p50``, ``p95`` and ``max`` in ms; empty before the first.

        A percentile is the smallest duration that this share of them does not exceed.
        """
        ordered = sorted(self._seconds)
        if not ordered:
            return {}
        ranks = {
            'p50': math.ceil(0.50 * len(ordered)), 'p95': math.ceil(0.95 * len(ordered)),
            'max': len(ordered)}
        return {name: round(1e3 * ordered[rank - 1], 2) for name, rank in ranks.items()}
