"""What is reported of an outcome: each figure's name, unit, meaning and better direction."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ditta_ros.evaluation.outcome import Outcome


@dataclass(frozen=True)
class Measure:
    """One figure of an outcome, in ``unit``: '%', 'ms', 's' or 'MB'; NaN where not measured."""

    key: str  # in report.json
    name: str
    unit: str
    better: str  # 'higher', 'lower', or '' where neither is
    about: str
    of: Callable[[Outcome], float]
    compared: bool = True  # whether its change against the plain model means anything

    @property
    def counted(self) -> bool:
        """Whether it is of interest in how many pairs it changed for the better."""
        return self.unit == '%' and bool(self.better)

    def text(self, value: float) -> str:
        """Return ``value`` with as many digits as mean something; '' for NaN."""
        return '' if math.isnan(value) else f'{value:.{self._digits(value)}f}'

    def change_text(self, change: float) -> str:
        """Return a difference of two values with its sign; '' for NaN."""
        if math.isnan(change):
            return ''
        text = f'{change:+.{self._digits(change)}f}'
        return text if text.strip('+-0.') else f'±{text[1:]}'

    def verdict(self, change: float) -> str:
        """Return 'better', 'worse', or '' where the change shows neither at the digits shown."""
        if not self.better or self.change_text(change)[:1] in ('', '±'):
            return ''
        return 'better' if (change > 0) == (self.better == 'higher') else 'worse'

    def _digits(self, value: float) -> int:
        if self.unit == '%':
            return 1
        if self.unit == 'MB':
            return 0
        return 2 if abs(value) < 1 else 1 if abs(value) < 100 else 0


def _percent(of: Callable[[Outcome], float]) -> Callable[[Outcome], float]:
    return lambda outcome: 100 * of(outcome)


def frozen_latency(outcome: Outcome, percentile: str) -> float:
    """Return 'p50_ms', 'p95_ms' or 'p99_ms' of the frames labelled when nothing learns any more.

    NaN where the phase had no frame.
    """
    for latency in outcome.latencies:
        if latency.phase == 'frozen' and latency.frames:
            return float(getattr(latency, percentile))
    return math.nan


WITH_TRUTH = (
    Measure('miou', 'mIoU', '%', 'higher',
            'mean over classes of intersection by union of prediction and truth',
            _percent(lambda outcome: outcome.scores.miou)),
    Measure('wiou', 'wIoU', '%', 'higher',
            'mean IoU of the classes, weighted by how often each occurs in the truth',
            _percent(lambda outcome: outcome.scores.wiou)),
    Measure('mvc8', 'mVC8', '%', 'higher',
            'of the pixels whose truth holds still for 8 frames, those whose label does, too',
            _percent(lambda outcome: outcome.scores.mvc8)),
    Measure('mvc16', 'mVC16', '%', 'higher',
            'of the pixels whose truth holds still for 16 frames, those whose label does, too',
            _percent(lambda outcome: outcome.scores.mvc16)),
    Measure('calibration_error', 'calibration error', '%', 'lower',
            'mean distance of the reliability from the share of right pixels that claim it',
            _percent(lambda outcome: outcome.calibration_error)),
)
OF_LABELS = (
    Measure('flicker', 'flicker', '%', 'lower',
            'pixels whose label differs from the frame before; some of it is true motion',
            _percent(lambda outcome: outcome.scores.flicker)),
    Measure('reliability', 'reliability', '%', '', 'mean of what the labels claim for themselves',
            _percent(lambda outcome: outcome.scores.reliability)),
    Measure('agreement', 'agreement with ISS', '%', '',
            'pixels after the warm-up labelled as by the plain model',
            _percent(lambda outcome: outcome.agreement_with_iss), compared=False),
)
OF_COST = (
    Measure('label_p50_ms', 'label, median', 'ms', 'lower',
            'from a frame to its label after the warm-up, half of the frames',
            lambda outcome: frozen_latency(outcome, 'p50_ms')),
    Measure('label_p95_ms', 'label, p95', 'ms', 'lower',
            'from a frame to its label after the warm-up, 95 % of the frames',
            lambda outcome: frozen_latency(outcome, 'p95_ms')),
    Measure('adaptation_s', 'adaptation per warm-up frame', 's', 'lower',
            'tracking and learning, per frame of the warm-up',
            lambda outcome: outcome.adaptation_s),
    Measure('peak_memory_mb', 'peak memory', 'MB', 'lower', 'of the process, at most',
            lambda outcome: outcome.peak_memory_mb),
)
MIOU, WIOU, MVC8 = WITH_TRUTH[:3]
FLICKER, RELIABILITY, AGREEMENT = OF_LABELS
LABEL_P50, LABEL_P95, ADAPTATION, PEAK_MEMORY = OF_COST
