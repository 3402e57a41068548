"""What a source of frames is, whatever it reads."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import numpy as np


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
class Source:
    """Frames in order of their stamps; iterate over it as often as needed.

    ``length_frames`` is None where it is not known before the end; ``rate_hz`` is the mean rate
    of the stamps.  ``has_truth``: some frames may carry a label.  ``read`` opens the input and
    yields its frames.
    """

    name: str
    length_frames: int | None
    rate_hz: float
    has_truth: bool
    read: Callable[[], Generator[SourceFrame, None, None]]

    def __iter__(self) -> Iterator[SourceFrame]:
        """Yield the frames; raise SourceError for no frame at all or a change of size."""
        frames = self.read()
        first: SourceFrame | None = None
        try:
            for index, frame in enumerate(frames):
                first = first or frame
                if frame.rgb.shape != first.rgb.shape:
                    raise SourceError(
                        f'{self.name}: all frames must have one size, got '
                        f'{_size(first)} and, at frame {index}, {_size(frame)}')
                if frame.label is not None and frame.label.shape != frame.rgb.shape[:2]:
                    raise SourceError(
                        f'{self.name}: a label must have the size of its frame, got '
                        f'{frame.label.shape[1]}x{frame.label.shape[0]} for {_size(frame)} at '
                        f'frame {index}')
                yield frame
        finally:
            frames.close()
        if first is None:
            raise SourceError(f'{self.name}: no frame in it')


def _size(frame: SourceFrame) -> str:
    height, width = frame.rgb.shape[:2]
    return f'{width}x{height}'
