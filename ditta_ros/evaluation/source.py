"""What a source of frames is, whatever it reads."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field

import numpy as np

_log = logging.getLogger(__name__)


class SourceError(ValueError):
    """Input is missing or broken; the one line says what and where."""


@dataclass(frozen=True)
class SourceFrame:
    """One frame: ``rgb`` uint8 [H, W, 3] and, where there is truth, ``label`` uint8 [H, W]."""

    stamp_ns: int
    rgb: np.ndarray
    label: np.ndarray | None = None
    frame_id: str = 'camera'


@dataclass(frozen=True)
class Skipped:
    """A part of the input that could not be read, while what follows can.

    ``where`` names it, ``why`` the fault; ``count`` is how many images or labels it held.
    """

    where: str
    why: str
    count: int = 1


@dataclass(frozen=True)
class Source:
    """Frames in order of their stamps; iterate over it as often as needed.

    ``length_frames`` is what the input announces, with frames that cannot be read, and None where
    it is not known before the end; ``rate_hz`` is the mean rate of the stamps.  ``has_truth``:
    some frames may carry a label.  ``read`` opens the input and yields its frames, and in place of
    what cannot be read a ``Skipped``.  ``skipped``: what the last iteration, or the one under way,
    left out, as the number of images and labels by cause.
    """

    name: str
    length_frames: int | None
    rate_hz: float
    has_truth: bool
    read: Callable[[], Generator[SourceFrame | Skipped, None, None]]
    skipped: dict[str, int] = field(default_factory=dict, init=False, compare=False)

    def __iter__(self) -> Iterator[SourceFrame]:
        """Yield the frames; log once for each cause what was skipped.

        Raises SourceError for no frame at all or a change of size.
        """
        frames = self.read()
        losses = _Losses(self.skipped)
        first: SourceFrame | None = None
        try:
            for index, frame in enumerate(frames):
                if isinstance(frame, Skipped):
                    losses.add(frame)
                    continue
                first = first or frame
                self._check(frame, first, index)
                yield frame
        finally:
            frames.close()
            losses.log(self.name)
        if first is None:
            raise SourceError(f'{self.name}: no frame in it{losses.summary()}')

    def _check(self, frame: SourceFrame, first: SourceFrame, index: int) -> None:
        if frame.rgb.shape != first.rgb.shape:
            raise SourceError(
                f'{self.name}: all frames must have one size, got '
                f'{_size(first)} and, at frame {index}, {_size(frame)}')
        if frame.label is not None and frame.label.shape != frame.rgb.shape[:2]:
            raise SourceError(
                f'{self.name}: a label must have the size of its frame, got '
                f'{frame.label.shape[1]}x{frame.label.shape[0]} for {_size(frame)} at '
                f'frame {index}')


class _Losses:
    """What one iteration skipped: ``counts`` by cause, which are all faults but for numbers."""

    def __init__(self, counts: dict[str, int]) -> None:
        counts.clear()
        self._counts = counts
        self._first: dict[str, Skipped] = {}  # by the cause without its numbers

    def add(self, skipped: Skipped) -> None:
        first = self._first.setdefault(re.sub(r'\d+', '#', skipped.why), skipped)
        self._counts[first.why] = self._counts.get(first.why, 0) + skipped.count

    def log(self, name: str) -> None:
        for first in self._first.values():
            _log.warning('%s: %d skipped, the first %s: %s',
                         name, self._counts[first.why], first.where, first.why)

    def summary(self) -> str:
        """Return what was skipped, to end a sentence with; '' where nothing was."""
        if not self._first:
            return ''
        first = next(iter(self._first.values()))
        return (f' that can be read, {sum(self._counts.values())} cannot, the first is '
                f'{first.where}: {first.why}')


def even_stamp_ns(index: int, rate_hz: float) -> int:
    """Return the stamp of frame ``index`` of a recording that has none but a rate."""
    # Not from zero: a stamp of 0 means "not set" to many ROS tools.
    return 10**9 + round(index * 1e9 / rate_hz)


def _size(frame: SourceFrame) -> str:
    height, width = frame.rgb.shape[:2]
    return f'{width}x{height}'
