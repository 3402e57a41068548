"""What one model reached on the frames of a stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ditta_ros.evaluation.metrics import Confusion, VideoConsistency


@dataclass(frozen=True)
class Reached:
    """Each in 0..1, NaN where it could not be measured; ``class_iou`` of classes with truth."""

    miou: float
    accuracy: float  # share of the labelled pixels that are right
    mvc8: float
    class_iou: Mapping[str, float]


class Meter:
    """Accumulates a stream's label maps and their truth."""

    def __init__(self, names: Sequence[str]) -> None:
        """``names`` are the classes, in order."""
        self._names = tuple(names)
        self._confusion = Confusion(len(names))
        self._consistency = VideoConsistency(8)

    def add(self, truth: np.ndarray, label: np.ndarray) -> None:
        """Add the next frame: label maps [H, W], truth 255 where it is unlabelled."""
        self._confusion.add(truth, label)
        self._consistency.add(truth, label)

    def reached(self) -> Reached:
        """Return the measures over what was added."""
        return Reached(
            self._confusion.mean_iou(), accuracy(self._confusion), self._consistency.mean(),
            {name: float(iou) for name, iou in zip(
                self._names, self._confusion.class_iou(), strict=True) if not np.isnan(iou)})


def accuracy(confusion: Confusion) -> float:
    """Return the share of right pixels among those labelled in truth and prediction."""
    counts = confusion.counts
    total = counts.sum()
    return float(counts.trace() / total) if total else float('nan')
