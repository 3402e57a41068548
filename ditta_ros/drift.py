"""Drift: labels that have become worse than they were when the model in force was new.

Two signs need no truth: how reliable the labels are (Eq. 2), and what share of them changes from
frame to frame.  Their means over the last frames are compared with those over the first.
"""

from __future__ import annotations

import logging
from collections import deque
from statistics import fmean, pstdev

from torch import Tensor

from ditta_ros.settings import AdaptationSettings

_log = logging.getLogger(__name__)

SPREADS = 3.0  # a mean is worse where it is so many standard deviations of single frames worse,
LEAST_CHANGE = 0.05  # and so much in 0..1, at least
STRIDE_PX = 4  # of the pixels that are looked at, each way


class Sign:
    """One number per frame, in 0..1, and whether it has become worse for good.

    ``worse`` is 1 where more is worse, -1 where less is.  The first ``window_frames`` values are
    the baseline.  The mean of the last ``window_frames`` must be worse for as many frames in a
    row.
    """

    def __init__(self, name: str, worse: int, window_frames: int) -> None:
        self._name, self._worse, self._window_frames = name, worse, window_frames
        self._values: deque[float] = deque(maxlen=window_frames)
        self._baseline: tuple[float, float] | None = None  # mean and allowed change
        self._worse_frames = 0  # in a row

    def add(self, value: float) -> None:
        """Take the next frame's value."""
        self._values.append(value)
        if len(self._values) < self._window_frames:
            return
        mean = fmean(self._values)
        if self._baseline is None:
            self._baseline = mean, max(LEAST_CHANGE, SPREADS * pstdev(self._values))
        first, allowed = self._baseline
        too_far = self._worse * (mean - first) > allowed
        self._worse_frames = self._worse_frames + 1 if too_far else 0

    @property
    def drifted(self) -> str:
        """What has become worse, in words; empty where nothing has."""
        if self._baseline is None or self._worse_frames < self._window_frames:
            return ''
        return (f'{self._name} {fmean(self._values):.2f}, at first {self._baseline[0]:.2f}, for '
                f'{self._worse_frames} frames')


class Drift:
    """Watches the labels of one model on one stream, from the first of them on."""

    def __init__(self, window_frames: int) -> None:
        self.age_s = 0.0  # from the first frame to the last, by their stamps; jumps back are 0
        self.found = ''  # what has become worse, in words; empty where nothing has
        self._signs = (Sign('reliability', -1, window_frames), Sign('flicker', 1, window_frames))
        self._before: Tensor | None = None
        self._stamp_ns: int | None = None
        self._told = False

    def add(self, stamp_ns: int, label: Tensor, reliability: Tensor) -> None:
        """Take the next frame's label [H, W] and reliability float32 [H, W]."""
        if self._stamp_ns is not None:
            self.age_s += max(0, stamp_ns - self._stamp_ns) / 1e9
        self._stamp_ns = stamp_ns
        steady, flickers = self._signs
        label = label[::STRIDE_PX, ::STRIDE_PX]
        steady.add(float(reliability[::STRIDE_PX, ::STRIDE_PX].mean()))
        if self._before is not None:
            flickers.add(float((label != self._before).float().mean()))
        self._before = label
        self.found = '; '.join(sign.drifted for sign in self._signs if sign.drifted)

    def asks_for_warm_up(self, rule: AdaptationSettings, adapts: bool) -> bool:
        """Whether a new warm-up should begin by ``rule``; logs what has been found, once.

        ``adapts``: whether one can.
        """
        if not self.found:
            self._told = False
            return False
        readapts = adapts and (
            rule.on_drift == 'readapt' and self.age_s >= rule.readapt_min_interval_s)
        if readapts or not self._told:
            _log.warning('the labels have become worse%s: %s',
                         ', a new warm-up begins' if readapts else '', self.found)
            self._told = True
        return readapts

    def forget(self) -> None:
        """Drop the frame before: the next one does not follow it."""
        self._before = None
