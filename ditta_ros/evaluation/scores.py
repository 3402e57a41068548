"""Every metric of one model on one stream, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ditta_ros.evaluation.metrics import (
    Confusion,
    Flicker,
    ReliabilityCurve,
    VideoConsistency,
)


@dataclass(frozen=True)
class Scores:
    """What a model reached, each in 0..1; NaN where it could not be measured.

    ``class_iou``: one value per class, NaN for a class without truth.
    """

    miou: float
    wiou: float
    mvc8: float
    class_iou: tuple[float, ...]
    flicker: float
    reliability: float
    mvc16: float = float('nan')


class Scorer:
    """Accumulates a stream's label maps and, where it has them, truth and reliability."""

    def __init__(self, classes: int) -> None:
        self._confusion = Confusion(classes)
        self._consistency = {8: VideoConsistency(8), 16: VideoConsistency(16)}
        self._flicker = Flicker()
        self._reliability: list[float] = []
        self.reliability_curve = ReliabilityCurve()

    def add(
        self, label: np.ndarray, truth: np.ndarray | None, reliability: np.ndarray,
    ) -> None:
        """Add the next frame: label maps [H, W] and reliability [H, W] in 0..1."""
        if truth is not None:
            self._confusion.add(truth, label)
            for consistency in self._consistency.values():
                consistency.add(truth, label)
            self.reliability_curve.add(truth, label, reliability)
        self._flicker.add(label)
        self._reliability.append(float(reliability.mean()))

    def scores(self) -> Scores:
        """Return the metrics over what was added."""
        return Scores(
            miou=self._confusion.mean_iou(),
            wiou=self._confusion.weighted_iou(),
            mvc8=self._consistency[8].mean(),
            class_iou=tuple(float(value) for value in self._confusion.class_iou()),
            flicker=self._flicker.mean(),
            reliability=float(np.mean(self._reliability)) if self._reliability else float('nan'),
            mvc16=self._consistency[16].mean())
