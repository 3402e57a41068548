"""Whether memory grows: the slope of a straight line through the second half of a series."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Z_95 = 1.959964  # of the normal distribution
LEAST_SAMPLES = 20
MOST_ALIKE = 0.999  # an autocorrelation of 1 would say that nothing can be known


@dataclass(frozen=True)
class Slope:
    """MB per 1,000 units (frames or warm-ups), with the ends of its 95 % interval.

    ``p`` is the probability of a slope as far from zero, or farther, where the true one is zero.
    """

    mb_per_1000: float
    low: float
    high: float
    p: float

    @property
    def is_zero(self) -> bool:
        """Whether the interval holds zero."""
        return self.low <= 0 <= self.high


def slope(units: Sequence[float], memory_mb: Sequence[float]) -> Slope:
    """Fit the second half of a series by ordinary least squares; raises ValueError below 20.

    Memory is taken and given back in steps, so that each sample resembles the one before: the
    standard error is that of as many independent samples as the series is worth, by the
    autocorrelation of what the line leaves.  The interval is the normal distribution's.
    """
    half = len(units) // 2
    x, y = (np.asarray(values, float)[half:] for values in (units, memory_mb))
    if len(x) < LEAST_SAMPLES:
        raise ValueError(
            f'a slope needs {LEAST_SAMPLES} samples in the second half, got {len(x)}: sample more')
    x, y = (x - x.mean()) / 1000, y - y.mean()
    spread = float(x @ x)
    fitted = float(x @ y) / spread
    rest = y - fitted * x
    noise = float(rest @ rest)
    alike = min(max(float(rest[1:] @ rest[:-1]) / noise, 0.0), MOST_ALIKE) if noise > 0 else 0.0
    worth = (1 - alike) / (1 + alike)  # independent samples in one of ours
    error = math.sqrt(noise / (len(x) - 2) / spread / worth)
    p = math.erfc(abs(fitted) / error / math.sqrt(2)) if error > 0 else float(fitted == 0)
    return Slope(fitted, fitted - Z_95 * error, fitted + Z_95 * error, p)
